/* thought.h - when is a chunk of thinking over, and what has to come back with it?
 * A stream brings its text in pieces; behind the last one goes an opaque mark, so that the text can be
 * said back as the chunk that it was. No I/O. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_THOUGHT_H
#define BROKERD_DIALECT_OPENAI_CHAT_THOUGHT_H
#include "brokerd/dialect/outlet.h"

struct thought {
	struct buf signature;
	bool is_open, is_closed;
};

void thought_init(struct thought *t);
void thought_done(struct thought *t);

/* Notes what a chunk has beside its text. ERR_NO_MEMORY, ERR_SERVER_ERROR. */
enum err thought_add(struct thought *t, struct json chunk) MUST_USE;

/* Something else comes: gives the mark of the family, where a chunk was open. */
enum err thought_end(
	struct thought *t, struct outlet *o, uint32_t choice, const char *family) MUST_USE;

#endif
