/* tools.c - functions in one declaration, what the provider serves itself beside it. */
#include "brokerd/dialect/tools.h"

#include <stdio.h>

#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/schema.h"
#include "brokerd/dialect/names.h"
#include "protocol/limits.h"

#define NAME_BYTES     ((size_t)128)
#define OLD_NAME_BYTES ((size_t)63)

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TOOL    " name description parameters parametersJsonSchema "
#define KNOWN_IN_CONFIG  " functionCallingConfig functionCallingConfig. "
#define KNOWN_IN_CALLING " mode allowedFunctionNames "

enum err gemini_prepare_tools(struct scribe *s)
{
	const struct quirks *q = &s->target->quirks;
	const struct name_rules names = {
		.max = q->has_openapi_schemas ? OLD_NAME_BYTES : NAME_BYTES,
		.also = ".:",
		.begins_with_letter = true,
	};
	if (q->tools_max > 0 && s->r->n_tools > (size_t)q->tools_max)
		return scribe_refuse(s, "tools", "%.*s takes at most %lld tools",
			SPAN_ARG(s->target->provider), (long long)q->tools_max);
	return tools_prepare_by(s, &names);
}

bool gemini_has_functions(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_FUNCTION)
			return true;
	}
	return false;
}

/* ---- declarations ---- */

/* Does the schema say that there are no parameters? An object without any is refused by some. */
static bool has_none(struct json schema)
{
	const struct json properties = json_member(schema, "properties");
	struct json_walk w = json_each(properties);
	for (struct json_walk each = json_each(schema); json_next(&each);) {
		if (json_name_is(each.name, "$ref") || json_name_is(each.name, "allOf") ||
			json_name_is(each.name, "anyOf") || json_name_is(each.name, "oneOf") ||
			(json_name_is(each.name, "additionalProperties") &&
				json_kind(each.value) != JSON_FALSE))
			return false;
	}
	return json_kind(properties) == JSON_OBJECT && !json_next(&w);
}

static enum err put_parameters(struct scribe *s, struct json schema, const char *path)
{
	struct schema_losses losses;
	const bool is_old = s->target->quirks.has_openapi_schemas;
	if (!span_is_set(schema.text) || (is_old && has_none(schema)))
		return OK;
	if (is_old) {
		json_key(&s->o, "parameters");
		schema_put_openapi(schema, &s->o, &losses);
	} else {
		json_key(&s->o, "parametersJsonSchema");
		schema_put_json(schema, &s->o, &losses);
	}
	return gemini_tell_losses(s, &losses, path);
}

static enum err put_function(struct scribe *s, const struct tool *tool, const char *path)
{
	struct json schema;
	const struct span name = notes_tool_theirs(s->notes, tool->name);
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", name);
	json_pair_str(&s->o, "description", tool->description.n > 0 ? tool->description : name);
	err = put_parameters(s, schema, path);
	if (!err)
		err = scribe_extra(s, &tool->extra, path, KNOWN_IN_TOOL);
	json_close(&s->o, '}');
	return err;
}

static bool is_declared(const struct llm_request *r, struct span name)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_FUNCTION && span_eq(r->tools[i].name, name))
			return true;
	}
	return false;
}

/* Is the call the first in the conversation to a tool of its name? */
static bool is_first_call(const struct llm_request *r, const struct part *call)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			const struct part *p = &r->messages[i].parts[k];
			if (p == call)
				return true;
			if (p->type == PART_TOOL_CALL && span_eq(p->call.name, call->call.name))
				return false;
		}
	}
	return true;
}

