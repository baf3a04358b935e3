/* cache.c - memory before disk. */
#include "brokerd/cache/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "brokerd/cache/list.h"

#define SWEEP_US       INT64_C(60000000) /* what is over goes, once so often, */
#define SWEEP_SLICE_US INT64_C(20000)    /* a part of all at a time */
#define SWEEP_BUCKETS  2048

struct cache {
	struct loop *loop;
	struct cache_memory *memory;
	struct cache_disk *disk;
	struct cache_limits limits;
	struct loop_timer sweep;
	struct cache_copy *last; /* what was got, until the next call */
	uint64_t seq; /* of the last put; of this clock, so that it rises over restarts */
	uint64_t generation;
	bool is_memory_swept, is_disk_swept;
	uint64_t hits_memory, hits_disk, misses, puts, expired;
};

static void on_sweep(struct loop_timer *t);

/* What was read is in memory from then on, if it is worth its place there. */
static void on_read(void *context, struct cache_copy *copy)
{
	struct cache *c = context;
	cache_memory_put(c->memory, copy);
}

struct cache *cache_new(struct loop *l, struct workers *w, const char *dir)
{
	struct cache *c = calloc(1, sizeof *c);
	struct cache_disk *disk = cache_disk_new(l, w, dir, (struct disk_reader){on_read, c});
	if (!c || !disk) {
		free(c);
		cache_disk_free(disk);
		return NULL;
	}
	c->loop = l;
	c->memory = cache_memory_new();
	c->disk = disk;
	LOOP_CALLS(&c->sweep, on_fire, on_sweep);
	return c;
}

static void forget_last(struct cache *c)
{
	cache_copy_drop(c->last);
	c->last = NULL;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	loop_timer_stop(&c->sweep);
	forget_last(c);
	cache_disk_free(c->disk);
	cache_memory_free(c->memory);
	free(c);
}

static int64_t now_s(const struct cache *c)
{
	return loop_wall_us(c->loop) / 1000000;
}

/* ---- what is over ---- */

static bool is_empty(const struct cache *c)
{
	return cache_memory_stats(c->memory).n == 0 && cache_disk_stats(c->disk).n == 0;
}

static void on_sweep(struct loop_timer *t)
{
	struct cache *c = container_of(t, struct cache, sweep);
	c->is_memory_swept =
		c->is_memory_swept || cache_memory_sweep(c->memory, now_s(c), SWEEP_BUCKETS);
	c->is_disk_swept = c->is_disk_swept || cache_disk_sweep(c->disk, now_s(c), SWEEP_BUCKETS);
	const bool is_whole = c->is_memory_swept && c->is_disk_swept;
	if (is_whole)
		c->is_memory_swept = c->is_disk_swept = false;
	if (!is_empty(c))
		loop_timer_set(c->loop, &c->sweep, is_whole ? SWEEP_US : SWEEP_SLICE_US);
}

/* From the first time on that something is asked for while there is anything: what an earlier run has left is looked at then. */
static void sweep_later(struct cache *c)
{
	if (!c->sweep.loop && !is_empty(c))
		loop_timer_set(c->loop, &c->sweep, SWEEP_US);
}

/* ---- limits and the key ---- */

static void remove_longer(void *context, struct cache_copy *copy)
{
	struct cache *c = context;
	if ((int64_t)copy->about_bytes + copy->body_bytes > c->limits.entry_bytes)
		cache_memory_remove(c->memory, copy);
}

static bool is_longer(void *context, const struct cache_known *k)
{
	const struct cache *c = context;
	return (int64_t)k->bytes > c->limits.entry_bytes;
}

void cache_limit(struct cache *c, const struct cache_limits *limits)
{
	const bool is_shorter = limits->entry_bytes < c->limits.entry_bytes;
	const bool is_first = c->limits.entry_bytes == 0;
	const bool is_disk = limits->disk_bytes != c->limits.disk_bytes || is_first;
	forget_last(c);
	c->limits = *limits;
	cache_memory_limit(c->memory, limits->memory_bytes);
	if (is_disk)
		cache_disk_limit(c->disk, limits->disk_bytes);
	if (!is_shorter && !is_first)
		return;
	cache_memory_each(c->memory, remove_longer, c);
	cache_disk_remove_if(c->disk, is_longer, c);
	cache_disk_doom_longer(c->disk, (size_t)limits->entry_bytes);
}

void cache_open(struct cache *c, const unsigned char key[CACHE_SEAL_BYTES])
{
	forget_last(c);
	cache_disk_open(c->disk, key);
}

void cache_close(struct cache *c)
{
	forget_last(c);
	cache_disk_close(c->disk);
}

void cache_let_go(struct cache *c)
{
	if (!c)
		return;
	forget_last(c);
	cache_disk_let_go(c->disk);
}

/* ---- one answer ---- */

static void remove_key(struct cache *c, const struct cache_key *key)
{
	struct cache_copy *old = cache_memory_find(c->memory, key);
	if (old)
		cache_memory_remove(c->memory, old);
	cache_disk_remove(c->disk, key);
}

