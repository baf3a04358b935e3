/* semantic_search.c - the nearest of some groups, looked for by a worker in what was there when it was asked. */
#include <assert.h>
#include <stdlib.h>

#include "brokerd/cache/semantic_parts.h"
#include "protocol/base/list.h"

#define WORK_MOST ((size_t)1 << 30) /* products that are waited for: about a third of a second */
#define WAIT_MOST ((size_t)256)     /* searches, however short */

static uint64_t first_bits(size_t n)
{
	return n < SEMANTIC_BLOCK ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
}

static void look_at(struct semantic_search *search, size_t range, struct block *b, uint64_t live)
{
	const struct semantic_vector *v = search->vector;
	const int16_t *numbers = b->numbers;
	int32_t best = search->best ? search->score : INT32_MIN;
	for (size_t at = 0; at < SEMANTIC_BLOCK; at++) {
		if (!(live >> at & 1))
			continue;
		const int32_t product =
			semantic_dot(v->numbers, numbers + at * v->stride, v->stride);
		if (product < best)
			continue;
		best = product;
		search->best = b;
		search->range = range;
		search->at = at;
	}
	search->score = best;
}

static void on_run(struct job *j)
{
	struct semantic_search *search = container_of(j, struct semantic_search, job);
	for (size_t i = 0; i < search->n; i++) {
		const struct range *r = &search->ranges[i];
		for (size_t n = 0; n < r->n && !atomic_load(&search->is_left); n++) {
			struct block *b = atomic_load(&r->shelf->blocks[n]);
			const size_t most = n + 1 < r->n ? SEMANTIC_BLOCK : r->in_last;
			if (b)
				look_at(search, i, b, atomic_load(&b->live) & first_bits(most));
		}
	}
}

/* What is still there of what it has found. False: nothing. */
static bool match_of(const struct semantic_search *search, struct semantic_match *m)
{
	const bool is_there = search->best && search->emptied == search->semantic->emptied;
	const struct item *i = is_there ? search->best->items[search->at] : NULL;
	if (!i)
		return false;
	*m = (struct semantic_match){.answer = i->answer,
		.group = search->ranges[search->range].group,
		.score = semantic_score(search->score)};
	return true;
}

static void on_done(struct job *j)
{
	struct semantic_search *search = container_of(j, struct semantic_search, job);
	struct semantic *s = search->semantic;
	struct semantic_match m;
	const bool is_found = match_of(search, &m);
	LIST_REMOVE(s->under_way, search);
	s->n_under_way--;
	s->work -= search->work;
	semantic_sweep(s);
	if (!atomic_load(&search->is_left))
		search->on_found(search->context, is_found ? &m : NULL);
	semantic_vector_drop(search->vector);
	free(search);
}

static void submit(struct semantic *s, struct semantic_search *search)
{
	search->job = (struct job){.run = on_run, .on_done = on_done};
	search->semantic = s;
	search->number = ++s->begun;
	search->emptied = s->emptied;
	LIST_PUSH(s->under_way, search);
	s->n_under_way++;
	s->work += search->work;
	workers_submit(s->workers, &search->job, SEMANTIC_LANE);
}

struct semantic_search *semantic_find(struct semantic *s, struct semantic_vector *v,
	const struct cache_key *groups, size_t n, int64_t now_s,
	void (*on_found)(void *context, const struct semantic_match *m), void *context)
{
	struct semantic_search found = {.n = 0};
	s->searches++;
	semantic_remove_over(s, now_s);
	semantic_sweep(s);
	for (size_t i = 0; i < n && i < SEMANTIC_GROUPS; i++) {
		const struct group *g = semantic_group(s, &groups[i]);
		if (!g)
			continue;
		assert(g->stride == v->stride);
		const struct block *last = semantic_last_block(g->shelf);
		found.ranges[found.n++] =
			(struct range){g->shelf, g->shelf->n, last ? last->n : 0, i};
		found.work += g->n * g->stride;
	}
	const bool is_crowded = s->n_under_way >= WAIT_MOST ||
				(s->n_under_way > 0 && s->work + found.work > WORK_MOST);
	if (found.n == 0 || is_crowded)
		return NULL;
	struct semantic_search *search = calloc(1, sizeof *search);
	if (!search)
		abort();
	search->n = found.n;
	search->work = found.work;
	memcpy(search->ranges, found.ranges, sizeof found.ranges);
	search->vector = semantic_vector_hold(v);
	search->on_found = on_found;
	search->context = context;
	submit(s, search);
	return search;
}

void semantic_leave(struct semantic_search *search)
{
	if (search)
		atomic_store(&search->is_left, true);
}
