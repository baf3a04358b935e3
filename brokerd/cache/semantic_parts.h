/* semantic_parts.h - what the files of the index share: a group's vectors, and who reads them. For them alone.
 * A group's vectors lie in blocks that only grow at their end, so that a worker can read what was there when its search began
 * while the loop adds to them: it is told how far. What goes meanwhile is taken out of its sight, and freed when no search is
 * under way that may have seen it; much of it by a worker, for to give some hundred megabytes back takes a while. */
#ifndef BROKERD_CACHE_SEMANTIC_PARTS_H
#define BROKERD_CACHE_SEMANTIC_PARTS_H
#include <stdatomic.h>

#include "brokerd/cache/semantic.h"
#include "protocol/base/table.h"

#define SEMANTIC_ONE 32767 /* a component of 1 */
#define SEMANTIC_STRIDE \
	((size_t)128) /* components that are multiplied at a time; the rest of the last are 0 */
#define SEMANTIC_BLOCK ((size_t)64) /* vectors in a block, at most: a bit each */
/* of the workers, and of nobody else: one after the other, and what is freed behind who may read it */
#define SEMANTIC_LANE 8

struct semantic_vector {
	unsigned refs; /* counted on the loop alone */
	size_t dimensions, stride;
	int16_t numbers[];
};

struct item {
	TABLE_LINK;
	struct item *prev, *next; /* of all, the oldest first */
	struct cache_key answer;
	struct group *group;
	struct block *block;
	size_t at; /* there */
	uint64_t scope;
	int64_t kept_s;
};

/* What a search may read: at the head of each. */
struct lot {
	struct lot *prev, *next; /* of those that go */
	uint64_t since;          /* only searches after this one may see it, */
	uint64_t until;          /* and none after that one */
	int64_t bytes;
};

struct block {
	struct lot lot;
	size_t slot; /* on its shelf */
	size_t room, n;
	_Atomic uint64_t live; /* of these */
	struct item **items;   /* behind the numbers */
	int16_t numbers[];
};

/* A group's blocks, in the order of adding. Those that are gone are NULL; when it is full another is made. */
struct shelf {
	struct lot lot;
	size_t room, n;
	_Atomic(struct block *) blocks[];
};

struct group {
	TABLE_LINK;
	struct cache_key key;
	size_t stride, n, n_blocks;
	struct shelf *shelf;
};

struct semantic {
	struct workers *workers;
	struct semantic_limits limits;
	struct item *items;  /* by answer */
	struct item *oldest; /* the list */
	struct group *groups;
	int64_t bytes;
	uint64_t emptied; /* how often all went at once */
	struct semantic_search *under_way;
	size_t n_under_way, work;
	struct lot *seen;  /* are gone, and may be read yet */
	struct lot *loose; /* are read by nobody */
	int64_t loose_bytes;
	uint64_t searches, hits, evicted, begun;
};

/* What a search reads of one group. */
struct range {
	struct shelf *shelf;
	size_t n, in_last; /* blocks, and vectors of the last */
	size_t group;
};

struct semantic_search {
	struct job job;
	struct semantic_search *prev, *next;
	struct semantic *semantic;
	uint64_t number, emptied;
	size_t work; /* products */
	struct semantic_vector *vector;
	void (*on_found)(void *context, const struct semantic_match *m);
	void *context;
	atomic_bool is_left; /* nobody asks */
	/* what it has found: in which block, of which range, where; NULL: nothing */
	struct block *best;
	size_t range, at;
	int32_t score;
	size_t n;
	struct range ranges[SEMANTIC_GROUPS];
};

/* semantic_vector.c: of so many times SEMANTIC_STRIDE. */
int32_t semantic_dot(const int16_t *a, const int16_t *b, size_t stride);
/* The cosine, to four places. */
double semantic_score(int32_t product);
struct semantic_vector *semantic_vector_hold(struct semantic_vector *v);

/* semantic.c: NULL: there is none. */
struct group *semantic_group(const struct semantic *s, const struct cache_key *key);
/* NULL: there is none, or it is gone. */
struct block *semantic_last_block(const struct shelf *shelf);
/* Those at the old end alone: what else is over is found out when it is the nearest. */
void semantic_remove_over(struct semantic *s, int64_t now_s);
/* At the end of whatever may have made something go. */
void semantic_sweep(struct semantic *s);

#endif
