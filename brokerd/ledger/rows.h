/* rows.h - which rows go into the ledger together?
 * Records gathered until they are a transaction. On the thread that may touch the ledger. */
#ifndef BROKERD_LEDGER_ROWS_H
#define BROKERD_LEDGER_ROWS_H
#include "brokerd/ledger/ledger.h"

struct rows {
	struct ledger *ledger;
	struct exchange_record *exchanges;
	struct attempt_record *attempts;
	size_t n_exchanges, n_attempts;
	size_t total; /* given so far */
};

void rows_init(struct rows *r, struct ledger *ledger);
void rows_done(struct rows *r); /* what was not written is dropped */

/* Adds a copy; writes where that makes a transaction full. The faults of ledger_write. */
enum err rows_attempt(struct rows *r, const struct attempt_record *a, struct fault *why) MUST_USE;
enum err rows_exchange(struct rows *r, const struct exchange_record *x, struct fault *why) MUST_USE;

/* Writes the rest. */
enum err rows_write(struct rows *r, struct fault *why) MUST_USE;

#endif
