/* trusted.h - what is in this file, if nobody else can have written it?
 * Its owner is root or the broker's user, and others may not write it. Blocks for as long as the disk does. */
#ifndef BROKERD_CONFIG_TRUSTED_H
#define BROKERD_CONFIG_TRUSTED_H
#include <sys/stat.h>

#include "protocol/base/buf.h"

/* Could somebody else have written this? ERR_MISCONFIGURED. */
enum err trusted_owner(const char *path, const struct stat *st, struct fault *why) MUST_USE;

/* Reads all of a regular file, up to the ceiling of `out`. *is_absent, with OK: there is none.
 * ERR_MISCONFIGURED with a sentence. */
enum err trusted_read(
	const char *path, struct buf *out, bool *is_absent, struct fault *why) MUST_USE;

#endif
