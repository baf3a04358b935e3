/* test_answer_responses.c - is the stream that a caller of openai-responses reads legal, whatever order
 * events come in, and does all come back that must? What the replies of each family become are golden
 * cases; here are the orders that none of them has. An answer is written in words, one an event. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/dialect/registry.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/tap.h"

/* ---- events ---- */

/* An event and what its spans point to. */
struct told {
	struct llm_event event;
	struct fault fault;
	struct extra_member member;
	char json[256];
};

static struct opaque opaque_of(const char *family, const char *json)
{
	return (struct opaque){span_str(family), SPAN("m"), span_str(json)};
}

/* "own=ID" or "own=ID,SEAL": an item of reasoning of this family */
static void tell_own(struct told *t, struct span value)
{
	const struct span id = span_cut(&value, ',');
	(void)snprintf(t->json, sizeof t->json,
		"{\"type\":\"reasoning\",\"id\":\"%.*s\",\"summary\":[],\"encrypted_content\":"
		"\"%.*s\"}",
		SPAN_ARG(id), SPAN_ARG(value));
	t->event.type = EV_OPAQUE;
	t->event.opaque = opaque_of("openai-responses", t->json);
}

static void tell_part(struct told *t, struct span word, struct span value)
{
	struct part *p = &t->event.part;
	t->event.type = EV_PART;
	if (span_is(word, "item")) { /* of the provider's own tool of that name */
		(void)snprintf(t->json, sizeof t->json,
			"{\"type\":\"%.*s\",\"id\":\"it_1\",\"result\":\"QUJD\"}", SPAN_ARG(value));
		p->type = PART_OPAQUE;
		p->opaque = opaque_of("openai-responses", t->json);
	} else if (span_is(word, "theirs")) {
		p->type = PART_OPAQUE;
		p->opaque = opaque_of("gemini", "{\"thoughtSignature\":\"T\"}");
	} else if (span_is(word, "image")) {
		p->type = PART_IMAGE;
		p->media.data = SPAN("ABC");
	} else if (span_is(word, "audio")) {
		p->type = PART_AUDIO;
		p->media.data = SPAN("ABC");
	} else if (span_is(word, "cite")) {
		(void)snprintf(t->json, sizeof t->json, "[{\"url\":\"%.*s\"},{\"doc\":1}]",
			SPAN_ARG(value));
		p->type = PART_TEXT;
		p->text = SPAN("");
		p->citations = span_str(t->json);
	} else { /* phase */
		(void)snprintf(t->json, sizeof t->json, "\"%.*s\"", SPAN_ARG(value));
		t->member = (struct extra_member){SPAN("item.phase"), span_str(t->json), false};
		p->type = PART_TEXT;
		p->text = SPAN("");
		p->extra = (struct extra){SPAN("openai-responses"), &t->member, 1};
	}
}

static void tell_call(struct told *t, struct span word, struct span value)
{
	t->event.tool = (uint32_t)(word.p[word.n - 1] - '0');
	(void)snprintf(t->json, sizeof t->json, "call_%.*s", SPAN_ARG(value));
	if (span_starts(word, SPAN("args"))) {
		t->event.type = EV_TOOL_ARGS;
		t->event.text = value;
	} else if (span_starts(word, SPAN("done"))) {
		t->event.type = EV_TOOL_END;
	} else {
		t->event.type = EV_TOOL_START;
		t->event.call.id = span_str(t->json);
		t->event.call.name = value;
		t->event.call.is_custom = span_starts(word, SPAN("tool"));
	}
}

static const struct {
	const char *word;
	enum event_type type;
} plain[] = {
	{"start",   EV_START    },
	{"text",    EV_TEXT     },
	{"reason",  EV_REASONING},
	{"refuse",  EV_REFUSAL  },
	{"probs",   EV_LOGPROBS },
	{"usage",   EV_USAGE    },
	{"finish",  EV_FINISH   },
	{"warning", EV_WARNING  },
	{"status",  EV_STATUS   },
	{"END",     EV_END      },
	{"FAULT",   EV_FAULT    },
};

