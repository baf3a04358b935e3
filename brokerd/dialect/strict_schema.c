/* strict_schema.c - a walk down the places where a schema has schemas. */
#include "brokerd/dialect/strict_schema.h"

#include "protocol/base/owned.h"

/* Where a walk stands: a chain on the C stack. */
struct place {
	const struct place *up;
	struct span name; /* raw */
};

struct walk {
	struct buf *path;
	const char *what; /* NULL: nothing is wrong so far */
};

static void put_path(struct buf *out, const struct place *at)
{
	if (!at)
		return;
	put_path(out, at->up);
	if (out->n > 0)
		buf_byte(out, '.');
	buf_span(out, at->name);
}

static bool breach(struct walk *w, const struct place *at, const char *what)
{
	put_path(w->path, at);
	w->what = what;
	return true;
}

static const char *const refused[] = {"oneOf", "allOf", "not", "if", "then", "else",
	"patternProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
	"contains", "minContains", "maxContains", "minProperties", "maxProperties", "uniqueItems",
	"dependentRequired", "dependentSchemas"};

static bool has_refused(struct json schema)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		if (!json_is_nil(json_member(schema, refused[i])))
			return true;
	}
	return false;
}

/* Is it of that type, alone or among others? */
static bool is_of_type(struct json schema, const char *type)
{
	const struct json t = json_member(schema, "type");
	if (json_is(t, type))
		return true;
	if (json_kind(t) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_each(t); json_next(&w);) {
		if (json_is(w.value, type))
			return true;
	}
	return false;
}

/* Does a list of names, as raw text between quotes, have this one? */
static bool lists(struct json array, struct span raw_name)
{
	if (json_kind(array) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_each(array); json_next(&w);) {
		const struct span text = w.value.text;
		if (json_kind(w.value) == JSON_STRING &&
			span_eq(span_of(text.p + 1, text.n - 2), raw_name))
			return true;
	}
	return false;
}

static bool breaks(struct walk *w, const struct place *at, struct json schema);

/* Each schema of an object of schemas, or of an array of them. */
static bool any_breaks(struct walk *w, const struct place *at, const char *name, struct json all)
{
	const struct place here = {at, span_str(name)};
	for (struct json_walk each = json_each(all); json_next(&each);) {
		const struct place below = {&here, each.name};
		if (breaks(w, span_is_set(each.name) ? &below : &here, each.value))
			return true;
	}
	return false;
}

static bool object_breaks(struct walk *w, const struct place *at, struct json schema)
{
	const struct json properties = json_member(schema, "properties");
	const struct json required = json_member(schema, "required");
	if (json_kind(json_member(schema, "additionalProperties")) != JSON_FALSE)
		return breach(w, at, "lacks \"additionalProperties\": false");
	for (struct json_walk each = json_each(properties); json_next(&each);) {
		const struct place here = {at, SPAN("properties")};
		const struct place below = {&here, each.name};
		if (!lists(required, each.name))
			return breach(w, &below,
				"is not among the required: an optional one is required, with null "
				"among its types");
		if (breaks(w, &below, each.value))
			return true;
	}
	return false;
}

static bool is_known_format(struct json format)
{
	static const char *const known[] = {"date-time", "time", "date", "duration", "email",
		"hostname", "ipv4", "ipv6", "uuid"};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (json_is(format, known[i]))
			return true;
	}
	return json_is_nil(format);
}

/* Does a pattern look ahead or behind: (?= (?! (?<= (?<! ? A named group, (?<name>, does not. */
static bool looks_around(struct json pattern)
{
	const struct span text = pattern.text;
	for (size_t i = 0; i + 3 < text.n; i++) {
		if (text.p[i] != '(' || text.p[i + 1] != '?' || (i > 0 && text.p[i - 1] == '\\'))
			continue;
		const char mark = text.p[i + 2] == '<' ? text.p[i + 3] : text.p[i + 2];
		if (mark == '=' || mark == '!')
			return true;
	}
	return false;
}

/* A reference stands alone; at the root, what it leads to is beside it. */
static bool has_siblings(const struct place *at, struct json schema)
{
	if (json_is_nil(json_member(schema, "$ref")))
		return false;
	for (struct json_walk w = json_each(schema); json_next(&w);) {
		const bool is_beside = span_is(w.name, "$defs") || span_is(w.name, "definitions") ||
				       span_is(w.name, "$schema") || span_is(w.name, "$id");
		if (!span_is(w.name, "$ref") && (at || !is_beside))
			return true;
	}
	return false;
}

/* Does it say what it is a schema of? */
static bool is_typed(struct json schema)
{
	static const char *const words[] = {"type", "anyOf", "$ref", "enum", "const"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (!json_is_nil(json_member(schema, words[i])))
			return true;
	}
	return false;
}

static bool breaks(struct walk *w, const struct place *at, struct json schema)
{
	if (json_kind(schema) != JSON_OBJECT)
		return false;
	if (has_refused(schema))
		return breach(w, at, "has a keyword that a strict schema may not have");
	if (has_siblings(at, schema))
		return breach(w, at, "has something beside its $ref: that goes inside an anyOf");
	if (!is_known_format(json_member(schema, "format")))
		return breach(w, at, "has a format that a strict schema may not have");
	if (looks_around(json_member(schema, "pattern")))
		return breach(w, at, "has a pattern that looks ahead or behind");
	if ((is_of_type(schema, "object") || !json_is_nil(json_member(schema, "properties"))) &&
		object_breaks(w, at, schema))
		return true;
	const struct json items = json_member(schema, "items");
	const struct place in_items = {at, SPAN("items")};
	if (is_of_type(schema, "array") && json_kind(items) != JSON_OBJECT &&
		json_is_nil(json_member(schema, "prefixItems")))
		return breach(w, at, "is an array without items");
	if (json_kind(items) == JSON_OBJECT && !is_typed(items))
		return breach(w, &in_items, "does not say which type it is of");
	return breaks(w, &in_items, items) ||
	       any_breaks(w, at, "anyOf", json_member(schema, "anyOf")) ||
	       any_breaks(w, at, "$defs", json_member(schema, "$defs")) ||
	       any_breaks(w, at, "definitions", json_member(schema, "definitions"));
}

bool strict_schema_breach(struct json schema, struct buf *path, const char **what)
{
	struct walk w = {path, NULL};
	if (json_is_nil(json_member(schema, "$ref")) && !is_of_type(schema, "object"))
		breach(&w, NULL, "is not an object's at its root");
	else if (!json_is_nil(json_member(schema, "anyOf")))
		breach(&w, NULL, "has an anyOf at its root");
	else
		breaks(&w, NULL, schema);
	if (w.what)
		*what = w.what;
	return w.what != NULL;
}
