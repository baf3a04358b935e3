/* arena.h - how does memory that all dies together get handed out?
 * Blocks are never moved and never freed singly. A ceiling bounds the whole. No I/O. */
#ifndef PROTOCOL_BASE_ARENA_H
#define PROTOCOL_BASE_ARENA_H
#include <stddef.h>

#include "protocol/base/buf.h"

struct arena_chunk;
struct arena_adopted;

struct arena {
	struct arena_chunk *chunks; /* the newest first */
	struct arena_chunk *lent;   /* the oldest, if it is not of the heap; NULL: it is */
	size_t lent_bytes;
	size_t used, size;             /* of the newest chunk */
	struct arena_adopted *adopted; /* memory that came from elsewhere */
	size_t total, max;             /* bytes in all of it, and their ceiling */
};

/* `ceiling`: the most bytes it may take from the heap, from limits.h. Allocates nothing yet. */
void arena_init(struct arena *a, size_t ceiling);
/* The same with `n` bytes of the caller's, aligned for any type, that are handed out first; they live as long.
 * What was handed out of them is overwritten at the end. */
void arena_init_in(struct arena *a, size_t ceiling, void *room, size_t n);
void arena_done(struct arena *a); /* frees all; the arena is empty and usable again */

/* `n` zeroed bytes aligned for any type; n may be 0. NULL: out of memory or over the ceiling. */
void *arena_alloc(struct arena *a, size_t n);

/* The same, not zeroed: for bytes that are written at once. */
void *arena_bytes(struct arena *a, size_t n);

/* An array of `count` zeroed elements; NULL as above, overflow included. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy of the bytes, with a NUL after them that does not count. An absent span gives an absent
 * one. On failure *out is absent and ERR_NO_MEMORY is returned. */
enum err arena_dup(struct arena *a, struct span s, struct span *out) MUST_USE;

/* Takes over what a buf holds, which is empty then: without a copy where it is much. ERR_NO_MEMORY as
 * above; the buf is as it was, and *out is absent. */
enum err arena_adopt(struct arena *a, struct buf *from, struct span *out) MUST_USE;

/* A NUL-terminated copy; NULL on failure. Bytes after a NUL inside are there but unseen. */
char *arena_str(struct arena *a, struct span s);

#endif
