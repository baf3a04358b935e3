/* test_control.c - hello and welcome, calls, pieces, credit and farewell. */
#include "protocol/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

static bool same(struct span a, struct span b)
{
	return span_is_set(a) == span_is_set(b) && span_eq(a, b);
}

enum body { HELLO, WELCOME, CALL, DATA, CREDIT, GOAWAY };

static enum err unpack(enum body body, struct span packed, struct arena *a, struct fault *why)
{
	struct hello hello;
	struct welcome welcome;
	struct call call;
	struct data data;
	struct goaway goaway;
	int64_t bytes;
	const struct pack_in in = pack_from(packed);
	switch (body) {
	case HELLO:
		return hello_unpack(in, a, &hello, why);
	case WELCOME:
		return welcome_unpack(in, a, &welcome, why);
	case CALL:
		return call_unpack(in, a, &call, why);
	case DATA:
		return data_unpack(in, &data, why);
	case CREDIT:
		return credit_unpack(in, &bytes, why);
	case GOAWAY:
		return goaway_unpack(in, &goaway, why);
	}
	return ERR_INTERNAL;
}

#define ONE     "'min': 1, 'max': 1"
#define NEED    "{" ONE ", 'features': {'need': "
#define VERSION "'version': 1"
#define GRANTS  ", 'credit': 0, 'max_body_bytes': 1"
#define ASK     "'kind': 'typed', 'op': 'chat'"

