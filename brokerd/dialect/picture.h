/* picture.h - how large is this picture?
 * As its first bytes say: PNG, JPEG, GIF and WebP. Pure. */
#ifndef BROKERD_DIALECT_PICTURE_H
#define BROKERD_DIALECT_PICTURE_H
#include <stdint.h>

#include "protocol/base/span.h"

/* In pixels, each 1 or more. False: they do not say, or it is another kind of picture. */
bool picture_size(struct span bytes, int64_t *width, int64_t *height);

#endif
