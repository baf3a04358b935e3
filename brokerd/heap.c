/* heap.c - two numbers. */
#include "brokerd/heap.h"

#include <malloc.h>

#include "protocol/limits.h"

/* A body of a megabyte is read, written and answered in the heap, call after call. A block that is larger
 * is the kernel's and goes back at once, and of what is free at the heap's end the rest: nothing stays of
 * sixty megabytes. */
#define LARGE_BYTES ((int)(4 * MIB))
#define KEEP_BYTES  ((int)(2 * MIB))

void heap_settle(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
#endif
}
