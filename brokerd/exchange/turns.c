/* turns.c - one task gives turns, one timer brings it again, another tells. */
#include "brokerd/exchange/turns.h"

#include <stdlib.h>

#include "protocol/base/list.h"
#include "protocol/base/owned.h"

/* Each turn that is taken encodes a request and sends it: no more in one turn of the loop, and fewer where it is late. */
#define SLICE 32

#define TELL_US INT64_C(1000000)
#define TELL_N  256 /* in each of these */
/* At a time: to find a place is to walk the lane. */
#define TELL_SLICE 8

struct turns {
	struct loop *loop;
	struct limiter *limiter;
	struct queue *queue;
	struct turn *all; /* who was told longest ago first */
	struct loop_task give, telling;
	struct loop_timer again, tell;
	size_t n_given;   /* in this run */
	size_t n_to_tell; /* that are looked at before the next second */
	bool is_over;
};

/* ---- telling ---- */

/* A few places make a difference at the head of a queue, and none at its end. */
static bool is_news(size_t told, size_t place)
{
	return told == 0 || place * 2 <= told || (place < told && place <= 3) || place > told * 2;
}

static void tell_place(struct turn *w, const struct queue_view *v)
{
	if (!is_news(w->told, v->place))
		return;
	w->told = v->place;
	w->on_place(w, v);
}

/* Takes whoever is first to the end of the list. */
static struct turn *look_at_first(struct turns *t, struct queue_view *view)
{
	struct turn *w = t->all;
	LIST_REMOVE(t->all, w);
	LIST_PUSH(t->all, w);
	queue_look(&w->place, view);
	return w;
}

/* Those who have joined since the last turns, and have to wait indeed: they are the first. */
static size_t tell_new(struct turns *t, size_t most)
{
	struct queue_view view;
	size_t n = 0;
	for (; n < most && t->all && t->all->told == 0; n++) {
		struct turn *w = look_at_first(t, &view);
		tell_place(w, &view);
	}
	return n;
}

static void tell_longest(struct turns *t)
{
	struct queue_view view;
	struct turn *w = look_at_first(t, &view);
	if (!w->on_look(w, &view))
		tell_place(w, &view);
}

static void on_telling(struct loop_task *task)
{
	struct turns *t = container_of(task, struct turns, telling);
	size_t n = tell_new(t, TELL_SLICE);
	for (; n < TELL_SLICE && t->n_to_tell > 0 && t->all; n++) {
		t->n_to_tell--;
		tell_longest(t);
	}
	if (!t->all)
		t->n_to_tell = 0;
	if (t->n_to_tell > 0 || n == TELL_SLICE)
		loop_later(t->loop, &t->telling);
}

static void on_tell(struct loop_timer *timer)
{
	struct turns *t = container_of(timer, struct turns, tell);
	t->n_to_tell = queue_n(t->queue) < TELL_N ? queue_n(t->queue) : TELL_N;
	if (t->n_to_tell == 0)
		return;
	loop_timer_set(t->loop, &t->tell, TELL_US);
	loop_later(t->loop, &t->telling);
}

/* ---- giving ---- */

static void give_soon(struct turns *t)
{
	if (queue_n(t->queue) > 0)
		loop_later(t->loop, &t->give);
}

void turns_stir(struct turns *t)
{
	queue_stir(t->queue);
	give_soon(t);
}

static void on_free(void *context)
{
	turns_stir(context);
}

static void give(struct loop_task *task)
{
	struct turns *t = container_of(task, struct turns, give);
	const int64_t now_us = loop_now_us(t->loop);
	t->n_given = 0;
	const int64_t next_us = queue_run(t->queue, now_us);
	if (t->n_given >= SLICE)
		give_soon(t);
	loop_later(t->loop, &t->telling);
	if (next_us == INT64_MAX || queue_n(t->queue) == 0)
		loop_timer_stop(&t->again);
	else
		loop_timer_set(t->loop, &t->again, next_us > now_us ? next_us - now_us : 0);
}

static void on_again(struct loop_timer *timer)
{
	give_soon(container_of(timer, struct turns, again));
}

/* Enough for this slice: whoever is next is so in the next one too. */
static void on_place_turn(struct queue_place *p)
{
	struct turn *w = container_of(p, struct turn, place);
	struct turns *t = w->turns;
	if (t->n_given > 0 && loop_is_late(t->loop))
		t->n_given = SLICE;
	if (t->n_given < SLICE) {
		t->n_given++;
		w->on_turn(w);
	}
}

/* ---- from outside ---- */

struct turns *turns_new(struct loop *l, struct limiter *limiter)
{
	struct turns *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->queue = queue_new();
	if (!t->queue) {
		free(t);
		return NULL;
	}
	t->loop = l;
	t->limiter = limiter;
	LOOP_CALLS(&t->give, on_run, give);
	LOOP_CALLS(&t->again, on_fire, on_again);
	LOOP_CALLS(&t->tell, on_fire, on_tell);
	LOOP_CALLS(&t->telling, on_run, on_telling);
	limiter_on_free(limiter, on_free, t);
	return t;
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	limiter_on_free(t->limiter, NULL, NULL);
	loop_task_stop(&t->give);
	loop_task_stop(&t->telling);
	loop_timer_stop(&t->again);
	loop_timer_stop(&t->tell);
	queue_free(t->queue);
	free(t);
}

size_t turns_n(const struct turns *t)
{
	return queue_n(t->queue);
}

enum err turns_join(struct turns *t, struct span lane, struct span identity, bool is_batch,
	struct turn *w, struct fault *why)
{
	if (t->is_over)
		return fault_set(why, ERR_RESTARTING, "%s", err_info(ERR_RESTARTING)->sentence);
	w->place.on_turn = on_place_turn;
	const enum err err = queue_join(t->queue, lane, identity, is_batch, &w->place, why);
	if (err)
		return err;
	w->turns = t;
	w->told = 0;
	LIST_FRONT(t->all, w);
	if (!t->tell.loop)
		loop_timer_set(t->loop, &t->tell, TELL_US);
	give_soon(t);
	return OK;
}

void turns_leave(struct turn *w)
{
	struct turns *t = w->turns;
	if (!queue_waits(&w->place))
		return;
	queue_leave(&w->place);
	LIST_REMOVE(t->all, w);
	if (queue_n(t->queue) > 0) {
		give_soon(t); /* who comes behind it may wait for less */
		return;
	}
	loop_timer_stop(&t->again);
	loop_timer_stop(&t->tell);
}

bool turns_waits(const struct turn *w)
{
	return queue_waits(&w->place);
}

struct turn *turns_before(
	const struct turns *t, struct span lane, struct span identity, bool is_batch)
{
	struct queue_place *p = queue_before(t->queue, lane, identity, is_batch);
	return p ? container_of(p, struct turn, place) : NULL;
}

struct turn *turns_lacking(const struct turns *t, const void *const *what, size_t n, bool is_batch)
{
	struct queue_place *p = queue_lacks(t->queue, what, n, is_batch);
	return p ? container_of(p, struct turn, place) : NULL;
}

enum err turns_look_ahead(struct turns *t, struct span lane, struct span identity, bool is_batch,
	int64_t cost_tokens, struct queue_view *out, struct fault *why)
{
	return queue_look_ahead(t->queue, lane, identity, is_batch, cost_tokens, out, why);
}

void turns_end(struct turns *t)
{
	t->is_over = true;
	while (t->all) {
		struct turn *w = t->all;
		turns_leave(w);
		w->on_end(w);
	}
}
