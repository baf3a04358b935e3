/* ask_desktop.c - notify-send shows it, and prints the name of the button that was pressed. */
#include "libllmclient/agent/ask.h"

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

/* Runs it with its stdout in a pipe. -1: it cannot be. */
static pid_t run(const char *const *argv, int *out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) !=
		0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	*out = ends[0];
	if (pid < 0)
		close(ends[0]);
	return pid;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What it prints until its end, or until the time is over: then it is ended. */
static void finish(pid_t pid, int fd, char *to, size_t size)
{
	const int64_t until_ms = now_ms() + ASK_SECONDS * 1000;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;
	for (;;) {
		const int64_t left_ms = until_ms - now_ms();
		if (left_ms <= 0 || n + 1 >= size || poll(&p, 1, (int)left_ms) != 1)
			break;
		const ssize_t got = read(fd, to + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	to[n] = '\0';
	close(fd);
	(void)kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

enum reply ask_desktop(const struct asked *a)
{
	const char *const argv[] = {"notify-send", "--app-name=llm-broker", "--urgency=critical",
		"--wait", "--action=yes=Allow for 30 days", "--action=session=Allow now",
		"--action=no=Do not allow", "--", a->title.p, a->detail.p, NULL};
	char said[64];
	int fd;
	const pid_t pid = run(argv, &fd);
	if (pid < 0)
		return REPLY_NONE;
	finish(pid, fd, said, sizeof said);
	said[strcspn(said, "\n")] = '\0';
	return strcmp(said, "yes") == 0       ? REPLY_YES
	       : strcmp(said, "session") == 0 ? REPLY_SESSION
	       : strcmp(said, "no") == 0      ? REPLY_NO
					      : REPLY_NONE;
}

bool ask_desktop_can(void)
{
	static const char *const argv[] = {"notify-send", "--version", NULL};
	char said[64];
	int fd;
	const pid_t pid = run(argv, &fd);
	if (pid < 0)
		return false;
	finish(pid, fd, said, sizeof said);
	return strncmp(said, "notify-send", strlen("notify-send")) == 0;
}
