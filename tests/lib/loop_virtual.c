/* loop_virtual.c - loop.h without a clock of its own. */
#include "tests/lib/loop_virtual.h"

#include <assert.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/list.h"

#define TURNS_MAX 1000000

/* An array of pointers in order. */
struct set {
	void **items;
	size_t n, cap;
};

struct loop {
	int64_t now_us, wall_off_us, slept_us;
	struct set timers; /* by time, then by who was set first */
	struct set ios, signals, wakes;
	struct loop_task *tasks;
	struct loop_task mark;
	bool is_stopping;
};

static struct loop *last;

static void set_insert(struct set *s, size_t at, void *item)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->items = realloc(s->items, s->cap * sizeof *s->items);
		if (!s->items)
			abort();
	}
	memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof *s->items);
	s->items[at] = item;
	s->n++;
}

static bool set_remove(struct set *s, const void *item)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i] != item)
			continue;
		s->n--;
		memmove(s->items + i, s->items + i + 1, (s->n - i) * sizeof *s->items);
		return true;
	}
	return false;
}

static bool set_has(const struct set *s, const void *item)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i] == item)
			return true;
	}
	return false;
}

struct loop *loop_new(struct fault *why)
{
	struct loop *l = calloc(1, sizeof *l);
	if (!l) {
		fault_set(why, ERR_NO_MEMORY, "no memory for the event loop");
		return NULL;
	}
	l->now_us = 1000000000; /* not 0: a time that was never set must not look like now */
	last = l;
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->tasks)
		loop_task_stop(l->tasks);
	free(l->timers.items);
	free(l->ios.items);
	free(l->signals.items);
	free(l->wakes.items);
	if (last == l)
		last = NULL;
	free(l);
}

struct loop *loop_virtual_last(void)
{
	return last;
}

void loop_watched_by(struct loop *l, struct loop_watch *w)
{
	(void)l; /* nothing takes time here */
	(void)w;
}

struct loop_figures loop_figures(const struct loop *l)
{
	(void)l;
	return (struct loop_figures){0};
}

void loop_moved(struct loop *l)
{
	(void)l;
}

bool loop_is_late(const struct loop *l)
{
	(void)l;
	return false;
}

int64_t loop_now_us(const struct loop *l)
{
	return l->now_us;
}

int64_t loop_wall_us(const struct loop *l)
{
	return LOOP_VIRTUAL_WALL_US + l->wall_off_us + l->now_us;
}

int64_t loop_boot_us(const struct loop *l)
{
	return l->now_us + l->slept_us;
}

void loop_virtual_sleep(struct loop *l, int64_t us)
{
	l->slept_us += us;
	l->wall_off_us += us;
}

void loop_virtual_set_wall(struct loop *l, int64_t wall_us)
{
	l->wall_off_us = wall_us - LOOP_VIRTUAL_WALL_US - l->now_us;
}

/* ---- one turn ---- */

static bool run_tasks(struct loop *l)
{
	const bool had_some = l->tasks != NULL;
	LIST_PUSH(l->tasks, &l->mark);
	while (l->tasks != &l->mark) {
		struct loop_task *t = l->tasks;
		loop_task_stop(t);
		t->on_run(t);
	}
	LIST_REMOVE(l->tasks, &l->mark);
	return had_some;
}

static bool fire_due(struct loop *l)
{
	bool has_fired = false;
	/* those that are set while these fire have their turn later, also with a delay of 0 */
	struct set due = {0};
	for (size_t i = 0; i < l->timers.n; i++) {
		struct loop_timer *t = l->timers.items[i];
		if (t->due_us <= l->now_us)
			set_insert(&due, due.n, t);
	}
	for (size_t i = 0; i < due.n; i++) {
		struct loop_timer *t = due.items[i];
		if (!set_has(&l->timers, t) || t->due_us > l->now_us)
			continue; /* one before it stopped it or set it anew */
		loop_timer_stop(t);
		t->on_fire(t);
		has_fired = true;
	}
	free(due.items);
	return has_fired;
}

static bool run_ready(struct loop *l, int wait_ms)
{
	bool was_ready = false;
	const size_t n = l->ios.n;
	struct pollfd *ask = calloc(n + 1, sizeof *ask);
	struct loop_io **who = calloc(n + 1, sizeof(struct loop_io *));
	if (!ask || !who)
		abort();
	for (size_t i = 0; i < n; i++) {
		who[i] = l->ios.items[i];
		const int events = who[i]->watcher.events;
		ask[i].fd = who[i]->watcher.fd;
		ask[i].events = (short)((events & EV_READ ? POLLIN : 0) |
					(events & EV_WRITE ? POLLOUT : 0));
	}
	if (poll(ask, n, wait_ms) > 0) {
		for (size_t i = 0; i < n; i++) {
			const short got = ask[i].revents;
			if (!got || !set_has(&l->ios, who[i]) || who[i]->watcher.fd != ask[i].fd)
				continue;
			assert(!(got & POLLNVAL)); /* its owner closed the descriptor first */
			const int wanted = who[i]->watcher.events;
			int ready = 0;
			if ((got & (POLLIN | POLLHUP | POLLERR)) && (wanted & EV_READ))
				ready |= LOOP_READ;
			if ((got & (POLLOUT | POLLHUP | POLLERR)) && (wanted & EV_WRITE))
				ready |= LOOP_WRITE;
			if (!ready)
				continue;
			who[i]->on_ready(who[i], ready);
			was_ready = true;
		}
	}
	free(ask);
	free(who);
	return was_ready;
}

