/* wipe.c - what is left in memory that was given back? Nothing.
 *
 * libcurl, OpenSSL and msgpack-c copy what passes through them and do not clear what they free. So
 * the executable's own free and realloc, which all libraries in the process are bound to, overwrite
 * every block before the C library has it back. It costs some 20 ns a block. Sanitizers and valgrind
 * bring allocators of their own; there is nothing to hide from in their builds. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GLIBC__) && !defined(BROKER_PLAIN_HEAP)

void __libc_free(void *p);

/* A compiler that sees the whole program knows how much was asked for, and takes what is written beyond that, though it
 * is the block's, for an overflow. What it is told here is that it does not know. */
static void *block(void *p)
{
	__asm__("" : "+r"(p));
	return p;
}

void free(void *p)
{
	if (!p)
		return;
	p = block(p);
	explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
}

/* Never in place: the C library's own would leave the old block as it was where it moves it. */
void *realloc(void *p, size_t n)
{
	if (!p)
		return malloc(n);
	if (n == 0) {
		free(p);
		return NULL;
	}
	p = block(p);
	const size_t had = malloc_usable_size(p);
	if (n <= had && n >= had / 2)
		return p;
	void *moved = block(malloc(n));
	if (!moved)
		return NULL;
	memcpy(moved, p, had < n ? had : n);
	free(p);
	return moved;
}

#endif
