/* leg.h - what belongs to one attempt of an answer, from the choice of its target to its row?
 * As a rule there is one at a time, "in hand", and the next attempt takes its place; of an answer that is hedged two race
 * until the first content (hedge.h). Its owner is the flight: it stays where it is. */
#ifndef BROKERD_EXCHANGE_LEG_H
#define BROKERD_EXCHANGE_LEG_H
#include "brokerd/cache/cache_key.h"
#include "brokerd/exchange/attempt.h"
#include "brokerd/exchange/recall.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/limit/limiter.h"
#include "brokerd/route/health.h"

struct leg {
	struct exchange *exchange; /* whose it is, for callbacks */

	/* where it goes, and with what */
	size_t target;            /* which of the route's is tried */
	unsigned same;            /* tries on it */
	struct llm_request asked; /* of it: the request, or a batch of its inputs */
	int64_t output_most;      /* that its answer may have, for money; -1: no bound */
	struct target
		*bounded; /* a copy of the target that writes no more; NULL: there was none yet */
	struct forwarded forwarded; /* where it speaks the same as the caller */
	struct cache_core core;     /* of what is asked, as it was sent; where has_core */
	bool has_core;

	/* what is set aside for it: of all limits from RESERVE to its end, of money, and as estimated */
	struct limit_hold hold;
	bool has_asked; /* that it is asked was counted before, when another's answer was read along */
	int64_t reserved_nusd; /* -1: its price is unknown */
	int64_t claimed_nusd;  /* the same of its budgets, for which there always is one */
	int64_t expected_input, expected_output; /* its tokens; -1: not yet */
	struct caution *caution;                 /* that it is one of; NULL: none */
	bool has_figures; /* its provider has said how much of its rates is left, */
	int64_t rest_us;  /* and is not to be asked before that */

	/* its proof, from PREPARE on */
	struct secret *secret;
	struct token_wait token;

	struct attempt *attempt; /* under way; NULL: none is */
	unsigned number;         /* of it, from 1 */
	bool is_over;            /* it is being ended for another's sake: only its usage counts */
	struct health_try pulse;
	int64_t hurry_us; /* it gives up after so long, though its provider has more time; INT64_MAX: it does not */

	/* what has come of it */
	struct llm_event start; /* held back until there is content, like the usage before it */
	bool has_start, has_usage;
	bool is_forwarded; /* the reply's own bytes are told */
	bool has_head;
	struct reply_head head; /* of that reply, until its first content */
	struct buf raw;         /* its bytes until then */
	struct llm_usage usage,
		billed; /* with the batches before: as counted, and what of that is charged for */
	struct price price;   /* that the last of it was counted at */
	int64_t attempt_nusd; /* what it says that it cost; -1: nothing is known */
	enum finish finish;   /* of choice 0; 0: none yet */
	int64_t n_finished;   /* choices */
	struct recall recall; /* what its provider will want again */
	int64_t floor; /* until it is known to be quicker, its content is held back; 0: it is not */
};

void leg_init(struct leg *l);
/* It has ended before: nothing stays set aside, nor under way. */
void leg_done(struct leg *l);

/* A fresh attempt begins, on batches that were settled before. */
void leg_rewind(struct leg *l, const struct llm_usage *settled, const struct llm_usage *billed);

#endif
