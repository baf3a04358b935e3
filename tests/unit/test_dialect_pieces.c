/* test_dialect_pieces.c - the small parts that dialects are made of: arguments, names, media,
 * base64, lists of models, examples of schemas, and what a reply's framing is. */
#include <stdlib.h>

#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/framing.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/models.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/schema_example.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const struct {
	const char *text, *want;
	enum tool_args_kind kind;
} args[] = {
	{"{\"a\":1}",				   "{\"a\":1}",                                 TOOL_ARGS_OBJECT },
	{" { \"id\" : 9007199254740993 , \"x\":1.0 } ", "{ \"id\" : 9007199254740993 , \"x\":1.0 }",
         TOOL_ARGS_OBJECT											     },
	{"{\"e\":1e400,\"z\":-0}",                      "{\"e\":1e400,\"z\":-0}",                    TOOL_ARGS_OBJECT },
	{"{\"a\":1,\"A\":2}",                           "{\"a\":1,\"A\":2}",                         TOOL_ARGS_OBJECT },
	{"{\"a\":1,\"b\":2,\"a\":3}",                   "{\"a\":3,\"b\":2}",                         TOOL_ARGS_OBJECT },
	{"{\"a\":1,\"b\":{\"a\":4},\"a\":3,\"a\":[]}",  "{\"a\":[],\"b\":{\"a\":4}}",
         TOOL_ARGS_OBJECT											     },
	{"",					    "{}",					TOOL_ARGS_EMPTY  },
	{" \n",					 "{}",					TOOL_ARGS_EMPTY  },
	{"null",					"{}",					TOOL_ARGS_EMPTY  },
	{"[1,2]",				       "{\"value\":[1,2]}",                         TOOL_ARGS_WRAPPED},
	{"\"x\"",				       "{\"value\":\"x\"}",                         TOOL_ARGS_WRAPPED},
	{"7",					   "{\"value\":7}",                             TOOL_ARGS_WRAPPED},
	{"{\"a\":1,}",				  "{\"_raw\":\"{\\\"a\\\":1,}\"}",             TOOL_ARGS_RAW    },
	{"{\"a\"",				      "{\"_raw\":\"{\\\"a\\\"\"}",                 TOOL_ARGS_RAW    },
};

static void test_args(void)
{
	for (size_t i = 0; i < COUNT_OF(args); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		struct json_out o = json_to(&out);
		is_err(tool_args_put_object(&o, span_str(args[i].text)), args[i].kind,
			"the arguments %s", args[i].text);
		buf_byte(&out, '\0');
		is_str(out.p, args[i].want, "as an object");
	}
}

static const struct {
	const char *text;
	bool is_complete;
} extents[] = {
	{"{}",		    true },
	{"{\"a\":[1,{\"b\":2}]}", true },
	{"{\"a\":\"}\"}",         true },
	{"{\"a\":\"\\\"}\"}",     true },
	{" {} ",		  true },
	{"{",		     false},
	{"{\"a\":\"}",            false},
	{"{\"a\":{}",             false},
	{"",		      false},
	{"12",		    false},
	{"]",		     false},
	{"\"x\"",                 false},
};

static void test_extents(void)
{
	for (size_t i = 0; i < COUNT_OF(extents); i++) {
		struct json_extent whole = {.depth = 0}, apart = {.depth = 0};
		json_extent_add(&whole, span_str(extents[i].text));
		for (const char *c = extents[i].text; *c; c++)
			json_extent_add(&apart, span_of(c, 1));
		ok(whole.is_complete == extents[i].is_complete, "how far has %s come",
			extents[i].text);
		ok(apart.is_complete == whole.is_complete && apart.depth == whole.depth,
			"the same byte by byte");
	}
}

