/* loop.c - libev underneath. The clocks are read once a turn, right after the kernel was asked; who is ready is only
 * noted then, and has his turn just before it is asked again, and after that the tasks have theirs: as long as there is
 * time. */
#include "brokerd/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "brokerd/loop/ready.h"
#include "brokerd/loop/spin.h"
#include "protocol/base/list.h"

/* Of a turn: after so long no other timer that is due and no other that is ready is called, and after so long no other
 * task; the first of each always is. What is left goes on in the next turn, once the kernel was asked. Each that is
 * called makes a task or two, a transfer's start among them, so these have half as much time again. */
#define READY_US INT64_C(1000)
#define TASKS_US INT64_C(1500)

struct loop {
	struct ev_loop *ev;
	ev_check after_wait;
	ev_prepare before_wait;
	ev_idle no_wait; /* active while somebody waits for the next turn */
	struct loop_timer *due;
	struct ready ready;
	struct loop_task *tasks;
	struct loop_task mark; /* where those of the next turn begin */
	bool has_mark;         /* it is in the list: those before it had no time yet */
	int64_t now_us, wall_us, boot_us;
	int64_t began_us;  /* this turn */
	int64_t looked_us; /* at the clock, last in this turn: somebody watches */
	bool is_running, is_stopping;
	struct loop_watch *watch; /* or NULL */
	struct loop_figures figures;
	struct spin spin;
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
	l->began_us = l->looked_us = now_us;
	l->wall_us = clock_us(CLOCK_REALTIME);
	l->boot_us = clock_us(CLOCK_BOOTTIME);
}

/* Outside loop_run nobody else keeps the clocks fresh. */
static void refresh_if_resting(struct loop *l)
{
	if (l->is_running)
		return;
	refresh(l);
	ev_now_update(l->ev);
}

/* Only where there is something to put off is the clock asked; who watches has asked it already. */
static bool is_late(struct loop *l, int64_t after_us)
{
	if (!l->watch)
		l->looked_us = clock_us(CLOCK_MONOTONIC);
	return l->looked_us - l->began_us >= after_us;
}

/* What a callback costs the others is known only by looking at the clock behind each: it began when the one before it ended, or
 * the turn began. What the loop does between two is counted as the later one's. */
static void watch_end(struct loop *l, const char *name, int fd)
{
	if (!l->watch)
		return;
	const int64_t began_us = l->looked_us;
	l->looked_us = clock_us(CLOCK_MONOTONIC);
	if (l->spin.is_looking)
		spin_saw(&l->spin, name, fd);
	if (l->looked_us - began_us < LOOP_STALL_US)
		return;
	l->figures.stalls++;
	l->watch->on_stall(l->watch, name, l->looked_us - began_us);
}

static void watch_turn(struct loop *l)
{
	struct spin_who by;
	uint64_t turns;
	if (!l->watch || !spin_turn(&l->spin, l->began_us, &by, &turns))
		return;
	l->figures.spins++;
	l->watch->on_spin(l->watch, by.name, by.fd, turns);
}

void loop_watched_by(struct loop *l, struct loop_watch *w)
{
	l->watch = w;
}

struct loop_figures loop_figures(const struct loop *l)
{
	return l->figures;
}

void loop_moved(struct loop *l)
{
	spin_moved(&l->spin);
}

/* ---- tasks ---- */

