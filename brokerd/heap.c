/* heap.c - two numbers, which are one. */
#include "brokerd/heap.h"

#include <malloc.h>

#include "protocol/limits.h"

/* A body of some megabytes is read, written and answered in the heap; a larger block is the kernel's, and
 * goes back at once. */
#define KEEP_BYTES ((int)(16 * MIB))

void heap_settle(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
#endif
}
