/* tools.c - the caller's tools, stubs for those of the history, and one that stands for a schema. */
#include "brokerd/dialect/bedrock/tools.h"

#include <stdio.h>

#include "brokerd/dialect/emulate.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define NAME_BYTES ((size_t)64)
#define PATH_BYTES 64
#define NO_CALLS   "Do not call a tool in this turn."
#define NOT_THESE  "Do not call these tools in this turn: "

/* The names that are written here, for scribe_extra; a dot leads to another list. */
#define KNOWN_IN_CONFIG " tools toolChoice "
#define KNOWN_IN_TOOL   " toolSpec systemTool cachePoint toolSpec. cachePoint. "
#define KNOWN_IN_SPEC   " name description inputSchema strict inputSchema. "
#define KNOWN_IN_SCHEMA " json "

#define IN_CONFIG "toolConfig."
#define IN_SPEC   "toolSpec."
#define IN_SCHEMA IN_SPEC "inputSchema."

/* ---- what is declared ---- */

static bool has_calls_before(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		for (size_t k = 0; m->role == ROLE_ASSISTANT && k < m->n_parts; k++) {
			if (m->parts[k].type == PART_TOOL_CALL)
				return true;
		}
	}
	return false;
}

/* Is it one of the caller's? Such a tool goes out with its own schema, allowed or not. */
static bool recall_own(const struct scribe *s, struct bedrock_tools *t, struct span ours)
{
	for (size_t i = 0; t->has_own && i < s->r->n_tools; i++) {
		const struct tool *tool = &s->r->tools[i];
		if (tool->type != TOOL_FUNCTION || !span_eq(tool->name, ours))
			continue;
		if (s->r->tool_choice.mode != CHOICE_NAMED && !tools_is_allowed(s->r, tool) &&
			!t->is_recalled[i]) {
			t->is_recalled[i] = true;
			t->n_recalled++;
		}
		return true;
	}
	return false;
}

static bool is_declared(const struct bedrock_tools *t, struct span theirs)
{
	for (size_t i = 0; i < t->n_stubs; i++) {
		if (span_eq(t->stubs[i], theirs))
			return true;
	}
	return t->has_json_tool && span_is(theirs, EMULATED_TOOL);
}

/* The least definition of a tool that only an earlier call names, unless there is one already. */
static enum err add_stub(struct scribe *s, struct bedrock_tools *t, struct span ours)
{
	struct span theirs = notes_tool_theirs(s->notes, ours);
	enum err err = name_legal(s->notes->arena, theirs, NAME_BYTES, &theirs);
	if (err || recall_own(s, t, ours) || is_declared(t, theirs))
		return err;
	if (!span_eq(ours, notes_tool_ours(s->notes, theirs)))
		err = notes_rename_tool(s->notes, ours, theirs);
	t->stubs[t->n_stubs++] = theirs;
	return err ? err
		   : scribe_change(s, "emulated", "tools",
			     "the history calls \"%.*s\", which is not among the tools: it was "
			     "declared without parameters, as the provider wants",
			     SPAN_ARG(span_first(ours, 100)));
}

static enum err choose_stubs(struct scribe *s, struct bedrock_tools *t)
{
	size_t most = 0;
	enum err err = OK;
	for (size_t i = 0; i < s->r->n_messages; i++)
		most += s->r->messages[i].n_parts;
	t->stubs = arena_array(s->notes->arena, most, sizeof *t->stubs);
	t->is_recalled = arena_array(s->notes->arena, s->r->n_tools, sizeof *t->is_recalled);
	if (!t->stubs || !t->is_recalled)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < s->r->n_messages; i++) {
		const struct message *m = &s->r->messages[i];
		for (size_t k = 0; !err && m->role == ROLE_ASSISTANT && k < m->n_parts; k++) {
			if (m->parts[k].type == PART_TOOL_CALL)
				err = add_stub(s, t, m->parts[k].call.name);
		}
	}
	return err;
}

static enum err add_words(struct scribe *s, struct span more, struct span *words)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	if (span_is_set(*words)) {
		buf_span(&text, *words);
		buf_text(&text, "\n\n");
	}
	buf_span(&text, more);
	const enum err err = buf_error(&text);
	return err ? err : arena_dup(s->notes->arena, buf_view(&text), words);
}

