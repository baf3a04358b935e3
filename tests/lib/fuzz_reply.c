/* fuzz_reply.c - the same bytes, told twice. */
#include "tests/lib/fuzz_reply.h"

#include <assert.h>
#include <stdlib.h>

#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/event_json.h"
#include "tests/lib/tally.h"

struct told {
	struct tally tally;
	struct buf log;
};

static enum err on_event(void *context, const struct llm_event *e)
{
	struct told *t = context;
	event_json(&t->log, e);
	return tally_event(&t->tally, e);
}

static enum err decode(const struct dialect *d, struct span input, size_t step, struct told *t)
{
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	const struct dialect_env env = {.wall_s = 1795305600, .seed = 7};
	const struct event_sink sink = {on_event, t};
	const struct http_head head = {.status = 200};
	struct arena a;
	struct notes notes;
	struct fault why = FAULT_NONE;
	enum err err = OK;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.n_choices = 3;
	notes.prefill = SPAN("The");
	struct decoder *decoder = op->decoder_new(&a, &notes, &env, &head);
	assert(decoder);
	while (!err && input.n > 0) {
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		assert(copy);
		memcpy(copy, piece.p, piece.n);
		err = op->decode(decoder, span_of(copy, piece.n), &sink, &why);
		free(copy);
		input = span_skip(input, piece.n);
	}
	if (!err)
		err = op->decode_end(decoder, &sink, &why);
	assert(why.err == err && (err == OK || why.message[0]));
	assert(t->tally.broken[0] == '\0');
	assert(err != OK || t->tally.is_finished[0] || t->tally.is_finished[1] ||
		t->tally.is_finished[2]);
	op->decoder_done(decoder);
	arena_done(&a);
	return err;
}

void fuzz_reply(const char *family, const uint8_t *data, size_t size)
{
	const struct dialect *d = dialect_find(span_str(family));
	const struct target target = {.provider = SPAN("fuzz")};
	struct told whole, apart;
	struct fault why;
	if (size < 1)
		return;
	const struct span input = span_of((const char *)data + 1, size - 1);
	tally_init(&whole.tally);
	tally_init(&apart.tally);
	buf_init(&whole.log, SIZE_MAX / 2);
	buf_init(&apart.log, SIZE_MAX / 2);
	const enum err one = decode(d, input, SIZE_MAX, &whole);
	const enum err other = decode(d, input, (size_t)data[0] % 32 + 1, &apart);
	assert(one == other);
	assert(span_eq(buf_view(&whole.log), buf_view(&apart.log)));
	buf_done(&whole.log);
	buf_done(&apart.log);
	tally_done(&whole.tally);
	tally_done(&apart.tally);
	d->explain(
		&(struct http_reply){
			{400 + data[0] % 200, NULL, 0},
                        input
        },
		&target, &why);
	assert(why.err != OK && why.message[0]);
}
