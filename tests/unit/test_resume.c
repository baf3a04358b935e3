/* test_resume.c - which changes of the clocks mean that the host has slept? */
#include "brokerd/loop/resume.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/lib/tap.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

static const struct {
	const char *name;
	struct resume_clocks before, now;
	bool want;
} cases[] = {
	{"nothing happened",                   {0, 0},           {0, 0},                        false},
	{"an hour passed awake",               {HOUR, HOUR},     {2 * HOUR, 2 * HOUR},          false},
	{"a night was slept",                  {HOUR, HOUR},     {9 * HOUR, HOUR + SECOND},     true },
	{"a nap of five seconds is none",      {HOUR, HOUR},     {HOUR + 5 * SECOND, HOUR},     false},
	{"a little longer is one",             {HOUR, HOUR},     {HOUR + 5 * SECOND + 1, HOUR}, true },
	{"former sleep does not count",        {9 * HOUR, HOUR}, {10 * HOUR, 2 * HOUR},         false},
	{"a second sleep does",                {9 * HOUR, HOUR}, {10 * HOUR, HOUR + SECOND},    true },
	{"the wall's clock is none of them",   {9 * HOUR, HOUR}, {9 * HOUR + 1, HOUR + 1},      false},
	{"a clock that goes back is no sleep", {9 * HOUR, HOUR}, {8 * HOUR, HOUR},              false},
};

static void never(struct resume_watch *w)
{
	(void)w;
	ok(false, "nobody slept");
}

static struct loop *l;

static void on_over(struct loop_timer *t)
{
	(void)t;
	loop_stop(l);
}

/* On this host's own kernel: it can be watched, and is quiet. */
static void test_watch(void)
{
	struct fault why = FAULT_NONE;
	struct resume_watch w = {.fd = -1, .on_resume = never};
	struct loop_timer over = {.on_fire = on_over};
	l = loop_new(&why);
	resume_watch_stop(&w);
	is_err(resume_watch_start(l, &w, &why), OK, "a watch starts");
	loop_timer_set(l, &over, SECOND / 20);
	loop_run(l);
	ok(w.fd >= 0, "and goes on");
	resume_watch_stop(&w);
	is_int(w.fd, -1, "until it is stopped");
	loop_free(l);
}

static unsigned n_told;

static void on_resume(struct resume_watch *w)
{
	(void)w;
	n_told++;
}

/* What the kernel would say, said by an event of ours: with a sleep behind it, and without. */
static void test_told(void)
{
	static const struct {
		const char *name;
		int64_t slept_us;
		unsigned want;
	} rows[] = {
		{"the clock was set, and nobody slept", 0,           0},
		{"the host slept",                      10 * SECOND, 1},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fault why = FAULT_NONE;
		struct resume_watch w = {.fd = -1, .on_resume = on_resume};
		struct loop_timer over = {.on_fire = on_over};
		l = loop_new(&why);
		is_err(resume_watch_start(l, &w, &why), OK, "a watch starts");
		const int event = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		const int fd = w.fd;
		loop_io_stop(&w.io);
		is_int(dup3(event, fd, O_CLOEXEC), fd, "an event takes the timer's place");
		loop_io_set(l, &w.io, fd, LOOP_READ);
		w.seen.boot_us -= rows[i].slept_us;
		n_told = 0;
		loop_timer_set(l, &over, SECOND / 20);
		loop_run(l);
		is_uint(n_told, rows[i].want, "%s", rows[i].name);
		is_int(w.fd, -1, "what cannot be armed again is not watched");
		resume_watch_stop(&w);
		close(event);
		loop_free(l);
	}
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		is_int(resume_was_asleep(&cases[i].before, &cases[i].now), cases[i].want, "%s",
			cases[i].name);
	test_watch();
	test_told();
	return tap_done();
}
