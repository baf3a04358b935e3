/* test_http.c - addresses joined and taken apart, waits read, headers checked. */
#include "brokerd/value/http.h"
#include "tests/lib/tap.h"

static const struct {
	const char *base, *path, *want;
} joins[] = {
	{"https://h/v1",              "/chat/completions", "https://h/v1/chat/completions" },
	{"https://h/v1/",             "/chat/completions", "https://h/v1/chat/completions" },
	{"https://h/v1/",             "chat/completions",  "https://h/v1/chat/completions" },
	{"https://h/v1//",            "/chat",             "https://h/v1/chat"             },
	{"https://h/api/v4?a=b",      "//c/d",             "https://h/c/d?a=b"             },
	{"https://h",                 "//c",               "https://h/c"                   },
	{"https://h",                 "/v1/messages",      "https://h/v1/messages"         },
	{"https://h/d?api-version=1", "/chat",             "https://h/d/chat?api-version=1"},
	{"https://h/d/?a=1&b=/2",     "/chat",             "https://h/d/chat?a=1&b=/2"     },
	{"https://h?a=1",             "/m?limit=2",        "https://h/m?limit=2&a=1"       },
	{"https://h",                 "/m?limit=2",        "https://h/m?limit=2"           },
	{"https://h/v1",              "",                  "https://h/v1"                  },
	{"https://h/v1?",             "/m",                "https://h/v1/m"                },
	{"https://h/v2",              "../v1/m?n=1",       "https://h/v1/m?n=1"            },
	{"https://h/a/v2/?k=1",       "../v1/m",           "https://h/a/v1/m?k=1"          },
	{"https://h",                 "../v1/m",           "https://h/v1/m"                },
	{"https://h/",                "../v1/m",           "https://h/v1/m"                },
};

static const struct {
	const char *url, *want; /* NULL: refused */
} origins[] = {
	{"https://api.openai.com/v1",    "https://api.openai.com:443"},
	{"HTTPS://API.OpenAI.com",       "https://api.openai.com:443"},
	{"http://127.0.0.1:8080/v1?x=1", "http://127.0.0.1:8080"     },
	{"http://localhost",             "http://localhost:80"       },
	{"https://h:443#x",              "https://h:443"             },
	{"https://[::1]:8443/x",         "https://[::1]:8443"        },
	{"https://[FE80::1]",            "https://[fe80::1]:443"     },
	{"https://h:65535",              "https://h:65535"           },
	{"https://h?x@y",                "https://h:443"             },
	{"api.openai.com",               NULL                        },
	{"ftp://h",		      NULL			},
	{"https://",		     NULL                        },
	{"https:///v1",                  NULL                        },
	{"https://user:pw@h/",           NULL                        },
	{"https://h@evil",               NULL                        },
	{"https://h:0",                  NULL                        },
	{"https://h:65536",              NULL                        },
	{"https://h:",                   NULL                        },
	{"https://h:-1",                 NULL                        },
	{"https://h:+80",                NULL                        },
	{"https://h:8x",                 NULL                        },
	{"https://[::1",                 NULL                        },
	{"https://[::1]x",               NULL                        },
	{"https://[]",                   NULL                        },
	{"https://a b/",                 NULL                        },
	{"https://a%2eb/",               NULL                        },
	{"https://a\nb/",                NULL                        },
	{"https://a\\b/",                NULL                        },
	{"",			     NULL			},
};