static bool tell_plain(struct told *t, struct span word, struct span value)
{
	struct llm_event *e = &t->event;
	for (size_t i = 0; i < COUNT_OF(plain); i++) {
		if (span_is(word, plain[i].word))
			e->type = plain[i].type;
	}
	if (e->type == 0)
		return false;
	if (e->type == EV_START)
		e->start.model = SPAN("m1");
	else if (e->type == EV_USAGE || e->type == EV_END)
		e->usage = e->end.usage = USAGE_UNKNOWN;
	else if (e->type == EV_FINISH)
		return finish_from(value, &e->finish.finish);
	else if (e->type == EV_FAULT)
		e->fault = &t->fault;
	else if (e->type == EV_LOGPROBS)
		e->text = SPAN("{\"content\":[{\"token\":\"a\",\"logprob\":-1}]}");
	else if (e->type != EV_WARNING && e->type != EV_STATUS)
		e->text = value;
	return true;
}

static void tell(struct told *t, struct span word)
{
	struct span value = word;
	const struct span name = span_cut(&value, '=');
	value = span_is_set(value) ? value : SPAN("");
	*t = (struct told){.event = {.type = 0}, .fault = FAULT_NONE};
	t->fault.err = ERR_RATE_LIMITED;
	if (tell_plain(t, name, value))
		return;
	if (span_is(name, "own"))
		tell_own(t, value);
	else if (span_is(name, "seal")) {
		t->event.type = EV_OPAQUE;
		t->event.opaque = opaque_of("anthropic", "{\"signature\":\"S\"}");
	} else if (name.n == 5 && name.p[4] >= '0' && name.p[4] <= '9')
		tell_call(t, name, value);
	else
		tell_part(t, name, value);
}

/* ---- the answer ---- */

struct caller {
	struct arena arena;
	struct llm_request request;
	struct notes notes;
	struct dialect_env env;
	struct answer_plan plan;
	const struct dialect_op *op;
	struct encoder *encoder;
};

static void caller_init(struct caller *c, bool is_stream)
{
	*c = (struct caller){.env = FEED_ENV};
	arena_init(&c->arena, LIMIT_REQUEST_ARENA);
	notes_init(&c->notes, &c->arena);
	c->notes.form = is_stream ? ANSWER_SSE : ANSWER_WHOLE;
	c->request.model = SPAN("asked");
	c->plan = (struct answer_plan){.request = &c->request,
		.notes = &c->notes,
		.body = JSON_NONE,
		.env = &c->env,
		.input_estimate = -1};
	c->op = dialect_find(SPAN("openai-responses"))->ops[LLM_OP_CHAT];
}

static void caller_done(struct caller *c)
{
	c->op->encoder_done(c->encoder);
	arena_done(&c->arena);
}

/* Appends what is read of an answer. */
static void read_answer(struct caller *c, const char *words, struct buf *out)
{
	struct span rest = span_str(words);
	c->encoder = c->op->encoder_new(&c->arena, &c->plan);
	if (!c->encoder)
		bail("no memory");
	while (rest.n > 0) {
		struct told t;
		tell(&t, span_cut(&rest, ' '));
		if (c->op->encode(c->encoder, &t.event, out))
			bail("an event is not taken: %s", words);
	}
}

static struct json scan(struct span text)
{
	struct json v;
	return json_scan(text, JSON_STRICT, &v, NULL) ? JSON_NONE : v;
}

/* ---- is a stream legal? ---- */

struct watch {
	struct arena arena;
	int64_t n_events, n_items;
	struct buf text;  /* of the open item, so far */
	struct span id;   /* of the open item, as JSON; absent: none is */
	struct span item; /* the last that was done */
	struct buf done;  /* the ids of those that are done */
	bool has_part, is_failing, is_over;
	const char *broken; /* what was not legal; NULL: nothing */
};

static void must(struct watch *w, bool holds, const char *what)
{
	if (!holds && !w->broken)
		w->broken = what;
}

static struct json at(struct json v, const char *name)
{
	return json_member(v, name);
}

