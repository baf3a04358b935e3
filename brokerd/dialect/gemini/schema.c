/* schema.c - what JSON Schema the current wire takes, of which a few words must go. */
#include "brokerd/dialect/gemini/schema.h"

#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"

#define DEPTH_MAX 128

struct rewriting {
	struct json_out o;
	struct schema_losses losses;
	bool has_changed;
};

/* Words that say nothing of a value: they go unsaid. */
static const char *const idle[] = {"$schema", "$comment", "examples"};
/* Conditions that are not understood. */
static const char *const unknown[] = {"exclusiveMinimum", "exclusiveMaximum", "patternProperties",
	"discriminator", "not", "if", "then", "else"};
/* Where schemas are inside of schemas: in an object or list of them, or one by itself. */
static const char *const several[] = {
	"properties", "$defs", "definitions", "anyOf", "oneOf", "allOf", "prefixItems"};
static const char *const single[] = {"items", "additionalProperties"};

static bool is_in(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (json_name_is(name, list[i]))
			return true;
	}
	return false;
}

#define IS_IN(name, list) is_in((name), (list), COUNT_OF(list))

static void put(struct rewriting *r, struct json v, int depth);

/* A list or an object of schemas. */
static void put_several(struct rewriting *r, struct json v, int depth)
{
	const bool is_object = json_kind(v) == JSON_OBJECT;
	if (!is_object && json_kind(v) != JSON_ARRAY) {
		json_put_raw(&r->o, v.text);
		return;
	}
	json_open(&r->o, is_object ? '{' : '[');
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (is_object)
			json_key_raw(&r->o, w.name);
		put(r, w.value, depth + 1);
	}
	json_close(&r->o, is_object ? '}' : ']');
}

/* One value that is allowed is a list of one. */
static void put_const(struct rewriting *r, struct json v, bool has_type)
{
	const enum json_kind kind = json_kind(v);
	const char *type = kind == JSON_STRING                       ? "string"
			   : kind == JSON_NUMBER                     ? "number"
			   : kind == JSON_TRUE || kind == JSON_FALSE ? "boolean"
								     : NULL;
	if (!has_type && type)
		json_pair_str(&r->o, "type", span_str(type));
	json_key(&r->o, "enum");
	json_open(&r->o, '[');
	json_put_raw(&r->o, v.text);
	json_close(&r->o, ']');
}

/* Where a reference leads: definitions have one name here. */
static void put_place(struct rewriting *r, struct json v)
{
	OWNED(buf_done) struct buf place = BUF_INIT(LIMIT_BODY_BYTES);
	const struct span old = SPAN("\"#/definitions/");
	if (!span_starts(v.text, old)) {
		json_put_raw(&r->o, v.text);
		return;
	}
	buf_text(&place, "\"#/$defs/");
	buf_span(&place, span_skip(v.text, old.n));
	json_put_raw(&r->o, buf_view(&place));
	r->has_changed = true;
}

/* A reference, with nothing beside it but other names in $. */
static void put_ref(struct rewriting *r, struct json v)
{
	json_open(&r->o, '{');
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (w.name.n == 0 || w.name.p[0] != '$') {
			r->has_changed = r->losses.has_dropped = true;
			continue;
		}
		json_key_raw(&r->o, w.name);
		put_place(r, w.value);
	}
	json_close(&r->o, '}');
}

static void put_member(struct rewriting *r, const struct json_walk *w, bool has_type, int depth)
{
	const bool is_list = json_kind(w->value) == JSON_ARRAY;
	if (IS_IN(w->name, idle)) {
		r->has_changed = true;
		return;
	}
	if (IS_IN(w->name, unknown)) {
		r->has_changed = r->losses.has_dropped = true;
		return;
	}
	if (json_name_is(w->name, "const")) {
		r->has_changed = true;
		put_const(r, w->value, has_type);
		return;
	}
	if (json_name_is(w->name, "definitions")) {
		r->has_changed = true;
		json_key(&r->o, "$defs");
	} else {
		json_key_raw(&r->o, w->name);
	}
	if (json_name_is(w->name, "$ref"))
		put_place(r, w->value);
	else if (IS_IN(w->name, several) || (IS_IN(w->name, single) && is_list))
		put_several(r, w->value, depth);
	else if (IS_IN(w->name, single))
		put(r, w->value, depth + 1);
	else
		json_put_raw(&r->o, w->value.text);
}