static const struct {
	const char *name;
	enum body body;
	const char *json;
	enum err want;
	const char *param;
} rows[] = {
	{"the least hello",                HELLO,   "{" ONE "}",						      OK,                  ""                  },
	{"a range around ours",            HELLO,   "{'min': 0, 'max': 9}",                                           OK,                  ""                  },
	{"all of them",                    HELLO,   "{" ONE ", 'features': {'want': ['x'], 'need': []}, 'app': 'a'}", OK,
         ""																		    },
	{"a member of a later version",    HELLO,   "{" ONE ", 'later': {'a': []}}",                                  OK,                  ""                  },
	{"one inside features",            HELLO,   "{" ONE ", 'features': {'like': ['x']}}",                         OK,                  ""                  },
	{"no map",			 HELLO,   "[1, 1]",							 ERR_MALFORMED,       ""                  },
	{"no versions",                    HELLO,   "{}",							     ERR_MALFORMED,       "min"               },
	{"half a range",                   HELLO,   "{'min': 1}",						     ERR_MALFORMED,       "max"               },
	{"a version that is a str",        HELLO,   "{'min': '1', 'max': 1}",                                         ERR_MALFORMED,       "min"               },
	{"a range the wrong way round",    HELLO,   "{'min': 2, 'max': 1}",                                           ERR_MALFORMED,       "min"               },
	{"a version below 0",              HELLO,   "{'min': -1, 'max': 1}",                                          ERR_MALFORMED,       "min"               },
	{"too new",			HELLO,   "{'min': 2, 'max': 3}",                                           ERR_VERSION,         ""                  },
	{"too old",			HELLO,   "{'min': 0, 'max': 0}",                                           ERR_VERSION,         ""                  },
	{"a feature that must be",         HELLO,   NEED "['telepathy']}}",                                           ERR_UNSUPPORTED,     ""                  },
	{"a feature that is a number",     HELLO,   NEED "[1]}}",                                                     ERR_MALFORMED,       "features.need[0]"  },
	{"an empty feature",               HELLO,   NEED "['']}}",						    ERR_MALFORMED,       "features.need[0]"  },
	{"features that are a list",       HELLO,   "{" ONE ", 'features': []}",                                      ERR_MALFORMED,       "features"          },
	{"an app without a name",          HELLO,   "{" ONE ", 'app': ''}",                                           ERR_MALFORMED,       "app"               },

	{"the least welcome",              WELCOME, "{" VERSION GRANTS "}",                                           OK,                  ""                  },
	{"another version",                WELCOME, "{'version': 2" GRANTS "}",                                       ERR_VERSION,         ""                  },
	{"no version",                     WELCOME, "{'x': 1" GRANTS "}",                                             ERR_MALFORMED,       "version"           },
	{"no credit",		      WELCOME, "{" VERSION ", 'max_body_bytes': 1}",                             ERR_MALFORMED,       "credit"            },
	{"no ceiling",                     WELCOME, "{" VERSION ", 'credit': 1}",                                     ERR_MALFORMED,       "max_body_bytes"    },
	{"a credit below 0",               WELCOME, "{" VERSION ", 'credit': -1, 'max_body_bytes': 1}",
         ERR_MALFORMED,														    "credit"            },
	{"an identity that is no JSON",    WELCOME, "{" VERSION GRANTS ", 'identity': 'me'}",
         ERR_MALFORMED,														    "identity"          },

	{"the least call",                 CALL,    "{" ASK "}",						      OK,                  ""                  },
	{"members in any order",           CALL,    "{'op': 'chat', 'kind': 'typed'}",                                OK,                  ""                  },
	{"a member of a later version",    CALL,    "{" ASK ", 'later': 1}",                                          OK,                  ""                  },
	{"an admin call",                  CALL,    "{'kind': 'admin', 'op': 'key.list', 'body': '{}'}",              OK,                  ""                  },
	{"a relay",			CALL,    "{'kind': 'relay', 'surface': {'surface': 'openai.chat'}}",       OK,                  ""                  },
	{"a native call",                  CALL,    "{'kind': 'native', 'surface': {'provider': 'openai'}}",          OK,                  ""                  },
	{"no map",			 CALL,    "'chat'",							 ERR_INVALID_REQUEST, ""                  },
	{"no kind",			CALL,    "{'op': 'chat'}",						 ERR_INVALID_REQUEST, "kind"              },
	{"a kind of a later version",      CALL,    "{'kind': 'dream', 'op': 'chat'}",                                ERR_UNSUPPORTED,
         "kind"																		},
	{"a kind that is a number",        CALL,    "{'kind': 1, 'op': 'chat'}",                                      ERR_INVALID_REQUEST, "kind"              },
	{"no operation",                   CALL,    "{'kind': 'typed'}",                                              ERR_INVALID_REQUEST, "op"                },
	{"an admin call without one",      CALL,    "{'kind': 'admin'}",                                              ERR_INVALID_REQUEST, "op"                },
	{"one of a later version",         CALL,    "{'kind': 'typed', 'op': 'sing'}",                                ERR_UNSUPPORTED,     "op"                },
	{"a relay with one",               CALL,    "{'kind': 'relay', 'op': 'chat', 'surface': {'surface': 'x'}}",
         ERR_INVALID_REQUEST,													      "op"                },
	{"a relay of nothing",             CALL,    "{'kind': 'relay'}",                                              ERR_INVALID_REQUEST, "surface"           },
	{"a relay to a provider",          CALL,    "{'kind': 'relay', 'surface': {'provider': 'x'}}",
         ERR_INVALID_REQUEST,													      "surface"           },
	{"a native call to a surface",     CALL,    "{'kind': 'native', 'surface': {'surface': 'x'}}",
         ERR_INVALID_REQUEST,													      "surface"           },
	{"a typed call with a surface",    CALL,    "{" ASK ", 'surface': {'surface': 'x'}}",
         ERR_INVALID_REQUEST,													      "surface"           },
	{"a path inside the surface",      CALL,
         "{'kind': 'native', 'surface': {'provider': 'x', 'path': 'y'}}",					     ERR_INVALID_REQUEST, "surface.path"      },
	{"a header inside the surface",    CALL,
         "{'kind': 'native', 'surface': {'provider': 'x', 'headers': [['A', '']]}}",				  ERR_INVALID_REQUEST, "surface.headers[0]"},
	{"a body twice",                   CALL,    "{" ASK ", 'body': 'bin:', 'body_bytes': 0}",                     ERR_INVALID_REQUEST,
         "body_bytes"																	  },
	{"a body below 0",                 CALL,    "{" ASK ", 'body_bytes': -1}",                                    ERR_INVALID_REQUEST, "body_bytes"        },
	{"the largest body",               CALL,    "{" ASK ", 'body_bytes': 67108864}",                              OK,                  ""                  },
	{"a larger one",                   CALL,    "{" ASK ", 'body_bytes': 67108865}",                              ERR_TOO_BIG,         "body_bytes"        },
	{"no credit at all",               CALL,    "{" ASK ", 'credit': 0}",                                         OK,                  ""                  },
	{"the most credit",                CALL,    "{" ASK ", 'credit': 67108864}",                                  OK,                  ""                  },
	{"more",			   CALL,    "{" ASK ", 'credit': 67108865}",                                  ERR_TOO_BIG,         "credit"            },
	{"a time below 0",                 CALL,    "{" ASK ", 'timeout_ms': -1}",                                    ERR_INVALID_REQUEST, "timeout_ms"        },
	{"a cost below 0",                 CALL,    "{" ASK ", 'max_cost_nusd': -1}",                                 ERR_INVALID_REQUEST,
         "max_cost_nusd"																       },
	{"tags that are empty",            CALL,    "{" ASK ", 'tags': ['a', '']}",                                   ERR_INVALID_REQUEST,
         "tags[1]"																	     },
	{"on behalf of nobody",            CALL,    "{" ASK ", 'behalf': {}}",                                        OK,                  ""                  },
	{"a token",			CALL,    "{" ASK ", 'behalf': {'token': 't', 'label': 'l', 'fd': 0}}",     OK,                  ""                  },
	{"an empty token",                 CALL,    "{" ASK ", 'behalf': {'token': ''}}",                             ERR_INVALID_REQUEST,
         "behalf.token"																	},
	{"a descriptor below 0",           CALL,    "{" ASK ", 'behalf': {'fd': -1}}",                                ERR_INVALID_REQUEST,
         "behalf.fd"																	   },
	{"a narrowing of a later version", CALL,    "{" ASK ", 'behalf': {'models': ['x']}}",
         ERR_UNSUPPORTED,														  "behalf.models"     },

	{"a piece",			DATA,    "{'d': 'bin:x'}",						 OK,                  ""                  },
	{"an empty piece",                 DATA,    "{'d': 'bin:', 'last': true}",                                    OK,                  ""                  },
	{"a piece of text",                DATA,    "{'d': 'x', 'later': 1}",                                         OK,                  ""                  },
	{"no piece",		       DATA,    "{'last': true}",						 ERR_MALFORMED,       "d"                 },
	{"a piece that is a number",       DATA,    "{'d': 1}",						       ERR_MALFORMED,       "d"                 },
	{"last that is a number",          DATA,    "{'d': 'x', 'last': 1}",                                          ERR_MALFORMED,       "last"              },

	{"a byte of credit",               CREDIT,  "{'bytes': 1}",                                                   OK,                  ""                  },
	{"as much as may be",              CREDIT,  "{'bytes': 67108864}",                                            OK,                  ""                  },
	{"more",			   CREDIT,  "{'bytes': 67108865}",                                            ERR_TOO_BIG,         "bytes"             },
	{"none",			   CREDIT,  "{'bytes': 0}",						   ERR_MALFORMED,       "bytes"             },
	{"less than none",                 CREDIT,  "{'bytes': -1}",                                                  ERR_MALFORMED,       "bytes"             },
	{"not said",		       CREDIT,  "{}",							     ERR_MALFORMED,       "bytes"             },

	{"a farewell without words",       GOAWAY,  "{}",							     OK,                  ""                  },
	{"one with a reason",              GOAWAY,  "{'reason': 'drain', 'grace_ms': 0}",                             OK,                  ""                  },
	{"a grace below 0",                GOAWAY,  "{'grace_ms': -1}",                                               ERR_MALFORMED,       "grace_ms"          },
	{"a reason that is none",          GOAWAY,  "{'reason': 1}",                                                  ERR_MALFORMED,       "reason"            },
};

