/* schema.c - what JSON Schema the current wire takes, of which a few words must go. */
#include "brokerd/dialect/gemini/schema.h"

#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"

#define DEPTH_MAX  128
#define REFS_MAX   64
#define LAYERS_MAX 16
#define NODES_MAX  65536 /* a schema of references can stand for far more than its length */

struct rewriting {
	struct json root;
	struct json_out o;
	struct schema_losses losses;
	bool has_changed;
	struct span refs[REFS_MAX]; /* that are being followed */
	size_t n_refs, n_nodes;
};

/* A schema and all that it is all of. */
struct layers {
	struct json list[LAYERS_MAX];
	size_t n;
	struct json again; /* a reference that leads back into what is being written; or absent */
};

/* Words that say nothing of a value: they go unsaid. */
static const char *const idle[] = {"$schema", "$comment", "examples"};
/* Those of several schemas do not contradict each other: the outermost stands. */
static const char *const about[] = {"title", "description", "default"};
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
		if (w.name.n == 0 || w.name.p[0] != '$' || IS_IN(w.name, idle))
			continue;
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

/* ---- references, and what is all of several ---- */

struct json schema_at(struct json root, struct span ref)
{
	struct json at = root;
	if (ref.n < 3 || !span_starts(ref, SPAN("\"#")))
		return JSON_NONE;
	ref = span_of(ref.p + 2, ref.n - 3);
	while (ref.n > 0 && ref.p[0] == '/') {
		struct json found = JSON_NONE;
		ref = span_skip(ref, 1);
		const struct span name = span_first(ref, span_index(ref, '/'));
		for (struct json_walk w = json_each(at);
			json_kind(at) == JSON_OBJECT && json_next(&w);) {
			if (span_eq(w.name, name))
				found = w.value;
		}
		at = found;
		ref = span_skip(ref, name.n);
	}
	return at;
}

static bool has_union(struct json v)
{
	return span_is_set(json_member(v, "anyOf").text) ||
	       span_is_set(json_member(v, "oneOf").text);
}

/* A name that may stand beside a reference, or that says nothing. */
static bool is_beside_ref(struct span name)
{
	return (name.n > 0 && name.p[0] == '$') || IS_IN(name, idle) || json_name_is(name, "allOf");
}

/* `v`, which is all of what `ref` refers to (in itself, or in its allOf) and of its own words: they go
 * around the reference, which becomes the only one of a choice. */
static void put_around_ref(struct rewriting *r, struct json v, struct json ref, int depth)
{
	const bool has_type = span_is_set(json_member(v, "type").text);
	bool has_own = false;
	for (struct json_walk w = json_each(v); json_next(&w);)
		has_own = has_own || !is_beside_ref(w.name);
	r->has_changed = r->has_changed || has_own || !span_eq(v.text, ref.text);
	if (!has_own || has_union(v)) {
		r->losses.has_dropped = r->losses.has_dropped || has_own;
		put_ref(r, ref);
		return;
	}
	json_open(&r->o, '{');
	json_key(&r->o, "anyOf");
	json_open(&r->o, '[');
	put_ref(r, ref);
	json_close(&r->o, ']');
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (!is_beside_ref(w.name))
			put_member(r, &w, has_type, depth);
	}
	json_close(&r->o, '}');
}

static void gather(struct rewriting *r, struct layers *l, struct json v);

static void gather_ref(struct rewriting *r, struct layers *l, struct json ref)
{
	const struct json v = schema_at(r->root, ref.text);
	bool is_inside = r->n_refs == REFS_MAX;
	for (size_t i = 0; i < r->n_refs; i++)
		is_inside = is_inside || span_eq(r->refs[i], ref.text);
	if (json_kind(v) != JSON_OBJECT || (is_inside && span_is_set(l->again.text))) {
		r->losses.has_cut = true;
	} else if (is_inside) {
		l->again = ref;
	} else {
		r->refs[r->n_refs++] = ref.text;
		gather(r, l, v);
	}
}

static void gather(struct rewriting *r, struct layers *l, struct json v)
{
	const struct json ref = json_member(v, "$ref"), all = json_member(v, "allOf");
	if (json_kind(v) != JSON_OBJECT || l->n == LAYERS_MAX) {
		r->losses.has_dropped = true;
		return;
	}
	l->list[l->n++] = v;
	for (struct json_walk w = json_each(all); json_kind(all) == JSON_ARRAY && json_next(&w);)
		gather(r, l, w.value);
	if (json_kind(ref) == JSON_STRING)
		gather_ref(r, l, ref);
}

/* The member of that raw name in a layer of `from` to below `to`, in the object under `word` there (NULL:
 * in the layer itself); or an absent value. */
static struct json member_of(
	const struct layers *l, size_t from, size_t to, const char *word, struct span raw_name)
{
	for (size_t i = from; i < to; i++) {
		const struct json v = word ? json_member(l->list[i], word) : l->list[i];
		for (struct json_walk w = json_each(v);
			json_kind(v) == JSON_OBJECT && json_next(&w);) {
			if (span_eq(w.name, raw_name))
				return w.value;
		}
	}
	return JSON_NONE;
}

