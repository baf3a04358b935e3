/* trail.h - what of a request's way is kept, and what is its caller told of it?
 * Between an exchange and trace.h. Each of these notes and nothing more: the way does not depend on it. */
#ifndef BROKERD_EXCHANGE_TRAIL_H
#define BROKERD_EXCHANGE_TRAIL_H
#include "brokerd/exchange/steps.h"

void trail_begin(struct exchange *x);
/* That target is not to be asked. */
void trail_out(struct exchange *x, const struct target *t, const char *why);
/* The target in hand rests, for *why; once, however often it is looked at. How long it then waits for one is noted with
 * what comes next. */
void trail_rest(struct exchange *x, const struct fault *why);
/* It waits for what limits allow of the target in hand; and it has, for so long, whichever is in hand by then. */
void trail_wait(struct exchange *x);
void trail_queue(struct exchange *x, int64_t waited_us);
/* The target in hand is tried now. */
void trail_next(struct exchange *x, const char *why);
/* Before that, a while passes; 0: none does. */
void trail_pause(struct exchange *x, int64_t wait_us);
/* An attempt at the target in hand is over, with its costs. */
void trail_attempt(struct exchange *x, const struct attempt_record *r);
/* An answer of the target in hand was kept, so many seconds ago; the same, where it stands in because of *why. */
void trail_hit(struct exchange *x, int64_t age_s);
void trail_stale(struct exchange *x, int64_t age_s, const struct fault *why);
/* It reads along with that one, whose id only its own owner is told; and does so no more. */
void trail_join(struct exchange *x, const struct exchange *leader);
void trail_alone(struct exchange *x, const char *why);
/* It is settled. */
void trail_end(struct exchange *x);

/* Which targets were tried, in order, what became of each, and the one in hand: "one/m failed(overloaded), two/m". At most
 * TRAIL_TRIED_BYTES are of those before it. Absent: there is no more than one of these. */
struct span trail_route(const struct exchange *x, struct buf *to);
/* Of a flight whose context is the exchange: where more than one target was tried, or an alias had the choice, its caller is
 * told so, before the first content. */
void trail_tell(void *exchange);

#endif
