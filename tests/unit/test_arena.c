/* test_arena.c - what an arena hands out, and when it refuses. */
#include "protocol/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "protocol/base/mem.h"
#include "tests/lib/tap.h"

/* Out of memory is a result here, not the end. The name is the sanitizer's. */
const char *__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier) */
const char *__asan_default_options(void)  /* NOLINT(bugprone-reserved-identifier) */
{
	return "allocator_may_return_null=1";
}

static const size_t sizes[] = {0, 1, 7, 16, 17, 100, 1000, 2048, 2049, 5000, 100000, 300000, 3};

static bool is_zeroed(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

/* Each block is aligned, zeroed, and nobody else's: all are filled, and looked at again at the end. */
static void blocks(void)
{
	enum { ROUNDS = 40 };
	static unsigned char *block[ROUNDS * COUNT_OF(sizes)];
	struct arena a;
	size_t n = 0, misaligned = 0, dirty = 0, overwritten = 0;
	arena_init(&a, (size_t)64 << 20);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < COUNT_OF(sizes); i++, n++) {
			block[n] = arena_alloc(&a, sizes[i]);
			if (!block[n])
				bail("no memory");
			misaligned += (uintptr_t)block[n] % alignof(max_align_t) != 0;
			dirty += !is_zeroed(block[n], sizes[i]);
			memset(block[n], (int)(n % 255) + 1, sizes[i]);
		}
	}
	for (size_t i = 0; i < n; i++) {
		const unsigned char *p = block[i];
		for (size_t k = 0; k < sizes[i % COUNT_OF(sizes)]; k++)
			overwritten += p[k] != (unsigned char)(i % 255 + 1);
	}
	is_uint(misaligned, 0, "every block is aligned");
	is_uint(dirty, 0, "every block is zeroed");
	is_uint(overwritten, 0, "no block overlaps another");
	ok(a.total <= a.max, "what it took is under its ceiling");
	ok(a.total < (size_t)40 * 600000, "and not much more than was asked: %zu", a.total);
	arena_done(&a);
	is_uint(a.total, 0, "done: nothing is held");
	ok(arena_alloc(&a, 10) != NULL, "done: usable again");
	arena_done(&a);
	arena_done(&a);
}

static void places(void)
{
	struct arena a;
	arena_init(&a, 100000);
	char *first = arena_alloc(&a, 0), *second = arena_alloc(&a, 0);
	ok(first && second && first != second, "an empty block has an address of its own");
	char *before = arena_alloc(&a, 32);
	ok(arena_alloc(&a, 5000) != NULL, "a large block");
	ok(arena_alloc(&a, 32) == before + 32, "takes nothing of the chunk that is being filled");

	static const char sixteen[] = "0123456789abcdef";
	char *copy = arena_str(&a, SPAN("0123456789abcdef"));
	char *after = arena_alloc(&a, 16);
	if (!copy || !after)
		bail("no memory");
	memset(after, 'x', 16);
	is_str(copy, sixteen, "a copy's NUL is its own");
	arena_done(&a);
}

static bool is_in(const char *p, const char *room, size_t n)
{
	return p >= room && p < room + n;
}

static size_t held; /* blocks of the heap */

static void *counted(void *p, size_t n, void *arg)
{
	(void)arg;
	if (n == 0) {
		held--;
		free(p);
		return NULL;
	}
	void *got = realloc(p, n);
	held += got && !p;
	return got;
}

#define FILLED 'x'

static void fill(char *p, size_t n)
{
	if (p)
		memset(p, FILLED, n);
}

/* The caller's bytes are the first, whatever comes beside them, and again after the end. */
static void lent(void)
{
	alignas(max_align_t) char room[512] = {0};
	struct arena a;
	arena_init_in(&a, 100000, room, sizeof room);
	for (int round = 0; round < 2; round++) {
		char *first = arena_alloc(&a, 100), *large = arena_alloc(&a, 5000),
		     *second = arena_alloc(&a, 100);
		ok(first && is_in(first, room, sizeof room), "round %d: it is there", round);
		ok(large && !is_in(large, room, sizeof room), "what is large is not");
		ok(second && is_in(second, room, sizeof room), "and takes nothing of it");
		char *more = arena_alloc(&a, 400), *last = arena_alloc(&a, 3000);
		ok(more && last && !is_in(more, room, sizeof room),
			"when it is full the heap is next");
		if (large)
			memset(large, 1, 5000);
		fill(first, 100);
		fill(second, 100);
		arena_done(&a);
		is_uint(a.total, 0, "done: nothing of the heap is held");
		ok(!memchr(room, FILLED, sizeof room), "and nothing of what was written is there");
	}
	fill(arena_alloc(&a, 300), 300);
	arena_done(&a);
	ok(!memchr(room, FILLED, sizeof room), "nor where all of it was in there");
}

