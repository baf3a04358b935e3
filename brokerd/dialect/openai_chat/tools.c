/* tools.c - tools and which of them is to be called, as this family writes them. */
#include <stdio.h>

#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/tools.h"

#define EMPTY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TOOL     " type function custom cache_control function. custom. "
#define KNOWN_IN_FUNCTION " name description parameters strict "
#define KNOWN_IN_CUSTOM   " name description format "

static enum err put_strict(
	struct scribe *s, const struct tool *tool, const char *path, struct json schema)
{
	if (!tool->strict.is_set)
		return OK;
	if (s->target->quirks.has_strict_tools)
		json_pair_bool(&s->o, "strict", tool->strict.v);
	else if (tool->strict.v)
		return scribe_drop(s, path, "%.*s does not hold tools to their schema",
			SPAN_ARG(s->target->provider));
	return tools_check_function(s, tool, schema, path);
}

static enum err put_function(struct scribe *s, const struct tool *tool, const char *path)
{
	struct json_out *o = &s->o;
	struct json schema;
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_key(o, "function");
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	json_pair_str(o, "description", tool->description);
	json_key(o, "parameters");
	if (json_is_nil(schema))
		json_put_raw(o, SPAN(EMPTY_SCHEMA));
	else
		err = tools_put_host_schema(s, schema, path);
	if (!err)
		err = put_strict(s, tool, path, schema);
	if (!err)
		err = scribe_extra_below(s, &tool->extra, path, "function.", KNOWN_IN_FUNCTION);
	json_close(o, '}');
	return err;
}

static enum err put_tool(struct scribe *s, const struct tool *tool, size_t i)
{
	struct json_out *o = &s->o;
	char path[64];
	enum err err = OK;
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	if (tool->type == TOOL_PROVIDER) {
		tools_put_hosted(s, tool);
		return OK;
	}
	json_open(o, '{');
	json_pair_str(o, "type", tool->type == TOOL_CUSTOM ? SPAN("custom") : SPAN("function"));
	if (tool->type == TOOL_FUNCTION) {
		err = put_function(s, tool, path);
	} else {
		json_key(o, "custom");
		json_open(o, '{');
		json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
		json_pair_str(o, "description", tool->description);
		json_pair_raw(o, "format", tool->format);
		err = scribe_extra_below(s, &tool->extra, path, "custom.", KNOWN_IN_CUSTOM);
		json_close(o, '}');
	}
	if (!err)
		err = scribe_extra(s, &tool->extra, path, KNOWN_IN_TOOL);
	if (!err && span_is_set(tool->cache))
		err = openai_chat_put_cache(s, tool->cache, path);
	json_close(o, '}');
	return err;
}

static void put_chosen(struct scribe *s, struct span name)
{
	bool is_custom = false;
	for (size_t i = 0; i < s->r->n_tools; i++)
		is_custom = is_custom || (span_eq(s->r->tools[i].name, name) &&
						 s->r->tools[i].type == TOOL_CUSTOM);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", is_custom ? SPAN("custom") : SPAN("function"));
	json_key(&s->o, is_custom ? "custom" : "function");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, name));
	json_close(&s->o, '}');
	json_close(&s->o, '}');
}

/* The one tool that may be called; NULL: there are several. */
static const struct tool *only_tool(const struct llm_request *r)
{
	const struct tool *only = NULL;
	for (size_t i = 0; i < r->n_tools; i++) {
		if (!tools_is_allowed(r, &r->tools[i]))
			continue;
		if (only || r->tools[i].type == TOOL_PROVIDER)
			return NULL;
		only = &r->tools[i];
	}
	return only;
}

/* Can the target be made to call? Where it can only be told a name, one tool alone is named; *only says
 * which. */
