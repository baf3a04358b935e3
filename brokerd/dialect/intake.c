/* intake.c - the walk over an object's members, and the fields that all families have. */
#include "brokerd/dialect/intake.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "brokerd/dialect/base64.h"
#include "brokerd/value/http.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

/* Members of a family inside of which names are the caller's own, and may be there twice: schemas, what
 * tools are called with and say, labels. They are passed on and never read. */
static const char *const *unread_of(struct span family)
{
	static const char *const openai[] = {"parameters", "schema", "arguments", NULL};
	static const char *const anthropic[] = {"input_schema", "schema", "input", NULL};
	static const char *const gemini[] = {"parameters", "parametersJsonSchema",
		"parameters_json_schema", "responseSchema", "response_schema", "responseJsonSchema",
		"response_json_schema", "_responseJsonSchema", "args", "response", "labels", NULL};
	static const char *const others[] = {
		"parameters", "schema", "json", "arguments", "input", "args", NULL};
	static const struct {
		const char *family;
		const char *const *names;
	} rows[] = {
		{"openai-chat",      openai   },
		{"openai-responses", openai   },
		{"anthropic",        anthropic},
		{"gemini",           gemini   },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_is(family, rows[i].family))
			return rows[i].names;
	}
	return others;
}

enum err intake_no_memory(struct intake *in)
{
	return fault_set(
		in->why, ERR_NO_MEMORY, "out of memory, or more of it than one request may have");
}

enum err intake_refuse(struct intake *in, const struct at *at, const char *format, ...)
{
	char sentence[512];
	const struct reader reader = {.why = in->why};
	va_list args;
	va_start(args, format);
	(void)vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	(void)reader_refuse(&reader, at, ERR_INVALID_REQUEST, "%s", sentence);
	return ERR_INVALID_REQUEST;
}

