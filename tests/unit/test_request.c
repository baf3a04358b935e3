/* test_request.c - what a request may say, what it is told when it may not, and that it comes back
 * as it went. */
#include "protocol/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* ---- equality ---- */

static bool same_span(struct span a, struct span b)
{
	return span_is_set(a) == span_is_set(b) && span_eq(a, b);
}

static bool same_i64(struct opt_i64 a, struct opt_i64 b)
{
	return a.is_set == b.is_set && (!a.is_set || a.v == b.v);
}

static bool same_f64(struct opt_f64 a, struct opt_f64 b)
{
	return a.is_set == b.is_set && (!a.is_set || memcmp(&a.v, &b.v, sizeof a.v) == 0);
}

static bool same_bool(struct opt_bool a, struct opt_bool b)
{
	return a.is_set == b.is_set && (!a.is_set || a.v == b.v);
}

static bool same_spans(const struct span *a, size_t n, const struct span *b, size_t m)
{
	for (size_t i = 0; n == m && i < n; i++) {
		if (!same_span(a[i], b[i]))
			return false;
	}
	return n == m;
}

static bool same_pairs(const struct string_pair *a, size_t n, const struct string_pair *b, size_t m)
{
	for (size_t i = 0; n == m && i < n; i++) {
		if (!same_span(a[i].key, b[i].key) || !same_span(a[i].value, b[i].value))
			return false;
	}
	return n == m;
}

static bool same_extra(const struct extra *a, const struct extra *b)
{
	if (a->n != b->n || !same_span(a->family, b->family))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!same_span(a->members[i].name, b->members[i].name) ||
			!same_span(a->members[i].json, b->members[i].json))
			return false;
	}
	return true;
}

static bool same_opaque(const struct opaque *a, const struct opaque *b)
{
	return same_span(a->family, b->family) && same_span(a->model, b->model) &&
	       same_span(a->data, b->data);
}

static bool same_part(const struct part *a, const struct part *b)
{
	const struct media *m = &a->media, *n = &b->media;
	return a->type == b->type && same_span(a->text, b->text) && same_span(m->data, n->data) &&
	       same_span(m->url, n->url) && same_span(m->file_id, n->file_id) &&
	       same_span(m->mime, n->mime) && same_span(m->filename, n->filename) &&
	       same_span(m->detail, n->detail) && same_span(a->call.id, b->call.id) &&
	       same_span(a->call.name, b->call.name) &&
	       same_span(a->call.arguments, b->call.arguments) &&
	       a->call.is_custom == b->call.is_custom && same_opaque(&a->opaque, &b->opaque) &&
	       a->is_summary == b->is_summary && same_span(a->cache, b->cache) &&
	       same_span(a->citations, b->citations) && same_extra(&a->extra, &b->extra);
}

static bool same_message(const struct message *a, const struct message *b)
{
	for (size_t i = 0; a->n_parts == b->n_parts && i < a->n_parts; i++) {
		if (!same_part(&a->parts[i], &b->parts[i]))
			return false;
	}
	return a->n_parts == b->n_parts && a->role == b->role && same_span(a->name, b->name) &&
	       same_span(a->tool_call_id, b->tool_call_id) && a->is_error == b->is_error &&
	       same_extra(&a->extra, &b->extra);
}

static bool same_tool(const struct tool *a, const struct tool *b)
{
	return a->type == b->type && same_span(a->name, b->name) &&
	       same_span(a->description, b->description) &&
	       same_span(a->parameters, b->parameters) && same_bool(a->strict, b->strict) &&
	       same_span(a->cache, b->cache) && same_span(a->format, b->format) &&
	       same_span(a->family, b->family) && same_span(a->raw, b->raw) &&
	       same_extra(&a->extra, &b->extra);
}

