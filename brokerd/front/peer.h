/* peer.h - who is at the other end of this connection, says the kernel? */
#ifndef BROKERD_FRONT_PEER_H
#define BROKERD_FRONT_PEER_H
#include "brokerd/value/peer_id.h"
#include "protocol/base/buf.h"

/* Asks once, at accept. Never fails: what cannot be known is left unknown, which no policy lets in. */
void peer_identify(int fd, struct peer_id *out);

/* The app's own name for itself, as a label: control bytes become spaces. */
void peer_label(struct peer_id *p, struct span app_name);

/* {"uid":..,"pid":..,"program":..,"app":..,"confidence":..} */
void peer_json(const struct peer_id *p, struct buf *out);

#endif
