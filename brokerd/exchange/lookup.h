/* lookup.h - which answer to the same request is there?
 * Of those that are kept, and of those that others are getting, for the targets that the request would be sent to as a rule.
 * Only once memo_wants has said that it may be looked up. Nothing is taken of limits, and nothing of the request changes. */
#ifndef BROKERD_EXCHANGE_LOOKUP_H
#define BROKERD_EXCHANGE_LOOKUP_H
#include "brokerd/exchange/steps.h"

/* Are answers of the i-th target of a route looked for? Of those that it would be sent to as a rule, and not by the key of the one
 * before. */
bool lookup_covers(const struct route *route, size_t i);
/* Is what is kept good enough for it, at `now_s`? */
typedef bool lookup_good(const struct exchange *x, const struct cache_entry *e, int64_t now_s);
/* While it is fresh, and no older than its caller takes. */
lookup_good lookup_is_fresh;
bool lookup_is_young(const struct cache_entry *e, int64_t max_s,
	int64_t now_s); /* the same; max_s -1: however old */
/* The answer that the cache has shown just now. NULL: it is none, or out of memory. */
struct tape *lookup_tape(const struct exchange *x, const struct cache_entry *e);

/* The first target's whose answer is there, and good: in *t a tape of the caller's own, with how old it is and what it would cost
 * again in *found, and in *which the target of the route. COMES: of that target there is one on disk, which nobody has read. */
enum cache_found lookup_seen(struct exchange *x, lookup_good *is_good, struct tape **t,
	struct cached *found, size_t *which);
/* That one answers it, by that target; takes the tape. JOIN: it reads it; LOOKUP: not yet, it waits for how often one may ask;
 * SETTLE: it may not. */
enum state lookup_replay(
	struct exchange *x, struct tape *t, const struct cached *found, size_t which);
/* Who asks it now, and has no less time than this one. NULL: nobody. */
struct exchange *lookup_leader(struct exchange *x);
/* The one of its own targets that gave such an answer is the one in hand. False: none, it is not for this caller. */
bool lookup_place(struct exchange *x, const struct tape *t);

#endif