static bool has_text(struct json event, struct buf *text)
{
	static const char *const names[] = {"text", "refusal", "arguments", "input"};
	struct span found = SPAN_NONE;
	struct arena a;
	arena_init(&a, LIMIT_BODY_BYTES);
	for (size_t i = 0; i < COUNT_OF(names) && !span_is_set(found); i++) {
		if (json_text(at(event, names[i]), &a, &found))
			bail("no memory");
	}
	const bool is_it = span_eq(found, buf_view(text));
	arena_done(&a);
	return is_it;
}

static void watch_ending(struct watch *w, struct span type, struct json response)
{
	OWNED(buf_done) struct buf ids = BUF_INIT(LIMIT_BODY_BYTES);
	const bool is_failed = span_is(type, "response.failed");
	for (struct json_walk i = json_each(at(response, "output")); json_next(&i);)
		buf_span(&ids, at(i.value, "id").text);
	must(w, is_failed || !span_is_set(w->id), "an item is open at the end");
	must(w, is_failed == w->is_failing, "a failure is told twice");
	must(w, span_eq(buf_view(&ids), buf_view(&w->done)), "the output has all items");
	must(w, json_is(at(response, "status"), type.p + strlen("response.")), "its status");
	w->is_over = true;
}

static void watch_item(struct watch *w, struct span type, struct json e)
{
	const struct json item = at(e, "item");
	int64_t index = -1;
	must(w, json_i64(at(e, "output_index"), &index) && index == w->n_items, "output_index");
	if (span_ends(type, SPAN("added"))) {
		must(w, !span_is_set(w->id), "two items are open");
		must(w, !arena_dup(&w->arena, at(item, "id").text, &w->id), "memory");
		buf_clear(&w->text);
		return;
	}
	must(w, span_is_set(w->id) && span_eq(at(item, "id").text, w->id), "the item's id");
	must(w, !w->has_part, "a part is open in an item that is done");
	buf_span(&w->done, w->id);
	w->id = SPAN_NONE;
	w->n_items++;
}

static void watch_inside(struct watch *w, struct span type, struct json e)
{
	const bool is_part =
		span_ends(type, SPAN("part.added")) || span_ends(type, SPAN("part.done"));
	const bool has_place =
		!json_is_nil(at(e, "content_index")) || !json_is_nil(at(e, "summary_index"));
	int64_t index = -1;
	must(w, json_i64(at(e, "output_index"), &index) && index == w->n_items, "output_index");
	must(w, span_is_set(w->id) && span_eq(at(e, "item_id").text, w->id), "item_id");
	must(w, !has_place || is_part || w->has_part, "a text without its part");
	if (span_ends(type, SPAN(".delta")))
		json_text_to(at(e, "delta"), &w->text);
	else if (!is_part && span_ends(type, SPAN(".done")))
		must(w, has_text(e, &w->text), "the whole text is its pieces");
	if (!is_part)
		return;
	must(w, w->has_part == span_ends(type, SPAN(".done")), "parts are opened and closed");
	must(w, !w->has_part || has_text(at(e, "part"), &w->text), "the part has its text");
	w->has_part = !w->has_part;
}

static void watch_event(struct watch *w, struct span name, struct json e)
{
	int64_t number = -1;
	must(w, json_is(at(e, "type"), name.p), "the name is the type");
	must(w, json_i64(at(e, "sequence_number"), &number) && number == w->n_events,
		"sequence_number");
	must(w, !w->is_over, "something comes behind the end");
	must(w, (w->n_events == 0) == span_is(name, "response.created"), "created first");
	must(w, (w->n_events == 1) == span_is(name, "response.in_progress"), "in_progress next");
	if (span_is(name, "error"))
		w->is_failing = true;
	else if (span_is(name, "response.completed") || span_is(name, "response.incomplete") ||
		 span_is(name, "response.failed"))
		watch_ending(w, name, at(e, "response"));
	else if (span_starts(name, SPAN("response.output_item.")))
		watch_item(w, name, e);
	else if (w->n_events > 1)
		watch_inside(w, name, e);
	w->n_events++;
}