/* The first member that differs, or NULL. */
static const char *difference(const struct llm_request *a, const struct llm_request *b)
{
#define SAME(test, member)                      \
	if (!same_##test(a->member, b->member)) \
	return #member
#define SAME_LIST(test, member)                                               \
	if (!same_##test(a->member, a->n_##member, b->member, b->n_##member)) \
	return #member
#define EQUAL(member)               \
	if (a->member != b->member) \
	return #member
	SAME(span, model);
	EQUAL(n_messages);
	for (size_t i = 0; i < a->n_messages; i++) {
		if (!same_message(&a->messages[i], &b->messages[i]))
			return "messages";
	}
	EQUAL(n_tools);
	for (size_t i = 0; i < a->n_tools; i++) {
		if (!same_tool(&a->tools[i], &b->tools[i]))
			return "tools";
	}
	EQUAL(tool_choice.mode);
	if (!same_spans(a->tool_choice.names, a->tool_choice.n_names, b->tool_choice.names,
		    b->tool_choice.n_names))
		return "tool_choice";
	SAME(bool, parallel_tool_calls);
	EQUAL(response_format.type);
	SAME(span, response_format.name);
	SAME(span, response_format.description);
	SAME(span, response_format.schema);
	SAME(bool, response_format.strict);
	SAME(span, reasoning.effort);
	SAME(i64, reasoning.budget_tokens);
	SAME(span, reasoning.expose);
	SAME(i64, max_tokens);
	SAME(f64, temperature);
	SAME(f64, top_p);
	SAME(f64, min_p);
	SAME(i64, top_k);
	SAME(f64, presence_penalty);
	SAME(f64, frequency_penalty);
	SAME(f64, repetition_penalty);
	SAME(i64, n);
	SAME(i64, seed);
	SAME_LIST(spans, stop);
	SAME(span, logit_bias);
	SAME(bool, logprobs);
	SAME(i64, top_logprobs);
	SAME_LIST(spans, modalities);
	SAME(span, audio_voice);
	SAME(span, audio_format);
	EQUAL(is_stream);
	SAME(span, user);
	SAME_LIST(pairs, metadata);
	SAME(span, service_tier);
	SAME(span, verbosity);
	SAME(span, cache_key);
	SAME(span, cache_ttl);
	EQUAL(on_unsupported);
	EQUAL(wants_raw);
	SAME_LIST(pairs, provider_options);
	if (!same_extra(&a->extra, &b->extra))
		return "extra";
	return NULL;
}

/* ---- one request with every member ---- */

static void test_every_member(void)
{
	struct extra_member members[] = {
		{.name = SPAN("x"), .json = SPAN("[1, 2.50, 1e400]")},
		{.name = SPAN(""),  .json = SPAN("null")            }
        };
	const struct extra extra = {SPAN("openai-chat"), members, 2};
	const struct opaque opaque = {SPAN("anthropic"), SPAN("claude"), SPAN("\"sig\"")};
	struct part user[] = {
		{.type = PART_TEXT,
                 .text = SPAN("look"),
                 .cache = SPAN("1h"),
                 .citations = SPAN("[]"),
                 .extra = extra},
		{.type = PART_IMAGE,
                 .media = {.data = span_of("\xff\xd8\0", 3),
				.mime = SPAN("image/jpeg"),
				.detail = SPAN("low")}								       },
		{.type = PART_AUDIO,
                 .media = {.url = SPAN("https://a/b"), .mime = SPAN("audio/wav")}                                                },
		{.type = PART_FILE,      .media = {.file_id = SPAN("f1"), .filename = SPAN("a b.pdf")}                     },
		{.type = PART_VIDEO,       .media = {.data = SPAN("")}},
	};
	struct part assistant[] = {
		{.type = PART_REASONING,                                     .text = SPAN(""),                                  .is_summary = true, .opaque = opaque},
		{.type = PART_TOOL_CALL,
                 .call = {SPAN("c1"), SPAN("f"), SPAN("{\"a\":1,}"), false},
                 .opaque = opaque},
		{.type = PART_REFUSAL, .text = SPAN("no")											     },
		{.type = PART_TOOL_CALL,                                       .call = {SPAN("c2"), SPAN("g"), SPAN(""), true}                                                                     },
		{.type = PART_OPAQUE,                                     .opaque = opaque},
	};
	struct part text = {.type = PART_TEXT, .text = SPAN("say")};
	struct message messages[] = {
		{.role = ROLE_SYSTEM,    .parts = &text,     .n_parts = 1                  },
		{.role = ROLE_DEVELOPER, .parts = &text,     .n_parts = 1                  },
		{.role = ROLE_USER,      .parts = user,      .n_parts = COUNT_OF(user)     },
		{.role = ROLE_ASSISTANT, .parts = assistant, .n_parts = COUNT_OF(assistant)},
		{.role = ROLE_ASSISTANT, .parts = NULL,      .n_parts = 0                  },
		{.role = ROLE_TOOL,      .parts = &text,     .n_parts = 1                  },
	};
	messages[1].name = SPAN("dev");
	messages[2].extra = extra;
	messages[5].tool_call_id = SPAN("c1");
	messages[5].is_error = true;
	struct tool tools[] = {
		{.type = TOOL_FUNCTION,
                 .name = SPAN("f"),
                 .description = SPAN("does f"),
                 .parameters = SPAN(" {\"b\":9007199254740993, \"a\":1.0} "),
                 .strict = {true, false},
                 .cache = SPAN("5m"),
                 .extra = extra},
		{.type = TOOL_CUSTOM, .name = SPAN("g"),                    .format = SPAN("{\"type\":\"text\"}")                                                                                  },
		{.type = TOOL_PROVIDER,
                 .family = SPAN("anthropic"),
                 .raw = SPAN("{\"type\":\"web_search\"}")},
	};
	struct span names[] = {SPAN("f"), SPAN("g")}, stop[] = {SPAN("END"), SPAN("\n\n")};
	struct span modalities[] = {SPAN("text"), SPAN("audio")};
	struct string_pair metadata[] = {
		{SPAN("k"), SPAN("v")},
                {SPAN("a"), SPAN("") }
        };
	struct string_pair options[] = {
		{SPAN("openai"), SPAN("{\"store\":false}")}
        };
	const struct llm_request all = {
		.model = SPAN("openai/gpt-4o-mini"),
		.messages = messages,
		.n_messages = COUNT_OF(messages),
		.tools = tools,
		.n_tools = COUNT_OF(tools),
		.tool_choice = {CHOICE_REQUIRED,        names, 2},
		.parallel_tool_calls = {true,                      false                       },
		.response_format = {FORMAT_SCHEMA,                      SPAN("answer"),SPAN("an answer"),
				SPAN("{\"type\":\"object\"}"), {true, true}},
		.reasoning = {.effort = SPAN("xhigh"),
				.budget_tokens = {true, -1},
				.expose = SPAN("none")},
		.max_tokens = {true,                      0    },
		.temperature = {true, 0.7     },
		.top_p = {true,1},
		.min_p = {true,                   5e-324                  },
		.top_k = {true,                      -1                          },
		.presence_penalty = {true,-2},
		.frequency_penalty = {true,-0.0},
		.repetition_penalty = {true,                       1.1                                           },
		.n = {true,                    3					       },
		.seed = {true,INT64_MIN},
		.stop = stop,
		.n_stop = 2,
		.logit_bias = SPAN("{\"50256\":-100}"),
		.logprobs = {true,  true},
		.top_logprobs = {true,                 20							       },
		.modalities = modalities,
		.n_modalities = 2,
		.audio_voice = SPAN("alloy"),
		.audio_format = SPAN("wav"),
		.is_stream = true,
		.user = SPAN("u"),
		.metadata = metadata,
		.n_metadata = 2,
		.service_tier = SPAN("flex"),
		.verbosity = SPAN("low"),
		.cache_key = SPAN("k"),
		.cache_ttl = SPAN("1h"),
		.on_unsupported = UNSUPPORTED_REJECT,
		.wants_raw = true,
		.provider_options = options,
		.n_provider_options = 1,
		.extra = extra,
	};
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_request back;
	struct fault why = FAULT_NONE;

	arena_init(&a, LIMIT_REQUEST_ARENA);
	request_pack(&all, &packed);
	is_err(buf_error(&packed), OK, "every member is packed");
	is_err(request_unpack(buf_view(&packed), &a, &back, &why), OK, "and unpacked: %s",
		why.message);
	is_str(difference(&all, &back), NULL, "and is the same");
	request_pack(&back, &again);
	is_mem(again.p, again.n, packed.p, packed.n, "and packs into the same bytes");

	/* no point at which memory may run out is a crash, or another error */
	size_t room = 0, failed = 0;
	for (;; room += 64) {
		OWNED(arena_done) struct arena small;
		arena_init(&small, room);
		const enum err err = request_unpack(buf_view(&packed), &small, &back, &why);
		if (err == OK)
			break;
		failed++;
		if (err != ERR_NO_MEMORY)
			ok(false, "in %zu bytes: %d, %s", room, err, why.message);
	}
	ok(failed > 20, "%zu arenas were too small", failed);
	for (size_t cut = 0; cut < packed.n; cut++) {
		if (request_unpack(span_first(buf_view(&packed), cut), &a, &back, NULL) !=
			ERR_MALFORMED)
			ok(false, "cut at %zu it was taken", cut);
	}
	for (room = 0; room < packed.n; room++) {
		OWNED(buf_done) struct buf small = BUF_INIT(room);
		request_pack(&all, &small);
		if (buf_error(&small) != ERR_TOO_BIG)
			ok(false, "packed into %zu bytes", room);
	}
}

/* ---- what is accepted, and what it means ---- */

#define HI     "'messages': [{'role': 'user', 'content': 'hi'}]"
#define OPENED "{'model': 'm', " HI ", "
#define SAY(m) "{'model': 'm', 'messages': [" m "]}"

static const char *const accepted[] = {
	"{'model': 'm', " HI "}",
	OPENED "'temperature': null, 'tools': null, 'extra': null}",
	OPENED "'n': 1, 'max_tokens': 0, 'temperature': 1, 'top_p': 0.5}",
	OPENED "'max_tokens': 10.0}",
	OPENED "'tools': [], 'stop': [], 'metadata': {}, 'modalities': [], 'provider_options': {}}",
	OPENED "'extra': {'family': 'x', 'members': []}}",
	OPENED "'tool_choice': 'none'}",
	OPENED "'tool_choice': {'name': 'f'}}",
	OPENED "'tool_choice': {'mode': 'auto', 'allowed': ['f']}}",
	OPENED "'response_format': {'type': 'text'}}",
	SAY("{'role': 'assistant'}"),
	SAY("{'role': 'assistant', 'content': []}"),
	SAY("{'role': 'assistant', 'content': null}"),
	SAY("{'role': 'user', 'content': ''}"),
	SAY("{'role': 'user', 'content': [{'type': 'image', 'data': 'not bin but str'}]}"),
	SAY("{'role': 'assistant', 'content': [{'type': 'tool_call', 'id': 'a', 'name': 'f', "
	    "'arguments': '{no JSON'}]}"),
	SAY("{'role': 'tool', 'tool_call_id': 'a', 'content': ''}"),
};

static void test_accepted(void)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_BODY_BYTES);
	for (size_t i = 0; i < COUNT_OF(accepted); i++) {
		OWNED(arena_done) struct arena a;
		struct fault why = FAULT_NONE;
		struct llm_request r, back;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		buf_clear(&packed);
		buf_clear(&again);
		packed_json(&packed, accepted[i]);
		is_err(request_unpack(buf_view(&packed), &a, &r, &why), OK, "%s: %s", accepted[i],
			why.message);
		request_pack(&r, &again);
		is_err(request_unpack(buf_view(&again), &a, &back, &why), OK, "and again");
		is_str(difference(&r, &back), NULL, "and is the same");
	}

	OWNED(arena_done) struct arena a;
	struct llm_request r;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	buf_clear(&packed);
	packed_json(&packed, OPENED "'tool_choice': {'name': 'f'}, 'max_tokens': 10.0}");
	is_err(request_unpack(buf_view(&packed), &a, &r, NULL), OK, "a choice by name");
	ok(r.tool_choice.mode == CHOICE_NAMED && r.tool_choice.n_names == 1 &&
			span_is(r.tool_choice.names[0], "f"),
		"is named f");
	ok(r.max_tokens.is_set && r.max_tokens.v == 10, "10.0 tokens are 10");
	ok(!r.temperature.is_set && !r.n.is_set && !r.is_stream && !span_is_set(r.user) &&
			r.on_unsupported == UNSUPPORTED_WARN && r.extra.n == 0,
		"the rest is unset");
	ok(r.messages[0].n_parts == 1 && r.messages[0].parts[0].type == PART_TEXT &&
			span_is(r.messages[0].parts[0].text, "hi"),
		"a str is one text part");
}

