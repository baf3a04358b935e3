/* identity.h - who has been here, and how much of the broker has each now?
 * One for each user, kind, name, socket and profile: what limits are kept for, and what people are shown. A name that
 * is only claimed is another one. */
#ifndef BROKERD_FRONT_IDENTITY_H
#define BROKERD_FRONT_IDENTITY_H
#include "brokerd/exchange/leavings.h"
#include "brokerd/value/peer_id.h"
#include "protocol/base/table.h"

#define IDENTITIES_IDLE 1024 /* that are remembered without a connection */

struct identity {
	TABLE_LINK;
	struct identity *prev, *next; /* of those without a connection or a call, longest first */
	struct peer_id peer;          /* as it came last */
	size_t n_connections, n_calls;
	struct leavings left;    /* of his calls, those that go on though he is gone from them */
	uint64_t calls;          /* since it was first seen */
	int64_t first_s, last_s; /* since 1970 */
	size_t key_bytes;
	char key[];
};

struct identities {
	struct identity *all; /* a table */
	struct identity *idle;
	size_t n_idle;
};

/* One of its calls has ended that had gone on without it: who is kept for nothing else is without a connection now. */
void identity_ended(struct identities *t, struct identity *i, int64_t now_s);
/* Those of a peer, with one connection more. NULL: out of memory. */
struct identity *identity_join(struct identities *t, const struct peer_id *peer, int64_t now_s);
void identity_leave(struct identities *t, struct identity *i, int64_t now_s);
/* One connection and so many of its calls are another's than was thought, for whom it is joined. Who has never made a call
 * and has no connection left was nobody. NULL: out of memory, and nothing is changed. */
struct identity *identity_move(struct identities *t, struct identity *from, size_t n_calls,
	const struct peer_id *to, int64_t now_s);
void identities_done(struct identities *t); /* all have left */

#endif