static void test_rows(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fault why = FAULT_NONE;
		buf_clear(&b);
		packed_json(&b, rows[i].json);
		is_err(unpack(rows[i].body, buf_view(&b), &a, &why), rows[i].want, "%s: %s",
			rows[i].name, why.message);
		is_str(why.param, rows[i].param, "its path");
		ok((why.message[0] != '\0') == (rows[i].want != OK), "its sentence");
		int taken = 0;
		for (size_t cut = 0; cut < b.n; cut++)
			taken +=
				unpack(rows[i].body, span_first(buf_view(&b), cut), &a, NULL) == OK;
		is_int(taken, 0, "cut, it is never taken");
	}
}

static void test_sentences(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	struct hello h;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	packed_json(&b, "{'min': 3, 'max': 7}");
	is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h, &why), ERR_VERSION, "too new");
	ok(strstr(why.message, "3 to 7") && strstr(why.message, "1 to 1") &&
			strstr(why.message, "update the broker"),
		"names both ranges, and whom to update: %s", why.message);
	buf_clear(&b);
	packed_json(&b, "{'min': 0, 'max': 0}");
	is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h, &why), ERR_VERSION, "too old");
	ok(strstr(why.message, "update the client"), "the other one: %s", why.message);
	buf_clear(&b);
	packed_json(&b, "{'min': 1, 'max': 1, 'features': {'need': ['telepathy']}}");
	is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h, &why), ERR_UNSUPPORTED, "a feature");
	ok(strstr(why.message, "\"telepathy\""), "is named: %s", why.message);
}

