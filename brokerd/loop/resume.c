/* resume.c - a timer that is never due, and is cancelled when the clock jumps. */
#include "brokerd/loop/resume.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FAR_S ((time_t)100 * 365 * 24 * 3600) /* from now */

static int64_t read_clock(clockid_t clock)
{
	struct timespec at = {0};
	return clock_gettime(clock, &at) == 0
		       ? (int64_t)at.tv_sec * 1000000 + (int64_t)at.tv_nsec / 1000
		       : 0;
}

/* The one that stands still first: a delay between the two looks like sleep, and 5 s of it is long. */
static struct resume_clocks look(void)
{
	struct resume_clocks c;
	c.monotonic_us = read_clock(CLOCK_MONOTONIC);
	c.boot_us = read_clock(CLOCK_BOOTTIME);
	return c;
}

bool resume_was_asleep(const struct resume_clocks *before, const struct resume_clocks *now)
{
	const int64_t asleep_before_us = before->boot_us - before->monotonic_us;
	const int64_t asleep_us = now->boot_us - now->monotonic_us;
	return asleep_us - asleep_before_us > RESUME_LEAST_US;
}

static bool arm(int fd)
{
	const struct itimerspec far = {
		.it_value.tv_sec = (time_t)(read_clock(CLOCK_REALTIME) / 1000000) + FAR_S};
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) == 0 ||
	       errno == ECANCELED;
}

static void on_ready(struct loop_io *io, int ready)
{
	struct resume_watch *w = container_of(io, struct resume_watch, io);
	uint64_t times;
	(void)ready;
	/* ECANCELED is what is waited for */
	if (read(w->fd, &times, sizeof times) < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	const struct resume_clocks now = look();
	const bool was_asleep = resume_was_asleep(&w->seen, &now);
	w->seen = now;
	if (!arm(w->fd))
		resume_watch_stop(w); /* rather than be told of it for ever */
	if (was_asleep)
		w->on_resume(w);
}

enum err resume_watch_start(struct loop *l, struct resume_watch *w, struct fault *why)
{
	w->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->fd < 0 || !arm(w->fd)) {
		fault_set(
			why, ERR_IO, "no timer tells when the host has slept: %s", strerror(errno));
		resume_watch_stop(w);
		return ERR_IO;
	}
	w->seen = look();
	LOOP_CALLS(&w->io, on_ready, on_ready);
	loop_io_set(l, &w->io, w->fd, LOOP_READ);
	return OK;
}

void resume_watch_stop(struct resume_watch *w)
{
	loop_io_stop(&w->io);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}
