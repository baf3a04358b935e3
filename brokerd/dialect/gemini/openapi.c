/* openapi.c - a schema node is gathered from all that it is made of (itself, what it refers to, what
 * it is all of), then written once. */
#include "brokerd/dialect/gemini/schema.h"
#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"

#define DEPTH_MAX  64
#define LAYERS_MAX 16
#define NODES_MAX  65536 /* a schema of references can stand for far more than its length */
#define TYPES_MAX  8
#define ANY_OBJECT "{\"type\":\"object\"}"

/* The words that are read. Those from FIRST_PLAIN on are the same in both forms. */
enum {
	WORD_TYPE,
	WORD_FORMAT,
	WORD_TITLE,
	WORD_DESCRIPTION,
	WORD_NULLABLE,
	WORD_ENUM,
	WORD_CONST,
	WORD_ITEMS,
	WORD_PREFIX_ITEMS,
	WORD_ANY_OF,
	WORD_ONE_OF,
	WORD_ORDER,
	FIRST_PLAIN,
	WORDS = FIRST_PLAIN + 10,
};
static const char *const words[WORDS] = {"type", "format", "title", "description", "nullable",
	"enum", "const", "items", "prefixItems", "anyOf", "oneOf", "propertyOrdering", "minItems",
	"maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "minProperties",
	"maxProperties", "default"};

/* These are looked at elsewhere, or say nothing of a value. */
static const char *const passed_over[] = {"properties", "required", "allOf", "$ref", "$defs",
	"definitions", "$schema", "$id", "$anchor", "$comment", "examples", "example"};

struct conversion {
	struct json root;
	struct json_out *o;
	struct schema_losses *losses;
	struct span refs[DEPTH_MAX]; /* that are being followed */
	size_t n_refs;
	size_t n_nodes;
};

struct node {
	struct json word[WORDS];
	struct json properties[LAYERS_MAX], required[LAYERS_MAX];
	size_t n_layers;
	bool is_nullable;
	size_t first_ref; /* n_refs before it was gathered */
};

static void convert(struct conversion *x, struct json v);
static void gather(struct conversion *x, struct node *n, struct json v);

/* ---- gathering ---- */

static void gather_ref(struct conversion *x, struct node *n, struct json ref)
{
	const struct json v = schema_at(x->root, ref.text);
	bool is_inside = x->n_refs == DEPTH_MAX || x->n_nodes >= NODES_MAX;
	for (size_t i = 0; i < x->n_refs; i++)
		is_inside = is_inside || span_eq(x->refs[i], ref.text);
	if (is_inside || json_kind(v) != JSON_OBJECT) {
		x->losses->has_cut = true;
		gather(x, n, json_of(SPAN(ANY_OBJECT)));
		return;
	}
	x->refs[x->n_refs++] = ref.text;
	gather(x, n, v);
}

/* Takes a union apart: null becomes `nullable`, a single member left over is the node itself. */
static void gather_union(struct conversion *x, struct node *n, int word)
{
	struct json only = JSON_NONE;
	size_t others = 0;
	if (json_kind(n->word[word]) != JSON_ARRAY)
		return;
	for (struct json_walk w = json_each(n->word[word]); json_next(&w);) {
		if (json_is(json_member(w.value, "type"), "null")) {
			n->is_nullable = true;
			continue;
		}
		only = w.value;
		others++;
	}
	if (others > 1)
		return;
	n->word[word] = JSON_NONE;
	if (others == 1)
		gather(x, n, only);
}