static void test_there_and_back(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	arena_init(&a, LIMIT_REQUEST_ARENA);

	struct span names[] = {SPAN("a"), SPAN("b")};
	const struct hello h = {
		1, 4, {names, 2},
                  {NULL,  0},
                  SPAN("lib 1"), SPAN("app")
        };
	struct hello h2;
	hello_pack(&h, &b);
	is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h2, NULL), OK, "hello");
	ok(h2.version_min == 1 && h2.version_max == 4 && h2.optional.n == 2 &&
			same(h2.optional.names[1], names[1]) && h2.critical.n == 0 &&
			same(h2.client, h.client) && same(h2.app_name, h.app_name),
		"comes back");
	const struct hello needy = {
		1, 4, {NULL,  0},
                  {names, 2},
                  SPAN_NONE, SPAN_NONE
        };
	buf_clear(&b);
	hello_pack(&needy, &b);
	is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h2, NULL), ERR_UNSUPPORTED, "a need");
	ok(h2.critical.n == 2 && h2.optional.n == 0, "comes as a need");

	const struct welcome w = {
		1, {names, 1},
                 SPAN("llm-brokerd 0.1.0"), SPAN("{\"uid\": 1}"), 5, 9
        };
	struct welcome w2;
	buf_clear(&b);
	welcome_pack(&w, &b);
	is_err(welcome_unpack(pack_from(buf_view(&b)), &a, &w2, NULL), OK, "welcome");
	ok(w2.version == 1 && w2.features.n == 1 && same(w2.features.names[0], names[0]) &&
			same(w2.broker, w.broker) && same(w2.identity, w.identity) &&
			w2.credit_bytes == 5 && w2.max_body_bytes == 9,
		"comes back");

	struct call c = CALL_INIT, c2;
	buf_clear(&b);
	call_pack(&c, &b);
	is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, NULL), OK, "the least call");
	ok(c2.kind == CALL_TYPED && c2.op == LLM_OP_CHAT && !span_is_set(c2.admin_op) &&
			!span_is_set(c2.body) && c2.body_bytes == -1 &&
			c2.credit_bytes == (int64_t)LIMIT_CREDIT_BYTES && c2.timeout_ms == 0 &&
			c2.max_cost_nusd == -1 && c2.behalf.fd_index == -1 && c2.n_tags == 0 &&
			!c2.is_batch && !c2.is_at_most_once,
		"has the defaults");
	for (int op = 0; op < LLM_OP_COUNT_OF; op++) {
		c.op = (enum llm_op)op;
		buf_clear(&b);
		call_pack(&c, &b);
		is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, NULL), OK, "operation %d", op);
		is_int(c2.op, op, "comes back");
	}
	c.kind = CALL_RELAY;
	c.surface = (struct surface_call){.surface = SPAN("openai.chat"), .path = SPAN("/v1")};
	c.behalf = (struct on_behalf){SPAN("token"), SPAN("who"), 3};
	c.body_bytes = 0;
	c.credit_bytes = 0;
	c.timeout_ms = 1;
	c.max_cost_nusd = 0;
	c.is_batch = c.is_at_most_once = true;
	c.idempotency_key = SPAN("key");
	c.tags = names;
	c.n_tags = 2;
	c.fallbacks = names + 1;
	c.n_fallbacks = 1;
	c.session = SPAN("conversation 7");
	c.cache = (struct cache_terms){CACHE_REFRESH, 0, 60, 30, SPAN("apart")};
	buf_clear(&b);
	call_pack(&c, &b);
	is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, NULL), OK, "a call with everything");
	ok(c2.kind == CALL_RELAY && same(c2.surface.surface, c.surface.surface) &&
			same(c2.surface.path, c.surface.path) &&
			same(c2.behalf.token, c.behalf.token) &&
			same(c2.behalf.label, c.behalf.label) && c2.behalf.fd_index == 3 &&
			c2.body_bytes == 0 && c2.credit_bytes == 0 && c2.timeout_ms == 1 &&
			c2.max_cost_nusd == 0 && c2.is_batch && c2.is_at_most_once &&
			same(c2.idempotency_key, c.idempotency_key) && c2.n_tags == 2 &&
			same(c2.tags[1], names[1]) && c2.n_fallbacks == 1 &&
			same(c2.fallbacks[0], names[1]) && same(c2.session, c.session),
		"comes back");
	ok(c2.cache.wish == CACHE_REFRESH && c2.cache.max_age_s == 0 && c2.cache.ttl_s == 60 &&
			c2.cache.stale_s == 30 && same(c2.cache.name_space, c.cache.name_space),
		"and how far its answer may be one that was kept");
	int early = 0;
	for (size_t room = 0; room < 4096; room += 16) {
		OWNED(arena_done) struct arena small;
		arena_init(&small, room);
		const enum err err = call_unpack(pack_from(buf_view(&b)), &small, &c2, NULL);
		if (err == OK)
			break;
		early++;
		if (err != ERR_NO_MEMORY)
			ok(false, "in %zu bytes: %d", room, err);
	}
	ok(early > 0, "%d arenas were too small", early);

	c = CALL_INIT;
	c.kind = CALL_ADMIN;
	c.admin_op = SPAN("vault.lock");
	c.body = SPAN("");
	buf_clear(&b);
	call_pack(&c, &b);
	is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, NULL), OK, "an admin call");
	ok(c2.kind == CALL_ADMIN && same(c2.admin_op, c.admin_op) && same(c2.body, c.body),
		"comes back, its body empty and not absent");

	struct data d = {span_of("\0\xff", 2), true}, d2;
	buf_clear(&b);
	data_pack(&d, &b);
	is_err(data_unpack(pack_from(buf_view(&b)), &d2, NULL), OK, "data");
	ok(same(d.bytes, d2.bytes) && d2.is_last, "comes back");

	int64_t bytes = 0;
	buf_clear(&b);
	credit_pack(262144, &b);
	is_err(credit_unpack(pack_from(buf_view(&b)), &bytes, NULL), OK, "credit");
	is_int(bytes, 262144, "comes back");

	const struct goaway g = {SPAN("drain"), 0};
	struct goaway g2;
	buf_clear(&b);
	goaway_pack(&g, &b);
	is_err(goaway_unpack(pack_from(buf_view(&b)), &g2, NULL), OK, "goaway");
	ok(same(g2.reason, g.reason) && g2.grace_ms == 0, "comes back");
	buf_clear(&b);
	goaway_pack(&(struct goaway){SPAN_NONE, -1}, &b);
	is_err(goaway_unpack(pack_from(buf_view(&b)), &g2, NULL), OK, "goaway, bare");
	ok(!span_is_set(g2.reason) && g2.grace_ms == -1, "comes back");

	buf_clear(&b);
	cancel_pack(&b);
	is_mem(b.p, b.n, "\x80", 1, "a cancel is an empty map");
}

