/* scarce.c - memory that runs out in a program that runs, when a test says so.
 * Loaded before the C library, by LD_PRELOAD. The file that $LLMB_SCARCE names is shared with the test,
 * which may write to it at any time: from then on, allocation `first` fails and all up to `last`, and of
 * all others `chance` in a million. For builds that leave the heap as it is (BROKER_PLAIN_HEAP). */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Numbers as the machine has them; the test knows their order. */
struct scarce {
	_Atomic int64_t seen; /* allocations; the test sets it to 0 */
	_Atomic int64_t first, last;
	_Atomic int64_t chance;
	_Atomic int64_t failed; /* of those seen */
};

static struct scarce *shared;

/* glibc's own names for them */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

__attribute__((constructor)) static void find_file(void)
{
	const char *path = getenv("LLMB_SCARCE");
	const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		shared = p;
}

/* The same numbers give the same chances. */
static bool by_chance(int64_t number)
{
	uint64_t x = (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 31)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (int64_t)((x >> 33) % 1000000) < shared->chance;
}

static bool fails(void)
{
	if (!shared)
		return false;
	const int64_t number = atomic_fetch_add(&shared->seen, 1) + 1;
	const int64_t first = shared->first;
	if (!(first > 0 && number >= first && number <= shared->last) && !by_chance(number))
		return false;
	atomic_fetch_add(&shared->failed, 1);
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return n > 0 && fails() ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
	void *p = fails() ? NULL : __libc_memalign(alignment, n);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}
