/* semantic.c - the index: what is there, in which block, and how it goes. */
#include "brokerd/cache/semantic.h"

#include <assert.h>
#include <stdlib.h>

#include "brokerd/cache/semantic_parts.h"
#include "protocol/base/list.h"

#define SHELF_LEAST ((size_t)2)                           /* blocks that a group has room for */
#define ITEM_BYTES  ((int64_t)(sizeof(struct item) + 16)) /* with the heap's word */
#define GROUP_BYTES ((int64_t)(sizeof(struct group) + 16))
#define FREED_MOST  ((int64_t)1 << 20) /* bytes at once, on the loop */

/* What a worker frees. */
struct riddance {
	struct job job;
	struct lot *lots;
	struct item *items;
	struct group *groups;
};

/* ---- what goes ---- */

static void lots_free(struct lot *lots)
{
	while (lots) {
		struct lot *l = lots;
		LIST_REMOVE(lots, l);
		free(l);
	}
}

/* With all that is in them. Nothing here asks for a hash, which is the loop's. */
static void all_free(struct item *items, struct group *groups)
{
	struct item *i, *later;
	struct group *g, *after;
	TABLE_EACH(items, i, later) {
		TABLE_REMOVE(items, i);
		free(i);
	}
	TABLE_EACH(groups, g, after) {
		TABLE_REMOVE(groups, g);
		for (size_t n = 0; n < g->shelf->n; n++)
			free(atomic_load(&g->shelf->blocks[n]));
		free(g->shelf);
		free(g);
	}
}

static void on_rid(struct job *j)
{
	struct riddance *r = container_of(j, struct riddance, job);
	lots_free(r->lots);
	all_free(r->items, r->groups);
}

static void on_rid_done(struct job *j)
{
	free(container_of(j, struct riddance, job));
}

/* Behind the searches that are under way, in their lane. */
static void get_rid(struct semantic *s, const struct riddance *of)
{
	struct riddance *r = malloc(sizeof *r);
	if (!r)
		abort();
	*r = *of;
	r->job = (struct job){.run = on_rid, .on_done = on_rid_done};
	workers_submit(s->workers, &r->job, SEMANTIC_LANE);
}

static void loosen(struct semantic *s, struct lot *l)
{
	s->loose_bytes += l->bytes;
	LIST_PUSH(s->loose, l);
}

static void lot_begin(struct semantic *s, struct lot *l, int64_t bytes)
{
	*l = (struct lot){.since = s->begun, .bytes = bytes};
	s->bytes += bytes;
}

static void lot_end(struct semantic *s, struct lot *l)
{
	s->bytes -= l->bytes;
	const struct semantic_search *last = s->under_way ? s->under_way->prev : NULL;
	if (!last || last->number <= l->since) {
		loosen(s, l);
		return;
	}
	l->until = last->number;
	LIST_PUSH(s->seen, l);
}

void semantic_sweep(struct semantic *s)
{
	while (s->seen && (!s->under_way || s->seen->until < s->under_way->number)) {
		struct lot *l = s->seen;
		LIST_REMOVE(s->seen, l);
		loosen(s, l);
	}
	struct lot *loose = s->loose;
	const int64_t bytes = s->loose_bytes;
	s->loose = NULL;
	s->loose_bytes = 0;
	if (bytes > FREED_MOST)
		get_rid(s, &(struct riddance){.lots = loose});
	else
		lots_free(loose);
}

/* ---- blocks ---- */

static struct shelf *shelf_new(struct semantic *s, size_t room)
{
	const size_t bytes = sizeof(struct shelf) + room * sizeof(struct block *);
	struct shelf *shelf = malloc(bytes);
	if (!shelf)
		abort();
	lot_begin(s, &shelf->lot, (int64_t)bytes + 16);
	shelf->room = room;
	shelf->n = 0;
	return shelf;
}

static void shelf_add(struct shelf *shelf, struct block *b)
{
	b->slot = shelf->n;
	atomic_init(&shelf->blocks[shelf->n], b);
	shelf->n++;
}

/* The places of those that are gone are left out: as many are free then as are taken. */
static void shelf_renew(struct semantic *s, struct group *g)
{
	struct shelf *old = g->shelf;
	g->shelf = shelf_new(s, SHELF_LEAST + g->n_blocks * 2);
	for (size_t i = 0; i < old->n; i++) {
		struct block *b = atomic_load(&old->blocks[i]);
		if (b)
			shelf_add(g->shelf, b);
	}
	lot_end(s, &old->lot);
}

/* The larger its group, the more are added at once: no more than a fourth of it stands empty. */
static struct block *block_new(struct semantic *s, struct group *g)
{
	size_t room = 1 + g->n / 4;
	if (room > SEMANTIC_BLOCK)
		room = SEMANTIC_BLOCK;
	const size_t numbers = room * g->stride;
	const size_t bytes =
		sizeof(struct block) + numbers * sizeof(int16_t) + room * sizeof(struct item *);
	struct block *b = malloc(bytes);
	if (!b)
		abort();
	lot_begin(s, &b->lot, (int64_t)bytes + 16);
	b->room = room;
	b->n = 0;
	b->items = (struct item **)(void *)(b->numbers + numbers);
	atomic_init(&b->live, 0);
	if (g->shelf->n == g->shelf->room)
		shelf_renew(s, g);
	shelf_add(g->shelf, b);
	g->n_blocks++;
	return b;
}

static void leave_block(struct semantic *s, struct group *g, struct block *b)
{
	atomic_store(&g->shelf->blocks[b->slot], NULL);
	g->n_blocks--;
	lot_end(s, &b->lot);
}

