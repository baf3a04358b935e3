/* listeners.h - at which addresses does the bridge listen?
 * Those of --listen, and those that a service manager hands over (LISTEN_FDS); where there are neither, the usual ones. */
#ifndef LIBLLMCLIENT_BRIDGE_LISTENERS_H
#define LIBLLMCLIENT_BRIDGE_LISTENERS_H
#include "libllmclient/bridge/server.h"
#include "protocol/base/buf.h"

#define LISTENERS_MAX 16

struct listeners;

/* Opens `n` of the addresses ("127.0.0.1:8411", "[::1]:8411", "unix:/run/x"); n is 0: LISTEN_FDS, or 127.0.0.1:8411, [::1]:8411
 * where there is one, and $XDG_RUNTIME_DIR/llm-broker/http. Then who comes is handed to `s`. NULL: *why says what is in the
 * way, and what to do. */
struct listeners *listeners_open(struct ev_loop *loop, struct server *s,
	const char *const *addresses, size_t n, struct fault *why);
/* Were some handed over by a service manager, who starts another where somebody comes? */
bool listeners_are_handed(const struct listeners *l);
/* Where it listens, one line each: "127.0.0.1:8411", "unix:/run/x", "descriptor 3". */
void listeners_describe(const struct listeners *l, struct buf *to);
/* Nobody new is taken; a socket of our own in the file system goes. NULL is fine. */
void listeners_close(struct listeners *l);

#endif
