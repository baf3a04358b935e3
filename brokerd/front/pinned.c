/* pinned.c - a list, of which the front is looked at. */
#include "brokerd/front/pinned.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/base/list.h"

#define LOOKED_AT 16

struct pinned *pinned_get(struct pinned **all, const struct peer_id *peer)
{
	struct pinned *p = *all;
	for (int i = 0; p && i < LOOKED_AT && !peer_is_same(&p->peer, peer); i++)
		p = p->next;
	if (p && peer_is_same(&p->peer, peer)) {
		LIST_REMOVE(*all, p);
	} else {
		p = calloc(1, sizeof *p);
		if (!p)
			return NULL;
		p->peer = *peer;
	}
	LIST_FRONT(*all, p);
	p->n_holders++;
	return p;
}

void pinned_put(struct pinned **all, struct pinned *p)
{
	if (--p->n_holders > 0)
		return;
	LIST_REMOVE(*all, p);
	free(p);
}
