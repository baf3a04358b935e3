/* copy.h - one answer in memory: who holds it still?
 * Whoever finds it, keeps it, or waits to write it holds it; the last to let go frees it. Counted on the loop alone: a worker
 * reads what another holds for it. Its bytes never change. */
#ifndef BROKERD_CACHE_COPY_H
#define BROKERD_CACHE_COPY_H
#include "brokerd/cache/cache.h"

struct cache_copy {
	/* while it is in memory.c's hands */
	struct cache_copy *next; /* of its bucket */
	struct cache_copy *older, *newer;
	uint64_t hash;
	unsigned char queue;
	bool is_in; /* it is */

	unsigned refs;
	uint32_t about_bytes, body_bytes;
	struct cache_key key;
	uint64_t seq; /* the order in which they were put, over restarts too */
	uint64_t scope;
	int64_t at_s, fresh_s, kept_s;
	char bytes[]; /* about, body */
};

/* With one reference and room for so much; the rest is the caller's to fill. NULL: no memory. */
struct cache_copy *cache_copy_new(
	const struct cache_key *key, size_t about_bytes, size_t body_bytes);
struct cache_copy *cache_copy_hold(struct cache_copy *c);
void cache_copy_drop(struct cache_copy *c); /* NULL is fine */

/* As its owner sees it; its spans live as long as the copy. */
struct cache_entry cache_copy_entry(const struct cache_copy *c);

#endif
