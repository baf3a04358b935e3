/* accounts.c - what keeps the accounts of a state folder */
#include "brokerd/accounts.h"

#include "brokerd/ledger/spending.h"

#define DAY_US INT64_C(86400000000)

/* As long ago as what was spent can still count: a month, and what a zone adds to it. */
#define SPENDING_DAYS 32

static void remember(void *context, const struct spending *row)
{
	const struct limit_subject who = {
		.app = span_str(row->app),
		.policy = span_str(row->policy),
		.provider = span_str(row->provider),
		.key = span_str(row->key),
		.model = span_str(row->model),
		.asked = span_str(row->asked),
		.uid = row->uid,
	};
	limiter_remember(context, &who, row->at_us, row->charged_nusd);
}

enum err accounts_open(struct accounts *a, const char *state_dir, struct loop *loop,
	struct workers *workers, int64_t now_us, struct fault *why)
{
	const int64_t since_us = now_us - SPENDING_DAYS * DAY_US;
	struct fault own = FAULT_NONE;
	*a = (struct accounts){.ledger = ledger_open(state_dir, &own)};
	if (a->ledger)
		a->journal = journal_open(state_dir, a->ledger, loop, workers, &own);
	if (a->journal) {
		a->limiter = limiter_new();
		const enum err err = a->limiter ? ledger_spending(ledger_reader(a->ledger),
							  since_us, remember, a->limiter, &own)
						: fault_set(&own, ERR_NO_MEMORY,
							  "out of memory for what was spent");
		if (!err)
			return OK;
	}
	accounts_close(a);
	*why = own;
	return own.err;
}

void accounts_close(struct accounts *a)
{
	if (a->journal)
		journal_close(a->journal);
	limiter_free(a->limiter);
	ledger_close(a->ledger);
	*a = (struct accounts){.ledger = NULL};
}