static void test_limits(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	char *zeros = calloc(1, LIMIT_INLINE_BYTES + 1);
	if (!zeros)
		bail("out of memory");
	arena_init(&a, LIMIT_REQUEST_ARENA);
	for (size_t more = 0; more < 2; more++) {
		const enum err want = more ? ERR_TOO_BIG : OK;
		struct fault why = FAULT_NONE;
		struct data d = {span_of(zeros, LIMIT_DATA_BYTES + more), false}, d2;
		buf_clear(&b);
		data_pack(&d, &b);
		is_err(data_unpack(pack_from(buf_view(&b)), &d2, &why), want, "a piece of %zu",
			d.bytes.n);
		struct call c = CALL_INIT, c2;
		c.body = span_of(zeros, LIMIT_INLINE_BYTES + more);
		buf_clear(&b);
		call_pack(&c, &b);
		is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, &why), want, "a body of %zu",
			c.body.n);
		struct span tags[LIMIT_TAGS + 1];
		for (size_t i = 0; i < COUNT_OF(tags); i++)
			tags[i] = SPAN("t");
		c = CALL_INIT;
		c.tags = tags;
		c.n_tags = LIMIT_TAGS + more;
		buf_clear(&b);
		call_pack(&c, &b);
		is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, &why), want, "%zu tags",
			c.n_tags);
		c.n_tags = 0;
		c.fallbacks = tags;
		c.n_fallbacks = LIMIT_FALLBACKS + more;
		buf_clear(&b);
		call_pack(&c, &b);
		is_err(call_unpack(pack_from(buf_view(&b)), &a, &c2, &why), want, "%zu fallbacks",
			c.n_fallbacks);
		struct span names[LIMIT_FEATURES + 1];
		for (size_t i = 0; i < COUNT_OF(names); i++)
			names[i] = SPAN("f");
		const struct hello h = {
			1, 1, {names, LIMIT_FEATURES + more},
                          {NULL,  0                    },
                          SPAN_NONE, SPAN_NONE
                };
		struct hello h2;
		buf_clear(&b);
		hello_pack(&h, &b);
		is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h2, &why), want, "%zu features",
			h.optional.n);
		char label[LIMIT_LABEL_BYTES + 1];
		memset(label, 'a', sizeof label);
		const struct hello named = {
			1, 1, {NULL, 0},
                          {NULL, 0},
                          SPAN_NONE,
			span_of(label, LIMIT_LABEL_BYTES + more)
                };
		buf_clear(&b);
		hello_pack(&named, &b);
		is_err(hello_unpack(pack_from(buf_view(&b)), &a, &h2, &why), want,
			"a name of %zu bytes", named.app_name.n);
	}
	free(zeros);
}

int main(void)
{
	test_rows();
	test_sentences();
	test_there_and_back();
	test_limits();
	return tap_done();
}