/* Is the one tool that must be called the only one that may be? */
static bool is_sole(const struct scribe *s, const struct bedrock_tools *t)
{
	const struct tool_choice *c = &s->r->tool_choice;
	return c->mode == CHOICE_REQUIRED && c->n_names == 1 && t->n_recalled > 0 &&
	       !t->has_json_tool;
}

/* Some tools go out only for the history's sake: naming the one to call keeps the model from them, else
 * words do. */
static enum err forbid_recalled(struct scribe *s, const struct bedrock_tools *t, struct span *words)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	bool is_first = true;
	if (t->n_recalled == 0 || is_sole(s, t))
		return OK;
	buf_text(&text, NOT_THESE);
	for (size_t i = 0; i < s->r->n_tools; i++) {
		if (!t->is_recalled[i])
			continue;
		buf_text(&text, is_first ? "" : ", ");
		buf_span(&text, notes_tool_theirs(s->notes, s->r->tools[i].name));
		is_first = false;
	}
	buf_byte(&text, '.');
	enum err err = buf_error(&text);
	if (!err)
		err = add_words(s, buf_view(&text), words);
	return err ? err
		   : scribe_change(s, "emulated", "tool_choice",
			     "the provider cannot be told that a tool is not allowed, and must "
			     "know "
			     "those of the history: a system text asks not to call them");
}

/* No tool is to be called: none goes out, or, where the history has calls, words forbid it. */
static enum err choose_none(struct scribe *s, struct bedrock_tools *t, struct span *words)
{
	t->has_own = has_calls_before(s->r);
	if (!t->has_own)
		return scribe_change(s, "emulated", "tool_choice",
			"the provider cannot be told to call no tool: none was sent");
	if (t->has_json_tool)
		return OK; /* which must be called, and so no other can */
	const enum err err = add_words(s, SPAN(NO_CALLS), words);
	return err ? err
		   : scribe_change(s, "emulated", "tool_choice",
			     "the provider cannot be told to call no tool, and must know those of "
			     "the history: a system text asks for it");
}

static enum err check_choice(struct scribe *s, const struct bedrock_tools *t)
{
	const struct tool_choice *c = &s->r->tool_choice;
	const enum forcing forcing = s->target->quirks.forcing;
	if (c->mode != CHOICE_REQUIRED && c->mode != CHOICE_NAMED)
		return OK;
	if (forcing == FORCING_NEVER || (forcing == FORCING_UNLESS_REASONING && t->is_thinking))
		return scribe_refuse(s, "tool_choice", "%.*s cannot be made to call a tool%s",
			SPAN_ARG(s->target->model),
			forcing == FORCING_NEVER ? "" : " while it reasons");
	return OK;
}

enum err bedrock_choose_tools(struct scribe *s, struct bedrock_tools *t, struct span *words)
{
	const bool has_calls = has_calls_before(s->r);
	enum err err = OK;
	if (!s->target->quirks.has_tools && (s->r->n_tools > 0 || has_calls))
		return scribe_refuse(s, s->r->n_tools > 0 ? "tools" : "messages",
			"%.*s takes no tools", SPAN_ARG(s->target->model));
	t->has_own = s->r->n_tools > 0;
	if (t->has_own && s->r->tool_choice.mode == CHOICE_NONE)
		err = choose_none(s, t, words);
	if (!err)
		err = check_choice(s, t);
	if (!err && has_calls)
		err = choose_stubs(s, t);
	return err ? err : forbid_recalled(s, t, words);
}

/* ---- how ---- */

static enum err put_spec(struct scribe *s, const struct tool *tool, const char *path)
{
	struct json_out *o = &s->o;
	struct json schema;
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_key(o, "toolSpec");
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	if (tool->description.n > 0) /* an empty one is refused */
		json_pair_str(o, "description", tool->description);
	json_key(o, "inputSchema");
	json_open(o, '{');
	json_key(o, "json");
	tools_put_schema(o, schema);
	err = scribe_extra_below(s, &tool->extra, path, IN_SCHEMA, KNOWN_IN_SCHEMA);
	json_close(o, '}');
	if (!err && tool->strict.is_set && s->target->quirks.has_strict_tools)
		json_pair_bool(o, "strict", tool->strict.v);
	else if (!err && tool->strict.is_set && tool->strict.v)
		err = scribe_drop(s, path, "%.*s does not hold tools to their schema",
			SPAN_ARG(s->target->model));
	if (!err)
		err = scribe_extra_below(s, &tool->extra, path, IN_SPEC, KNOWN_IN_SPEC);
	json_close(o, '}');
	return err;
}