/* A call of a tool that is no longer there wants a declaration all the same. */
static enum err put_stub(struct scribe *s, const struct part *p, size_t at, size_t k)
{
	char path[64];
	if (p->type != PART_TOOL_CALL || is_declared(s->r, p->call.name) || !is_first_call(s->r, p))
		return OK;
	const struct span name = notes_tool_theirs(s->notes, p->call.name);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", name);
	json_pair_str(&s->o, "description", name);
	json_key(&s->o,
		s->target->quirks.has_openapi_schemas ? "parameters" : "parametersJsonSchema");
	json_put_raw(&s->o, SPAN("{\"type\":\"object\"}"));
	json_close(&s->o, '}');
	(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", at, k);
	return scribe_change(s, "emulated", path,
		"\"%.*s\" was called but is not among the tools: it was declared without "
		"parameters, as the provider wants",
		SPAN_ARG(span_first(name, 100)));
}

/* Where the provider cannot be told which are allowed, only those go out. */
static bool goes_out(const struct scribe *s, const struct tool *tool)
{
	return s->target->quirks.has_strict_tools || s->r->tool_choice.mode != CHOICE_AUTO ||
	       tools_is_allowed(s->r, tool);
}

static enum err put_functions(struct scribe *s)
{
	enum err err = OK;
	char path[64];
	json_open(&s->o, '{');
	json_key(&s->o, "functionDeclarations");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
		if (s->r->tools[i].type == TOOL_FUNCTION && goes_out(s, &s->r->tools[i]))
			err = put_function(s, &s->r->tools[i], path);
	}
	for (size_t i = 0; i < s->r->n_messages; i++) {
		for (size_t k = 0; !err && k < s->r->messages[i].n_parts; k++)
			err = put_stub(s, &s->r->messages[i].parts[k], i, k);
	}
	json_close(&s->o, ']');
	json_close(&s->o, '}');
	return err;
}

/* ---- choice ---- */

static enum err choose_mode(struct scribe *s, struct span *mode)
{
	const struct tool_choice *c = &s->r->tool_choice;
	const bool has_validated = s->target->quirks.has_strict_tools;
	*mode = SPAN_NONE;
	switch (c->mode) {
	case CHOICE_NONE:
		*mode = SPAN("NONE");
		return OK;
	case CHOICE_REQUIRED:
	case CHOICE_NAMED:
		*mode = SPAN("ANY");
		return OK;
	case CHOICE_AUTO:
		*mode = c->n_names > 0 && has_validated ? SPAN("VALIDATED") : SPAN("AUTO");
		break;
	case CHOICE_UNSET:
		break;
	}
	for (size_t i = 0; i < s->r->n_tools; i++) {
		const struct opt_bool strict = s->r->tools[i].strict;
		char path[64];
		if (!strict.is_set || !strict.v)
			continue;
		if (has_validated) {
			*mode = SPAN("VALIDATED");
			return OK;
		}
		(void)snprintf(path, sizeof path, "tools[%zu].strict", scribe_tool_at(s, i));
		const enum err err = scribe_drop(s, path,
			"%.*s does not hold tools to their schema", SPAN_ARG(s->target->model));
		if (err)
			return err;
	}
	return OK;
}

static enum err put_calling(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	struct span mode = SPAN_NONE;
	enum err err = gemini_has_functions(s->r) ? choose_mode(s, &mode) : OK;
	json_pair_str(&s->o, "mode", mode);
	if (span_is_set(mode) && !span_is(mode, "AUTO") && !span_is(mode, "NONE") &&
		c->n_names > 0) {
		json_key(&s->o, "allowedFunctionNames");
		json_open(&s->o, '[');
		for (size_t i = 0; i < c->n_names; i++)
			json_put_str(&s->o, notes_tool_theirs(s->notes, c->names[i]));
		json_close(&s->o, ']');
	}
	return err ? err
		   : scribe_extra_below(s, &s->r->extra, "", "toolConfig.functionCallingConfig.",
			     KNOWN_IN_CALLING);
}

static enum err put_config(struct scribe *s)
{
	enum err err = gemini_put_filled(s, "functionCallingConfig", put_calling);
	return err ? err : scribe_extra_below(s, &s->r->extra, "", "toolConfig.", KNOWN_IN_CONFIG);
}

enum err gemini_put_tools(struct scribe *s)
{
	enum err err = OK;
	if (s->r->n_tools > 0) {
		json_key(&s->o, "tools");
		json_open(&s->o, '[');
		if (gemini_has_functions(s->r))
			err = put_functions(s);
		for (size_t i = 0; i < s->r->n_tools; i++) {
			if (s->r->tools[i].type != TOOL_FUNCTION)
				tools_put_hosted(s, &s->r->tools[i]);
		}
		json_close(&s->o, ']');
	}
	if (!err)
		err = gemini_put_filled(s, "toolConfig", put_config);
	if (err || !s->r->parallel_tool_calls.is_set || s->r->parallel_tool_calls.v ||
		s->r->n_tools == 0)
		return err;
	return scribe_drop(s, "parallel_tool_calls",
		"%.*s cannot be kept from calling several tools at once",
		SPAN_ARG(s->target->provider));
}
