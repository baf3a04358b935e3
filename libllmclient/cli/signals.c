/* signals.c - a signalfd over a mask. */
#include "libllmclient/cli/signals.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "protocol/base/owned.h"

static bool hold(struct signals *s, const int *held, size_t n)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		(void)sigaddset(&set, held[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &s->before);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC);
	return s->fd >= 0;
}

bool signals_hold(struct signals *s)
{
	static const int held[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGCHLD};
	(void)signal(SIGCHLD, SIG_DFL); /* where it is ignored a child leaves no status */
	return hold(s, held, COUNT_OF(held));
}

bool signals_hold_screen(struct signals *s)
{
	static const int held[] = {
		SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH, SIGTTOU};
	return hold(s, held, COUNT_OF(held));
}

void signals_obey(int number)
{
	sigset_t one;
	sigemptyset(&one);
	(void)sigaddset(&one, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL); /* now */
	(void)sigprocmask(SIG_BLOCK, &one, NULL);
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
