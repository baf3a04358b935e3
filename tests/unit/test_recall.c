/* test_recall.c - what callers drop comes back where it stood, and nowhere else. */
#include "brokerd/exchange/recall.h"

#include <sodium.h>

#include "protocol/limits.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

#define NOW INT64_C(1795305600)
#define UID 1000

static struct items *store;
static struct arena arena;
static const struct target claude = {
	.provider = {"anthropic", 9},
          .model = {"claude",    6},
          .family = {"anthropic", 9}
};
static const struct target gemini = {
	.provider = {"gemini", 6},
          .model = {"flash",  5},
          .family = {"gemini", 6}
};
static const struct target elsewhere = {
	.provider = {"proxy",     5},
          .model = {"claude",    6},
          .family = {"anthropic", 9}
};

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static struct opaque opaque_of(const struct target *t, const char *data)
{
	return (struct opaque){t->family, t->model, span_str(data)};
}

static void note_opaque(struct recall *r, const struct target *t, const char *data)
{
	const struct llm_event e = {.type = EV_OPAQUE, .opaque = opaque_of(t, data)};
	recall_note(r, store, UID, t, &e, NOW);
}

static void note_text(struct recall *r, const struct target *t, const char *text)
{
	const struct llm_event e = {.type = EV_REASONING, .text = span_str(text)};
	recall_note(r, store, UID, t, &e, NOW);
}

/* `data` NULL: the call itself has none. */
static void note_call(struct recall *r, const struct target *t, const char *id, const char *data)
{
	struct llm_event e = {.type = EV_TOOL_START};
	e.call.id = span_str(id);
	e.call.name = SPAN("f");
	if (data)
		e.call.opaque = opaque_of(t, data);
	recall_note(r, store, UID, t, &e, NOW);
}

static struct part text_part(const char *text)
{
	return (struct part){.type = PART_TEXT, .text = span_str(text)};
}

static struct part call_part(const char *id)
{
	return (struct part){
		.type = PART_TOOL_CALL, .call = {span_str(id), SPAN("f"), SPAN("{}"), false}
        };
}

/* What a request of one assistant's message becomes. */
static const struct message *restored(
	struct part *parts, size_t n, const struct target *t, uid_t uid, bool *is_same)
{
	static struct message messages[2];
	static struct llm_request r;
	const struct llm_request *out;
	messages[0] = (struct message){.role = ROLE_USER};
	messages[1] = (struct message){.role = ROLE_ASSISTANT, .parts = parts, .n_parts = n};
	r = (struct llm_request){.messages = messages, .n_messages = 2};
	if (recall_restore(store, uid, t, &arena, &r, NOW, &out))
		bail("no memory");
	*is_same = out == &r;
	return &out->messages[1];
}

static void test_before_the_call(void)
{
	struct recall r;
	bool is_same;
	recall_init(&r);
	note_opaque(&r, &claude, "{\"signature\":\"a\"}");
	note_opaque(&r, &claude, "{\"signature\":\"b\"}");
	note_call(&r, &claude, "toolu_1", NULL);
	note_text(&r, &claude, "I ");
	note_text(&r, &claude, "wonder");
	note_opaque(&r, &claude, "{\"signature\":\"c\"}");
	note_call(&r, &claude, "toolu_2", NULL);
	recall_done(&r);

	struct part parts[] = {text_part("I look"), call_part("toolu_1"), call_part("toolu_2")};
	const struct message *m = restored(parts, 3, &claude, UID, &is_same);
	ok(!is_same, "something was put back");
	is_uint(m->n_parts, 6, "three items");
	is_int(m->parts[0].type, PART_TEXT, "the text stays first");
	is_int(m->parts[1].type, PART_OPAQUE, "then an item");
	is_span(m->parts[1].opaque.data, "{\"signature\":\"a\"}", "the first");
	is_span(m->parts[2].opaque.data, "{\"signature\":\"b\"}", "the second");
	is_span(m->parts[2].opaque.family, "anthropic", "of its family");
	is_span(m->parts[2].opaque.model, "claude", "and model");
	is_span(m->parts[3].call.id, "toolu_1", "their call");
	is_span(m->parts[4].opaque.data, "{\"signature\":\"c\"}", "the third");
	is_int(m->parts[4].type, PART_REASONING, "which was reasoning's");
	is_span(m->parts[4].text, "I wonder", "with its words");
	is_span(m->parts[5].call.id, "toolu_2", "its call");

	restored(parts, 3, &claude, UID + 1, &is_same);
	ok(is_same, "another user gets nothing");
	restored(parts, 3, &elsewhere, UID, &is_same);
	ok(is_same, "nor does another provider of the family");
	restored(parts, 3, &gemini, UID, &is_same);
	ok(is_same, "nor another family");
	struct part stranger[] = {call_part("toolu_9")};
	restored(stranger, 1, &claude, UID, &is_same);
	ok(is_same, "nor another call");
	struct part own[] = {
		{.type = PART_OPAQUE, .opaque = opaque_of(&claude, "{}")},
                call_part("toolu_1")
        };
	restored(own, 2, &claude, UID, &is_same);
	ok(is_same, "a caller that carries its own is left alone");
}

