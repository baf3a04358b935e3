/* rates.h - how much does a provider say is left of its rates?
 * As read of a reply's head by dialect/limits.c. */
#ifndef BROKERD_VALUE_RATES_H
#define BROKERD_VALUE_RATES_H
#include <stdbool.h>
#include <stdint.h>

/* One dimension; -1: not said. */
struct rate {
	int64_t limit, remaining;
	int64_t reset_ms; /* until it is whole again */
};

struct rates {
	struct rate requests, tokens, input, output;
	int64_t retry_after_ms; /* nothing before that; -1: not said */
	bool is_day_spent;      /* nothing is left of a bound that holds for a day */
};

#define RATE_UNKNOWN ((struct rate){-1, -1, -1})
#define RATES_UNKNOWN \
	((struct rates){RATE_UNKNOWN, RATE_UNKNOWN, RATE_UNKNOWN, RATE_UNKNOWN, -1, false})

#endif