/* ---- what is refused, and with which path ---- */

#define PART(p)  SAY("{'role': 'user', 'content': [" p "]}")
#define TOOLS(t) OPENED "'tools': [" t "]}"

static const struct {
	const char *json;
	enum err want;
	const char *param;
} refused[] = {
	{"[]",										ERR_INVALID_REQUEST, ""                             },
	{"null",									      ERR_INVALID_REQUEST, ""                             },
	{"{" HI "}",									  ERR_INVALID_REQUEST, "model"                        },
	{"{'model': '', " HI "}",							     ERR_INVALID_REQUEST, "model"                        },
	{"{'model': 1, " HI "}",							      ERR_INVALID_REQUEST, "model"                        },
	{"{'model': 'm'}",								    ERR_INVALID_REQUEST, "messages"                     },
	{"{'model': 'm', 'messages': []}",						    ERR_INVALID_REQUEST, "messages"                     },
	{"{'model': 'm', 'messages': {}}",						    ERR_INVALID_REQUEST, "messages"                     },
	{SAY("'hi'"),									 ERR_INVALID_REQUEST, "messages[0]"                  },
	{SAY("{'content': 'x'}"),							     ERR_INVALID_REQUEST, "messages[0].role"             },
	{SAY("{'role': 'bot', 'content': 'x'}"),                                              ERR_INVALID_REQUEST, "messages[0].role"             },
	{SAY("{'role': 'user'}"),							     ERR_INVALID_REQUEST, "messages[0].content"          },
	{SAY("{'role': 'user', 'content': []}"),                                              ERR_INVALID_REQUEST, "messages[0].content"          },
	{SAY("{'role': 'user', 'content': 1}"),                                               ERR_INVALID_REQUEST, "messages[0].content"          },
	{SAY("{'role': 'user', 'content': ['x']}"),                                           ERR_INVALID_REQUEST, "messages[0].content[0]"       },
	{SAY("{'role': 'user', 'content': 'x', 'tool_call_id': 'a'}"),                        ERR_INVALID_REQUEST,
         "messages[0].tool_call_id"													       },
	{SAY("{'role': 'assistant', 'is_error': true}"),                                      ERR_INVALID_REQUEST,
         "messages[0].is_error"														   },
	{SAY("{'role': 'tool', 'content': 'x'}"),                                             ERR_INVALID_REQUEST, "messages[0].tool_call_id"     },
	{SAY("{'role': 'tool', 'tool_call_id': '', 'content': 'x'}"),                         ERR_INVALID_REQUEST,
         "messages[0].tool_call_id"													       },
	{SAY("{'role': 'user', 'content': 'a'}, {'role': 'user', 'content': [{'type': 'text', "
	     "'text': 'b'}, {'type': 'hologram'}]}"),
         ERR_INVALID_REQUEST,										      "messages[1].content[1].type"  },
	{PART("{'text': 'x'}"),							       ERR_INVALID_REQUEST, "messages[0].content[0].type"  },
	{PART("{'type': 'text'}"),							    ERR_INVALID_REQUEST, "messages[0].content[0].text"  },
	{PART("{'type': 'text', 'text': 'x', 'url': 'http://a'}"),                            ERR_INVALID_REQUEST,
         "messages[0].content[0].url"													     },
	{PART("{'type': 'image'}"),							   ERR_INVALID_REQUEST, "messages[0].content[0]"       },
	{PART("{'type': 'image', 'url': 'http://a', 'data': 'bin:x'}"),                       ERR_INVALID_REQUEST,
         "messages[0].content[0]"														 },
	{PART("{'type': 'image', 'url': ''}"),						ERR_INVALID_REQUEST, "messages[0].content[0].url"   },
	{PART("{'type': 'image', 'url': 'u', 'text': 'x'}"),                                  ERR_INVALID_REQUEST,
         "messages[0].content[0].text"													    },
	{PART("{'type': 'opaque'}"),							  ERR_INVALID_REQUEST, "messages[0].content[0].opaque"},
	{PART("{'type': 'opaque', 'opaque': {'family': 'f'}}"),                               ERR_INVALID_REQUEST,
         "messages[0].content[0].opaque.data"												     },
	{PART("{'type': 'opaque', 'opaque': {'family': 'f', 'data': '{'}}"),                  ERR_INVALID_REQUEST,
         "messages[0].content[0].opaque.data"												     },
	{PART("{'type': 'opaque', 'opaque': {'family': '', 'data': '1'}}"),                   ERR_INVALID_REQUEST,
         "messages[0].content[0].opaque.family"												   },
	{PART("{'type': 'tool_call', 'id': 'a', 'name': 'f'}"),                               ERR_INVALID_REQUEST,
         "messages[0].content[0]"														 },
	{PART("{'type': 'tool_call', 'name': 'f'}"),                                          ERR_INVALID_REQUEST,
         "messages[0].content[0].id"													      },
	{PART("{'type': 'text', 'text': 'x', 'citations': 'x'}"),                             ERR_INVALID_REQUEST,
         "messages[0].content[0].citations"												       },
	{OPENED "'n': 0}",								    ERR_INVALID_REQUEST, "n"                            },
	{OPENED "'n': 1.5}",								  ERR_INVALID_REQUEST, "n"                            },
	{OPENED "'n': 'x'}",								  ERR_INVALID_REQUEST, "n"                            },
	{OPENED "'max_tokens': -1}",							  ERR_INVALID_REQUEST, "max_tokens"                   },
	{OPENED "'max_tokens': '9'}",							 ERR_INVALID_REQUEST, "max_tokens"                   },
	{OPENED "'top_logprobs': -1}",							ERR_INVALID_REQUEST, "top_logprobs"                 },
	{OPENED "'temperature': '1'}",							ERR_INVALID_REQUEST, "temperature"                  },
	{OPENED "'stream': 1}",							       ERR_INVALID_REQUEST, "stream"                       },
	{OPENED "'stop': 'x'}",							       ERR_INVALID_REQUEST, "stop"                         },
	{OPENED "'stop': ['a', 1]}",							  ERR_INVALID_REQUEST, "stop[1]"                      },
	{OPENED "'metadata': {'a': 1}}",						      ERR_INVALID_REQUEST, "metadata.a"                   },
	{OPENED "'metadata': []}",							    ERR_INVALID_REQUEST, "metadata"                     },
	{OPENED "'logit_bias': '[]'}",							ERR_INVALID_REQUEST, "logit_bias"                   },
	{OPENED "'modalities': ['smell']}",						   ERR_INVALID_REQUEST, "modalities[0]"                },
	{OPENED "'on_unsupported': 'ignore'}",						ERR_INVALID_REQUEST, "on_unsupported"               },
	{OPENED "'reasoning': {'effort': 'huge'}}",                                           ERR_INVALID_REQUEST, "reasoning.effort"             },
	{OPENED "'reasoning': 'high'}",						       ERR_INVALID_REQUEST, "reasoning"                    },
	{OPENED "'provider_options': {'openai': 1}}",                                         ERR_INVALID_REQUEST,
         "provider_options.openai"														},
	{OPENED "'provider_options': {'openai': '[]'}}",                                      ERR_INVALID_REQUEST,
         "provider_options.openai"														},
	{OPENED "'provider_options': {'openai': '{'}}",                                       ERR_INVALID_REQUEST,
         "provider_options.openai"														},
	{OPENED "'tool_choice': 'any'}",						      ERR_INVALID_REQUEST, "tool_choice"                  },
	{OPENED "'tool_choice': 7}",							  ERR_INVALID_REQUEST, "tool_choice"                  },
	{OPENED "'tool_choice': {}}",							 ERR_INVALID_REQUEST, "tool_choice.mode"             },
	{OPENED "'tool_choice': {'name': 'f', 'mode': 'auto'}}",                              ERR_INVALID_REQUEST,
         "tool_choice.mode"														       },
	{OPENED "'tool_choice': {'mode': 'none', 'allowed': ['f']}}",                         ERR_INVALID_REQUEST,
         "tool_choice.mode"														       },
	{OPENED "'tool_choice': {'mode': 'auto', 'allowed': []}}",                            ERR_INVALID_REQUEST,
         "tool_choice.allowed"														    },
	{OPENED "'response_format': {}}",						     ERR_INVALID_REQUEST, "response_format.type"         },
	{OPENED "'response_format': {'type': 'json_schema'}}",                                ERR_INVALID_REQUEST,
         "response_format.schema"														 },
	{OPENED "'response_format': {'type': 'json', 'schema': '{}'}}",                       ERR_INVALID_REQUEST,
         "response_format.schema"														 },
	{OPENED "'response_format': {'type': 'json_schema', 'schema': 'true'}}",
         ERR_INVALID_REQUEST,										      "response_format.schema"       },
	{TOOLS("{}"),									 ERR_INVALID_REQUEST, "tools[0].name"                },
	{TOOLS("{'name': ''}"),							       ERR_INVALID_REQUEST, "tools[0].name"                },
	{TOOLS("{'name': 'f', 'parameters': {}}"),                                            ERR_INVALID_REQUEST, "tools[0].parameters"          },
	{TOOLS("{'name': 'f', 'parameters': '3'}"),                                           ERR_INVALID_REQUEST, "tools[0].parameters"          },
	{TOOLS("{'name': 'f', 'raw': '{}'}"),						 ERR_INVALID_REQUEST, "tools[0].raw"                 },
	{TOOLS("{'name': 'f', 'type': 'magic'}"),                                             ERR_INVALID_REQUEST, "tools[0].type"                },
	{TOOLS("{'type': 'provider', 'raw': '{}'}"),                                          ERR_INVALID_REQUEST, "tools[0].family"              },
	{TOOLS("{'type': 'custom', 'name': 'f', 'parameters': '{}'}"),                        ERR_INVALID_REQUEST,
         "tools[0].parameters"														    },
	{TOOLS("{'name': 'f'}, {'name': 'g'}, {'type': 'custom', 'name': 'f'}"),
         ERR_INVALID_REQUEST,										      "tools[2].name"                },
	{OPENED "'extra': {'family': 'x'}}",						  ERR_INVALID_REQUEST, "extra.members"                },
	{OPENED "'extra': {'family': 'x', 'members': [['a']]}}",                              ERR_INVALID_REQUEST,
         "extra.members[0]"														       },
	{OPENED "'extra': {'family': 'x', 'members': [['a', '{']]}}",                         ERR_INVALID_REQUEST,
         "extra.members[0][1]"														    },
	{OPENED "'extra': {'family': 'x', 'members': [['a', '1'], ['b', '1'], ['a', '2']]}}",
         ERR_INVALID_REQUEST,										      "extra.members[2]"             },
	{OPENED "'extra': {'family': 'x', 'members': [['a', '1'], ['a\\u0000b', '1']]}}",
         ERR_INVALID_REQUEST,										      "extra.members[1]"             },
	{OPENED "'\xc5\xbftop': 1}",							  ERR_INVALID_REQUEST, "\xc5\xbftop"                  },
	{OPENED "'user\xe2\x84\xaa': 1}",						     ERR_INVALID_REQUEST, "user\xe2\x84\xaa"             },
	{"{'model': 'm\\u0000x', 'messages': [{'role': 'user', 'content': 'hi'}]}",
         ERR_INVALID_REQUEST,										      "model"                        },
	{"{'model': 'm\\r\\n', 'messages': [{'role': 'user', 'content': 'hi'}]}",
         ERR_INVALID_REQUEST,										      "model"                        },
	{OPENED "'extra': {'family': 'x', 'members': [], 'more': 1}}",                        ERR_UNSUPPORTED,
         "extra.more"															     },
	{OPENED "'later': {'a': 1, 'A': 2}}",						 ERR_INVALID_REQUEST, "later"                        },
	{OPENED "'reasoning': {'style': 1}, 'reasoning.style': 2}",                           ERR_INVALID_REQUEST,
         "reasoning.style"															},
	{OPENED "'extra': {'family': 'broker', 'members': [['later', '1']]}, 'later': 2}",
         ERR_INVALID_REQUEST,										      "later"                        },
	{OPENED "'extra': {'family': 'x', 'members': [['a', '1']]}, 'later': 1}",
         ERR_INVALID_REQUEST,										      "later"                        },
};

