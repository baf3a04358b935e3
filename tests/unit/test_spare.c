/* test_spare.c - is memory that is used again as clean as new? */
#include "brokerd/exchange/spare.h"

#include <string.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define BLOCK_BYTES ((size_t)256)
#define CLEARED     ((size_t)200)

static bool is_clear(const unsigned char *p)
{
	for (size_t i = 0; i < CLEARED; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

int main(void)
{
	unsigned char *held[40];
	struct spares s = {0};
	size_t dirty = 0, twice = 0;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT_OF(held); i++) {
			held[i] = spare_take(&s, BLOCK_BYTES, CLEARED);
			if (!held[i])
				bail("no memory");
			dirty += !is_clear(held[i]);
			for (size_t k = 0; k < i; k++)
				twice += held[k] == held[i];
			memset(held[i], 'x', BLOCK_BYTES);
		}
		for (size_t i = 0; i < COUNT_OF(held); i++)
			spare_give(&s, held[i], CLEARED);
		ok(s.n < COUNT_OF(held), "of a crowd not all is kept");
	}
	is_uint(dirty, 0, "each is clear when it is taken");
	is_uint(twice, 0, "and nobody else's");

	/* while nobody has it, too, but for where the list goes on */
	if (s.n == 0) {
		skip("a sanitizer keeps none");
	} else {
		const unsigned char *first = (const unsigned char *)s.list;
		ok(memchr(first + sizeof(void *), 'x', CLEARED - sizeof(void *)) == NULL,
			"what is kept was overwritten when it was given back");
	}
	spare_done(&s);
	is_uint(s.n, 0, "given back, none is there");
	held[0] = spare_take(&s, BLOCK_BYTES, CLEARED);
	ok(held[0] && is_clear(held[0]), "and it goes on");
	if (held[0])
		spare_give(&s, held[0], CLEARED);
	spare_done(&s);
	return tap_done();
}