static void test_names(struct arena *a)
{
	char long_name[300];
	struct span got, again;
	is_err(name_legal(a, SPAN("get_weather-2"), 64, &got), OK, "a good name");
	ok(span_is(got, "get_weather-2"), "stays");
	is_err(name_legal(a, SPAN("my.tool"), 64, &got), OK, "a bad one");
	ok(span_starts(got, SPAN("my_tool_")) && got.n == 14, "gets another");
	is_err(name_legal(a, SPAN("my tool"), 64, &again), OK, "a similar one");
	ok(!span_eq(got, again), "gets yet another");
	is_err(name_legal(a, SPAN("my.tool"), 64, &again), OK, "the same once more");
	ok(span_eq(got, again), "gets the same");
	memset(long_name, 'x', sizeof long_name);
	is_err(name_legal(a, span_of(long_name, 65), 64, &got), OK, "one too long");
	is_uint(got.n, (size_t)64, "is cut");
	is_err(name_legal(a, span_of(long_name, 66), 64, &again), OK, "and a longer one");
	ok(!span_eq(got, again), "is not the same");
	is_err(name_legal(a, SPAN(""), 64, &got), OK, "an empty one");
	ok(got.n > 0, "is none");
	is_err(name_legal(a, SPAN("\xe5\xa4\xa9\xe6\xb0\x97"), 64, &got), OK, "no letters of ours");
	ok(span_starts(got, SPAN("_______")), "all replaced");
}

#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *text;
	struct span want;
	bool is_good;
} encoded[] = {
	{"aGVsbG8=",    BYTES("hello"),    true },
	{"aGVsbG8",     BYTES("hello"),    true },
	{"aGVs\nbG8 =", BYTES("hello"),    true },
	{"-_8=",        BYTES("\373\377"), true },
	{"+/8=",        BYTES("\373\377"), true },
	{"AA==",        BYTES("\0"),       true },
	{"AAAA",        BYTES("\0\0\0"),   true },
	{"",            BYTES(""),         true },
	{"a",           BYTES(""),         false},
	{"aGVsb",       BYTES(""),         false},
	{"aG!s",        BYTES(""),         false},
	{"aG=sbG8=",    BYTES(""),         false},
};

static void test_base64(void)
{
	for (size_t i = 0; i < COUNT_OF(encoded); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		ok(base64_decode(span_str(encoded[i].text), &out) == encoded[i].is_good,
			"base64 \"%s\"", encoded[i].text);
		if (encoded[i].is_good)
			is_mem(out.p, out.n, encoded[i].want.p, encoded[i].want.n, "its bytes");
	}
	OWNED(buf_done) struct buf small = BUF_INIT(4);
	ok(!base64_decode(SPAN("aGVsbG8gd29ybGQ="), &small), "no more than there is room for");
}

static const struct {
	const char *url, *mime, *want_mime;
	struct span want_data; /* absent: it stays an address */
	enum err err;
} media[] = {
	{"https://example.org/a.png",                  NULL,     NULL,         {NULL, 0},               OK                 },
	{"data:image/jpg;base64,AA==",                 NULL,     "image/jpeg", BYTES("\0"),             OK                 },
	{"data:text/plain,hi%20there",                 NULL,     "text/plain", BYTES("hi there"),       OK                 },
	{"DATA:text/plain;charset=utf-8;BASE64, aGk=", NULL,     "text/plain", BYTES("hi"),             OK                 },
	{"data:image/png;base64,/9j/AA==",             NULL,     "image/jpeg", BYTES("\377\330\377\0"), OK                 },
	{"data:,100%",				 "text/x", "text/x",     BYTES("100%"),           OK                 },
	{"data:,%4",				   "text/x", "text/x",     BYTES("%4"),             OK                 },
	{"data:image/png;base64",                      NULL,     NULL,         {NULL, 0},               ERR_INVALID_REQUEST},
	{"data:image/png;base64,!!",                   NULL,     NULL,         {NULL, 0},               ERR_INVALID_REQUEST},
};

static void test_media(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(media); i++) {
		struct media m = {.url = span_str(media[i].url), .mime = span_str(media[i].mime)};
		is_err(media_resolve(a, &m), media[i].err, "%s", media[i].url);
		if (media[i].err)
			continue;
		is_mem(m.data.p, m.data.n, media[i].want_data.p, media[i].want_data.n, "its bytes");
		ok(span_is_set(m.url) == !media[i].want_data.p, "an address or bytes, not both");
		if (media[i].want_mime)
			ok(span_is(m.mime, media[i].want_mime), "its type is %.*s",
				SPAN_ARG(m.mime));
	}
	struct media told = {.data = SPAN("GIF89a"), .mime = SPAN("image/png")};
	is_err(media_resolve(a, &told), OK, "bytes that are something else than declared");
	ok(span_is(told.mime, "image/gif"), "are believed");
	ok(!span_is_set(media_type_of(SPAN("x"))), "few bytes say nothing");
	ok(span_is(media_type_of(SPAN("RIFF....WAVE")), "audio/wav"), "but a WAV does");
}

