/* reservation.c - the table's key is the id inside the state. */
#include "brokerd/ledger/reservation.h"

#include <stdlib.h>

struct reservation *reservation_find(struct reservation *table, const char *id)
{
	struct reservation *r;
	TABLE_FIND(table, r, id, strnlen(id, REQUEST_ID_BYTES));
	return r;
}

struct reservation *reservation_add(struct reservation **table, const struct reserve_record *first)
{
	struct reservation *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->state.reserve = *first;
	r->state.usage = USAGE_UNKNOWN;
	TABLE_ADD(*table, r, r->state.reserve.id, strnlen(first->id, REQUEST_ID_BYTES));
	return r;
}

void reservation_end(struct reservation **table, struct reservation *r)
{
	TABLE_REMOVE(*table, r);
	free(r);
}