void cache_remove(struct cache *c, const struct cache_key *key)
{
	forget_last(c);
	c->generation++;
	remove_key(c, key);
	cache_disk_flush(c->disk);
}

static uint64_t next_seq(struct cache *c)
{
	const int64_t wall_us = loop_wall_us(c->loop);
	const uint64_t seq = wall_us > 0 ? (uint64_t)wall_us : 0;
	c->seq = seq > c->seq ? seq : c->seq + 1;
	return c->seq;
}

/* NULL: it is not to be kept, or cannot be. */
static struct cache_copy *copy_of(
	struct cache *c, const struct cache_key *key, const struct cache_entry *e, int64_t now)
{
	if (e->about.n > CACHE_ABOUT_BYTES || e->body.n > CACHE_BODY_MAX || e->kept_s <= now ||
		(int64_t)(e->about.n + e->body.n) > c->limits.entry_bytes)
		return NULL;
	struct cache_copy *copy = cache_copy_new(key, e->about.n, e->body.n);
	if (!copy)
		return NULL;
	copy->seq = next_seq(c);
	copy->scope = e->scope;
	copy->at_s = e->at_s;
	copy->fresh_s = e->fresh_s;
	copy->kept_s = e->kept_s;
	if (e->about.n > 0)
		memcpy(copy->bytes, e->about.p, e->about.n);
	if (e->body.n > 0)
		memcpy(copy->bytes + e->about.n, e->body.p, e->body.n);
	return copy;
}

bool cache_put(
	struct cache *c, const struct cache_key *key, const struct cache_entry *e, int64_t now)
{
	struct cache_copy *copy = copy_of(c, key, e, now);
	forget_last(c); /* what is put may be what was got */
	if (!copy) {
		remove_key(c, key);
		return false;
	}
	cache_memory_put(c->memory, copy);
	cache_disk_put(c->disk, copy);
	cache_copy_drop(copy);
	sweep_later(c);
	const bool is_kept = cache_memory_find(c->memory, key) || cache_disk_waiting(c->disk, key);
	c->puts += is_kept;
	return is_kept;
}

/* Until the next call. */
static void show(struct cache *c, struct cache_copy *copy, int64_t now, struct cache_entry *out)
{
	c->last = cache_copy_hold(copy);
	*out = cache_copy_entry(copy);
	if (out->at_s > now)
		out->at_s = now;
}

struct cache_copy *cache_hold(struct cache *c)
{
	return cache_copy_hold(c->last);
}

enum cache_found cache_peek(
	struct cache *c, const struct cache_key *key, int64_t now, struct cache_entry *out)
{
	forget_last(c);
	struct cache_copy *copy = cache_memory_find(c->memory, key);
	if (!copy)
		copy = cache_disk_waiting(c->disk, key);
	if (!copy)
		return cache_disk_knows(c->disk, key, now) ? CACHE_COMES : CACHE_MISS;
	if (copy->kept_s <= now)
		return CACHE_MISS;
	show(c, copy, now, out);
	return CACHE_THERE;
}

enum cache_found cache_get(struct cache *c, const struct cache_key *key, int64_t now,
	struct cache_wait *w, struct cache_entry *out)
{
	forget_last(c);
	sweep_later(c);
	struct cache_copy *copy = cache_disk_come(c->disk, key);
	const bool is_read = copy != NULL;
	if (!copy)
		copy = cache_memory_get(c->memory, key);
	if (!copy)
		copy = cache_disk_waiting(c->disk, key);
	if (copy && copy->kept_s <= now) {
		c->expired++;
		remove_key(c, key);
		copy = NULL;
	}
	if (!copy && cache_disk_get(c->disk, key, now, w))
		return CACHE_COMES;
	if (!copy) {
		c->misses++;
		return CACHE_MISS;
	}
	*(is_read ? &c->hits_disk : &c->hits_memory) += 1;
	show(c, copy, now, out);
	return CACHE_THERE;
}

bool cache_shows(const struct cache_copy *held, int64_t now)
{
	return held->is_in && held->kept_s > now;
}

void cache_again(struct cache *c, struct cache_copy *held)
{
	sweep_later(c);
	cache_memory_again(c->memory, held);
	c->hits_memory++;
}

void cache_leave(struct cache_wait *w)
{
	cache_disk_leave(w);
}

/* ---- all of them ---- */

struct clearing {
	struct cache *cache;
	const struct cache_filter *filter;
	size_t n;
};

static bool goes(void *context, const struct cache_known *k)
{
	struct clearing *t = context;
	if (!cache_is_meant(t->filter, k->scope))
		return false;
	if (!cache_memory_find(t->cache->memory, k->key))
		t->n++; /* else it is counted there */
	return true;
}

static void clear_meant(void *context, struct cache_copy *copy)
{
	struct clearing *t = context;
	if (!cache_is_meant(t->filter, copy->scope))
		return;
	t->n++;
	cache_memory_remove(t->cache->memory, copy);
}

