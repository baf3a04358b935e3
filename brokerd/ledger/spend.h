/* spend.h - what was spent at one provider, day by day, model by model and key by key?
 * Of attempts, not of exchanges: a provider bills all that was sent to it, also where another one answered in the
 * end. */
#ifndef BROKERD_LEDGER_SPEND_H
#define BROKERD_LEDGER_SPEND_H
#include "brokerd/ledger/ledger.h"

/* One day more than a year at once. */
#define SPEND_DAYS_MAX 367

struct spend_query {
	struct span provider;
	const int64_t
		*starts_s; /* when each day begins, and last when the last one ends; upwards */
	size_t n_days;     /* 1 to SPEND_DAYS_MAX; so many starts and one */
};

/* Appends {"rows":[{"at_s","model","key","requests","unknown","unpriced","input","cache_read","cache_write",
 * "output","cost_nusd"}...]}: at_s is when the day begins, key the label of the broker's ("": none). Requests are
 * those that may have been billed: that ended well, used something, or whose end is not known (`unknown`); what
 * costs nothing by its nature (lists, counts of tokens) is none. `unpriced` are those whose price is not known.
 * `output` is all of it, reasoning too. ERR_TOO_BIG: more rows than fit; ERR_IO. */
enum err ledger_spend(struct ledger *g, const struct spend_query *q, struct buf *json,
	struct fault *why) MUST_USE;

#endif
