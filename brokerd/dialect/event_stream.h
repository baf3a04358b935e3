/* event_stream.h - which messages does this stream of bytes hold?
 * The one decoder of AWS event streams (application/vnd.amazon.eventstream): a push parser, resumable
 * at any byte, that copies only a message which the input cuts. Both checksums are verified, the
 * prelude's before its lengths are believed. No I/O. */
#ifndef BROKERD_DIALECT_EVENT_STREAM_H
#define BROKERD_DIALECT_EVENT_STREAM_H
#include "protocol/base/buf.h"

/* Of the headers, those that say what a message is; absent where it has none of the name, or one that
 * is no text. Texts are not checked to be UTF-8. All live until the sink returns. */
struct event_message {
	struct span type;      /* :message-type: "event", "exception" or "error" */
	struct span event;     /* :event-type */
	struct span exception; /* :exception-type */
	struct span code;      /* :error-code */
	struct span text;      /* :error-message */
	struct span payload;   /* may be empty; never absent */
};

/* A result other than OK stops event_stream_feed, which returns it. */
struct event_stream_sink {
	enum err (*on_message)(void *context, const struct event_message *m, struct fault *why);
	void *context;
};

struct event_stream {
	struct buf held; /* of an unfinished message */
	size_t total;
};

void event_stream_init(struct event_stream *s);
void event_stream_done(struct event_stream *s);

/* ERR_SERVER_ERROR (a checksum or a length that is wrong, more than limits.h has), ERR_NO_MEMORY, or
 * the sink's. After a failure the stream is not to be fed again. */
enum err event_stream_feed(struct event_stream *s, struct span bytes,
	const struct event_stream_sink *sink, struct fault *why) MUST_USE;

/* The input is over. ERR_STREAM_INCOMPLETE: within a message. */
enum err event_stream_end(const struct event_stream *s, struct fault *why) MUST_USE;

#endif
