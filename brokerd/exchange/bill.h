/* bill.h - what does a provider say was spent there?
 * Its reports of costs and usage (reports/), asked page by page with a key that is named and meant for it; nothing
 * of it costs anything or is in the ledger. Where it says that it is asked too often, or fails, it is asked again
 * after a while, for reading changes nothing. */
#ifndef BROKERD_EXCHANGE_BILL_H
#define BROKERD_EXCHANGE_BILL_H
#include "brokerd/exchange/organs.h"
#include "brokerd/reports/reports.h"

struct bill;

struct bill_time {
	int64_t since_s, until_s; /* from and before, seconds since 1970 */
};

struct bill_reply {
	/* As report_sink has it. */
	struct report_sink rows;
	/* All of it came, or *why says what failed. Once, never from inside bill_fetch. */
	void (*on_done)(void *context, unsigned pages, const struct fault *why);
	void *context;
};

/* ERR_UNSUPPORTED: the provider has no reports that are read here; ERR_NOT_FOUND: there is no such provider;
 * ERR_NO_KEY, ERR_LOCKED, ERR_NO_MEMORY; others as transport_start. */
enum err bill_fetch(struct organs *o, struct span provider, struct span label,
	const struct bill_time *time, const struct bill_reply *reply, struct bill **out,
	struct fault *why) MUST_USE;

/* Drops it: no callback comes after. NULL is fine. */
void bill_cancel(struct bill *b);

#endif
