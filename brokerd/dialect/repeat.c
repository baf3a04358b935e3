/* repeat.c - FNV-1a: who would forge a collision owns the text anyway. */
#include "brokerd/dialect/repeat.h"

#define SUM_OF_NOTHING UINT64_C(0xcbf29ce484222325)

static uint64_t sum_up(uint64_t sum, struct span text)
{
	for (size_t k = 0; k < text.n; k++)
		sum = (sum ^ (unsigned char)text.p[k]) * UINT64_C(0x100000001b3);
	return sum;
}

void repeat_add(struct repeat *r, struct span piece)
{
	r->sum = sum_up(r->n == 0 ? SUM_OF_NOTHING : r->sum, piece);
	r->n += piece.n;
}

struct span repeat_rest(const struct repeat *r, struct span whole)
{
	if (r->n == 0)
		return whole;
	if (whole.n <= r->n || sum_up(SUM_OF_NOTHING, span_first(whole, r->n)) != r->sum)
		return SPAN("");
	return span_skip(whole, r->n);
}
