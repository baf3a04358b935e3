/* details.h - how do the pieces of `reasoning_details` become whole entries?
 * A stream brings an entry's text in pieces; sent back, they must be one entry again. No I/O. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_DETAILS_H
#define BROKERD_DIALECT_OPENAI_CHAT_DETAILS_H
#include "protocol/base/json.h"

struct detail;

struct details {
	struct arena *arena;
	struct detail *first, *last;
	size_t n;
};

void details_init(struct details *d, struct arena *a);
void details_done(struct details *d); /* what is not the arena's */

/* Adds the entries of a delta's array; what is no array has none. ERR_NO_MEMORY, ERR_SERVER_ERROR
 * (too many). */
enum err details_add(struct details *d, struct json array) MUST_USE;

/* Appends all entries as one JSON array. False, and nothing written, where there is none. */
bool details_write(const struct details *d, struct buf *out);

#endif
