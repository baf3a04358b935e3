/* functions.c - both directions beside each other, a member at a time. */
#include "brokerd/dialect/functions.h"

#include <stdio.h>

#include "brokerd/dialect/tools.h"
#include "protocol/base/owned.h"

#define EMPTY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TOOL     " type function function. "
#define KNOWN_IN_FUNCTION " name description parameters strict "
#define KNOWN_IN_CALL     " id type function function. "
#define KNOWN_IN_CALLED   " name arguments "

/* ---- writing ---- */

static enum err put_strict(struct scribe *s, const struct tool *tool, const char *path)
{
	if (!tool->strict.is_set)
		return OK;
	if (s->target->quirks.has_strict_tools)
		json_pair_bool(&s->o, "strict", tool->strict.v);
	else if (tool->strict.v)
		return scribe_drop(s, path, "%.*s does not hold tools to their schema",
			SPAN_ARG(s->target->provider));
	return OK;
}

enum err functions_put_tool(struct scribe *s, const struct tool *tool, size_t i)
{
	struct json_out *o = &s->o;
	struct json schema;
	char path[64];
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	if (tool->type == TOOL_PROVIDER) {
		tools_put_hosted(s, tool);
		return OK;
	}
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("function"));
	json_key(o, "function");
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	json_pair_str(o, "description", tool->description);
	json_key(o, "parameters");
	json_put_raw(o, json_is_nil(schema) ? SPAN(EMPTY_SCHEMA) : schema.text);
	err = put_strict(s, tool, path);
	if (!err)
		err = scribe_extra_below(s, &tool->extra, path, "function.", KNOWN_IN_FUNCTION);
	json_close(o, '}');
	if (!err)
		err = scribe_extra(s, &tool->extra, path, KNOWN_IN_TOOL);
	json_close(o, '}');
	return err;
}

void functions_open_call(struct scribe *s, const struct part *p, struct span id)
{
	struct json_out *o = &s->o;
	json_open(o, '{');
	json_pair_str(o, "id", id);
	json_pair_str(o, "type", SPAN("function"));
	json_key(o, "function");
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, p->call.name));
}

enum err functions_close_call(struct scribe *s, const struct part *p, const char *path)
{
	enum err err = scribe_extra_below(s, &p->extra, path, "function.", KNOWN_IN_CALLED);
	json_close(&s->o, '}');
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_CALL);
	json_close(&s->o, '}');
	return err;
}

/* ---- reading: tools ---- */

static enum err read_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)field;
	return json_is(v, "function") ? OK
				      : intake_refuse(in, at, "the type \"function\" is wanted");
}

static enum err read_function(struct intake *in, const struct at *at, struct json v, void *tool)
{
	static const struct intake_row rows[] = {
		{"name",        intake_text,        offsetof(struct tool, name)       },
		{"description", intake_text,        offsetof(struct tool, description)},
		{"parameters",  intake_object_json, offsetof(struct tool, parameters) },
		{"strict",      intake_bool,        offsetof(struct tool, strict)     },
	};
	struct tool *to = tool;
	return intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "function.");
}

static enum err read_tool(struct intake *in, const struct at *at, struct json v, struct tool *to)
{
	static const struct intake_row rows[] = {
		{"type",     read_type,     0},
		{"function", read_function, 0},
	};
	const struct json type = json_member(v, "type");
	if (json_kind(v) == JSON_OBJECT && !json_is_nil(type) && !json_is(type, "function")) {
		to->type = TOOL_PROVIDER;
		to->family = in->family;
		to->raw = v.text;
		return json_is_nil(json_member(v, "name"))
			       ? OK
			       : intake_text(in, at, json_member(v, "name"), &to->name);
	}
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "");
	if (!err && to->name.n == 0)
		return intake_refuse(in, at, "a tool has a function with a name");
	return err;
}

enum err functions_read_tools(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array of tools");
	r->tools = arena_array(in->arena, intake_count(v), sizeof *r->tools);
	if (!r->tools)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); json_next(&w); r->n_tools++) {
		const struct at here = at_index(at, r->n_tools);
		const enum err err = read_tool(in, &here, w.value, &r->tools[r->n_tools]);
		if (err)
			return err;
	}
	return OK;
}

static enum err read_chosen(struct intake *in, const struct at *at, struct json v, void *name)
{
	static const struct intake_row rows[] = {
		{"name", intake_text, 0},
	};
	return intake_object(in, at, v, rows, COUNT_OF(rows), name, NULL, "");
}

enum err functions_read_choice(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct {
		const char *word;
		enum tool_choice_mode mode;
	} words[] = {
		{"auto",     CHOICE_AUTO    },
		{"none",     CHOICE_NONE    },
		{"any",      CHOICE_REQUIRED},
		{"required", CHOICE_REQUIRED},
	};
	static const struct intake_row rows[] = {
		{"type",     read_type,   0},
		{"function", read_chosen, 0},
	};
	struct tool_choice *to = field;
	struct span word = SPAN_NONE;
	if (json_kind(v) == JSON_OBJECT) {
		to->mode = CHOICE_NAMED;
		to->names = arena_array(in->arena, 1, sizeof *to->names);
		to->n_names = 1;
		if (!to->names)
			return intake_no_memory(in);
		const enum err err =
			intake_object(in, at, v, rows, COUNT_OF(rows), to->names, NULL, "");
		if (!err && to->names[0].n == 0)
			return intake_refuse(in, at, "a function with a name is wanted");
		return err;
	}
	const enum err err = intake_text(in, at, v, &word);
	for (size_t i = 0; !err && i < COUNT_OF(words); i++) {
		if (span_is_nocase(word, words[i].word)) {
			to->mode = words[i].mode;
			return OK;
		}
	}
	return err ? err
		   : intake_refuse(in, at,
			     "auto, none, any, required or an object with a function is wanted");
}

/* ---- reading: calls ---- */

/* A string's text, or an object as it is written. */
static enum err read_arguments(struct intake *in, const struct at *at, struct json v, void *field)
{
	return json_kind(v) == JSON_STRING ? intake_text(in, at, v, field)
					   : intake_object_json(in, at, v, field);
}

static enum err read_called(struct intake *in, const struct at *at, struct json v, void *part)
{
	static const struct intake_row rows[] = {
		{"name",      intake_text,    offsetof(struct part, call.name)     },
		{"arguments", read_arguments, offsetof(struct part, call.arguments)},
	};
	struct part *to = part;
	return intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "function.");
}

enum err functions_read_calls(
	struct intake *in, const struct at *at, struct json v, struct part *parts, size_t *n)
{
	static const struct intake_row rows[] = {
		{"id", intake_text, offsetof(struct part, call.id)},
		{"type",    read_type,          0                 },
		{"function",    read_called,      0},
	};
	size_t i = 0;
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array of calls");
	for (struct json_walk w = json_each(v); json_next(&w); i++) {
		const struct at here = at_index(at, i);
		struct part *to = &parts[(*n)++];
		*to = (struct part){.type = PART_TOOL_CALL};
		const enum err err =
			intake_object(in, &here, w.value, rows, COUNT_OF(rows), to, &to->extra, "");
		if (err)
			return err;
		if (to->call.name.n == 0)
			return intake_refuse(in, &here, "a call has a function with a name");
		if (!span_is_set(to->call.arguments))
			to->call.arguments = SPAN("");
	}
	return OK;
}
