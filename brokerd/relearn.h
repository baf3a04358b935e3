/* relearn.h - what did the last process know about estimates?
 * It is learnt anew from the ledger's rows, on its lane; until then estimates are not corrected. */
#ifndef BROKERD_RELEARN_H
#define BROKERD_RELEARN_H
#include "brokerd/ledger/ledger.h"
#include "brokerd/limit/fit.h"
#include "brokerd/loop/worker.h"

/* Zeroed: nothing was begun. */
struct relearn {
	struct job job;
	struct ledger *ledger;
	int64_t since_us;
	struct fit *fit, **to;
	enum err err;
	struct fault why;
};

/* Once at most until it is done. The ledger and `to`, where what was learnt is then owned, outlive the workers.
 * What `to` held before is freed. */
void relearn(struct relearn *r, struct workers *w, struct ledger *ledger, int64_t now_us,
	struct fit **to);

#endif
