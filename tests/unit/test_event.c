/* test_event.c - every event there and back, what is passed over, and what no class is lost to. */
#include "protocol/event.h"

#include <stdio.h>

#include "protocol/frame.h"
#include "protocol/limits.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

static bool same(struct span a, struct span b)
{
	return span_is_set(a) == span_is_set(b) && span_eq(a, b);
}

static bool same_opaque(const struct opaque *a, const struct opaque *b)
{
	return same(a->family, b->family) && same(a->model, b->model) && same(a->data, b->data);
}

static bool same_usage(const struct llm_usage *a, const struct llm_usage *b)
{
	return memcmp(a, b, sizeof *a) == 0; /* int64_t alone: no padding */
}

static bool same_fault(const struct fault *a, const struct fault *b)
{
	return a->err == b->err && a->http_status == b->http_status &&
	       a->retry_after_ms == b->retry_after_ms && a->is_partial == b->is_partial &&
	       strcmp(a->code, b->code) == 0 && strcmp(a->param, b->param) == 0 &&
	       strcmp(a->provider, b->provider) == 0 && strcmp(a->request_id, b->request_id) == 0 &&
	       strcmp(a->message, b->message) == 0;
}

static bool same_head(const struct reply_head *a, const struct reply_head *b)
{
	for (size_t i = 0; a->n_headers == b->n_headers && i < a->n_headers; i++) {
		if (!same(a->headers[i].key, b->headers[i].key) ||
			!same(a->headers[i].value, b->headers[i].value))
			return false;
	}
	return a->n_headers == b->n_headers && a->status == b->status &&
	       a->is_stream == b->is_stream;
}

static bool same_vector(const struct vector *a, const struct vector *b)
{
	return a->n == b->n && memcmp(a->values, b->values, a->n * sizeof *a->values) == 0;
}

static bool same_body(const struct llm_event *a, const struct llm_event *b)
{
	switch (a->type) {
	case EV_START:
		return same(a->start.id, b->start.id) && same(a->start.model, b->start.model) &&
		       a->start.created_s == b->start.created_s;
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_TOOL_ARGS:
	case EV_LOGPROBS:
	case EV_RAW:
		return same(a->text, b->text);
	case EV_OPAQUE:
		return same_opaque(&a->opaque, &b->opaque);
	case EV_TOOL_START:
		return same(a->call.id, b->call.id) && same(a->call.name, b->call.name) &&
		       a->call.is_custom == b->call.is_custom &&
		       same_opaque(&a->call.opaque, &b->call.opaque);
	case EV_TOOL_END:
		return true;
	case EV_PART:
		return a->part.type == b->part.type && same(a->part.text, b->part.text) &&
		       same(a->part.media.data, b->part.media.data) &&
		       same(a->part.media.mime, b->part.media.mime) &&
		       same(a->part.citations, b->part.citations);
	case EV_USAGE:
		return same_usage(&a->usage, &b->usage);
	case EV_FINISH:
		return a->finish.finish == b->finish.finish &&
		       same(a->finish.native, b->finish.native) &&
		       same(a->finish.matched_stop, b->finish.matched_stop);
	case EV_WARNING:
		return same(a->warning.code, b->warning.code) &&
		       same(a->warning.param, b->warning.param) &&
		       same(a->warning.message, b->warning.message);
	case EV_STATUS:
		return same(a->status.word, b->status.word) &&
		       same(a->status.detail, b->status.detail);
	case EV_HEAD:
		return same_head(&a->head, &b->head);
	case EV_END:
		return same_usage(&a->end.usage, &b->end.usage) &&
		       same(a->end.provider, b->end.provider) && same(a->end.model, b->end.model) &&
		       same(a->end.request_id, b->end.request_id) &&
		       a->end.ttft_us == b->end.ttft_us && a->end.total_us == b->end.total_us &&
		       a->end.attempts == b->end.attempts &&
		       a->end.cached.source == b->end.cached.source &&
		       a->end.cached.age_s == b->end.cached.age_s &&
		       a->end.cached.saved_nusd == b->end.cached.saved_nusd &&
		       a->end.is_kept == b->end.is_kept;
	case EV_FAULT:
		return same_fault(a->fault, b->fault);
	case EV_EMBEDDING:
		return a->embedding.index == b->embedding.index &&
		       same_vector(&a->embedding.vector, &b->embedding.vector);
	case EV_RANK:
		return a->rank.index == b->rank.index && a->rank.score == b->rank.score;
	case EV_COUNT:
		return a->count.input_tokens == b->count.input_tokens &&
		       a->count.is_estimate == b->count.is_estimate;
	case EV_MODERATION:
		return a->moderation.index == b->moderation.index &&
		       a->moderation.is_flagged == b->moderation.is_flagged &&
		       same(a->moderation.categories, b->moderation.categories) &&
		       same(a->moderation.scores, b->moderation.scores);
	case EV_MODEL:
		return same(a->model.id, b->model.id) && same(a->model.owner, b->model.owner) &&
		       a->model.context_tokens == b->model.context_tokens &&
		       a->model.max_output_tokens == b->model.max_output_tokens &&
		       a->model.created_s == b->model.created_s;
	}
	return false;
}

