/* repeat.c - a sum over words, in the order of the text however it was cut: who would forge a collision
 * owns the text anyway. */
#include "brokerd/dialect/repeat.h"

#include <endian.h>

#define WORD_BYTES sizeof(uint64_t)

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum ^= word;
	return (sum << 29 | sum >> 35) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Bytes of a word that is not full, as many as are there. */
static struct span fill(struct repeat *r, struct span piece)
{
	do {
		r->rest |= (uint64_t)(unsigned char)piece.p[0] << (8 * (r->n % WORD_BYTES));
		r->n++;
		piece = span_skip(piece, 1);
	} while (piece.n > 0 && r->n % WORD_BYTES != 0);
	if (r->n % WORD_BYTES == 0) {
		r->sum = mix(r->sum, r->rest);
		r->rest = 0;
	}
	return piece;
}

void repeat_add(struct repeat *r, struct span piece)
{
	uint64_t word;
	if (piece.n > 0 && r->n % WORD_BYTES != 0)
		piece = fill(r, piece);
	for (; piece.n >= WORD_BYTES; piece = span_skip(piece, WORD_BYTES)) {
		memcpy(&word, piece.p, sizeof word);
		r->sum = mix(r->sum, le64toh(word));
		r->n += WORD_BYTES;
	}
	if (piece.n > 0)
		(void)fill(r, piece);
}

bool repeat_eq(const struct repeat *a, const struct repeat *b)
{
	return a->n == b->n && a->sum == b->sum && a->rest == b->rest;
}

struct span repeat_rest(const struct repeat *r, struct span whole)
{
	struct repeat beginning = {.n = 0};
	if (r->n == 0)
		return whole;
	if (whole.n <= r->n)
		return SPAN("");
	repeat_add(&beginning, span_first(whole, r->n));
	return repeat_eq(&beginning, r) ? span_skip(whole, r->n) : SPAN("");
}
