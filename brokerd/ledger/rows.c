/* rows.c - so many rows are a transaction that its own cost is lost among theirs. */
#include "brokerd/ledger/rows.h"

#include <stdlib.h>

#define ROWS 128 /* of a kind */

void rows_init(struct rows *r, struct ledger *ledger)
{
	*r = (struct rows){.ledger = ledger};
}

/* Not before there is one to put there: at most starts there is none, and these are 60 pages. */
static void *room(void *had, size_t each)
{
	void *p = had ? had : calloc(ROWS, each);
	if (!p)
		abort();
	return p;
}

void rows_done(struct rows *r)
{
	free(r->exchanges);
	free(r->attempts);
}

enum err rows_write(struct rows *r, struct fault *why)
{
	const struct ledger_rows rows = {r->exchanges, r->n_exchanges, r->attempts, r->n_attempts};
	if (r->n_exchanges + r->n_attempts == 0)
		return OK;
	r->n_exchanges = r->n_attempts = 0;
	return ledger_write(r->ledger, &rows, why);
}

enum err rows_attempt(struct rows *r, const struct attempt_record *a, struct fault *why)
{
	r->attempts = room(r->attempts, sizeof *r->attempts);
	r->attempts[r->n_attempts++] = *a;
	r->total++;
	return r->n_attempts == ROWS ? rows_write(r, why) : OK;
}

enum err rows_exchange(struct rows *r, const struct exchange_record *x, struct fault *why)
{
	r->exchanges = room(r->exchanges, sizeof *r->exchanges);
	r->exchanges[r->n_exchanges++] = *x;
	r->total++;
	return r->n_exchanges == ROWS ? rows_write(r, why) : OK;
}
