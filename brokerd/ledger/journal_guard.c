/* journal_guard.c - a signal knows nothing but the process: what it needs is in one place. */
#include "brokerd/ledger/journal_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TIMES_MAX \
	64 /* that threads may come to the same end at once; more is a file that cannot be read either */

static struct {
	unsigned char *map; /* NULL: nothing is watched over */
	size_t half_bytes, bytes;
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
	if (!f)
		return;
	guard.half_bytes = f->half_bytes;
	guard.bytes = JOURNAL_PAGE_BYTES + 2 * f->half_bytes;
	guard.fd = f->fd;
	atomic_store(&guard.is_private, false);
	atomic_store(&guard.times, 0);
	guard.map = f->map;
	action.sa_sigaction = on_bus;
	(void)sigaction(SIGBUS, &action, NULL);
}

bool journal_guard_is_private(void)
{
	return atomic_load(&guard.is_private);
}

static enum err guard_fault(int os, struct fault *why)
{
	return fault_set(why, os == ENOSPC || os == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
		"writing the journal failed: %s", strerror(os));
}

static enum err put(size_t at, size_t n, struct fault *why)
{
	while (n > 0) {
		const ssize_t done = pwrite(guard.fd, guard.map + at, n, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return guard_fault(done < 0 ? errno : EIO, why);
		at += (size_t)done;
		n -= (size_t)done;
	}
	return OK;
}

enum err journal_guard_share(const size_t used[2], struct fault *why)
{
	enum err err = OK;
	for (size_t i = 0; err == OK && i < 2; i++) {
		/* with the word behind, which says that it is the end */
		const size_t n = used[i] + 8 < guard.half_bytes ? used[i] + 8 : guard.half_bytes;
		err = put(JOURNAL_PAGE_BYTES + i * guard.half_bytes, n, why);
	}
	if (err == OK)
		err = put(0, JOURNAL_PAGE_BYTES, why);
	if (err == OK && fdatasync(guard.fd) != 0)
		err = guard_fault(errno, why);
	if (err)
		return err;
	if (mmap(guard.map, guard.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, guard.fd,
		    0) != (void *)guard.map)
		return guard_fault(errno, why);
	atomic_store(&guard.is_private, false);
	atomic_store(&guard.times, 0);
	return OK;
}
