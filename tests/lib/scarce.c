/* scarce.c - a heap with a counter. */
#include "tests/lib/scarce.h"

#include <stdlib.h>

#include "protocol/base/mem.h"

long scarce_left = -1;

static void *take(void *p, size_t n, void *arg)
{
	(void)arg;
	if (n == 0) {
		free(p);
		return NULL;
	}
	if (scarce_left == 0)
		return NULL;
	if (scarce_left > 0)
		scarce_left--;
	return realloc(p, n);
}

void scarce_begin(void)
{
	mem_use(take, NULL);
}
