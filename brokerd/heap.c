/* heap.c - two numbers. */
#include "brokerd/heap.h"

#include <malloc.h>

#include "protocol/limits.h"

/* A body of some megabytes is read, written and answered in the heap. A block that is larger is the kernel's
 * and goes back at once, and so does what is free at the heap's end beyond a little: nothing stays of sixty
 * megabytes. */
#define LARGE_BYTES ((int)(16 * MIB))
#define KEEP_BYTES  ((int)(2 * MIB))

/* The tables that are made at start are mostly empty for long. From the kernel their pages come cleared, and each when
 * it is first used. */
#define TABLE_BYTES ((int)(64 * KIB))

void heap_begin(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, TABLE_BYTES);
#endif
}

void heap_settle(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
#endif
}
