/* history.c - one pass over the messages; each assistant's message looks ahead for its results. */
#include "brokerd/dialect/history.h"

#include <stdio.h>

struct plan {
	const struct llm_request *r;
	struct history_rules rules;
	struct notes *notes;
	struct history *out;
	struct fault *why;
	bool *is_told; /* for each message */
};

static enum err bad_result(const struct plan *p, size_t at, const char *what)
{
	char path[64];
	(void)snprintf(path, sizeof path, "messages[%zu].tool_call_id", at);
	const struct span id = p->r->messages[at].tool_call_id;
	return fault_param(p->why, ERR_INVALID_REQUEST, path,
		"%s: the result's tool_call_id is \"%.*s\"", what, SPAN_ARG(span_first(id, 100)));
}

static void add(const struct plan *p, struct turn turn)
{
	p->out->turns[p->out->n++] = turn;
}

static struct span id_of(const struct part *part)
{
	return span_is_set(part->call.id) ? part->call.id : SPAN("");
}

/* The result of a call of message `at`: the first of its id that is not told yet, before the
 * assistant's next turn. r->n_messages: there is none. */
static size_t find_result(const struct plan *p, size_t at, struct span id)
{
	bool is_behind = false;
	for (size_t i = at + 1; i < p->r->n_messages; i++) {
		const struct message *m = &p->r->messages[i];
		if (m->role == ROLE_ASSISTANT) {
			if (is_behind)
				break;
			continue;
		}
		is_behind = true;
		if (m->role == ROLE_TOOL && !p->is_told[i] && span_eq(m->tool_call_id, id))
			return i;
	}
	return p->r->n_messages;
}

/* The id that the `k`th call of a message goes out with: its own, or one made of it where an
 * earlier call of the message has it too. */
static enum err call_id(
	const struct plan *p, const struct message *m, size_t at, size_t k, struct span *out)
{
	char made[160], path[64];
	size_t before = 0;
	const struct span id = id_of(&m->parts[k]);
	for (size_t i = 0; i < k; i++)
		before += m->parts[i].type == PART_TOOL_CALL && span_eq(id_of(&m->parts[i]), id);
	*out = id;
	if (before == 0 && id.n > 0)
		return OK;
	(void)snprintf(path, sizeof path, "messages[%zu].content[%zu].id", at, k);
	if (id.n == 0)
		(void)snprintf(made, sizeof made, "call_%zu_%zu", at, k);
	else
		(void)snprintf(
			made, sizeof made, "%.*s_%zu", SPAN_ARG(span_first(id, 120)), before + 1);
	enum err err = arena_dup(p->notes->arena, span_str(made), out);
	if (!err)
		err = notes_warn(p->notes, "renamed", path,
			"a tool call's id was %s: it goes out as \"%s\"",
			id.n == 0 ? "missing" : "there twice in one message", made);
	return err;
}

/* A result that is told before what the user said first. Others of its turn's results are no words. */
static enum err warn_moved(const struct plan *p, size_t at, size_t found)
{
	char path[64];
	bool is_moved = false;
	for (size_t i = at + 1; i < found; i++)
		is_moved = is_moved || (p->r->messages[i].role != ROLE_TOOL &&
					       p->r->messages[i].role != ROLE_ASSISTANT);
	if (!is_moved)
		return OK;
	(void)snprintf(path, sizeof path, "messages[%zu]", found);
	return notes_unsupported(p->notes, p->r, "rewritten_message", path, p->why,
		"the result went out right behind its call, before what was said in between");
}

static enum err add_calls(const struct plan *p, size_t at)
{
	const struct message *m = &p->r->messages[at];
	struct span *ids = arena_array(p->notes->arena, m->n_parts, sizeof *ids);
	size_t n = 0;
	enum err err = OK;
	if (!ids)
		return ERR_NO_MEMORY;
	add(p, (struct turn){.m = m, .at = at, .call_ids = ids});
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		if (m->parts[k].type == PART_TOOL_CALL)
			err = call_id(p, m, at, k, &ids[n++]);
	}
	for (size_t k = 0, i = 0; !err && k < m->n_parts; k++) {
		char path[64];
		if (m->parts[k].type != PART_TOOL_CALL)
			continue;
		const size_t found = find_result(p, at, id_of(&m->parts[k]));
		struct turn turn = {.at = at, .call = &m->parts[k].call, .id = ids[i++]};
		if (found < p->r->n_messages) {
			turn.m = &p->r->messages[found];
			turn.at = found;
			p->is_told[found] = true;
			err = warn_moved(p, at, found);
		} else {
			(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", at, k);
			err = notes_unsupported(p->notes, p->r, "rewritten_message", path, p->why,
				"the call of \"%.*s\" has no result: one was added that says so",
				SPAN_ARG(span_first(m->parts[k].call.name, 100)));
		}
		add(p, turn);
	}
	return err;
}

/* A result that no call before it took. */
static enum err add_stray(const struct plan *p, size_t at)
{
	const struct message *m = &p->r->messages[at];
	for (size_t i = at; i-- > 0;) {
		const struct message *before = &p->r->messages[i];
		for (size_t k = 0; before->role == ROLE_ASSISTANT && k < before->n_parts; k++) {
			if (before->parts[k].type != PART_TOOL_CALL ||
				!span_eq(id_of(&before->parts[k]), m->tool_call_id))
				continue;
			for (size_t j = i + 1; j < at; j++) {
				if (p->r->messages[j].role == ROLE_TOOL &&
					span_eq(p->r->messages[j].tool_call_id, m->tool_call_id))
					return bad_result(p, at, "a tool call has two results");
			}
			if (p->rules.is_strict)
				return bad_result(p, at,
					"a tool call's result must come before the assistant's "
					"next "
					"message");
			add(p, (struct turn){.m = m, .at = at, .id = m->tool_call_id});
			return OK;
		}
	}
	if (p->rules.has_earlier_turns) {
		add(p, (struct turn){.m = m, .at = at, .id = m->tool_call_id});
		return OK;
	}
	return bad_result(p, at, "a result answers no tool call before it");
}

enum err history_plan(const struct llm_request *r, struct history_rules rules, struct notes *notes,
	struct history *out, struct fault *why)
{
	struct plan p = {r, rules, notes, out, why, NULL};
	size_t most = r->n_messages;
	enum err err = OK;
	*out = (struct history){.n = 0};
	for (size_t i = 0; i < r->n_messages; i++)
		most += r->messages[i].role == ROLE_ASSISTANT ? r->messages[i].n_parts : 0;
	out->turns = arena_array(notes->arena, most, sizeof *out->turns);
	p.is_told = arena_array(notes->arena, r->n_messages, sizeof *p.is_told);
	if (!out->turns || !p.is_told)
		return ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		if (m->role == ROLE_ASSISTANT)
			err = add_calls(&p, i);
		else if (m->role == ROLE_TOOL && !p.is_told[i])
			err = add_stray(&p, i);
		else if (m->role != ROLE_TOOL)
			add(&p, (struct turn){.m = m, .at = i});
	}
	return err;
}

bool history_has_prefill(const struct history *h)
{
	const struct turn *t = h->n > 0 ? &h->turns[h->n - 1] : NULL;
	bool has_text = false;
	if (!t || !t->m || t->m->role != ROLE_ASSISTANT)
		return false;
	for (size_t k = 0; k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		if (p->type == PART_TOOL_CALL)
			return false;
		has_text = has_text || (p->type == PART_TEXT && p->text.n > 0);
	}
	return has_text;
}
