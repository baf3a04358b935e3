/* roundtrip.c - what does a Unix socket cost, with nobody behind it?
 * Two processes on libev say 200 bytes to each other and back. What a broker adds to a provider's own
 * time can hardly be less. Questions and answers may be longer, and the one who answers may make the keyed
 * hash of each question, and look for the answer under it in a table: what is kept can hardly be had for less. One line of JSON
 * on stdout. */
#include <errno.h>
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/table.h"
#include "tests/lib/gauge.h"

#define MESSAGE_MOST ((int64_t)1048576)

static char said[MESSAGE_MOST], heard[MESSAGE_MOST];

struct kept {
	TABLE_LINK;
	unsigned char hash[crypto_generichash_BYTES];
	char *answer;
};

struct end {
	struct ev_loop *loop;
	ev_io io;
	ev_timer phase;
	int64_t warm_ms, run_ms;
	int64_t says, hears; /* bytes of a message */
	int64_t heard;       /* of the one that is coming */
	int64_t sent_ns;
	struct gauge gauge;
	bool is_hashing, is_over;
	struct kept *kept; /* answers by the hashes of their questions; NULL: none are looked for */
};

static void say(const struct end *e)
{
	for (int64_t at = 0; at < e->says;) {
		const ssize_t n = send(e->io.fd, said + at, (size_t)(e->says - at), MSG_NOSIGNAL);
		if (n < 0 && errno == EPIPE)
			_exit(EXIT_SUCCESS); /* the side that measures has seen enough */
		if (n < 0)
			bench_die("writing: %s", strerror(errno));
		at += n;
	}
}

/* Is a message whole? One at a time is under way. */
static bool hear(struct end *e)
{
	const ssize_t n = recv(e->io.fd, heard + e->heard, (size_t)(e->hears - e->heard), 0);
	if (n < 0 && errno != ECONNRESET)
		bench_die("reading: %s", strerror(errno));
	if (n <= 0) {
		ev_break(e->loop, EVBREAK_ALL);
		return false;
	}
	e->heard += n;
	if (e->heard < e->hears)
		return false;
	e->heard = 0;
	return true;
}

static void hash(const char *question, int64_t n, unsigned char out[crypto_generichash_BYTES])
{
	static const unsigned char key[crypto_generichash_KEYBYTES] = {1};
	crypto_generichash(out, crypto_generichash_BYTES, (const unsigned char *)question,
		(size_t)n, key, sizeof key);
}

/* The answer is what is kept for the question, or else its hash. */
static void look_up(const struct end *e)
{
	unsigned char of[crypto_generichash_BYTES];
	struct kept *k = NULL;
	hash(heard, e->hears, of);
	if (e->kept) {
		TABLE_FIND(e->kept, k, of, sizeof of);
		if (!k)
			bench_die("the question has no answer");
	}
	memcpy(said, k ? k->answer : (const char *)of, k ? (size_t)e->says : sizeof of);
}

/* So many answers, one of them the question's, which is zeros. */
static void keep(struct end *e, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		struct kept *k = calloc(1, sizeof *k);
		if (k)
			k->answer = calloc(1, (size_t)e->says);
		if (!k || !k->answer)
			bench_die("no memory for what is kept");
		if (i == n / 2)
			hash(heard, e->hears, k->hash);
		else
			randombytes_buf(k->hash, sizeof k->hash);
		TABLE_ADD(e->kept, k, k->hash, sizeof k->hash);
	}
}

static void on_question(struct ev_loop *loop, ev_io *w, int events)
{
	struct end *e = container_of(w, struct end, io);
	(void)loop, (void)events;
	if (!hear(e))
		return;
	if (e->is_hashing)
		look_up(e);
	say(e);
}

static void on_answer(struct ev_loop *loop, ev_io *w, int events)
{
	struct end *e = container_of(w, struct end, io);
	(void)loop, (void)events;
	if (!hear(e))
		return;
	gauge_call(&e->gauge, e->sent_ns);
	e->sent_ns = bench_now_ns();
	say(e);
}

static void on_phase(struct ev_loop *loop, ev_timer *w, int events)
{
	struct end *e = container_of(w, struct end, phase);
	(void)events;
	if (e->gauge.is_on) {
		e->is_over = true;
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
	int64_t cpu = -1, question = 200, answer = 200, kept = 0;
	int fds[2];
	const struct bench_option options[] = {
		{"question", &question,  NULL, NULL,          32, MESSAGE_MOST, "its bytes"                           },
		{"answer",   &answer,    NULL, NULL,          32, MESSAGE_MOST, "its bytes"                           },
		{"hash",     NULL,       NULL, &e.is_hashing, 0,  0,            "each question, before it is answered"},
		{"kept",     &kept,      NULL, NULL,          0,  1000000,      "answers, looked for by that hash"    },
		{"warm-ms",  &e.warm_ms, NULL, NULL,          1,  600000,       "not measured"                        },
		{"run-ms",   &e.run_ms,  NULL, NULL,          1,  600000,       "measured"                            },
		{"pin",      &cpu,       NULL, NULL,          -1, 1023,         "the processor to stay on"            },
	};
	bench_options(argc, argv, "a round trip over a Unix socket", options, COUNT_OF(options));
	bench_pin(cpu);
	if (sodium_init() < 0)
		bench_die("libsodium does not start");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		bench_die("a pair of sockets: %s", strerror(errno));
	const pid_t child = fork();
	if (child < 0)
		bench_die("a second process: %s", strerror(errno));
	close(fds[child != 0]);
	e.says = child == 0 ? answer : question;
	e.hears = child == 0 ? question : answer;
	e.is_hashing = e.is_hashing || kept > 0;
	if (child == 0) {
		keep(&e, kept);
		run(&e, fds[1], on_question);
		_exit(EXIT_SUCCESS);
	}
	run(&e, fds[0], on_answer);
	if (!e.is_over)
		bench_die("the other side is gone");
	printf("{");
	gauge_print(&e.gauge);
	printf("}\n");
	return EXIT_SUCCESS;
}
