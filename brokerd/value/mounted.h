/* mounted.h - is the disk of a folder where it was?
 * What was unmounted leaves a folder of the same name behind, on another disk: nothing of ours belongs there. Blocks, as
 * long as it takes to look at some folders. */
#ifndef BROKERD_VALUE_MOUNTED_H
#define BROKERD_VALUE_MOUNTED_H
#include <limits.h>

#include "protocol/base/err.h"

struct mounted {
	char at[PATH_MAX]; /* where the file system of the folder is mounted; "" is not known */
};

/* Notes it, while all is well. Where it cannot be found out it is not known, and any disk will do. */
void mounted_note(struct mounted *m, const char *folder);

/* Is one mounted there, be it another one? ERR_IO: it is not. */
enum err mounted_check(const struct mounted *m, struct fault *why) MUST_USE;

#endif
