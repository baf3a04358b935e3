/* ndjson.c - a line that lies whole in the input is never copied. */
#include "brokerd/dialect/ndjson.h"

#include "protocol/limits.h"

void ndjson_init(struct ndjson *n)
{
	*n = (struct ndjson){.line = BUF_INIT(LIMIT_SSE_LINE_BYTES)};
}

void ndjson_done(struct ndjson *n)
{
	buf_done(&n->line);
}

static enum err too_long(struct fault *why)
{
	return fault_set(why, ERR_SERVER_ERROR,
		"the provider sent a line of more than %zu MiB in its stream",
		LIMIT_SSE_LINE_BYTES / MIB);
}

static enum err give(struct span line, const struct sse_sink *sink, struct fault *why)
{
	if (line.n > LIMIT_SSE_LINE_BYTES)
		return too_long(why);
	line = span_trim(line);
	return line.n > 0 ? sink->on_event(sink->context, SPAN_NONE, line, why) : OK;
}

/* Adds to the line that the input cuts. */
static enum err keep(struct ndjson *n, struct span piece, struct fault *why)
{
	buf_span(&n->line, piece);
	const enum err err = buf_error(&n->line);
	if (err == ERR_TOO_BIG)
		return too_long(why);
	return err ? fault_set(why, err, "no memory for the provider's stream") : OK;
}

enum err ndjson_feed(
	struct ndjson *n, struct span bytes, const struct sse_sink *sink, struct fault *why)
{
	enum err err = OK;
	if (bytes.n > LIMIT_SSE_TOTAL_BYTES - n->total)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's stream is longer than %zu MiB",
			LIMIT_SSE_TOTAL_BYTES / MIB);
	n->total += bytes.n;
	while (!err && bytes.n > 0) {
		const size_t end = span_index(bytes, '\n');
		const struct span piece = span_first(bytes, end);
		if (end == bytes.n)
			return keep(n, piece, why);
		bytes = span_skip(bytes, end + 1);
		if (n->line.n == 0) {
			err = give(piece, sink, why);
			continue;
		}
		err = keep(n, piece, why);
		if (!err)
			err = give(buf_view(&n->line), sink, why);
		buf_clear(&n->line);
	}
	return err;
}

enum err ndjson_end(struct ndjson *n, const struct sse_sink *sink, struct fault *why)
{
	const enum err err = give(buf_view(&n->line), sink, why);
	buf_clear(&n->line);
	return err;
}
