/* root_schema.c - the root and all that it is made of are layers, which are laid over each other where
 * none says what another denies. What is called with is an object: choices of anything else are none. */
#include "brokerd/dialect/anthropic/root_schema.h"

#include <string.h>

#include "protocol/base/span.h"

#define LAYERS_MAX 16

struct layers {
	struct json root, list[LAYERS_MAX];
	size_t n;
};

static const char *const unions[] = {"allOf", "anyOf", "oneOf"};
/* Each is written once, of all layers. */
static const char *const merged[] = {"properties", "$defs", "definitions"};
/* Words about a value that deny none: the outermost stands. */
static const char *const idle[] = {
	"title", "description", "$schema", "$id", "$comment", "default", "examples"};
/* These say of a property whether another word of the same layer knows it. */
static const char *const closing[] = {"additionalProperties", "unevaluatedProperties"};

#define IS_IN(name, list) is_in((name), (list), COUNT_OF(list))

static bool is_in(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (json_name_is(name, list[i]))
			return true;
	}
	return false;
}

const char *root_schema_word(struct json schema)
{
	for (size_t i = 0; i < COUNT_OF(unions); i++) {
		if (span_is_set(json_member(schema, unions[i]).text))
			return unions[i];
	}
	return NULL;
}

/* ---- gathering ---- */

static bool may_be_object(struct json schema)
{
	const struct json type = json_member(schema, "type");
	if (json_kind(type) != JSON_ARRAY)
		return json_is_nil(type) || json_is(type, "object");
	for (struct json_walk w = json_each(type); json_next(&w);) {
		if (json_is(w.value, "object"))
			return true;
	}
	return false;
}

/* "#/$defs/X", X without escapes. */
static struct json resolve(const struct layers *x, struct json ref)
{
	static const char *const folders[] = {"$defs", "definitions"};
	char name[128];
	if (json_kind(ref) != JSON_STRING || ref.text.n < 2)
		return JSON_NONE;
	struct span place = span_of(ref.text.p + 1, ref.text.n - 2);
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		struct span rest = place;
		if (!span_is(span_cut(&rest, '/'), "#") ||
			!span_is(span_cut(&rest, '/'), folders[i]) || rest.n >= sizeof name ||
			span_index(rest, '/') < rest.n || span_index(rest, '\\') < rest.n)
			continue;
		memcpy(name, rest.p, rest.n);
		name[rest.n] = '\0';
		return json_member(json_member(x->root, folders[i]), name);
	}
	return JSON_NONE;
}

static bool add_layer(struct layers *x, struct json v);

static bool add_all(struct layers *x, struct json list)
{
	if (json_kind(list) != JSON_ARRAY)
		return !span_is_set(list.text);
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (!add_layer(x, w.value))
			return false;
	}
	return true;
}

/* Of a choice that leaves one object, that one. */
static bool add_only(struct layers *x, struct json list)
{
	struct json only = JSON_NONE;
	if (json_kind(list) != JSON_ARRAY)
		return !span_is_set(list.text);
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (!may_be_object(w.value))
			continue;
		if (span_is_set(only.text))
			return false;
		only = w.value;
	}
	return add_layer(x, only);
}

static bool add_layer(struct layers *x, struct json v)
{
	if (json_kind(v) != JSON_OBJECT || x->n == LAYERS_MAX || !may_be_object(v))
		return false;
	const struct json ref = json_member(v, "$ref");
	const bool is_root = x->n == 0;
	x->list[x->n++] = v;
	if (!is_root && span_is_set(ref.text) && !add_layer(x, resolve(x, ref)))
		return false;
	return add_all(x, json_member(v, "allOf")) && add_only(x, json_member(v, "anyOf")) &&
	       add_only(x, json_member(v, "oneOf"));
}

/* ---- laying over ---- */

/* The member of that raw name; or an absent value. */
static struct json member_raw(struct json object, struct span raw_name)
{
	for (struct json_walk w = json_each(object); json_next(&w);) {
		if (span_eq(w.name, raw_name))
			return w.value;
	}
	return JSON_NONE;
}

