/* pinned.h - who calls, kept once for all connections that say the same of it?
 * Many connections are one program's: what is known of it is much more than all else that an idle one needs. */
#ifndef BROKERD_FRONT_PINNED_H
#define BROKERD_FRONT_PINNED_H
#include <stddef.h>

#include "brokerd/value/peer_id.h"

struct pinned {
	struct pinned *prev, *next;
	size_t n_holders;
	struct peer_id peer; /* never changed */
};

/* One that is equal, if it is among those that came last, else a new one. NULL: out of memory. */
struct pinned *pinned_get(struct pinned **all, const struct peer_id *peer);
void pinned_put(struct pinned **all, struct pinned *p);

#endif
