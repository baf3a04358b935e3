/* own_bridge.h - how does llmb have a bridge for as long as a program runs?
 * It listens at a free port of this host and at a socket, and ends with llmb, however that ends. */
#ifndef LIBLLMCLIENT_CLI_OWN_BRIDGE_H
#define LIBLLMCLIENT_CLI_OWN_BRIDGE_H
#include <sys/types.h>

#include "libllmclient/cli/bridge_at.h"
#include "libllmclient/cli/say.h"
#include "libllmclient/cli/signals.h"

struct own_bridge {
	pid_t pid; /* 0: none */
	struct bridge_at at;
};

/* Whom its broker's socket is for. */
enum own_bridge_for {
	OWN_BRIDGE_FOR_ALL, /* the user's programs: who is in a sandbox is told from others */
	OWN_BRIDGE_FOR_ONE, /* the program alone, with all that it starts: the socket says who it is */
};

/* Starts it for the broker at `broker` (NULL: where clients look), with a socket at `path`, and waits until it listens.
 * EXIT_GOOD, or what to exit with: it has been said why, or a signal came. */
int own_bridge_start(struct own_bridge *b, const struct common *o, enum own_bridge_for whom,
	const char *broker, const char *path, const struct signals *s);

/* What is under way through it ends. One that was never started is fine. */
void own_bridge_stop(struct own_bridge *b);

#endif