static void test_urls(void)
{
	for (size_t i = 0; i < COUNT_OF(joins); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		http_join_url(span_str(joins[i].base), span_str(joins[i].path), &out);
		buf_byte(&out, '\0');
		is_str(out.p, joins[i].want, "%s + %s", joins[i].base, joins[i].path);
	}
	for (size_t i = 0; i < COUNT_OF(origins); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		struct fault why = FAULT_NONE;
		const enum err err = http_origin(span_str(origins[i].url), &out, &why);
		is_err(err, origins[i].want ? OK : ERR_INVALID_ARGUMENT, "\"%s\"", origins[i].url);
		buf_byte(&out, '\0');
		if (origins[i].want)
			is_str(out.p, origins[i].want, "the origin of %s", origins[i].url);
		else
			ok(why.message[0] && out.n == 1, "a sentence, and nothing written");
	}
	struct fault why;
	OWNED(buf_done) struct buf escaped = BUF_INIT(64);
	http_escape(SPAN("aZ0-._~ +/=\xc3\0"), &escaped);
	is_mem(escaped.p, escaped.n, "aZ0-._~%20%2B%2F%3D%C3%00", 25, "an escaped value");
	buf_clear(&escaped);
	ok(http_unescape(SPAN("a%20%2fB%C3%00"), &escaped), "an escaped value is read");
	is_mem(escaped.p, escaped.n, "a /B\xc3\0", 6, "as what it stands for");
	buf_clear(&escaped);
	ok(!http_unescape(SPAN("100%25 %, %2g %4"), &escaped), "a %% that begins nothing is told");
	is_mem(escaped.p, escaped.n, "100% %, %2g %4", 14, "and stays");
	OWNED(buf_done) struct buf out = BUF_INIT(4096);
	is_err(http_origin(SPAN("https://me:s3cret@h/"), &out, &why), ERR_INVALID_ARGUMENT,
		"a password in an address is refused");
	ok(!strstr(why.message, "s3cret"), "and not repeated");
}

static const struct {
	const char *name, *after_ms, *after, *date;
	int64_t want_ms;
} waits[] = {
	{"nothing",				      NULL,   NULL,                            NULL,                            -1   },
	{"seconds",				      NULL,   "12",                            NULL,                            12000},
	{"zero",					 NULL,   "0",			     NULL,                            0    },
	{"decimal seconds",			      NULL,   "1.25",                          NULL,                            1250 },
	{"finer than a millisecond",                     NULL,   "0.0009",                        NULL,                            0    },
	{"white space",				  NULL,   " 3 ",                           NULL,                            3000 },
	{"milliseconds win",			     "250",  "7",                             NULL,                            250  },
	{"milliseconds with a fraction",                 "99.2", NULL,                            NULL,                            100  },
	{"zero milliseconds say nothing beside seconds", "0",    "1",                             NULL,                            1000 },
	{"and alone are zero",                           "0",    NULL,                            NULL,                            0    },
	{"bad milliseconds do not",                      "x",    "7",                             NULL,                            7000 },
	{"negative",				     NULL,   "-5",                            NULL,                            -1   },
	{"not a number",				 NULL,   "soon",                          NULL,                            -1   },
	{"a bare point",				 NULL,   ".5",                            NULL,                            -1   },
	{"junk behind the point",                        NULL,   "1.x",                           NULL,                            -1   },
	{"too long to be meant",                         NULL,   "99999999999999999999",          NULL,                            -1   },
	{"a date against the reply's own",               NULL,   "Wed, 25 Nov 2026 10:00:00 GMT",
         "Wed, 25 Nov 2026 09:59:30 GMT",											  30000},
	{"over the end of a month",                      NULL,   "Tue, 01 Dec 2026 00:00:00 GMT",
         "Mon, 30 Nov 2026 23:59:00 GMT",											  60000},
	{"over a leap day",			      NULL,   "Wed, 01 Mar 2028 00:00:00 GMT", "Mon, 28 Feb 2028 00:00:00 GMT",
         172800000														      },
	{"over the end of a year",                       NULL,   "Fri, 01 Jan 2027 00:00:05 GMT",
         "Thu, 31 Dec 2026 23:59:55 GMT",											  10000},
	{"a date that is past",                          NULL,   "Wed, 25 Nov 2026 10:00:00 GMT",
         "Wed, 25 Nov 2026 10:00:01 GMT",											  0    },
	{"a date without the reply's own",               NULL,   "Wed, 25 Nov 2026 10:00:00 GMT", NULL,                            -1   },
	{"a month that is none",                         NULL,   "Wed, 25 ovD 2026 10:00:00 GMT",
         "Wed, 25 Nov 2026 10:00:01 GMT",											  -1   },
	{"an hour that is none",                         NULL,   "Wed, 25 Nov 2026 25:00:00 GMT",
         "Wed, 25 Nov 2026 10:00:01 GMT",											  -1   },
	{"signs where digits are due",                   NULL,   "Wed, +5 Nov 2026 -1:00:00 GMT",
         "Wed, 25 Nov 2026 10:00:01 GMT",											  -1   },
};

