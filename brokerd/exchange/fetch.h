/* fetch.h - what does a provider say to one small GET with its key?
 * Its list of models, which is also the test of a key. No money, no ledger row. */
#ifndef BROKERD_EXCHANGE_FETCH_H
#define BROKERD_EXCHANGE_FETCH_H
#include "brokerd/exchange/organs.h"

struct fetch;

/* `ids` and their texts die when it returns; on a fault n is 0 and *why says what failed. */
struct fetch_reply {
	void (*on_done)(void *context, const struct span *ids, size_t n, int64_t took_us,
		const struct fault *why);
	void *context;
};

/* Asks `provider` for its models with the key of that label (absent: the default). Answers once,
 * never from inside. ERR_NO_KEY, ERR_LOCKED, ERR_UNSUPPORTED (it has no list), ERR_NO_MEMORY. */
enum err fetch_models(struct organs *o, struct span provider, struct span label,
	const struct fetch_reply *reply, struct fetch **out, struct fault *why) MUST_USE;

/* Drops it: no callback comes after. NULL is fine. */
void fetch_cancel(struct fetch *f);

#endif
