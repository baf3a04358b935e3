/* peer.h - whose program is at the other end of a connection?
 * On a Unix socket the kernel says it; of a TCP connection on this host the kernel's table of sockets has the uid. */
#ifndef LIBLLMCLIENT_BRIDGE_PEER_H
#define LIBLLMCLIENT_BRIDGE_PEER_H
#include <sys/types.h>

#include "protocol/base/err.h"

/* ERR_DENIED: it is not on this host, or not to be found; *why says which. */
enum err peer_uid(int fd, uid_t *out, struct fault *why) MUST_USE;

#endif
