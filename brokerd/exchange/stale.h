/* stale.h - no provider gave an answer: does one that was kept stand in for it?
 * One that is no longer fresh, for as long as its caller or the configuration says; only where what failed was a provider, or
 * the way to it, and before any content went out. It is told at once, with a warning that says so and why. What was tried
 * stays in the account. */
#ifndef BROKERD_EXCHANGE_STALE_H
#define BROKERD_EXCHANGE_STALE_H
#include "brokerd/exchange/lookup.h"

/* So much longer than it is fresh what it gets is kept, in seconds. */
int64_t stale_seconds(const struct exchange *x);

/* Until then it may. */
lookup_good stale_is_good;

/* In SETTLE, when nothing of it is under way any more. True: it is answered, its verdict is good, and *why is what it was. */
bool stale_answers(struct exchange *x, struct fault *why);

#endif