/* What is added while these run stands behind the mark. */
static void run_tasks(struct loop *l, int64_t until_us)
{
	if (!l->has_mark)
		LIST_PUSH(l->tasks, &l->mark);
	l->has_mark = true;
	while (l->tasks != &l->mark) {
		struct loop_task *t = l->tasks;
		const char *const name = t->name ? t->name : "task";
		loop_task_stop(t);
		t->on_run(t); /* may free it */
		watch_end(l, name, -1);
		if (l->tasks != &l->mark && is_late(l, until_us))
			return;
	}
	LIST_REMOVE(l->tasks, &l->mark);
	l->has_mark = false;
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

/* ---- who is ready ---- */

/* While it is called the descriptor is watched, if it was not meanwhile (on_io). */
static void call(struct loop *l, struct loop_io *io, int ready)
{
	const char *const name = io->name ? io->name : "io";
	const int fd = io->watcher.fd;
	if (!ev_is_active(&io->watcher))
		ev_io_start(l->ev, &io->watcher);
	io->on_ready(io, ready); /* may free it */
	watch_end(l, name, fd);
}

static void run_ready(struct loop *l)
{
	struct loop_io *io;
	int ready;
	while ((io = ready_take(&l->ready, &ready))) {
		call(l, io, ready);
		if (l->ready.first && is_late(l, READY_US))
			return;
	}
}

static void run_due(struct loop *l);

/* ---- the turn ---- */

static void on_after_wait(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *l = container_of(w, struct loop, after_wait);
	(void)ev;
	(void)revents;
	refresh(l);
	ready_begin(&l->ready);
	watch_turn(l);
}

static void on_before_wait(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = container_of(w, struct loop, before_wait);
	(void)revents;
	if (l->has_mark)
		run_tasks(l, READY_US);
	run_due(l);
	run_ready(l);
	run_tasks(l, TASKS_US);
	if (l->looked_us - l->began_us > l->figures.longest_us)
		l->figures.longest_us = l->looked_us - l->began_us;
	if (l->tasks || l->ready.first || l->due)
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
	if (l->has_mark)
		LIST_REMOVE(l->tasks, &l->mark);
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
	if (l->has_mark)
		run_tasks(l, INT64_MAX);
	run_tasks(l, INT64_MAX);
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

bool loop_is_late(const struct loop *l)
{
	return l->is_running && clock_us(CLOCK_MONOTONIC) - l->began_us >= READY_US;
}

int64_t loop_wall_us(const struct loop *l)
{
	return l->is_running ? l->wall_us : clock_us(CLOCK_REALTIME);
}

int64_t loop_boot_us(const struct loop *l)
{
	return l->is_running ? l->boot_us : clock_us(CLOCK_BOOTTIME);
}

/* ---- descriptors ---- */

/* Who waits for his turn and is told of again is not asked about any more until he has had it: the kernel would name
 * all of a long queue each time. */
static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_io *io = container_of(w, struct loop_io, watcher);
	const int what =
		(revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0);
	assert(!(revents & EV_ERROR)); /* its owner closed the descriptor before the watch */
	if (!ready_note(&io->loop->ready, io, what))
		ev_io_stop(ev, w);
}

void loop_io_set(struct loop *l, struct loop_io *io, int fd, int what)
{
	const int events = (what & LOOP_READ ? EV_READ : 0) | (what & LOOP_WRITE ? EV_WRITE : 0);
	if (io->loop) {
		const int wanted = io->watcher.events & (EV_READ | EV_WRITE);
		if (io->watcher.fd == fd && wanted == events)
			return;
		ready_keep(&l->ready, io, io->watcher.fd == fd ? what : 0);
		ev_io_stop(l->ev, &io->watcher);
	}
	io->loop = events ? l : NULL;
	if (!events)
		return;
	ev_io_init(&io->watcher, on_io, fd, events);
	ev_io_start(l->ev, &io->watcher);
}

void loop_io_stop(struct loop_io *io)
{
	if (!io->loop)
		return;
	ready_keep(&io->loop->ready, io, 0);
	ev_io_stop(io->loop->ev, &io->watcher);
	io->loop = NULL;
}

/* ---- timers ---- */

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop_timer *t = container_of(w, struct loop_timer, watcher);
	(void)ev;
	(void)revents;
	t->is_due = true;
	LIST_PUSH(t->loop->due, t);
}

static void run_due(struct loop *l)
{
	while (l->due) {
		struct loop_timer *t = l->due;
		const char *const name = t->name ? t->name : "timer";
		loop_timer_stop(t);
		/* libev's own idea of now is a hair older than ours: nobody fires before his time */
		if (l->now_us < t->due_us)
			l->now_us = t->due_us;
		t->on_fire(t); /* may free it */
		watch_end(l, name, -1);
		if (l->due && is_late(l, READY_US))
			return;
	}
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
	if (t->is_due)
		LIST_REMOVE(t->loop->due, t);
	else
		ev_timer_stop(t->loop->ev, &t->watcher);
	t->is_due = false;
	t->loop = NULL;
}

/* ---- signals ---- */

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop_signal *s = container_of(w, struct loop_signal, watcher);
	struct loop *const l = s->loop;
	const char *const name = s->name ? s->name : "signal";
	(void)ev;
	(void)revents;
	loop_moved(l);
	s->on_signal(s);
	watch_end(l, name, -1);
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
	struct loop *const l = wake->loop;
	const char *const name = wake->name ? wake->name : "wake";
	(void)ev;
	(void)revents;
	wake->on_wake(wake);
	watch_end(l, name, -1);
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