static enum err put_tool(
	struct scribe *s, const struct tool *tool, size_t i, struct cache_marks *marks)
{
	char path[PATH_BYTES];
	enum err err = OK;
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	if (tool->type == TOOL_PROVIDER) {
		tools_put_hosted(s, tool);
	} else {
		json_open(&s->o, '{');
		err = put_spec(s, tool, path);
		if (!err)
			err = scribe_extra(s, &tool->extra, path, KNOWN_IN_TOOL);
		json_close(&s->o, '}');
	}
	return err ? err : bedrock_put_cache(s, tool->cache, &tool->extra, path, marks);
}

/* A tool of which nothing but its name, a description of ours and a schema is known. */
static void put_plain(
	struct scribe *s, struct span name, struct span description, struct json schema)
{
	struct json_out *o = &s->o;
	json_open(o, '{');
	json_key(o, "toolSpec");
	json_open(o, '{');
	json_pair_str(o, "name", name);
	json_pair_str(o, "description", description);
	json_key(o, "inputSchema");
	json_open(o, '{');
	json_key(o, "json");
	tools_put_schema(o, schema);
	json_close(o, '}');
	json_close(o, '}');
	json_close(o, '}');
}

static enum err put_list(struct scribe *s, const struct bedrock_tools *t, struct cache_marks *marks)
{
	/* the provider cannot be told which are allowed, so only those go out, and what must */
	const bool has_all = s->r->tool_choice.mode == CHOICE_NAMED;
	enum err err = OK;
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		if (t->has_own && (has_all || tools_is_allowed(s->r, &s->r->tools[i]) ||
					  (t->n_recalled > 0 && t->is_recalled[i])))
			err = put_tool(s, &s->r->tools[i], i, marks);
		else
			marks->seen += span_is_set(s->r->tools[i].cache);
	}
	for (size_t i = 0; i < t->n_stubs; i++)
		put_plain(s, t->stubs[i], SPAN_NONE, JSON_NONE);
	if (t->has_json_tool)
		put_plain(s, SPAN(EMULATED_TOOL), SPAN(EMULATED_TOOL_DESCRIPTION),
			emulate_schema(s->r));
	json_close(&s->o, ']');
	return err;
}

static void put_choice(struct scribe *s, const struct bedrock_tools *t)
{
	const struct tool_choice *c = &s->r->tool_choice;
	struct json_out *o = &s->o;
	struct span name = SPAN_NONE;
	if (t->has_json_tool && (s->r->n_tools == 0 || c->mode == CHOICE_NONE))
		name = SPAN(EMULATED_TOOL);
	else if (c->mode == CHOICE_NAMED || is_sole(s, t))
		name = notes_tool_theirs(s->notes, c->names[0]);
	else if (c->mode != CHOICE_REQUIRED && !t->has_json_tool)
		return;
	json_key(o, "toolChoice");
	json_open(o, '{');
	json_key(o, span_is_set(name) ? "tool" : "any");
	json_open(o, '{');
	json_pair_str(o, "name", name);
	json_close(o, '}');
	json_close(o, '}');
}

enum err bedrock_put_tools(
	struct scribe *s, const struct bedrock_tools *t, struct cache_marks *marks)
{
	if (!t->has_own && t->n_stubs == 0 && !t->has_json_tool) {
		for (size_t i = 0; i < s->r->n_tools; i++)
			marks->seen += span_is_set(s->r->tools[i].cache);
		return scribe_drop_below(s, &s->r->extra, "", IN_CONFIG);
	}
	json_key(&s->o, "toolConfig");
	json_open(&s->o, '{');
	enum err err = put_list(s, t, marks);
	put_choice(s, t);
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", IN_CONFIG, KNOWN_IN_CONFIG);
	json_close(&s->o, '}');
	return err;
}