static const struct {
	const char *body, *want; /* joined by spaces; NULL: no list */
	const char *more;
} lists[] = {
	{"{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"b\",\"created\":1}]}",            "a b ",
         NULL													      },
	{"[{\"id\":\"a\"},{\"id\":\"b\"}]",							 "a b ",      NULL      },
	{"{\"models\":[{\"name\":\"a\"},{\"id\":\"b\",\"name\":\"c\"}]}",                           "a b ",      NULL      },
	{"{\"data\":[{\"type\":\"model\",\"id\":\"claude-x\"}],\"has_more\":false,\"last_id\":"
	 "\"claude-x\"}",								  "claude-x ", NULL      },
	{"{\"data\":[{\"type\":\"model\",\"id\":\"claude-x\"}],\"has_more\":true,\"last_id\":"
	 "\"claude-x\"}",								  "claude-x ", "claude-x"},
	{"{\"data\":[],\"has_more\":true,\"last_id\":null}",                                        "",          NULL      },
	{"{\"models\":[{\"name\":\"models/g\"}],\"nextPageToken\":\"a\\u002fb\"}",                  "g ",        "a/b"     },
	{"{\"models\":[{\"name\":\"models/g\"}],\"nextPageToken\":7}",                              "g ",        NULL      },
	{"{\"data\":[]}",									   "",          NULL      },
	{"{\"data\":[{},{\"id\":null},{\"id\":\"\"},7,\"a\"]}",                                     "a ",        NULL      },
	{"{\"models\":[{\"name\":\"command\",\"endpoints\":[\"chat\"]}],\"next_page_token\":\"\"}",
         "command ",											     NULL      },
	{"{\"models\":[{\"name\":\"command\"}],\"next_page_token\":\"p2\"}",                        "command ",  "p2"      },
	{"{\"models\":[{\"name\":\"qwen3:8b\",\"model\":\"qwen3:8b\",\"size\":1}]}",                "qwen3:8b ",
         NULL													      },
	{"{\"data\":{}}",									   NULL,        NULL      },
	{"{\"error\":{\"message\":\"no\"}}",							NULL,        NULL      },
	{"<html>",										  NULL,        NULL      },
	{"",											NULL,        NULL      },
};

static enum err join_id(void *context, const struct llm_event *e)
{
	struct buf *joined = context;
	if (e->type != EV_MODEL)
		return OK;
	buf_span(joined, e->model.id);
	buf_byte(joined, ' ');
	return OK;
}

static void test_lists(struct arena *a)
{
	const struct dialect_env env = {.wall_s = 1795305600};
	const struct http_head head = {.status = 200};
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		OWNED(buf_done) struct buf joined = BUF_INIT(4096);
		const struct event_sink sink = {join_id, &joined};
		struct fault why = FAULT_NONE;
		struct notes notes;
		notes_init(&notes, a);
		struct decoder *d = models_op.decoder_new(a, &notes, &env, &head);
		enum err err = models_op.decode(d, span_str(lists[i].body), &sink, &why);
		if (!err)
			err = models_op.decode_end(d, &sink, &why);
		const struct span more = models_op.more(d);
		ok(!err == (lists[i].want != NULL), "models of %s", lists[i].body);
		ok(span_is(more, lists[i].more), "whether there are more");
		models_op.decoder_done(d);
		if (!lists[i].want) {
			ok(why.message[0] != '\0', "a sentence says why");
			continue;
		}
		buf_byte(&joined, '\0');
		is_str(joined.p, lists[i].want, "their names");
	}
}

