/* tools.c - what every family asks of tools before it writes them. */
#include "brokerd/dialect/tools.h"

#include <assert.h>
#include <stdio.h>

#include "brokerd/dialect/host_schema.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/strict_schema.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/limits.h"

static enum err rename_tool(struct scribe *s, size_t i, const struct name_rules *rules)
{
	char path[64];
	struct span legal;
	const struct span name = s->r->tools[i].name;
	enum err err = name_legal_by(s->notes->arena, name, rules, &legal);
	if (err || span_eq(legal, name))
		return err;
	(void)snprintf(path, sizeof path, "tools[%zu].name", scribe_tool_at(s, i));
	err = notes_rename_tool(s->notes, name, legal);
	return err ? err
		   : scribe_change(s, "renamed", path, "the tool's name went out as \"%.*s\"",
			     SPAN_ARG(legal));
}

static bool is_known(const struct llm_request *r, struct span name)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (span_eq(r->tools[i].name, name))
			return true;
	}
	return false;
}

enum err tools_prepare_by(struct scribe *s, const struct name_rules *rules)
{
	for (size_t i = 0; i < s->r->n_tools; i++) {
		if (s->r->tools[i].type == TOOL_PROVIDER)
			continue;
		const enum err err = rename_tool(s, i, rules);
		if (err)
			return err;
	}
	return tools_check(s);
}

/* Which of two tools of one name was called nobody could tell. */
static enum err check_names(struct scribe *s)
{
	if (s->r->n_tools > LIMIT_TOOLS)
		return scribe_refuse(s, "tools", "at most %zu tools can be sent", LIMIT_TOOLS);
	for (size_t i = 0; i < s->r->n_tools; i++) {
		char path[64];
		const struct tool *tool = &s->r->tools[i];
		(void)snprintf(path, sizeof path, "tools[%zu].name", scribe_tool_at(s, i));
		for (size_t j = 0; tool->type != TOOL_PROVIDER && j < i; j++) {
			if (s->r->tools[j].type != TOOL_PROVIDER &&
				span_eq(s->r->tools[j].name, tool->name))
				return fault_param(s->why, ERR_INVALID_REQUEST, path,
					"another tool has the name \"%.*s\" too",
					SPAN_ARG(span_first(tool->name, 100)));
		}
	}
	return OK;
}

enum err tools_check(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	const enum err err = check_names(s);
	if (err)
		return err;
	for (size_t i = 0; i < c->n_names; i++) {
		if (!is_known(s->r, c->names[i]))
			return fault_param(s->why, ERR_INVALID_REQUEST, "tool_choice",
				"there is no tool of the name \"%.*s\"",
				SPAN_ARG(span_first(c->names[i], 100)));
	}
	if (s->r->n_tools == 0 && (c->mode == CHOICE_REQUIRED || c->mode == CHOICE_NAMED))
		return fault_param(s->why, ERR_INVALID_REQUEST, "tool_choice",
			"a tool call is required, but there are no tools");
	return OK;
}

enum err tools_prepare(struct scribe *s, size_t name_max)
{
	return tools_prepare_by(s, &(struct name_rules){.max = name_max, .also = ""});
}

bool tools_is_allowed(const struct llm_request *r, const struct tool *tool)
{
	const struct tool_choice *c = &r->tool_choice;
	for (size_t i = 0; i < c->n_names; i++) {
		if (span_eq(c->names[i], tool->name))
			return true;
	}
	return c->n_names == 0;
}

enum err tools_schema(struct scribe *s, const struct tool *tool, const char *path, struct json *out)
{
	*out = JSON_NONE;
	if (!span_is_set(tool->parameters))
		return OK;
	struct json schema;
	const enum err err = json_scan(tool->parameters, JSON_STRICT, &schema, s->why);
	if (err)
		return err;
	const struct json type = json_member(schema, "type");
	if (json_kind(schema) != JSON_OBJECT ||
		(span_is_set(type.text) && !json_is(type, "object")))
		return fault_param(s->why, ERR_INVALID_REQUEST, path,
			"a tool's parameters are an object, and so must its schema say");
	struct json_walk w = json_each(schema);
	if (json_next(&w))
		*out = schema;
	return OK;
}

