/* sse.h - which events does this stream of bytes hold?
 * The one decoder of server-sent events: a push parser, resumable at any byte, that copies only a
 * line which the input cuts. Ends a line at LF, CR LF or CR; drops a BOM; counts comments as life. A field `error`
 * is an event of that name. */
#ifndef BROKERD_DIALECT_SSE_H
#define BROKERD_DIALECT_SSE_H
#include "protocol/base/buf.h"

/* `name` is absent where the event had none; both live until it returns. A result other than OK
 * stops sse_feed, which returns it. */
struct sse_sink {
	enum err (*on_event)(void *context, struct span name, struct span data, struct fault *why);
	void *context;
};

struct sse {
	struct buf line; /* of an unfinished line */
	struct buf data;
	struct buf name;
	struct span only; /* the event's data while it is one line where it came; else absent */
	size_t total;
	bool has_data, has_name, is_after_cr, is_begun;
	uint8_t bom_n; /* bytes of a byte order mark seen so far */
};

void sse_init(struct sse *s);
void sse_done(struct sse *s);

/* ERR_SERVER_ERROR (a line or a stream over limits.h), ERR_NO_MEMORY, or the sink's. */
enum err sse_feed(
	struct sse *s, struct span bytes, const struct sse_sink *sink, struct fault *why) MUST_USE;

/* The input is over: an event that lacks its empty line is given all the same. */
enum err sse_end(struct sse *s, const struct sse_sink *sink, struct fault *why) MUST_USE;

/* Where the first event of `text` ends, of which no empty line begins before `at`: behind its empty line.
 * 0: it is not all there. For those who pass events on as they are; of a stream whose lines end in a bare
 * CR it finds none. */
size_t sse_event_end(struct span text, size_t at);

#endif
