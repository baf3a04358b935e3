/* drift.h - was it said today that this model's price is wrong?
 * So that it is said once for each model and day. Bounded: of more models than that, the oldest is said
 * again. No clock, no I/O. */
#ifndef BROKERD_LEDGER_DRIFT_H
#define BROKERD_LEDGER_DRIFT_H
#include <stdbool.h>
#include <stdint.h>

#include "protocol/base/span.h"

#define DRIFTS_MAX ((size_t)256)

/* A zeroed one has said nothing. */
struct drifts {
	struct {
		uint64_t name; /* hashed */
		int64_t day;   /* since 1970, and one more; 0: free */
	} said[DRIFTS_MAX];
	size_t next; /* the oldest, once all are taken */
};

/* Has it not been said of that model that day? From now on it has. */
bool drift_is_news(struct drifts *d, struct span provider, struct span model, int64_t day);

#endif