static void ceilings(void)
{
	struct arena a;
	size_t broken = 0, wasted = 0;
	for (size_t ceiling = 0; ceiling < 20000; ceiling += 97) {
		size_t got = 0;
		arena_init(&a, ceiling);
		while (arena_alloc(&a, 24))
			got += 32;
		broken += a.total > ceiling || got > ceiling;
		/* near the ceiling each block brings its own header of 16 */
		wasted += ceiling > 200 && got < ceiling / 2;
		arena_done(&a);
	}
	is_uint(broken, 0, "no ceiling is broken");
	is_uint(wasted, 0, "and each can be used");

	arena_init(&a, 100000);
	ok(arena_alloc(&a, 99000) != NULL, "one block of nearly all");
	ok(!arena_alloc(&a, 2000), "no second one");
	ok(arena_alloc(&a, 200) != NULL, "but a small one");
	arena_done(&a);

	arena_init(&a, SIZE_MAX);
	ok(!arena_alloc(&a, SIZE_MAX), "SIZE_MAX bytes");
	ok(!arena_alloc(&a, SIZE_MAX - 64), "nearly SIZE_MAX bytes");
	ok(!arena_array(&a, SIZE_MAX / 2, 3), "an array whose size wraps");
	ok(!arena_array(&a, SIZE_MAX / 8 + 2, 8), "an array whose size wraps to little");
	int64_t *array = arena_array(&a, 100, sizeof *array);
	ok(array && array[0] == 0 && array[99] == 0, "an array of zeroes");
	ok(arena_array(&a, 0, 8) != NULL, "an array of none is there");
	arena_done(&a);
}

static void copies(void)
{
	struct arena a;
	struct span copy;
	arena_init(&a, 4096);
	is_err(arena_dup(&a, SPAN("a\0b"), &copy), OK, "dup");
	is_mem(copy.p, copy.n + 1, "a\0b", 4, "dup: the bytes and a NUL behind");
	is_err(arena_dup(&a, SPAN(""), &copy), OK, "dup: of an empty text");
	ok(span_is_set(copy) && copy.n == 0, "dup: is empty and there");
	is_err(arena_dup(&a, SPAN_NONE, &copy), OK, "dup: of the absent");
	ok(!span_is_set(copy), "dup: is absent");
	static char large[5000];
	copy = SPAN("x");
	is_err(arena_dup(&a, span_of(large, sizeof large), &copy), ERR_NO_MEMORY, "dup: too large");
	ok(!span_is_set(copy), "dup: is absent then");
	is_str(arena_str(&a, SPAN("text")), "text", "str");
	is_str(arena_str(&a, SPAN_NONE), "", "str: of the absent is empty");
	ok(!arena_str(&a, span_of(large, sizeof large)), "str: too large");
	arena_done(&a);
}

/* What a buf holds is the arena's afterwards, much of it without a copy. */
static void adopts(size_t n, bool is_copied)
{
	struct arena a;
	struct buf b = BUF_INIT(100000);
	struct span got;
	for (size_t i = 0; i < n; i++)
		buf_byte(&b, (char)('a' + i % 26));
	const char *const before = b.p;
	OWNED(buf_done) struct buf want = BUF_INIT(100000);
	buf_span(&want, buf_view(&b));
	arena_init(&a, 200000);
	is_err(arena_adopt(&a, &b, &got), OK, "adopt: %zu bytes", n);
	is_mem(got.p, got.n, want.p, want.n, "adopt: %zu bytes are the same", n);
	ok(is_copied == (got.p != before), "adopt: %zu bytes %s", n,
		is_copied ? "are copied" : "stay where they are");
	ok(b.n == 0 && !b.p, "adopt: the buf is empty");
	ok(a.total >= n && a.total <= a.max, "adopt: the arena counts them");
	ok(arena_alloc(&a, 100) != NULL, "adopt: and goes on");
	arena_done(&a);
	is_uint(a.total, 0, "adopt: done");
}

/* The list of them is in bytes that are overwritten at the end. */
static void adopts_where_lent(void)
{
	alignas(max_align_t) char room[512];
	struct arena a;
	struct span got;
	const size_t before = held;
	arena_init_in(&a, 100000, room, sizeof room);
	for (int i = 0; i < 3; i++) {
		struct buf b = BUF_INIT(10000);
		while (b.n < 9000)
			buf_byte(&b, 'a');
		is_err(arena_adopt(&a, &b, &got), OK, "adopt: where bytes are lent");
	}
	is_uint(held, before + 3, "adopt: each is held");
	arena_done(&a);
	is_uint(held, before, "adopt: and each given back");
}

static void adopts_too_much(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(100000);
	struct arena a;
	struct span got = SPAN("x");
	while (b.n < 50000)
		buf_byte(&b, 'a');
	arena_init(&a, 50000);
	is_err(arena_adopt(&a, &b, &got), ERR_NO_MEMORY, "adopt: over the ceiling");
	ok(!span_is_set(got) && b.n == 50000, "adopt: nothing was moved");
	arena_done(&a);
}

int main(void)
{
	mem_use(counted, NULL);
	blocks();
	places();
	lent();
	ceilings();
	copies();
	adopts(0, true);
	adopts(100, true);
	adopts(50000, false);
	adopts_where_lent();
	adopts_too_much();
	is_uint(held, 0, "no memory is held in the end");
	return tap_done();
}
