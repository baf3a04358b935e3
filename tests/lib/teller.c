/* teller.c - one word after the other. */
#include "tests/lib/teller.h"

#include <assert.h>

#include "protocol/limits.h"
#include "tests/lib/event_words.h"
#include "tests/lib/feed.h"

enum err tell(const struct teller *t, const char *words, struct buf *out)
{
	OWNED(arena_done) struct arena a;
	const struct llm_request asked = {
		.model = SPAN("asked"), .n = {true, 8}
        };
	const struct dialect_op *op = dialect_find(span_str(t->family))->ops[LLM_OP_CHAT];
	struct span rest = span_str(words);
	struct notes notes;
	enum err err = OK;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.form = t->form;
	const struct answer_plan plan = {.request = t->request ? t->request : &asked,
		.notes = &notes,
		.body = JSON_NONE,
		.env = &FEED_ENV,
		.input_estimate = t->input_estimate};
	struct encoder *encoder = op->encoder_new(&a, &plan);
	assert(encoder);
	while (!err && rest.n > 0) {
		OWNED(arena_done) struct arena own;
		struct llm_event e;
		arena_init(&own, MIB);
		if (event_word(&rest, span_str(t->family), &own, &e))
			err = op->encode(encoder, &e, out);
	}
	op->encoder_done(encoder);
	return err;
}
