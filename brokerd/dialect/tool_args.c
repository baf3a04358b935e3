/* tool_args.c - arguments are text to us; only what a family demands of them is looked at. */
#include "brokerd/dialect/tool_args.h"

/* Beyond this many members, names are not compared: it takes n * n. */
#define COMPARED_MAX 1024

void json_extent_add(struct json_extent *x, struct span piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		const char c = piece.p[i];
		if (x->is_in_string) {
			if (x->is_escaped)
				x->is_escaped = false;
			else if (c == '\\')
				x->is_escaped = true;
			else if (c == '"')
				x->is_in_string = false;
			continue;
		}
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		x->is_begun = true;
		if (c == '"') {
			x->is_in_string = true;
		} else if (c == '{' || c == '[') {
			x->depth++;
		} else if ((c == '}' || c == ']') && x->depth > 0) {
			x->depth--;
			x->is_complete = x->depth == 0;
		}
	}
}

static bool is_same_name(struct span a, struct span b)
{
	return span_eq(a, b); /* as written: an escape more or less makes another name of it */
}

/* The value that counts for the name of `at`, or an absent one where an earlier member has it. */
static struct json value_for(struct json object, const struct json_walk *at)
{
	struct json_walk w = json_each(object);
	struct json last = JSON_NONE;
	while (json_next(&w)) {
		if (!is_same_name(w.name, at->name))
			continue;
		if (w.name.p < at->name.p)
			return JSON_NONE;
		last = w.value;
	}
	return last;
}

static void put_object(struct json_out *out, struct json object)
{
	struct json_walk w = json_each(object);
	struct json whole;
	size_t n = 0;
	struct json_rules rules = JSON_LENIENT;
	rules.has_unique_names = true;
	while (n <= COMPARED_MAX && json_next(&w))
		n++;
	/* the scan folds case, so a refusal is only a reason to look closer */
	if (n > COMPARED_MAX || json_scan(object.text, rules, &whole, NULL) == OK) {
		json_put_raw(out, object.text);
		return;
	}
	json_open(out, '{');
	for (w = json_each(object); json_next(&w);) {
		const struct json value = value_for(object, &w);
		if (!span_is_set(value.text))
			continue;
		json_key_raw(out, w.name);
		json_put_raw(out, value.text);
	}
	json_close(out, '}');
}

enum tool_args_kind tool_args_put_object(struct json_out *out, struct span text)
{
	struct json v;
	if (span_trim(text).n == 0) {
		json_put_raw(out, SPAN("{}"));
		return TOOL_ARGS_EMPTY;
	}
	if (json_scan(text, JSON_STRICT, &v, NULL) != OK) {
		json_open(out, '{');
		json_key(out, "_raw");
		json_put_str(out, text);
		json_close(out, '}');
		return TOOL_ARGS_RAW;
	}
	if (json_kind(v) == JSON_OBJECT) {
		put_object(out, v);
		return TOOL_ARGS_OBJECT;
	}
	if (json_kind(v) == JSON_NULL) {
		json_put_raw(out, SPAN("{}"));
		return TOOL_ARGS_EMPTY;
	}
	json_open(out, '{');
	json_key(out, "value");
	json_put_raw(out, v.text);
	json_close(out, '}');
	return TOOL_ARGS_WRAPPED;
}
