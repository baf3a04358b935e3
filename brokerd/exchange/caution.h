/* caution.h - how many may ask at once where one has just been refused, and nobody says how much is left?
 * After a refusal one goes out, and for each that is served one more, until it is long enough ago or so many are out that
 * it is no caution any more. A few lanes at a time; of too many those are not cared for that come last. No clock, no
 * I/O. */
#ifndef BROKERD_EXCHANGE_CAUTION_H
#define BROKERD_EXCHANGE_CAUTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/base/span.h"

#define CAUTIONS_MAX   64
#define CAUTION_ENOUGH ((size_t)32)            /* at once */
#define CAUTION_US     (INT64_C(60) * 1000000) /* that a refusal is remembered, from its end on */

struct cautions {
	struct caution {
		uint64_t lane;  /* hashed */
		size_t allowed; /* 0: nobody is here */
		size_t n_out;
		int64_t until_us;
	} list[CAUTIONS_MAX];
	size_t n; /* that were ever used */
};

/* May one more go out there now? */
bool caution_allows(struct cautions *c, struct span lane, int64_t now_us);
/* It does. NULL: there is no caution. Else to be ended, once. */
struct caution *caution_begin(struct cautions *c, struct span lane, int64_t now_us);
/* It is over. NULL is fine. */
void caution_end(struct caution *one);
/* The same, and it was served. */
void caution_served(struct caution *one);
/* One was refused there: nobody is to ask before rest_us. */
void caution_refused(struct cautions *c, struct span lane, int64_t now_us, int64_t rest_us);

#endif
