/* pinned.c - a list, of which the front is looked at. */
#include "brokerd/front/pinned.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#include "protocol/base/list.h"

#define LOOKED_AT 16

/* All of it, but what is behind the last member, which is nobody's: a member that came behind that would let one pass for another. */
static_assert(sizeof(struct peer_id) - offsetof(struct peer_id, via) -
			      sizeof((const struct peer_id *)0)->via <
		      alignof(struct peer_id),
	"what says who calls goes on behind via");

static bool is_same(const struct peer_id *a, const struct peer_id *b)
{
	return memcmp(a, b, offsetof(struct peer_id, via) + sizeof a->via) == 0;
}

struct pinned *pinned_get(struct pinned **all, const struct peer_id *peer)
{
	struct pinned *p = *all;
	for (int i = 0; p && i < LOOKED_AT && !is_same(&p->peer, peer); i++)
		p = p->next;
	if (p && is_same(&p->peer, peer)) {
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
