/* tool.c - two pipes and a clock. */
#include "libllmclient/agent/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct tool {
	pid_t pid;
	int in, out; /* our ends */
};

static bool start(struct tool *t, const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) != 0)
		return false;
	if (pipe2(out, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		return false;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	const bool is_started = posix_spawnp(&t->pid, argv[0], &actions, NULL,
					(char *const *)(uintptr_t)argv, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	t->out = out[0];
	return is_started;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What it prints until its end, or until the time is over. */
static void read_output(const struct tool *t, int seconds, char *to, size_t size)
{
	const int64_t until_ms = now_ms() + (int64_t)seconds * 1000;
	struct pollfd p = {.fd = t->out, .events = POLLIN};
	size_t n = 0;
	for (;;) {
		const int64_t left_ms = until_ms - now_ms();
		if (left_ms <= 0 || n + 1 >= size || poll(&p, 1, (int)left_ms) != 1)
			break;
		const ssize_t got = read(t->out, to + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	to[n] = '\0';
}

bool tool_run(const char *const *argv, const char *input, int seconds, char *to, size_t size)
{
	struct tool t = {.pid = -1};
	int status = 0;
	to[0] = '\0';
	(void)signal(SIGPIPE, SIG_IGN);
	const bool is_started = start(&t, argv);
	if (is_started && input && write(t.in, input, strlen(input)) < 0)
		to[0] = '\0'; /* it reads nothing: its status says why */
	close(t.in);
	if (is_started)
		read_output(&t, seconds, to, size);
	close(t.out);
	if (!is_started)
		return false;
	(void)kill(t.pid, SIGTERM);
	while (waitpid(t.pid, &status, 0) < 0 && errno == EINTR)
		continue;
	to[strcspn(to, "\n")] = '\0';
	/* one that closed its output and was ended by us has said all it had to */
	return WIFEXITED(status) ? WEXITSTATUS(status) == 0 : to[0] != '\0';
}