/* One schema. */
static void put(struct rewriting *r, struct json v, int depth)
{
	if (json_kind(v) != JSON_OBJECT || depth >= DEPTH_MAX) {
		json_put_raw(&r->o, v.text);
		return;
	}
	if (json_kind(json_member(v, "$ref")) == JSON_STRING && depth > 0) {
		put_ref(r, v);
		return;
	}
	const bool has_type = span_is_set(json_member(v, "type").text);
	json_open(&r->o, '{');
	for (struct json_walk w = json_each(v); json_next(&w);)
		put_member(r, &w, has_type, depth);
	json_close(&r->o, '}');
}

void schema_put_json(struct json schema, struct json_out *o, struct schema_losses *losses)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct rewriting r = {.o = json_to(&text)};
	put(&r, schema, 0);
	*losses = r.losses;
	if (buf_error(&text))
		o->to->err = buf_error(&text);
	else
		json_put_raw(o, r.has_changed ? buf_view(&text) : schema.text);
}

/* ---- back ---- */

/* A type's name in lower case, or a list of it and null. */
static void put_type(struct json_out *o, struct json type, bool is_nullable)
{
	OWNED(buf_done) struct buf word = BUF_INIT(LIMIT_BODY_BYTES);
	for (size_t i = 0; i < type.text.n; i++)
		buf_byte(&word, span_lower(type.text.p[i]));
	json_key(o, "type");
	if (is_nullable)
		json_open(o, '[');
	json_put_raw(o, buf_view(&word));
	if (is_nullable) {
		json_put_str(o, SPAN("null"));
		json_close(o, ']');
	}
	if (buf_error(&word))
		o->to->err = buf_error(&word);
}

/* The words as the server takes them in snake case, and as they are. */
static const char *const snakes[][2] = {
	{"any_of",                "anyOf"               },
	{"prefix_items",          "prefixItems"         },
	{"property_ordering",     "propertyOrdering"    },
	{"additional_properties", "additionalProperties"},
	{"min_items",             "minItems"            },
	{"max_items",             "maxItems"            },
	{"min_length",            "minLength"           },
	{"max_length",            "maxLength"           },
	{"min_properties",        "minProperties"       },
	{"max_properties",        "maxProperties"       },
};

static struct span word_of(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(snakes); i++) {
		if (json_name_is(name, snakes[i][0]))
			return span_str(snakes[i][1]);
	}
	return name;
}

static void put_back(struct json v, struct json_out *o, int depth);

static void put_back_several(struct json v, struct json_out *o, int depth)
{
	const bool is_object = json_kind(v) == JSON_OBJECT;
	json_open(o, is_object ? '{' : '[');
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (is_object)
			json_key_raw(o, w.name);
		put_back(w.value, o, depth + 1);
	}
	json_close(o, is_object ? '}' : ']');
}

static void put_back(struct json v, struct json_out *o, int depth)
{
	const struct json type = json_member(v, "type");
	const bool is_nullable =
		json_kind(type) == JSON_STRING && json_is_true(json_member(v, "nullable"));
	if (json_kind(v) != JSON_OBJECT || depth >= DEPTH_MAX) {
		json_put_raw(o, v.text);
		return;
	}
	json_open(o, '{');
	for (struct json_walk w = json_each(v); json_next(&w);) {
		const bool is_list =
			json_kind(w.value) == JSON_ARRAY || json_kind(w.value) == JSON_OBJECT;
		if (json_name_is(w.name, "nullable") && is_nullable)
			continue;
		if (json_name_is(w.name, "type") && json_kind(w.value) == JSON_STRING) {
			put_type(o, w.value, is_nullable);
			continue;
		}
		const struct span word = word_of(w.name);
		json_key_raw(o, word);
		if (IS_IN(word, several) && is_list)
			put_back_several(w.value, o, depth);
		else if (IS_IN(word, single))
			put_back(w.value, o, depth + 1);
		else
			json_put_raw(o, w.value.text);
	}
	json_close(o, '}');
}

void schema_put_from_openapi(struct json schema, struct json_out *o)
{
	put_back(schema, o, 0);
}
