/* memory.c - three queues in the order of last use, one table of all, and how often each hash was asked for: counters of four
 * bits, four for a hash, of which the least is nearest to the truth (a count-min sketch), in one line of the processor's
 * cache. */
#include "brokerd/cache/memory.h"

#include <assert.h>
#include <sys/random.h>

#include "protocol/base/table.h"

#define BUCKET_BYTES 1024 /* of the limit, for each bucket */
#define BUCKETS_MIN  64
#define BUCKETS_MAX  ((size_t)1 << 24)
#define WORDS_BUCKET 2 /* of counters, */
#define BLOCK_WORDS  8 /* of which so many are a line of the processor's cache */
#define COUNTERS     4 /* of one answer */
#define COUNT_MAX    15u
#define COUNTED_EACH 5 /* as many for each that is there, and all counts have been halved */
#define WINDOW_PART  100
#define VICTIMS_MAX  256 /* more are not looked at, nor sent away, for one */

enum queue {
	WINDOW, /* what is new */
	TRIAL,  /* what came from there, and what was not asked for again lately */
	PROVEN, /* what was */
	QUEUES,
};

struct queue_ends {
	struct cache_copy *oldest, *newest;
	int64_t bytes;
	size_t n;
};

struct cache_memory {
	unsigned char hash_key[16];
	int64_t most;
	struct queue_ends queues[QUEUES];
	struct cache_copy **buckets;
	uint64_t *sketch; /* as many */
	size_t n_buckets; /* a power of two; 0: before the first limit */
	size_t swept;     /* the next bucket to sweep */
	size_t faded;     /* the next block of the sketch to halve, */
	size_t due; /* once so much is due: words, times the requests between two turns of them all */
	uint64_t evicted, expired;
};

static void *take(size_t n, size_t each)
{
	void *p = calloc(n, each);
	if (!p)
		abort();
	return p;
}

struct cache_memory *cache_memory_new(void)
{
	struct cache_memory *m = take(1, sizeof *m);
	if (getrandom(m->hash_key, sizeof m->hash_key, 0) != (ssize_t)sizeof m->hash_key)
		abort();
	return m;
}

int64_t cache_memory_bytes(const struct cache_copy *c)
{
	return CACHE_MEMORY_EXTRA + (int64_t)c->about_bytes + (int64_t)c->body_bytes;
}

static uint64_t hash_of(const struct cache_memory *m, const struct cache_key *key)
{
	return siphash(m->hash_key, key->bytes, sizeof key->bytes);
}

static struct cache_copy **bucket_of(const struct cache_memory *m, uint64_t hash)
{
	return &m->buckets[hash & (m->n_buckets - 1)];
}

/* ---- queues ---- */

static void queue_push(struct cache_memory *m, enum queue which, struct cache_copy *c)
{
	struct queue_ends *q = &m->queues[which];
	c->queue = (unsigned char)which;
	c->newer = NULL;
	c->older = q->newest;
	if (q->newest)
		q->newest->newer = c;
	else
		q->oldest = c;
	q->newest = c;
	q->bytes += cache_memory_bytes(c);
	q->n++;
}

static void queue_take(struct cache_memory *m, struct cache_copy *c)
{
	struct queue_ends *q = &m->queues[c->queue];
	if (c->older)
		c->older->newer = c->newer;
	else
		q->oldest = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		q->newest = c->older;
	q->bytes -= cache_memory_bytes(c);
	q->n--;
}

static int64_t bytes_in(const struct cache_memory *m)
{
	return m->queues[WINDOW].bytes + m->queues[TRIAL].bytes + m->queues[PROVEN].bytes;
}

static size_t n_in(const struct cache_memory *m)
{
	return m->queues[WINDOW].n + m->queues[TRIAL].n + m->queues[PROVEN].n;
}

void cache_memory_remove(struct cache_memory *m, struct cache_copy *c)
{
	struct cache_copy **at = bucket_of(m, c->hash);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	queue_take(m, c);
	c->next = c->older = c->newer = NULL;
	c->is_in = false;
	cache_copy_drop(c);
}

/* ---- how often was it asked for? ---- */

static size_t n_words(const struct cache_memory *m)
{
	return m->n_buckets * WORDS_BUCKET;
}

