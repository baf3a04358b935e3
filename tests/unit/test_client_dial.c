/* test_client_dial.c - which of the places where a broker may listen is taken, while one is just beginning to? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "libllmclient/src/dial.h"
#include "tests/lib/tap.h"

static char folder[] = "/tmp/llmb-dial-XXXXXX";
static int main_fd = -1, sandbox_fd = -1; /* that are listened on */
static bool begins; /* a broker, as soon as somebody has looked for it in vain */

static const char *path_of(char to[64], const char *rest)
{
	(void)snprintf(to, 64, "%s/%s", folder, rest);
	return to;
}

static int listen_at(const char *rest)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char path[64];
	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path_of(path, rest));
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0)
		bail("cannot listen at %s", path);
	return fd;
}

static void stop_listening(int *fd, const char *rest)
{
	char path[64];
	if (*fd < 0)
		return;
	close(*fd);
	*fd = -1;
	(void)unlink(path_of(path, rest));
}

/* Stands before the library's. In the order in which a broker binds them. */
int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t n)
{
	const int done = (int)syscall(SYS_connect, fd, to.__sockaddr__, n);
	const int error = errno;
	if (done != 0 && begins) {
		begins = false;
		main_fd = listen_at("llm-broker/sock");
		sandbox_fd = listen_at("llm-broker-sandbox/sock");
	}
	errno = error;
	return done;
}

/* The end of its path that a socket is connected to; "": to nothing. */
static const char *reached(char to[64])
{
	const struct dial_options o = {.fd = -1};
	struct sockaddr_un at = {0};
	socklen_t n = sizeof at;
	struct fault why = FAULT_NONE;
	struct dial d;
	int fd = -1;
	to[0] = '\0';
	if (dial_begin(&d, &o, 0, 0, &why) == OK && dial_try(&d, 0, &fd, &why) == OK &&
		getpeername(fd, (struct sockaddr *)&at, &n) == 0 &&
		strlen(at.sun_path) > strlen(folder))
		(void)snprintf(to, 64, "%.63s", at.sun_path + strlen(folder) + 1);
	if (fd >= 0)
		close(fd);
	dial_done(&d);
	return to;
}

static int open_fds(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int main(void)
{
	char path[64], to[64];
	if (!mkdtemp(folder) || mkdir(path_of(path, "llm-broker"), 0700) != 0 ||
		mkdir(path_of(path, "llm-broker-sandbox"), 0700) != 0 ||
		setenv("XDG_RUNTIME_DIR", folder, 1) != 0)
		bail("no folder");
	(void)unsetenv("LLM_BROKER_FD");
	(void)unsetenv("LLM_BROKER_SOCKET");

	sandbox_fd = listen_at("llm-broker-sandbox/sock");
	const int n_before = open_fds();
	is_str(reached(to), "llm-broker-sandbox/sock", "the sandbox's, where there is no other");
	main_fd = listen_at("llm-broker/sock");
	is_str(reached(to), "llm-broker/sock", "the user's own, where both are");
	stop_listening(&main_fd, "llm-broker/sock");
	stop_listening(&sandbox_fd, "llm-broker-sandbox/sock");

	begins = true;
	is_str(reached(to), "llm-broker/sock",
		"and where both come between the look at the one and at the other");
	is_int(open_fds(), n_before + 1, "what was opened on the way is closed");
	stop_listening(&main_fd, "llm-broker/sock");
	stop_listening(&sandbox_fd, "llm-broker-sandbox/sock");

	(void)rmdir(path_of(path, "llm-broker"));
	(void)rmdir(path_of(path, "llm-broker-sandbox"));
	(void)rmdir(folder);
	return tap_done();
}
