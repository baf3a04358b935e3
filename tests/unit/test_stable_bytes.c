/* test_stable_bytes.c - does a conversation that goes on begin with the very bytes that it had before?
 *
 * Providers keep prompts by their beginnings. For each dialect of each built-in provider a conversation is written with one
 * answer more each time, with another seed and at another hour: each of its bodies has to begin as the one before it, to the end
 * of what that one said last; and the same conversation is the same bytes, whoever asks and when. */
#include <stdio.h>

#include "brokerd/config/builtin.h"
#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/host.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

#define TURNS    6
#define QUESTION "<question %u>"

/* An id that no family takes as it is, and one that some do; two calls at once, and a result that failed. */
static void put_answer(struct buf *json, unsigned i, bool has_tools)
{
	if (has_tools) {
		buf_print(json,
			",{'role':'assistant','content':[{'type':'text','text':'Let me see.'},"
			"{'type':'tool_call','id':'call %u:x','name':'look.up','arguments':"
			"'{\\'b\\':\\'%u\\',\\'a\\':\\'\\'}'},"
			"{'type':'tool_call','id':'c%u','name':'g','arguments':''}]}",
			i, i, i);
		buf_print(json,
			",{'role':'tool','tool_call_id':'call %u:x','content':'found'},"
			"{'role':'tool','tool_call_id':'c%u','content':'no','is_error':true}",
			i, i);
	}
	buf_print(json, ",{'role':'assistant','content':'answer %u'}", i);
}

/* So many answers, and a question more. */
static void put_conversation(struct buf *json, unsigned answers, bool has_tools)
{
	buf_text(json, "{'model':'m','temperature':0.5,'user':'u-1','stream':true,"
		       "'metadata':{'k':'v'},");
	if (has_tools)
		buf_text(json,
			"'tools':[{'name':'look.up','description':'d','parameters':"
			"'{\\'type\\':\\'object\\',\\'properties\\':{\\'b\\':{\\'type\\':"
			"\\'string\\'},\\'a\\':{\\'type\\':\\'string\\'}}}'},{'name':'g'}],");
	buf_text(json, "'messages':[{'role':'system','content':'Be brief.'}");
	for (unsigned i = 0; i <= answers; i++) {
		buf_print(json,
			",{'role':'user','content':[{'type':'text','text':'" QUESTION "'}]}", i);
		if (i < answers)
			put_answer(json, i, has_tools);
	}
	buf_text(json, "]}");
	buf_byte(json, '\0');
}

/* The body, as it goes out; empty: it cannot be said there. */
static void encode(const struct dialect *d, const struct target *t, unsigned turns,
	const struct dialect_env *env, struct buf *body)
{
	OWNED(buf_done) struct buf json = BUF_INIT(64 * KIB), packed = BUF_INIT(64 * KIB);
	OWNED(arena_done) struct arena arena;
	struct notes notes;
	struct llm_request r;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
	put_conversation(&json, turns, t->quirks.has_tools);
	packed_json(&packed, json.p);
	if (request_unpack(buf_view(&packed), &arena, &r, &why))
		bail("the conversation: %s", why.message);
	if (dialect_encode(d->ops[LLM_OP_CHAT], &r, t, env, &notes, &http, &why) == OK)
		buf_span(body, http.body);
}

static size_t common(struct span a, struct span b)
{
	size_t n = 0;
	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

/* Does the longer one begin as the shorter, to the end of its last question? */
static bool goes_on(struct span shorter, struct span longer, unsigned answers)
{
	char last[32];
	const int n = snprintf(last, sizeof last, QUESTION, answers);
	const size_t at = span_find(shorter, span_str(last));
	return at < shorter.n && common(shorter, longer) >= at + (size_t)n;
}

static void check(struct span provider, struct span family, struct span model)
{
	const struct host_wish wish = {.family = family, .provider = provider, .model = model};
	const struct dialect *d = dialect_find(family);
	OWNED(arena_done) struct arena arena;
	struct target target;
	struct fault why = FAULT_NONE;
	struct buf bodies[TURNS];
	size_t n_steady = 0, n_same = 0;
	arena_init(&arena, MIB);
	struct config *config = host_target(&wish, &arena, &target, &why);
	if (!config || !d)
		bail("%.*s as %.*s: %s", SPAN_ARG(provider), SPAN_ARG(family), why.message);
	for (unsigned i = 0; i < TURNS; i++) {
		const struct dialect_env now = {.wall_s = 1795305600 + i, .seed = 7 + i};
		const struct dialect_env later = {.wall_s = 1895305600 + i, .seed = 7777 + i};
		OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_BODY_BYTES);
		buf_init(&bodies[i], LIMIT_BODY_BYTES);
		encode(d, &target, i, &now, &bodies[i]);
		encode(d, &target, i, &later, &again);
		n_same += bodies[i].n > 0 && span_eq(buf_view(&bodies[i]), buf_view(&again));
		n_steady +=
			i == 0 || goes_on(buf_view(&bodies[i - 1]), buf_view(&bodies[i]), i - 1);
	}
	is_uint(n_same, TURNS, "%.*s of %.*s as %.*s: the same is the same bytes",
		SPAN_ARG(target.model), SPAN_ARG(target.provider), SPAN_ARG(family));
	is_uint(n_steady, TURNS, "%.*s of %.*s as %.*s: what goes on begins as before",
		SPAN_ARG(target.model), SPAN_ARG(target.provider), SPAN_ARG(family));
	for (unsigned i = 0; i < TURNS; i++)
		buf_done(&bodies[i]);
	config_unref(config);
}

int main(void)
{
	static const char *const families[] = {"openai-chat", "openai-responses", "anthropic",
		"gemini", "bedrock", "mistral", "cohere", "ollama"};
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	for (size_t i = 0; i < COUNT_OF(families); i++)
		check(SPAN_NONE, span_str(families[i]), SPAN_NONE);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < BUILTIN_DIALECTS && rows[i].dialects[k].dialect; k++) {
			struct span rest = span_str(rows[i].dialects[k].dialect);
			const struct span family = span_cut(&rest, ' ');
			const struct dialect *d = dialect_find(family);
			if (!span_is(family, "offline") && !span_is(family, "openai-completions") &&
				d && d->ops[LLM_OP_CHAT])
				check(span_str(rows[i].name), family, SPAN("some-model"));
		}
	}
	return tap_done();
}
