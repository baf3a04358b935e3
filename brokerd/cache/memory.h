/* memory.h - which answers are worth their place in memory?
 * W-TinyLFU (Einziger and others, 2017): what is new stands in a window, a hundredth of all. When it leaves that it stays if
 * it was asked for oftener than each that would have to go for it, as far as is remembered: first on trial, and as proven
 * from when it is asked for again, until others are proven after it. No clock, no I/O. Bounded in bytes, with what each
 * takes beside itself. */
#ifndef BROKERD_CACHE_MEMORY_H
#define BROKERD_CACHE_MEMORY_H
#include "brokerd/cache/copy.h"

/* What an answer takes beside its bytes: its struct, the heap's word and its share of the tables. */
#define CACHE_MEMORY_EXTRA ((int64_t)(sizeof(struct cache_copy) + 48))

struct cache_memory;

/* None is kept before cache_memory_limit. Out of memory aborts. */
struct cache_memory *cache_memory_new(void);
void cache_memory_free(struct cache_memory *m); /* NULL is fine */
/* Of all together; 0: none. What was asked for how often is forgotten where the number of buckets changes. */
void cache_memory_limit(struct cache_memory *m, int64_t bytes);

/* NULL: it is not there. Else borrowed, and counted as asked for. */
struct cache_copy *cache_memory_get(struct cache_memory *m, const struct cache_key *key);
/* One that is there was asked for again, by who holds it. */
void cache_memory_again(struct cache_memory *m, struct cache_copy *c);
/* The same, and nothing is counted. */
struct cache_copy *cache_memory_find(const struct cache_memory *m, const struct cache_key *key);
/* Holds it, in the place of what is there under its key. It may be gone when this returns. */
void cache_memory_put(struct cache_memory *m, struct cache_copy *c);
void cache_memory_remove(struct cache_memory *m, struct cache_copy *c);
/* What it takes there. */
int64_t cache_memory_bytes(const struct cache_copy *c);

/* In no order; `tell` may remove the one it is told. */
void cache_memory_each(
	struct cache_memory *m, void (*tell)(void *context, struct cache_copy *c), void *context);
/* Removes what is over at now_s from the next so many buckets. Returns true when it has been around. */
bool cache_memory_sweep(struct cache_memory *m, int64_t now_s, size_t buckets);

struct cache_memory_stats {
	size_t n;
	int64_t bytes;
	uint64_t evicted, expired; /* since the start; expired: by sweeping */
};
struct cache_memory_stats cache_memory_stats(const struct cache_memory *m);

#endif
