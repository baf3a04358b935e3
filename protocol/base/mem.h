/* mem.h - where does memory come from?
 * From the C library's heap, unless the program that this code lives in brings its own. */
#ifndef PROTOCOL_BASE_MEM_H
#define PROTOCOL_BASE_MEM_H
#include <stddef.h>

/* `n` bytes where `p` was, its content kept; `p` NULL: new ones. n > 0. NULL: out of memory, and `p`
 * is as it was. */
void *mem_resize(void *p, size_t n);

/* `n` zeroed bytes; n > 0. NULL: out of memory. */
void *mem_zeroed(size_t n);

void mem_free(void *p); /* NULL is fine */

/* Takes memory from `fn` instead, which resizes `p` (NULL: none yet) to `n` bytes, or frees it where n
 * is 0; NULL goes back to the heap. For a program to set once, before any memory is taken. */
void mem_use(void *(*fn)(void *p, size_t n, void *arg), void *arg);

#endif
