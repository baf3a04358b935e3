/* reservation.h - which exchanges have not ended, and what is known of them?
 * A table by id, of what the journal keeps of each. No I/O. */
#ifndef BROKERD_LEDGER_RESERVATION_H
#define BROKERD_LEDGER_RESERVATION_H
#include "brokerd/ledger/record.h"
#include "protocol/base/table.h"

struct reservation {
	struct open_record state;
	size_t attempts; /* that space is set aside for */
	unsigned places; /* where it was found open, in a replay: a bit each */
	TABLE_LINK;
};

struct reservation *reservation_find(struct reservation *table, const char *id); /* or NULL */

/* A new one, of which nothing is known but that. */
struct reservation *reservation_add(struct reservation **table, const struct reserve_record *first);

/* Takes it out and frees it. */
void reservation_end(struct reservation **table, struct reservation *r);

#endif
