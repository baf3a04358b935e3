/* peer.h - whose program is at the other end of a connection?
 * On a Unix socket the kernel says it; of a TCP connection on this host the kernel's table of sockets has the uid. */
#ifndef LIBLLMCLIENT_BRIDGE_PEER_H
#define LIBLLMCLIENT_BRIDGE_PEER_H
#include <stdbool.h>
#include <sys/types.h>

#include "protocol/base/err.h"

/* A descriptor by which the kernel is asked, for as long as connections come; -1: it does not answer here. */
int peer_open(void);

/* `kernel` as peer_open gave it. ERR_DENIED: it is not on this host, or its owner has left already, or it is not to be found; *why
 * says which. */
enum err peer_uid(int kernel, int fd, uid_t *out, struct fault *why) MUST_USE;

/* A handle (a pidfd) of the process that made a connection on a Unix socket, whoever has it now; the caller's to close.
 * ERR_DENIED: it is gone. Before Linux 6.5 the kernel keeps none: there it is of who has its number now (peer_is_kept). */
enum err peer_process(int fd, int *out, struct fault *why) MUST_USE;
/* Does the kernel keep it, so that it may be asked for at any time? Else it is asked for at once, when a connection is
 * taken: what had that number then may be another program already, where the one that connected has ended. */
bool peer_is_kept(void);

#endif