static void test_refused(void)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		OWNED(arena_done) struct arena a;
		struct fault why = FAULT_NONE;
		struct llm_request r;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		buf_clear(&packed);
		packed_json(&packed, refused[i].json);
		is_err(request_unpack(buf_view(&packed), &a, &r, &why), refused[i].want, "%s",
			refused[i].json);
		is_str(why.param, refused[i].param, "its path");
		ok(why.message[0] && strncmp(why.message, why.param, strlen(why.param)) == 0,
			"its sentence: %s", why.message);
	}
}

/* ---- the operations beside chat ---- */

static const struct {
	enum llm_op op;
	const char *json;
	enum err want;
	const char *param;
} others[] = {
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a', {'type': 'text', 'text': 'b'}]}",           OK,                  ""          },
	{LLM_OP_EMBED,
         "{'model': 'm', 'inputs': [{'type': 'image', 'data': 'bin:x'}], 'dimensions': 8}",           OK,                  ""          },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'input_type': 'code_query', 'user': 'u'}",
         OK,													       ""          },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'truncate': 'start', 'stream': true}",     OK,
         ""															    },
	{LLM_OP_RERANK,   "{'model': 'm', 'inputs': ['a'], 'query': '', 'top_n': 1}",                 OK,                  ""          },
	{LLM_OP_MODERATE, "{'model': 'm', 'inputs': ['']}",                                           OK,                  ""          },
	{LLM_OP_COMPLETE, "{'model': 'm', 'inputs': ['a'], 'max_tokens': 5}",                         OK,                  ""          },
	{LLM_OP_COMPLETE, "{'model': 'm', " HI "}",                                                   OK,                  ""          },
	{LLM_OP_COUNT,    "{'model': 'm', " HI ", 'tools': []}",                                      OK,                  ""          },
	{LLM_OP_MODELS,   "{}",								       OK,                  ""          },
	{LLM_OP_MODELS,   "{'model': 'openai'}",						      OK,                  ""          },
	{LLM_OP_EMBED,    "{'model': 'm'}",							   ERR_INVALID_REQUEST, "inputs"    },
	{LLM_OP_EMBED,    "{'inputs': ['a']}",							ERR_INVALID_REQUEST, "model"     },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': []}",                                             ERR_INVALID_REQUEST, "inputs"    },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': 'a'}",                                            ERR_INVALID_REQUEST, "inputs"    },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': [1]}",                                            ERR_INVALID_REQUEST, "inputs[0]" },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a', {'type': 'audio', 'url': 'u'}]}",
         ERR_INVALID_REQUEST,											      "inputs[1]" },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], " HI "}",                                  ERR_INVALID_REQUEST, "messages"  },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'query': 'q'}",                            ERR_INVALID_REQUEST,
         "query"														       },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'dimensions': 0}",                         ERR_INVALID_REQUEST,
         "dimensions"														  },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'input_type': 'x'}",                       ERR_INVALID_REQUEST,
         "input_type"														  },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'truncate': 'middle'}",                    ERR_INVALID_REQUEST,
         "truncate"														    },
	{LLM_OP_EMBED,    "{'model': 'm', 'inputs': ['a'], 'temperature': 1}",                        ERR_INVALID_REQUEST,
         "temperature"														 },
	{LLM_OP_RERANK,   "{'model': 'm', 'inputs': ['a']}",                                          ERR_INVALID_REQUEST, "query"     },
	{LLM_OP_RERANK,   "{'model': 'm', 'inputs': ['a'], 'query': 'q', 'dimensions': 1}",
         ERR_INVALID_REQUEST,											      "dimensions"},
	{LLM_OP_COUNT,    "{'model': 'm', 'inputs': ['a']}",                                          ERR_INVALID_REQUEST, "messages"  },
	{LLM_OP_COMPLETE, "{'model': 'm'}",							   ERR_INVALID_REQUEST, "inputs"    },
	{LLM_OP_MODELS,   "{" HI "}",								 ERR_INVALID_REQUEST, "messages"  },
	{LLM_OP_CHAT,     "{'model': 'm', " HI ", 'inputs': ['a']}",                                  ERR_INVALID_REQUEST, "inputs"    },
};

