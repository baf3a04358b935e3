/* fuzz_sse.c - any bytes as an event stream: cut anywhere, it holds the same events. The first byte
 * says how large the pieces are. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "brokerd/dialect/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err log_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct buf *log = context;
	(void)why;
	buf_print(log, "%zu/%zu:", name.n, data.n);
	buf_span(log, name);
	buf_span(log, data);
	assert(span_is_set(data) && (!span_is_set(name) || name.n > 0));
	return OK;
}

static void run(struct span input, size_t step, struct buf *log)
{
	OWNED(sse_done) struct sse s;
	const struct sse_sink sink = {log_event, log};
	sse_init(&s);
	while (input.n > 0) {
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		if (!copy)
			abort();
		memcpy(copy, piece.p, piece.n);
		const enum err err = sse_feed(&s, span_of(copy, piece.n), &sink, NULL);
		assert(err == OK);
		free(copy);
		input = span_skip(input, piece.n);
	}
	const enum err err = sse_end(&s, &sink, NULL);
	assert(err == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(buf_done) struct buf whole = BUF_INIT(SIZE_MAX / 2);
	OWNED(buf_done) struct buf apart = BUF_INIT(SIZE_MAX / 2);
	if (size < 1)
		return 0;
	const struct span input = span_of((const char *)data + 1, size - 1);
	run(input, SIZE_MAX, &whole);
	run(input, (size_t)data[0] % 16 + 1, &apart);
	assert(span_eq(buf_view(&whole), buf_view(&apart)));
	return 0;
}
