/* bridge_at.h - where is the bridge, and does it serve this user?
 * Looking at it connects, and asks for /health. */
#ifndef LIBLLMCLIENT_CLI_BRIDGE_AT_H
#define LIBLLMCLIENT_CLI_BRIDGE_AT_H
#include <stdbool.h>
#include <sys/un.h>

#include "protocol/base/span.h"

#define BRIDGE_USUAL "127.0.0.1:8411"

struct bridge_at {
	char base[80]; /* "http://127.0.0.1:8411"; "" none */
	char socket[sizeof((struct sockaddr_un *)0)
			    ->sun_path]; /* "/run/user/1/llm-broker/http"; "" none */
};

/* 127.0.0.1:8411, and the socket in $XDG_RUNTIME_DIR where there is one. */
void bridge_at_usual(struct bridge_at *at);

/* Takes one address more, as llm-broker-bridge writes them: "127.0.0.1:8411", "[::1]:8411", "unix:/run/x"; also
 * "http://127.0.0.1:8411". False: it is none, or not of this host. */
bool bridge_at_add(struct bridge_at *at, struct span address);

enum bridge_seen {
	BRIDGE_NONE,     /* nobody listens, or it is no bridge */
	BRIDGE_FOREIGN,  /* another user listens there, who would see all that is said */
	BRIDGE_REFUSING, /* it is one, and does not serve this user */
	BRIDGE_SERVES,
};

/* At its TCP address; where it has none, at its socket. */
enum bridge_seen bridge_at_look(const struct bridge_at *at);

/* Does it listen at its socket too? */
bool bridge_at_has_socket(const struct bridge_at *at);

#endif
