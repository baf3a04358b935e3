/* foreign.c - one pass over the assistant's turns. */
#include "brokerd/dialect/foreign.h"

#include <stdio.h>

#include "brokerd/dialect/scribe.h"

/* The item's own word for what it is; absent where it has none. */
static struct json type_of(const struct part *p)
{
	struct json v;
	if (json_scan(p->opaque.data, JSON_STRICT, &v, NULL) || json_kind(v) != JSON_OBJECT)
		return JSON_NONE;
	const struct json type = json_member(v, "type");
	return json_kind(type) == JSON_STRING ? type : JSON_NONE;
}

static bool is_among(struct json type, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (json_is(type, words[i]))
			return true;
	}
	return false;
}

static bool is_foreign(const struct part *p, const struct target *target)
{
	static const char *const thoughts[] = {"thinking", "redacted_thinking", "reasoning"};
	if (p->type != PART_OPAQUE || span_eq(p->opaque.family, target->family))
		return false;
	const struct json type = type_of(p);
	return span_is_set(type.text) && !is_among(type, thoughts, COUNT_OF(thoughts));
}

static enum err leave_out(struct scribe *s, const struct part *p, size_t at, size_t k)
{
	/* what they stand for may be a user's words, a tool's result, or all that was said */
	static const char *const words[] = {
		"item_reference", "compaction", "mcp_approval_response"};
	char path[64];
	const struct json type = type_of(p);
	const struct span word = span_of(type.text.p + 1, type.text.n - 2);
	(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", at, k);
	if (is_among(type, words, COUNT_OF(words)))
		return scribe_refuse(s, path,
			"%.*s cannot know what the item \"%.*s\" stands for: %.*s alone does",
			SPAN_ARG(s->target->provider), SPAN_ARG(span_first(word, 64)),
			SPAN_ARG(span_first(p->opaque.family, 64)));
	return scribe_drop(s, path, "%.*s does not know the item \"%.*s\", which is %.*s's own",
		SPAN_ARG(s->target->provider), SPAN_ARG(span_first(word, 64)),
		SPAN_ARG(span_first(p->opaque.family, 64)));
}

/* The turn with the parts that others know, in memory of its own. */
static enum err take_known(struct scribe *s, const struct message *m, size_t at, struct message *to)
{
	*to = *m;
	to->n_parts = 0;
	to->parts = arena_array(s->notes->arena, m->n_parts, sizeof *to->parts);
	if (!to->parts)
		return fault_set(s->why, ERR_NO_MEMORY, "no memory for the provider's request");
	for (size_t k = 0; k < m->n_parts; k++) {
		if (!is_foreign(&m->parts[k], s->target)) {
			to->parts[to->n_parts++] = m->parts[k];
			continue;
		}
		const enum err err = leave_out(s, &m->parts[k], at, k);
		if (err)
			return err;
	}
	return OK;
}

static bool has_foreign(const struct message *m, const struct target *target)
{
	for (size_t k = 0; m->role == ROLE_ASSISTANT && k < m->n_parts; k++) {
		if (is_foreign(&m->parts[k], target))
			return true;
	}
	return false;
}

enum err foreign_leave_out(
	struct llm_request *r, const struct target *target, struct notes *notes, struct fault *why)
{
	struct scribe s = {.r = r, .target = target, .notes = notes, .why = why};
	struct message *known = NULL;
	size_t n = 0;
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		const bool is_mixed = has_foreign(m, target);
		if (!known && !is_mixed)
			continue;
		if (!known) {
			known = arena_array(notes->arena, r->n_messages, sizeof *known);
			if (!known)
				return fault_set(
					why, ERR_NO_MEMORY, "no memory for the provider's request");
			memcpy(known, r->messages, i * sizeof *known);
			n = i;
		}
		if (!is_mixed) {
			known[n++] = *m;
			continue;
		}
		const enum err err = take_known(&s, m, i, &known[n]);
		if (err)
			return err;
		n += known[n].n_parts > 0;
	}
	if (known) {
		r->messages = known;
		r->n_messages = n;
	}
	return OK;
}