/* What is not legal in a stream, or NULL; and the response at its end. */
static const char *watch_stream(struct arena *a, struct span text, struct json *response)
{
	struct watch w = {.text = BUF_INIT(LIMIT_BODY_BYTES), .done = BUF_INIT(LIMIT_BODY_BYTES)};
	*response = JSON_NONE;
	arena_init(&w.arena, LIMIT_BODY_BYTES);
	while (text.n > 0) {
		struct span name = span_cut(&text, '\n'), data = span_cut(&text, '\n');
		const struct span blank = span_cut(&text, '\n');
		must(&w,
			span_starts(name, SPAN("event: ")) && span_starts(data, SPAN("data: ")) &&
				blank.n == 0,
			"three lines an event");
		if (w.broken)
			break;
		const struct json e = scan(span_skip(data, strlen("data: ")));
		must(&w, span_is_set(e.text), "an event is JSON");
		name.n -= strlen("event: ");
		name.p = arena_str(a, span_of(name.p + strlen("event: "), name.n));
		watch_event(&w, name, e);
		*response = at(e, "response");
	}
	must(&w, w.is_over || w.n_events == 0, "the stream has an end");
	buf_done(&w.text);
	buf_done(&w.done);
	arena_done(&w.arena);
	return w.broken;
}

/* ---- what an answer says ---- */

/* "message[Hi] function_call[{}] completed": the items and the status; ! behind one that is incomplete,
 * * where there is something sealed, the phase, and where it is cited */
static void outline(struct json response, struct buf *out)
{
	static const char *const texts[] = {"text", "refusal", "arguments", "input", "result"};
	for (struct json_walk w = json_each(at(response, "output")); json_next(&w);) {
		const struct json i = w.value;
		struct json_walk parts = json_each(
			json_is_nil(at(i, "content")) ? at(i, "summary") : at(i, "content"));
		const bool has_part = json_next(&parts);
		json_text_to(at(i, "type"), out);
		buf_byte(out, '[');
		for (size_t k = 0; k < COUNT_OF(texts); k++)
			json_text_to(at(has_part ? parts.value : i, texts[k]), out);
		buf_byte(out, ']');
		for (struct json_walk c = json_each(at(parts.value, "annotations"));
			has_part && json_next(&c);) {
			buf_byte(out, '@');
			buf_span(out, at(c.value, "start_index").text);
			buf_byte(out, '-');
			buf_span(out, at(c.value, "end_index").text);
		}
		json_text_to(at(i, "phase"), out);
		buf_text(out, json_is(at(i, "status"), "incomplete") ? "!" : "");
		buf_text(out, json_is_nil(at(i, "encrypted_content")) ? " " : "* ");
	}
	json_text_to(at(response, "status"), out);
}