/* Packs, checks, unpacks and compares; every cut and every small arena fails and does no more. */
static void there_and_back(const struct llm_event *e, const char *name)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_event back;
	struct frame f;
	struct fault why = FAULT_NONE;

	arena_init(&a, LIMIT_REQUEST_ARENA);
	const size_t mark = frame_begin(&b, (enum frame_type)event_frame_type(e->type), 9);
	event_pack(e, &b);
	is_err(frame_finish(&b, mark), OK, "%s: packed", name);
	struct span in = buf_view(&b);
	is_err(frame_take(&in, &f, NULL, &why), OK, "%s: a sound frame: %s", name, why.message);
	is_err(event_unpack(f.type, f.body, &a, &back, &why), OK, "%s: unpacked: %s", name,
		why.message);
	is_int(back.type, e->type, "%s: its type", name);
	is_uint(back.choice, e->choice, "%s: its choice", name);
	is_uint(back.tool, e->tool, "%s: its tool", name);
	ok(same_body(e, &back), "%s: the same", name);

	for (size_t room = 0; room < 4096; room += 32) {
		OWNED(arena_done) struct arena small;
		arena_init(&small, room);
		const enum err err = event_unpack(f.type, f.body, &small, &back, &why);
		if (err == OK)
			break;
		if (err != ERR_NO_MEMORY)
			ok(false, "%s in %zu bytes: %d", name, room, err);
	}
	for (size_t cut = 0; cut < f.raw.n; cut++) {
		struct pack_in part = pack_from(span_first(f.raw, cut));
		if (event_unpack(f.type, part, &a, &back, &why) != ERR_MALFORMED)
			ok(false, "%s cut at %zu was taken", name, cut);
	}
	for (size_t room = 0; room + 1 < f.raw.n; room++) {
		OWNED(buf_done) struct buf small = BUF_INIT(room);
		event_pack(e, &small);
		if (buf_error(&small) != ERR_TOO_BIG)
			ok(false, "%s packed into %zu bytes", name, room);
	}
}