static bool same_inputs(const struct llm_request *a, const struct llm_request *b)
{
	for (size_t i = 0; a->n_inputs == b->n_inputs && i < a->n_inputs; i++) {
		if (!same_part(&a->inputs[i], &b->inputs[i]))
			return false;
	}
	return a->n_inputs == b->n_inputs && same_span(a->query, b->query) &&
	       same_span(a->input_type, b->input_type) && same_span(a->truncate, b->truncate) &&
	       same_i64(a->top_n, b->top_n) && same_i64(a->dimensions, b->dimensions);
}

static void test_others(void)
{
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
		OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_BODY_BYTES);
		OWNED(arena_done) struct arena a;
		struct fault why = FAULT_NONE;
		struct llm_request r, back;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		packed_json(&packed, others[i].json);
		is_err(request_unpack_op(others[i].op, buf_view(&packed), &a, &r, &why),
			others[i].want, "%s: %s", llm_op_name(others[i].op), others[i].json);
		is_str(why.param, others[i].param, "its path");
		if (others[i].want)
			continue;
		request_pack(&r, &again);
		is_err(request_unpack_op(others[i].op, buf_view(&again), &a, &back, &why), OK,
			"packed and unpacked");
		ok(same_inputs(&r, &back), "and the same");
	}
}