enum err intake_wrong(struct intake *in, const struct at *at, struct json v, const char *wanted)
{
	static const char *const kinds[] = {
		[JSON_ABSENT] = "nothing",
		[JSON_NULL] = "null",
		[JSON_FALSE] = "a boolean",
		[JSON_TRUE] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	return intake_refuse(in, at, "%s is wanted, not %s", wanted, kinds[json_kind(v)]);
}

enum err intake_check_messages(struct intake *in, const struct at *at, size_t n)
{
	if (n <= LIMIT_MESSAGES)
		return OK;
	(void)intake_refuse(in, at, "these are more than %zu messages", LIMIT_MESSAGES);
	fault_text(in->why->code, sizeof in->why->code, SPAN("request_too_large"));
	return ERR_INVALID_REQUEST;
}

enum err intake_body(struct intake *in, struct span body, struct json *out)
{
	struct json_rules rules = JSON_STRICT;
	struct fault why = FAULT_NONE;
	rules.has_unique_names = true;
	rules.has_two_spellings = span_is(in->family, "gemini");
	rules.free_inside = unread_of(in->family);
	rules.marks = in->arena;
	const enum err err = json_scan(body, rules, out, &why);
	if (err == ERR_NO_MEMORY)
		return intake_no_memory(in);
	if (err == ERR_MALFORMED && why.param[0]) /* a name that may not be there */
		return fault_param(in->why, ERR_INVALID_REQUEST, why.param, "%s", why.message);
	if (err == ERR_TOO_BIG)
		return fault_set(in->why, err, "%s", why.message);
	if (err)
		return fault_set(
			in->why, ERR_INVALID_REQUEST, "the body is no valid JSON: %s", why.message);
	if (json_kind(*out) != JSON_OBJECT)
		return fault_set(in->why, ERR_INVALID_REQUEST, "the body is no JSON object");
	in->notes->body = *out;
	return OK;
}

enum err intake_keep(
	struct intake *in, struct extra *to, const char *below, struct span name, struct span json)
{
	OWNED(buf_done) struct buf path = BUF_INIT(name.n + strlen(below) + 1);
	/* the room doubles each time that it is full */
	if ((to->n & (to->n - 1)) == 0) {
		struct extra_member *grown =
			arena_array(in->arena, to->n ? to->n * 2 : 1, sizeof *grown);
		if (!grown)
			return intake_no_memory(in);
		if (to->n > 0)
			memcpy(grown, to->members, to->n * sizeof *grown);
		to->members = grown;
	}
	struct extra_member *m = &to->members[to->n];
	*m = (struct extra_member){.name = name, .json = json};
	if (*below) {
		buf_text(&path, below);
		buf_span(&path, name);
		if (buf_error(&path) || arena_dup(in->arena, buf_view(&path), &m->name))
			return intake_no_memory(in);
	}
	to->family = in->family;
	to->n++;
	return OK;
}

/* A member's name as text. */
static enum err plain(struct intake *in, struct span raw, struct span *out)
{
	*out = raw;
	if (span_index(raw, '\\') == raw.n)
		return OK;
	/* the quotes are around it in the body */
	const struct json quoted = json_of(span_of(raw.p - 1, raw.n + 2));
	return json_utf8(quoted, in->arena, out) ? intake_no_memory(in) : OK;
}

/* The row of that name, or n. Most names differ in their first letter already. */
static size_t row_of(const struct intake_row *rows, size_t n, struct span name)
{
	size_t i = name.n > 0 ? 0 : n;
	while (i < n && !(rows[i].name[0] == name.p[0] && span_is(name, rows[i].name)))
		i++;
	return i;
}

/* A name that is a row's but for its case: some readers would take it for that member, others not. */
static const char *miswritten(const struct intake_row *rows, size_t n, struct span name)
{
	const char first = name.n > 0 ? span_lower(name.p[0]) : '\0';
	for (size_t i = 0; i < n; i++) {
		if (span_lower(rows[i].name[0]) == first && span_is_nocase(name, rows[i].name))
			return rows[i].name;
	}
	return NULL;
}

enum err intake_object(struct intake *in, const struct at *at, struct json v,
	const struct intake_row *rows, size_t n, void *object, struct extra *unknown,
	const char *below)
{
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	for (struct json_walk w = json_each(v); json_next(&w);) {
		struct span name;
		enum err err = plain(in, w.name, &name);
		if (err)
			return err;
		const struct at here = at_member(at, name);
		const size_t i = row_of(rows, n, name);
		if (i < n && json_kind(w.value) == JSON_NULL)
			continue;
		if (i < n)
			err = rows[i].read(in, &here, w.value, (char *)object + rows[i].offset);
		else if (miswritten(rows, n, name))
			err = intake_refuse(in, &here, "this member is written \"%s\"",
				miswritten(rows, n, name));
		else if (unknown)
			err = intake_keep(in, unknown, below, name, w.value.text);
		else
			err = intake_refuse(in, &here, "there is no such member");
		if (err)
			return err;
	}
	return OK;
}

/* ---- readers ---- */

static enum err warn_replaced(struct intake *in, const struct at *at)
{
	struct fault where = FAULT_NONE; /* its path is wanted, no refusal */
	const struct reader reader = {.why = &where};
	(void)reader_refuse(&reader, at, ERR_INVALID_REQUEST, "-");
	return notes_warn(in->notes, "rewritten_message", where.param,
		       "a lone surrogate is no character: U+FFFD stands for it")
		       ? intake_no_memory(in)
		       : OK;
}

enum err intake_text(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct span *text = field;
	if (json_kind(v) != JSON_STRING)
		return intake_wrong(in, at, v, "a string");
	if (json_text(v, in->arena, text))
		return intake_no_memory(in);
	/* where it stands in the body it is valid: only an escape can be a lone surrogate */
	if (text->p == v.text.p + 1 || utf8_is_valid(*text))
		return OK;
	OWNED(buf_done) struct buf whole = BUF_INIT(text->n * 3);
	struct utf8_repair repair = {.n = 0};
	utf8_repair(&repair, *text, &whole);
	utf8_repair_end(&repair, &whole);
	if (buf_error(&whole) || arena_dup(in->arena, buf_view(&whole), text))
		return intake_no_memory(in);
	return repair.has_replaced ? warn_replaced(in, at) : OK;
}

enum err intake_model(struct intake *in, const struct at *at, struct json v, void *field)
{
	const struct span *name = field;
	const enum err err = intake_text(in, at, v, field);
	if (!err && name->n > LIMIT_LABEL_BYTES)
		return intake_refuse(in, at, "a model's name has at most %zu bytes, not %zu",
			LIMIT_LABEL_BYTES, name->n);
	if (!err && span_has_control(*name))
		return intake_refuse(in, at, "a control byte stands in no model's name");
	return err;
}

enum err intake_json(struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)in;
	(void)at;
	*(struct span *)field = v.text;
	return OK;
}

enum err intake_object_json(struct intake *in, const struct at *at, struct json v, void *field)
{
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	*(struct span *)field = v.text;
	return OK;
}

enum err intake_value(struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)in;
	(void)at;
	*(struct json *)field = v;
	return OK;
}

enum err intake_object_value(struct intake *in, const struct at *at, struct json v, void *field)
{
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	*(struct json *)field = v;
	return OK;
}

enum err intake_i64(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opt_i64 *to = field;
	if (!json_i64(v, &to->v))
		return intake_wrong(in, at, v, "a whole number of 64 bits");
	to->is_set = true;
	return OK;
}

