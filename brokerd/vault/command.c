/* command.c - a socket, and a number for each question. */
#include "brokerd/vault/command.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "brokerd/value/guarded.h"
#include "brokerd/vault/bytes.h"
#include "brokerd/vault/source_helper.h"
#include "protocol/base/list.h"

#define MS       INT64_C(1000)
#define GRACE_MS 5000 /* beyond a command's time, for the helper to say so */

/* One that dies so soon, and as often as that, is started when it is needed and not before. */
#define YOUNG_US  INT64_C(1000000)
#define YOUNG_MAX 3

struct commands {
	struct loop *loop;
	int64_t limit_ms;
	struct loop_io io;
	int fd; /* -1: no helper */
	pid_t pid;
	int64_t started_us;
	unsigned died_young; /* in a row */
	uint32_t last_id;
	struct command_run *runs;
	struct guarded *answer;
};

struct commands *commands_new(struct loop *l, int64_t limit_ms)
{
	struct commands *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	*c = (struct commands){.loop = l, .limit_ms = limit_ms, .fd = -1};
	return c;
}

static void end_helper(struct commands *c)
{
	if (c->fd < 0)
		return;
	loop_io_stop(&c->io);
	close(c->fd);
	c->fd = -1;
	/* it does nothing but wait for its socket's end */
	(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void command_leave(struct command_run *r)
{
	if (!r->commands)
		return;
	loop_timer_stop(&r->late);
	LIST_REMOVE(r->commands->runs, r);
	r->commands = NULL;
}

void commands_free(struct commands *c)
{
	if (!c)
		return;
	while (c->runs)
		command_leave(c->runs);
	end_helper(c);
	guarded_free(c->answer);
	free(c);
}

/* ---- the helper ---- */

/* Gives it a number, and asks. ERR_IO: errno says why, too. */
static enum err send_words(struct commands *c, struct command_run *r, struct fault *why)
{
	unsigned char asked[SOURCE_ASKED_MAX];
	struct writer w = {.p = asked, .max = sizeof asked};
	if (++c->last_id == 0)
		c->last_id = 1; /* 0 is nobody's */
	r->id = c->last_id;
	write_number(&w, r->id, 4);
	write_number(&w, (uint64_t)c->limit_ms, 4);
	write_bytes(&w, r->words.p, r->words.n);
	assert(!w.is_full); /* the configuration made sure */
	if (send(c->fd, asked, w.n, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_EOR) >= 0)
		return OK;
	const int cause = errno;
	fault_set(
		why, ERR_IO, "the process that runs commands cannot be asked: %s", strerror(cause));
	errno = cause;
	return ERR_IO;
}

/* What was asked is asked of another, but not twice what may have killed the first. Who is not served is
 * told in another turn: this may be one who asks. */
static void ask_again(struct commands *c, bool is_there)
{
	struct fault unsent;
	struct command_run *r;
	LIST_EACH(c->runs, r) {
		r->is_lost = !is_there || r->is_again || send_words(c, r, &unsent) != OK;
		r->is_again = true;
		if (r->is_lost)
			loop_timer_set(c->loop, &r->late, 0);
	}
}

/* The helper died altogether. */
static enum err start_anew(struct commands *c, struct fault *why)
{
	const bool is_young = loop_now_us(c->loop) - c->started_us < YOUNG_US;
	c->died_young = is_young ? c->died_young + 1 : 0;
	log_warn("helper.died", "pid=%d", (int)c->pid);
	end_helper(c);
	const enum err err =
		c->died_young < YOUNG_MAX
			? commands_prepare(c, why)
			: fault_set(why, ERR_IO, "the process that runs commands does not live");
	ask_again(c, err == OK);
	return err;
}
static struct command_run *run_of(const struct commands *c, uint32_t id)
{
	struct command_run *r;
	LIST_EACH(c->runs, r) {
		if (r->id == id)
			return r;
	}
	return NULL;
}

static void on_answer(struct commands *c, struct span bytes)
{
	struct reader in = {.rest = bytes};
	const uint32_t id = (uint32_t)read_number(&in, 4);
	const bool is_good = read_number(&in, 1) != 0;
	struct command_run *r = in.is_short ? NULL : run_of(c, id);
	struct fault why = FAULT_NONE;
	if (id == 0) {
		log_warn("helper.restarted", "pid=%d", (int)c->pid);
		ask_again(c, true);
		return;
	}
	if (!r)
		return; /* it is not waited for any more */
	command_leave(r);
	if (!is_good)
		fault_set(&why, ERR_IO, "%.*s", SPAN_ARG(in.rest));
	r->on_line(r, is_good ? in.rest : SPAN_NONE, &why);
}

static void on_ready(struct loop_io *io, int ready)
{
	struct commands *c = container_of(io, struct commands, io);
	(void)ready;
	unsigned char *to = guarded_write(c->answer);
	const ssize_t n = recv(c->fd, to, SOURCE_ANSWERED_MAX, MSG_DONTWAIT);
	const bool is_over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n > 0)
		loop_moved(c->loop);
	if (n > 0)
		on_answer(c, span_of((const char *)to, (size_t)n));
	sodium_memzero(to, SOURCE_ANSWERED_MAX);
	guarded_close(c->answer);
	struct fault why;
	if (is_over && start_anew(c, &why) != OK)
		log_warn("helper.unstarted", "last_pid=%d", (int)c->pid);
}

/* This program anew, with one end of the pair as its standard input and an empty environment. */
static int spawn(int theirs, pid_t *pid)
{
	char name[] = "llm-brokerd", option[] = SOURCE_HELPER_OPTION;
	char *const argv[] = {name, option, NULL}, *const no_environment[] = {NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none;
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&how) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	int failed = posix_spawn_file_actions_adddup2(&files, theirs, STDIN_FILENO);
	if (!failed)
		failed = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
	if (!failed)
		failed = posix_spawnattr_setsigmask(&how, &none);
	if (!failed)
		failed = posix_spawn(pid, "/proc/self/exe", &files, &how, argv, no_environment);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return failed;
}

enum err commands_prepare(struct commands *c, struct fault *why)
{
	int pair[2];
	if (c->fd >= 0)
		return OK;
	if (!c->answer && guarded_new(SOURCE_ANSWERED_MAX, &c->answer) != OK)
		return fault_set(why, ERR_NO_MEMORY, "no locked memory left");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return fault_set(why, ERR_IO, "no socket for the process that runs commands: %s",
			strerror(errno));
	const int failed = spawn(pair[1], &c->pid);
	close(pair[1]);
	if (failed) {
		close(pair[0]);
		return fault_set(why, ERR_IO,
			"the process that runs commands cannot be started: %s%s", strerror(failed),
			failed == EPERM ? ", for the broker is confined by now: restart the broker"
					: "");
	}
	c->fd = pair[0];
	c->started_us = loop_now_us(c->loop);
	LOOP_CALLS(&c->io, on_ready, on_ready);
	loop_io_set(c->loop, &c->io, c->fd, LOOP_READ);
	log_info("helper.started", "pid=%d", (int)c->pid);
	return OK;
}

/* ---- questions ---- */

static void on_late(struct loop_timer *t)
{
	struct command_run *r = container_of(t, struct command_run, late);
	struct fault why;
	fault_set(&why, ERR_IO, "the process that runs commands %s",
		r->is_lost ? "has died" : "does not answer");
	command_leave(r);
	r->on_line(r, SPAN_NONE, &why);
}

enum err command_start(
	struct commands *c, struct command_run *r, struct span words, struct fault *why)
{
	assert(!r->commands);
	enum err err = commands_prepare(c, why);
	if (err)
		return err;
	r->words = words;
	r->is_again = r->is_lost = false;
	err = send_words(c, r, why);
	if (err && (errno == EPIPE || errno == ECONNRESET)) {
		err = start_anew(c, why);
		if (!err)
			err = send_words(c, r, why);
	}
	if (err)
		return err;
	r->commands = c;
	LOOP_CALLS(&r->late, on_fire, on_late);
	LIST_PUSH(c->runs, r);
	loop_timer_set(c->loop, &r->late, (c->limit_ms + GRACE_MS) * MS);
	return OK;
}
