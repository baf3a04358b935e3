/* test_loop.c - what happens, and in which order, in real time. */
#include "brokerd/loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
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
	loop_timer_set(loop, &t[1].timer, 10000);
	loop_timer_set(loop, &t[2].timer, 0);
	loop_timer_set(loop, &t[3].timer, 5000);
	loop_timer_set(loop, &t[4].timer, 1000);
	loop_timer_set(loop, &t[4].timer, 20000); /* set anew */
	loop_timer_set(loop, &t[0].timer,
		30000); /* it ends the loop, and is the last one however long this takes */
	loop_timer_stop(&t[3].timer);
	loop_timer_stop(&t[3].timer); /* harmless */
	loop_run(loop);
	const bool is_late =
		t[2].timer.due_us > t[1].timer.due_us; /* the machine took 10 ms between the two */
	is_str(story, is_late ? "bacz" : "abcz", "timers fire by their time, a stopped one never");
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

/* ---- more are ready than there is time for ---- */

#define SLOW_US 3000 /* more than a turn has for anything */

/* One of many: reads a byte, says its name, takes its time, and then does something, mostly to another. */
struct one {
	struct loop_io io;
	int fd, other_end;
	char name; /* of 'z' the loop ends */
	bool is_quick;
	void (*then)(struct one *self, struct one *other);
	struct one *other;
};

static void burn(void)
{
	struct timespec from, now;
	int64_t us;
	if (clock_gettime(CLOCK_MONOTONIC, &from) != 0)
		bail("no clock");
	do {
		if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
			bail("no clock");
		us = (int64_t)(now.tv_sec - from.tv_sec) * 1000000 +
		     (now.tv_nsec - from.tv_nsec) / 1000;
	} while (us < SLOW_US);
}

static void write_to(const struct one *o)
{
	if (write(o->other_end, "x", 1) != 1)
		bail("no byte can be written");
}

static void on_one(struct loop_io *io, int ready)
{
	struct one *o = container_of(io, struct one, io);
	char c;
	if ((ready & LOOP_READ) && read(o->fd, &c, 1) != 1)
		bail("%c is told of a byte that is not there", o->name);
	tell(ready == LOOP_WRITE ? 'w' : o->name);
	if (!o->is_quick)
		burn();
	if (o->name == 'z')
		loop_stop(loop);
	if (o->then)
		o->then(o, o->other); /* may free it */
}

static struct one *one_new(char name)
{
	int fd[2];
	struct one *o = calloc(1, sizeof *o);
	if (!o)
		bail("no memory");
	pair(fd);
	*o = (struct one){.fd = fd[0], .other_end = fd[1], .name = name};
	LOOP_CALLS(&o->io, on_ready, on_one);
	loop_io_set(loop, &o->io, o->fd, LOOP_READ);
	return o;
}

static void one_free(struct one *o)
{
	loop_io_stop(&o->io);
	close(o->fd);
	close(o->other_end);
	free(o);
}

static struct one *many[8];

static void begin_many(const char *names)
{
	begin();
	for (size_t i = 0; names[i]; i++)
		many[i] = one_new(names[i]);
}

static void end_many(void)
{
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		if (many[i])
			one_free(many[i]);
		many[i] = NULL;
	}
	end();
}

/* Once. */
static void write_other(struct one *self, struct one *other)
{
	self->then = NULL;
	write_to(other);
}

static void stop_other(struct one *self, struct one *other)
{
	(void)self;
	loop_io_stop(&other->io);
}

static void free_other(struct one *self, struct one *other)
{
	(void)self;
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		if (many[i] == other)
			many[i] = NULL;
	}
	one_free(other);
}

static void have_other_write(struct one *self, struct one *other)
{
	(void)self;
	loop_io_set(loop, &other->io, other->fd, LOOP_WRITE);
}

static void have_other_write_too(struct one *self, struct one *other)
{
	(void)self;
	loop_io_set(loop, &other->io, other->fd, LOOP_READ | LOOP_WRITE);
}

static void then(size_t self, void (*does)(struct one *, struct one *), size_t other)
{
	many[self]->then = does;
	many[self]->other = many[other];
}

/* To these, in this order, once all are watched. */
static const char *written_to;

static void on_time_to_write(struct loop_timer *t)
{
	(void)t;
	for (const char *c = written_to; *c; c++) {
		for (size_t i = 0; i < COUNT_OF(many); i++) {
			if (many[i] && many[i]->name == *c)
				write_to(many[i]);
		}
	}
}