enum err intake_f64(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opt_f64 *to = field;
	if (!json_f64(v, &to->v))
		return intake_wrong(in, at, v, "a finite number");
	to->is_set = true;
	return OK;
}

enum err intake_bool(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opt_bool *to = field;
	to->is_set = true;
	return intake_flag(in, at, v, &to->v);
}

enum err intake_flag(struct intake *in, const struct at *at, struct json v, void *field)
{
	if (json_kind(v) != JSON_TRUE && json_kind(v) != JSON_FALSE)
		return intake_wrong(in, at, v, "true or false");
	*(bool *)field = json_is_true(v);
	return OK;
}

enum err intake_ignore(struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)in;
	(void)at;
	(void)v;
	(void)field;
	return OK;
}

enum err intake_base64(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct span text = SPAN_NONE;
	enum err err = intake_text(in, at, v, &text);
	OWNED(buf_done) struct buf bytes = BUF_INIT(text.n + 16);
	if (err)
		return err;
	if (!base64_decode(text, &bytes))
		return buf_error(&bytes) ? intake_no_memory(in)
					 : intake_refuse(in, at, "this is no base64");
	return arena_adopt(in->arena, &bytes, field) ? intake_no_memory(in) : OK;
}

struct cache_control {
	struct span type, ttl;
};

enum err intake_cache_control(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type", intake_text, offsetof(struct cache_control, type)},
		{"ttl",  intake_text, offsetof(struct cache_control, ttl) },
	};
	struct cache_control control = {.ttl = SPAN("5m")};
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), &control, NULL, "");
	if (err)
		return err;
	if (!span_is(control.type, "ephemeral"))
		return intake_refuse(in, at, "a mark of type \"ephemeral\" is wanted");
	if (control.ttl.n == 0 || control.ttl.n > LIMIT_LABEL_BYTES)
		return intake_refuse(in, at, "a ttl as in \"5m\" or \"1h\" is wanted");
	*(struct span *)field = control.ttl;
	return OK;
}

enum err intake_array(struct intake *in, const struct at *at, struct json v, size_t size,
	enum err (*read)(struct intake *in, const struct at *at, struct json v, void *element),
	void *list, size_t *n)
{
	size_t i = 0;
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	*n = intake_count(v);
	char *room = arena_array(in->arena, *n, size);
	if (!room)
		return intake_no_memory(in);
	memcpy(list, &room, sizeof room); /* a pointer to whatever the elements are */
	for (struct json_walk w = json_each(v); json_next(&w); i++) {
		const struct at here = at_index(at, i);
		const enum err err = read(in, &here, w.value, room + i * size);
		if (err)
			return err;
	}
	return OK;
}

enum err intake_unescape(struct intake *in, struct span text, struct span *out)
{
	OWNED(buf_done) struct buf plain = BUF_INIT(text.n + 1);
	const bool is_sound = http_unescape(text, &plain);
	const struct span made = buf_view(&plain);
	if (buf_error(&plain))
		return intake_no_memory(in);
	if (!is_sound || span_has_control(made) || !utf8_is_valid(made))
		return fault_param(in->why, ERR_INVALID_REQUEST, "path",
			"\"%.*s\" is no percent-encoded text", SPAN_ARG(span_first(text, 64)));
	return arena_dup(in->arena, made, out) ? intake_no_memory(in) : OK;
}

size_t intake_count(struct json array)
{
	size_t n = 0;
	for (struct json_walk w = json_each(array); json_next(&w);)
		n++;
	return n;
}

enum err intake_texts(
	struct intake *in, const struct at *at, struct json v, struct span **list, size_t *n)
{
	const bool is_one = json_kind(v) == JSON_STRING;
	if (!is_one && json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "a string, or an array of strings");
	*list = arena_array(in->arena, is_one ? 1 : intake_count(v), sizeof **list);
	*n = 0;
	if (!*list)
		return intake_no_memory(in);
	if (is_one)
		return intake_text(in, at, v, &(*list)[(*n)++]);
	for (struct json_walk w = json_each(v); json_next(&w); ++*n) {
		const struct at here = at_index(at, *n);
		const enum err err = intake_text(in, &here, w.value, &(*list)[*n]);
		if (err)
			return err;
	}
	return OK;
}

enum err intake_pairs(
	struct intake *in, const struct at *at, struct json v, struct string_pair **list, size_t *n)
{
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object of strings");
	*list = arena_array(in->arena, intake_count(v), sizeof **list);
	*n = 0;
	if (!*list)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); json_next(&w); ++*n) {
		struct string_pair *pair = &(*list)[*n];
		enum err err = plain(in, w.name, &pair->key);
		if (err)
			return err;
		const struct at here = at_member(at, pair->key);
		err = intake_text(in, &here, w.value, &pair->value);
		if (err)
			return err;
	}
	return OK;
}
