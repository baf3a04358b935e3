/* owner.h - does this process have the other end of that connection?
 * For kernels that have no handle of a socket's peer (before 6.5): whoever has the pid that connected by now need not
 * be who connected. It waits for nobody. */
#ifndef BROKERD_FRONT_OWNER_H
#define BROKERD_FRONT_OWNER_H
#include "brokerd/front/evidence.h"

/* `process` is its folder in /proc. SEEN_OTHER: it has not. SEEN_NOT: that cannot be known, for its descriptors cannot
 * be looked at (as another user's, unless we are root), or there are too many of them, or the kernel tells of no peer
 * (who connected is in a network namespace of its own). */
enum seen owner_of_peer(int process, int fd);

#endif