static void run_with(const char *names)
{
	struct loop_timer t = {.on_fire = on_time_to_write};
	written_to = names;
	story[0] = '\0';
	loop_timer_set(loop, &t, 0);
	loop_run(loop);
}

static void who_is_ready_first_is_called_first(void)
{
	begin_many("fdzaeb");
	for (size_t i = 0; many[i]; i++)
		many[i]->is_quick = true;
	run_with("abdefz");
	is_str(story, "abdefz", "neither the last one first, nor by number");
	end_many();
}

/* A task for each turn. */
static void on_each_turn(struct loop_task *t)
{
	tell('.');
	loop_later(loop, t);
}

static void a_turn_has_its_time(void)
{
	struct loop_task each_turn = {.on_run = on_each_turn};
	begin_many("abcnz");
	loop_later(loop, &each_turn);
	write_to(many[0]);
	write_to(many[0]); /* it will be ready again at once */
	write_to(many[1]);
	write_to(many[2]);
	then(0, write_other, 3);
	then(3, write_other, 4);
	loop_run(loop);
	is_str(story, ".a.b.c.a.n.z..",
		"what is left goes on in the next turn, and who was ready meanwhile is behind");
	loop_task_stop(&each_turn);

	/* some waited for turns in which the kernel was not asked about them */
	story[0] = '\0';
	then(2, write_other, 4);
	then(3, write_other, 2);
	write_to(many[3]);
	loop_run(loop);
	is_str(story, "ncz", "all are watched as before");
	end_many();
}

static void who_waits_can_be_stopped(void)
{
	begin_many("abcdez");
	for (size_t i = 0; many[i]; i++)
		write_to(many[i]);
	write_to(many[4]);
	then(0, stop_other, 1);
	then(3, free_other, 3);
	then(4, stop_other, 4);
	loop_run(loop);
	is_str(story, "acdez", "one stopped, one that frees itself, one that stops itself");

	story[0] = '\0';
	loop_io_set(loop, &many[1]->io, many[1]->fd, LOOP_READ);
	then(1, write_other, 5);
	loop_run(loop);
	is_str(story, "bz", "who was stopped may begin anew");

	then(2, free_other, 1);
	run_with("cbz");
	is_str(story, "cz", "one is freed while it waits");
	end_many();
}

static void a_loop_that_ends_keeps_who_waits(void)
{
	begin_many("zzb");
	for (size_t i = 0; many[i]; i++)
		write_to(many[i]);
	loop_run(loop);
	is_str(story, "z", "it ends with this turn");
	loop_run(loop);
	is_str(story, "zz", "and goes on with the next one");
	many[2]->name = 'z';
	loop_run(loop);
	is_str(story, "zzz", "until nobody waits");
	end_many();
}

static void who_waits_can_be_watched_otherwise(void)
{
	begin_many("abcz");
	write_to(many[0]);
	write_to(many[1]);
	write_to(many[2]);
	many[2]->name = 'z';
	then(0, have_other_write, 1);
	then(1, stop_other, 1);
	loop_run(loop);
	is_str(story, "az", "it waits no more for what it is not watched for");
	write_to(many[3]);
	loop_run(loop);
	is_str(story, "azwz", "only for what it is");
	end_many();
}

/* Its turn comes as if nothing had changed. */
static void who_waits_can_be_watched_for_more(void)
{
	begin_many("abz");
	for (size_t i = 0; many[i]; i++)
		write_to(many[i]);
	then(0, have_other_write_too, 1);
	then(1, stop_other, 1);
	loop_run(loop);
	is_str(story, "abz", "and keeps its place where there is more to watch for");
	end_many();
}

static void on_run_slow(struct loop_task *t)
{
	struct named_task *n = container_of(t, struct named_task, task);
	burn();
	on_run(t);
	if (n->name == 'b')
		loop_stop(loop);
}

static void tasks_have_their_time_too(void)
{
	struct named_task a = {.task.on_run = on_run_slow, .name = 'a'};
	struct named_task d = {.task.on_run = on_run, .name = 'd'};
	struct named_task b = {.task.on_run = on_run_slow, .name = 'b', .then = &d};
	struct named_task c = {.task.on_run = on_run, .name = 'c'};
	begin_many("io");
	write_to(many[0]);
	write_to(many[1]);
	loop_later(loop, &a.task);
	loop_later(loop, &b.task);
	loop_later(loop, &c.task);
	loop_run(loop);
	is_str(story, "abicd", "those without time are first in the next turn, and before its end");
	end_many();
}

