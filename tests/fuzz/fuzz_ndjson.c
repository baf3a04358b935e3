/* fuzz_ndjson.c - any bytes as lines: cut anywhere they are the same lines, none of them blank, and the
 * first byte says how they are cut. */
#include <assert.h>
#include <stdlib.h>

#include "brokerd/dialect/ndjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err on_line(void *context, struct span name, struct span line, struct fault *why)
{
	struct buf *log = context;
	(void)why;
	assert(!span_is_set(name) && line.n > 0 && span_index(line, '\n') == line.n);
	assert(span_trim(line).n == line.n);
	buf_span(log, line);
	buf_byte(log, '\n');
	return span_is(line, "stop") ? ERR_CANCELLED : OK;
}

static enum err read_all(struct span input, size_t step, struct buf *log)
{
	const struct sse_sink sink = {on_line, log};
	struct ndjson lines;
	enum err err = OK;
	ndjson_init(&lines);
	while (!err && input.n > 0) {
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		assert(copy);
		memcpy(copy, piece.p, piece.n);
		err = ndjson_feed(&lines, span_of(copy, piece.n), &sink, NULL);
		free(copy);
		input = span_skip(input, piece.n);
	}
	if (!err)
		err = ndjson_end(&lines, &sink, NULL);
	ndjson_done(&lines);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(buf_done) struct buf whole = BUF_INIT(SIZE_MAX / 2);
	OWNED(buf_done) struct buf apart = BUF_INIT(SIZE_MAX / 2);
	if (size < 1)
		return 0;
	const struct span input = span_of((const char *)data + 1, size - 1);
	const enum err one = read_all(input, SIZE_MAX, &whole);
	const enum err other = read_all(input, (size_t)data[0] % 32 + 1, &apart);
	assert(one == other);
	assert(span_eq(buf_view(&whole), buf_view(&apart)));
	return 0;
}
