/* ndjson.h - which lines does this stream of bytes hold?
 * A JSON value a line, as Ollama streams: a push parser, resumable at any byte, that copies only a line
 * which the input cuts. A line ends at LF or CR LF; a blank one is nothing but life. No I/O. */
#ifndef BROKERD_DIALECT_NDJSON_H
#define BROKERD_DIALECT_NDJSON_H
#include "brokerd/dialect/sse.h"

struct ndjson {
	struct buf line; /* of an unfinished line */
	size_t total;
};

void ndjson_init(struct ndjson *n);
void ndjson_done(struct ndjson *n);

/* Gives each line, without its end, as an event that has no name. ERR_SERVER_ERROR (a line or a stream
 * over limits.h), ERR_NO_MEMORY, or the sink's. */
enum err ndjson_feed(struct ndjson *n, struct span bytes, const struct sse_sink *sink,
	struct fault *why) MUST_USE;

/* The input is over: a line that lacks its end is given all the same. */
enum err ndjson_end(struct ndjson *n, const struct sse_sink *sink, struct fault *why) MUST_USE;

#endif
