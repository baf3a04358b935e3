/* book.c - a list by block for the hand, one by age, and a table. */
#include "brokerd/cache/book.h"

#include <assert.h>
#include <sys/random.h>

#include "protocol/base/table.h"

#define CHUNK         512 /* places that are taken from the heap at once */
#define BLOCKS_BUCKET 4
#define BUCKETS_MIN   64
#define BUCKETS_MAX   ((size_t)1 << 24)
#define USED_MAX      3
/* So many that were asked for are spared by one look for room; then the next goes whatever it was. */
#define SPARED_MAX 64

struct chunk {
	struct chunk *next;
	struct cache_place places[CHUNK];
};

struct cache_book {
	unsigned char hash_key[16];
	uint32_t most; /* blocks, with the first, which is the file's */
	uint32_t end;  /* of the last that ever lay there */
	uint32_t hand;
	struct cache_place *at_hand; /* the first that lies there or behind; NULL: none */
	struct cache_place *first, *last;
	struct cache_place *oldest, *newest;
	struct cache_place **buckets;
	size_t n_buckets, n, swept;
	struct cache_place *unused;
	struct chunk *chunks;
	uint64_t evicted, expired;
};

static void *take(size_t n, size_t each)
{
	void *p = calloc(n, each);
	if (!p)
		abort();
	return p;
}

static uint32_t blocks_of(int64_t bytes)
{
	const int64_t n = bytes / (int64_t)CACHE_BLOCK_BYTES;
	return n > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)n;
}

