/* fuzz_results.c - any bytes as a reply to an operation beside chat: what is given out can be sent to a
 * caller, is in order, and is the same however the bytes are cut; and what a caller of the same family is
 * answered is read as just that again. */
#include <assert.h>

#include "protocol/limits.h"
#include "tests/lib/event_json.h"
#include "tests/lib/feed.h"
#include "tests/lib/tally.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	struct tally tally;
	struct buf log;
	struct span vectors; /* the form that is believed to have been asked for; absent: any */
	const struct dialect_op *says; /* who answers with it; NULL: nobody */
	struct encoder *encoder;
	struct buf answer;
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
	if (t->says)
		assert(t->says->encode(t->encoder, e, &t->answer) == OK && t->answer.n == 0);
	return tally_event(&t->tally, e);
}

static const struct dialect *family_of(enum llm_op op)
{
	return dialect_find(op == LLM_OP_COUNT ? SPAN("anthropic") : SPAN("openai-chat"));
}

static enum err decode(enum llm_op op, struct span body, size_t step, struct told *t)
{
	const struct dialect *d = family_of(op);
	const struct event_sink sink = {on_event, t};
	const struct http_reply reply = {{.status = 200}, body};
	const struct target target = {.provider = SPAN("fuzz")};
	struct arena a;
	struct notes notes;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.vectors = t->vectors;
	const enum err err =
		feed_op(op, d, &notes, &reply, &target, (struct cuts){.step = step}, &sink, &why);
	assert(why.err == err && (err == OK || why.message[0]));
	assert(t->tally.broken[0] == '\0');
	assert(err != OK || op == LLM_OP_MODELS || t->tally.n_results > 0);
	assert(err == OK || t->tally.n_results == 0); /* all or nothing */
	arena_done(&a);
	return err;
}

static void told_init(struct told *t)
{
	*t = (struct told){.log = BUF_INIT(SIZE_MAX / 2), .answer = BUF_INIT(SIZE_MAX / 2)};
	tally_init(&t->tally);
}

static void told_done(struct told *t)
{
	buf_done(&t->log);
	buf_done(&t->answer);
	tally_done(&t->tally);
}

/* Which results read as just what they were? Of the others a caller is told more: that there is no
 * category, who has a model; and of vectors in base64 less. */
static bool is_exact(enum llm_op op, bool in_base64)
{
	return !in_base64 && (op == LLM_OP_EMBED || op == LLM_OP_RERANK || op == LLM_OP_COUNT);
}

static void say(enum llm_op op, struct span body, bool in_base64)
{
	OWNED(arena_done) struct arena a;
	const struct llm_request request = {.model = SPAN("fuzz")};
	struct notes notes;
	struct told one, other;
	struct json v;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.wants_base64 = in_base64;
	const struct answer_plan plan = {
		.request = &request, .notes = &notes, .env = &FEED_ENV, .input_estimate = -1};
	told_init(&one);
	told_init(&other);
	one.says = dialect_operation(family_of(op), op);
	one.encoder = one.says->encoder_new(&a, &plan);
	assert(one.encoder);
	struct llm_event end = {.type = EV_END};
	if (decode(op, body, 0, &one) == OK) {
		end.end.usage = one.tally.usage;
		assert(one.says->encode(one.encoder, &end, &one.answer) == OK);
		assert(json_scan(buf_view(&one.answer), JSON_STRICT, &v, NULL) == OK);
		other.vectors = in_base64 ? SPAN("base64") : SPAN_NONE;
		assert(decode(op, buf_view(&one.answer), 0, &other) == OK);
		assert(other.tally.n_results == one.tally.n_results);
		assert(!is_exact(op, in_base64) ||
			span_eq(buf_view(&other.tally.results), buf_view(&one.tally.results)));
	}
	one.says->encoder_done(one.encoder);
	told_done(&one);
	told_done(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum llm_op ops[] = {
		LLM_OP_EMBED, LLM_OP_RERANK, LLM_OP_COUNT, LLM_OP_MODERATE, LLM_OP_MODELS};
	if (size < 1)
		return 0;
	const struct span body = span_of((const char *)data + 1, size - 1);
	for (size_t i = 0; i < COUNT_OF(ops); i++) {
		struct told whole, apart;
		told_init(&whole);
		told_init(&apart);
		const enum err one = decode(ops[i], body, 0, &whole);
		const enum err other = decode(ops[i], body, (size_t)data[0] % 32 + 1, &apart);
		assert(one == other);
		assert(span_eq(buf_view(&whole.log), buf_view(&apart.log)));
		told_done(&whole);
		told_done(&apart);
		say(ops[i], body, false);
	}
	say(LLM_OP_EMBED, body, true);
	return 0;
}
