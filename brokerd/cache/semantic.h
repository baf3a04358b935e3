/* semantic.h - to which words that mean about the same was there an answer?
 * Vectors of unit length, each of whose words led to an answer that was kept (cache.h), in groups: what may answer one
 * another. Found is the nearest of all in its groups, by the cosine, exactly: each is looked at, by a worker, for all of
 * 100,000 are some hundred megabytes. Numbers are kept in 16 bits: a cosine is within a few hundred thousandths of what
 * doubles give, and said to four places. In memory alone, bounded in number and in bytes; the oldest go first. No clock. */
#ifndef BROKERD_CACHE_SEMANTIC_H
#define BROKERD_CACHE_SEMANTIC_H
#include "brokerd/cache/cache.h"
#include "protocol/event.h"

#define SEMANTIC_DIMENSIONS ((size_t)16384) /* of a vector, at most */
#define SEMANTIC_GROUPS     ((size_t)8)     /* that are searched at once */

struct semantic;

/* Before semantic_limit nothing is kept. Out of memory aborts. */
struct semantic *semantic_new(struct workers *w);
void semantic_free(struct semantic *s); /* when its jobs have ended; NULL is fine */

struct semantic_limits {
	int64_t vectors; /* 0: none are kept */
	int64_t bytes;   /* of all together, with what each takes beside itself */
};
void semantic_limit(struct semantic *s, const struct semantic_limits *limits);

/* A vector as it is kept: shared by whoever holds it, and never changed. */
struct semantic_vector;
/* NULL: it has no direction, a number that is none, or too many dimensions; or there is no memory. */
struct semantic_vector *semantic_vector_new(const struct vector *v);
void semantic_vector_drop(struct semantic_vector *v); /* NULL is fine */
size_t semantic_dimensions(const struct semantic_vector *v);

struct semantic_entry {
	struct cache_key group;  /* whose vectors are all of one model, and of so many dimensions */
	struct cache_key answer; /* as cache.h knows it */
	uint64_t scope;          /* as there, for semantic_clear */
	int64_t kept_s;          /* and goes then */
};
/* Keeps a copy, in the place of what led to that answer before. */
void semantic_put(struct semantic *s, const struct semantic_entry *e,
	const struct semantic_vector *v, int64_t now_s);
/* That answer is gone. */
void semantic_remove(struct semantic *s, const struct cache_key *answer);
size_t semantic_clear(struct semantic *s, const struct cache_filter *f);

struct semantic_match {
	struct cache_key answer;
	size_t group; /* which of those that were searched */
	double score; /* -1 to 1 */
};

/* One search. Its owner may be gone before it is over. */
struct semantic_search;
/* Looks for the nearest; of two that are equally near, in the later group, and the later there. Afterwards, on the loop and
 * never from inside, it says what it has found, once: NULL, nothing that is still there. Returns NULL where those groups have
 * none, or where too much is searched already for it to be over soon, and then says nothing. Groups beyond SEMANTIC_GROUPS are
 * not searched. */
struct semantic_search *semantic_find(struct semantic *s, struct semantic_vector *v,
	const struct cache_key *groups, size_t n, int64_t now_s,
	void (*on_found)(void *context, const struct semantic_match *m), void *context);
/* It says nothing any more, and soon takes no time of a worker's. NULL is fine. */
void semantic_leave(struct semantic_search *search);

/* The match answered a call. */
void semantic_note_hit(struct semantic *s);

struct semantic_stats {
	size_t n, n_groups;
	int64_t bytes;
	uint64_t searches, hits, evicted; /* since the start */
};
struct semantic_stats semantic_stats(const struct semantic *s);

#endif
