/* scrub.h - does what comes back hold the key that was sent?
 * Replaces each whole occurrence of a needle in a stream by asterisks, wherever the pieces are cut.
 * Only bytes that may be the beginning of the needle are held back, and as they are the needle's
 * own, they are a count and not a copy. Whole keys alone: a part of one can be a word of an answer, and
 * what is said of a failure goes through auth/redact.h once it is a text. No I/O. */
#ifndef BROKERD_TRANSPORT_SCRUB_H
#define BROKERD_TRANSPORT_SCRUB_H
#include "protocol/base/buf.h"

/* A zeroed struct is ready to use. */
struct scrub {
	size_t held;    /* this many bytes of the needle's beginning were the last ones to come */
	size_t n_found; /* occurrences replaced so far */
};

/* Returns what may go on: `piece` or a part of it, or, where bytes had to be changed or put in
 * front, a view of `room`, which is cleared first. Valid until the next call; may be empty. An empty
 * needle changes nothing. On failure (buf_error of `room`) the view is empty. */
struct span scrub_feed(struct scrub *s, struct span needle, struct span piece, struct buf *room);

/* The stream is over: what was held back, which is a view of the needle. */
struct span scrub_end(struct scrub *s, struct span needle);

/* A text that is all there at once: `text` itself, or a view of `room` where it held the needle. */
struct span scrub_text(struct span needle, struct span text, struct buf *room, size_t *n_found);

#endif
