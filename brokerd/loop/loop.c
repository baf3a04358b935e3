/* loop.c - libev underneath. Time is read once a turn, right after the kernel was asked; tasks run
 * just before it is asked again. */
#include "brokerd/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/base/list.h"

struct loop {
	struct ev_loop *ev;
	ev_check after_wait;
	ev_prepare before_wait;
	ev_idle no_wait; /* active while tasks wait for the next turn */
	struct loop_task *tasks;
	struct loop_task mark; /* where those of the next turn begin */
	int64_t now_us;
	bool is_running, is_stopping;
	void (*on_stall)(const char *kind, int64_t took_us);
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec t;
	const int failed = clock_gettime(clock, &t);
	assert(!failed); /* both clocks are always there */
	(void)failed;
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void refresh(struct loop *l)
{
	const int64_t now_us = clock_us(CLOCK_MONOTONIC);
	if (now_us > l->now_us)
		l->now_us = now_us;
}

/* Outside loop_run nobody else keeps the clocks fresh. */
static void refresh_if_resting(struct loop *l)
{
	if (l->is_running)
		return;
	refresh(l);
	ev_now_update(l->ev);
}

/* What a callback costs the others is known only by looking at the clock before and after. */
static int64_t watch_begin(const struct loop *l)
{
	return l->on_stall ? clock_us(CLOCK_MONOTONIC) : 0;
}

static void watch_end(const struct loop *l, const char *kind, int64_t began_us)
{
	if (!l->on_stall)
		return;
	const int64_t took_us = clock_us(CLOCK_MONOTONIC) - began_us;
	if (took_us >= LOOP_STALL_US)
		l->on_stall(kind, took_us);
}

void loop_watch_stalls(struct loop *l, void (*on_stall)(const char *kind, int64_t took_us))
{
	l->on_stall = on_stall;
}

/* ---- tasks ---- */

static void run_tasks(struct loop *l)
{
	/* what is added while these run stands behind the mark */
	LIST_PUSH(l->tasks, &l->mark);
	while (l->tasks != &l->mark) {
		struct loop_task *t = l->tasks;
		loop_task_stop(t);
		const int64_t began_us = watch_begin(l);
		t->on_run(t);
		watch_end(l, "task", began_us);
	}
	LIST_REMOVE(l->tasks, &l->mark);
}

void loop_later(struct loop *l, struct loop_task *t)
{
	if (t->loop)
		return;
	t->loop = l;
	LIST_PUSH(l->tasks, t);
}

void loop_task_stop(struct loop_task *t)
{
	if (!t->loop)
		return;
	LIST_REMOVE(t->loop->tasks, t);
	t->loop = NULL;
}

/* ---- the turn ---- */

static void on_after_wait(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *l = container_of(w, struct loop, after_wait);
	(void)ev;
	(void)revents;
	refresh(l);
}

static void on_before_wait(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = container_of(w, struct loop, before_wait);
	(void)revents;
	run_tasks(l);
	if (l->tasks)
		ev_idle_start(ev, &l->no_wait);
	else
		ev_idle_stop(ev, &l->no_wait);
}

static void on_no_wait(struct ev_loop *ev, ev_idle *w, int revents)
{
	(void)ev;
	(void)w;
	(void)revents;
}

struct loop *loop_new(struct fault *why)
{
	struct loop *l = calloc(1, sizeof *l);
	if (!l) {
		fault_set(why, ERR_NO_MEMORY, "no memory for the event loop");
		return NULL;
	}
	l->ev = ev_loop_new(EVFLAG_NOENV);
	if (!l->ev) {
		fault_set(why, ERR_IO, "the kernel gave no event loop: %s", strerror(errno));
		free(l);
		return NULL;
	}
	ev_check_init(&l->after_wait, on_after_wait);
	ev_set_priority(&l->after_wait, EV_MAXPRI); /* before all that asks what time it is */
	ev_check_start(l->ev, &l->after_wait);
	ev_prepare_init(&l->before_wait, on_before_wait);
	ev_prepare_start(l->ev, &l->before_wait);
	ev_idle_init(&l->no_wait, on_no_wait);
	refresh(l);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->tasks)
		loop_task_stop(l->tasks);
	ev_check_stop(l->ev, &l->after_wait);
	ev_prepare_stop(l->ev, &l->before_wait);
	ev_idle_stop(l->ev, &l->no_wait);
	ev_loop_destroy(l->ev);
	free(l);
}

