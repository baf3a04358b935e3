/* test_loop.c - what happens, and in which order, in real time. */
#include "brokerd/loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tap.h"

static struct loop *loop;
static char story[256]; /* a letter for each thing that happened */

static void tell(char c)
{
	const size_t n = strlen(story);
	if (n + 1 < sizeof story) {
		story[n] = c;
		story[n + 1] = '\0';
	}
}

static struct loop *begin(void)
{
	struct fault why;
	story[0] = '\0';
	loop = loop_new(&why);
	if (!loop)
		bail("%s", why.message);
	return loop;
}

static void end(void)
{
	loop_free(loop);
	loop = NULL;
}

struct named_timer {
	struct loop_timer timer;
	char name;
	int64_t fired_us;
};

static void on_fire(struct loop_timer *t)
{
	struct named_timer *n = container_of(t, struct named_timer, timer);
	tell(n->name);
	n->fired_us = loop_now_us(loop);
	if (n->name == 'z')
		loop_stop(loop);
}

static void timers_fire_in_order(void)
{
	struct named_timer t[] = {
		{.timer.on_fire = on_fire, .name = 'z'},
		{.timer.on_fire = on_fire, .name = 'b'},
		{.timer.on_fire = on_fire, .name = 'a'},
		{.timer.on_fire = on_fire, .name = 'x'},
		{.timer.on_fire = on_fire, .name = 'c'},
	};
	begin();
	const int64_t began_us = loop_now_us(loop);
	loop_timer_set(loop, &t[0].timer, 30000);
	loop_timer_set(loop, &t[1].timer, 10000);
	loop_timer_set(loop, &t[2].timer, 0);
	loop_timer_set(loop, &t[3].timer, 5000);
	loop_timer_set(loop, &t[4].timer, 1000);
	loop_timer_set(loop, &t[4].timer, 20000); /* set anew */
	loop_timer_stop(&t[3].timer);
	loop_timer_stop(&t[3].timer); /* harmless */
	loop_run(loop);
	is_str(story, "abcz", "timers fire by their time, a stopped one never");
	ok(t[0].timer.loop == NULL, "a timer that fired is stopped");
	for (size_t i = 0; i < COUNT_OF(t); i++) {
		if (t[i].fired_us)
			ok(t[i].fired_us >= t[i].timer.due_us, "timer %c is not early", t[i].name);
	}
	ok(t[0].fired_us - began_us >= 30000, "the last one took its time");
	end();
}

struct named_task {
	struct loop_task task;
	char name;
	struct named_task *then;
};

static void on_run(struct loop_task *t)
{
	struct named_task *n = container_of(t, struct named_task, task);
	tell(n->name);
	if (n->then)
		loop_later(loop, &n->then->task);
	if (n->name == 'z')
		loop_stop(loop);
}

static void tasks_wait_for_their_turn(void)
{
	struct named_task z = {.task.on_run = on_run, .name = 'z'};
	struct named_task d = {.task.on_run = on_run, .name = 'd', .then = &z};
	struct named_task a = {.task.on_run = on_run, .name = 'a', .then = &d};
	struct named_task b = {.task.on_run = on_run, .name = 'b'};
	struct named_task x = {.task.on_run = on_run, .name = 'x'};
	struct named_timer t = {.timer.on_fire = on_fire, .name = 't'};
	begin();
	loop_later(loop, &a.task);
	loop_later(loop, &x.task);
	loop_later(loop, &b.task);
	loop_later(loop, &a.task); /* pending: changes nothing */
	loop_task_stop(&x.task);
	loop_timer_set(loop, &t.timer, 0);
	loop_run(loop);
	is_str(story, "abtdz",
		"tasks keep their order, and what they add lets the others have a turn");
	ok(a.task.loop == NULL, "a task that ran is not pending");
	end();
}

static struct named_task victim;

static void on_run_stop_other(struct loop_task *t)
{
	(void)t;
	tell('k');
	loop_task_stop(&victim.task);
}

static void a_task_stops_the_next(void)
{
	struct loop_task killer = {.on_run = on_run_stop_other};
	struct named_task z = {.task.on_run = on_run, .name = 'z'};
	begin();
	victim = (struct named_task){.task.on_run = on_run, .name = 'v'};
	loop_later(loop, &killer);
	loop_later(loop, &victim.task);
	loop_later(loop, &z.task);
	loop_run(loop);
	is_str(story, "kz", "a task can stop one that stands behind it in the same turn");
	end();
}

struct end_of_pair {
	struct loop_io io;
	int fd;
	int last_ready;
};

