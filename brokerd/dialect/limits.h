/* limits.h - how much does a provider say is left of its rates?
 * From the headers of a reply; which headers, and in which form they tell a time, is data by
 * provider. No clock: a moment is held against the reply's own Date. */
#ifndef BROKERD_DIALECT_LIMITS_H
#define BROKERD_DIALECT_LIMITS_H
#include "brokerd/value/http.h"
#include "brokerd/value/rates.h"

/* `provider`: whose headers they are; one that is not known has OpenAI's. Of several bounds on the
 * same thing (a minute's and a day's) the one of which least is left counts. */
void limits_read(const struct http_head *head, struct span provider, struct rates *out);

/* The longest wait for a dimension of which nothing is left, or -1. Retry-After is not in it. */
int64_t limits_wait_ms(const struct rates *r);

/* "1s", "6m0s", "20ms", "2m59.56s", "26 seconds", or bare seconds, in milliseconds; -1: none of these.
 * What comes behind is passed over. */
int64_t limits_duration_ms(struct span text);

#endif
