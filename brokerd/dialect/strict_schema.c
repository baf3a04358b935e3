/* strict_schema.c - a walk over a schema and all that it is made of. */
#include "brokerd/dialect/strict_schema.h"

#include <stdio.h>

#include "brokerd/dialect/pick.h"

/* Where the walk is: a chain on the C stack, from the innermost outwards. */
struct step {
	const struct step *up;
	struct span name;
};

static void write_path(const struct step *at, const char *last, struct buf *out)
{
	if (at->up)
		write_path(at->up, NULL, out);
	if (at->name.n > 0)
		buf_print(out, "%.*s.", SPAN_ARG(span_first(at->name, 64)));
	if (last)
		buf_text(out, last);
}

static bool offends(const struct step *at, const char *last, char *path, size_t size)
{
	OWNED(buf_done) struct buf text = BUF_INIT(64 * 1024);
	write_path(at, last, &text);
	fault_text(path, size, buf_view(&text));
	return false;
}

static bool is_object(struct json type, struct json properties)
{
	for (struct json_walk w = json_each(type); json_next(&w);) {
		if (json_is(w.value, "object"))
			return true;
	}
	return json_is(type, "object") || json_kind(properties) == JSON_OBJECT;
}

static bool requires(struct json required, struct span name)
{
	for (struct json_walk w = json_each(required); json_next(&w);) {
		if (json_kind(w.value) == JSON_STRING &&
			span_eq(span_of(w.value.text.p + 1, w.value.text.n - 2), name))
			return true;
	}
	return false;
}

static bool check(const struct step *at, struct json schema, char *path, size_t size);

/* The schemas that are an object's or an array's members. */
static bool check_all(
	const struct step *at, const char *name, struct json container, char *path, size_t size)
{
	const struct step in = {at, span_str(name)};
	bool is_legal = true;
	for (struct json_walk w = json_each(container); is_legal && json_next(&w);) {
		const struct step here = {&in, w.name};
		is_legal = check(&here, w.value, path, size);
	}
	return is_legal;
}

static bool check(const struct step *at, struct json schema, char *path, size_t size)
{
	static const char *const names[] = {"type", "properties", "additionalProperties",
		"required", "items", "anyOf", "$defs", "definitions"};
	struct json m[COUNT_OF(names)];
	if (json_kind(schema) != JSON_OBJECT)
		return true;
	PICK(schema, names, m);
	if (is_object(m[0], m[1])) {
		if (json_kind(m[2]) != JSON_FALSE)
			return offends(at, names[2], path, size);
		for (struct json_walk w = json_each(m[1]); json_next(&w);) {
			if (!requires(m[3], w.name))
				return offends(at, names[3], path, size);
		}
	}
	const struct step items = {at, SPAN("items")};
	return check_all(at, names[1], m[1], path, size) && check(&items, m[4], path, size) &&
	       check_all(at, names[5], m[5], path, size) &&
	       check_all(at, names[6], m[6], path, size) &&
	       check_all(at, names[7], m[7], path, size);
}

bool strict_schema_is_legal(struct json schema, char *path, size_t size)
{
	const struct step top = {NULL, SPAN_NONE};
	return check(&top, schema, path, size);
}
