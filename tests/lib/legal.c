/* legal.c - one small machine a language. */
#include "tests/lib/legal.h"

#include "protocol/base/utf8.h"

enum { CHOICES = 8 };

enum place {
	BEFORE,
	STARTED, /* responses: created, and not yet in progress */
	BETWEEN, /* two blocks or items */
	INSIDE,  /* one of them */
	CLOSING, /* anthropic: the end was told; responses: an error: and not yet the last */
	OVER,
};

struct law;

struct state {
	const struct law *law;
	enum place at;
	bool is_failed;
	int64_t n;      /* blocks or items before this one */
	int64_t number; /* of events */
	struct span kind;
	bool has_part, is_told; /* responses: a text is open; it was told whole */
	int64_t n_parts;
	int64_t n_choices;
	bool is_begun[CHOICES], is_finished[CHOICES];
	int64_t n_calls[CHOICES]; /* chat: that began */
};

struct event {
	struct span name;
	struct json data;
	bool is_done; /* [DONE] */
};

struct law {
	const char *family;
	bool is_named;  /* its events have names */
	bool has_order; /* its choices, and the calls in one, begin one after the other */
	const char *(*take)(struct state *, const struct event *);
};

/* ---- anthropic ---- */

static bool is(struct json v, const char *name, const char *text)
{
	return json_is(json_member(v, name), text);
}

static bool is_number(struct json v, const char *name, int64_t wanted)
{
	int64_t n;
	return json_i64(json_member(v, name), &n) && n == wanted;
}

static bool fits_block(struct span block, struct json delta)
{
	static const struct {
		const char *delta, *block;
	} rows[] = {
		{"text_delta",       "text"           },
		{"citations_delta",  "text"           },
		{"thinking_delta",   "thinking"       },
		{"signature_delta",  "thinking"       },
		{"input_json_delta", "tool_use"       },
		{"input_json_delta", "server_tool_use"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (is(delta, "type", rows[i].delta) && span_is(block, rows[i].block))
			return true;
	}
	return false;
}

/* A string's raw text: the words of these languages have no escapes. */
static struct span word(struct json v)
{
	return json_kind(v) == JSON_STRING ? span_of(v.text.p + 1, v.text.n - 2) : SPAN_NONE;
}

static const char *take_block(struct state *s, const struct event *e)
{
	if (!is_number(e->data, "index", s->n))
		return "an index that is not its block's";
	if (is(e->data, "type", "content_block_start")) {
		if (s->at != BETWEEN)
			return "a block that begins inside of another";
		s->kind = word(json_member(json_member(e->data, "content_block"), "type"));
		s->at = INSIDE;
		return s->kind.n > 0 ? NULL : "a block of no kind";
	}
	if (s->at != INSIDE)
		return "a piece or an end of no block";
	if (is(e->data, "type", "content_block_delta"))
		return fits_block(s->kind, json_member(e->data, "delta")) ? NULL
									  : "another block's piece";
	s->n++;
	s->at = BETWEEN;
	return NULL;
}

static const char *take_anthropic(struct state *s, const struct event *e)
{
	if (span_starts(e->name, SPAN("content_block_")))
		return take_block(s, e);
	if (span_is(e->name, "ping"))
		return s->at == BEFORE ? "a ping before the beginning" : NULL;
	if (span_is(e->name, "error")) {
		s->is_failed = true;
		s->at = OVER;
		return NULL;
	}
	if (span_is(e->name, "message_start")) {
		if (s->at != BEFORE)
			return "a second beginning";
		s->at = BETWEEN;
		return NULL;
	}
	if (span_is(e->name, "message_delta")) {
		if (s->at != BETWEEN && s->at != CLOSING)
			return "the end is told before the blocks are over";
		s->at = CLOSING;
		return word(json_member(json_member(e->data, "delta"), "stop_reason")).n > 0
			       ? NULL
			       : "an end without a reason";
	}
	if (!span_is(e->name, "message_stop"))
		return "an event that the language does not have";
	if (s->at != CLOSING)
		return "the last, before the end was told";
	s->at = OVER;
	return NULL;
}

/* ---- openai-responses ---- */

/* Which item has such a text? */
static const struct {
	const char *text, *item;
} texts[] = {
	{"response.output_text.",             "message"         },
	{"response.refusal.",                 "message"         },
	{"response.reasoning_text.",          "reasoning"       },
	{"response.reasoning_summary_text.",  "reasoning"       },
	{"response.function_call_arguments.", "function_call"   },
	{"response.custom_tool_call_input.",  "custom_tool_call"},
};

static bool is_call(struct span kind)
{
	return span_is(kind, "function_call") || span_is(kind, "custom_tool_call");
}

static const char *take_item(struct state *s, const struct event *e)
{
	if (!is_number(e->data, "output_index", s->n))
		return "an output_index that is not its item's";
	if (span_is(e->name, "response.output_item.added")) {
		if (s->at != BETWEEN)
			return "an item that begins inside of another";
		s->kind = word(json_member(json_member(e->data, "item"), "type"));
		s->at = INSIDE;
		s->n_parts = 0;
		s->is_told = false;
		s->has_part = is_call(s->kind);
		return s->kind.n > 0 ? NULL : "an item of no kind";
	}
	if (s->at != INSIDE)
		return "the end of no item";
	if (is_call(s->kind) ? !s->is_told : s->has_part)
		return "an item that ends while a text of it is open";
	if (!is(json_member(e->data, "item"), "type", "message") && span_is(s->kind, "message"))
		return "an item that ends as another";
	s->n++;
	s->at = BETWEEN;
	return NULL;
}

static const char *take_part(struct state *s, const struct event *e)
{
	const char *index = span_starts(e->name, SPAN("response.content_part.")) ? "content_index"
										 : "summary_index";
	if (s->at != INSIDE || !is_number(e->data, "output_index", s->n))
		return "a part of another item";
	if (!is_number(e->data, index, s->n_parts))
		return "a part that is not the next";
	if (span_ends(e->name, SPAN(".added"))) {
		if (s->has_part)
			return "a part that begins inside of another";
		s->has_part = true;
		s->is_told = false;
		return NULL;
	}
	if (!s->has_part || !s->is_told)
		return "a part that ends before its text";
	s->has_part = false;
	s->n_parts++;
	return NULL;
}

static const char *take_text(struct state *s, const struct event *e, const char *item)
{
	if (s->at != INSIDE || !is_number(e->data, "output_index", s->n) || !span_is(s->kind, item))
		return "a text of another item";
	if (!s->has_part || s->is_told)
		return "a text that is not open";
	s->is_told = span_ends(e->name, SPAN(".done"));
	return NULL;
}

/* An error may have a failed response behind it. */
static const char *take_end(struct state *s, const struct event *e)
{
	const bool is_failed = span_is(e->name, "response.failed");
	if (span_is(e->name, "error") || is_failed) {
		if (is_failed && s->at == BEFORE)
			return "an end before the beginning";
		s->is_failed = true;
		s->at = is_failed ? OVER : CLOSING;
		return NULL;
	}
	if (s->at != BETWEEN)
		return "an end while an item is open";
	s->at = OVER;
	return NULL;
}

static const char *take_responses(struct state *s, const struct event *e)
{
	if (!is_number(e->data, "sequence_number", s->number++))
		return "a sequence_number that is not the next";
	if (s->at == CLOSING && !span_is(e->name, "response.failed"))
		return "something behind an error";
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (span_starts(e->name, span_str(texts[i].text)))
			return take_text(s, e, texts[i].item);
	}
	if (span_starts(e->name, SPAN("response.output_item.")))
		return take_item(s, e);
	if (span_starts(e->name, SPAN("response.content_part.")) ||
		span_starts(e->name, SPAN("response.reasoning_summary_part.")))
		return take_part(s, e);
	if (span_is(e->name, "response.created")) {
		if (s->at != BEFORE)
			return "a second beginning";
		s->at = STARTED;
		return NULL;
	}
	if (span_is(e->name, "response.in_progress")) {
		if (s->at != STARTED)
			return "in_progress is not the second";
		s->at = BETWEEN;
		return NULL;
	}
	if (span_is(e->name, "response.completed") || span_is(e->name, "response.incomplete") ||
		span_is(e->name, "response.failed") || span_is(e->name, "error"))
		return take_end(s, e);
	return s->at == INSIDE ? NULL : "an event of no item";
}