static void test_all(void)
{
	static struct string_pair headers[] = {
		{{"a", 1}, {"1", 1}},
                {{"a", 1}, {"", 0} }
        };
	const struct opaque opaque = {SPAN("anthropic"), SPAN_NONE, SPAN("{\"x\": [1.0]}")};
	struct fault fault = {.err = ERR_RATE_LIMITED,
		.http_status = 429,
		.retry_after_ms = 0,
		.is_partial = true,
		.code = "slow_down",
		.param = "messages[0]",
		.provider = "openai",
		.request_id = "req_1",
		.message = "too fast; wait a second"};
	struct fault bare = FAULT_NONE;
	fault_set(&bare, ERR_CANCELLED, "cancelled");
	static const double exact[] = {-0.5, 0, 0x1p-126, 16777216};
	static const double decimals[] = {0.1, -0.25, 1e300};
	const struct llm_usage full = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, INT64_MAX};
	const struct llm_event events[] = {
		{.type = EV_START,						      .start = {SPAN("id"), SPAN("m"), 1700000000}           },
		{.type = EV_TEXT,						       .text = SPAN("gr\xc3\xbc\xc3\x9f")                     },
		{.type = EV_REASONING,						  .choice = 3,                                             .text = SPAN("hm")},
		{.type = EV_REFUSAL,								     .choice = UINT32_MAX,													   .text = SPAN("")},
		{.type = EV_OPAQUE,						     .opaque = opaque },
		{.type = EV_TOOL_START,
                 .choice = 1,
                 .tool = 2,
                 .call = {SPAN("c"), SPAN("f"), true, opaque}},
		{.type = EV_TOOL_ARGS,							   .tool = 0,														      .text = SPAN("{\"a\":")},
		{.type = EV_TOOL_END,								     .tool = UINT32_MAX													},
		{.type = EV_PART,
                 .part = {.type = PART_IMAGE, .media = {.data = span_of("\xff\0", 2)}}},
		{.type = EV_LOGPROBS,.text = SPAN("[{\"p\":-0.10}]")},
		{.type = EV_USAGE, .usage = full									},
		{.type = EV_FINISH,							.finish = {FINISH_TOOL_CALLS, SPAN("tool_use"), SPAN("END")}																						 },
		{.type = EV_WARNING,
                 .warning = {SPAN("renamed"), SPAN("tools[0].name"), SPAN("f")}                                      },
		{.type = EV_STATUS,.status = {SPAN("queued"), SPAN_NONE}},
		{.type = EV_RAW,        .text = span_of("\xc3\x28\0",                         3)},
		{.type = EV_HEAD,									       .head = {200, headers, 2, true}																																					      },
		{.type = EV_END,
                 .end = {full, SPAN("p"), SPAN("m"), SPAN("r"), 0, 7, 2,
				{CACHE_SEMANTIC, 12, 34, {true, 0.9712}}, true}                                                              },
		{.type = EV_FAULT,						       .fault = &fault},
		{.type = EV_EMBEDDING,							.embedding = {1, {exact, COUNT_OF(exact)}}                                                                },
		{.type = EV_RANK,						      .rank = {3, 0.999071}                                       },
		{.type = EV_COUNT,						  .count = {12, true}       },
		{.type = EV_MODERATION,
                 .moderation = {0, true, SPAN("{\"hate\":true}"), SPAN("{\"hate\":0.9}")}                                   },
		{.type = EV_MODEL,						      .model = {SPAN("p/m"), SPAN("o"), 8192, 4096, 1700000000}                                        },
	};
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		is_int(events[i].type, (int)i + 1, "event %zu is in its row", i + 1);
		there_and_back(&events[i], event_name(events[i].type));
	}
	const struct llm_event least[] = {
		{.type = EV_START					       },
		{ .type = EV_USAGE,					 .usage = USAGE_UNKNOWN},
		{ .type = EV_FINISH,                 .finish = {FINISH_OTHER, SPAN_NONE, SPAN_NONE}},
		{ .type = EV_HEAD,					.head = {.status = 404}},
		{ .type = EV_HEAD,					  .head = {.status = 0}},
		{ .type = EV_RAW,					       .text = SPAN("")},
		{ .type = EV_END, .end = {.usage = USAGE_UNKNOWN, .ttft_us = -1, .total_us = -1}},
		{ .type = EV_FAULT,						 .fault = &bare},
		{ .type = EV_EMBEDDING,               .embedding = {0, {decimals, COUNT_OF(decimals)}}},
		{ .type = EV_RANK,					    .rank = {0, -11.25}},
		{ .type = EV_COUNT,					    .count = {0, false}},
		{ .type = EV_MODERATION,                 .moderation = {7, false, SPAN_NONE, SPAN_NONE}},
		{ .type = EV_MODEL,                     .model = {SPAN("m"), SPAN_NONE, -1, -1, 0}},
	};
	for (size_t i = 0; i < COUNT_OF(least); i++)
		there_and_back(&least[i], "with as little as may be");
}

