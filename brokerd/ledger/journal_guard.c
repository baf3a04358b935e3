/* journal_guard.c - a signal knows nothing but the process: what it needs is in one place. */
#include "brokerd/ledger/journal_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define TIMES_MAX \
	64 /* that threads may come to the same end at once; more is a file that cannot be read either */

static struct {
	unsigned char *map; /* NULL: nothing is watched over */
	size_t bytes;
	int fd;
	atomic_bool is_private;
	atomic_uint times;
} guard;

static bool is_inside(const void *at)
{
	const unsigned char *p = at;
	return guard.map && p >= guard.map && p < guard.map + guard.bytes;
}

/* What may be called in a handler is not said of mmap, but on Linux it is a system call and nothing else. */
static void on_bus(int number, siginfo_t *info, void *context)
{
	const int os = errno;
	(void)context;
	if (is_inside(info->si_addr) && atomic_fetch_add(&guard.times, 1) < TIMES_MAX &&
		(atomic_exchange(&guard.is_private, true) ||
			mmap(guard.map, guard.bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_FIXED, guard.fd, 0) == (void *)guard.map)) {
		errno = os;
		return;
	}
	(void)signal(number, SIG_DFL); /* and the store is tried again */
}

void journal_guard(const struct journal_file *f)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	guard.map = NULL;
	atomic_store(&guard.is_private, false);
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
	return atomic_load(&guard.is_private);
}
