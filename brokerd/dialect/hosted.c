/* hosted.c - the tools, and then the choice among them. */
#include "brokerd/dialect/hosted.h"

#include <stdio.h>

#include "brokerd/dialect/scribe.h"

#define WORD_BYTES ((size_t)64)

static bool is_foreign(const struct tool *tool, const struct target *target)
{
	return tool->type == TOOL_PROVIDER && !span_eq(tool->family, target->family);
}

static bool has_foreign(const struct llm_request *r, const struct target *target)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (is_foreign(&r->tools[i], target))
			return true;
	}
	return false;
}

/* Its own word for what it is: its type, else the member that it is all about. */
static struct span word_of(const struct tool *tool)
{
	struct json v;
	if (json_scan(tool->raw, JSON_LENIENT, &v, NULL) || json_kind(v) != JSON_OBJECT)
		return SPAN("");
	const struct json type = json_member(v, "type");
	struct json_walk w = json_each(v);
	if (json_kind(type) == JSON_STRING)
		return span_first(span_of(type.text.p + 1, type.text.n - 2), WORD_BYTES);
	return json_next(&w) ? span_first(w.name, WORD_BYTES) : SPAN("");
}

static enum err leave_out(struct scribe *s, const struct tool *tool, size_t i)
{
	char path[64];
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	return scribe_drop(s, path, "the tool \"%.*s\" is served by hosts of %.*s, not by %.*s",
		SPAN_ARG(word_of(tool)), SPAN_ARG(span_first(tool->family, WORD_BYTES)),
		SPAN_ARG(s->target->provider));
}

/* ---- the choice ---- */

static enum err refuse_choice(struct scribe *s, struct span name)
{
	if (name.n == 0)
		return scribe_refuse(s, "tool_choice",
			"a tool is to be called, and %.*s serves none of those there are",
			SPAN_ARG(s->target->provider));
	return scribe_refuse(s, "tool_choice",
		"the tool \"%.*s\" is to be called, which %.*s does not serve",
		SPAN_ARG(span_first(name, WORD_BYTES)), SPAN_ARG(s->target->provider));
}

/* A choice that is kept as its family wrote it is about such a tool: there was no other way to say it. */
static bool is_chosen_unread(const struct llm_request *r, const struct target *target)
{
	for (size_t i = 0; i < r->extra.n; i++) {
		if (span_is(r->extra.members[i].name, "tool_choice"))
			return !span_eq(r->extra.family, target->family);
	}
	return false;
}

static bool is_gone(const struct llm_request *r, const struct target *target, struct span name)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (span_eq(r->tools[i].name, name))
			return is_foreign(&r->tools[i], target);
	}
	return false; /* of what is no tool at all, others tell */
}

/* The names in `c`, in memory of its own, without those of tools that are gone. */
static enum err choose(struct scribe *s, const struct llm_request *asked, struct tool_choice *c)
{
	struct span *left = arena_array(s->notes->arena, c->n_names, sizeof *left);
	size_t n = 0;
	if (!left)
		return fault_set(s->why, ERR_NO_MEMORY, "no memory for the tools");
	for (size_t i = 0; i < c->n_names; i++) {
		if (!is_gone(asked, s->target, c->names[i]))
			left[n++] = c->names[i];
		else if (c->mode == CHOICE_NAMED)
			return refuse_choice(s, c->names[i]);
	}
	if (n == 0 && c->n_names > 0) { /* none would mean all */
		if (c->mode == CHOICE_REQUIRED)
			return refuse_choice(s, c->names[0]);
		c->mode = CHOICE_NONE;
	}
	c->names = left;
	c->n_names = n;
	return OK;
}

enum err hosted_leave_out(
	struct llm_request *r, const struct target *target, struct notes *notes, struct fault *why)
{
	const struct llm_request asked = *r;
	struct scribe s = {.r = &asked, .target = target, .notes = notes, .why = why};
	enum err err = OK;
	if (!has_foreign(r, target))
		return OK;
	if (is_chosen_unread(r, target))
		return scribe_refuse(&s, "tool_choice",
			"the tool choice is about a tool that %.*s does not serve",
			SPAN_ARG(target->provider));
	size_t *places = arena_array(notes->arena, r->n_tools, sizeof *places);
	r->tools = arena_array(notes->arena, r->n_tools, sizeof *r->tools);
	if (!r->tools || !places)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the tools");
	r->n_tools = 0;
	for (size_t i = 0; !err && i < asked.n_tools; i++) {
		if (is_foreign(&asked.tools[i], target)) {
			err = leave_out(&s, &asked.tools[i], i);
			continue;
		}
		places[r->n_tools] = scribe_tool_at(&s, i);
		r->tools[r->n_tools++] = asked.tools[i];
	}
	notes->tool_places = places;
	if (!err)
		err = choose(&s, &asked, &r->tool_choice);
	if (!err && r->n_tools == 0 && r->tool_choice.mode == CHOICE_REQUIRED)
		return refuse_choice(&s, SPAN(""));
	return err;
}
