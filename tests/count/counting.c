/* counting.c - how often does a program allocate, and how long are the turns of its loop?
 * A library to be loaded before a program (LD_PRELOAD) that runs on libev. It counts into the file that
 * $COUNTING names, from whose mapping anybody reads. Only of the first thread, which is the loop's: what
 * workers do in batches is a matter of the clock. A turn is its processor time between two waits. */
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

/* counted.py has the same */
struct counts {
	uint64_t is_on; /* set from outside */
	uint64_t allocations, turns, longest_turn_ns;
};

/* The library hides all names but those that take the place of libc's. */
#pragma GCC visibility push(default)
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
int epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms);
#pragma GCC visibility pop

static struct counts nowhere, *counts = &nowhere;
static _Thread_local bool is_first_thread;
static int64_t began_ns; /* of this turn; 0: it began before it was looked at */

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("COUNTING");
	const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;
	if (fd >= 0) {
		at = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (at != MAP_FAILED)
		counts = at;
	is_first_thread = true;
}

static void count(void)
{
	counts->allocations += is_first_thread;
}

void *malloc(size_t n)
{
	count();
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	count();
	return __libc_realloc(p, n);
}

static int64_t used_ns(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
		abort();
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms)
{
	const bool is_looked_at = is_first_thread && counts->is_on;
	if (is_looked_at && began_ns > 0) {
		const uint64_t took_ns = (uint64_t)(used_ns() - began_ns);
		counts->turns++;
		if (took_ns > counts->longest_turn_ns)
			counts->longest_turn_ns = took_ns;
	}
	const int found = epoll_pwait(fd, events, n, timeout_ms, NULL);
	if (is_first_thread)
		began_ns = is_looked_at ? used_ns() : 0;
	return found;
}
