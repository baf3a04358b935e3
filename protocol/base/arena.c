/* arena.c - chunks that double up to a bound; a large block gets a chunk of its own. */
#include "protocol/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "protocol/base/mem.h"

#define FIRST_BYTES   ((size_t)2048)
#define LARGEST_BYTES ((size_t)256 * 1024)
#define ADOPT_BYTES   ((size_t)4096) /* less is copied */

struct arena_chunk {
	struct arena_chunk *next;
	alignas(max_align_t) char bytes[];
};

struct arena_adopted {
	struct arena_adopted *next;
	char *bytes;
};

void arena_init(struct arena *a, size_t ceiling)
{
	*a = (struct arena){.max = ceiling};
}

/* Others get them after this one: nothing of it is there then. */
static void wipe_lent(const struct arena *a)
{
	if (a->lent)
		explicit_bzero(a->lent->bytes, a->chunks == a->lent ? a->used : a->lent_bytes);
}

static void lend(struct arena *a, struct arena_chunk *chunk, size_t bytes)
{
	chunk->next = NULL;
	a->chunks = a->lent = chunk;
	a->size = a->lent_bytes = bytes;
	a->used = 0;
}

void arena_init_in(struct arena *a, size_t ceiling, void *room, size_t n)
{
	struct arena_chunk *chunk = room;
	assert(n > sizeof *chunk);
	arena_init(a, ceiling);
	lend(a, chunk, n - sizeof *chunk);
}

void arena_done(struct arena *a)
{
	for (; a->adopted; a->adopted = a->adopted->next)
		mem_free(a->adopted->bytes);
	wipe_lent(a); /* their list lies there, too */
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;
		if (a->chunks != a->lent) /* which may be before or behind others */
			mem_free(a->chunks);
		a->chunks = next;
	}
	struct arena_chunk *const lent = a->lent;
	const size_t lent_bytes = a->lent_bytes;
	arena_init(a, a->max);
	if (lent)
		lend(a, lent, lent_bytes);
}

static struct arena_chunk *chunk_new(struct arena *a, size_t bytes)
{
	const size_t whole = sizeof(struct arena_chunk) + bytes;
	if (whole < bytes || whole > a->max - a->total)
		return NULL;
	struct arena_chunk *chunk = mem_resize(NULL, whole);
	if (chunk)
		a->total += whole;
	return chunk;
}

void *arena_bytes(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	if (n > SIZE_MAX - align)
		return NULL;
	n = (n + align - 1) / align * align;
	if (n == 0)
		n = align;
	if (a->chunks && n <= a->size - a->used) {
		void *p = a->chunks->bytes + a->used;
		a->used += n;
		return p;
	}
	size_t size = a->total < FIRST_BYTES ? FIRST_BYTES : a->total;
	if (size > LARGEST_BYTES)
		size = LARGEST_BYTES;
	if (n > size / 2 && a->chunks) {
		/* behind the newest, so that the newest goes on being filled */
		struct arena_chunk *own = chunk_new(a, n);
		if (!own)
			return NULL;
		own->next = a->chunks->next;
		a->chunks->next = own;
		return own->bytes;
	}
	if (size < n)
		size = n;
	struct arena_chunk *chunk = chunk_new(a, size);
	if (!chunk && size > n) {
		size = n; /* near the ceiling: just what is asked */
		chunk = chunk_new(a, size);
	}
	if (!chunk)
		return NULL;
	chunk->next = a->chunks;
	a->chunks = chunk;
	a->size = size;
	a->used = n;
	return chunk->bytes;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = arena_bytes(a, n);
	if (p)
		memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

enum err arena_dup(struct arena *a, struct span s, struct span *out)
{
	*out = SPAN_NONE;
	if (!s.p)
		return OK;
	char *copy = arena_str(a, s);
	if (!copy)
		return ERR_NO_MEMORY;
	*out = span_of(copy, s.n);
	return OK;
}

enum err arena_adopt(struct arena *a, struct buf *from, struct span *out)
{
	if (from->n < ADOPT_BYTES) {
		const enum err err = arena_dup(a, buf_view(from), out);
		if (!err)
			buf_done(from);
		return err;
	}
	*out = SPAN_NONE;
	struct arena_adopted *own =
		from->cap <= a->max - a->total ? arena_bytes(a, sizeof *own) : NULL;
	if (!own || from->cap > a->max - a->total)
		return ERR_NO_MEMORY;
	*own = (struct arena_adopted){.next = a->adopted, .bytes = from->p};
	a->adopted = own;
	a->total += from->cap;
	*out = buf_view(from);
	from->p = NULL; /* it is the arena's */
	buf_done(from);
	return OK;
}

char *arena_str(struct arena *a, struct span s)
{
	char *copy = s.n < SIZE_MAX ? arena_bytes(a, s.n + 1) : NULL;
	if (copy && s.n > 0)
		memcpy(copy, s.p, s.n);
	if (copy)
		copy[s.n] = '\0';
	return copy;
}
