/* cache_check.h - what is said of kept answers, and does nothing?
 * Nothing of it is wrong: somebody may have turned off a part for a while. Pure. */
#ifndef BROKERD_CONFIG_CACHE_CHECK_H
#define BROKERD_CONFIG_CACHE_CHECK_H
#include "brokerd/config/config.h"
#include "protocol/base/buf.h"

/* Appends a line for each. */
void cache_check(const struct config *c, struct buf *to);

#endif