/* Adds a layer: what is known already stays. */
static void gather(struct conversion *x, struct node *n, struct json v)
{
	static const char *const names[] = {"properties", "required", "allOf", "$ref"};
	struct json m[COUNT_OF(names)], found[WORDS];
	if (json_kind(v) != JSON_OBJECT || n->n_layers == LAYERS_MAX) {
		x->losses->has_dropped = true;
		return;
	}
	PICK(v, names, m);
	pick(v, words, found, WORDS);
	for (size_t i = 0; i < WORDS; i++) {
		if (!span_is_set(n->word[i].text))
			n->word[i] = found[i];
	}
	for (struct json_walk w = json_each(v); json_next(&w);) {
		bool is_known = json_name_is(w.name, "additionalProperties") &&
				json_kind(w.value) != JSON_OBJECT;
		for (size_t i = 0; i < WORDS; i++)
			is_known = is_known || json_name_is(w.name, words[i]);
		for (size_t i = 0; i < COUNT_OF(passed_over); i++)
			is_known = is_known || json_name_is(w.name, passed_over[i]);
		x->losses->has_dropped = x->losses->has_dropped || !is_known;
	}
	n->properties[n->n_layers] = m[0];
	n->required[n->n_layers++] = m[1];
	gather_union(x, n, WORD_ANY_OF);
	gather_union(x, n, WORD_ONE_OF);
	for (struct json_walk w = json_each(m[2]); json_kind(m[2]) == JSON_ARRAY && json_next(&w);)
		gather(x, n, w.value);
	if (json_kind(m[3]) == JSON_STRING)
		gather_ref(x, n, m[3]);
}

/* ---- types ---- */

/* The type of a value, as a schema names it; NULL: of null, or none. */
static const char *type_of_value(struct json v)
{
	int64_t whole;
	switch (json_kind(v)) {
	case JSON_FALSE:
	case JSON_TRUE:
		return "\"boolean\"";
	case JSON_NUMBER:
		return json_i64(v, &whole) ? "\"integer\"" : "\"number\"";
	case JSON_STRING:
		return "\"string\"";
	case JSON_ARRAY:
		return "\"array\"";
	case JSON_OBJECT:
		return "\"object\"";
	case JSON_ABSENT:
	case JSON_NULL:
		break;
	}
	return NULL;
}

static bool is_numeric(const char *type)
{
	return strcmp(type, "\"integer\"") == 0 || strcmp(type, "\"number\"") == 0;
}

/* The type that all the values which are allowed have; NULL: none is said, or they have several. */
static const char *type_of_choices(const struct node *n)
{
	const struct json list = n->word[WORD_ENUM];
	const char *all = json_kind(list) == JSON_ARRAY ? NULL : type_of_value(n->word[WORD_CONST]);
	for (struct json_walk w = json_each(list);
		json_kind(list) == JSON_ARRAY && json_next(&w);) {
		const char *one = type_of_value(w.value);
		if (!one || (all && strcmp(one, all) == 0))
			continue;
		if (all && !(is_numeric(one) && is_numeric(all)))
			return "\"string\""; /* as which all can be told */
		all = all ? "\"number\"" : one;
	}
	return all;
}

/* The types that are not null; one is guessed where none is said. */
static size_t types_of(struct node *n, struct span types[TYPES_MAX])
{
	const struct json type = n->word[WORD_TYPE];
	size_t count = 0;
	bool has_properties = false;
	if (json_kind(type) == JSON_STRING && !json_is(type, "null"))
		types[count++] = type.text;
	for (struct json_walk w = json_each(type);
		json_kind(type) == JSON_ARRAY && json_next(&w);) {
		if (json_is(w.value, "null"))
			n->is_nullable = true;
		else if (count < TYPES_MAX && json_kind(w.value) == JSON_STRING)
			types[count++] = w.value.text;
	}
	const struct json choices = n->word[WORD_ENUM];
	for (struct json_walk w = json_each(choices);
		json_kind(choices) == JSON_ARRAY && json_next(&w);)
		n->is_nullable = n->is_nullable || json_kind(w.value) == JSON_NULL;
	n->is_nullable = n->is_nullable || json_is_true(n->word[WORD_NULLABLE]);
	for (size_t i = 0; i < n->n_layers; i++)
		has_properties = has_properties || json_kind(n->properties[i]) == JSON_OBJECT;
	if (count == 0 && has_properties)
		types[count++] = SPAN("\"object\"");
	else if (count == 0 && span_is_set(n->word[WORD_ITEMS].text))
		types[count++] = SPAN("\"array\"");
	else if (count == 0 && type_of_choices(n))
		types[count++] = span_str(type_of_choices(n));
	return count;
}

static bool is_type(struct span type, const char *name)
{
	return span_is_nocase(span_of(type.p + 1, type.n - 2), name);
}

/* ---- writing ---- */

/* The values that are allowed are texts, or said in the description. */
static bool has_texts_only(const struct node *n)
{
	const struct json list = n->word[WORD_ENUM];
	if (json_kind(list) != JSON_ARRAY)
		return json_kind(n->word[WORD_CONST]) == JSON_STRING;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (json_kind(w.value) != JSON_STRING && json_kind(w.value) != JSON_NULL)
			return false;
	}
	return true;
}

