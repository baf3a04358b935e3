/* mem.c - one indirection, which a program that does not ask for it never sees. */
#include "protocol/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void *(*resize)(void *p, size_t n, void *arg);
static void *resize_arg;

void mem_use(void *(*fn)(void *p, size_t n, void *arg), void *arg)
{
	resize = fn;
	resize_arg = arg;
}

void *mem_resize(void *p, size_t n)
{
	return resize ? resize(p, n, resize_arg) : realloc(p, n);
}

void *mem_zeroed(size_t n)
{
	if (!resize)
		return calloc(1, n);
	void *p = resize(NULL, n, resize_arg);
	if (p)
		memset(p, 0, n);
	return p;
}

void mem_free(void *p)
{
	if (!resize)
		free(p);
	else if (p)
		resize(p, 0, resize_arg);
}
