/* made_id.h - what is something called that nobody has named?
 * Pure: the same seed gives the same names, one after the other. */
#ifndef BROKERD_DIALECT_MADE_ID_H
#define BROKERD_DIALECT_MADE_ID_H
#include <stdint.h>

#include "protocol/base/buf.h"

/* Appends the prefix ("call_") and 24 small letters and digits, and moves the seed on. */
void made_id(struct buf *to, const char *prefix, uint64_t *seed);

#endif
