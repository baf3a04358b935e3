/* signals.c - a signalfd over a mask. */
#include "libllmclient/cli/signals.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "protocol/base/owned.h"

bool signals_hold(struct signals *s)
{
	static const int held[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGCHLD};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(held); i++)
		(void)sigaddset(&set, held[i]);
	(void)signal(SIGCHLD, SIG_DFL); /* where it is ignored a child leaves no status */
	(void)sigprocmask(SIG_BLOCK, &set, &s->before);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC);
	return s->fd >= 0;
}

void signals_release(const struct signals *s)
{
	(void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}

int signals_next(const struct signals *s, bool *is_the_terminals)
{
	struct signalfd_siginfo got;
	if (read(s->fd, &got, sizeof got) != (ssize_t)sizeof got)
		return 0;
	*is_the_terminals = got.ssi_code > 0;
	return (int)got.ssi_signo;
}

int signals_poll(const struct signals *s)
{
	bool unused;
	for (;;) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		const int n = poll(&p, 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		const int number = n > 0 ? signals_next(s, &unused) : 0;
		if (number != SIGCHLD)
			return number;
	}
}
