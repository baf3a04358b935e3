/* heap.h - how much memory that is free does the process keep for its next use?
 * Left to itself the C library gives the heap's free end back to the kernel from 128 KiB on, and takes it
 * again, page by page, for the next request; until one large block was freed, after which it keeps up to
 * 64 MiB. Here it is the same from the first request to the last. */
#ifndef BROKERD_HEAP_H
#define BROKERD_HEAP_H

/* For a program to call once each: before any memory is taken, and when it has made what it starts with. */
void heap_begin(void);
void heap_settle(void);

#endif
