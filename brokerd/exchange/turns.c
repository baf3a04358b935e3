/* turns.c - one task gives turns, one timer brings it again, another tells. */
#include "brokerd/exchange/turns.h"

#include <stdlib.h>

#include "protocol/base/list.h"
#include "protocol/base/owned.h"

/* Each turn that is taken encodes a request and sends it. */
#define SLICE 32

#define TELL_US INT64_C(1000000)
#define TELL_N  256 /* in one go */

struct turns {
	struct loop *loop;
	struct limiter *limiter;
	struct queue *queue;
	struct turn *all; /* who was told longest ago first */
	struct loop_task give;
	struct loop_timer again, tell;
	size_t n_given; /* in this run */
	bool is_over;
};

/* ---- telling ---- */

/* A few places make a difference at the head of a queue, and none at its end. */
static bool is_news(size_t told, size_t place)
{
	return told == 0 || place * 2 <= told || (place < told && place <= 3) || place > told * 2;
}

static void tell_one(struct turn *w)
{
	struct queue_view view;
	queue_look(&w->place, &view);
	if (!is_news(w->told, view.place))
		return;
	w->told = view.place;
	w->on_place(w, &view);
}

/* Those who have joined since the last turns, and have to wait indeed. */
static void tell_new(struct turns *t)
{
	struct turn *w;
	size_t left = TELL_N;
	LIST_EACH(t->all, w) {
		if (w->told > 0 || left-- == 0)
			return;
		tell_one(w);
	}
}

static void on_tell(struct loop_timer *timer)
{
	struct turns *t = container_of(timer, struct turns, tell);
	size_t left = queue_n(t->queue) < TELL_N ? queue_n(t->queue) : TELL_N;
	if (left > 0)
		loop_timer_set(t->loop, &t->tell, TELL_US);
	for (; left > 0; left--) {
		struct turn *w = t->all;
		LIST_REMOVE(t->all, w);
		LIST_PUSH(t->all, w);
		tell_one(w);
	}
}

/* ---- giving ---- */

static void give_soon(struct turns *t)
{
	if (queue_n(t->queue) > 0)
		loop_later(t->loop, &t->give);
}

static void on_free(void *context)
{
	struct turns *t = context;
	queue_stir(t->queue);
	give_soon(t);
}

static void give(struct loop_task *task)
{
	struct turns *t = container_of(task, struct turns, give);
	const int64_t now_us = loop_now_us(t->loop);
	t->n_given = 0;
	const int64_t next_us = queue_run(t->queue, now_us);
	if (t->n_given >= SLICE)
		give_soon(t);
	tell_new(t);
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
	t->give.on_run = give;
	t->again.on_fire = on_again;
	t->tell.on_fire = on_tell;
	limiter_on_free(limiter, on_free, t);
	return t;
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	limiter_on_free(t->limiter, NULL, NULL);
	loop_task_stop(&t->give);
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

bool turns_is_before(const struct turns *t, struct span lane, struct span identity, bool is_batch)
{
	return queue_is_before(t->queue, lane, identity, is_batch);
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
