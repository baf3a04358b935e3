/* namespaces.c - one pass over the tools, and one over the assistant's turns. */
#include "brokerd/dialect/openai_responses/namespaces.h"

#include <stdio.h>

#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

/* ---- which there are ---- */

/* The tool's JSON, where it is a namespace. */
static bool is_space(const struct tool *tool, struct json *v)
{
	return tool->type == TOOL_PROVIDER && span_is(tool->family, OPENAI_RESPONSES_FAMILY) &&
	       json_scan(tool->raw, JSON_STRICT, v, NULL) == OK &&
	       json_is(json_member(*v, "type"), "namespace");
}

/* How many tools the request has when all are unfolded. */
static size_t count(const struct llm_request *r, struct namespaces *out)
{
	size_t n = r->n_tools;
	struct json v;
	for (size_t i = 0; i < r->n_tools; i++) {
		if (!is_space(&r->tools[i], &v))
			continue;
		out->n_spaces++;
		n += intake_count(json_member(v, "tools"));
	}
	return n;
}

static enum err add_space(struct namespaces *to, size_t at, struct json v, struct arena *a)
{
	struct span space;
	enum err err = json_text(json_member(v, "name"), a, &space);
	for (struct json_walk w = json_each(json_member(v, "tools")); !err && json_next(&w);) {
		struct namespaced *f = &to->list[to->n++];
		*f = (struct namespaced){.space = space, .tool = w.value, .at = at};
		err = json_text(json_member(w.value, "name"), a, &f->name);
	}
	return err;
}

static bool is_alone(const struct namespaces *s, size_t i, const struct llm_request *r)
{
	const struct span name = s->list[i].name;
	for (size_t k = 0; k < r->n_tools; k++) {
		if (r->tools[k].type != TOOL_PROVIDER && span_eq(r->tools[k].name, name))
			return false;
	}
	for (size_t k = 0; k < s->n; k++) {
		if (k != i && span_eq(s->list[k].name, name))
			return false;
	}
	return true;
}

static enum err name_all(struct namespaces *s, const struct llm_request *r, struct arena *a)
{
	OWNED(buf_done) struct buf both = BUF_INIT(LIMIT_BODY_BYTES);
	for (size_t i = 0; i < s->n; i++) {
		struct namespaced *f = &s->list[i];
		f->called = f->name;
		if (is_alone(s, i, r))
			continue;
		buf_clear(&both);
		buf_span(&both, f->space);
		buf_text(&both, "__");
		buf_span(&both, f->name);
		if (buf_error(&both) || arena_dup(a, buf_view(&both), &f->called))
			return ERR_NO_MEMORY;
	}
	return OK;
}

enum err namespaces_read(const struct llm_request *r, struct arena *a, struct namespaces *out)
{
	struct json v;
	*out = (struct namespaces){.n = 0};
	const size_t n = count(r, out);
	if (out->n_spaces == 0)
		return OK;
	if (n > LIMIT_TOOLS)
		return ERR_TOO_BIG;
	out->list = arena_array(a, n, sizeof *out->list);
	enum err err = out->list ? OK : ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < r->n_tools; i++) {
		if (is_space(&r->tools[i], &v))
			err = add_space(out, i, v, a);
	}
	return err ? err : name_all(out, r, a);
}

const struct namespaced *namespaces_find(const struct namespaces *s, struct span called)
{
	for (size_t i = 0; i < s->n; i++) {
		if (span_eq(s->list[i].called, called))
			return &s->list[i];
	}
	return NULL;
}

/* ---- tools ---- */

static enum err unfold_space(
	struct scribe *s, const struct namespaces *spaces, size_t at, struct llm_request *to)
{
	struct intake in = {s->notes->arena, s->notes, s->why, SPAN(OPENAI_RESPONSES_FAMILY)};
	const struct at root = {.up = NULL}, tools = at_member(&root, SPAN("tools")),
			space = at_index(&tools, at), inner = at_member(&space, SPAN("tools"));
	char path[64];
	size_t k = 0;
	(void)snprintf(path, sizeof path, "tools[%zu]", at);
	enum err err = scribe_change(s, "emulated", path,
		"%.*s knows no namespaces: the functions went out one by one",
		SPAN_ARG(s->target->provider));
	for (size_t i = 0; !err && i < spaces->n; i++) {
		if (spaces->list[i].at != at)
			continue;
		struct tool *tool = &to->tools[to->n_tools];
		s->notes->tool_places[to->n_tools++] = at;
		const struct at here = at_index(&inner, k++);
		err = responses_take_tool(&in, &here, spaces->list[i].tool, tool);
		if (tool->type != TOOL_PROVIDER)
			tool->name = spaces->list[i].called;
	}
	return err;
}