/* What JSON texts cannot write, or what would be long. */
static void test_refused_bytes(void)
{
	static const struct {
		const char *name;
		const char *member, *value;
		size_t value_bytes;
		enum err want;
	} rows[] = {
		{"a temperature that is no number", "temperature", "\xcb\x7f\xf8\0\0\0\0\0\0",     9,
                 ERR_INVALID_REQUEST										      },
		{"an unknown member with an ext",   "later",       "\xd4\x05\x01",                 3,  ERR_INVALID_REQUEST},
		{"an unknown member with NaN",      "later",       "\x91\xcb\x7f\xf8\0\0\0\0\0\0", 10,
                 ERR_INVALID_REQUEST										      },
		{"a seed over 63 bits",             "seed",        "\xcf\x80\0\0\0\0\0\0\0",       9,  ERR_INVALID_REQUEST},
	};
	OWNED(arena_done) struct arena a;
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_BODY_BYTES);
	struct llm_request r;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fault why = FAULT_NONE;
		buf_clear(&b);
		pack_put_map(&b, 3);
		pack_put_text(&b, "model");
		pack_put_text(&b, "m");
		pack_put_text(&b, "messages");
		packed_json(&b, "[{'role': 'user', 'content': 'hi'}]");
		pack_put_text(&b, rows[i].member);
		buf_put(&b, rows[i].value, rows[i].value_bytes);
		is_err(request_unpack(buf_view(&b), &a, &r, &why), rows[i].want, "%s",
			rows[i].name);
		is_str(why.param, rows[i].member, "its path");
	}
	is_err(request_unpack(span_of("\x81\xa5model", 7), &a, &r, NULL), ERR_MALFORMED, "cut");
	is_err(request_unpack(SPAN_NONE, &a, &r, NULL), ERR_MALFORMED, "nothing at all");

	/* ceilings */
	char label[LIMIT_LABEL_BYTES + 2];
	memset(label, 'm', sizeof label);
	for (size_t more = 0; more < 2; more++) {
		buf_clear(&b);
		pack_put_map(&b, 2);
		pack_put_text(&b, "model");
		pack_put_str(&b, span_of(label, LIMIT_LABEL_BYTES + more));
		pack_put_text(&b, "messages");
		packed_json(&b, "[{'role': 'user', 'content': 'hi'}]");
		is_err(request_unpack(buf_view(&b), &a, &r, NULL), more ? ERR_TOO_BIG : OK,
			"a model's name of %zu bytes", LIMIT_LABEL_BYTES + more);

		buf_clear(&b);
		pack_put_map(&b, 3);
		pack_put_text(&b, "model");
		pack_put_text(&b, "m");
		pack_put_text(&b, "messages");
		packed_json(&b, "[{'role': 'user', 'content': 'hi'}]");
		pack_put_text(&b, "tools");
		pack_put_array(&b, LIMIT_TOOLS + more);
		for (size_t i = 0; i < LIMIT_TOOLS + more; i++) {
			char name[16];
			snprintf(name, sizeof name, "f%zu", i);
			pack_put_map(&b, 1);
			pack_put_text(&b, "name");
			pack_put_text(&b, name);
		}
		is_err(request_unpack(buf_view(&b), &a, &r, NULL), more ? ERR_TOO_BIG : OK,
			"%zu tools", LIMIT_TOOLS + more);
	}

	/* JSON texts: a name twice is a schema's own business, and not an option's */
	static const struct {
		const char *name, *before, *json, *after;
		enum err want;
	} twice[] = {
		{"in a schema",        "'tools': [{'name': 'f', 'parameters': '",                "{\"a\":1,\"a\":2}",
                 "'}]",												      OK                 },
		{"in options",         "'provider_options': {'openai': '",                       "{\"a\":1,\"A\":2}", "'}",
                 ERR_INVALID_REQUEST													    },
		{"in options, deeper", "'provider_options': {'openai': '",
                 "{\"x\":[{\"a\":1,\"\\u0061\":2}]}",								 "'}",  ERR_INVALID_REQUEST},
		{"in a logit bias",    "'logit_bias': '",                                        "{\"1\":1,\"1\":2}", "'",
                 ERR_INVALID_REQUEST													    },
		{"in extra",           "'extra': {'family': 'x', 'members': [['a', '",           "{\"a\":1,\"a\":2}",
                 "']]}",												     ERR_INVALID_REQUEST},
		{"in a raw tool",      "'tools': [{'type': 'provider', 'family': 'x', 'raw': '",
                 "{\"a\":1,\"a\":2}",										 "'}]", ERR_INVALID_REQUEST},
	};
	for (size_t i = 0; i < COUNT_OF(twice); i++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);
		buf_text(&text, OPENED);
		buf_text(&text, twice[i].before);
		for (const char *p = twice[i].json; *p; p++) {
			if (*p == '"' || *p == '\\')
				buf_byte(&text, '\\');
			buf_byte(&text, *p);
		}
		buf_text(&text, twice[i].after);
		buf_put(&text, "}", 2);
		buf_clear(&b);
		packed_json(&b, text.p);
		is_err(request_unpack(buf_view(&b), &a, &r, NULL), twice[i].want, "a name twice %s",
			twice[i].name);
	}
}

/* ---- what is not known is kept ---- */

