/* host_schema.c - a walk down the places where a schema has schemas. */
#include "brokerd/dialect/host_schema.h"

#include "protocol/base/owned.h"

struct rewrite {
	struct json_out *o;
	enum schemas way;
	bool is_changed;
};

/* What a member of a schema has inside. */
enum inside {
	INSIDE_ANYTHING, /* no schemas */
	INSIDE_SCHEMA,   /* one, or a list of them */
	INSIDE_NAMED,    /* one a name */
};

static enum inside inside_of(struct span name)
{
	static const struct {
		const char *name;
		enum inside inside;
	} rows[] = {
		{"properties",           INSIDE_NAMED },
		{"patternProperties",    INSIDE_NAMED },
		{"$defs",                INSIDE_NAMED },
		{"definitions",          INSIDE_NAMED },
		{"dependentSchemas",     INSIDE_NAMED },
		{"items",                INSIDE_SCHEMA},
		{"prefixItems",          INSIDE_SCHEMA},
		{"additionalItems",      INSIDE_SCHEMA},
		{"additionalProperties", INSIDE_SCHEMA},
		{"anyOf",                INSIDE_SCHEMA},
		{"oneOf",                INSIDE_SCHEMA},
		{"allOf",                INSIDE_SCHEMA},
		{"not",                  INSIDE_SCHEMA},
		{"contains",             INSIDE_SCHEMA},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_is(name, rows[i].name))
			return rows[i].inside;
	}
	return INSIDE_ANYTHING;
}

static bool has(struct json schema, const char *name)
{
	return !json_is_nil(json_member(schema, name));
}

static void put(struct rewrite *r, struct json schema, struct json type);

static void put_list(struct rewrite *r, struct json list, struct json type)
{
	json_open(r->o, '[');
	for (struct json_walk w = json_each(list); json_next(&w);)
		put(r, w.value, type);
	json_close(r->o, ']');
}

static void put_inside(struct rewrite *r, enum inside inside, struct json v, struct json type)
{
	if (inside == INSIDE_SCHEMA && json_kind(v) == JSON_ARRAY) {
		put_list(r, v, type);
	} else if (inside == INSIDE_SCHEMA) {
		put(r, v, type);
	} else if (inside == INSIDE_NAMED && json_kind(v) == JSON_OBJECT) {
		json_open(r->o, '{');
		for (struct json_walk w = json_each(v); json_next(&w);) {
			json_key_raw(r->o, w.name);
			put(r, w.value, JSON_NONE);
		}
		json_close(r->o, '}');
	} else {
		json_put_raw(r->o, v.text);
	}
}

/* A tuple's items have a name of their own, and theirs what is behind them. */
static struct span name_of(struct rewrite *r, struct json schema, struct span name)
{
	if (r->way != SCHEMAS_MFJS || json_kind(json_member(schema, "items")) != JSON_ARRAY)
		return name;
	r->is_changed = true;
	if (span_is(name, "items"))
		return SPAN("prefixItems");
	return span_is(name, "additionalItems") ? SPAN("items") : name;
}

/* An open object is what is not said to be closed. */
static bool is_left_out(struct rewrite *r, struct span name, struct json v)
{
	if (r->way != SCHEMAS_CLOSED || !span_is(name, "additionalProperties") ||
		json_kind(v) == JSON_FALSE)
		return false;
	r->is_changed = true;
	return true;
}

/* `type`: of the schema whose choice this is one of, which may not stand beside the choices. */
static void put(struct rewrite *r, struct json schema, struct json type)
{
	const bool has_choice = r->way == SCHEMAS_MFJS && has(schema, "anyOf");
	const struct json own = json_member(schema, "type");
	if (json_kind(schema) != JSON_OBJECT) {
		json_put_raw(r->o, schema.text);
		return;
	}
	json_open(r->o, '{');
	if (!has_choice && json_is_nil(own) && !has(schema, "$ref"))
		json_pair_raw(r->o, "type", type.text);
	for (struct json_walk w = json_each(schema); json_next(&w);) {
		const bool is_choice = has_choice && span_is(w.name, "anyOf");
		if (has_choice && span_is(w.name, "type")) {
			r->is_changed = true;
			continue;
		}
		if (is_left_out(r, w.name, w.value))
			continue;
		json_key_raw(r->o, name_of(r, schema, w.name));
		put_inside(r, inside_of(w.name), w.value,
			!is_choice         ? JSON_NONE
			: json_is_nil(own) ? type
					   : own);
	}
	json_close(r->o, '}');
}

bool host_schema_put(struct json_out *o, struct json schema, enum schemas way)
{
	struct rewrite r = {o, way, false};
	put(&r, schema, JSON_NONE);
	return r.is_changed;
}
