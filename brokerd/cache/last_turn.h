/* last_turn.h - which words are a chat's last, and is all but for them the same?
 * Of what is compared by its meaning nothing else may differ: the key here is that of cache_key.h, of the request without the
 * words of its last turn. What cannot be taken out exactly, as it was read, has no such key. Pure. */
#ifndef BROKERD_CACHE_LAST_TURN_H
#define BROKERD_CACHE_LAST_TURN_H
#include "brokerd/cache/cache_key.h"

#define LAST_TURN_BYTES ((size_t)32768) /* more words than that are compared with none */

/* Appends them. False: the last turn is not the user's, or is not of words alone. */
bool last_turn_words(const struct llm_request *r, struct buf *out);

/* What is asked but for them: of a request of which there are such words. ERR_UNSUPPORTED: nobody can tell where in the body
 * they are; ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err last_turn_core(const unsigned char secret[CACHE_SECRET_BYTES], const struct cache_ask *ask,
	struct arena *a, struct cache_core *out) MUST_USE;

/* The same where words are compared by that model's vectors of so many dimensions. */
void last_turn_space(const unsigned char secret[CACHE_SECRET_BYTES], struct span provider,
	struct span model, size_t dimensions, struct cache_core *core);

#endif
