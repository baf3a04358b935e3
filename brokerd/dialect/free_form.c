/* free_form.c - {"input": TEXT}, and a schema that says so. */
#include "brokerd/dialect/free_form.h"

#include <stdio.h>

#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

#define INPUT "input"

static bool knows_custom_tools(const struct target *target)
{
	return span_is(target->family, "openai-responses") || span_is(target->family, "offline") ||
	       (span_is(target->family, "openai-chat") && target->quirks.is_openai);
}

/* ---- tools ---- */

/* What the text is to be like: any text unless it is said. The two families that have a grammar have it in
 * different places. */
static void put_description(const struct tool *tool, struct buf *out)
{
	struct json format;
	buf_text(out, "The whole input of the tool, as text.");
	if (!span_is_set(tool->format) || json_scan(tool->format, JSON_STRICT, &format, NULL))
		return;
	const struct json below = json_member(format, "grammar");
	const struct json grammar = json_kind(below) == JSON_OBJECT ? below : format;
	const struct json definition = json_member(grammar, "definition");
	if (json_is(json_member(format, "type"), "text"))
		return;
	if (json_kind(definition) != JSON_STRING) {
		buf_text(out, " Its format: ");
		buf_span(out, format.text);
		return;
	}
	buf_text(out, " It keeps to this grammar (");
	(void)json_text_to(json_member(grammar, "syntax"), out);
	buf_text(out, "):\n");
	(void)json_text_to(definition, out);
}

static enum err put_schema(const struct tool *tool, struct arena *a, struct span *out)
{
	OWNED(buf_done) struct buf words = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf schema = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&schema);
	put_description(tool, &words);
	json_open(&o, '{');
	json_pair_str(&o, "type", SPAN("object"));
	json_key(&o, "properties");
	json_open(&o, '{');
	json_key(&o, INPUT);
	json_open(&o, '{');
	json_pair_str(&o, "type", SPAN("string"));
	json_pair_str(&o, "description", buf_view(&words));
	json_close(&o, '}');
	json_close(&o, '}');
	json_pair_raw(&o, "required", SPAN("[\"" INPUT "\"]"));
	json_pair_bool(&o, "additionalProperties", false);
	json_close(&o, '}');
	return buf_error(&words) || buf_error(&schema) ? ERR_NO_MEMORY
						       : arena_dup(a, buf_view(&schema), out);
}

static enum err take_tool(struct scribe *s, size_t i, struct tool *tool)
{
	char path[64];
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	if (put_schema(tool, s->notes->arena, &tool->parameters))
		return fault_set(s->why, ERR_NO_MEMORY, "no memory for the tools");
	tool->type = TOOL_FUNCTION;
	tool->format = SPAN_NONE;
	s->notes->free_forms[s->notes->n_free_forms++] = tool->name;
	return scribe_change(s, "emulated", path,
		"%.*s knows no custom tools: a function with one text stands for it",
		SPAN_ARG(s->target->provider));
}

static enum err take_tools(struct scribe *s, struct llm_request *r)
{
	struct arena *a = s->notes->arena;
	struct tool *tools = arena_array(a, r->n_tools, sizeof *tools);
	s->notes->free_forms = arena_array(a, r->n_tools, sizeof *s->notes->free_forms);
	s->notes->n_free_forms = 0;
	if (!tools || !s->notes->free_forms)
		return fault_set(s->why, ERR_NO_MEMORY, "no memory for the tools");
	enum err err = OK;
	for (size_t i = 0; !err && i < r->n_tools; i++) {
		tools[i] = r->tools[i];
		if (tools[i].type == TOOL_CUSTOM)
			err = take_tool(s, i, &tools[i]);
	}
	r->tools = tools;
	return err;
}

/* ---- calls ---- */

static bool is_custom_call(const struct part *p)
{
	return p->type == PART_TOOL_CALL && p->call.is_custom;
}

static enum err take_call(struct arena *a, struct tool_call *call)
{
	OWNED(buf_done) struct buf arguments = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&arguments);
	json_open(&o, '{');
	json_pair_str(&o, INPUT, span_is_set(call->arguments) ? call->arguments : SPAN(""));
	json_close(&o, '}');
	call->is_custom = false;
	return buf_error(&arguments) ? ERR_NO_MEMORY
				     : arena_dup(a, buf_view(&arguments), &call->arguments);
}

/* The turn, in memory of its own where it has such a call. */
static enum err take_turn(struct arena *a, struct message *m)
{
	struct part *own = NULL;
	enum err err = OK;
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		if (!is_custom_call(&m->parts[k]))
			continue;
		if (!own) {
			own = arena_array(a, m->n_parts, sizeof *own);
			if (!own)
				return ERR_NO_MEMORY;
			memcpy(own, m->parts, m->n_parts * sizeof *own);
			m->parts = own;
		}
		err = take_call(a, &own[k].call);
	}
	return err;
}

static enum err take_turns(struct arena *a, struct llm_request *r)
{
	struct message *list = arena_array(a, r->n_messages, sizeof *list);
	enum err err = list ? OK : ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < r->n_messages; i++) {
		list[i] = r->messages[i];
		err = take_turn(a, &list[i]);
	}
	r->messages = list;
	return err;
}

static bool has_any(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_CUSTOM)
			return true;
	}
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			if (is_custom_call(&r->messages[i].parts[k]))
				return true;
		}
	}
	return false;
}

enum err free_form_emulate(
	struct llm_request *r, const struct target *target, struct notes *notes, struct fault *why)
{
	struct scribe s = {.r = r, .target = target, .notes = notes, .why = why};
	if (knows_custom_tools(target) || !has_any(r))
		return OK;
	if (take_turns(notes->arena, r))
		return fault_set(why, ERR_NO_MEMORY, "no memory for the calls of custom tools");
	return take_tools(&s, r);
}

/* ---- the way back ---- */

bool free_form_is(const struct notes *notes, struct span name)
{
	for (size_t i = 0; i < notes->n_free_forms; i++) {
		if (span_eq(notes->free_forms[i], name))
			return true;
	}
	return false;
}

bool free_form_input(struct span arguments, struct buf *out)
{
	struct json v;
	if (json_scan(arguments, JSON_LENIENT, &v, NULL) == OK &&
		json_text_to(json_member(v, INPUT), out))
		return true;
	buf_span(out, arguments);
	return false;
}
