/* test_shown.c - where an app token is looked for, and what of a query goes on. */
#include "libllmclient/bridge/shown.h"
#include "tests/lib/tap.h"

#define T       "llmb_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ESCAPED "%6clmb%5F0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde%66"
#define T2      "llmb_fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static const struct {
	const char *name, *authorization, *x_api_key, *x_goog, *query, *want;
} rows[] = {
	{"nothing",		    NULL,               NULL,       NULL,   NULL,                    NULL},
	{"a bearer token",             "Bearer " T,        NULL,       NULL,   NULL,                    T   },
	{"in small letters, far away", "bearer   " T "  ", NULL,       NULL,   NULL,                    T   },
	{"another scheme",             "Basic " T,         NULL,       NULL,   NULL,                    NULL},
	{"no scheme",                  T,                  NULL,       NULL,   NULL,                    NULL},
	{"Anthropic's header",         NULL,               T,          NULL,   NULL,                    T   },
	{"Google's header",            NULL,               NULL,       T,      NULL,                    T   },
	{"Google's query",             NULL,               NULL,       NULL,   "alt=sse&key=" T "&x=1", T   },
	{"its name escaped",           NULL,               NULL,       NULL,   "%6bEy=" T,              T   },
	{"its value escaped",          NULL,               NULL,       NULL,   "key=" ESCAPED,          T   },
	{"another name",               NULL,               NULL,       NULL,   "keys=" T "&akey=" T,    NULL},
	{"a name alone",               NULL,               NULL,       NULL,   "key",                   NULL},
	{"others' keys",               "Bearer sk-1",      "sk-ant-1", "AIza", "key=AIza",              NULL},
	{"one among others' keys",     "Bearer sk-1",      "x",        T,      "key=AIza",              T   },
	{"two: the first",             "Bearer " T,        T2,         NULL,   NULL,                    T   },
	{"an empty bearer",            "Bearer ",          NULL,       NULL,   "",                      NULL},
};

static const struct {
	const char *name, *token;
	enum shown_kind want;
	/* clang-format off */
} tokens[] = {
	{"as it is made",          T,         SHOWN_TOKEN  },
	{"too short",              "llmb_00", SHOWN_UNSOUND},
	{"nothing behind",         "llmb_",   SHOWN_UNSOUND},
	{"too long",               T "0",     SHOWN_UNSOUND},
	{"in capitals",            "llmb_" "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", SHOWN_UNSOUND},
	{"with another character", "llmb_" "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", SHOWN_UNSOUND},
};
/* clang-format on */

static const struct {
	const char *query, *want;
} queries[] = {
	{"",			  ""		    },
	{"key=x",		     ""		    },
	{"a=1&key=x&b=2",             "a=1&b=2"             },
	{"KEY=x&%6bey=y&%6B%65%79=z", ""                    },
	{"a=1&key",                   "a=1"                 },
	{"key=" ESCAPED "&a=1",       "a=1"                 },
	{"keys=1&akey=2&k%=3&%",      "keys=1&akey=2&k%=3&%"},
	{"a=b=c&&d",                  "a=b=c&&d"            },
};

static struct span span_or_none(const char *s)
{
	return s ? span_str(s) : SPAN_NONE;
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct shown s = {span_or_none(rows[i].authorization),
			span_or_none(rows[i].x_api_key), span_or_none(rows[i].x_goog),
			span_or_none(rows[i].query)};
		char got[SHOWN_BYTES] = "";
		const enum shown_kind kind = shown_token(&s, got);
		is_int(kind, rows[i].want ? SHOWN_TOKEN : SHOWN_NOTHING, "%s: is there one",
			rows[i].name);
		is_str(got, rows[i].want ? rows[i].want : "", "%s", rows[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(tokens); i++) {
		OWNED(buf_done) struct buf query = BUF_INIT(1024);
		char got[SHOWN_BYTES];
		buf_print(&query, "key=%s", tokens[i].token);
		const struct shown header = {SPAN_NONE, span_str(tokens[i].token), SPAN_NONE,
					   SPAN_NONE},
				   key = {SPAN_NONE, SPAN_NONE, SPAN_NONE, buf_view(&query)};
		is_int(shown_token(&header, got), tokens[i].want, "%s", tokens[i].name);
		is_int(shown_token(&key, got), tokens[i].want, "%s, in a query", tokens[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(1024);
		shown_leave_out(span_str(queries[i].query), &out);
		is_mem(out.p, out.n, queries[i].want, strlen(queries[i].want), "of \"%s\"",
			queries[i].query);
	}
	return tap_done();
}