/* ---- openai-chat, openai-completions, gemini: choices ---- */

/* A call is over, to clients of OpenAI's, when the next one begins. */
static const char *take_calls(int64_t *n, struct json calls)
{
	for (struct json_walk w = json_each(calls); json_next(&w);) {
		if (is_number(w.value, "index", *n))
			++*n;
		else if (!is_number(w.value, "index", *n - 1))
			return "a piece of a call that is not the last";
	}
	return NULL;
}

/* `finish`: the member that ends a choice. Clients of OpenAI's put a choice that they hear of behind those
 * that they know, whatever its index. */
static const char *take_choices(struct state *s, struct json choices, const char *finish)
{
	for (struct json_walk w = json_each(choices); json_next(&w);) {
		int64_t at = 0;
		const struct json index = json_member(w.value, "index");
		if (!json_is_nil(index) && !json_i64(index, &at))
			return "an index that is no number";
		if (at < 0 || at >= CHOICES || (s->law->has_order && at > s->n_choices))
			return "a choice that is not the next";
		const bool is_first = !s->is_begun[at];
		const struct json delta = json_member(w.value, "delta");
		const struct json role = json_member(delta, "role");
		if (s->law->has_order && json_is_nil(role) == is_first)
			return "a role that is not said first, and once";
		s->n_choices += is_first;
		s->is_begun[at] = true;
		if (s->is_finished[at])
			return "a piece of a choice that is over";
		s->is_finished[at] = !json_is_nil(json_member(w.value, finish));
		const char *wrong = take_calls(&s->n_calls[at], json_member(delta, "tool_calls"));
		if (wrong)
			return wrong;
	}
	return NULL;
}

static bool are_all_finished(const struct state *s)
{
	bool are = s->n_choices > 0;
	for (size_t i = 0; i < CHOICES; i++)
		are = are && s->is_begun[i] == s->is_finished[i];
	return are;
}