/* What a page of the list is asked for by. */
static const struct {
	const char *family, *base, *ops, *page, *want;
} pages[] = {
	{"anthropic",   "https://a.test",                  NULL,                 NULL,       "https://a.test/v1/models?limit=1000"    },
	{"anthropic",   "https://a.test",                  NULL,                 "claude x",
         "https://a.test/v1/models?limit=1000&after_id=claude%20x"                                                                    },
	{"gemini",      "https://a.test",                  NULL,                 "a/b=&",
         "https://a.test/v1beta/models?pageSize=1000&pageToken=a%2Fb%3D%26"                                                           },
	{"cohere",      "https://a.test/v2",               NULL,                 NULL,       "https://a.test/v1/models?page_size=1000"},
	{"cohere",      "https://a.test/v2",               NULL,                 "p2",
         "https://a.test/v1/models?page_size=1000&page_token=p2"                                                                      },
	{"openai-chat", "https://a.test/v1",               NULL,                 "gpt",      "https://a.test/v1/models?after=gpt"     },
	{"openai-chat", "https://a.test/v1?api-version=1", NULL,                 "gpt",
         "https://a.test/v1/models?api-version=1&after=gpt"									   },
	{"openai-chat", "https://a.test/v1",               "chat,models://list", "gpt",
         "https://a.test/list?after=gpt"											      },
};

static void test_pages(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		const struct target t = {.family = span_str(pages[i].family),
			.base_url = span_str(pages[i].base),
			.quirks = {.ops = span_str(pages[i].ops)}};
		const struct dialect_env env = {.page = span_str(pages[i].page)};
		const struct llm_request r = {.is_stream = false};
		struct http_request http = {.n_headers = 0};
		struct notes notes;
		notes_init(&notes, a);
		is_err(models_op.encode_request(&r, &t, &env, &notes, &http, NULL), OK, "encoded");
		is_mem(http.url.p, http.url.n, pages[i].want, strlen(pages[i].want), "a page of %s",
			pages[i].family);
	}
}

static const struct {
	const char *schema, *want;
} examples[] = {
	{"{}",										"{}"		      },
	{"{\"type\":\"string\"}",							     "\"\""                    },
	{"{\"type\":\"string\",\"minLength\":3}",                                             "\"xxx\""                 },
	{"{\"type\":\"string\",\"minLength\":100000}",
         "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""                                         },
	{"{\"type\":\"string\",\"format\":\"date-time\"}",                                    "\"2000-01-01T00:00:00Z\""},
	{"{\"enum\":[\"b\",\"a\"]}",							  "\"b\""                   },
	{"{\"const\":{\"x\":1.0}}",							   "{\"x\":1.0}"             },
	{"{\"type\":\"integer\",\"minimum\":3}",                                              "3"                       },
	{"{\"type\":\"integer\",\"minimum\":2.5}",                                            "3"                       },
	{"{\"type\":\"integer\",\"exclusiveMinimum\":3}",                                     "4"                       },
	{"{\"type\":\"number\",\"minimum\":2.5}",                                             "2.5"                     },
	{"{\"type\":\"number\",\"maximum\":-2.5}",                                            "-3"                      },
	{"{\"type\":\"number\",\"exclusiveMaximum\":0}",                                      "-1"                      },
	{"{\"type\":\"number\",\"minimum\":1e300}",                                           "0"                       },
	{"{\"type\":\"boolean\"}",							    "false"                   },
	{"{\"type\":[\"null\",\"string\"]}",						  "null"                    },
	{"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2}",              "[0,0]"                   },
	{"{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2}],\"minItems\":3}",
         "[1,2,null]"												   },
	{"{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"string\"}]}",                        "false"                   },
	{"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"const\":5}}}",                     "5"                       },
	{"{\"$ref\":\"#/nowhere\"}",							  "null"                    },
	{"{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{}},\"required\":[\"a\"]}",
         "{\"a\":\"\"}"												 },
	{"{\"properties\":{\"q\\\"\":{\"const\":1}},\"required\":[\"q\\\"\"]}",               "{\"q\\\"\":1}"           },
};

static void test_examples(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(examples); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(65536);
		struct json_out o = json_to(&out);
		struct json schema, v;
		struct fault why;
		if (json_scan(span_str(examples[i].schema), JSON_STRICT, &schema, &why))
			bail("%s: %s", examples[i].schema, why.message);
		schema_example(schema, a, &o);
		is_mem(out.p, out.n, examples[i].want, strlen(examples[i].want), "what fits %s",
			examples[i].schema);
		is_err(json_scan(buf_view(&out), JSON_STRICT, &v, NULL), OK, "and is JSON");
	}
	/* a schema that is its own part */
	OWNED(buf_done) struct buf out = BUF_INIT(65536);
	struct json_out o = json_to(&out);
	const struct json loop =
		json_of(SPAN("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}"
			     "},\"required\":[\"a\"]}"));
	schema_example(loop, a, &o);
	ok(out.n > 0 && out.n < 1000, "a loop comes to an end");
}

