/* fuzz_results.c - any bytes as a reply to an operation beside chat: what is given out can be sent to a
 * caller, is in order, and is the same however the bytes are cut. */
#include <assert.h>

#include "protocol/limits.h"
#include "tests/lib/event_json.h"
#include "tests/lib/feed.h"
#include "tests/lib/tally.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	struct tally tally;
	struct buf log;
};

static enum err on_event(void *context, const struct llm_event *e)
{
	struct told *t = context;
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_event back;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	event_pack(e, &packed);
	assert(event_unpack(event_frame_type(e->type), pack_from(buf_view(&packed)), &a, &back,
		       NULL) == OK);
	assert(pack_check(buf_view(&packed), NULL) == OK);
	event_json(&t->log, e);
	return tally_event(&t->tally, e);
}

static enum err decode(enum llm_op op, struct span body, size_t step, struct told *t)
{
	const struct dialect *d =
		dialect_find(op == LLM_OP_COUNT ? SPAN("anthropic") : SPAN("openai-chat"));
	const struct event_sink sink = {on_event, t};
	const struct http_reply reply = {{.status = 200}, body};
	const struct target target = {.provider = SPAN("fuzz")};
	struct arena a;
	struct notes notes;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	const enum err err =
		feed_op(op, d, &notes, &reply, &target, (struct cuts){.step = step}, &sink, &why);
	assert(why.err == err && (err == OK || why.message[0]));
	assert(t->tally.broken[0] == '\0');
	assert(err != OK || op == LLM_OP_MODELS || t->tally.n_results > 0);
	assert(err == OK || t->tally.n_results == 0); /* all or nothing */
	arena_done(&a);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum llm_op ops[] = {
		LLM_OP_EMBED, LLM_OP_RERANK, LLM_OP_COUNT, LLM_OP_MODERATE, LLM_OP_MODELS};
	if (size < 1)
		return 0;
	const struct span body = span_of((const char *)data + 1, size - 1);
	for (size_t i = 0; i < COUNT_OF(ops); i++) {
		struct told whole = {.log = BUF_INIT(SIZE_MAX / 2)};
		struct told apart = {.log = BUF_INIT(SIZE_MAX / 2)};
		tally_init(&whole.tally);
		tally_init(&apart.tally);
		const enum err one = decode(ops[i], body, 0, &whole);
		const enum err other = decode(ops[i], body, (size_t)data[0] % 32 + 1, &apart);
		assert(one == other);
		assert(span_eq(buf_view(&whole.log), buf_view(&apart.log)));
		buf_done(&whole.log);
		buf_done(&apart.log);
		tally_done(&whole.tally);
		tally_done(&apart.tally);
	}
	return 0;
}