static enum err unfold_tools(
	struct scribe *s, const struct namespaces *spaces, struct llm_request *to)
{
	const struct llm_request *r = s->r;
	struct json v;
	enum err err = OK;
	const size_t most = r->n_tools + spaces->n;
	to->n_tools = 0;
	to->tools = arena_array(s->notes->arena, most, sizeof *to->tools);
	s->notes->tool_places = arena_array(s->notes->arena, most, sizeof *s->notes->tool_places);
	if (!to->tools || !s->notes->tool_places)
		return fault_set(s->why, ERR_NO_MEMORY, "no memory for the tools");
	for (size_t i = 0; !err && i < r->n_tools; i++) {
		if (is_space(&r->tools[i], &v)) {
			err = unfold_space(s, spaces, i, to);
			continue;
		}
		s->notes->tool_places[to->n_tools] = i;
		to->tools[to->n_tools++] = r->tools[i];
	}
	return err;
}

/* ---- calls ---- */

/* The namespace that a call says: it came with the caller's item, or with the provider's. */
static struct json space_of(const struct part *p)
{
	struct json v;
	for (size_t i = 0; i < p->extra.n; i++) {
		if (span_is(p->extra.family, OPENAI_RESPONSES_FAMILY) &&
			span_is(p->extra.members[i].name, "namespace"))
			return json_of(p->extra.members[i].json);
	}
	if (span_is(p->opaque.family, OPENAI_RESPONSES_FAMILY) &&
		json_scan(p->opaque.data, JSON_STRICT, &v, NULL) == OK)
		return json_member(v, "namespace");
	return JSON_NONE;
}

/* What is called; NULL: no function of a namespace that has another name now. */
static enum err renamed(const struct namespaces *spaces, const struct part *p, struct arena *a,
	const struct namespaced **out)
{
	struct span space;
	*out = NULL;
	if (p->type != PART_TOOL_CALL)
		return OK;
	const enum err err = json_text(space_of(p), a, &space);
	for (size_t i = 0; !err && span_is_set(space) && i < spaces->n; i++) {
		const struct namespaced *f = &spaces->list[i];
		if (span_eq(f->space, space) && span_eq(f->name, p->call.name) &&
			!span_eq(f->name, f->called))
			*out = f;
	}
	return err;
}

/* The turn, in memory of its own where a call is renamed. */
static enum err rename_calls(const struct namespaces *spaces, struct arena *a, struct message *m)
{
	struct part *own = NULL;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct namespaced *f;
		const enum err err = renamed(spaces, &m->parts[k], a, &f);
		if (err)
			return err;
		if (!f)
			continue;
		if (!own) {
			own = arena_array(a, m->n_parts, sizeof *own);
			if (!own)
				return ERR_NO_MEMORY;
			memcpy(own, m->parts, m->n_parts * sizeof *own);
			m->parts = own;
		}
		own[k].call.name = f->called;
	}
	return OK;
}

static enum err rename_all(const struct namespaces *spaces, struct arena *a, struct llm_request *r)
{
	struct message *list = arena_array(a, r->n_messages, sizeof *list);
	enum err err = list ? OK : ERR_NO_MEMORY;
	if (!err && r->n_messages > 0)
		memcpy(list, r->messages, r->n_messages * sizeof *list);
	for (size_t i = 0; !err && i < r->n_messages; i++) {
		if (list[i].role == ROLE_ASSISTANT)
			err = rename_calls(spaces, a, &list[i]);
	}
	r->messages = list;
	return err;
}

enum err namespaces_unfold(
	struct llm_request *r, const struct target *target, struct notes *notes, struct fault *why)
{
	const struct llm_request asked = *r;
	struct scribe s = {.r = &asked, .target = target, .notes = notes, .why = why};
	struct namespaces spaces;
	if (span_is(target->family, OPENAI_RESPONSES_FAMILY))
		return OK;
	enum err err = namespaces_read(r, notes->arena, &spaces);
	if (err == ERR_TOO_BIG)
		return scribe_refuse(&s, "tools", "at most %zu tools can be sent", LIMIT_TOOLS);
	if (!err && spaces.n_spaces == 0)
		return OK;
	if (!err)
		err = rename_all(&spaces, notes->arena, r);
	if (err)
		return fault_set(why, err, "no memory for the functions of namespaces");
	return unfold_tools(&s, &spaces, r);
}
