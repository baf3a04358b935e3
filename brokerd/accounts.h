/* accounts.h - what keeps the accounts of a state folder: the ledger, its journal, and what was spent before.
 * Without all three nothing may be sent: a budget that forgot what was spent would fill itself anew. */
#ifndef BROKERD_ACCOUNTS_H
#define BROKERD_ACCOUNTS_H
#include "brokerd/ledger/journal.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/limit/limiter.h"

struct accounts {
	struct ledger *ledger;
	struct journal *journal;
	struct limiter *limiter; /* of no configuration yet */
};

/* All or nothing. `now_us` is the wall clock; the journal's callbacks come on the loop. Blocks; on any thread. */
enum err accounts_open(struct accounts *a, const char *state_dir, struct loop *loop,
	struct workers *workers, int64_t now_us, struct fault *why);
void accounts_close(struct accounts *a);

#endif
