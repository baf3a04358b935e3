/* disk.h - which answers are on disk, and which are on their way there?
 * What is put waits until there are many, or for a fifth of a second, and is then sealed and written by a worker; until then it
 * is found where it waits. What is there says a book, which is made by a worker when there is a key; what the book has is read by a
 * worker, one after the other, once for all who wait for it. Who has waited too long, or behind too many, has a miss. When the disk fails the answers there are lost, never mixed up; the log says so.
 * Belongs to the loop's thread. */
#ifndef BROKERD_CACHE_DISK_H
#define BROKERD_CACHE_DISK_H
#include "brokerd/cache/book.h"

struct cache_disk;

/* Told of each answer that was read, before those who wait for it are. */
struct disk_reader {
	void (*on_read)(void *context, struct cache_copy *c);
	void *context;
};
/* NULL: no memory. */
struct cache_disk *cache_disk_new(
	struct loop *l, struct workers *w, const char *dir, struct disk_reader reader);
void cache_disk_free(
	struct cache_disk *d); /* its jobs must have ended, who waits is not told; NULL is fine */
/* 0: nothing is there any more. */
void cache_disk_limit(struct cache_disk *d, int64_t bytes);
void cache_disk_open(struct cache_disk *d, const unsigned char key[CACHE_SEAL_BYTES]);
void cache_disk_close(struct cache_disk *d); /* what waits is written yet */
void cache_disk_let_go(struct cache_disk *d);

/* Holds it until it is written, in the place of what is there under its key. What is too large, or more than can be
 * written, is not kept. */
void cache_disk_put(struct cache_disk *d, struct cache_copy *c);
void cache_disk_remove(struct cache_disk *d, const struct cache_key *key);
/* One that is not written yet, borrowed; or NULL. */
struct cache_copy *cache_disk_waiting(const struct cache_disk *d, const struct cache_key *key);
/* Is there one that is written? */
bool cache_disk_knows(const struct cache_disk *d, const struct cache_key *key, int64_t now_s);
/* One that is written is read for who waits. False: there is none, or it would take too long. */
bool cache_disk_get(
	struct cache_disk *d, const struct cache_key *key, int64_t now_s, struct cache_wait *w);
/* Inside on_come: what has come, borrowed; NULL: nothing, or it is of another key. */
struct cache_copy *cache_disk_come(const struct cache_disk *d, const struct cache_key *key);
void cache_disk_leave(struct cache_wait *w);

/* In no order. */
void cache_disk_each_waiting(
	struct cache_disk *d, void (*tell)(void *context, struct cache_copy *c), void *context);
/* The latest that is written; then ->older; those that are busy are waiting, too. NULL: there is none. */
struct cache_place *cache_disk_newest(const struct cache_disk *d);
/* Is it there, or waiting, and no other in its place? */
bool cache_disk_has(const struct cache_disk *d, const struct cache_key *key, uint64_t seq);
/* Where one lies, and what its head says. */
struct cache_row {
	struct cache_key key;
	uint64_t seq;
	uint32_t block, bytes;
	bool is_read;
	struct cache_head head;
	char about[CACHE_ABOUT_BYTES];
};
/* Has the heads of those read, a few at a time between other reads; they are a worker's until it is told. */
struct cache_rows {
	struct cache_row *list;
	size_t n;
	void (*on_read)(struct cache_rows *r); /* once, never from inside */
};
void cache_disk_read_rows(struct cache_disk *d, struct cache_rows *r);
/* Nothing is there, nor waits. */
void cache_disk_clear(struct cache_disk *d);
/* What went is handed to a worker now, and not with what comes in the next fifth of a second; */
void cache_disk_flush(struct cache_disk *d);
/* and told of when it is sure not to be found again. */
void cache_disk_make_sure(struct cache_disk *d, struct cache_clearing *t);
void cache_disk_leave_sure(struct cache_clearing *t);
/* As cache_book_sweep, of what waits too. */
bool cache_disk_sweep(struct cache_disk *d, int64_t now_s, size_t buckets);
/* What is told of one that is there, or waits. */
struct cache_known {
	const struct cache_key *key;
	uint64_t scope;
	size_t bytes; /* of its body and what is told of it */
};
/* Removes each that `goes`. */
void cache_disk_remove_if(struct cache_disk *d,
	bool (*goes)(void *context, const struct cache_known *k), void *context);
/* While the book is not made: what it will have of these goes then. */
void cache_disk_doom_scope(struct cache_disk *d, uint64_t scope);
void cache_disk_doom_longer(struct cache_disk *d, size_t bytes);

struct cache_disk_stats {
	size_t n;
	int64_t bytes;
	uint64_t evicted, expired, damaged; /* since the start */
	bool is_open, is_read;              /* the latter: what there is is looked for */
	int cause;                          /* errno: why it takes no more; 0: it does */
};
struct cache_disk_stats cache_disk_stats(const struct cache_disk *d);

#endif