static void test_on_the_call(void)
{
	struct recall r;
	bool is_same;
	recall_init(&r);
	note_opaque(&r, &gemini, "{\"thoughtSignature\":\"t\"}");
	note_call(&r, &gemini, "call_1", "\"sig\"");
	recall_done(&r);
	struct part parts[] = {call_part("call_1")};
	const struct message *m = restored(parts, 1, &gemini, UID, &is_same);
	is_uint(m->n_parts, 2, "one before it");
	is_span(m->parts[1].call.id, "call_1", "the call");
	is_span(m->parts[1].opaque.data, "\"sig\"", "has its own item on it");
	ok(!span_is_set(parts[0].opaque.family), "the caller's request is as it was");
}

static void test_what_is_not_kept(void)
{
	struct recall r;
	bool is_same;
	struct llm_event e = {.type = EV_TOOL_START, .choice = 1};
	recall_init(&r);
	note_call(&r, &claude, "plain", NULL);
	note_opaque(&r, &claude, "{\"of\":\"an attempt that failed\"}");
	recall_rewind(&r);
	note_call(&r, &claude, "retried", NULL);
	note_opaque(&r, &claude, "{}");
	e.call.id = SPAN("second choice");
	recall_note(&r, store, UID, &claude, &e, NOW);
	recall_note(&r, NULL, UID, &claude, &e, NOW);
	recall_done(&r);
	static const char *const ids[] = {"plain", "retried", "second choice"};
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		struct part parts[] = {call_part(ids[i])};
		restored(parts, 1, &claude, UID, &is_same);
		ok(is_same, "%s", ids[i]);
	}
	/* more than one answer may hold */
	OWNED(buf_done) struct buf big = BUF_INIT(2 * MIB);
	buf_byte(&big, '"');
	for (size_t i = 0; i < MIB; i++)
		buf_byte(&big, 'x');
	buf_byte(&big, '"');
	buf_byte(&big, '\0');
	recall_init(&r);
	note_opaque(&r, &claude, big.p);
	note_call(&r, &claude, "huge", NULL);
	note_opaque(&r, &claude, "{}");
	note_call(&r, &claude, "after", NULL);
	recall_done(&r);
	struct part huge[] = {call_part("huge")}, after[] = {call_part("after")};
	restored(huge, 1, &claude, UID, &is_same);
	ok(is_same, "what is too large is not kept");
	restored(after, 1, &claude, UID, &is_same);
	ok(!is_same, "and does not spoil what comes after");
}

int main(void)
{
	struct fault why;
	struct loop *loop = loop_new(&why);
	struct workers *workers = loop ? workers_new(loop, 1, &why) : NULL;
	if (!workers || sodium_init() < 0)
		bail("cannot begin");
	store = items_new(workers, "/nowhere/items", ITEMS_LIMITS);
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	test_before_the_call();
	test_on_the_call();
	test_what_is_not_kept();
	arena_done(&arena);
	items_free(store);
	workers_free(workers);
	loop_free(loop);
	return tap_done();
}
