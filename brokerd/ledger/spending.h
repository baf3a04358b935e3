/* spending.h - what was spent before this process?
 * For budgets, which count from where the last process was killed. */
#ifndef BROKERD_LEDGER_SPENDING_H
#define BROKERD_LEDGER_SPENDING_H
#include "brokerd/ledger/ledger.h"

/* What one subject's attempts of a quarter of an hour cost together. Quarters begin on multiples of 15 minutes since
 * 1970, where days of all zones do. Texts are "" where they are not known, and live as long as the call. */
struct spending {
	const char *app, *policy;
	const char *provider, *key,
		*model;    /* that was asked: its name, the key's label, as the provider calls it */
	const char *asked; /* the model as the caller calls it */
	uint32_t uid;
	int64_t at_us;        /* of the last of them */
	int64_t charged_nusd; /* as budgets counted it; what is not known is none; stops at INT64_MAX */
};

/* Tells of all attempts from then on, earlier quarters first. Blocks: at start, once the journal was replayed. Attempts
 * that version 1 wrote count at their bill. ERR_IO: what was told so far is not all. */
enum err ledger_spending(struct ledger *g, int64_t since_us,
	void (*on_row)(void *context, const struct spending *row), void *context,
	struct fault *why) MUST_USE;

#endif
