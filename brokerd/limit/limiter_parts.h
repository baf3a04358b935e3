/* limiter_parts.h - what the files of the limiter share: its tables, and how they are looked up. For them alone. */
#ifndef BROKERD_LIMIT_LIMITER_PARTS_H
#define BROKERD_LIMIT_LIMITER_PARTS_H
#include <stdlib.h>

#include "brokerd/limit/counter.h"
#include "brokerd/limit/limiter.h"
#include "brokerd/limit/says.h"
#include "brokerd/limit/spending.h"
#include "protocol/base/list.h"

/* A subject that has called, and the counters that it falls under, so that they are looked for once. */
struct limit_caller {
	TABLE_LINK;
	struct limit_caller *prev, *next; /* of all, the one that took longest ago first */
	struct limit_subject who;         /* in `key` */
	size_t n_holds;
	uint64_t generation; /* of the configuration whose counters these are */
	struct counter **counters;
	size_t n_counters;
	/* of its provider, key and model; the last of `counters`; NULL: none */
	struct counter *learned;
	char key[];
};

struct limiter {
	struct config *config; /* NULL: none yet, and nothing is limited */
	uint64_t generation;
	uint64_t turn; /* takes so far */
	struct budget_clock clock;
	int64_t now_us;
	struct limit_caller *by_subject, *callers;
	size_t n_callers;
	struct counter *counters; /* a table */
	struct counter *idle;     /* those of them that no caller knows and nobody holds, a list */
	size_t n_counters;
	struct spending *spending;
	struct buf key; /* of what is looked for */
	void (*on_free)(void *context);
	void *context;
};

/* All of the limiter's memory is small, and there is nothing to be done without it. */
static inline void *limiter_zeroed(size_t n)
{
	void *p = calloc(1, n);
	if (!p)
		abort();
	return p;
}

/* limiter.c: what time it is, from now on. */
void limiter_see(struct limiter *l, const struct limit_now *now);
struct limit_moment limiter_moment(const struct limiter *l);

/* callers.c: */

/* The subject's record, with its counters as the configuration is now. */
struct limit_caller *limiter_caller(struct limiter *l, const struct limit_subject *s);
void limiter_find_counters(struct limiter *l, struct limit_caller *caller);
void limiter_forget_counters(struct limiter *l, struct limit_caller *caller);
void limiter_drop_caller(struct limiter *l, struct limit_caller *caller);

/* `r` NULL: of a provider. NULL: there are too many. */
struct counter *limiter_counter(
	struct limiter *l, const struct limit_rule *r, const struct limit_subject *who);
/* The counter is of that rule from now on. */
void limiter_follow(struct limiter *l, struct counter *c, const struct limit_rule *r);
/* Puts it to those that nobody uses, or takes it back. One of a limit that is no more goes. */
void limiter_note_use(struct limiter *l, struct counter *c);
void limiter_drop_counter(struct limiter *l, struct counter *c);

#endif