/* What is on disk, too, is counted there: nobody walks through all of those. */
static void clear_any(void *context, struct cache_copy *copy)
{
	struct clearing *t = context;
	t->n += !cache_disk_has(t->cache->disk, &copy->key, copy->seq);
	cache_memory_remove(t->cache->memory, copy);
}

size_t cache_clear(struct cache *c, const struct cache_filter *f, struct cache_clearing *t)
{
	struct clearing all = {.cache = c, .filter = f};
	forget_last(c);
	c->generation++;
	if (f->is_of_scope) {
		cache_disk_remove_if(c->disk, goes, &all);
		cache_disk_doom_scope(c->disk, f->scope);
		cache_memory_each(c->memory, clear_meant, &all);
	} else {
		all.n = cache_disk_stats(c->disk).n;
		cache_memory_each(c->memory, clear_any, &all);
		cache_disk_clear(c->disk);
	}
	cache_disk_make_sure(c->disk, t);
	return all.n;
}

uint64_t cache_generation(const struct cache *c)
{
	return c->generation;
}

void cache_make_sure(struct cache *c, struct cache_clearing *t)
{
	cache_disk_make_sure(c->disk, t);
}

void cache_clear_leave(struct cache_clearing *t)
{
	cache_disk_leave_sure(t);
}

struct finding {
	const struct cache_filter *filter;
	struct span begins;
	struct cache_key *found;
	bool is_found;
};

static void note_key(struct finding *t, const struct cache_key *key, uint64_t scope)
{
	if (t->is_found || !cache_is_meant(t->filter, scope) ||
		memcmp(key->bytes, t->begins.p, t->begins.n) != 0)
		return;
	*t->found = *key;
	t->is_found = true;
}

static void note_copy(void *context, struct cache_copy *copy)
{
	note_key(context, &copy->key, copy->scope);
}

bool cache_find(
	struct cache *c, const struct cache_filter *f, struct span begins, struct cache_key *out)
{
	struct finding t = {.filter = f, .begins = begins, .found = out};
	assert(begins.n >= 8 && begins.n <= sizeof out->bytes);
	cache_memory_each(c->memory, note_copy, &t);
	cache_disk_each_waiting(c->disk, note_copy, &t);
	for (const struct cache_place *p = cache_disk_newest(c->disk); p && !t.is_found;
		p = p->older)
		note_key(&t, &p->key, p->scope);
	return t.is_found;
}

void cache_each(struct cache *c, const struct cache_filter *f, size_t most, struct cache_telling *t)
{
	forget_last(c);
	cache_list(c->memory, c->disk, &(struct cache_list){*f, now_s(c), most}, t);
}

void cache_each_leave(struct cache_telling *t)
{
	cache_list_leave(t);
}

void cache_stats(const struct cache *c, struct cache_stats *out)
{
	const struct cache_memory_stats memory = cache_memory_stats(c->memory);
	const struct cache_disk_stats disk = cache_disk_stats(c->disk);
	*out = (struct cache_stats){
		.n_memory = memory.n,
		.n_disk = disk.n,
		.memory_bytes = memory.bytes,
		.disk_bytes = disk.bytes,
		.hits_memory = c->hits_memory,
		.hits_disk = c->hits_disk,
		.misses = c->misses,
		.puts = c->puts,
		.evicted = memory.evicted + disk.evicted,
		.expired = c->expired + memory.expired + disk.expired,
		.damaged = disk.damaged,
		.is_open = disk.is_open,
		.is_read = disk.is_read,
		.disk_cause = disk.cause,
	};
}

struct counting {
	const struct cache_filter *filter;
	struct cache_stats *out;
};

static void count_memory(void *context, struct cache_copy *copy)
{
	const struct counting *t = context;
	if (!cache_is_meant(t->filter, copy->scope))
		return;
	t->out->n_memory++;
	t->out->memory_bytes += cache_memory_bytes(copy);
}

static void count_disk(const struct counting *t, uint64_t scope, size_t bytes)
{
	if (!cache_is_meant(t->filter, scope))
		return;
	t->out->n_disk++;
	t->out->disk_bytes += (int64_t)bytes;
}

static void count_waiting(void *context, struct cache_copy *copy)
{
	count_disk(context, copy->scope, cache_record_bytes(copy->about_bytes, copy->body_bytes));
}

void cache_count(struct cache *c, const struct cache_filter *f, struct cache_stats *out)
{
	struct counting t = {.filter = f, .out = out};
	*out = (struct cache_stats){.n_memory = 0};
	cache_memory_each(c->memory, count_memory, &t);
	cache_disk_each_waiting(c->disk, count_waiting, &t);
	for (const struct cache_place *p = cache_disk_newest(c->disk); p; p = p->older) {
		if (!p->is_busy) /* else it waits */
			count_disk(&t, p->scope, p->bytes);
	}
}
