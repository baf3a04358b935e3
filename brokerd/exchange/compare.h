/* compare.h - was it asked before, in other words?
 * Where its rule says so: the last words of a chat are compared with those that had an answer under the same system prompt,
 * tools, parameters and all else. The vector that this needs is asked for by a call of its own, on the caller's behalf: it
 * has its row in the ledger, counts in his limits, his budgets and what the call may cost, goes only where the call may go, and is
 * kept like any answer; once it is sent it goes on for others who wait for the same. Whatever goes wrong on the way, or takes too
 * long, the call goes on as if nothing were there. Not where something may be put back into the request that its provider gave to
 * this caller: that is not in what is compared. */
#ifndef BROKERD_EXCHANGE_COMPARE_H
#define BROKERD_EXCHANGE_COMPARE_H
#include "brokerd/cache/cache.h"
#include "brokerd/cache/last_turn.h"
#include "brokerd/cache/semantic.h"
#include "brokerd/exchange/tape.h"
#include "brokerd/loop/loop.h"

struct exchange;
struct target;

struct compare {
	bool is_done;           /* once a call: an answer is found, or none is */
	struct cache_core core; /* what is asked but for these words, where they are compared */
	struct exchange *inner; /* that asks for their vector; NULL: none does */
	struct loop_task wake;  /* it has something to tell */
	struct loop_timer over; /* so long it may take, all together */
	struct semantic_vector *vector;
	struct semantic_search *search;
	size_t targets[SEMANTIC_GROUPS]; /* of the route, whose answers are searched */
	bool is_matched;                 /* by this, whose answer is looked for: */
	struct semantic_match match;
	struct cache_wait kept; /* on disk, perhaps */
	struct tape *found;     /* waits for what limits allow, */
	uint64_t generation;    /* of the cache when it was found */
	struct cached cached;
	size_t which;       /* target gave it */
	int64_t spent_nusd; /* the vector has cost at the most */
};

/* May it be answered so? Then it goes on in COMPARE. */
bool compare_wants(struct exchange *x);
/* Its answer by that target is kept, as `answer`: whoever asks in other words may have it too. */
void compare_keep(struct exchange *x, const struct target *t, const struct cache_key *answer,
	const struct cache_entry *e, int64_t now_s);
/* What is under way for it ends. Harmless where nothing is. */
void compare_stop(struct exchange *x);
/* The same, and what it holds goes. */
void compare_done(struct exchange *x);

#endif