/* clang-format off */
static const struct {
	const char *name, *words, *want;
} rows[] = {
	{"a text", "start text=Hel text=lo finish=stop END", "message[Hello] completed"},
	{"nothing", "start finish=stop END", "completed"},
	{"not even a beginning", "END", "completed"},
	{"no start", "text=Hi finish=stop END", "message[Hi] completed"},
	{"no finish", "start text=Hi END", "message[Hi] completed"},
	{"the finish first", "finish=length start text=Hi END", "message[Hi]! incomplete"},
	{"a filter", "start text=Hi finish=content_filter END", "message[Hi]! incomplete"},
	{"a pause", "start text=Hi finish=pause END", "message[Hi] completed"},
	{"what has no place", "start warning status usage text=Hi audio text=! probs finish=stop END",
		"message[Hi] message[!] completed"},
	{"a second start", "start text=a start text=b END", "message[ab] completed"},
	{"behind the end", "start text=Hi END text=more FAULT END", "message[Hi] completed"},
	{"a fault at once", "FAULT", "failed"},
	{"a fault behind the start", "start FAULT END", "failed"},
	{"a fault in a text", "start text=Hi FAULT text=more END", "failed"},
	{"a fault between items", "start text=Hi call0=f args0={} done0 FAULT", "message[Hi] function_call[{}] failed"},
	{"a fault in a call, which is not said to be over", "start text=Hi call0=f args0={ FAULT", "message[Hi] failed"},
	{"a refusal behind a text", "start text=Hm refuse=No finish=stop END", "message[Hm] message[No] completed"},
	{"reasoning without a seal", "start reason=r text=Hi END", "reasoning[r]* message[Hi] completed"},
	{"reasoning with one", "start reason=r seal text=Hi END", "reasoning[r]* message[Hi] completed"},
	{"a seal without reasoning", "start seal text=Hi END", "reasoning[]* message[Hi] completed"},
	{"a seal in a text", "start text=a seal text=b END", "message[a] reasoning[]* message[b] completed"},
	{"a seal behind the end of its reasoning", "start reason=r text=Hi seal END",
		"reasoning[r]* message[Hi] reasoning[]* completed"},
	{"two seals", "start reason=r seal seal END", "reasoning[r]* reasoning[]* completed"},
	{"what another provider did by itself", "start text=a theirs text=b END", "message[a] reasoning[]* message[b] completed"},
	{"what this one did", "start item=web_search_call text=a END", "web_search_call[QUJD] message[a] completed"},
	{"a picture", "start text=a image text=b END", "message[a] image_generation_call[QUJD] message[b] completed"},
	{"a picture at the end", "start image END", "image_generation_call[QUJD] completed"},
	{"a picture that its item brings again", "start image item=image_generation_call END", "image_generation_call[QUJD] completed"},
	{"a picture and another item", "start image item=web_search_call END",
		"image_generation_call[QUJD] web_search_call[QUJD] completed"},
	{"a picture, then a fault", "start image FAULT", "image_generation_call[QUJD] failed"},
	{"calls by turns", "start call0=f call1=g args1={1 args0={0 args0=} args1=} done0 done1 END",
		"function_call[{0}] function_call[{1}] completed"},
	{"a text within a call", "start call0=f text=Hi args0={} done0 END", "function_call[{}] message[Hi] completed"},
	{"a call that never ends", "start call0=f args0={} finish=tool_calls END", "function_call[{}] completed"},
	{"a call that is cut", "start call0=f args0={ finish=length END", "function_call[{]! incomplete"},
	{"a call without arguments", "start call0=f done0 END", "function_call[{}] completed"},
	{"a custom call without input", "start tool0=f done0 END", "custom_tool_call[] completed"},
	{"a custom call", "start tool0=f args0=SELECT done0 END", "custom_tool_call[SELECT] completed"},
	{"arguments of no call", "start args3={} done3 text=Hi END", "message[Hi] completed"},
	{"a phase", "start phase=commentary text=a phase=final_answer text=b END",
		"message[a]commentary message[b]final_answer completed"},
	{"a phase of nothing", "start phase=commentary call0=f done0 text=b END", "function_call[{}] message[b] completed"},
	{"citations", "start text=a\xc3\xa9\"\n cite=u text=cd cite=v END", "message[a\xc3\xa9\"\ncd]@0-4@4-6 completed"},
	{"a citation of nothing", "start cite=u text=a END", "message[a] completed"},
	{"control bytes", "start text=\x01\x02x cite=u END", "message[\x01\x02x]@0-3 completed"},
};
/* clang-format on */

static void check_row(size_t row, bool is_stream)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf said = BUF_INIT(LIMIT_BODY_BYTES);
	const char *how = is_stream ? "streamed" : "whole";
	struct caller c;
	struct json response;
	caller_init(&c, is_stream);
	read_answer(&c, rows[row].words, &out);
	if (is_stream)
		is_str(watch_stream(&c.arena, buf_view(&out), &response), NULL, "%s: legal",
			rows[row].name);
	else
		response = scan(buf_view(&out));
	if (is_stream || !span_ends(span_str(rows[row].want), SPAN("failed")))
		outline(response, &said);
	else
		buf_text(&said, out.n == 0 ? rows[row].want : "something was said of a fault");
	is_mem(said.p, said.n, rows[row].want, strlen(rows[row].want), "%s, %s", rows[row].name,
		how);
	caller_done(&c);
}

/* ---- any order ---- */