static void test_waits(void)
{
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		struct http_header headers[3];
		struct http_head head = {429, headers, 0};
		if (waits[i].after)
			headers[head.n_headers++] =
				(struct http_header){SPAN("retry-after"), span_str(waits[i].after)};
		if (waits[i].after_ms)
			headers[head.n_headers++] = (struct http_header){
				SPAN("retry-after-ms"), span_str(waits[i].after_ms)};
		if (waits[i].date)
			headers[head.n_headers++] =
				(struct http_header){SPAN("date"), span_str(waits[i].date)};
		is_int(http_retry_after_ms(&head), waits[i].want_ms, "%s", waits[i].name);
	}
}

#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct span header, value;
	bool is_sound;
} headers_[] = {
	{"a plain header",          BYTES("content-type"),          BYTES("application/json"), true },
	{"an empty value",          BYTES("x"),                     BYTES(""),                 true },
	{"a tab",		   BYTES("x"),                     BYTES("a\tb"),             true },
	{"bytes beyond ASCII",      BYTES("x"),                     BYTES("\xc3\xa9"),         true },
	{"odd token characters",    BYTES("!#$%&'*+-.^_`|~09azAZ"), BYTES("x"),                true },
	{"a line feed",             BYTES("x"),                     BYTES("a\nb"),             false},
	{"a carriage return",       BYTES("x"),                     BYTES("a\r"),              false},
	{"a NUL",		   BYTES("x"),                     BYTES("a\0b"),             false},
	{"a delete",                BYTES("x"),                     BYTES("\x7f"),             false},
	{"no name",                 BYTES(""),                      BYTES("x"),                false},
	{"a colon in the name",     BYTES("a:"),                    BYTES("x"),                false},
	{"a space in the name",     BYTES("a b"),                   BYTES("x"),                false},
	{"a NUL in the name",       BYTES("a\0"),                   BYTES("x"),                false},
	{"a line feed in the name", BYTES("a\nb"),                  BYTES("x"),                false},
};

static void test_headers(void)
{
	for (size_t i = 0; i < COUNT_OF(headers_); i++)
		ok(http_header_is_sound(headers_[i].header, headers_[i].value) ==
				headers_[i].is_sound,
			"%s", headers_[i].name);

	struct http_request r = {.n_headers = 0};
	ok(!http_request_header(&r, SPAN("x"), SPAN("a\nb")), "an unsound header is not taken");
	is_uint(r.n_headers, (size_t)0, "nor half of it");
	for (size_t i = 0; i < COUNT_OF(r.headers); i++)
		ok(http_request_header(&r, SPAN("x"), SPAN("y")), "room for %zu", i + 1);
	ok(!http_request_header(&r, SPAN("x"), SPAN("y")), "and no more");

	struct http_header two[] = {
		{SPAN("date"), SPAN("1")},
                {SPAN("date"), SPAN("2")}
        };
	const struct http_head head = {200, two, 2};
	ok(span_is(http_head_get(&head, "date"), "1"), "the first of two");
	ok(!span_is_set(http_head_get(&head, "Date")), "names are in lower case");
	ok(!span_is_set(http_head_request_id(&head)), "without a name of the request");
	struct http_header ids[] = {
		{SPAN("cf-ray"),     SPAN("edge")},
                {SPAN("nvcf-reqid"), SPAN("own") }
        };
	const struct http_head named = {.headers = ids, .n_headers = COUNT_OF(ids)};
	ok(span_is(http_head_request_id(&named), "own"), "the provider's own before the edge's");
}

int main(void)
{
	test_urls();
	test_waits();
	test_headers();
	return tap_done();
}
