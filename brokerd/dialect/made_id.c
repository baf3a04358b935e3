/* made_id.c - letters by splitmix64. */
#include "brokerd/dialect/made_id.h"

#define LETTERS 24

static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void made_id(struct buf *to, const char *prefix, uint64_t *seed)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	buf_text(to, prefix);
	for (int i = 0; i < LETTERS; i++)
		buf_byte(to, letters[next_random(seed) % (sizeof letters - 1)]);
}
