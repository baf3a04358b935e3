/* test_client_chat.c - does a program get what a broker answers, and a broker what a program asks? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fake_client.h"

/* ---- whole ---- */

static void check_usage(const llm_usage *u)
{
	is_int(llm_usage_input_tokens(u), 12, "input is all input");
	is_int(llm_usage_cached_tokens(u), 2, "cached");
	is_int(llm_usage_cache_write_tokens(u), -1, "not known is not zero");
	is_int(llm_usage_output_tokens(u), 34, "output and reasoning");
	is_int(llm_usage_reasoning_tokens(u), 4, "reasoning");
	is_int(llm_usage_cost_nanousd(u), 5600, "cost");
	is_int(llm_usage_ttft_us(u), 120, "time to the first piece");
	is_int(llm_usage_total_us(u), 3400, "time in all");
	is_int(llm_usage_kept(u), 1, "it is kept");
	is_int(llm_usage_kept(NULL), 0, "what is not there is not");
}

static void whole_answer(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_for(b);
	llm_request *r = question("hi");
	llm_result *a = llm_chat(c, r);
	ok(a != NULL, "an answer: %s", llm_error_message(llm_last_error(c)));
	is_str(llm_result_text(a), "hello", "its text");
	is_str(llm_result_stop_reason(a), "stop", "why it stopped");
	is_str(llm_result_provider(a), "fake", "who answered");
	is_str(llm_result_model(a), "echo", "which model");
	is_str(llm_result_reasoning(a), NULL, "no reasoning");
	is_str(llm_result_refusal(a), NULL, "no refusal");
	check_usage(llm_result_usage(a));
	llm_result_free(a);
	llm_request_free(r);

	char *text = llm_ask(c, NULL, "hi");
	is_str(text, "hello", "the short way");
	llm_free(text);
	is_int(fake_connections(b), 1, "one connection for both");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- streamed ---- */

static void send(struct fake_to to, struct llm_event e)
{
	fake_event(to, &e);
}

static void rich_script(struct fake_call *c, void *arg)
{
	(void)arg;
	struct llm_event start = {.type = EV_START};
	start.start.id = SPAN("chat-1");
	start.start.model = SPAN("echo-2");
	send(c->to, start);
	fake_status(c->to, "connecting", "to the provider");
	struct llm_event warning = {.type = EV_WARNING};
	warning.warning.code = SPAN("dropped_parameter");
	warning.warning.param = SPAN("top_k");
	warning.warning.message = SPAN("top_k is not known there");
	send(c->to, warning);
	send(c->to, (struct llm_event){.type = EV_REASONING, .text = SPAN("hm")});
	struct llm_event seal = {.type = EV_OPAQUE};
	seal.opaque.family = SPAN("anthropic");
	seal.opaque.model = SPAN("echo-2");
	seal.opaque.data = SPAN("{\"signature\":\"abc\"}");
	send(c->to, seal);
	struct extra_member phase = {.name = SPAN("item.phase"), .json = SPAN("\"commentary\"")};
	struct llm_event begun = {.type = EV_PART};
	begun.part.type = PART_TEXT;
	begun.part.text = SPAN("");
	begun.part.extra = (struct extra){SPAN("openai-responses"), &phase, 1};
	send(c->to, begun);
	fake_text(c->to, "Hel");
	send(c->to, (struct llm_event){.type = EV_TEXT, .text = SPAN("l\0o")});
	struct llm_event cited = {.type = EV_PART};
	cited.part.type = PART_TEXT;
	cited.part.text = SPAN("");
	cited.part.citations = SPAN("[7]");
	send(c->to, cited);
	struct llm_event call = {.type = EV_TOOL_START, .tool = 0};
	call.call.id = SPAN("call_1");
	call.call.name = SPAN("weather");
	send(c->to, call);
	send(c->to,
		(struct llm_event){.type = EV_TOOL_ARGS, .tool = 0, .text = SPAN("{\"city\":")});
	send(c->to, (struct llm_event){.type = EV_TOOL_ARGS, .tool = 0, .text = SPAN("\"Bonn\"}")});
	send(c->to, (struct llm_event){.type = EV_TOOL_END, .tool = 0});
	struct llm_event usage = {.type = EV_USAGE, .usage = USAGE_UNKNOWN};
	usage.usage.output = 3;
	send(c->to, usage);
	fake_end(c->to);
}

static const struct {
	llm_event_type type;
	const char *text, *detail;
} rich_events[] = {
	{LLM_EV_STATUS,     "",    "to the provider"         },
	{LLM_EV_WARNING,    "",    "top_k is not known there"},
	{LLM_EV_REASONING,  "",    "hm"                      },
	{LLM_EV_PART,       "",    ""                        },
	{LLM_EV_TEXT,       "Hel", ""                        },
	{LLM_EV_TEXT,       "l",   ""                        },
	{LLM_EV_PART,       "",    "[7]"                     },
	{LLM_EV_TOOL_START, "",    ""                        },
	{LLM_EV_TOOL_ARGS,  "",    "{\"city\":"              },
	{LLM_EV_TOOL_ARGS,  "",    "\"Bonn\"}"               },
	{LLM_EV_TOOL_END,   "",    ""                        },
	{LLM_EV_USAGE,      "",    ""                        },
	{LLM_EV_DONE,       "",    ""                        },
};

static void check_details(const llm_event *ev)
{
	size_t n;
	switch (llm_event_type_of(ev)) {
	case LLM_EV_STATUS:
		is_str(llm_event_status_word(ev), "connecting", "a status has its word");
		break;
	case LLM_EV_WARNING:
		is_str(llm_event_warning_code(ev), "dropped_parameter", "a warning has its code");
		is_str(llm_event_warning_param(ev), "top_k", "and what it is about");
		break;
	case LLM_EV_TEXT:
		if (llm_event_text(ev, &n)[0] == 'l')
			is_mem(llm_event_text(ev, NULL), n, "l\0o", 3, "a NUL is text too");
		break;
	case LLM_EV_TOOL_START:
	case LLM_EV_TOOL_ARGS:
		is_str(llm_event_tool_id(ev), "call_1", "a tool event has its id");
		is_str(llm_event_tool_args(ev), NULL, "arguments that are not whole are none");
		break;
	case LLM_EV_TOOL_END:
		is_str(llm_event_tool_name(ev), "weather", "and its name");
		is_str(llm_event_tool_args(ev), "{\"city\":\"Bonn\"}", "and all of its arguments");
		break;
	case LLM_EV_USAGE:
		is_int(llm_usage_output_tokens(llm_event_usage(ev)), 3, "usage so far");
		break;
	case LLM_EV_DONE:
		check_usage(llm_event_usage(ev));
		break;
	default:
		break;
	}
}

static void streamed_answer(void)
{
	const struct fake_options o = {.script = rich_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	const llm_event *ev;
	size_t n = 0;
	while (llm_stream_next(s, &ev) == 1 && n < COUNT_OF(rich_events)) {
		is_int(llm_event_type_of(ev), rich_events[n].type, "event %zu: its type", n);
		is_str(llm_event_text(ev, NULL), rich_events[n].text, "event %zu: its text", n);
		is_str(llm_event_detail(ev, NULL), rich_events[n].detail, "event %zu: detail", n);
		check_details(ev);
		n++;
	}
	is_uint(n, COUNT_OF(rich_events), "all events came, and no other");
	is_int(llm_stream_next(s, &ev), 0, "the end stays the end");
	is_int(llm_error_code(llm_stream_error(s)), LLM_OK, "it was a good one");
	is_str(llm_stream_request_id(s), "req_1", "the broker's name for it");
	const llm_result *a = llm_stream_result(s);
	is_str(llm_result_reasoning(a), "hm", "reasoning adds up");
	is_uint(llm_result_tool_calls(a), 1, "one tool call");
	is_str(llm_result_tool_args(a, 0), "{\"city\":\"Bonn\"}", "its arguments");
	is_str(llm_result_tool_args(a, 1), NULL, "there is no second");
	llm_stream_free(s);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- an answer goes into the next question as it was ---- */

static void history_script(struct fake_call *c, void *arg)
{
	(void)arg;
	if (c->nth == 0) {
		rich_script(c, NULL);
		return;
	}
	const struct llm_request *r = &c->request;
	const struct message *m = r->n_messages == 3 ? &r->messages[1] : NULL;
	const char *wrong = NULL;
	if (!m || m->role != ROLE_ASSISTANT || m->n_parts != 3)
		wrong = "the assistant's message";
	else if (m->parts[0].type != PART_REASONING || !span_is(m->parts[0].text, "hm") ||
		 !span_is(m->parts[0].opaque.data, "{\"signature\":\"abc\"}"))
		wrong = "the reasoning and its signature";
	else if (m->parts[1].type != PART_TEXT || !span_eq(m->parts[1].text, SPAN("Hell\0o")) ||
		 !span_is(m->parts[1].citations, "[7]"))
		wrong = "the text";
	else if (!span_is(m->parts[1].extra.family, "openai-responses") ||
		 m->parts[1].extra.n != 1 ||
		 !span_is(m->parts[1].extra.members[0].name, "item.phase") ||
		 !span_is(m->parts[1].extra.members[0].json, "\"commentary\""))
		wrong = "what comes back with the text";
	else if (m->parts[2].type != PART_TOOL_CALL ||
		 !span_is(m->parts[2].call.arguments, "{\"city\":\"Bonn\"}"))
		wrong = "the tool call";
	else if (r->messages[2].role != ROLE_TOOL || !r->messages[2].is_error ||
		 !span_is(r->messages[2].tool_call_id, "call_1"))
		wrong = "the tool's result";
	if (wrong)
		fake_fault(c->to, ERR_INVALID_REQUEST, wrong);
	else
		fake_end(c->to);
}

/* The answer of a stream, which is taken from it and outlives it. */
static void streamed_answer_is_said_back(void)
{
	const struct fake_options o = {.script = history_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = question("weather?");
	llm_stream *s = llm_stream_start(c, r);
	const llm_event *ev;
	is_int(llm_stream_next(s, &ev), 1, "an event");
	ok(!llm_stream_take_result(s), "it has not ended");
	while (llm_stream_next(s, &ev) > 0)
		;
	llm_result *a = llm_stream_take_result(s);
	is_str(llm_result_text(llm_stream_result(s)), "", "the stream's is empty");
	llm_stream_free(s);
	llm_client_free(c);
	is_str(llm_result_reasoning(a), "hm", "ours has outlived it");
	is_str(llm_result_provider(a), "fake", "with who answered");
	c = client_for(b);
	is_int(llm_request_result(r, a), LLM_OK, "it is added");
	llm_result_free(a);
	is_int(llm_request_tool_result(r, "call_1", "no such city", 1), LLM_OK, "and a result");
	a = llm_chat(c, r);
	ok(a != NULL, "all of it is said: %s", llm_error_message(llm_last_error(c)));
	llm_result_free(a);
	llm_request_free(r);
	ok(!llm_stream_take_result(NULL), "nothing has nothing");
	llm_client_free(c);
	fake_stop(b);
}

static void answer_is_said_back(void)
{
	const struct fake_options o = {.script = history_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = question("weather?");
	llm_result *a = llm_chat(c, r);
	is_int(llm_request_result(r, a), LLM_OK, "an answer is added");
	llm_result_free(a);
	is_int(llm_request_tool_result(r, "call_1", "no such city", 1), LLM_OK, "and a result");
	llm_request *copy = llm_request_copy(r);
	llm_request_free(r);
	a = llm_chat(c, copy);
	ok(a != NULL, "a copy says all of it: %s", llm_error_message(llm_last_error(c)));
	llm_result_free(a);
	llm_request_free(copy);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- what the broker is asked ---- */

struct seen {
	struct fake_call call;
	char text[256];
};

static void full_script(struct fake_call *c, void *arg)
{
	const struct llm_request *r = &c->request;
	char *text = arg;
	const struct part *file = &r->messages[1].parts[1];
	snprintf(text, 256,
		"%.*s|%zu|%.*s:%.*s %zu|%d %.*s|%" PRId64
		" %.1f %.*s|%.*s|%.*s|%.*s=%.*s|%d%d|%" PRId64 " %" PRId64 " %d%d",
		SPAN_ARG(r->model), r->n_messages, SPAN_ARG(file->media.filename),
		SPAN_ARG(file->media.mime), file->media.data.n, (int)r->tool_choice.mode,
		SPAN_ARG(r->tools[0].parameters), r->max_tokens.v, r->temperature.v,
		SPAN_ARG(r->stop[0]), SPAN_ARG(r->reasoning.effort),
		SPAN_ARG(r->response_format.schema), SPAN_ARG(r->provider_options[0].key),
		SPAN_ARG(r->provider_options[0].value), (int)r->on_unsupported, (int)r->is_stream,
		c->call.timeout_ms, c->call.max_cost_nusd, (int)c->call.is_at_most_once,
		(int)c->call.is_batch);
	fake_end(c->to);
}

static void everything_is_asked(void)
{
	char text[256] = "";
	const struct fake_options o = {.script = full_script, .arg = text};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = llm_request_new("prov/model");
	(void)llm_request_system(r, "be brief");
	(void)llm_request_user(r, "what is this?");
	(void)llm_request_attach(r, "a.png", NULL, "\x89PNG\r\n\x1a\n\0", 9);
	(void)llm_request_tool(r, "weather", "tells it", "{\"type\":\"object\"}");
	(void)llm_request_tool_choice(r, "required");
	(void)llm_request_max_tokens(r, 77);
	(void)llm_request_temperature(r, 0.5);
	(void)llm_request_stop(r, "END");
	(void)llm_request_reasoning(r, "high");
	(void)llm_request_json_schema(r, "s", "{\"a\":1}");
	(void)llm_request_extra_json(r, "top_k", "5");
	(void)llm_request_extra_json(r, "we\"ird", "[1]");
	(void)llm_request_extra_json(r, "top_k", "6");
	(void)llm_request_strict(r, 1);
	(void)llm_request_timeout_ms(r, 60000);
	(void)llm_request_max_cost_usd(r, 0.25);
	(void)llm_request_batch(r, 1);
	is_int(llm_request_at_most_once(r, 1), LLM_OK, "all of it is taken");
	llm_request *copy = llm_request_copy(r);
	llm_request_free(r);
	llm_result *a = llm_chat(c, copy);
	ok(a != NULL, "and asked: %s", llm_error_message(llm_last_error(c)));
	is_str(text,
		"prov/model|2|a.png:image/png 9|3 {\"type\":\"object\"}|77 0.5 END|high|{\"a\":1}|"
		"prov={\"top_k\":6,\"we\\\"ird\":[1]}|10|60000 250000000 11",
		"as it was put together");
	llm_result_free(a);
	llm_request_free(copy);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- what is kept ---- */

static void kept_script(struct fake_call *c, void *arg)
{
	const struct cache_terms *k = &c->call.cache;
	char *text = arg;
	snprintf(text, 256, "%s %" PRId64 " %" PRId64 " %.*s", cache_wish_name(k->wish),
		k->max_age_s, k->ttl_s, SPAN_ARG(k->name_space));
	fake_fault(c->to, ERR_NOT_CACHED, "there is none");
}

static void only_what_is_kept(void)
{
	char text[256] = "";
	const struct fake_options o = {.script = kept_script, .arg = text};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = question("hi");
	(void)llm_request_cache(r, "only");
	(void)llm_request_cache_seconds(r, 60, -1);
	is_int(llm_request_cache_namespace(r, "apart"), LLM_OK, "all of it is taken");
	llm_request *copy = llm_request_copy(r);
	ok(llm_chat(c, copy) == NULL, "there is no answer");
	is_str(text, "only 60 -1 apart", "what was asked");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_NOT_CACHED, "has a code of its own");
	is_str(llm_error_class(llm_last_error(c)), "not_cached", "and a class");
	is_int(llm_error_retryable(llm_last_error(c)), 0, "which no program asks again for");
	is_int(llm_request_cache(r, "if-cached"), LLM_E_INVAL, "no other word is taken");
	llm_request_free(copy);
	llm_request_free(r);
	llm_client_free(c);
	fake_stop(b);
}

static void size_script(struct fake_call *c, void *arg)
{
	char text[64];
	(void)arg;
	const struct part *p = &c->request.messages[0].parts[1];
	size_t wrong = 0;
	for (size_t i = 0; i < p->media.data.n; i++)
		wrong += p->media.data.p[i] != (char)(i * 7);
	snprintf(text, sizeof text, "%zu bytes, %zu wrong", p->media.data.n, wrong);
	fake_text(c->to, text);
	fake_end(c->to);
}

/* Over what a call frame holds, and over the credit that there is at first. */
static void large_body(void)
{
	const struct fake_options o = {.script = size_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	const size_t n = 5 * MIB;
	char *data = malloc(n);
	FILE *file = tmpfile();
	if (!data || !file)
		bail("no memory");
	for (size_t i = 0; i < n; i++)
		data[i] = (char)(i * 7);
	if (fwrite(data, 1, n, file) != n || fflush(file) != 0)
		bail("no temporary file");
	rewind(file);
	llm_request *r = question("how many?");
	is_int(llm_request_attach_fd(r, "x", "application/pdf", fileno(file)), LLM_OK,
		"5 MiB read");
	llm_result *a = llm_chat(c, r);
	is_str(llm_result_text(a), "5242880 bytes, 0 wrong", "and sent: %s",
		llm_error_message(llm_last_error(c)));
	llm_result_free(a);
	llm_request_free(r);
	fclose(file);
	free(data);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- messages of OpenAI's kind ---- */

static void messages_script(struct fake_call *c, void *arg)
{
	const struct llm_request *r = &c->request;
	(void)arg;
	char text[512];
	const struct message *user = &r->messages[1], *said = &r->messages[2],
			     *tool = &r->messages[3];
	snprintf(text, sizeof text,
		"%zu %.*s|%zu %.*s %.*s:%.*s|%.*s %.*s(%.*s)|%.*s=%.*s|%.*s=%.*s", r->n_messages,
		SPAN_ARG(r->messages[0].parts[0].text), user->n_parts,
		SPAN_ARG(user->parts[0].text), SPAN_ARG(user->parts[1].media.mime),
		SPAN_ARG(user->parts[1].media.data), SPAN_ARG(said->parts[0].call.id),
		SPAN_ARG(said->parts[0].call.name), SPAN_ARG(said->parts[0].call.arguments),
		SPAN_ARG(tool->tool_call_id), SPAN_ARG(tool->parts[0].text),
		SPAN_ARG(user->extra.members[0].name), SPAN_ARG(user->extra.members[0].json));
	fake_text(c->to, text);
	fake_end(c->to);
}

static void openai_messages(void)
{
	const struct fake_options o = {.script = messages_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = llm_request_new(NULL);
	is_int(llm_request_messages_json(r,
		       "[{\"role\":\"system\",\"content\":\"be br\\u0069ef\"},"
		       "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},"
		       "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
		       "png;base64,aGk=\"}}],"
		       "\"x_extra\":{\"a\":1e400}},"
		       "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\","
		       "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"
		       ","
		       "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"4\"}]"),
		LLM_OK, "a conversation is taken");
	llm_result *a = llm_chat(c, r);
	is_str(llm_result_text(a),
		"4 be brief|2 see image/png:hi|c1 f({})|c1=4|x_extra={\"a\":1e400}",
		"nothing of it is lost: %s", llm_error_message(llm_last_error(c)));
	llm_result_free(a);
	llm_request_free(r);
	llm_client_free(c);
	fake_stop(b);
}

static const struct {
	const char *name, *json, *says;
} bad_messages[] = {
	{"no JSON",             "[{]",						  "not JSON"                },
	{"no list",             "{}",						   "no JSON array"           },
	{"no object",           "[1]",						  "messages[0] is no object"},
	{"no role",             "[{\"content\":\"x\"}]",                                "messages[0].role"        },
	{"a role of others",    "[{\"role\":\"robot\"}]",                               "messages[0].role"        },
	{"a name twice",        "[{\"role\":\"user\",\"role\":\"user\"}]",              "not JSON"                },
	{"content of no kind",  "[{\"role\":\"user\",\"content\":7}]",                  "messages[0].content"     },
	{"a part of no kind",   "[{\"role\":\"user\",\"content\":[{\"type\":\"x\"}]}]",
         "unknown type"											   },
	{"a tool without id",   "[{\"role\":\"tool\",\"content\":\"x\"}]",              "no tool_call_id"         },
	{"base64 that is none",
         "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
		"\"image_url\":{\"url\":\"data:a/b;base64,%%\"}}]}]",		   "not base64"              },
};

static void messages_that_are_wrong(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_for(b);
	for (size_t i = 0; i < COUNT_OF(bad_messages); i++) {
		llm_request *r = llm_request_new(NULL);
		is_int(llm_request_messages_json(r, bad_messages[i].json), LLM_E_INVAL, "%s",
			bad_messages[i].name);
		(void)llm_request_user(r, "hi");
		llm_stream *s = llm_stream_start(c, r);
		ok(s == NULL, "%s: it sticks", bad_messages[i].name);
		const char *message = llm_error_message(llm_last_error(c));
		ok(strstr(message, bad_messages[i].says) != NULL, "%s: it says so: %s",
			bad_messages[i].name, message);
		llm_request_free(r);
	}
	is_int(fake_connections(b), 0, "nobody was bothered with it");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- what a builder refuses ---- */

static int no_text(llm_request *r)
{
	return llm_request_user(r, NULL);
}
static int no_utf8(llm_request *r)
{
	return llm_request_user(r, "\xff");
}
static int no_schema(llm_request *r)
{
	return llm_request_tool(r, "f", NULL, "[]");
}
static int no_json(llm_request *r)
{
	return llm_request_extra_json(r, "a", "{");
}
static int no_effort(llm_request *r)
{
	return llm_request_reasoning(r, "hard");
}
static int no_tokens(llm_request *r)
{
	return llm_request_max_tokens(r, 0);
}
static int no_number(llm_request *r)
{
	return llm_request_temperature(r, -1);
}
static int no_user(llm_request *r)
{
	return llm_request_attach(r, "x", NULL, "x", 1);
}
static int no_relay(llm_request *r)
{
	return llm_relay_body(r, NULL, "{}", 2);
}
static int no_descriptor(llm_request *r)
{
	(void)llm_request_user(r, "hi");
	return llm_request_attach_fd(r, NULL, NULL, -1);
}

static const struct {
	const char *name;
	int (*call)(llm_request *r);
} refused[] = {
	{"a text that is NULL",      no_text      },
	{"a text that is no UTF-8",  no_utf8      },
	{"a schema that is a list",  no_schema    },
	{"JSON that is none",        no_json      },
	{"an effort nobody knows",   no_effort    },
	{"an answer of no tokens",   no_tokens    },
	{"a temperature below zero", no_number    },
	{"an attachment to nothing", no_user      },
	{"a relay's body in a chat", no_relay     },
	{"a descriptor not open",    no_descriptor},
};

static void builder_refuses(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_for(b);
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		llm_request *r = llm_request_new(NULL);
		is_int(refused[i].call(r), LLM_E_INVAL, "%s", refused[i].name);
		is_int(llm_request_user(r, "hi"), LLM_E_INVAL, "%s: it sticks", refused[i].name);
		ok(llm_chat(c, r) == NULL, "%s: it is not asked", refused[i].name);
		is_int(llm_error_code(llm_last_error(c)), LLM_E_INVAL, "%s: why", refused[i].name);
		llm_request_free(r);
	}
	llm_request *empty = llm_request_new(NULL);
	ok(llm_stream_start(c, empty) == NULL, "a request without a message is none");
	llm_request_free(empty);
	ok(llm_stream_start(c, NULL) == NULL, "nor is NULL");
	ok(llm_stream_start(NULL, NULL) == NULL, "and nobody asks nobody");
	is_int(fake_connections(b), 0, "nobody was bothered with it");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- relayed, and administrative ---- */

static void relay_script(struct fake_call *c, void *arg)
{
	(void)arg;
	const struct surface_call *s = &c->call.surface;
	char text[256];
	struct string_pair headers[] = {
		{SPAN("Content-Type"), SPAN("text/plain")}
        };
	struct llm_event head = {.type = EV_HEAD};
	head.head = (struct reply_head){.status = 201, .headers = headers, .n_headers = 1};
	fake_event(c->to, &head);
	snprintf(text, sizeof text, "%d %.*s%.*s %.*s %.*s?%.*s %.*s: %.*s %.*s", (int)c->call.kind,
		SPAN_ARG(s->surface), SPAN_ARG(s->provider), SPAN_ARG(s->method), SPAN_ARG(s->path),
		SPAN_ARG(s->query), SPAN_ARG(s->headers[0].key), SPAN_ARG(s->headers[0].value),
		SPAN_ARG(c->body));
	struct llm_event raw = {.type = EV_RAW, .text = span_str(text)};
	fake_event(c->to, &raw);
	struct llm_event end = {
		.type = EV_END, .end = {.usage = USAGE_UNKNOWN, .ttft_us = -1}
        };
	fake_event(c->to, &end);
}

static void relayed(llm_request *r, const char *want, const char *name)
{
	const struct fake_options o = {.script = relay_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	const llm_event *ev;
	const char *value = NULL;
	(void)llm_relay_header(r, "X-Trace", "7");
	(void)llm_relay_body(r, NULL, "{}", 2);
	llm_stream *s = llm_stream_start(c, r);
	ok(s && llm_stream_next(s, &ev) == 1 && llm_event_type_of(ev) == LLM_EV_HEAD, "%s: a head",
		name);
	is_int(llm_event_status(ev), 201, "%s: its status", name);
	is_str(llm_event_header(ev, "content-type"), "text/plain", "%s: a header", name);
	is_str(llm_event_header(ev, "x"), NULL, "%s: not another", name);
	is_uint(llm_event_headers(ev), 1, "%s: there is one", name);
	is_str(llm_event_header_at(ev, 0, &value), "Content-Type", "%s: by its place, as it came",
		name);
	is_str(value, "text/plain", "%s: and what it says", name);
	is_str(llm_event_header_at(ev, 1, NULL), NULL, "%s: none behind it", name);
	ok(llm_stream_next(s, &ev) == 1 && llm_event_type_of(ev) == LLM_EV_RAW, "%s: bytes", name);
	is_str(llm_event_detail(ev, NULL), want, "%s: and what was asked", name);
	is_int(drain(s), 0, "%s: its end", name);
	llm_stream_free(s);
	llm_request_free(r);
	llm_client_free(c);
	fake_stop(b);
}

static void admin_script(struct fake_call *c, void *arg)
{
	(void)arg;
	char text[256];
	if (span_is(c->call.admin_op, "models")) {
		fake_json(c->to, "{\"models\":[{\"id\":\"a/b\"}],\"errors\":[]}");
	} else if (span_is(c->call.admin_op, "deny")) {
		fake_fault(c->to, ERR_DENIED, "not you");
	} else {
		snprintf(text, sizeof text, "{\"op\":\"%.*s\",\"body\":%.*s}",
			SPAN_ARG(c->call.admin_op), SPAN_ARG(c->body));
		fake_json(c->to, text);
	}
}

/* The pieces of an administrative answer that is not waited for; *code is how it ended. */
static void admin_pieces(llm_client *c, const char *op, const char *json, char to[256], int *code)
{
	llm_request *made = llm_admin_new(op, json), *r = llm_request_copy(made);
	llm_request_free(made);
	llm_stream *s = llm_stream_start(c, r);
	const llm_event *ev;
	size_t n = 0;
	to[0] = '\0';
	while ((*code = llm_stream_next(s, &ev)) > 0) {
		size_t more;
		const char *piece = llm_event_detail(ev, &more);
		if (llm_event_type_of(ev) != LLM_EV_RAW || n + more >= 256)
			continue;
		memcpy(to + n, piece, more);
		n += more;
		to[n] = '\0';
	}
	llm_stream_free(s);
	llm_request_free(r);
}

static void administration(void)
{
	char pieces[256];
	int code;
	const struct fake_options o = {.script = admin_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	char *json = llm_admin_call(c, "key.list", "{\"a\":1}");
	is_str(json, "{\"op\":\"key.list\",\"body\":{\"a\":1}}", "JSON in, JSON out");
	llm_free(json);
	json = llm_admin_call(c, "status", NULL);
	is_str(json, "{\"op\":\"status\",\"body\":{}}", "nothing is {}");
	llm_free(json);
	ok(llm_admin_call(c, "deny", NULL) == NULL, "a refusal");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_DENIED, "has its code");
	is_str(llm_error_class(llm_last_error(c)), "denied", "its class");
	is_str(llm_error_message(llm_last_error(c)), "not you", "and its sentence");
	admin_pieces(c, "metrics", "{\"a\":1}", pieces, &code);
	is_str(pieces, "{\"op\":\"metrics\",\"body\":{\"a\":1}}", "as a request, in pieces");
	is_int(code, 0, "to its end");
	admin_pieces(c, "status", NULL, pieces, &code);
	is_str(pieces, "{\"op\":\"status\",\"body\":{}}", "nothing is {} there, too");
	admin_pieces(c, "deny", NULL, pieces, &code);
	is_int(code, LLM_E_DENIED, "and a refusal is one");
	is_str(llm_client_models(c), "[{\"id\":\"a/b\"}]", "the models");
	is_str(llm_client_info(c),
		"{\"broker\":\"fake "
		"1.0\",\"protocol\":1,\"features\":[],\"max_body_bytes\":67108864,"
		"\"identity\":{\"uid\":1000}}",
		"who is there, and who we are");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- faults ---- */

static void fault_script(struct fake_call *c, void *arg)
{
	struct fault fault = *(const struct fault *)arg;
	const struct llm_event e = {.type = EV_FAULT, .fault = &fault};
	fake_text(c->to, "half");
	fake_event(c->to, &e);
}

static void faults_are_told(void)
{
	struct fault fault;
	fault_set(&fault, ERR_RATE_LIMITED, "slow down");
	fault.http_status = 429;
	fault.retry_after_ms = 1500;
	memcpy(fault.provider, "openai", 7);
	memcpy(fault.request_id, "up_1", 5);
	const struct fake_options o = {.script = fault_script, .arg = &fault};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	is_int(drain(s), LLM_E_RATE, "a fault ends the stream");
	is_int(drain(s), LLM_E_RATE, "and stays");
	const llm_error *e = llm_stream_error(s);
	is_str(llm_error_message(e), "slow down", "its sentence");
	is_str(llm_error_provider(e), "openai", "who says so");
	is_str(llm_error_request_id(e), "up_1", "as what");
	is_int(llm_error_http_status(e), 429, "with which status");
	is_int(llm_error_retry_after_ms(e), 1500, "and when again");
	is_int(llm_error_retryable(e), 1, "again it may be");
	is_str(llm_result_text(llm_stream_result(s)), "half", "what had come stays readable");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_RATE, "the client knows it too");
	llm_stream_free(s);
	llm_client_free(c);
	fake_stop(b);
}

static int stop_at_second(const llm_event *ev, void *arg)
{
	int *n = arg;
	(void)ev;
	return ++*n == 2;
}

static void endless_script(struct fake_call *c, void *arg)
{
	(void)arg;
	fake_text(c->to, "one");
	fake_text(c->to, "two");
	fake_text(c->to, "three");
}

static void callback_can_stop(void)
{
	const struct fake_options o = {.script = endless_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	int n = 0;
	is_int(llm_stream_run(s, stop_at_second, &n), LLM_E_CANCELLED, "non-zero cancels");
	is_int(n, 2, "at once");
	ok(fake_wait_cancels(b, 1), "the broker is told");
	is_str(llm_result_text(llm_stream_result(s)), "onetwo", "what was seen is kept");
	llm_stream_free(s);
	llm_client_free(c);
	fake_stop(b);
}

int main(void)
{
	whole_answer();
	streamed_answer();
	answer_is_said_back();
	streamed_answer_is_said_back();
	everything_is_asked();
	only_what_is_kept();
	large_body();
	openai_messages();
	messages_that_are_wrong();
	builder_refuses();
	relayed(llm_relay_new("openai.chat", "POST", "/v1/chat/completions", "a=b"),
		"1 openai.chat POST /v1/chat/completions?a=b x-trace: 7 {}", "a relay");
	relayed(llm_native_new("openai", NULL, "/v1/files", NULL),
		"2 openai POST /v1/files? x-trace: 7 {}", "a native call");
	administration();
	faults_are_told();
	callback_can_stop();
	is_str(llm_strerror(LLM_E_LOCKED), "the vault is locked: run `llmb vault unlock`",
		"each code has a sentence");
	ok(strlen(llm_strerror(-999)) > 0, "so has one that nobody knows");
	return tap_done();
}
