/* project.h - in which repository does a process of the host work?
 * By the folder that it is in, or the nearest above that holds a `.git`. Nothing is opened but places, and only where no
 * mount on the way could keep us waiting. */
#ifndef BROKERD_FRONT_PROJECT_H
#define BROKERD_FRONT_PROJECT_H
#include "protocol/base/span.h"

/* `process` is its folder in /proc, `mounts` the text of its mountinfo: they are our own mounts. Its path, or "". */
void project_find(int process, struct span mounts, char *to, size_t size);

/* The parts of it that are pure, for tests and for fuzzing. */

/* Are all mounts, which a path leads through, of a kind that answers at once? */
bool project_is_reachable(struct span path, struct span mounts);
/* A path as it is shown: its end, where it is too long, and without bytes that are no text. */
void project_name(struct span path, char *to, size_t size);

#endif
