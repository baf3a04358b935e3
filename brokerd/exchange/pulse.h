/* pulse.h - how do targets fare, as an exchange asks it and tells it?
 * Between an exchange and health.h: whom a try is of, when one is under way, and what its end says of where it went. */
#ifndef BROKERD_EXCHANGE_PULSE_H
#define BROKERD_EXCHANGE_PULSE_H
#include "brokerd/exchange/steps.h"
#include "brokerd/route/choose.h"

/* All that is known of the target in hand. False: it is answered here, and nothing is. */
bool pulse_view(const struct exchange *x, struct health_view *out);
/* What choosing has to know of that: whether it rests, how busy it is, and how quick. */
void pulse_look(const struct exchange *x, struct choose_view *out);

/* May the target in hand be asked now? False: it rests, and *why is why, with how long it does. */
bool pulse_may_ask(const struct exchange *x, struct fault *why);

/* The first, of those that a failure of the target in hand leads to, that does not rest; the route's n: there is none. */
size_t pulse_other(const struct exchange *x);
bool pulse_has_other(const struct exchange *x);

/* Which of the route's that have not failed it, of the list that the target in hand is of, may be asked soonest, and in how long. */
size_t pulse_soonest(const struct exchange *x, int64_t *wait_us);

/* An attempt at the target in hand is on its way; has shown its first content; is over, so. */
void pulse_begin(struct exchange *x);
void pulse_first(struct exchange *x);
void pulse_end(struct exchange *x, enum outcome outcome, const struct fault *why);
/* It was stopped from here, for whatever reason, and *r is how it stood: where nothing had come for long, that counts.
 * Harmless where none is under way. */
void pulse_stop(struct exchange *x, const struct attempt_record *r);
/* What proves it was waited for, after pulse_begin, and it has not come to sending: that was no attempt. `why`: it is not to be
 * had, which is the key's, whatever the class. */
void pulse_unsent(struct exchange *x);
void pulse_unproved(struct exchange *x, const struct fault *why);
/* It is over, and says nothing of where it went. Harmless where none is under way. */
void pulse_drop(struct exchange *x);

#endif