static struct named_timer late[4];

static void on_fire_slow(struct loop_timer *t)
{
	on_fire(t);
	burn();
	if (t == &late[0].timer) {
		loop_timer_stop(&late[1].timer);
		loop_timer_set(loop, &late[2].timer, 0);
	}
}

static void timers_have_their_time_too(void)
{
	struct loop_task each_turn = {.on_run = on_each_turn};
	begin_many("i");
	write_to(many[0]);
	loop_later(loop, &each_turn);
	for (size_t i = 0; i < COUNT_OF(late); i++) {
		late[i] = (struct named_timer){.timer.on_fire = on_fire_slow, .name = "abcz"[i]};
		loop_timer_set(loop, &late[i].timer, 0);
	}
	loop_run(loop);
	is_str(story, ".ai.z..",
		"who is due waits for his turn as well, where he can be stopped and set anew");
	loop_task_stop(&each_turn);
	loop_timer_stop(&late[2].timer);
	end_many();
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

static const char *stalled_name;
static int64_t stalled_us;
static const char *spun_name;
static int spun_fd;

static void on_stall(struct loop_watch *w, const char *name, int64_t took_us)
{
	(void)w;
	stalled_name = name;
	stalled_us = took_us;
}

static void on_spin(struct loop_watch *w, const char *name, int fd, uint64_t turns)
{
	(void)w;
	(void)turns;
	spun_name = name;
	spun_fd = fd;
	loop_stop(loop);
}

static struct loop_watch watch = {on_stall, on_spin};

static void on_run_slowly(struct loop_task *t)
{
	(void)t;
	usleep(LOOP_STALL_US + 5000);
	loop_stop(loop);
}

static void stalls_are_told(void)
{
	struct loop_task quick = {.on_run = on_run_stop_other};
	struct loop_task slow = {LOOP_CALL(on_run, on_run_slowly)};
	begin();
	loop_watched_by(loop, &watch);
	loop_later(loop, &quick);
	loop_later(loop, &slow);
	loop_run(loop);
	is_str(stalled_name, "tests/unit/test_loop.c:on_run_slowly", "the callback is named");
	ok(stalled_us >= LOOP_STALL_US, "and how long it took");
	slow.name = NULL;
	loop_later(loop, &slow);
	loop_run(loop);
	is_str(stalled_name, "task", "one without a name is told by its kind");
	const struct loop_figures f = loop_figures(loop);
	ok(f.stalls >= 2, "they are counted");
	ok(f.longest_us >= LOOP_STALL_US, "and the longest turn is known");
	is_int((int64_t)f.spins, 0, "nothing span");
	end();
}

static void on_ready_for_ever(struct loop_io *io, int ready)
{
	(void)io;
	(void)ready;
}

static void on_too_long(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void a_spin_is_told(void)
{
	int fd[2];
	begin();
	pair(fd);
	struct loop_io io = {.on_ready = NULL};
	struct loop_timer over = {.on_fire = on_too_long};
	LOOP_CALLS(&io, on_ready, on_ready_for_ever);
	loop_watched_by(loop, &watch);
	loop_io_set(loop, &io, fd[0], LOOP_WRITE);
	loop_timer_set(loop, &over, INT64_C(60000000));
	loop_run(loop);
	is_str(spun_name, "tests/unit/test_loop.c:on_ready_for_ever",
		"who is called without end is named");
	is_int(spun_fd, fd[0], "with the descriptor that is ready for ever");
	is_int((int64_t)loop_figures(loop).spins, 1, "and it is counted");
	loop_io_stop(&io);
	loop_timer_stop(&over);
	close(fd[0]);
	close(fd[1]);
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
	who_is_ready_first_is_called_first();
	a_turn_has_its_time();
	who_waits_can_be_stopped();
	a_loop_that_ends_keeps_who_waits();
	who_waits_can_be_watched_otherwise();
	who_waits_can_be_watched_for_more();
	tasks_have_their_time_too();
	timers_have_their_time_too();
	signals_come_on_the_loop();
	another_thread_wakes_it();
	stalls_are_told();
	a_spin_is_told();
	freeing_forgets_tasks();
	return tap_done();
}
