/* doubt.h - is it the process that was looked at that speaks on this connection?
 * For kernels that have no handle of a socket's peer (before 6.5), where nobody may look who has the other end either
 * (owner.h): a broker of its own user may not, of other users' processes. There a later word settles it: bytes that
 * were sent after the look, by the pid and the user that connected, while the process that was looked at lives. It
 * has had that pid all the while, so it has sent them. What was sent before says nothing: by then the pid
 * may have been another's.
 *
 * What remains: that process has the connection and speaks on it, but another may have made it, one that had the same
 * pid, was gone before the look, and whose heirs gave it the connection. Therefore a word counts only where a frame
 * begins: whatever somebody is made to write, as an error to what he takes for a terminal, is none. And who is
 * known so is who he was at the look, not what he has become since, as on all kernels. */
#ifndef BROKERD_FRONT_DOUBT_H
#define BROKERD_FRONT_DOUBT_H
#include "brokerd/front/evidence.h"
#include "brokerd/value/peer_id.h"

struct doubt;

enum doubt_end {
	DOUBT_STAYS,
	DOUBT_PROVED, /* it is doubt_peer */
	DOUBT_OVER,   /* it is not, or nobody will ever know */
};

/* `fd` is the connection, which is told from now on who sends; `process` a handle of the process, open since before it
 * was looked at, which is taken over, whatever happens; `proved` who it is if it is the one. NULL: it cannot be
 * settled. */
struct doubt *doubt_new(int fd, int process, const struct peer_id *proved);
void doubt_free(struct doubt *d); /* NULL is fine */
const struct peer_id *doubt_peer(const struct doubt *d);

/* Bytes have come, of this sender. After each reading, and before what was read is acted on. */
enum doubt_end doubt_hear(struct doubt *d, const struct sender *who, bool is_frame_start);

#endif
