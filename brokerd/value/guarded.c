/* guarded.c - libsodium's guarded allocations, closed by default. */
#include "brokerd/value/guarded.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

struct guarded {
	unsigned char *bytes;
	size_t n;
	unsigned opens;
	bool is_writable;
};

enum err guarded_new(size_t n, struct guarded **out)
{
	assert(n > 0);
	*out = NULL;
	struct guarded *g = malloc(sizeof *g);
	unsigned char *bytes = sodium_malloc(n);
	if (!g || !bytes) {
		free(g);
		sodium_free(bytes);
		return ERR_NO_MEMORY;
	}
	sodium_memzero(bytes, n);
	*g = (struct guarded){.bytes = bytes, .n = n, .opens = 1, .is_writable = true};
	guarded_close(g);
	*out = g;
	return OK;
}

enum err guarded_copy(struct span bytes, struct guarded **out)
{
	const enum err err = guarded_new(bytes.n, out);
	if (err)
		return err;
	memcpy(guarded_write(*out), bytes.p, bytes.n);
	guarded_close(*out);
	return OK;
}

void guarded_free(struct guarded *g)
{
	if (!g)
		return;
	sodium_free(g->bytes);
	free(g);
}

size_t guarded_size(const struct guarded *g)
{
	return g->n;
}

struct span guarded_read(struct guarded *g)
{
	/* the pages are there already: the kernel has no reason to refuse, and to go on without them
	 * would be a crash further on */
	if (g->opens++ == 0 && sodium_mprotect_readonly(g->bytes) != 0)
		abort();
	return span_of((const char *)g->bytes, g->n);
}

unsigned char *guarded_write(struct guarded *g)
{
	g->opens++;
	if (!g->is_writable && sodium_mprotect_readwrite(g->bytes) != 0)
		abort();
	g->is_writable = true;
	return g->bytes;
}

void guarded_close(struct guarded *g)
{
	assert(g->opens > 0);
	if (--g->opens > 0)
		return;
	if (sodium_mprotect_noaccess(g->bytes) != 0)
		abort();
	g->is_writable = false;
}

void guarded_drop(struct guarded **g)
{
	guarded_free(*g);
	*g = NULL;
}
