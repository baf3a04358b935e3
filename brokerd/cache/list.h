/* list.h - what is kept, the latest first?
 * What is in memory, or waits to be written, is known; of what is on disk alone a worker reads the heads. */
#ifndef BROKERD_CACHE_LIST_H
#define BROKERD_CACHE_LIST_H
#include "brokerd/cache/disk.h"
#include "brokerd/cache/memory.h"

static inline bool cache_is_meant(const struct cache_filter *f, uint64_t scope)
{
	return !f->is_of_scope || f->scope == scope;
}

struct cache_list {
	struct cache_filter filter;
	int64_t now_s; /* what is over then is not told */
	size_t most;
};
/* Both must live until it is told, or left and the disk's jobs have ended. */
void cache_list(struct cache_memory *m, struct cache_disk *d, const struct cache_list *what,
	struct cache_telling *t);
void cache_list_leave(struct cache_telling *t);

#endif
