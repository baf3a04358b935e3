/* any_order.c - Knuth's MMIX generator picks, by its upper bits. */
#include "tests/lib/any_order.h"

void any_order(
	uint64_t *seed, const char *const *words, size_t n_words, size_t length, struct buf *out)
{
	for (size_t i = 0; i < length; i++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		buf_text(out, words[(*seed >> 33) % n_words]);
		buf_byte(out, ' ');
	}
}
