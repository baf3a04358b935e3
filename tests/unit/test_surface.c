/* test_surface.c - what a relayed call may say of the HTTP request that it was. */
#include "protocol/surface.h"

#include "protocol/limits.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

#define CHAT "'surface': 'openai.chat'"

static const struct {
	const char *name, *json;
	enum err want;
	const char *param;
} rows[] = {
	{"a surface alone",              "{" CHAT "}",						     OK,                  ""          },
	{"a provider alone",             "{'provider': 'openai'}",                                         OK,                  ""          },
	{"neither",		      "{'path': '/v1'}",						ERR_INVALID_REQUEST, ""          },
	{"both",			 "{" CHAT ", 'provider': 'openai'}",                               ERR_INVALID_REQUEST, ""          },
	{"an empty one",                 "{'surface': ''}",						ERR_INVALID_REQUEST, "surface"   },
	{"no map",		       "'openai.chat'",						  ERR_INVALID_REQUEST, ""          },
	{"nil is absent",                "{" CHAT ", 'provider': null, 'headers': null}",                  OK,                  ""          },
	{"a member of a later version",  "{" CHAT ", 'later': [1, {'a': 2}]}",                             OK,                  ""          },
	{"a method",		     "{" CHAT ", 'method': 'DELETE'}",                                 OK,                  ""          },
	{"a method in lower case",       "{" CHAT ", 'method': 'get'}",                                    ERR_INVALID_REQUEST, "method"    },
	{"two lines in a method",        "{" CHAT ", 'method': 'GET\\r\\n'}",                              ERR_INVALID_REQUEST,
         "method"															   },
	{"a path",		       "{" CHAT ", 'path': '/v1/%2e%2e/x:y'}",                           OK,                  ""          },
	{"a path without its slash",     "{" CHAT ", 'path': 'v1'}",                                       ERR_INVALID_REQUEST, "path"      },
	{"an empty path",                "{" CHAT ", 'path': ''}",                                         ERR_INVALID_REQUEST, "path"      },
	{"a whole URL",                  "{" CHAT ", 'path': 'http://evil/'}",                             ERR_INVALID_REQUEST, "path"      },
	{"a path with a space",          "{" CHAT ", 'path': '/a HTTP/1.1'}",                              ERR_INVALID_REQUEST, "path"      },
	{"a path with a new line",       "{" CHAT ", 'path': '/a\\nb'}",                                   ERR_INVALID_REQUEST, "path"      },
	{"a path with NUL",              "{" CHAT ", 'path': '/a\\u0000b'}",                               ERR_INVALID_REQUEST, "path"      },
	{"a path with DEL",              "{" CHAT ", 'path': '/a\\u007f'}",                                ERR_INVALID_REQUEST, "path"      },
	{"a path with its query",        "{" CHAT ", 'path': '/a?b'}",                                     ERR_INVALID_REQUEST, "path"      },
	{"a path with a fragment",       "{" CHAT ", 'path': '/a#b'}",                                     ERR_INVALID_REQUEST, "path"      },
	{"a query",		      "{" CHAT ", 'query': 'alt=sse&b=?/'}",                            OK,                  ""          },
	{"an empty query",               "{" CHAT ", 'query': ''}",                                        OK,                  ""          },
	{"a query with a space",         "{" CHAT ", 'query': 'a b'}",                                     ERR_INVALID_REQUEST, "query"     },
	{"a query with CR",              "{" CHAT ", 'query': 'a\\r'}",                                    ERR_INVALID_REQUEST, "query"     },
	{"headers",		      "{" CHAT ", 'headers': [['anthropic-beta', 'a, b'], ['x', '']]}", OK,                  ""          },
	{"headers as a map",             "{" CHAT ", 'headers': {'a': 'b'}}",                              ERR_INVALID_REQUEST, "headers"   },
	{"a header of three",            "{" CHAT ", 'headers': [['a', 'b', 'c']]}",                       ERR_INVALID_REQUEST,
         "headers[0]"														       },
	{"a header with capitals",       "{" CHAT ", 'headers': [['a', 'b'], ['Host', 'c']]}",
         ERR_INVALID_REQUEST,												   "headers[1]"},
	{"a header without a name",      "{" CHAT ", 'headers': [['', 'b']]}",                             ERR_INVALID_REQUEST,
         "headers[0]"														       },
	{"a header's name with a colon", "{" CHAT ", 'headers': [['a:', 'b']]}",
         ERR_INVALID_REQUEST,												   "headers[0]"},
	{"a header that begins another", "{" CHAT ", 'headers': [['a', 'b\\r\\nhost: c']]}",
         ERR_INVALID_REQUEST,												   "headers[0]"},
	{"a header's value with NUL",    "{" CHAT ", 'headers': [['a', '\\u0000']]}",
         ERR_INVALID_REQUEST,												   "headers[0]"},
	{"a header's value with a tab",  "{" CHAT ", 'headers': [['a', 'b\\tc']]}",                        OK,                  ""          },
	{"a content type",               "{" CHAT ", 'content_type': 'application/json; charset=utf-8'}",  OK,                  ""          },
	{"a content type of two lines",  "{" CHAT ", 'content_type': 'a\\nb'}",                            ERR_INVALID_REQUEST,
         "content_type"														     },
};

static bool same(struct span a, struct span b)
{
	return span_is_set(a) == span_is_set(b) && span_eq(a, b);
}

int main(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	struct surface_call s;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fault why = FAULT_NONE;
		buf_clear(&b);
		packed_json(&b, rows[i].json);
		is_err(surface_unpack(pack_from(buf_view(&b)), &a, &s, &why), rows[i].want,
			"%s: %s", rows[i].name, why.message);
		is_str(why.param, rows[i].param, "its path");
	}

	struct string_pair headers[] = {
		{SPAN("a"), SPAN("1")},
                {SPAN("b"), SPAN("") }
        };
	const struct surface_call all = {SPAN("gemini.generate"), SPAN_NONE, SPAN("create"),
		SPAN("POST"), SPAN("/v1/models/m:generate"), SPAN("alt=sse"), headers, 2,
		SPAN("text/plain")};
	buf_clear(&b);
	surface_pack(&all, &b);
	is_err(surface_unpack(pack_from(buf_view(&b)), &a, &s, NULL), OK, "every member");
	ok(same(s.surface, all.surface) && same(s.provider, all.provider) && same(s.op, all.op) &&
			same(s.method, all.method) && same(s.path, all.path) &&
			same(s.query, all.query) && same(s.content_type, all.content_type),
		"comes back");
	ok(s.n_headers == 2 && same(s.headers[0].key, headers[0].key) &&
			same(s.headers[1].value, headers[1].value),
		"with its headers");
	return tap_done();
}
