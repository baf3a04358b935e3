/* fetch.h - what models does a provider list for one key?
 * Which is also the test of a key. Attempts like any other, so that a token which has ended is got anew
 * once, and a list that comes in pages is followed; but no money, and no ledger row. */
#ifndef BROKERD_EXCHANGE_FETCH_H
#define BROKERD_EXCHANGE_FETCH_H
#include "brokerd/exchange/organs.h"

struct fetch;

/* Dies, with the ids' texts, when on_done returns. */
struct fetched {
	const struct span *ids; /* in the list's order; on a fault those that came before it */
	size_t n;
	bool is_cut;     /* the list goes on, and was followed no further */
	int64_t took_us; /* on the wire */
};

struct fetch_reply {
	void (*on_done)(void *context, const struct fetched *what, const struct fault *why);
	void *context;
};

/* Asks `provider` for its models with the key of that label (absent: the default). Answers once,
 * never from inside. ERR_NO_KEY, ERR_LOCKED, ERR_UNSUPPORTED (it has no list), ERR_NO_MEMORY. */
enum err fetch_models(struct organs *o, struct span provider, struct span label,
	const struct fetch_reply *reply, struct fetch **out, struct fault *why) MUST_USE;

/* Drops it: no callback comes after. NULL is fine. */
void fetch_cancel(struct fetch *f);

#endif
