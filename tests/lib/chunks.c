/* chunks.c - one event at a time, with what must hold between them. */
#include "tests/lib/chunks.h"

#include <stdarg.h>
#include <stdio.h>

#include "protocol/base/owned.h"

enum { CHOICES_MAX = 64 };

struct reader {
	struct buf *lines;
	struct span about; /* id, object, created and model, as the first chunk has them */
	bool has_begun[CHOICES_MAX], is_finished[CHOICES_MAX];
	int64_t n_calls[CHOICES_MAX]; /* that have begun */
	bool has_usage, is_over;
};

static const char *wrong(const char *format, ...) PRINTF_LIKE(1, 2);
static const char *wrong(const char *format, ...)
{
	static char text[400];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return text;
}

static const char *read_call(struct reader *r, int64_t choice, struct json call)
{
	int64_t index;
	const struct json id = json_member(call, "id");
	struct json body = json_member(call, "function");
	if (json_kind(body) != JSON_OBJECT)
		body = json_member(call, "custom");
	if (!json_i64(json_member(call, "index"), &index) || index < 0 ||
		index > r->n_calls[choice])
		return wrong("a call's index is not the next: %.*s", SPAN_ARG(call.text));
	const bool is_new = index == r->n_calls[choice];
	if (is_new != (json_kind(id) == JSON_STRING) || (is_new && id.text.n <= 2) ||
		is_new != (json_kind(json_member(call, "type")) == JSON_STRING) ||
		is_new != (json_kind(json_member(body, "name")) == JSON_STRING))
		return wrong("a call has no beginning, or two: %.*s", SPAN_ARG(call.text));
	if (json_kind(json_member(body, "arguments")) != JSON_STRING &&
		json_kind(json_member(body, "input")) != JSON_STRING)
		return wrong("a call without arguments: %.*s", SPAN_ARG(call.text));
	r->n_calls[choice] += is_new;
	return NULL;
}

static const char *read_delta(struct reader *r, int64_t choice, struct json delta)
{
	const bool begins = json_is(json_member(delta, "role"), "assistant");
	const char *bad = NULL;
	if (json_kind(delta) != JSON_OBJECT)
		return wrong("a choice without a delta");
	if (begins == r->has_begun[choice])
		return wrong("choice %d does not begin once, first of all", (int)choice);
	for (struct json_walk w = json_each(json_member(delta, "tool_calls"));
		!bad && json_next(&w);)
		bad = read_call(r, choice, w.value);
	r->has_begun[choice] = true;
	buf_i64(r->lines, choice);
	buf_byte(r->lines, ' ');
	buf_span(r->lines, begins ? SPAN("begins") : delta.text);
	return bad;
}

static const char *read_choice(struct reader *r, struct json choice)
{
	int64_t index;
	const struct json finish = json_member(choice, "finish_reason");
	const struct json logprobs = json_member(choice, "logprobs");
	const struct json text = json_member(choice, "text");
	const char *bad = NULL;
	if (!json_i64(json_member(choice, "index"), &index) || index < 0 || index >= CHOICES_MAX)
		return wrong("a choice without an index");
	if (r->is_finished[index])
		return wrong("choice %d goes on behind its finish", (int)index);
	if (json_kind(text) == JSON_STRING) {
		buf_i64(r->lines, index);
		buf_byte(r->lines, ' ');
		buf_span(r->lines, text.text);
		r->has_begun[index] = true;
	} else {
		bad = read_delta(r, index, json_member(choice, "delta"));
	}
	if (!json_is_nil(logprobs)) {
		buf_byte(r->lines, ' ');
		buf_span(r->lines, logprobs.text);
	}
	r->is_finished[index] = json_kind(finish) == JSON_STRING;
	if (r->is_finished[index]) {
		buf_byte(r->lines, ' ');
		json_text_to(finish, r->lines);
	} else if (json_kind(finish) != JSON_NULL) {
		return wrong("a finish_reason that is none");
	}
	buf_byte(r->lines, '\n');
	return bad;
}

/* The four members are first in each chunk, and never change. */
static bool is_alike(struct reader *r, struct json chunk)
{
	static const char *const names[] = {"id", "object", "created", "model"};
	struct json_walk w = json_each(chunk);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!json_next(&w) || !json_name_is(w.name, names[i]))
			return false;
	}
	const struct span about =
		span_of(chunk.text.p, (size_t)(w.value.text.p + w.value.text.n - chunk.text.p));
	if (!span_is_set(r->about))
		r->about = about;
	return span_eq(r->about, about);
}

static const char *read_chunk(struct reader *r, struct json chunk)
{
	const struct json error = json_member(chunk, "error");
	const struct json choices = json_member(chunk, "choices");
	struct json_walk w = json_each(choices);
	if (json_kind(error) == JSON_OBJECT) {
		buf_text(r->lines, "error ");
		json_text_to(json_member(error, "code"), r->lines);
		buf_byte(r->lines, '\n');
		r->is_over = true;
		return NULL;
	}
	if (!is_alike(r, chunk) || json_kind(choices) != JSON_ARRAY)
		return wrong("a chunk that is none: %.*s", SPAN_ARG(chunk.text));
	if (r->has_usage)
		return wrong("something comes behind the usage");
	if (json_next(&w))
		return json_kind(json_member(chunk, "usage")) >= JSON_FALSE
			       ? wrong("usage beside a choice")
			       : read_choice(r, w.value);
	if (json_kind(json_member(chunk, "usage")) != JSON_OBJECT)
		return wrong("neither a choice nor usage");
	r->has_usage = true;
	buf_text(r->lines, "usage\n");
	return NULL;
}

static const char *read_event(struct reader *r, struct span data)
{
	struct json_rules rules = JSON_STRICT;
	struct json chunk;
	struct fault why;
	rules.has_unique_names = true;
	if (r->is_over)
		return wrong("something comes behind the end");
	if (span_is(data, "[DONE]")) {
		for (size_t i = 0; i < CHOICES_MAX; i++) {
			if (r->has_begun[i] && !r->is_finished[i])
				return wrong("choice %zu is not finished", i);
		}
		r->is_over = true;
		buf_text(r->lines, "done\n");
		return NULL;
	}
	if (json_scan(data, rules, &chunk, &why))
		return wrong("no JSON: %s: %.*s", why.message, SPAN_ARG(span_first(data, 200)));
	return read_chunk(r, chunk);
}

const char *chunks_read(struct span stream, struct buf *lines)
{
	struct reader r = {.lines = lines};
	const char *bad = NULL;
	while (!bad && stream.n > 0) {
		const size_t n = span_find(stream, SPAN("\n\n"));
		if (!span_starts(stream, SPAN("data: ")) || n == stream.n)
			return wrong("an event that is none");
		bad = read_event(&r, span_skip(span_first(stream, n), strlen("data: ")));
		stream = span_skip(stream, n + 2);
	}
	return bad;
}
