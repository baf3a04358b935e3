/* any_order.h - words in an order that nobody thought of. */
#ifndef TESTS_LIB_ANY_ORDER_H
#define TESTS_LIB_ANY_ORDER_H
#include <stddef.h>
#include <stdint.h>

#include "protocol/base/buf.h"

/* Appends so many of `words`, a blank behind each; *seed, which goes on, says which. */
void any_order(
	uint64_t *seed, const char *const *words, size_t n_words, size_t length, struct buf *out);

#endif