static const struct {
	const char *type, *body;
	enum framing_kind want;
} framings[] = {
	{"text/event-stream",                "data: x\n\n",            FRAMING_EVENTS  },
	{"text/event-stream; charset=utf-8", ": hi\n",                 FRAMING_EVENTS  },
	{"text/event-stream",                "{\"error\":1}",          FRAMING_DOCUMENT},
	{"text/event-stream",                "\xef\xbb\xbf",           FRAMING_EVENTS  },
	{"Text/Event-Stream",                "x",                      FRAMING_EVENTS  },
	{"application/json",                 "{}",                     FRAMING_DOCUMENT},
	{"application/json; charset=utf-8",  "\n\n {}",                FRAMING_DOCUMENT},
	{"application/json",                 "data: x\n\n",            FRAMING_EVENTS  },
	{"application/json",                 "<html>",                 FRAMING_DOCUMENT},
	{NULL,			       "{}",		     FRAMING_DOCUMENT},
	{NULL,			       "[]",		     FRAMING_DOCUMENT},
	{NULL,			       "event: x\n",             FRAMING_EVENTS  },
	{NULL,			       "\r\n: x\n",              FRAMING_EVENTS  },
	{NULL,			       "\xef\xbb\xbf",           FRAMING_UNKNOWN },
	{NULL,			       "\xef\xbb\xbf{}",         FRAMING_DOCUMENT},
	{NULL,			       "\xef\xbb\xbf: x\n",      FRAMING_EVENTS  },
	{"application/json",                 "\xef\xbb\xbf data: x\n", FRAMING_EVENTS  },
	{NULL,			       "<html>",                 FRAMING_DOCUMENT},
	{"text/plain",		       "no",                     FRAMING_DOCUMENT},
	{NULL,			       " \n",                    FRAMING_UNKNOWN },
	{NULL,			       "",		       FRAMING_UNKNOWN },
};

static enum err pass_event(void *context, struct span name, struct span data, struct fault *why)
{
	(void)context;
	(void)name;
	(void)data;
	(void)why;
	return OK;
}

static enum err pass_document(void *context, struct span body, struct fault *why)
{
	(void)why;
	*(size_t *)context += body.n;
	return OK;
}

static void test_framings(void)
{
	size_t taken = 0;
	const struct framing_sink sink = {
		{pass_event, &taken},
                pass_document
        };
	for (size_t i = 0; i < COUNT_OF(framings); i++) {
		struct http_header header = {SPAN("content-type"), span_str(framings[i].type)};
		const struct http_head head = {200, &header, framings[i].type ? 1 : 0};
		OWNED(framing_done) struct framing f;
		framing_init(&f, &head);
		for (const char *c = framings[i].body; *c; c++) {
			if (framing_feed(&f, span_of(c, 1), &sink, NULL))
				bail("a byte was refused");
		}
		is_err(f.kind, framings[i].want, "%s, \"%s\"",
			framings[i].type ? framings[i].type : "no type", framings[i].body);
	}

	OWNED(framing_done) struct framing f;
	struct fault why;
	char *mib = calloc(1, MIB);
	enum err err = OK;
	framing_init(&f, &(struct http_head){.status = 200});
	memset(mib, '[', MIB);
	for (size_t fed = 0; !err && fed <= LIMIT_REPLY_BYTES; fed += MIB)
		err = framing_feed(&f, span_of(mib, MIB), &sink, &why);
	is_err(err, ERR_SERVER_ERROR, "a document over its limit is the provider's fault");
	ok(strstr(why.message, "32 MiB"), "the sentence has the limit");
	free(mib);
}

int main(void)
{
	struct arena a;
	arena_init(&a, 16 * MIB);
	test_args();
	test_extents();
	test_names(&a);
	test_base64();
	test_media(&a);
	test_lists(&a);
	test_pages(&a);
	test_examples(&a);
	test_framings();
	arena_done(&a);
	return tap_done();
}