/* What must be there is there, empty, even where its maker left it out. */
static void test_bare(void)
{
	static const enum event_type bare[] = {EV_START, EV_TEXT, EV_REASONING, EV_REFUSAL,
		EV_TOOL_START, EV_TOOL_ARGS, EV_TOOL_END, EV_USAGE, EV_FINISH, EV_WARNING,
		EV_STATUS, EV_RAW, EV_HEAD, EV_END};
	for (size_t i = 0; i < COUNT_OF(bare); i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
		OWNED(arena_done) struct arena a;
		const struct llm_event e = {.type = bare[i]};
		struct llm_event back;
		struct fault why = FAULT_NONE;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		event_pack(&e, &b);
		is_err(event_unpack(
			       event_frame_type(e.type), pack_from(buf_view(&b)), &a, &back, &why),
			OK, "a bare %s can be read: %s", event_name(e.type), why.message);
	}
}

/* Numbers that floats can hold travel as floats, others as they are; none is ever not finite. */
static void test_vectors(void)
{
	static const double floats[] = {1, -0.5}, decimals[] = {1, 0.1};
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_event e = {
		.type = EV_EMBEDDING, .embedding = {0, {floats, 2}}
        };
	arena_init(&a, LIMIT_REQUEST_ARENA);
	event_pack(&e, &b);
	ok(span_find(buf_view(&b), span_of("\xa3"
					   "f32\xc4\x08\0\0\x80\x3f\0\0\0\xbf",
					   14)) < b.n,
		"two floats are eight bytes, the lowest first");
	buf_clear(&b);
	e.embedding.vector.values = decimals;
	event_pack(&e, &b);
	ok(span_find(buf_view(&b), span_of("\xa3"
					   "f64\xc4\x10\0\0\0\0\0\0\xf0\x3f",
					   14)) < b.n,
		"what is no float is sixteen");
	buf_clear(&b);
	buf_span(&b, span_of("\x83\xa2"
			     "ev\xa9"
			     "embedding\xa5"
			     "index\x00\xa3"
			     "f32\xc4\x04\0\0\x80\x7f",
			     31));
	struct fault why = FAULT_NONE;
	is_err(event_unpack(FRAME_EVENT, pack_from(buf_view(&b)), &a, &e, &why), ERR_MALFORMED,
		"infinity is no number of a vector");
	is_str(why.param, "f32", "and where");
}

/* The fewest bytes for what is sent most. */
static void test_small(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	event_pack(&(struct llm_event){.type = EV_TEXT, .text = SPAN("hi")}, &b);
	is_mem(b.p, b.n,
		"\x82\xa2"
		"ev\xa4"
		"text\xa1"
		"d\xa2hi",
		14, "a piece of the first answer does not say that it is");
}