static const char *take_openai(struct state *s, const struct event *e)
{
	if (e->is_done) {
		s->at = OVER;
		return are_all_finished(s) ? NULL : "the last before the end of each choice";
	}
	if (!json_is_nil(json_member(e->data, "error"))) {
		s->is_failed = true;
		s->at = OVER;
		return NULL;
	}
	const struct json choices = json_member(e->data, "choices");
	if (json_kind(choices) != JSON_ARRAY)
		return "a chunk without choices";
	s->at = BETWEEN;
	return take_choices(s, choices, "finish_reason");
}

static const char *take_parts(struct json content)
{
	static const char *const kinds[] = {"text", "inlineData", "fileData", "functionCall",
		"executableCode", "codeExecutionResult"};
	for (struct json_walk w = json_each(json_member(content, "parts")); json_next(&w);) {
		size_t n = 0;
		for (size_t i = 0; i < COUNT_OF(kinds); i++)
			n += json_kind(json_member(w.value, kinds[i])) != JSON_ABSENT;
		if (n > 1)
			return "a part of two kinds";
	}
	return NULL;
}

/* It has no last event: it is over when its input is. */
static const char *take_gemini(struct state *s, const struct event *e)
{
	if (s->is_failed)
		return "something behind an error";
	if (!json_is_nil(json_member(e->data, "error"))) {
		s->is_failed = true;
		return NULL;
	}
	const struct json candidates = json_member(e->data, "candidates");
	for (struct json_walk w = json_each(candidates); json_next(&w);) {
		const char *wrong = take_parts(json_member(w.value, "content"));
		if (wrong)
			return wrong;
	}
	return take_choices(s, candidates, "finishReason");
}

/* ---- framing ---- */

static const struct law laws[] = {
	{"openai-chat",        false, true,  take_openai   },
	{"openai-completions", false, false, take_openai   },
	{"openai-responses",   true,  false, take_responses},
	{"anthropic",          true,  false, take_anthropic},
	{"gemini",             false, false, take_gemini   },
};

static const struct law *law_of(struct span family)
{
	for (size_t i = 0; i < COUNT_OF(laws); i++) {
		if (span_is(family, laws[i].family))
			return &laws[i];
	}
	return NULL;
}

/* Takes one event off the front: an event: line where they have names, one data: line, an empty line. */
static const char *cut_event(struct span *rest, bool is_named, struct event *out)
{
	*out = (struct event){.name = SPAN_NONE};
	if (is_named) {
		if (!span_starts(*rest, SPAN("event: ")))
			return "an event without its name";
		*rest = span_skip(*rest, strlen("event: "));
		out->name = span_cut(rest, '\n');
	}
	if (!span_starts(*rest, SPAN("data: ")))
		return "an event without data";
	*rest = span_skip(*rest, strlen("data: "));
	const size_t end = span_index(*rest, '\n');
	const struct span data = span_first(*rest, end);
	if (end + 1 >= rest->n || rest->p[end + 1] != '\n')
		return "an event without an empty line behind it";
	*rest = span_skip(*rest, end + 2);
	out->is_done = !is_named && span_is(data, "[DONE]");
	if (out->is_done)
		return NULL;
	if (memchr(data.p, '\r', data.n) || json_scan(data, JSON_STRICT, &out->data, NULL) ||
		json_kind(out->data) != JSON_OBJECT)
		return "data that is no JSON object";
	if (is_named && !span_eq(word(json_member(out->data, "type")), out->name))
		return "an event of another type than its name";
	return NULL;
}

static const char *check_end(const struct state *s, bool has_last, enum legal_end end)
{
	if (end == LEGAL_FAILED)
		return s->is_failed ? NULL : "a fault that is not told";
	if (s->is_failed)
		return "an error that there was not";
	if (end == LEGAL_WHOLE)
		return (has_last ? s->at == OVER : are_all_finished(s)) ? NULL : "it has no end";
	return NULL;
}

const char *legal_stream(struct span family, struct span said, enum legal_end end)
{
	const struct law *law = law_of(family);
	struct state s = {.law = law, .at = BEFORE};
	if (!law)
		return "a language that nobody speaks";
	if (!utf8_is_valid(said))
		return "it is no UTF-8";
	while (said.n > 0) {
		struct event e;
		if (s.at == OVER)
			return "something behind the end";
		const char *wrong = cut_event(&said, law->is_named, &e);
		if (!wrong)
			wrong = law->take(&s, &e);
		if (wrong)
			return wrong;
	}
	return check_end(&s, law->take != take_gemini, end);
}

const char *legal_list(struct span said, enum legal_end end)
{
	struct state s = {.law = law_of(SPAN("gemini")), .at = BEFORE};
	struct json list;
	if (!utf8_is_valid(said) || json_scan(said, JSON_STRICT, &list, NULL) ||
		json_kind(list) != JSON_ARRAY)
		return "it is no JSON array";
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const char *wrong = take_gemini(&s, &(struct event){.data = w.value});
		if (wrong)
			return wrong;
	}
	return check_end(&s, false, end);
}
