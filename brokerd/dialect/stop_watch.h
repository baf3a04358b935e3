/* stop_watch.h - has this text come to a stop sequence?
 * For providers that know none: the broker watches the visible text itself. What may still become a
 * sequence is held back; the sequence that ends first wins, of those that end together the longest.
 * The text must be valid UTF-8 in each piece, and so is what comes out. No I/O. */
#ifndef BROKERD_DIALECT_STOP_WATCH_H
#define BROKERD_DIALECT_STOP_WATCH_H
#include "protocol/base/buf.h"

struct scribe;

struct stop_watch {
	const struct span *stops; /* none is empty */
	size_t n;
	struct buf text; /* what was held back, then what came behind it */
	size_t given;    /* of `text`, which goes at the next piece */
};

/* `stops` must live as long. */
void stop_watch_init(struct stop_watch *w, const struct span *stops, size_t n);
void stop_watch_done(struct stop_watch *w);

/* Adds a piece. *out is what of the text is certain, valid until the next call. Returns the sequence
 * that was found right behind it, and nothing more may be added; or NULL. Failures stick to w->text. */
const struct span *stop_watch_add(struct stop_watch *w, struct span piece, struct span *out);

/* No sequence can come any more: what is held back. */
struct span stop_watch_rest(struct stop_watch *w);

/* Puts the request's stop sequences into the notes, for the reply's outlet to watch for, each once,
 * with a warning. ERR_INVALID_REQUEST: more or longer ones than can be watched for; or none of that
 * is done, and OK, where there are none. */
enum err stop_watch_plan(struct scribe *s) MUST_USE;

#endif