void loop_run(struct loop *l)
{
	assert(!l->is_running);
	refresh_if_resting(l);
	l->is_running = true;
	l->is_stopping = false;
	while (!l->is_stopping)
		ev_run(l->ev, 0);
	run_tasks(l);
	l->is_running = false;
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
	ev_break(l->ev, EVBREAK_ALL);
}

int64_t loop_now_us(const struct loop *l)
{
	return l->is_running ? l->now_us : clock_us(CLOCK_MONOTONIC);
}

int64_t loop_wall_us(const struct loop *l)
{
	(void)l;
	return clock_us(CLOCK_REALTIME);
}

int64_t loop_boot_us(const struct loop *l)
{
	(void)l;
	return clock_us(CLOCK_BOOTTIME);
}

/* ---- descriptors ---- */

static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_io *io = container_of(w, struct loop_io, watcher);
	const struct loop *l = io->loop;
	const int ready =
		(revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0);
	(void)ev;
	assert(!(revents & EV_ERROR)); /* its owner closed the descriptor before the watch */
	const int64_t began_us = watch_begin(l);
	io->on_ready(io, ready);
	watch_end(l, "io", began_us);
}

void loop_io_set(struct loop *l, struct loop_io *io, int fd, int what)
{
	const int events = (what & LOOP_READ ? EV_READ : 0) | (what & LOOP_WRITE ? EV_WRITE : 0);
	if (io->loop) {
		const int wanted = io->watcher.events & (EV_READ | EV_WRITE);
		if (io->watcher.fd == fd && wanted == events)
			return;
		loop_io_stop(io);
	}
	if (!events)
		return;
	io->loop = l;
	ev_io_init(&io->watcher, on_io, fd, events);
	ev_io_start(l->ev, &io->watcher);
}

void loop_io_stop(struct loop_io *io)
{
	if (!io->loop)
		return;
	ev_io_stop(io->loop->ev, &io->watcher);
	io->loop = NULL;
}

/* ---- timers ---- */

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop_timer *t = container_of(w, struct loop_timer, watcher);
	struct loop *l = t->loop;
	(void)ev;
	(void)revents;
	t->loop = NULL;
	/* libev's own idea of now is a hair older than ours: nobody fires before his time */
	if (l->now_us < t->due_us)
		l->now_us = t->due_us;
	const int64_t began_us = watch_begin(l);
	t->on_fire(t);
	watch_end(l, "timer", began_us);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us)
{
	assert(delay_us >= 0);
	loop_timer_stop(t);
	refresh_if_resting(l);
	t->loop = l;
	t->due_us = l->now_us + delay_us;
	ev_timer_init(&t->watcher, on_timer, (double)delay_us / 1e6, 0.);
	ev_timer_start(l->ev, &t->watcher);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (!t->loop)
		return;
	ev_timer_stop(t->loop->ev, &t->watcher);
	t->loop = NULL;
}

/* ---- signals ---- */

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop_signal *s = container_of(w, struct loop_signal, watcher);
	const struct loop *l = s->loop;
	(void)ev;
	(void)revents;
	const int64_t began_us = watch_begin(l);
	s->on_signal(s);
	watch_end(l, "signal", began_us);
}

void loop_signal_set(struct loop *l, struct loop_signal *s, int number)
{
	loop_signal_stop(s);
	s->loop = l;
	ev_signal_init(&s->watcher, on_signal, number);
	ev_signal_start(l->ev, &s->watcher);
}

void loop_signal_stop(struct loop_signal *s)
{
	if (!s->loop)
		return;
	ev_signal_stop(s->loop->ev, &s->watcher);
	s->loop = NULL;
}

/* ---- other threads ---- */

static void on_wake(struct ev_loop *ev, ev_async *w, int revents)
{
	struct loop_wake *wake = container_of(w, struct loop_wake, watcher);
	const struct loop *l = wake->loop;
	(void)ev;
	(void)revents;
	const int64_t began_us = watch_begin(l);
	wake->on_wake(wake);
	watch_end(l, "wake", began_us);
}

void loop_wake_start(struct loop *l, struct loop_wake *w)
{
	assert(!w->loop);
	w->loop = l;
	ev_async_init(&w->watcher, on_wake);
	ev_async_start(l->ev, &w->watcher);
}

void loop_wake_stop(struct loop_wake *w)
{
	if (!w->loop)
		return;
	ev_async_stop(w->loop->ev, &w->watcher);
	w->loop = NULL;
}

void loop_wake(struct loop_wake *w)
{
	ev_async_send(w->loop->ev, &w->watcher);
}