static void note_other(struct rewriting *r, struct json one, struct json other)
{
	r->losses.has_dropped = r->losses.has_dropped || !span_eq(one.text, other.text);
}

/* The later one of two, as the older form has it. */
static void put_properties_of(struct rewriting *r, const struct layers *l, int depth)
{
	bool is_open = false;
	for (size_t i = 0; i < l->n; i++) {
		const struct json own = json_member(l->list[i], "properties");
		for (struct json_walk w = json_each(own);
			json_kind(own) == JSON_OBJECT && json_next(&w);) {
			const struct json other = member_of(l, i + 1, l->n, "properties", w.name);
			if (span_is_set(other.text)) {
				note_other(r, w.value, other);
				continue;
			}
			if (!is_open) {
				json_key(&r->o, "properties");
				json_open(&r->o, '{');
				is_open = true;
			}
			json_key_raw(&r->o, w.name);
			put(r, w.value, depth + 1);
		}
	}
	if (is_open)
		json_close(&r->o, '}');
}

static void put_required_of(struct rewriting *r, const struct layers *l)
{
	bool is_open = false;
	for (size_t i = 0; i < l->n; i++) {
		const struct json own = json_member(l->list[i], "required");
		for (struct json_walk w = json_each(own);
			json_kind(own) == JSON_ARRAY && json_next(&w);) {
			if (!is_open) {
				json_key(&r->o, "required");
				json_open(&r->o, '[');
				is_open = true;
			}
			json_put_raw(&r->o, w.value.text);
		}
	}
	if (is_open)
		json_close(&r->o, ']');
}

static bool is_put_of_all(struct span name)
{
	return json_name_is(name, "allOf") || json_name_is(name, "$ref") ||
	       json_name_is(name, "properties") || json_name_is(name, "required");
}

/* As the only one of a choice, unless there is another choice. */
static void put_again(struct rewriting *r, const struct layers *l)
{
	bool has_other = false;
	if (!span_is_set(l->again.text))
		return;
	for (size_t i = 0; i < l->n; i++)
		has_other = has_other || has_union(l->list[i]);
	if (has_other) {
		r->losses.has_cut = true;
		return;
	}
	json_key(&r->o, "anyOf");
	json_open(&r->o, '[');
	json_open(&r->o, '{');
	json_key(&r->o, "$ref");
	put_place(r, l->again);
	json_close(&r->o, '}');
	json_close(&r->o, ']');
}

/* One schema of all of them. */
static void put_layers(struct rewriting *r, const struct layers *l, int depth)
{
	bool has_type = false;
	for (size_t i = 0; i < l->n; i++)
		has_type = has_type || span_is_set(json_member(l->list[i], "type").text);
	json_open(&r->o, '{');
	put_again(r, l);
	for (size_t i = 0; i < l->n; i++) {
		for (struct json_walk w = json_each(l->list[i]); json_next(&w);) {
			if (is_put_of_all(w.name))
				continue;
			const struct json other = member_of(l, 0, i, NULL, w.name);
			if (!span_is_set(other.text))
				put_member(r, &w, has_type, depth);
			else if (!IS_IN(w.name, idle) && !IS_IN(w.name, about))
				note_other(r, w.value, other);
		}
	}
	put_properties_of(r, l, depth);
	put_required_of(r, l);
	json_close(&r->o, '}');
}

/* The only member of a list that refers to another schema and says no more; or an absent value. */
static struct json sole_ref(struct json list)
{
	struct json_walk w = json_each(list);
	if (!json_next(&w))
		return JSON_NONE;
	const struct json one = w.value;
	if (json_next(&w) || json_kind(json_member(one, "$ref")) != JSON_STRING)
		return JSON_NONE;
	for (w = json_each(one); json_next(&w);) {
		if (!is_beside_ref(w.name) || json_name_is(w.name, "allOf"))
			return JSON_NONE;
	}
	return one;
}

/* One schema. */
static void put(struct rewriting *r, struct json v, int depth)
{
	if (json_kind(v) != JSON_OBJECT || depth >= DEPTH_MAX) {
		json_put_raw(&r->o, v.text);
		return;
	}
	if (++r->n_nodes > NODES_MAX) {
		r->losses.has_cut = r->has_changed = true;
		json_put_raw(&r->o, SPAN("{\"type\":\"object\"}"));
		return;
	}
	const struct json all = json_member(v, "allOf");
	const bool has_ref = json_kind(json_member(v, "$ref")) == JSON_STRING && depth > 0;
	const bool is_all = json_kind(all) == JSON_ARRAY;
	if (has_ref && !is_all) {
		put_around_ref(r, v, v, depth);
		return;
	}
	if (is_all && !has_ref && depth > 0 && !has_union(v) && span_is_set(sole_ref(all).text)) {
		put_around_ref(r, v, sole_ref(all), depth);
		return;
	}
	if (is_all) {
		struct layers l = {.n = 0};
		const size_t first_ref = r->n_refs;
		r->has_changed = true;
		gather(r, &l, v);
		put_layers(r, &l, depth);
		r->n_refs = first_ref;
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
	struct rewriting r = {.root = schema, .o = json_to(&text)};
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