static bool is_format_known(struct json format)
{
	static const char *const known[] = {
		"int32", "int64", "float", "double", "enum", "date-time"};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (json_is(format, known[i]))
			return true;
	}
	return false;
}

/* The description, and behind it what has no word of its own. */
static void put_description(struct conversion *x, const struct node *n, bool has_enum)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct json format = n->word[WORD_FORMAT];
	const struct json list = n->word[WORD_ENUM], one = n->word[WORD_CONST];
	json_text_to(n->word[WORD_DESCRIPTION], &text);
	if (json_kind(format) == JSON_STRING && !is_format_known(format)) {
		buf_text(&text, text.n > 0 ? " (format: " : "(format: ");
		json_text_to(format, &text);
		buf_byte(&text, ')');
	}
	if (!has_enum && (json_kind(list) == JSON_ARRAY || span_is_set(one.text))) {
		buf_text(&text, text.n > 0 ? " (one of: " : "(one of: ");
		buf_span(&text, json_kind(list) == JSON_ARRAY ? list.text : one.text);
		buf_byte(&text, ')');
	}
	if (text.n > 0)
		json_pair_str(x->o, "description", buf_view(&text));
	if (buf_error(&text))
		x->o->to->err = buf_error(&text);
}

static void put_enum(struct conversion *x, const struct node *n)
{
	const struct json list = n->word[WORD_ENUM];
	json_key(x->o, "enum");
	json_open(x->o, '[');
	if (json_kind(list) != JSON_ARRAY)
		json_put_raw(x->o, n->word[WORD_CONST].text);
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (json_kind(w.value) == JSON_STRING)
			json_put_raw(x->o, w.value.text);
	}
	json_close(x->o, ']');
}

static void put_each(struct conversion *x, const char *key, struct json list)
{
	json_key(x->o, key);
	json_open(x->o, '[');
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (!json_is(json_member(w.value, "type"), "null"))
			convert(x, w.value);
	}
	json_close(x->o, ']');
}

/* A list says what is in it; of a tuple, any of its members. */
static void put_items(struct conversion *x, const struct node *n)
{
	struct json items = n->word[WORD_ITEMS];
	if (json_kind(n->word[WORD_PREFIX_ITEMS]) == JSON_ARRAY)
		items = n->word[WORD_PREFIX_ITEMS];
	json_key(x->o, "items");
	if (json_kind(items) == JSON_OBJECT) {
		convert(x, items);
	} else if (json_kind(items) == JSON_ARRAY) {
		x->losses->has_dropped = true;
		json_open(x->o, '{');
		put_each(x, "anyOf", items);
		json_close(x->o, '}');
	} else {
		json_put_raw(x->o, SPAN("{\"type\":\"string\"}"));
	}
}

/* Does a layer from `from` on have a property of that name? */
static bool has_property(const struct node *n, size_t from, struct span name)
{
	for (size_t i = from; i < n->n_layers; i++) {
		for (struct json_walk w = json_each(n->properties[i]);
			json_kind(n->properties[i]) == JSON_OBJECT && json_next(&w);) {
			if (span_eq(w.name, name))
				return true;
		}
	}
	return false;
}

static void put_quoted(struct json_out *o, struct span raw)
{
	OWNED(buf_done) struct buf text = BUF_INIT(raw.n + 2);
	buf_byte(&text, '"');
	buf_span(&text, raw);
	buf_byte(&text, '"');
	if (buf_error(&text))
		o->to->err = buf_error(&text);
	else
		json_put_raw(o, buf_view(&text));
}

static void put_required(struct conversion *x, const struct node *n)
{
	bool is_open = false;
	for (size_t i = 0; i < n->n_layers; i++) {
		for (struct json_walk w = json_each(n->required[i]);
			json_kind(n->required[i]) == JSON_ARRAY && json_next(&w);) {
			if (json_kind(w.value) != JSON_STRING ||
				!has_property(
					n, 0, span_of(w.value.text.p + 1, w.value.text.n - 2)))
				continue;
			if (!is_open) {
				json_key(x->o, "required");
				json_open(x->o, '[');
				is_open = true;
			}
			json_put_raw(x->o, w.value.text);
		}
	}
	if (is_open)
		json_close(x->o, ']');
}