/* One of the counters of a hash: the word, and how far up in it. */
static uint64_t *counter_of(
	const struct cache_memory *m, uint64_t hash, unsigned i, unsigned *shift)
{
	const uint64_t mixed = hash * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t *block = &m->sketch[(hash >> 32) % (n_words(m) / BLOCK_WORDS) * BLOCK_WORDS];
	const unsigned bits = (unsigned)(mixed >> (32 + 8 * i)) & 0x1f;
	*shift = (bits & 15) * 4;
	return &block[2 * i + (bits >> 4)];
}

static unsigned asked_for(const struct cache_memory *m, uint64_t hash)
{
	unsigned least = COUNT_MAX, shift;
	for (unsigned i = 0; i < COUNTERS; i++) {
		const uint64_t *word = counter_of(m, hash, i, &shift);
		const unsigned n = (unsigned)(*word >> shift) & COUNT_MAX;
		least = n < least ? n : least;
	}
	return least;
}

/* All counters are halved time and again, a few with each request: all at once they would hold up whoever comes then. */
static void fade(struct cache_memory *m)
{
	const size_t least =
		n_words(m) / COUNTED_EACH; /* so that each request costs a word at most */
	const size_t turn = COUNTED_EACH * (n_in(m) > least ? n_in(m) : least);
	for (m->due += n_words(m); m->due >= turn * BLOCK_WORDS; m->due -= turn * BLOCK_WORDS) {
		for (size_t i = 0; i < BLOCK_WORDS; i++, m->faded++)
			m->sketch[m->faded] =
				(m->sketch[m->faded] >> 1) & UINT64_C(0x7777777777777777);
		m->faded %= n_words(m);
	}
}

static void count(struct cache_memory *m, uint64_t hash)
{
	unsigned shift;
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t *word = counter_of(m, hash, i, &shift);
		if (((*word >> shift) & COUNT_MAX) < COUNT_MAX)
			*word += UINT64_C(1) << shift;
	}
	fade(m);
}

/* ---- who goes ---- */

static void evict(struct cache_memory *m, struct cache_copy *c)
{
	m->evicted++;
	cache_memory_remove(m, c);
}

static void move(struct cache_memory *m, struct cache_copy *c, enum queue to)
{
	queue_take(m, c);
	queue_push(m, to, c);
}

/* Of all but the window. */
static int64_t main_most(const struct cache_memory *m)
{
	return m->most - m->most / WINDOW_PART;
}

/* Was it asked for oftener than each of those that would go for it? */
static bool is_worth(const struct cache_memory *m, const struct cache_copy *c)
{
	const unsigned n = asked_for(m, c->hash);
	int64_t room = main_most(m) - m->queues[TRIAL].bytes - m->queues[PROVEN].bytes;
	const struct cache_copy *old = m->queues[TRIAL].oldest;
	for (unsigned i = 0; room < cache_memory_bytes(c); i++, old = old->newer) {
		if (!old || i == VICTIMS_MAX || asked_for(m, old->hash) >= n)
			return false;
		room += cache_memory_bytes(old);
	}
	return true;
}

/* What leaves the window goes on trial, if it is worth it; or it goes. */
static void advance(struct cache_memory *m)
{
	struct cache_copy *c = m->queues[WINDOW].oldest;
	if (!is_worth(m, c)) {
		evict(m, c);
		return;
	}
	while (m->queues[TRIAL].bytes + m->queues[PROVEN].bytes + cache_memory_bytes(c) >
		main_most(m))
		evict(m, m->queues[TRIAL].oldest);
	move(m, c, TRIAL);
}

static void make_room(struct cache_memory *m)
{
	while (m->queues[WINDOW].bytes > m->most / WINDOW_PART)
		advance(m);
	while (bytes_in(m) > m->most)
		evict(m, m->queues[TRIAL].n > 0 ? m->queues[TRIAL].oldest
						: m->queues[PROVEN].oldest);
}

/* It was asked for again. */
static void touch(struct cache_memory *m, struct cache_copy *c)
{
	move(m, c, c->queue == WINDOW ? WINDOW : PROVEN);
	while (m->queues[PROVEN].bytes > main_most(m) / 5 * 4)
		move(m, m->queues[PROVEN].oldest, TRIAL);
}

