/* slow.h - is there another target for a stream that is too slow? */
#ifndef BROKERD_EXCHANGE_SLOW_H
#define BROKERD_EXCHANGE_SLOW_H
#include "brokerd/exchange/steps.h"

/* What is too slow for the attempt in hand, characters a second; 0: nothing is. It has a floor where its alias does, it is a
 * stream of words, and another target could still serve: its request may be sent again, that is allowed only once, and
 * there is one that does not rest, and tries and time are left for it. */
int64_t slow_floor(const struct exchange *x);

/* The probe is over, and the rate is below the floor: ends the attempt, or lets it through after all. For flight.h. */
void slow_over(void *exchange);

#endif
