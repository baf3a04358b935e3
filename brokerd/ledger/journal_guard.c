/* journal_guard.c - a signal knows nothing but the process: what it needs is in one place. */
#include "brokerd/ledger/journal_guard.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define TIMES_MAX \
	64 /* that threads may come to the same end at once; more is a file that cannot be read either */

enum map_state {
	MAP_IS_SHARED,
	MAP_IS_MOVING, /* a thread is at it */
	MAP_IS_PRIVATE,
	MAP_IS_STUCK, /* there is no memory for it */
};

static struct {
	unsigned char *map; /* NULL: nothing is watched over */
	size_t bytes;
	int fd;
	atomic_int state;
	atomic_uint times;
} guard;

static bool is_inside(const void *at)
{
	const unsigned char *p = at;
	return guard.map && p >= guard.map && p < guard.map + guard.bytes;
}

/* At once: whoever reads or writes there meanwhile finds the one map or the other. */
static bool put_over(void *map)
{
	return mremap(map, guard.bytes, guard.bytes, MREMAP_MAYMOVE | MREMAP_FIXED, guard.map) ==
	       (void *)guard.map;
}

/* Made elsewhere first: a map that is refused by its file would leave nothing in place of the old one. A file system that
 * an error has made read-only refuses every map; there what is read of the old one is copied. */
static bool become_private(void)
{
	void *map = mmap(NULL, guard.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, guard.fd, 0);
	if (map != MAP_FAILED)
		return put_over(map);
	map = mmap(NULL, guard.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return false;
	memcpy(map, guard.map, guard.bytes);
	return put_over(map);
}

/* Can the store be tried again? */
static bool is_mended(void)
{
	int state = MAP_IS_SHARED;
	if (atomic_compare_exchange_strong(&guard.state, &state, MAP_IS_MOVING)) {
		const bool is_done = become_private();
		atomic_store(&guard.state, is_done ? MAP_IS_PRIVATE : MAP_IS_STUCK);
		return is_done;
	}
	if (state == MAP_IS_PRIVATE)
		return atomic_fetch_add(&guard.times, 1) < TIMES_MAX;
	while ((state = atomic_load(&guard.state)) == MAP_IS_MOVING)
		(void)sched_yield();
	return state == MAP_IS_PRIVATE;
}

/* What may be called in a handler is not said of mmap and mremap, but on Linux they are system calls and nothing else. */
static void on_bus(int number, siginfo_t *info, void *context)
{
	const int os = errno;
	(void)context;
	if (!is_inside(info->si_addr) || !is_mended())
		(void)signal(number, SIG_DFL); /* and the store is tried again */
	errno = os;
}

void journal_guard(const struct journal_file *f)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	guard.map = NULL;
	atomic_store(&guard.state, MAP_IS_SHARED);
	if (!f)
		return;
	guard.bytes = JOURNAL_PAGE_BYTES + 2 * f->half_bytes;
	guard.fd = f->fd;
	atomic_store(&guard.times, 0);
	guard.map = f->map;
	action.sa_sigaction = on_bus;
	(void)sigaction(SIGBUS, &action, NULL);
}

bool journal_guard_is_private(void)
{
	const int state = atomic_load(&guard.state);
	return state == MAP_IS_MOVING || state == MAP_IS_PRIVATE;
}