static uint32_t next_number(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void check_any_order(uint32_t seed)
{
	static const char *const words[] = {"start", "text=a", "reason=r", "refuse=x", "seal",
		"own=rs_1,A", "own=rs_1,B", "own=rs_2,C", "item=web_search_call",
		"item=image_generation_call", "theirs", "image", "audio", "cite=u", "phase=p",
		"probs", "usage", "warning", "finish=stop", "finish=length", "call0=f", "tool1=g",
		"args0={", "args0=}", "args1=x", "done0", "done1"};
	char text[1024] = "";
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	struct caller c;
	struct json response;
	const uint32_t n = next_number(&seed) % 40;
	for (uint32_t i = 0; i < n; i++) {
		(void)strcat(text, words[next_number(&seed) % COUNT_OF(words)]);
		(void)strcat(text, " ");
	}
	(void)strcat(text, next_number(&seed) % 8 ? "END text=z" : "FAULT text=z");
	caller_init(&c, true);
	c.request.logprobs = (struct opt_bool){true, next_number(&seed) % 2};
	read_answer(&c, text, &out);
	const char *broken = watch_stream(&c.arena, buf_view(&out), &response);
	if (!is_str(broken, NULL, "any order is legal"))
		diag("%s", text);
	caller_done(&c);
}

/* ---- what must come back ---- */

/* The items of a response as they come back with the next request. */
static struct llm_request come_back(struct caller *c, struct json response, struct buf *body)
{
	const struct surface_call call = {.method = SPAN("POST")};
	struct json_out o = json_to(body);
	struct llm_request next;
	struct fault why;
	json_open(&o, '{');
	json_pair_str(&o, "model", SPAN("m"));
	json_pair_raw(&o, "input", at(response, "output").text);
	json_close(&o, '}');
	if (c->op->decode_request(&call, buf_view(body), &c->arena, &next, &c->notes, &why))
		bail("an answer is no history: %s", why.message);
	return next;
}

/* Its words, and what is opaque in it, in order. */
static void put_opaque(const struct llm_request *next, struct buf *out)
{
	for (size_t i = 0; i < next->n_messages; i++) {
		for (size_t k = 0; k < next->messages[i].n_parts; k++) {
			const struct part *p = &next->messages[i].parts[k];
			if (p->type == PART_TEXT || p->type == PART_REASONING)
				buf_span(out, p->text);
			if (!span_is_set(p->opaque.family))
				continue;
			buf_text(out, p->type == PART_OPAQUE ? "|" : "~");
			buf_span(out, p->opaque.family);
			buf_span(out, p->opaque.data);
			buf_byte(out, ' ');
		}
	}
}

/* | before what is an item of its own, ~ before what belongs to the reasoning before it */
#define SEAL       "anthropic{\"signature\":\"S\"} "
#define THEIRS     "gemini{\"thoughtSignature\":\"T\"} "
#define OWN(...)   "openai-responses{\"type\":\"reasoning\",\"id\":" __VA_ARGS__ "} "
#define RS_1(seal) OWN("\"rs_1\",\"summary\":[],\"encrypted_content\":\"" seal "\"")

/* clang-format off */
static const struct {
	const char *name, *words, *want;
	const char *whole; /* where that is told otherwise */
} returns[] = {
	{"a signature", "start reason=r seal text=Hi END", "r~" SEAL "Hi", NULL},
	{"one alone", "start seal text=Hi END", "|" SEAL "Hi", NULL},
	{"one in a text", "start text=a theirs text=b END", "a|" THEIRS "b", NULL},
	{"an item alone", "start own=rs_1,A text=Hi END", "~" RS_1("A") "Hi", NULL},
	/* the item's summary is none of the words that were streamed: in one piece it speaks for itself */
	{"an item of words", "start reason=r own=rs_1,A text=Hi END", "r~" RS_1("A") "Hi", "~" RS_1("A") "Hi"},
	{"its last word", "start own=rs_1,A text=Hi own=rs_1,B END", "~" RS_1("B") "Hi", NULL},
	{"the last word on words", "start reason=r own=rs_1,A text=Hi own=rs_1,B END", "r~" RS_1("B") "Hi",
		"~" RS_1("B") "Hi"},
	{"two of one id", "start own=rs_1,A text=a own=rs_1,B text=b END", "~" RS_1("A") "a~" RS_1("B") "b", NULL},
	{"none", "start reason=r text=a END", "ra", NULL},
	{"an item late, behind its words", "start reason=r text=a own=rs_1,A END", "ra|" RS_1("A"), NULL},
	{"an own tool's", "start item=web_search_call text=a END",
		"|openai-responses{\"type\":\"web_search_call\",\"id\":\"it_1\",\"result\":\"QUJD\"} a", NULL},
};
/* clang-format on */

static void check_return(size_t row, bool is_stream)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf back = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	const char *want =
		!is_stream && returns[row].whole ? returns[row].whole : returns[row].want;
	struct caller c;
	struct json response;
	caller_init(&c, is_stream);
	read_answer(&c, returns[row].words, &out);
	if (is_stream)
		(void)watch_stream(&c.arena, buf_view(&out), &response);
	else
		response = scan(buf_view(&out));
	const struct llm_request next = come_back(&c, response, &body);
	put_opaque(&next, &back);
	is_mem(back.p, back.n, want, strlen(want), "%s comes back, %s", returns[row].name,
		is_stream ? "streamed" : "whole");
	caller_done(&c);
}