static bool run_signals(struct loop *l)
{
	bool was_raised = false;
	for (size_t i = 0; i < l->signals.n; i++) {
		struct loop_signal *s = l->signals.items[i];
		if (!s->watcher.pending)
			continue;
		s->watcher.pending = 0;
		s->on_signal(s);
		was_raised = true;
	}
	return was_raised;
}

static bool run_wakes(struct loop *l)
{
	bool was_woken = false;
	for (size_t i = 0; i < l->wakes.n; i++) {
		struct loop_wake *w = l->wakes.items[i];
		if (!__atomic_exchange_n(&w->watcher.sent, 0, __ATOMIC_ACQ_REL))
			continue;
		w->on_wake(w);
		was_woken = true;
	}
	return was_woken;
}

/* Whether anything happened. */
static bool turn(struct loop *l, int wait_ms)
{
	bool did = run_ready(l, wait_ms);
	did = run_signals(l) || did;
	did = run_wakes(l) || did;
	did = fire_due(l) || did;
	return run_tasks(l) || did;
}

void loop_virtual_settle(struct loop *l)
{
	for (int i = 0; turn(l, 0); i++) {
		if (i == TURNS_MAX) {
			(void)fprintf(stderr, "loop_virtual: no rest after %d turns\n", i);
			abort();
		}
	}
}

bool loop_virtual_next(struct loop *l)
{
	if (l->timers.n == 0)
		return false;
	const struct loop_timer *t = l->timers.items[0];
	if (t->due_us > l->now_us)
		l->now_us = t->due_us;
	loop_virtual_settle(l);
	return true;
}

void loop_virtual_advance(struct loop *l, int64_t us)
{
	const int64_t until_us = l->now_us + us;
	assert(us >= 0);
	loop_virtual_settle(l);
	while (l->timers.n > 0) {
		const struct loop_timer *t = l->timers.items[0];
		if (t->due_us > until_us)
			break;
		loop_virtual_next(l);
	}
	l->now_us = until_us;
}

/* Where nothing is ready, time goes on to the next timer; with neither, another thread or process
 * must come, and is waited for. */
void loop_run(struct loop *l)
{
	l->is_stopping = false;
	while (!l->is_stopping) {
		if (turn(l, 0) || l->is_stopping)
			continue;
		if (!loop_virtual_next(l))
			turn(l, 1);
	}
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

/* ---- what is watched ---- */

void loop_io_set(struct loop *l, struct loop_io *io, int fd, int what)
{
	loop_io_stop(io);
	if (!what)
		return;
	io->loop = l;
	io->watcher.fd = fd;
	io->watcher.events = (what & LOOP_READ ? EV_READ : 0) | (what & LOOP_WRITE ? EV_WRITE : 0);
	set_insert(&l->ios, l->ios.n, io);
}

void loop_io_stop(struct loop_io *io)
{
	if (!io->loop)
		return;
	set_remove(&io->loop->ios, io);
	io->loop = NULL;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us)
{
	size_t at;
	assert(delay_us >= 0);
	loop_timer_stop(t);
	t->loop = l;
	t->due_us = l->now_us + delay_us;
	for (at = l->timers.n; at > 0; at--) {
		const struct loop_timer *before = l->timers.items[at - 1];
		if (before->due_us <= t->due_us)
			break;
	}
	set_insert(&l->timers, at, t);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (!t->loop)
		return;
	set_remove(&t->loop->timers, t);
	t->loop = NULL;
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

void loop_signal_set(struct loop *l, struct loop_signal *s, int number)
{
	loop_signal_stop(s);
	s->loop = l;
	s->watcher.signum = number;
	s->watcher.pending = 0;
	set_insert(&l->signals, l->signals.n, s);
}

void loop_signal_stop(struct loop_signal *s)
{
	if (!s->loop)
		return;
	set_remove(&s->loop->signals, s);
	s->loop = NULL;
}

void loop_virtual_raise(struct loop *l, int number)
{
	for (size_t i = 0; i < l->signals.n; i++) {
		struct loop_signal *s = l->signals.items[i];
		if (s->watcher.signum == number)
			s->watcher.pending = 1;
	}
}

void loop_wake_start(struct loop *l, struct loop_wake *w)
{
	assert(!w->loop);
	w->loop = l;
	w->watcher.sent = 0;
	set_insert(&l->wakes, l->wakes.n, w);
}

void loop_wake_stop(struct loop_wake *w)
{
	if (!w->loop)
		return;
	set_remove(&w->loop->wakes, w);
	w->loop = NULL;
}

void loop_wake(struct loop_wake *w)
{
	__atomic_store_n(&w->watcher.sent, 1, __ATOMIC_RELEASE);
}

bool loop_virtual_is_stopped(const struct loop *l)
{
	return l->is_stopping;
}

size_t loop_virtual_timers(const struct loop *l)
{
	return l->timers.n;
}

size_t loop_virtual_descriptors(const struct loop *l)
{
	return l->ios.n;
}
