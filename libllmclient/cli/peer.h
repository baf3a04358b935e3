/* peer.h - how does a caller, as the broker knows it, appear? */
#ifndef LIBLLMCLIENT_CLI_PEER_H
#define LIBLLMCLIENT_CLI_PEER_H
#include "libllmclient/cli/say.h"

/* Lines with who it is, how that is known, and where it came in. */
void put_peer(struct buf *out, struct json peer, struct arena *arena);

/* A line with what a person has said of it; nothing where nobody has. */
void put_grant(struct buf *out, struct json grant, struct arena *arena);

/* "2026-11-29 15:04", in the local time. */
void put_time(struct buf *out, int64_t at_s);

#endif
