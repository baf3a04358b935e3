/* cache.h - which answers are kept, and is this one among them?
 * Answers under 32 bytes that say all that made them (cache_key.h): in memory, bounded in bytes, where those that are asked
 * for again outlive those that are not (W-TinyLFU); and, while there is a key to seal them with, on disk, in a file of
 * our own, for what maps its file (as LMDB does) is ended by who cuts it. A miss asks indexes in memory alone. A worker
 * reads, once for all who wait for the same, and writes, many at a time: a disk that is slow, or hangs, makes misses. kill -9
 * costs what was not written yet, and what was put anew in the last fifth of a second may be as it was before. What on disk is
 * not as it was sealed, in its own place, is a miss, and goes. What is in an answer is its writer's. */
#ifndef BROKERD_CACHE_CACHE_H
#define BROKERD_CACHE_CACHE_H
#include "brokerd/loop/worker.h"
#include "protocol/base/span.h"
#include "protocol/limits.h"

#define CACHE_SEAL_BYTES 32

struct cache;

struct cache_key {
	unsigned char bytes[32];
};

struct cache_limits {
	int64_t memory_bytes; /* of all in memory, with what each takes beside itself; 0: none are kept there */
	int64_t disk_bytes; /* of the file, half for one; 0: nothing is on disk, and what was is removed */
	int64_t entry_bytes; /* a longer one is not kept; `about` counts */
};

/* `dir` is made with the first that is written there. Before cache_limit nothing is kept. NULL: out of memory. */
struct cache *cache_new(struct loop *l, struct workers *w, const char *dir);
/* After cache_close, when its jobs have ended; NULL is fine. */
void cache_free(struct cache *c);

/* Holds from now on, also for what is there. */
void cache_limit(struct cache *c, const struct cache_limits *limits);
/* There is a key to seal with, which is copied: what is on disk under it is there again. */
void cache_open(struct cache *c, const unsigned char key[CACHE_SEAL_BYTES]);
/* The key is gone: what is in memory stays, what waits is written yet, then the disk is neither read nor written until there
 * is one; but cache_clear removes the file. Until then no key is to be one under which something is on disk: a secret that is
 * locked up with this one makes them others. */
void cache_close(struct cache *c);
/* The disk is lost: its file is closed, so that it can be unmounted, and what there is is looked for anew with the next
 * that is put, or by cache_open. */
void cache_let_go(struct cache *c);

struct cache_entry {
	uint64_t
		scope; /* whose it is: for cache_clear and cache_each; the key tells scopes apart by itself */
	int64_t at_s;      /* since 1970: when it was answered, */
	int64_t fresh_s;   /* is as good as an answer of now until then, */
	int64_t kept_s;    /* and goes then, not before fresh_s */
	struct span about; /* what is told of it: at most CACHE_ABOUT_BYTES */
	struct span body;
};
#define CACHE_ABOUT_BYTES ((size_t)1024)

/* Keeps a copy, in the place of what was under that key. False: it is not there then, nor what was: it is too long, or over at
 * `now_s`, or there is no room for what nobody has asked for again. */
bool cache_put(
	struct cache *c, const struct cache_key *key, const struct cache_entry *e, int64_t now_s);

/* Who waits for one that is read. Embedded and zeroed, with on_come set. */
struct cache_wait {
	struct cache_wait *prev, *next;
	struct disk_read *read; /* NULL: it does not wait */
	void (*on_come)(struct cache_wait *w);
};
enum cache_found {
	CACHE_MISS,
	CACHE_THERE, /* *out, also where it is no longer fresh, until the next call for this cache */
	CACHE_COMES, /* on_come is called once, never from inside; asked again from there it is THERE or a MISS */
};
/* One whose at_s is later than now_s is as old as 0 seconds. `w` does not wait yet. */
enum cache_found cache_get(struct cache *c, const struct cache_key *key, int64_t now_s,
	struct cache_wait *w, struct cache_entry *out);
/* The same without a sign that it was asked for, and without waiting: COMES is one on disk alone, of which nothing is read. */
enum cache_found cache_peek(
	struct cache *c, const struct cache_key *key, int64_t now_s, struct cache_entry *out);
/* What the last of these has shown, for as long as it is held: copy.h. All who hold it hold the same. */
struct cache_copy *cache_hold(struct cache *c);
/* Is it what cache_get would find in memory under its key? */
bool cache_shows(const struct cache_copy *held, int64_t now_s);
/* And that was asked for, and found. */
void cache_again(struct cache *c, struct cache_copy *held);
/* It waits no more; harmless where it does not. */
void cache_leave(struct cache_wait *w);

/* A worker has it from here on, too. */
void cache_remove(struct cache *c, const struct cache_key *key);

struct cache_filter {
	bool is_of_scope; /* only what is of `scope` */
	uint64_t scope;
};
/* The whole key of one that is kept, by its first bytes, of which there are 8 at the least. False: there is none. Walks them all,
 * in memory alone. */
bool cache_find(
	struct cache *c, const struct cache_filter *f, struct span begins, struct cache_key *out);
/* Who waits until what was cleared is gone from disk. Embedded and zeroed, with on_done set. */
struct cache_clearing {
	struct cache_clearing *prev, *next;
	struct cache_clearing **list; /* NULL: it does not wait */
	/* Once, never from inside. 0: whenever we are killed from now on, none of it is there again; else errno. */
	void (*on_done)(struct cache_clearing *t, int cause);
};
/* How many went, memory and disk together, each counted once. */
size_t cache_clear(struct cache *c, const struct cache_filter *f, struct cache_clearing *t);
/* The same for what was removed before. */
void cache_make_sure(struct cache *c, struct cache_clearing *t);
/* Another one after each time that something was cleared or removed: what was got before may be gone. */
uint64_t cache_generation(const struct cache *c);
void cache_clear_leave(struct cache_clearing *t); /* harmless where it does not wait */
/* Who is told of all that is kept. Embedded and zeroed, with the two set. */
struct cache_telling {
	struct cache_listing *listing; /* NULL: he does not wait */
	/* `body` is absent, body_bytes its length. Must not change the cache. */
	void (*tell)(struct cache_telling *t, const struct cache_key *key,
		const struct cache_entry *e, size_t body_bytes);
	void (*on_done)(struct cache_telling *t); /* once, never from inside */
};
/* Each that is kept, the latest written first, at most `most`, when a worker has read what is told of those on disk; what went
 * meanwhile is left out. */
void cache_each(
	struct cache *c, const struct cache_filter *f, size_t most, struct cache_telling *t);
void cache_each_leave(struct cache_telling *t); /* harmless where he does not wait */

struct cache_stats {
	size_t n_memory, n_disk;          /* entries */
	int64_t memory_bytes, disk_bytes; /* as limits count them */
	uint64_t hits_memory, hits_disk, misses, puts, evicted, expired,
		damaged; /* since the start */
	bool is_open;    /* the disk is read and written; */
	bool is_read;    /* not yet: what there is is looked for */
	int disk_cause;  /* errno: why it takes no more; 0: it does */
};
void cache_stats(const struct cache *c, struct cache_stats *out);
/* How many of these are kept, and what they take: all else is 0. Walks them all, in memory alone. */
void cache_count(struct cache *c, const struct cache_filter *f, struct cache_stats *out);

#endif