static const struct {
	const char *name;
	int frame;
	const char *body;
	enum err want;
	const char *param;
} rows[] = {
	{"an event of a later version",       FRAME_EVENT, "{'ev': 'smell', 'd': 1}",                              ERR_MORE,      ""             },
	{"raw is no event's name",            FRAME_EVENT, "{'ev': 'raw', 'd': 'x'}",                              ERR_MORE,      ""             },
	{"nor is end",			FRAME_EVENT, "{'ev': 'end'}",                                        ERR_MORE,      ""             },
	{"no name",			   FRAME_EVENT, "{'d': 'x'}",                                           ERR_MALFORMED, "ev"           },
	{"a name that is nil",                FRAME_EVENT, "{'ev': null}",                                         ERR_MALFORMED, "ev"           },
	{"a name that is a number",           FRAME_EVENT, "{'ev': 2}",                                            ERR_MALFORMED, "ev"           },
	{"no map",			    FRAME_EVENT, "[]",						   ERR_MALFORMED, ""             },
	{"members in any order",              FRAME_EVENT, "{'d': 'x', 'i': 1, 'ev': 'text'}",                     OK,            ""             },
	{"a member of a later version",       FRAME_EVENT, "{'ev': 'text', 'z': [1, {}], 'd': 'x'}",               OK,
         ""																      },
	{"no piece",			  FRAME_EVENT, "{'ev': 'text'}",                                       ERR_MALFORMED, "d"            },
	{"a piece that is a bin",             FRAME_EVENT, "{'ev': 'text', 'd': 'bin:x'}",                         ERR_MALFORMED, "d"            },
	{"a choice below 0",                  FRAME_EVENT, "{'ev': 'text', 'd': 'x', 'i': -1}",                    ERR_MALFORMED, "i"            },
	{"a choice over 32 bits",             FRAME_EVENT, "{'ev': 'text', 'd': 'x', 'i': 4294967296}",
         ERR_MALFORMED,													   "i"            },
	{"arguments of no tool",              FRAME_EVENT, "{'ev': 'tool_args', 'd': 'x'}",                        ERR_MALFORMED, "t"            },
	{"a tool without a name",             FRAME_EVENT, "{'ev': 'tool_start', 't': 0, 'id': 'x'}",
         ERR_MALFORMED,													   "name"         },
	{"logprobs that are no JSON",         FRAME_EVENT, "{'ev': 'logprobs', 'content': '{'}",
         ERR_MALFORMED,													   "content"      },
	{"an opaque item without data",       FRAME_EVENT, "{'ev': 'opaque', 'opaque': {'family': 'x'}}",
         ERR_MALFORMED,													   "opaque.data"  },
	{"a part of an unknown type",         FRAME_EVENT, "{'ev': 'part', 'part': {'type': 'x'}}",
         ERR_MALFORMED,													   "part.type"    },
	{"no usage",			  FRAME_EVENT, "{'ev': 'usage'}",                                      ERR_MALFORMED, "usage"        },
	{"a usage below 0",                   FRAME_EVENT, "{'ev': 'usage', 'usage': {'input': -1}}",              ERR_MALFORMED,
         "usage.input"															   },
	{"an embedding without its vector",   FRAME_EVENT, "{'ev': 'embedding', 'index': 0}",
         ERR_MALFORMED,													   ""             },
	{"an embedding with two",             FRAME_EVENT,
         "{'ev': 'embedding', 'index': 0, 'f32': 'bin:abcd', 'f64': 'bin:abcdefgh'}",			      ERR_MALFORMED, "f64"          },
	{"half a number",                     FRAME_EVENT, "{'ev': 'embedding', 'index': 0, 'f32': 'bin:abcdef'}",
         ERR_MALFORMED,													   "f32"          },
	{"a vector of none",                  FRAME_EVENT, "{'ev': 'embedding', 'index': 0, 'f32': 'bin:'}",
         ERR_MALFORMED,													   "f32"          },
	{"a rank without a score",            FRAME_EVENT, "{'ev': 'rank', 'index': 0}",                           ERR_MALFORMED,
         "score"																 },
	{"categories that are a list",        FRAME_EVENT,
         "{'ev': 'moderation', 'index': 0, 'flagged': true, 'categories': '[]'}",				  ERR_MALFORMED, "categories"   },
	{"no finish",			 FRAME_EVENT, "{'ev': 'finish'}",                                     ERR_MALFORMED, "finish"       },
	{"a head without a status",           FRAME_HEAD,  "{'stream': true}",                                     ERR_MALFORMED, "status"       },
	{"a status over 999",                 FRAME_HEAD,  "{'status': 1000}",                                     ERR_MALFORMED, "status"       },
	{"a header alone",                    FRAME_HEAD,  "{'status': 200, 'headers': [['a']]}",                  ERR_MALFORMED,
         "headers[0]"															    },
	{"a header's value that is a number", FRAME_HEAD,  "{'status': 200, 'headers': [['a', 1]]}",
         ERR_MALFORMED,													   "headers[0][1]"},
	{"data without bytes",                FRAME_DATA,  "{'last': true}",                                       ERR_MALFORMED, "d"            },
	{"an empty end",                      FRAME_END,   "{}",						   OK,            ""             },
	{"an end with more to it",            FRAME_END,   "{'later': {}}",                                        OK,            ""             },
	{"an empty fault",                    FRAME_FAULT, "{}",						   OK,            ""             },
	{"a hello is no event",               FRAME_HELLO, "{}",						   ERR_MALFORMED, ""             },
	{"nor is a frame of a later version", 99,          "{}",                                                   ERR_MALFORMED, ""             },
};

