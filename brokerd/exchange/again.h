/* again.h - was this very call answered a moment ago, from what is kept, and is it answered by the same now?
 * A program that asks the same over and over sends the same frame. The last such calls are remembered as they were told: byte
 * for byte of the same caller, found in the same entry of the cache, where nothing of what an exchange does on its way could
 * come out otherwise. Then the answer is told from there, with a name, a row in the ledger, its count in limits and figures and
 * its trace, as an exchange would, which it need not be for that.
 * Whether its caller may make it is asked of policy each time, before. Wherever anything is not as it was the call goes the
 * long way, and is remembered anew there. */
#ifndef BROKERD_EXCHANGE_AGAIN_H
#define BROKERD_EXCHANGE_AGAIN_H
#include "brokerd/loop/loop.h"
#include "brokerd/policy/allowance.h"
#include "brokerd/value/peer_id.h"
#include "protocol/base/buf.h"
#include "protocol/control.h"

#define AGAIN_SLOTS 64

struct again;
struct exchange;
struct organs;

/* Zeroed, none is remembered. */
struct agains {
	struct again *slots[AGAIN_SLOTS];
	uint64_t next[AGAIN_SLOTS]; /* the hash of what last wanted a slot that was taken */
	struct loop *loop;
	struct loop_timer tidy; /* while there are any: when the first answer is over */
	size_t n, bytes;        /* of all in slots */
	size_t most;            /* and they may be so many bytes */
	size_t hand;            /* the slot that makes room next */
};

/* The call whose frame's body these bytes are. NULL: it is not remembered. */
struct again *again_find(const struct agains *a, const struct peer_id *peer, struct span frame);
/* What it asks for, for policy; lives until the next call for these. */
const struct call *again_call(const struct again *one);

/* Appends the frames of its answer as those of call `number`, where that is at most `room` bytes. False: it has to go the long
 * way, nothing was taken or told, and it may be forgotten. */
bool again_tell(struct organs *o, struct again *one, const struct allowance *may, uint32_t number,
	size_t room, struct buf *out);

/* An exchange of that frame has begun. Where it has come to its end at once, by what is kept, and nothing stands against it, it is
 * remembered; of its answer nothing was read so far. */
void again_keep(const struct exchange *x, struct span frame);

/* All are forgotten: whenever there is another configuration or catalogue, or what is kept is cleared. */
void agains_clear(struct agains *a);

#endif
