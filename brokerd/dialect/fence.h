/* fence.h - where in a fenced answer is the JSON that was asked for? */
#ifndef BROKERD_DIALECT_FENCE_H
#define BROKERD_DIALECT_FENCE_H
#include "protocol/base/span.h"

/* What stands between a fence of three backticks at the very beginning (the rest of its line names a
 * language) and one at the very end, trimmed; the whole text where there are none. */
struct span fence_inside(struct span text);

#endif
