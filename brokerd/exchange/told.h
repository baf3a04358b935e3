/* told.h - was that said already?
 * Of a few things, each with a time for which it need not be said again; of too many the one whose time is over first
 * is said again. No clock, no I/O. */
#ifndef BROKERD_EXCHANGE_TOLD_H
#define BROKERD_EXCHANGE_TOLD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/base/span.h"

#define TOLD_MAX 64

struct told {
	struct told_one {
		uint64_t what;
		int64_t until_us;
	} list[TOLD_MAX];
	size_t n;
};

/* True, and it counts as said until then. */
bool told_is_news(struct told *t, struct span what, int64_t now_us, int64_t until_us);

#endif
