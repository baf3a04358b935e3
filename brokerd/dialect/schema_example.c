/* schema_example.c - required members only, the first of all alternatives, the least of all sizes. */
#include "brokerd/dialect/schema_example.h"

#define DEPTH_MAX 32
#define COUNT_MAX 64 /* elements or characters, whatever the schema asks for */

struct example {
	struct json root;
	struct arena *arena;
	struct json_out *out;
};

static void put_value(struct example *e, struct json schema, int depth);

/* "#/$defs/name" inside the root schema. */
static struct json resolve(struct example *e, struct json ref)
{
	struct span path;
	struct json at = e->root;
	if (json_text(ref, e->arena, &path) || !span_starts(path, SPAN("#")))
		return JSON_NONE;
	span_cut(&path, '/');
	while (span_is_set(path)) {
		char *name = arena_str(e->arena, span_cut(&path, '/'));
		if (!name)
			return JSON_NONE;
		size_t n = 0;
		for (const char *c = name; *c; c++) {
			if (c[0] == '~' && (c[1] == '0' || c[1] == '1'))
				name[n++] = *++c == '0' ? '~' : '/';
			else
				name[n++] = *c;
		}
		name[n] = '\0';
		at = json_member(at, name);
	}
	return at;
}

static struct json first_of(struct json array)
{
	struct json_walk w = json_each(array);
	return json_kind(array) == JSON_ARRAY && json_next(&w) ? w.value : JSON_NONE;
}

/* The type to make: a word of ours, so that it can be compared. */
static const char *type_of(struct json schema)
{
	static const char *const types[] = {
		"object", "array", "string", "integer", "number", "boolean", "null"};
	static const char *const signs[][2] = {
		{"properties",  "object"},
                {"required",    "object"},
                {"items",       "array" },
		{"prefixItems", "array" },
                {"minLength",   "string"},
                {"pattern",     "string"},
		{"format",      "string"},
                {"minimum",     "number"},
                {"maximum",     "number"}
        };
	struct json type = json_member(schema, "type");
	if (json_kind(type) == JSON_ARRAY)
		type = first_of(type);
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (json_is(type, types[i]))
			return types[i];
	}
	for (size_t i = 0; i < COUNT_OF(signs); i++) {
		if (span_is_set(json_member(schema, signs[i][0]).text))
			return signs[i][1];
	}
	return "object";
}

static int64_t count_of(struct json schema, const char *name)
{
	int64_t n;
	if (!json_i64(json_member(schema, name), &n) || n < 0)
		return 0;
	return n < COUNT_MAX ? n : COUNT_MAX;
}

static void put_object(struct example *e, struct json schema, int depth)
{
	const struct json properties = json_member(schema, "properties");
	json_open(e->out, '{');
	for (struct json_walk w = json_each(json_member(schema, "required")); json_next(&w);) {
		struct span text;
		if (json_text(w.value, e->arena, &text) || !span_is_set(text))
			continue;
		const char *name = arena_str(e->arena, text);
		/* the name as the schema wrote it: escaped as it must be */
		json_key_raw(e->out, span_of(w.value.text.p + 1, w.value.text.n - 2));
		put_value(e, name ? json_member(properties, name) : JSON_NONE, depth + 1);
	}
	json_close(e->out, '}');
}

static void put_array(struct example *e, struct json schema, int depth)
{
	struct json_walk w = json_each(json_member(schema, "prefixItems"));
	const struct json items = json_member(schema, "items");
	json_open(e->out, '[');
	for (int64_t i = count_of(schema, "minItems"); i > 0; i--)
		put_value(e, json_next(&w) ? w.value : items, depth + 1);
	json_close(e->out, ']');
}

static void put_string(struct example *e, struct json schema)
{
	static const char *const formats[][2] = {
		{"date-time", "2000-01-01T00:00:00Z"                },
                {"date",      "2000-01-01"                          },
		{"time",      "00:00:00Z"                           },
                {"duration",  "PT0S"                                },
                {"email",     "a@example.org"                       },
		{"hostname",  "example.org"                         },
                {"uri",       "https://example.org/"                },
                {"ipv4",      "192.0.2.1"                           },
		{"ipv6",      "2001:db8::1"                         },
                {"uuid",      "00000000-0000-4000-8000-000000000000"}
        };
	char text[COUNT_MAX];
	const struct json format = json_member(schema, "format");
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (json_is(format, formats[i][0])) {
			json_put_str(e->out, span_str(formats[i][1]));
			return;
		}
	}
	memset(text, 'x', sizeof text);
	json_put_str(e->out, span_of(text, (size_t)count_of(schema, "minLength")));
}

/* A bound, and the integers next to it; those that are out of all measure are none. */
static bool bound(struct json schema, const char *name, double *v, double *below, double *above)
{
	if (!json_f64(json_member(schema, name), v) || *v < -1e15 || *v > 1e15)
		return false;
	const double whole = (double)(int64_t)*v; /* towards zero */
	*below = whole > *v ? whole - 1 : whole;
	*above = whole < *v ? whole + 1 : whole;
	return true;
}

static void put_number(struct example *e, struct json schema, bool is_integer)
{
	double least = 0, v, below, above;
	if (bound(schema, "maximum", &v, &below, &above) && v < least)
		least = below;
	if (bound(schema, "exclusiveMaximum", &v, &below, &above) && v <= least)
		least = above - 1;
	if (bound(schema, "minimum", &v, &below, &above) && v > least)
		least = is_integer ? above : v;
	if (bound(schema, "exclusiveMinimum", &v, &below, &above) && v >= least)
		least = below + 1;
	json_put_f64(e->out, least);
}

static void put_value(struct example *e, struct json schema, int depth)
{
	static const char *const alternatives[] = {"anyOf", "oneOf", "allOf"};
	if (depth > DEPTH_MAX || json_kind(schema) != JSON_OBJECT) {
		json_put_null(e->out);
		return;
	}
	const struct json fixed = json_member(schema, "const");
	const struct json chosen = first_of(json_member(schema, "enum"));
	const struct json ref = json_member(schema, "$ref");
	if (span_is_set(fixed.text) || span_is_set(chosen.text)) {
		json_put_raw(e->out, span_is_set(fixed.text) ? fixed.text : chosen.text);
		return;
	}
	if (json_kind(ref) == JSON_STRING) {
		put_value(e, resolve(e, ref), depth + 1);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(alternatives); i++) {
		const struct json one = first_of(json_member(schema, alternatives[i]));
		if (span_is_set(one.text) && json_is_nil(json_member(schema, "properties"))) {
			put_value(e, one, depth + 1);
			return;
		}
	}
	const char *type = type_of(schema);
	if (strcmp(type, "object") == 0)
		put_object(e, schema, depth);
	else if (strcmp(type, "array") == 0)
		put_array(e, schema, depth);
	else if (strcmp(type, "string") == 0)
		put_string(e, schema);
	else if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
		put_number(e, schema, type[0] == 'i');
	else if (strcmp(type, "boolean") == 0)
		json_put_bool(e->out, false);
	else
		json_put_null(e->out);
}

void schema_example(struct json schema, struct arena *a, struct json_out *out)
{
	struct example e = {schema, a, out};
	put_value(&e, schema, 0);
}
