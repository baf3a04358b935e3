/* row.h - what is written down of an exchange that is over, and what is its caller told at its end? */
#ifndef BROKERD_EXCHANGE_ROW_H
#define BROKERD_EXCHANGE_ROW_H
#include "brokerd/exchange/steps.h"

/* Its row in the ledger. Whatever limits and legs have to be told they were told before. */
void row_of(const struct exchange *x, struct exchange_record *r);
/* The end of a good answer; its texts are the row's. */
struct reply_end row_closing(const struct exchange *x, const struct exchange_record *r);
/* Of rows that are alike but for their id and their at_us: what was made of the one before. Zeroed: there was none. */
struct row_like {
	struct record_form form;
	struct counts_series *series;
};

/* It goes to the ledger, to the figures, to whoever follows, and into the log: the exchange is served. */
void row_write(struct organs *o, const struct exchange_record *r);
/* The same of one of which nothing was reserved. */
void row_write_like(struct organs *o, const struct exchange_record *r, struct row_like *like);

#endif