static uint32_t blocks_in(uint32_t bytes)
{
	return (uint32_t)((bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES);
}

static uint32_t end_of(const struct cache_place *p)
{
	return p->block + blocks_in(p->bytes);
}

static struct cache_place **bucket_of(const struct cache_book *b, const struct cache_key *key)
{
	return &b->buckets[siphash(b->hash_key, key->bytes, sizeof key->bytes) &
			   (b->n_buckets - 1)];
}

/* ---- places ---- */

static struct cache_place *place_new(struct cache_book *b)
{
	if (!b->unused) {
		struct chunk *c = take(1, sizeof *c);
		c->next = b->chunks;
		b->chunks = c;
		for (size_t i = CHUNK; i > 0; i--) {
			c->places[i - 1].link = b->unused;
			b->unused = &c->places[i - 1];
		}
	}
	struct cache_place *p = b->unused;
	b->unused = p->link;
	return p;
}

/* Behind `before` by block; NULL: as the first. */
static void enter(struct cache_book *b, struct cache_place *p, struct cache_place *before)
{
	struct cache_place **bucket = bucket_of(b, &p->key);
	p->link = *bucket;
	*bucket = p;
	p->prev = before;
	p->next = before ? before->next : b->first;
	*(before ? &before->next : &b->first) = p;
	*(p->next ? &p->next->prev : &b->last) = p;
	p->older = b->newest;
	p->newer = NULL;
	*(b->newest ? &b->newest->newer : &b->oldest) = p;
	b->newest = p;
	b->n++;
	if (end_of(p) > b->end)
		b->end = end_of(p);
}

void cache_book_remove(struct cache_book *b, struct cache_place *p)
{
	struct cache_place **at = bucket_of(b, &p->key);
	while (*at != p)
		at = &(*at)->link;
	*at = p->link;
	if (b->at_hand == p)
		b->at_hand = p->next;
	*(p->prev ? &p->prev->next : &b->first) = p->next;
	*(p->next ? &p->next->prev : &b->last) = p->prev;
	*(p->older ? &p->older->newer : &b->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &b->newest) = p->older;
	b->n--;
	p->link = b->unused;
	b->unused = p;
}

struct cache_place *cache_book_find(const struct cache_book *b, const struct cache_key *key)
{
	struct cache_place *p = b->n == 0 ? NULL : *bucket_of(b, key);
	while (p && memcmp(p->key.bytes, key->bytes, sizeof key->bytes) != 0)
		p = p->link;
	return p;
}

static struct cache_place *place_of(struct cache_book *b, const struct cache_head *h,
	uint32_t block, struct cache_place *before)
{
	struct cache_place *p = place_new(b);
	*p = (struct cache_place){.key = h->key,
		.seq = h->seq,
		.scope = h->scope,
		.kept_s = h->kept_s,
		.block = block,
		.bytes = (uint32_t)cache_record_bytes(h->about_bytes, h->body_bytes)};
	enter(b, p, before);
	return p;
}

/* ---- room ---- */

static bool stays(struct cache_place *p, int64_t now_s, unsigned *spared)
{
	if (p->is_busy)
		return true;
	if (p->used == 0 || p->kept_s <= now_s || *spared == SPARED_MAX)
		return false;
	p->used--;
	++*spared;
	return true;
}

/* Moves the hand to where so many blocks are free but for what may go: from there to *end, which stays. */
static bool find_room(
	struct cache_book *b, uint32_t blocks, int64_t now_s, struct cache_place **end)
{
	struct cache_place *p = b->at_hand;
	unsigned spared = 0;
	for (unsigned turns = 0; turns < 3;) {
		const uint32_t until = p ? p->block : b->most;
		if (until >= b->hand && until - b->hand >= blocks) {
			*end = p;
			return true;
		}
		if (p && stays(p, now_s, &spared)) {
			b->hand = end_of(p);
			b->at_hand = p = p->next;
		} else if (p) {
			p = p->next;
		} else {
			b->hand = 1;
			b->at_hand = p = b->first;
			turns++;
		}
	}
	return false;
}

struct cache_place *cache_book_add(struct cache_book *b, const struct cache_head *h, int64_t now_s)
{
	const uint32_t blocks =
		blocks_in((uint32_t)cache_record_bytes(h->about_bytes, h->body_bytes));
	struct cache_place *end;
	if (b->most < 1 || blocks > b->most - 1 || !find_room(b, blocks, now_s, &end))
		return NULL;
	struct cache_place *before = b->at_hand ? b->at_hand->prev : b->last;
	while (b->at_hand != end && b->at_hand->block < b->hand + blocks) {
		b->evicted++;
		cache_book_remove(b, b->at_hand);
	}
	struct cache_place *p = place_of(b, h, b->hand, before);
	p->is_busy = true;
	b->hand = end_of(p);
	return p;
}

/* ---- all of it ---- */

static void make_buckets(struct cache_book *b)
{
	size_t n = BUCKETS_MIN;
	while (n < BUCKETS_MAX && n * BLOCKS_BUCKET < b->most)
		n *= 2;
	if (n == b->n_buckets)
		return;
	free(b->buckets);
	b->buckets = take(n, sizeof(struct cache_place *));
	b->n_buckets = n;
	b->swept = 0;
	for (struct cache_place *p = b->first; p; p = p->next) {
		struct cache_place **bucket = bucket_of(b, &p->key);
		p->link = *bucket;
		*bucket = p;
	}
}

struct cache_book *cache_book_new(int64_t bytes)
{
	struct cache_book *b = take(1, sizeof *b);
	if (getrandom(b->hash_key, sizeof b->hash_key, 0) != (ssize_t)sizeof b->hash_key)
		abort();
	b->most = blocks_of(bytes);
	make_buckets(b);
	cache_book_clear(b);
	return b;
}

void cache_book_free(struct cache_book *b)
{
	if (!b)
		return;
	cache_book_clear(b);
	free(b->buckets);
	free(b);
}

void cache_book_clear(struct cache_book *b)
{
	while (b->chunks) {
		struct chunk *c = b->chunks;
		b->chunks = c->next;
		free(c);
	}
	if (b->n > 0)
		memset(b->buckets, 0, b->n_buckets * sizeof(struct cache_place *));
	b->first = b->last = b->oldest = b->newest = b->at_hand = b->unused = NULL;
	b->n = b->swept = 0;
	b->end = 0;
	b->hand = 1;
}

void cache_book_limit(struct cache_book *b, int64_t bytes)
{
	const uint32_t before = b->most;
	b->most = blocks_of(bytes);
	if (b->most > before) { /* what is free now is used before anything goes */
		b->hand = b->last ? end_of(b->last) : 1;
		b->at_hand = NULL;
	}
	while (b->last && end_of(b->last) > b->most) {
		b->evicted++;
		cache_book_remove(b, b->last);
	}
	if (b->end > b->most)
		b->end = b->most;
	if (b->hand > b->most) {
		b->hand = 1;
		b->at_hand = b->first;
	}
	make_buckets(b);
}

bool cache_book_load(
	struct cache_book *b, const struct cache_head *h, uint32_t block, uint32_t *loser)
{
	struct cache_place *other = cache_book_find(b, &h->key);
	if (other && other->seq > h->seq) {
		*loser = block;
		return false;
	}
	if (other) {
		*loser = other->block;
		cache_book_remove(b, other);
	}
	assert(!b->last || block >= end_of(b->last));
	(void)place_of(b, h, block, b->last);
	return !other;
}

static int by_seq(const void *a, const void *b)
{
	const struct cache_place *const *x = a, *const *y = b;
	return ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

void cache_book_settle(struct cache_book *b)
{
	struct cache_place **all = take(b->n + 1, sizeof(struct cache_place *));
	size_t n = 0;
	for (struct cache_place *p = b->first; p; p = p->next)
		all[n++] = p;
	if (n > 0)
		qsort(all, n, sizeof(struct cache_place *), by_seq);
	for (size_t i = 0; i < n; i++) {
		all[i]->older = i > 0 ? all[i - 1] : NULL;
		all[i]->newer = i + 1 < n ? all[i + 1] : NULL;
	}
	b->oldest = n > 0 ? all[0] : NULL;
	b->newest = n > 0 ? all[n - 1] : NULL;
	b->hand = b->newest ? end_of(b->newest) : 1;
	b->at_hand = b->newest ? b->newest->next : NULL;
	free(all);
}

struct cache_place *cache_book_newest(const struct cache_book *b)
{
	return b->newest;
}

bool cache_book_sweep(struct cache_book *b, int64_t now_s, size_t buckets)
{
	for (size_t end = b->swept + buckets; b->swept < end && b->swept < b->n_buckets;
		b->swept++) {
		for (struct cache_place *p = b->buckets[b->swept], *next; p; p = next) {
			next = p->link;
			if (p->is_busy || p->kept_s > now_s)
				continue;
			b->expired++;
			cache_book_remove(b, p);
		}
	}
	if (b->swept < b->n_buckets)
		return false;
	b->swept = 0;
	return true;
}

struct cache_book_stats cache_book_stats(const struct cache_book *b)
{
	return (struct cache_book_stats){
		.n = b->n,
		.bytes = (int64_t)b->end * (int64_t)CACHE_BLOCK_BYTES,
		.evicted = b->evicted,
		.expired = b->expired,
	};
}