static void test_rows(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
		OWNED(arena_done) struct arena a;
		struct fault why = FAULT_NONE;
		struct llm_event e;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		packed_json(&b, rows[i].body);
		is_err(event_unpack(rows[i].frame, pack_from(buf_view(&b)), &a, &e, &why),
			rows[i].want, "%s", rows[i].name);
		is_str(why.param, rows[i].param, "%s: its path", rows[i].name);
		ok((why.message[0] != '\0') == (rows[i].want == ERR_MALFORMED), "%s: and why",
			rows[i].name);
	}
}

static const struct {
	const char *name, *body;
	enum err want;
	const char *message;
	int64_t retry_after_ms;
} faults[] = {
	{"by its word",                  "{'class': 'budget', 'number': 10, 'message': 'm'}", ERR_BUDGET,   "m",   -1 },
	{"by its number",                "{'class': 'later', 'number': 34}",                  ERR_BUDGET,   "",    -1 },
	{"by its number alone",          "{'number': 34, 'message': 'm'}",                    ERR_BUDGET,   "m",   -1 },
	{"neither is known",             "{'class': 'later', 'number': 99, 'message': 'm'}",  ERR_INTERNAL, "m",
         -1													   },
	{"OK is no fault",               "{'class': 'later', 'number': 0, 'message': 'm'}",   ERR_INTERNAL, "m",
         -1													   },
	{"nor is ERR_MORE",              "{'number': 1}",                                     ERR_INTERNAL, "",    -1 },
	{"internal itself",              "{'class': 'internal', 'number': 34}",               ERR_INTERNAL, "",    -1 },
	{"a number out of all range",    "{'number': 9223372036854775807}",                   ERR_INTERNAL, "",    -1 },
	{"wait",			 "{'class': 'timeout', 'retry_after_ms': 250}",       ERR_TIMEOUT,  "",    250},
	{"wait for less than nothing",   "{'class': 'timeout', 'retry_after_ms': -7}",        ERR_TIMEOUT,
         "",												       -1 },
	{"control bytes in its message", "{'message': 'a\\u0007b'}",                          ERR_INTERNAL, "a b", -1 },
};