struct block *semantic_last_block(const struct shelf *shelf)
{
	return shelf->n > 0 ? atomic_load(&shelf->blocks[shelf->n - 1]) : NULL;
}

struct group *semantic_group(const struct semantic *s, const struct cache_key *key)
{
	struct group *g;
	TABLE_FIND(s->groups, g, key, sizeof *key);
	return g;
}

static struct group *group_make(struct semantic *s, const struct cache_key *key, size_t stride)
{
	struct group *g = semantic_group(s, key);
	if (g)
		return g;
	g = calloc(1, sizeof *g);
	if (!g)
		abort();
	g->key = *key;
	g->stride = stride;
	g->shelf = shelf_new(s, SHELF_LEAST);
	TABLE_ADD(s->groups, g, &g->key, sizeof g->key);
	s->bytes += GROUP_BYTES;
	return g;
}

static void item_remove(struct semantic *s, struct item *i)
{
	struct group *g = i->group;
	struct block *b = i->block;
	atomic_fetch_and(&b->live, ~(UINT64_C(1) << i->at));
	b->items[i->at] = NULL;
	if (atomic_load(&b->live) == 0)
		leave_block(s, g, b);
	if (--g->n == 0) {
		assert(g->n_blocks == 0);
		TABLE_REMOVE(s->groups, g);
		lot_end(s, &g->shelf->lot);
		s->bytes -= GROUP_BYTES;
		free(g);
	}
	TABLE_REMOVE(s->items, i);
	LIST_REMOVE(s->oldest, i);
	s->bytes -= ITEM_BYTES;
	free(i);
}

/* ---- all of them ---- */

struct semantic *semantic_new(struct workers *w)
{
	struct semantic *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->workers = w;
	return s;
}

void semantic_free(struct semantic *s)
{
	if (!s)
		return;
	assert(!s->under_way);
	all_free(s->items, s->groups);
	lots_free(s->seen);
	lots_free(s->loose);
	free(s);
}

/* At once, for nobody is found there any more; how many there were. */
static size_t empty(struct semantic *s)
{
	const size_t n = TABLE_COUNT(s->items);
	if (n == 0)
		return 0;
	get_rid(s, &(struct riddance){.items = s->items, .groups = s->groups});
	s->items = s->oldest = NULL;
	s->groups = NULL;
	s->bytes = 0;
	s->emptied++;
	return n;
}

static bool is_over_limits(const struct semantic *s)
{
	return (int64_t)TABLE_COUNT(s->items) > s->limits.vectors || s->bytes > s->limits.bytes;
}

static void evict(struct semantic *s)
{
	while (s->oldest && is_over_limits(s)) {
		item_remove(s, s->oldest);
		s->evicted++;
	}
}

void semantic_remove_over(struct semantic *s, int64_t now_s)
{
	for (size_t i = 0; i < SEMANTIC_BLOCK && s->oldest && s->oldest->kept_s <= now_s; i++)
		item_remove(s, s->oldest);
}

void semantic_limit(struct semantic *s, const struct semantic_limits *limits)
{
	s->limits = *limits;
	if (limits->vectors == 0 || limits->bytes == 0)
		s->evicted += empty(s);
	evict(s);
	semantic_sweep(s);
}

static void remove_answer(struct semantic *s, const struct cache_key *answer)
{
	struct item *i;
	TABLE_FIND(s->items, i, answer, sizeof *answer);
	if (i)
		item_remove(s, i);
}

static void add(struct semantic *s, const struct semantic_entry *e, const struct semantic_vector *v)
{
	struct group *g = group_make(s, &e->group, v->stride);
	assert(g->stride == v->stride);
	struct block *b = semantic_last_block(g->shelf);
	if (!b || b->n == b->room)
		b = block_new(s, g);
	struct item *i = calloc(1, sizeof *i);
	if (!i)
		abort();
	memcpy(b->numbers + b->n * g->stride, v->numbers, g->stride * sizeof *v->numbers);
	*i = (struct item){.answer = e->answer,
		.group = g,
		.block = b,
		.at = b->n,
		.scope = e->scope,
		.kept_s = e->kept_s};
	b->items[b->n] = i;
	atomic_fetch_or(&b->live, UINT64_C(1) << b->n);
	b->n++;
	g->n++;
	TABLE_ADD(s->items, i, &i->answer, sizeof i->answer);
	LIST_PUSH(s->oldest, i);
	s->bytes += ITEM_BYTES;
}

void semantic_put(struct semantic *s, const struct semantic_entry *e,
	const struct semantic_vector *v, int64_t now_s)
{
	remove_answer(s, &e->answer);
	semantic_remove_over(s, now_s);
	if (s->limits.vectors > 0 && e->kept_s > now_s)
		add(s, e, v);
	evict(s);
	semantic_sweep(s);
}

void semantic_remove(struct semantic *s, const struct cache_key *answer)
{
	remove_answer(s, answer);
	semantic_sweep(s);
}

size_t semantic_clear(struct semantic *s, const struct cache_filter *f)
{
	struct item *i, *after;
	size_t n = 0;
	if (!f->is_of_scope)
		return empty(s);
	LIST_EACH_SAFE(s->oldest, i, after) {
		if (i->scope != f->scope)
			continue;
		item_remove(s, i);
		n++;
	}
	semantic_sweep(s);
	return n;
}

void semantic_note_hit(struct semantic *s)
{
	s->hits++;
}

struct semantic_stats semantic_stats(const struct semantic *s)
{
	return (struct semantic_stats){.n = TABLE_COUNT(s->items),
		.n_groups = TABLE_COUNT(s->groups),
		.bytes = s->bytes,
		.searches = s->searches,
		.hits = s->hits,
		.evicted = s->evicted};
}