static void test_unknown(void)
{
	static const char json[] =
		"{'model': 'm', 'later': {'a': [1, null, 0.5, 'bin:foo'], 'b': {}}, 'reasoning': "
		"{'effort': 'low', 'style': 'terse'}, 'messages': [{'role': 'user', 'mood': true, "
		"'content': [{'type': 'text', 'text': 'x', 'font': 'mono'}, {'type': 'opaque', "
		"'opaque': {'family': 'f', 'data': '1', 'age': 7}}]}], 'tools': [{'name': 'f', "
		"'price': 18446744073709551615.0, 'since': null}], 'tool_choice': {'name': 'f', "
		"'why': 1}}";
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_request r, back;
	struct fault why = FAULT_NONE;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	packed_json(&b, json);
	is_err(request_unpack(buf_view(&b), &a, &r, &why), OK, "unknown members at every level: %s",
		why.message);
	const struct {
		const char *where;
		const struct extra *extra;
		size_t i;
		const char *name, *json;
	} rows[] = {
		{"request",     &r.extra,                      0, "later",           "{\"a\":[1,null,0.5,\"Zm9v\"],\"b\":{}}"},
		{"reasoning",   &r.extra,                      1, "reasoning.style", "\"terse\""                             },
		{"tool choice", &r.extra,                      2, "tool_choice.why", "1"                                     },
		{"message",     &r.messages[0].extra,          0, "mood",            "true"                                  },
		{"part",        &r.messages[0].parts[0].extra, 0, "font",            "\"mono\""                              },
		{"opaque",      &r.messages[0].parts[1].extra, 0, "opaque.age",      "7"                                     },
		{"tool",        &r.tools[0].extra,             0, "price",           "1.8446744073709552e19"                 },
		{"tool, nil",   &r.tools[0].extra,             1, "since",           "null"                                  },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct extra *x = rows[i].extra;
		ok(x->n > rows[i].i && span_is(x->family, "broker"), "%s: kept", rows[i].where);
		if (x->n <= rows[i].i)
			continue;
		const struct extra_member *m = &x->members[rows[i].i];
		is_mem(m->name.p, m->name.n, rows[i].name, strlen(rows[i].name), "its path");
		is_mem(m->json.p, m->json.n, rows[i].json, strlen(rows[i].json), "as JSON");
	}
	is_uint(r.extra.n, 3, "and no more of the request's");
	request_pack(&r, &again);
	is_err(request_unpack(buf_view(&again), &a, &back, &why), OK, "packed and unpacked: %s",
		why.message);
	is_str(difference(&r, &back), NULL, "nothing is lost");

	buf_clear(&b);
	packed_json(&b, OPENED "'extra': {'family': 'broker', 'members': [['a', '1']]}, 'b': 2}");
	is_err(request_unpack(buf_view(&b), &a, &r, &why), OK, "beside an extra of ours");
	ok(r.extra.n == 2 && span_is(r.extra.members[0].name, "a") &&
			span_is(r.extra.members[1].name, "b"),
		"the two are joined");

	/* so many that their list grows, each with its own name */
	buf_clear(&b);
	pack_put_map(&b, 1002);
	pack_put_text(&b, "model");
	pack_put_text(&b, "m");
	for (int i = 0; i < 1000; i++) {
		char name[16];
		snprintf(name, sizeof name, "x%d", i);
		pack_put_text(&b, name);
		pack_put_i64(&b, i);
	}
	pack_put_text(&b, "messages");
	packed_json(&b, "[{'role': 'user', 'content': 'hi'}]");
	is_err(request_unpack(buf_view(&b), &a, &r, &why), OK, "a thousand unknown members");
	is_uint(r.extra.n, 1000, "are all kept");
	ok(span_is(r.extra.members[999].name, "x999") && span_is(r.extra.members[999].json, "999"),
		"in order");
}

/* ---- any request ---- */

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

static bool maybe(void)
{
	return draw(2) != 0;
}

static struct span any_text(void)
{
	static const struct span texts[] = {T(""), T("a"), T("\0"), T("gr\xc3\xbc\xc3\x9f dich"),
		T("\xf0\x9f\x98\x80"), T("line\nline"), T("\"quoted\"\\"),
		T("a text of more than thirty-one bytes, for the longer head")};
	return texts[draw(COUNT_OF(texts))];
}

static struct span any_name(struct arena *a)
{
	static unsigned n;
	char name[24];
	struct span out;
	snprintf(name, sizeof name, "name%u", n++);
	if (arena_dup(a, span_str(name), &out))
		bail("out of memory");
	return out;
}

static struct span any_json(void)
{
	static const struct span texts[] = {T("null"), T(" [1, 2] "), T("9007199254740993"),
		T("{\"b\":1,\"a\":{}}"), T("\"\\u0000\""), T("1e400")};
	return texts[draw(COUNT_OF(texts))];
}

static struct span any_object(void)
{
	return maybe() ? SPAN("{}") : SPAN("{\"b\":1.0,\"a\":[{\"c\":null}]}");
}

static struct span maybe_text(void)
{
	return maybe() ? any_text() : SPAN_NONE;
}

static void *room(struct arena *a, size_t n, size_t size)
{
	void *p = arena_array(a, n, size);
	if (!p)
		bail("out of memory");
	return p;
}

static struct extra any_extra(struct arena *a)
{
	if (draw(4))
		return (struct extra){.n = 0};
	struct extra x = {maybe() ? SPAN("gemini") : SPAN("broker"), NULL, 1 + draw(3)};
	x.members = room(a, x.n, sizeof *x.members);
	for (size_t i = 0; i < x.n; i++)
		x.members[i] = (struct extra_member){.name = any_name(a), .json = any_json()};
	return x;
}

static struct opaque any_opaque(void)
{
	return (struct opaque){SPAN("bedrock"), maybe_text(), any_json()};
}

static struct part any_part(struct arena *a, enum role role)
{
	struct part p = {.type = (enum part_type)draw(
				 role == ROLE_ASSISTANT ? PART_TOOL_CALL + 1 : PART_TOOL_CALL),
		.extra = any_extra(a)};
	if (!draw(4))
		p.cache = SPAN("5m");
	if (!draw(4))
		p.citations = any_json();
	switch (p.type) {
	case PART_TEXT:
	case PART_REFUSAL:
		p.text = any_text();
		break;
	case PART_REASONING:
		p.text = any_text();
		p.is_summary = maybe();
		if (maybe())
			p.opaque = any_opaque();
		break;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		if (maybe())
			p.media.data = any_text();
		else if (maybe())
			p.media.url = any_name(a);
		else
			p.media.file_id = any_name(a);
		p.media.filename = maybe_text();
		p.media.detail = maybe_text();
		p.media.mime = maybe() ? any_name(a) : SPAN_NONE;
		break;
	case PART_OPAQUE:
		p.opaque = any_opaque();
		break;
	case PART_TOOL_CALL:
		p.call = (struct tool_call){any_name(a), any_name(a), any_text(), maybe()};
		if (maybe())
			p.opaque = any_opaque();
		break;
	}
	return p;
}

static struct message any_message(struct arena *a)
{
	struct message m = {.role = (enum role)draw(ROLE_TOOL + 1), .extra = any_extra(a)};
	m.n_parts = draw(4) + (m.role == ROLE_ASSISTANT ? 0 : 1);
	m.parts = room(a, m.n_parts, sizeof *m.parts);
	for (size_t i = 0; i < m.n_parts; i++)
		m.parts[i] = any_part(a, m.role);
	m.name = maybe_text();
	if (m.role == ROLE_TOOL) {
		m.tool_call_id = any_name(a);
		m.is_error = maybe();
	}
	return m;
}

static struct tool any_tool(struct arena *a)
{
	struct tool t = {.type = (enum tool_type)draw(TOOL_PROVIDER + 1),
		.name = any_name(a),
		.description = maybe_text(),
		.extra = any_extra(a)};
	switch (t.type) {
	case TOOL_FUNCTION:
		t.parameters = maybe() ? any_object() : SPAN_NONE;
		t.strict = (struct opt_bool){maybe(), maybe()};
		break;
	case TOOL_CUSTOM:
		t.format = maybe() ? any_json() : SPAN_NONE;
		break;
	case TOOL_PROVIDER:
		if (maybe())
			t.name = SPAN_NONE;
		t.family = any_name(a);
		t.raw = any_object();
		break;
	}
	return t;
}