static void test_faults(void)
{
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
		OWNED(arena_done) struct arena a;
		struct llm_event e;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		packed_json(&b, faults[i].body);
		const enum err err =
			event_unpack(FRAME_FAULT, pack_from(buf_view(&b)), &a, &e, NULL);
		is_err(err, OK, "%s", faults[i].name);
		if (err)
			continue;
		is_err(e.fault->err, faults[i].want, "%s: its class", faults[i].name);
		is_str(e.fault->message, faults[i].message, "%s: its message", faults[i].name);
		is_int(e.fault->retry_after_ms, faults[i].retry_after_ms, "%s: the wait",
			faults[i].name);
	}
	/* every class there and back, with the sentence of its own where none was given */
	size_t n;
	const struct err_info *table = err_table(&n);
	for (size_t i = 0; i < n; i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
		OWNED(arena_done) struct arena a;
		struct fault fault = FAULT_NONE;
		struct llm_event e = {.type = EV_FAULT, .fault = &fault};
		arena_init(&a, LIMIT_REQUEST_ARENA);
		fault.err = table[i].err;
		event_pack(&e, &b);
		is_err(event_unpack(FRAME_FAULT, pack_from(buf_view(&b)), &a, &e, NULL), OK, "%s",
			table[i].word);
		is_err(e.fault->err, table[i].err, "%s: its class", table[i].word);
		is_str(e.fault->message, table[i].sentence, "%s: its sentence", table[i].word);
	}
	/* longer than its field: cut, not refused */
	char text[5000];
	memset(text, 'm', sizeof text);
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_event e;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	pack_put_map(&b, 1);
	pack_put_text(&b, "message");
	pack_put_str(&b, span_of(text, sizeof text));
	is_err(event_unpack(FRAME_FAULT, pack_from(buf_view(&b)), &a, &e, NULL), OK, "a long one");
	is_uint(strlen(e.fault->message), sizeof e.fault->message - 1, "is cut");
}

static void test_words(void)
{
	enum finish f;
	for (int i = FINISH_STOP; i <= FINISH_OTHER; i++)
		ok(finish_from(span_str(finish_name((enum finish)i)), &f) && (int)f == i,
			"%s there and back", finish_name((enum finish)i));
	ok(!finish_from(SPAN("STOP"), &f) && !finish_from(SPAN(""), &f), "no other word");
	is_str(finish_name((enum finish)0), "other", "what was never set");
	is_str(event_name((enum event_type)0), "unknown", "no event");
	is_str(event_name((enum event_type)99), "unknown", "nor this");

	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_event e;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	packed_json(&b, "{'ev': 'finish', 'finish': 'exhausted', 'native_finish': 'tired'}");
	is_err(event_unpack(FRAME_EVENT, pack_from(buf_view(&b)), &a, &e, NULL), OK,
		"a finish of a later version");
	ok(e.finish.finish == FINISH_OTHER && span_is(e.finish.native, "tired"),
		"is other, and the provider's word stays");

	static const bool is_content[] = {[EV_TEXT] = true,
		[EV_REASONING] = true,
		[EV_REFUSAL] = true,
		[EV_OPAQUE] = true,
		[EV_TOOL_START] = true,
		[EV_TOOL_ARGS] = true,
		[EV_TOOL_END] = true,
		[EV_PART] = true,
		[EV_LOGPROBS] = true,
		[EV_RAW] = true,
		[EV_FAULT] = false};
	for (int i = EV_START; i <= EV_FAULT; i++)
		ok(event_is_content((enum event_type)i) == is_content[i], "%s: content or not",
			event_name((enum event_type)i));
}

static void test_usage(void)
{
	struct llm_usage u = USAGE_UNKNOWN;
	is_int(usage_input_total(&u), -1, "nothing is known of the input");
	is_int(usage_output_total(&u), -1, "nor of the output");
	u.cache_read = 0;
	is_int(usage_input_total(&u), 0, "none is known to be none");
	u = (struct llm_usage){1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1 << 20, 1 << 20};
	is_int(usage_input_total(&u), 1 + 2 + 4 + 8 + 16 + 128 + 512, "all input classes");
	is_int(usage_output_total(&u), 32 + 64 + 256 + 1024, "all output classes");
	u.input = INT64_MAX;
	is_int(usage_input_total(&u), INT64_MAX, "and no overflow");
}

int main(void)
{
	test_all();
	test_bare();
	test_vectors();
	test_small();
	test_rows();
	test_faults();
	test_words();
	test_usage();
	return tap_done();
}
