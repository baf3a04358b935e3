/* caller.h - who is connected?
 * As it was found when the connection was accepted; its requests borrow it. */
#ifndef LIBLLMCLIENT_BRIDGE_CALLER_H
#define LIBLLMCLIENT_BRIDGE_CALLER_H
#include "protocol/base/err.h"

struct caller {
	bool is_local_socket; /* of a Unix socket: no browser comes here */
	int process; /* a handle of the program there, the connection's own; -1: the kernel keeps it (peer.h), or none is known */
	struct fault refused; /* why it may not; OK: it may */
};

#endif