/* What the API says of items is of no use to other families, and nothing that they must be told of. */
static void check_no_news(void)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct caller c;
	size_t n = 0;
	caller_init(&c, false);
	read_answer(&c, "start reason=r text=Hi call0=f done0 tool1=g done1 END", &out);
	const struct llm_request next = come_back(&c, scan(buf_view(&out)), &body);
	for (size_t k = 0; k < next.messages[0].n_parts; k++) {
		const struct extra *e = &next.messages[0].parts[k].extra;
		for (size_t i = 0; i < e->n; i++, n++)
			ok(e->members[i].is_told, "no warning about %.*s",
				SPAN_ARG(e->members[i].name));
	}
	ok(n == 7, "ids, a status each, and logprobs");
	caller_done(&c);
}

/* ---- names ---- */

static void say(uint64_t seed, struct span id, struct buf *out)
{
	struct caller c;
	caller_init(&c, true);
	c.env.seed = seed;
	c.plan.id = id;
	read_answer(&c, "start text=Hi call0=f done0 reason=r tool1=g done1 END", out);
	caller_done(&c);
}

static bool holds(const struct buf *b, const char *text)
{
	return span_find(buf_view(b), span_str(text)) < b->n;
}

static void check_names(void)
{
	static const char *const beginnings[] = {
		"\"id\":\"resp_", "\"id\":\"msg_", "\"id\":\"fc_", "\"id\":\"rs_", "\"id\":\"ctc_"};
	OWNED(buf_done) struct buf one = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf same = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf other = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf kept = BUF_INIT(LIMIT_BODY_BYTES);
	say(1, SPAN_NONE, &one);
	say(1, SPAN_NONE, &same);
	say(2, SPAN_NONE, &other);
	say(1, SPAN("resp_kept"), &kept);
	is_mem(same.p, same.n, one.p, one.n, "one seed, the same ids");
	ok(one.n == other.n && memcmp(one.p, other.p, one.n) != 0, "another one, others");
	for (size_t i = 0; i < COUNT_OF(beginnings); i++)
		ok(holds(&one, beginnings[i]), "there is a name with %s", beginnings[i]);
	ok(holds(&one, "\"store\":false"), "what is not kept is not said to be");
	ok(holds(&kept, "\"id\":\"resp_kept\"") && holds(&kept, "\"store\":true"),
		"what is kept is, by its name");
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_row(i, true);
		check_row(i, false);
	}
	for (uint32_t seed = 1; seed <= 3000; seed++)
		check_any_order(seed);
	for (size_t i = 0; i < COUNT_OF(returns); i++) {
		check_return(i, true);
		check_return(i, false);
	}
	check_no_news();
	check_names();
	return tap_done();
}
