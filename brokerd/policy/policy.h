/* policy.h - may this peer do this?
 * One table of operations; what has no row is denied. Pure: no I/O. */
#ifndef BROKERD_POLICY_POLICY_H
#define BROKERD_POLICY_POLICY_H
#include "brokerd/value/peer_id.h"
#include "protocol/control.h"

/* May a peer of these credentials hold a connection? `own` is the broker's uid: its own user and root
 * may. ERR_DENIED. */
enum err policy_admit_peer(const struct peer_id *peer, uid_t own, struct fault *why) MUST_USE;

/* May it make this call? ERR_DENIED; ERR_UNSUPPORTED for what this version knows and does not do
 * yet. */
enum err policy_admit_call(
	const struct peer_id *peer, const struct call *c, struct fault *why) MUST_USE;

#endif
