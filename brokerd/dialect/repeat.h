/* repeat.h - what does a whole text say beyond the pieces that came before it?
 * Some hosts end a stream with all of it once more. The pieces are not kept, only how long they were
 * and a sum over them: a whole that begins with just that is told by its rest. No I/O. */
#ifndef BROKERD_DIALECT_REPEAT_H
#define BROKERD_DIALECT_REPEAT_H
#include <stdint.h>

#include "protocol/base/span.h"

/* Zeroed: nothing came. */
struct repeat {
	size_t n;
	uint64_t sum, rest; /* of whole words, and of the one that is not full */
};

void repeat_add(struct repeat *r, struct span piece);

/* Did the same text come, however it was cut? */
bool repeat_eq(const struct repeat *a, const struct repeat *b);

/* What follows the pieces in `whole`; all of it where none came, and nothing where it is another text. */
struct span repeat_rest(const struct repeat *r, struct span whole);

#endif
