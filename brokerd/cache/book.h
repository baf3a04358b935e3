/* book.h - what lies where on disk, and where may more be put?
 * The file is a ring of blocks: what is new goes where the hand is, and what lies there goes, unless it was asked for since the
 * hand was there last, or is over anyway (CLOCK, but nothing is moved). One entry for each record, about a tenth of the
 * smallest and a fiftieth of the usual. No clock, no I/O. One thread at a time. */
#ifndef BROKERD_CACHE_BOOK_H
#define BROKERD_CACHE_BOOK_H
#include "brokerd/cache/entry.h"

struct cache_place {
	struct cache_place *prev, *next;   /* by block */
	struct cache_place *older, *newer; /* by seq */
	struct cache_place *link;          /* of its bucket, or free */
	struct cache_key key;
	uint64_t seq, scope;
	int64_t kept_s;
	uint32_t block, bytes;
	unsigned char used;
	bool is_busy; /* it is being written: it cannot be read yet, and stays */
};

struct cache_book;

/* For a file of at most so many bytes. Out of memory aborts. */
struct cache_book *cache_book_new(int64_t bytes);
void cache_book_free(struct cache_book *b); /* NULL is fine */
/* What lies beyond goes. */
void cache_book_limit(struct cache_book *b, int64_t bytes);

struct cache_place *cache_book_find(const struct cache_book *b, const struct cache_key *key);
/* Finds a place, which is busy, for what is not there yet; what lay there is gone. NULL: it is too large, or all that is in the
 * way stays. */
struct cache_place *cache_book_add(struct cache_book *b, const struct cache_head *h, int64_t now_s);
void cache_book_remove(struct cache_book *b, struct cache_place *p);
/* Nothing lies anywhere. */
void cache_book_clear(struct cache_book *b);

/* Enters what a file has, by rising block; then, once, cache_book_settle. False: there are two of one key, of which that with
 * the higher seq stays, and *loser is where the other lies. */
bool cache_book_load(
	struct cache_book *b, const struct cache_head *h, uint32_t block, uint32_t *loser);
void cache_book_settle(struct cache_book *b);

/* NULL: there is none; then ->older. */
struct cache_place *cache_book_newest(const struct cache_book *b);
/* Removes what is over from the next so many buckets. Returns true when it has been around. */
bool cache_book_sweep(struct cache_book *b, int64_t now_s, size_t buckets);

struct cache_book_stats {
	size_t n;
	int64_t bytes;             /* of the file, when all that has a place is written */
	uint64_t evicted, expired; /* of this book */
};
struct cache_book_stats cache_book_stats(const struct cache_book *b);

#endif
