/* spare.h - where does the memory of a call lie until the next one comes?
 * Blocks of one size, the last given back first: it is still in the processor's cache, and an allocator takes longer over large
 * ones than over small ones. No more of them than a few: what a crowd of calls took is freed. */
#ifndef BROKERD_EXCHANGE_SPARE_H
#define BROKERD_EXCHANGE_SPARE_H
#include <stddef.h>

struct spare;
struct spares {
	struct spare *list;
	size_t n;
};

/* `bytes` is the same each time; the first `cleared` of them are zeroes. NULL: out of memory. */
void *spare_take(struct spares *s, size_t bytes, size_t cleared);
/* So many are overwritten, now and not when it is taken: nothing of a call lies about until the next one comes. What is behind
 * them is its owner's to overwrite. */
void spare_give(struct spares *s, void *block, size_t cleared);
void spare_done(struct spares *s); /* frees those that nobody has; it is usable again */

#endif
