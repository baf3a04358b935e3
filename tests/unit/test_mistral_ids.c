/* test_mistral_ids.c - nine letters or digits for every id, the same for call and result, and never
 * the same for two. */
#include "brokerd/dialect/mistral/ids.h"

#include <stdio.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

enum { CALLS = 2000 };

static struct part parts[CALLS];
static char names[CALLS][24];

/* A history of one assistant's message with calls of these ids, and a result for each. */
static void plan(struct arena *a, struct notes *notes, struct mistral_ids *out)
{
	static struct message messages[CALLS + 1];
	static struct history h;
	struct fault why = FAULT_NONE;
	messages[0] = (struct message){.role = ROLE_ASSISTANT, .parts = parts, .n_parts = CALLS};
	for (size_t i = 0; i < CALLS; i++) {
		parts[i] =
			(struct part){.type = PART_TOOL_CALL, .call = {.id = span_str(names[i])}};
		messages[i + 1] =
			(struct message){.role = ROLE_TOOL, .tool_call_id = span_str(names[i])};
	}
	const struct llm_request r = {.messages = messages, .n_messages = CALLS + 1};
	arena_init(a, LIMIT_REQUEST_ARENA);
	notes_init(notes, a);
	if (history_plan(&r, (struct history_rules){.is_strict = true}, notes, &h, &why) ||
		mistral_ids_plan(&h, notes, out))
		bail("no plan: %s", why.message);
}

static bool is_legal(struct span id)
{
	for (size_t i = 0; i < id.n; i++) {
		if (!strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
			    id.p[i]))
			return false;
	}
	return id.n == 9;
}

static void check(const struct mistral_ids *ids, const char *what)
{
	size_t bad = 0, twice = 0;
	for (size_t i = 0; i < CALLS; i++) {
		const struct span id = mistral_id(ids, span_str(names[i]));
		bad += !is_legal(id);
		for (size_t k = 0; k < i; k++)
			twice += span_eq(id, mistral_id(ids, span_str(names[k])));
	}
	is_uint(bad, (size_t)0, "%s: all have nine letters or digits", what);
	is_uint(twice, (size_t)0, "%s: no two are one", what);
}

int main(void)
{
	OWNED(arena_done) struct arena a, b;
	struct notes notes;
	struct mistral_ids first, again;
	for (size_t i = 0; i < CALLS; i++)
		(void)snprintf(names[i], sizeof names[i], "call_%zu", i);
	plan(&a, &notes, &first);
	check(&first, "foreign ids");
	is_uint(notes.n_ids, (size_t)CALLS, "all are noted");

	/* one call has for its own what another would get */
	const struct span taken = mistral_id(&first, SPAN("call_7"));
	(void)snprintf(names[8], sizeof names[8], "%.*s", SPAN_ARG(taken));
	plan(&b, &notes, &again);
	check(&again, "one that is taken");
	ok(span_eq(mistral_id(&again, taken), taken), "what fits stays as it is");
	ok(!span_eq(mistral_id(&again, SPAN("call_7")), taken),
		"and the other goes out of its way");
	ok(span_eq(mistral_id(&again, SPAN("call_9")), mistral_id(&first, SPAN("call_9"))),
		"the rest are what they were");
	ok(!span_is_set(mistral_id(&again, SPAN("stranger"))), "of a stranger nothing is known");
	return tap_done();
}