static struct opt_f64 any_f64(void)
{
	return (struct opt_f64){maybe(), ((double)draw(2000) - 1000) / (1 + draw(700))};
}

static struct opt_i64 any_i64(int64_t least)
{
	return (struct opt_i64){maybe(), least + (int64_t)(seed >> (1 + draw(63)))};
}

static struct span *any_texts(struct arena *a, size_t *n)
{
	*n = draw(4);
	struct span *texts = room(a, *n, sizeof *texts);
	for (size_t i = 0; i < *n; i++)
		texts[i] = any_text();
	return texts;
}

static struct llm_request any_request(struct arena *a)
{
	static const char *const efforts[] = {"none", "minimal", "low", "medium", "high", "max"};
	struct llm_request r = {
		.model = any_name(a), .n_messages = 1 + draw(5), .n_tools = draw(4)};
	r.messages = room(a, r.n_messages, sizeof *r.messages);
	for (size_t i = 0; i < r.n_messages; i++)
		r.messages[i] = any_message(a);
	r.tools = room(a, r.n_tools, sizeof *r.tools);
	for (size_t i = 0; i < r.n_tools; i++)
		r.tools[i] = any_tool(a);
	r.tool_choice.mode = (enum tool_choice_mode)draw(CHOICE_NAMED + 1);
	if (r.tool_choice.mode == CHOICE_NAMED ||
		(draw(3) == 0 && (r.tool_choice.mode == CHOICE_AUTO ||
					 r.tool_choice.mode == CHOICE_REQUIRED))) {
		r.tool_choice.n_names = r.tool_choice.mode == CHOICE_NAMED ? 1 : 1 + draw(3);
		r.tool_choice.names = room(a, r.tool_choice.n_names, sizeof *r.tool_choice.names);
		for (size_t i = 0; i < r.tool_choice.n_names; i++)
			r.tool_choice.names[i] = any_name(a);
	}
	r.parallel_tool_calls = (struct opt_bool){maybe(), maybe()};
	r.response_format.type = (enum format_type)draw(FORMAT_SCHEMA + 1);
	if (r.response_format.type == FORMAT_SCHEMA) {
		r.response_format.schema = any_object();
		r.response_format.name = maybe() ? any_name(a) : SPAN_NONE;
		r.response_format.description = maybe_text();
		r.response_format.strict = (struct opt_bool){maybe(), maybe()};
	}
	if (maybe())
		r.reasoning.effort = span_str(efforts[draw(COUNT_OF(efforts))]);
	r.reasoning.budget_tokens = any_i64(-1);
	if (maybe())
		r.reasoning.expose = SPAN("text");
	r.max_tokens = any_i64(0);
	r.temperature = any_f64();
	r.top_p = any_f64();
	r.min_p = any_f64();
	r.top_k = any_i64(-5);
	r.presence_penalty = any_f64();
	r.frequency_penalty = any_f64();
	r.repetition_penalty = any_f64();
	r.n = any_i64(1);
	r.seed = any_i64(INT64_MIN);
	r.stop = any_texts(a, &r.n_stop);
	r.logit_bias = maybe() ? any_object() : SPAN_NONE;
	r.logprobs = (struct opt_bool){maybe(), maybe()};
	r.top_logprobs = any_i64(0);
	if (maybe()) {
		r.n_modalities = 1;
		r.modalities = room(a, 1, sizeof *r.modalities);
		r.modalities[0] = SPAN("image");
	}
	r.audio_voice = maybe_text();
	r.audio_format = maybe_text();
	r.is_stream = maybe();
	r.user = maybe_text();
	r.n_metadata = draw(20);
	r.metadata = room(a, r.n_metadata, sizeof *r.metadata);
	for (size_t i = 0; i < r.n_metadata; i++)
		r.metadata[i] = (struct string_pair){any_name(a), any_text()};
	r.service_tier = maybe_text();
	r.verbosity = maybe_text();
	r.cache_key = maybe_text();
	r.cache_ttl = maybe() ? SPAN("5m") : SPAN_NONE;
	r.on_unsupported = maybe() ? UNSUPPORTED_WARN : UNSUPPORTED_REJECT;
	r.wants_raw = maybe();
	r.n_provider_options = draw(3);
	r.provider_options = room(a, r.n_provider_options, sizeof *r.provider_options);
	for (size_t i = 0; i < r.n_provider_options; i++)
		r.provider_options[i] = (struct string_pair){any_name(a), any_object()};
	r.extra = any_extra(a);
	return r;
}

static void test_any(void)
{
	enum { ROUNDS = 2000 };
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	int same = 0, survived = 0;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	for (int round = 0; round < ROUNDS; round++) {
		struct fault why = FAULT_NONE;
		struct llm_request back;
		const struct llm_request r = any_request(&a);
		buf_clear(&packed);
		buf_clear(&again);
		request_pack(&r, &packed);
		const enum err err = request_unpack(buf_view(&packed), &a, &back, &why);
		const char *differs = err ? why.message : difference(&r, &back);
		if (differs)
			ok(false, "round %d: %s", round, differs);
		else
			request_pack(&back, &again);
		same += !differs && span_eq(buf_view(&packed), buf_view(&again));

		/* damaged, it is refused or it is another request, and never a crash */
		for (uint32_t hits = 1 + draw(4); hits > 0; hits--)
			packed.p[draw((uint32_t)packed.n)] = (char)draw(256);
		if (request_unpack(buf_view(&packed), &a, &back, &why) == OK) {
			buf_clear(&again);
			request_pack(&back, &again);
			struct llm_request third;
			is_err(request_unpack(buf_view(&again), &a, &third, &why), OK,
				"round %d: what was taken goes round again: %s", round,
				why.message);
			survived++;
		}
		arena_done(&a);
	}
	is_int(same, ROUNDS, "random requests come back the same, byte for byte");
	ok(survived > 100 && survived < ROUNDS, "%d were requests still after damage", survived);
}

int main(void)
{
	enum llm_op op;
	for (int i = 0; i < LLM_OP_COUNT_OF; i++)
		ok(llm_op_from(span_str(llm_op_name((enum llm_op)i)), &op) && (int)op == i,
			"operation %d is %s", i, llm_op_name((enum llm_op)i));
	ok(!llm_op_from(SPAN("CHAT"), &op) && !llm_op_from(SPAN_NONE, &op), "and no other");

	test_every_member();
	test_accepted();
	test_refused();
	test_others();
	test_refused_bytes();
	test_unknown();
	test_any();
	return tap_done();
}
