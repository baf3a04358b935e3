/* turns.h - when do those who wait for their turn get it?
 * The queue (limit/queue.h) on the loop: turns are given when something becomes free and when a time comes, some at a
 * time, and those who wait are told how they stand. */
#ifndef BROKERD_EXCHANGE_TURNS_H
#define BROKERD_EXCHANGE_TURNS_H
#include "brokerd/limit/limiter.h"
#include "brokerd/limit/queue.h"
#include "brokerd/loop/loop.h"

struct turns;

/* Listens to what becomes free. NULL: out of memory. */
struct turns *turns_new(struct loop *l, struct limiter *limiter);
void turns_free(struct turns *t);      /* nobody waits; NULL is fine. Before the limiter */
size_t turns_n(const struct turns *t); /* that wait */

/* One who waits. Embedded; zeroed but for its callbacks. */
struct turn {
	struct turn *prev, *next; /* of all who wait */
	struct queue_place place; /* cost_tokens, and what it was told last: queue.h */
	struct turns *turns;
	size_t told; /* its place as it was told last; 0: never */
	/* try now: turns_leave, or stay and say in `place` until when */
	void (*on_turn)(struct turn *w);
	/* it stands there: soon after it has joined, and when that has changed much, at most once a second */
	void (*on_place)(struct turn *w, const struct queue_view *v);
	/* the same, about once a second; true: it has left for something better */
	bool (*on_look)(struct turn *w, const struct queue_view *v);
	/* nobody is given a turn any more, and it has left */
	void (*on_end)(struct turn *w);
};

/* As queue_join: it is given its turn later, never from inside. */
enum err turns_join(struct turns *t, struct span lane, struct span identity, bool is_batch,
	struct turn *w, struct fault *why) MUST_USE;
void turns_leave(struct turn *w); /* harmless where it does not wait */
bool turns_waits(const struct turn *w);

/* As queue_before. */
struct turn *turns_before(
	const struct turns *t, struct span lane, struct span identity, bool is_batch);
/* As queue_lacks. */
struct turn *turns_lacking(const struct turns *t, const void *const *what, size_t n, bool is_batch);
/* As queue_look_ahead. */
enum err turns_look_ahead(struct turns *t, struct span lane, struct span identity, bool is_batch,
	int64_t cost_tokens, struct queue_view *out, struct fault *why) MUST_USE;

/* As queue_stir, and turns are given. */
void turns_stir(struct turns *t);

/* The broker ends: all who wait leave, and who comes cannot wait. */
void turns_end(struct turns *t);

#endif
