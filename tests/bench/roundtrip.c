/* roundtrip.c - what does a Unix socket cost, with nobody behind it?
 * Two processes on libev say 200 bytes to each other and back. What a broker adds to a provider's own
 * time can hardly be less. One line of JSON on stdout. */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/gauge.h"

#define MESSAGE 200

struct end {
	struct ev_loop *loop;
	ev_io io;
	ev_timer phase;
	int64_t warm_ms, run_ms;
	int64_t sent_ns;
	struct gauge gauge;
};

static void say(const struct end *e)
{
	static const char message[MESSAGE];
	const ssize_t n = send(e->io.fd, message, MESSAGE, MSG_NOSIGNAL);
	if (n < 0 && errno == EPIPE)
		_exit(EXIT_SUCCESS); /* the side that measures has seen enough */
	if (n != MESSAGE)
		bench_die("writing: %s", n < 0 ? strerror(errno) : "not one message");
}

/* One message at a time is under way, so that it never comes in pieces. */
static bool hear(const struct end *e)
{
	char message[MESSAGE + 1];
	const ssize_t n = recv(e->io.fd, message, sizeof message, 0);
	if (n != MESSAGE && n != 0)
		bench_die("reading: %s", n < 0 ? strerror(errno) : "not one message");
	return n > 0;
}

static void on_question(struct ev_loop *loop, ev_io *w, int events)
{
	const struct end *e = container_of(w, struct end, io);
	(void)events;
	if (hear(e))
		say(e);
	else
		ev_break(loop, EVBREAK_ALL);
}

static void on_answer(struct ev_loop *loop, ev_io *w, int events)
{
	struct end *e = container_of(w, struct end, io);
	(void)loop, (void)events;
	if (!hear(e))
		bench_die("the other side is gone");
	gauge_call(&e->gauge, e->sent_ns);
	e->sent_ns = bench_now_ns();
	say(e);
}

static void on_phase(struct ev_loop *loop, ev_timer *w, int events)
{
	struct end *e = container_of(w, struct end, phase);
	(void)events;
	if (e->gauge.is_on) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	gauge_begin(&e->gauge);
	ev_timer_set(w, (double)e->run_ms * 1e-3, 0);
	ev_timer_start(loop, w);
}

static void run(struct end *e, int fd, void (*on_message)(struct ev_loop *, ev_io *, int))
{
	e->loop = ev_loop_new(EVFLAG_NOENV);
	if (!e->loop)
		bench_die("libev does not start");
	ev_io_init(&e->io, on_message, fd, EV_READ);
	ev_io_start(e->loop, &e->io);
	if (on_message == on_answer) {
		ev_timer_init(&e->phase, on_phase, (double)e->warm_ms * 1e-3, 0);
		ev_timer_start(e->loop, &e->phase);
		e->sent_ns = bench_now_ns();
		say(e);
	}
	ev_run(e->loop, 0);
	ev_loop_destroy(e->loop);
	close(fd);
}

int main(int argc, char **argv)
{
	static struct end e = {.warm_ms = 200, .run_ms = 1000};
	int64_t cpu = -1;
	int fds[2];
	const struct bench_option options[] = {
		{"warm-ms", &e.warm_ms, NULL, NULL, 1,  600000, "not measured"            },
		{"run-ms",  &e.run_ms,  NULL, NULL, 1,  600000, "measured"                },
		{"pin",     &cpu,       NULL, NULL, -1, 1023,   "the processor to stay on"},
	};
	bench_options(argc, argv, "a round trip over a Unix socket", options, COUNT_OF(options));
	bench_pin(cpu);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		bench_die("a pair of sockets: %s", strerror(errno));
	const pid_t child = fork();
	if (child < 0)
		bench_die("a second process: %s", strerror(errno));
	close(fds[child != 0]);
	if (child == 0) {
		run(&e, fds[1], on_question);
		_exit(EXIT_SUCCESS);
	}
	run(&e, fds[0], on_answer);
	printf("{");
	gauge_print(&e.gauge);
	printf("}\n");
	return EXIT_SUCCESS;
}