/* The properties of all layers, the later one of two, and their order, which is not to be lost on
 * the way. */
static void put_properties(struct conversion *x, const struct node *n)
{
	size_t count = 0;
	for (size_t i = 0; i < n->n_layers; i++) {
		for (struct json_walk w = json_each(n->properties[i]);
			json_kind(n->properties[i]) == JSON_OBJECT && json_next(&w);) {
			if (has_property(n, i + 1, w.name))
				continue;
			if (count++ == 0) {
				json_key(x->o, "properties");
				json_open(x->o, '{');
			}
			json_key_raw(x->o, w.name);
			convert(x, w.value);
		}
	}
	if (count == 0)
		return;
	json_close(x->o, '}');
	put_required(x, n);
	json_key(x->o, "propertyOrdering");
	if (json_kind(n->word[WORD_ORDER]) == JSON_ARRAY) {
		json_put_raw(x->o, n->word[WORD_ORDER].text);
		return;
	}
	json_open(x->o, '[');
	for (size_t i = 0; i < n->n_layers; i++) {
		for (struct json_walk w = json_each(n->properties[i]);
			json_kind(n->properties[i]) == JSON_OBJECT && json_next(&w);) {
			if (!has_property(n, i + 1, w.name))
				put_quoted(x->o, w.name);
		}
	}
	json_close(x->o, ']');
}

/* Several types are any of as many schemas. */
static void put_types(
	struct conversion *x, const struct node *n, const struct span *types, size_t count)
{
	if (count == 1)
		json_pair_raw(x->o, "type", types[0]);
	if (count < 2)
		return;
	json_key(x->o, "anyOf");
	json_open(x->o, '[');
	for (size_t i = 0; i < count; i++) {
		json_open(x->o, '{');
		json_pair_raw(x->o, "type", types[i]);
		if (is_type(types[i], "array"))
			put_items(x, n);
		json_close(x->o, '}');
	}
	json_close(x->o, ']');
}

static void put_node(struct conversion *x, struct node *n)
{
	struct span types[TYPES_MAX];
	const size_t count = types_of(n, types);
	const bool has_choice = json_kind(n->word[WORD_ENUM]) == JSON_ARRAY ||
				span_is_set(n->word[WORD_CONST].text);
	const bool has_enum =
		has_choice && count == 1 && is_type(types[0], "string") && has_texts_only(n);
	const struct json any = span_is_set(n->word[WORD_ANY_OF].text) ? n->word[WORD_ANY_OF]
								       : n->word[WORD_ONE_OF];
	json_open(x->o, '{');
	put_types(x, n, types, count);
	if (is_format_known(n->word[WORD_FORMAT]))
		json_pair_raw(x->o, "format", n->word[WORD_FORMAT].text);
	json_pair_raw(x->o, "title", n->word[WORD_TITLE].text);
	put_description(x, n, has_enum);
	if (n->is_nullable)
		json_pair_bool(x->o, "nullable", true);
	if (has_enum)
		put_enum(x, n);
	if (count == 1 && is_type(types[0], "array"))
		put_items(x, n);
	for (size_t i = FIRST_PLAIN; i < WORDS; i++)
		json_pair_raw(x->o, words[i], n->word[i].text);
	if (json_kind(any) == JSON_ARRAY && count < 2)
		put_each(x, "anyOf", any);
	put_properties(x, n);
	json_close(x->o, '}');
}

static void convert(struct conversion *x, struct json v)
{
	struct node n = {.first_ref = x->n_refs};
	if (buf_error(x->o->to) || json_kind(v) != JSON_OBJECT || ++x->n_nodes > NODES_MAX) {
		x->losses->has_dropped = true;
		json_put_raw(x->o, SPAN(ANY_OBJECT));
		return;
	}
	gather(x, &n, v);
	put_node(x, &n);
	x->n_refs = n.first_ref;
}

void schema_put_openapi(struct json schema, struct json_out *o, struct schema_losses *losses)
{
	struct conversion x = {.root = schema, .o = o, .losses = losses};
	*losses = (struct schema_losses){.has_cut = false};
	convert(&x, schema);
}
