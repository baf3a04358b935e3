/* fuzz_event_stream.c - any bytes as an AWS event stream: cut anywhere, it holds the same messages, or
 * fails in the same way. The first byte says how large the pieces are; if it is odd, the rest is
 * payloads, a line each, around which lengths and checksums are put. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "brokerd/dialect/event_stream.h"
#include "tests/lib/aws_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err log_message(void *context, const struct event_message *m, struct fault *why)
{
	struct buf *log = context;
	const struct span all[] = {m->type, m->event, m->exception, m->code, m->text, m->payload};
	(void)why;
	assert(span_is_set(m->payload));
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		buf_print(log, "%d/%zu:", span_is_set(all[i]), all[i].n);
		buf_span(log, all[i]);
	}
	return OK;
}

static enum err run(struct span input, size_t step, struct buf *log)
{
	OWNED(event_stream_done) struct event_stream s;
	const struct event_stream_sink sink = {log_message, log};
	struct fault why = FAULT_NONE;
	enum err err = OK;
	event_stream_init(&s);
	while (!err && input.n > 0) {
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		if (!copy)
			abort();
		memcpy(copy, piece.p, piece.n);
		err = event_stream_feed(&s, span_of(copy, piece.n), &sink, &why);
		free(copy);
		input = span_skip(input, piece.n);
	}
	if (!err)
		err = event_stream_end(&s, &why);
	assert(err == why.err && (err == OK || why.message[0]));
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(buf_done) struct buf framed = BUF_INIT(SIZE_MAX / 2);
	OWNED(buf_done) struct buf whole = BUF_INIT(SIZE_MAX / 2);
	OWNED(buf_done) struct buf apart = BUF_INIT(SIZE_MAX / 2);
	if (size < 1)
		return 0;
	struct span input = span_of((const char *)data + 1, size - 1);
	if (data[0] % 2 == 1) {
		aws_lines_put(&framed, input);
		input = buf_view(&framed);
	}
	const enum err one = run(input, SIZE_MAX, &whole);
	const enum err other = run(input, (size_t)data[0] % 16 + 1, &apart);
	assert(one == other);
	assert(span_eq(buf_view(&whole), buf_view(&apart)));
	return 0;
}
