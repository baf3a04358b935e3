/* leavings.c - half of what is free, then half of the rest. */
#include "brokerd/exchange/leavings.h"

#include <assert.h>

bool leavings_take(struct leavings *all, struct leavings *his, size_t bytes, size_t room_bytes)
{
	const size_t most = room_bytes / LEAVINGS_PART;
	const size_t free_bytes = all->bytes < most ? most - all->bytes : 0;
	if (all->n >= EXCHANGES_LEFT || his->n >= EXCHANGES_LEFT - all->n ||
		his->bytes + bytes > free_bytes)
		return false;
	all->n++;
	his->n++;
	all->bytes += bytes;
	his->bytes += bytes;
	return true;
}

void leavings_give(struct leavings *all, struct leavings *his, size_t bytes)
{
	assert(all->n > 0 && his->n > 0 && all->bytes >= bytes && his->bytes >= bytes);
	all->n--;
	his->n--;
	all->bytes -= bytes;
	his->bytes -= bytes;
}