/* A member of layer `i`, below the word `inside` (NULL: its own), that an earlier one has too. */
static struct json earlier(
	const struct layers *x, size_t i, const char *inside, struct span raw_name)
{
	for (size_t k = 0; k < i; k++) {
		const struct json v = inside ? json_member(x->list[k], inside) : x->list[k];
		const struct json found = member_raw(v, raw_name);
		if (span_is_set(found.text))
			return found;
	}
	return JSON_NONE;
}

/* One object out of those that the layers have under a word. */
static bool put_merged(const struct layers *x, const char *word, struct json_out *o)
{
	bool is_open = false, is_one = true;
	for (size_t i = 0; i < x->n; i++) {
		for (struct json_walk w = json_each(json_member(x->list[i], word));
			json_next(&w);) {
			const struct json other = earlier(x, i, word, w.name);
			is_one = is_one &&
				 (!span_is_set(other.text) || span_eq(other.text, w.value.text));
			if (span_is_set(other.text))
				continue;
			if (!is_open) {
				json_key(o, word);
				json_open(o, '{');
				is_open = true;
			}
			json_key_raw(o, w.name);
			json_put_raw(o, w.value.text);
		}
	}
	if (is_open)
		json_close(o, '}');
	return is_one;
}

static bool is_required_before(const struct layers *x, size_t i, struct span raw)
{
	for (size_t k = 0; k < i; k++) {
		for (struct json_walk w = json_each(json_member(x->list[k], "required"));
			json_next(&w);) {
			if (span_eq(w.value.text, raw))
				return true;
		}
	}
	return false;
}

static void put_required(const struct layers *x, struct json_out *o)
{
	bool is_open = false;
	for (size_t i = 0; i < x->n; i++) {
		for (struct json_walk w = json_each(json_member(x->list[i], "required"));
			json_next(&w);) {
			if (is_required_before(x, i, w.value.text))
				continue;
			if (!is_open) {
				json_key(o, "required");
				json_open(o, '[');
				is_open = true;
			}
			json_put_raw(o, w.value.text);
		}
	}
	if (is_open)
		json_close(o, ']');
}

/* Has another layer properties, of which a word that closes this one would not know? */
static bool has_others(const struct layers *x, size_t i)
{
	for (size_t k = 0; k < x->n; k++) {
		if (k != i && json_kind(json_member(x->list[k], "properties")) == JSON_OBJECT)
			return true;
	}
	return false;
}

/* All other words, each where one layer has it. */
static bool put_rest(const struct layers *x, size_t i, struct json_out *o)
{
	for (struct json_walk w = json_each(x->list[i]); json_next(&w);) {
		if (json_name_is(w.name, "type") || json_name_is(w.name, "required") ||
			IS_IN(w.name, unions) || IS_IN(w.name, merged) ||
			(i > 0 && json_name_is(w.name, "$ref")))
			continue;
		if (IS_IN(w.name, closing) && json_kind(w.value) != JSON_TRUE && has_others(x, i))
			return false;
		const struct json other = earlier(x, i, NULL, w.name);
		if (!span_is_set(other.text)) {
			json_key_raw(o, w.name);
			json_put_raw(o, w.value.text);
		} else if (!IS_IN(w.name, idle) && !span_eq(other.text, w.value.text)) {
			return false;
		}
	}
	return true;
}

bool root_schema_put(struct json schema, struct json_out *o)
{
	struct layers x = {.root = schema};
	if (!add_layer(&x, schema))
		return false;
	bool is_one = true;
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("object"));
	for (size_t i = 0; i < x.n; i++)
		is_one = is_one && put_rest(&x, i, o);
	for (size_t i = 0; i < COUNT_OF(merged); i++)
		is_one = is_one && put_merged(&x, merged[i], o);
	put_required(&x, o);
	json_close(o, '}');
	return is_one;
}