static enum err check_forcing(
	struct scribe *s, const struct reason *reason, const struct tool **only)
{
	const struct quirks *q = &s->target->quirks;
	const enum tool_choice_mode mode = s->r->tool_choice.mode;
	const bool is_never = q->forcing == FORCING_NEVER || !q->has_tool_choice;
	*only = NULL;
	if (mode != CHOICE_REQUIRED && mode != CHOICE_NAMED)
		return OK;
	if (is_never || (q->forcing == FORCING_UNLESS_REASONING && reason->is_on))
		return scribe_refuse(s, "tool_choice", "%.*s cannot be made to call a tool%s",
			SPAN_ARG(s->target->model), is_never ? "" : " while it reasons");
	if (q->forcing != FORCING_NAMED || mode == CHOICE_NAMED)
		return OK;
	*only = only_tool(s->r);
	return *only ? OK
		     : scribe_refuse(s, "tool_choice",
			       "%.*s can be made to call one tool by its name, not any of several",
			       SPAN_ARG(s->target->model));
}

static void put_tool_choice(struct scribe *s, const struct tool *only)
{
	const struct tool_choice *c = &s->r->tool_choice;
	struct json_out *o = &s->o;
	const struct span mode = c->mode == CHOICE_REQUIRED ? SPAN("required") : SPAN("auto");
	if (!s->target->quirks.has_tool_choice)
		return;
	if (c->mode == CHOICE_NONE) {
		json_pair_str(o, "tool_choice", SPAN("none"));
	} else if (only) {
		json_key(o, "tool_choice");
		put_chosen(s, only->name);
	} else if (c->mode == CHOICE_NAMED) {
		json_key(o, "tool_choice");
		put_chosen(s, c->names[0]);
	} else if (c->n_names > 0 && s->target->quirks.is_openai) {
		json_key(o, "tool_choice");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("allowed_tools"));
		json_key(o, "allowed_tools");
		json_open(o, '{');
		json_pair_str(o, "mode", mode);
		json_key(o, "tools");
		json_open(o, '[');
		for (size_t i = 0; i < c->n_names; i++)
			put_chosen(s, c->names[i]);
		json_close(o, ']');
		json_close(o, '}');
		json_close(o, '}');
	} else if (c->mode == CHOICE_REQUIRED) {
		json_pair_str(o, "tool_choice", mode);
	}
}

/* Whether any tool goes out at all: they may be no use, or be known to be. */
static enum err check_tools(struct scribe *s, bool *goes)
{
	const struct quirks *q = &s->target->quirks;
	const bool is_none = s->r->tool_choice.mode == CHOICE_NONE;
	*goes = s->r->n_tools > 0 && !(is_none && (!q->has_tools || !q->has_tool_choice));
	if (s->r->n_tools == 0)
		return OK;
	if (!*goes)
		return scribe_change(s, "emulated", "tool_choice",
			"the tools were left out, for %.*s is not to call any and takes no "
			"tool_choice",
			SPAN_ARG(s->target->model));
	if (!q->has_tools)
		return scribe_refuse(s, "tools", "%.*s at %.*s takes no tools",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	if (q->tools_max > 0 && s->r->n_tools > (size_t)q->tools_max)
		return scribe_refuse(s, "tools", "%.*s takes at most %lld tools",
			SPAN_ARG(s->target->provider), (long long)q->tools_max);
	return OK;
}

enum err openai_chat_put_tools(struct scribe *s, const struct reason *reason)
{
	/* where the target cannot be told which are allowed, only those go out */
	const bool has_all = s->target->quirks.is_openai || s->r->tool_choice.mode == CHOICE_NAMED;
	const struct tool *only = NULL;
	bool goes;
	enum err err = check_tools(s, &goes);
	if (!err && goes)
		err = check_forcing(s, reason, &only);
	if (err || !goes)
		return err;
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		if (has_all || tools_is_allowed(s->r, &s->r->tools[i]))
			err = put_tool(s, &s->r->tools[i], i);
	}
	json_close(&s->o, ']');
	put_tool_choice(s, only);
	if (s->target->quirks.has_tool_stream && s->notes->is_reply_streamed)
		json_pair_bool(&s->o, "tool_stream", true);
	if (err || !s->r->parallel_tool_calls.is_set)
		return err;
	if (s->target->quirks.has_parallel_flag)
		json_pair_bool(&s->o, "parallel_tool_calls", s->r->parallel_tool_calls.v);
	else if (!s->r->parallel_tool_calls.v)
		return scribe_drop(s, "parallel_tool_calls",
			"%.*s cannot be kept from calling several tools at once",
			SPAN_ARG(s->target->provider));
	return OK;
}