enum err tools_put_host_schema(struct scribe *s, struct json schema, const char *path)
{
	OWNED(buf_done) struct buf theirs = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&theirs);
	const enum schemas way = s->target->quirks.schemas;
	if (way == SCHEMAS_FULL || !host_schema_put(&o, schema, way)) {
		json_put_raw(&s->o, schema.text);
		return OK;
	}
	if (buf_error(&theirs))
		return buf_error(&theirs);
	json_put_raw(&s->o, buf_view(&theirs));
	return scribe_change(s, "schema_rewritten", path, "the schema went out as %.*s takes them",
		SPAN_ARG(s->target->provider));
}

enum err tools_put_host_format(struct scribe *s, struct span schema)
{
	struct json v;
	const enum err err = json_scan(schema, JSON_STRICT, &v, s->why);
	if (err)
		return err;
	const struct json type = json_member(v, "type");
	if (s->target->quirks.schemas == SCHEMAS_MFJS && !json_is_nil(type) &&
		!json_is(type, "object"))
		return scribe_refuse_as(s, "invalid_json_schema", "response_format.schema",
			"%.*s takes the schema of an object only", SPAN_ARG(s->target->provider));
	return tools_put_host_schema(s, v, "response_format.schema");
}

void tools_put_schema(struct json_out *o, struct json schema)
{
	const bool has_type = span_is_set(json_member(schema, "type").text);
	const bool has_properties = span_is_set(json_member(schema, "properties").text);
	if (has_type && has_properties) {
		json_put_raw(o, schema.text);
		return;
	}
	json_open(o, '{');
	if (!has_type)
		json_pair_str(o, "type", SPAN("object"));
	for (struct json_walk w = json_each(schema); json_next(&w);) {
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
	if (!has_properties)
		json_pair_raw(o, "properties", SPAN("{}"));
	json_close(o, '}');
}

void tools_put_hosted(struct scribe *s, const struct tool *tool)
{
	assert(span_eq(tool->family, s->target->family));
	json_put_raw(&s->o, tool->raw);
}

static enum err check_strict(struct scribe *s, struct json schema, const char *path)
{
	OWNED(buf_done) struct buf below = BUF_INIT(LIMIT_BODY_BYTES);
	char param[128];
	const char *what;
	if (!s->target->quirks.is_openai || !strict_schema_breach(schema, &below, &what))
		return OK;
	if (buf_error(&below))
		return ERR_NO_MEMORY;
	(void)snprintf(param, sizeof param, "%s%s%.*s", path, below.n > 0 ? "." : "",
		SPAN_ARG(span_first(buf_view(&below), sizeof param)));
	return scribe_refuse_as(s, "invalid_json_schema", param,
		"a schema that is to be kept strictly: %s %s; without strict it may be so", param,
		what);
}

enum err tools_check_function(
	struct scribe *s, const struct tool *tool, struct json schema, const char *path)
{
	char param[96];
	if (!tool->strict.is_set || !tool->strict.v || json_is_nil(schema))
		return OK;
	(void)snprintf(param, sizeof param, "%s.parameters", path);
	return check_strict(s, schema, param);
}

enum err tools_check_format(struct scribe *s)
{
	const struct response_format *f = &s->r->response_format;
	struct json schema;
	if (f->type != FORMAT_SCHEMA || !f->strict.is_set || !f->strict.v)
		return OK;
	const enum err err = json_scan(f->schema, JSON_STRICT, &schema, s->why);
	return err ? err : check_strict(s, schema, "response_format.schema");
}

enum err tools_put_arguments(struct scribe *s, struct span arguments, const char *path)
{
	switch (tool_args_put_object(&s->o, arguments)) {
	case TOOL_ARGS_OBJECT:
	case TOOL_ARGS_EMPTY:
		break;
	case TOOL_ARGS_WRAPPED:
		return scribe_change(s, "rewritten_message", path,
			"the call's arguments were no object: they went out as its member "
			"\"value\"");
	case TOOL_ARGS_RAW:
		return scribe_change(s, "rewritten_message", path,
			"the call's arguments were no JSON: they went out as text, in the member "
			"\"_raw\"");
	}
	return OK;
}