/* ---- what others see ---- */

static size_t buckets_for(int64_t bytes)
{
	size_t n = BUCKETS_MIN;
	while (n < BUCKETS_MAX && (int64_t)n * BUCKET_BYTES < bytes)
		n *= 2;
	return n;
}

void cache_memory_limit(struct cache_memory *m, int64_t bytes)
{
	struct cache_copy **old = m->buckets;
	const size_t n_old = m->n_buckets, n = buckets_for(bytes);
	m->most = bytes;
	make_room(m);
	if (n == n_old)
		return;
	free(m->sketch);
	m->n_buckets = n;
	m->swept = m->faded = m->due = 0;
	m->buckets = take(n, sizeof(struct cache_copy *));
	m->sketch = take(n_words(m), sizeof *m->sketch);
	for (size_t i = 0; i < n_old; i++) {
		for (struct cache_copy *c = old[i], *next; c; c = next) {
			struct cache_copy **to = bucket_of(m, c->hash);
			next = c->next;
			c->next = *to;
			*to = c;
		}
	}
	free(old);
}

void cache_memory_free(struct cache_memory *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < QUEUES; i++) {
		while (m->queues[i].oldest)
			cache_memory_remove(m, m->queues[i].oldest);
	}
	free(m->buckets);
	free(m->sketch);
	free(m);
}

static struct cache_copy *find(
	const struct cache_memory *m, uint64_t hash, const struct cache_key *key)
{
	struct cache_copy *c = *bucket_of(m, hash);
	while (c && (c->hash != hash || memcmp(c->key.bytes, key->bytes, sizeof key->bytes) != 0))
		c = c->next;
	return c;
}

struct cache_copy *cache_memory_find(const struct cache_memory *m, const struct cache_key *key)
{
	return bytes_in(m) == 0 ? NULL : find(m, hash_of(m, key), key);
}

struct cache_copy *cache_memory_get(struct cache_memory *m, const struct cache_key *key)
{
	if (m->most == 0)
		return NULL;
	const uint64_t hash = hash_of(m, key);
	struct cache_copy *c = find(m, hash, key);
	count(m, hash);
	if (c)
		touch(m, c);
	return c;
}

void cache_memory_again(struct cache_memory *m, struct cache_copy *c)
{
	assert(c->is_in);
	count(m, c->hash);
	touch(m, c);
}

void cache_memory_put(struct cache_memory *m, struct cache_copy *c)
{
	const int64_t bytes = cache_memory_bytes(c);
	struct cache_copy *old = cache_memory_find(m, &c->key);
	const enum queue to = old ? old->queue : WINDOW;
	assert(!c->next && !c->older && !c->newer);
	if (old)
		cache_memory_remove(m, old);
	if (bytes > m->most)
		return;
	c->hash = hash_of(m, &c->key);
	c->next = *bucket_of(m, c->hash);
	*bucket_of(m, c->hash) = cache_copy_hold(c);
	c->is_in = true;
	queue_push(m, to, c);
	make_room(m);
}

void cache_memory_each(
	struct cache_memory *m, void (*tell)(void *context, struct cache_copy *c), void *context)
{
	for (unsigned i = 0; i < QUEUES; i++) {
		for (struct cache_copy *c = m->queues[i].newest, *older; c; c = older) {
			older = c->older;
			tell(context, c);
		}
	}
}

bool cache_memory_sweep(struct cache_memory *m, int64_t now_s, size_t buckets)
{
	for (size_t end = m->swept + buckets; m->swept < end && m->swept < m->n_buckets;
		m->swept++) {
		for (struct cache_copy *c = m->buckets[m->swept], *next; c; c = next) {
			next = c->next;
			if (c->kept_s > now_s)
				continue;
			m->expired++;
			cache_memory_remove(m, c);
		}
	}
	if (m->swept < m->n_buckets)
		return false;
	m->swept = 0;
	return true;
}

struct cache_memory_stats cache_memory_stats(const struct cache_memory *m)
{
	return (struct cache_memory_stats){
		.n = n_in(m),
		.bytes = bytes_in(m),
		.evicted = m->evicted,
		.expired = m->expired,
	};
}