static void on_ready(struct loop_io *io, int ready)
{
	struct end_of_pair *e = container_of(io, struct end_of_pair, io);
	char c;
	e->last_ready = ready;
	if (ready & LOOP_WRITE)
		tell('w');
	if (ready & LOOP_READ) {
		const ssize_t n = read(e->fd, &c, 1);
		tell(n == 1 ? c : n == 0 ? '0' : '!');
		if (n != 1 || c == 'z')
			loop_stop(loop);
	}
	if (ready & LOOP_WRITE) {
		loop_io_set(loop, io, e->fd, LOOP_READ);
		if (write(e->fd, "", 0) < 0)
			tell('!');
	}
}

static void pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		bail("no socket pair");
}

static void descriptors_are_watched(void)
{
	int fd[2];
	begin();
	pair(fd);
	struct end_of_pair e = {.io.on_ready = on_ready, .fd = fd[0]};
	loop_io_set(loop, &e.io, fd[0], LOOP_READ | LOOP_WRITE);
	is_int(write(fd[1], "abz", 3), 3, "the other end writes");
	loop_run(loop);
	is_str(story, "wabz", "ready for both, then for reading alone");
	is_int(e.last_ready, LOOP_READ, "the last was reading alone");
	loop_io_set(loop, &e.io, fd[0], 0);
	ok(e.io.loop == NULL, "a set of nothing stops");
	loop_io_stop(&e.io);

	/* the same number for another file, as curl does within one call */
	loop_io_set(loop, &e.io, fd[0], LOOP_READ);
	loop_io_stop(&e.io);
	close(fd[0]);
	close(fd[1]);
	int other[2];
	pair(other);
	is_int(other[0], fd[0], "the kernel gives the number again");
	e.fd = other[0];
	loop_io_set(loop, &e.io, other[0], LOOP_READ);
	is_int(write(other[1], "z", 1), 1, "the new one is written to");
	story[0] = '\0';
	loop_run(loop);
	is_str(story, "z", "and is the one that is watched");

	story[0] = '\0';
	close(other[1]);
	loop_run(loop);
	is_str(story, "0", "the end of the other side is readable");
	loop_io_stop(&e.io);
	close(other[0]);
	end();
}

static void on_signal(struct loop_signal *s)
{
	(void)s;
	tell('s');
	loop_stop(loop);
}

static void signals_come_on_the_loop(void)
{
	struct loop_signal s = {.on_signal = on_signal};
	begin();
	loop_signal_set(loop, &s, SIGUSR1);
	raise(SIGUSR1);
	is_str(story, "", "not inside the handler");
	loop_run(loop);
	is_str(story, "s", "but in the loop");
	loop_signal_stop(&s);
	loop_signal_stop(&s);
	end();
}

static int n_woken;

static void on_wake(struct loop_wake *w)
{
	(void)w;
	n_woken++;
	loop_stop(loop);
}

static void *call_often(void *w)
{
	for (int i = 0; i < 1000; i++)
		loop_wake(w);
	return NULL;
}

static void another_thread_wakes_it(void)
{
	struct loop_wake w = {.on_wake = on_wake};
	pthread_t thread;
	begin();
	loop_wake_start(loop, &w);
	if (pthread_create(&thread, NULL, call_often, &w) != 0)
		bail("no thread");
	loop_run(loop);
	pthread_join(thread, NULL);
	ok(n_woken >= 1 && n_woken <= 1000, "woken at least once");
	const int before = n_woken;
	loop_wake(&w);
	loop_wake(&w);
	loop_run(loop);
	is_int(n_woken, before + 1, "many calls are one wake");
	loop_wake_stop(&w);
	end();
}

static const char *stalled_kind;
static int64_t stalled_us;

static void on_stall(const char *kind, int64_t took_us)
{
	stalled_kind = kind;
	stalled_us = took_us;
}

static void on_run_slowly(struct loop_task *t)
{
	(void)t;
	usleep(LOOP_STALL_US + 5000);
	loop_stop(loop);
}

static void stalls_are_told(void)
{
	struct loop_task quick = {.on_run = on_run_stop_other};
	struct loop_task slow = {.on_run = on_run_slowly};
	begin();
	loop_watch_stalls(loop, on_stall);
	loop_later(loop, &quick);
	loop_later(loop, &slow);
	loop_run(loop);
	is_str(stalled_kind, "task", "the kind of callback is named");
	ok(stalled_us >= LOOP_STALL_US, "and how long it took");
	end();
}

static void freeing_forgets_tasks(void)
{
	struct named_task a = {.task.on_run = on_run, .name = 'a'};
	begin();
	loop_later(loop, &a.task);
	end();
	ok(a.task.loop == NULL, "a task outlives its loop, not pending");
	loop_task_stop(&a.task);
	is_str(story, "", "and did not run");
}

int main(void)
{
	timers_fire_in_order();
	tasks_wait_for_their_turn();
	a_task_stops_the_next();
	descriptors_are_watched();
	signals_come_on_the_loop();
	another_thread_wakes_it();
	stalls_are_told();
	freeing_forgets_tasks();
	return tap_done();
}
