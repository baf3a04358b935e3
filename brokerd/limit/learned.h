/* learned.h - how much is left of a provider's own rates?
 * A counter whose buckets are as the last reply said: so full, growing back to the whole until it said it would be.
 * A reply counts those that the provider had seen by then, and which these are nobody says; so the attempts that
 * had no reply yet, one reply after the other, are taken off besides. One reply is not believed for days:
 * LEARNED_REST_US is the longest that it can make all others wait, and LEARNED_DAY_US where it says that what
 * is spent is a day's. No clock, no I/O. */
#ifndef BROKERD_LIMIT_LEARNED_H
#define BROKERD_LIMIT_LEARNED_H
#include "brokerd/limit/counter.h"

#define LEARNED_REST_US  (INT64_C(3600) * 1000000)
#define LEARNED_DAY_US   (24 * LEARNED_REST_US)
#define LEARNED_USUAL_US (INT64_C(60) * 1000000) /* in which all is back where nobody says */

/* A share is in the counter; and is about to leave it. */
void learned_taken(struct counter *c, struct limit_share *share);
void learned_gone(struct counter *c, struct limit_share *share);

/* The reply to the one that took its share at `turn` has come; 0: to one that has none. Replies come in any order, and
 * of one that another has overtaken the figures are old: they can make less of what is left, and not more. */
void learned_hear(struct counter *c, const struct rates *said, uint64_t turn, int64_t now_us);

#endif
