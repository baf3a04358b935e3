/* closer.h - who closes what could keep its closer waiting?
 * The last close of a descriptor that somebody sent takes as long as its sender said (a socket that lingers, a file
 * of a file system that a program serves): threads that nobody waits for do that, not the loop, and not the workers,
 * for whom the end of the daemon waits. */
#ifndef BROKERD_FRONT_CLOSER_H
#define BROKERD_FRONT_CLOSER_H
#include <stdbool.h>

#include "protocol/base/owned.h"

struct closer;

/* Its threads are started when there is something to close. NULL: out of memory. */
struct closer *closer_new(void) MUST_USE;

/* Takes a descriptor over. Where there is no memory or no thread for that, it is closed here and now; without a
 * closer (NULL), at the end of the daemon, it goes with the process. */
void closer_give(struct closer *c, int fd);

/* Do so many wait already that no more should be let in? */
bool closer_is_full(struct closer *c);

/* Waits for nothing: what is not closed yet goes with the process. NULL is fine. */
void closer_free(struct closer *c);

#endif
