/* own_bridge.c - it says where it listens on a pipe, whose end says that this is all. */
#include "libllmclient/cli/own_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libllmclient/cli/beside.h"

#define NAME     "llm-broker-bridge"
#define WAIT_MS  10000
#define END_MS   1000 /* for what is under way when the program has ended */
#define LOOK_MS  5
#define SAID_MAX ((size_t)4096)

/* In the child. In a session of its own: ^C is for the program, which may go on. It holds no end of the program's
 * input and output. */
static _Noreturn void become_bridge(enum own_bridge_for whom, const char *broker,
	const char *listen, const struct signals *s, pid_t parent, int ready)
{
	char number[16];
	const char *argv[12] = {
		NAME, "--listen", "127.0.0.1:0", "--listen", listen, "--ready-fd", number};
	size_t n = 7;
	if (whom == OWN_BRIDGE_FOR_ONE)
		argv[n++] = "--for-one";
	if (broker) {
		argv[n++] = "--socket";
		argv[n++] = broker;
	}
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)snprintf(number, sizeof number, "%d", ready);
	(void)setsid();
	(void)unsetenv("LLM_BROKER_FD"); /* one connection, and many are needed */
	signals_release(s);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_BAD);
	if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0 &&
		fcntl(ready, F_SETFD, 0) == 0)
		beside_exec(NAME, (char **)(uintptr_t)argv);
	say_err("llmb: cannot run " NAME ": %s", strerror(errno));
	_exit(EXIT_BAD);
}

/* True: it has come to its end, and `said` is all. */
static bool read_said(int ready, struct buf *said)
{
	char *to = buf_reserve(said, 512);
	const ssize_t n = to ? read(ready, to, 512) : 0;
	if (n > 0)
		buf_commit(said, (size_t)n);
	return n == 0 || (n < 0 && errno != EINTR);
}

static int wait_said(const struct common *o, const struct signals *s, int ready, struct buf *said)
{
	struct pollfd p[] = {
		{.fd = ready, .events = POLLIN},
                {.fd = s->fd, .events = POLLIN}
        };
	for (;;) {
		const int n = poll(p, COUNT_OF(p), WAIT_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return say_failure(o, EXIT_BAD,
				NAME " does not listen yet after %d s: nothing was started",
				WAIT_MS / 1000);
		if (p[0].revents && read_said(ready, said))
			return EXIT_GOOD;
		const int number = p[1].revents ? signals_poll(s) : 0;
		if (number)
			return 128 + number;
	}
}

static int understand(struct own_bridge *b, const struct common *o, const struct buf *said)
{
	for (struct span rest = buf_view(said); rest.n > 0;)
		(void)bridge_at_add(&b->at, span_cut(&rest, '\n'));
	if (b->at.base[0])
		return EXIT_GOOD;
	return say_failure(o, EXIT_BAD,
		NAME " did not start, so that the program would have no way to the broker by HTTP: "
		     "nothing was started (--no-http does without)");
}

int own_bridge_start(struct own_bridge *b, const struct common *o, enum own_bridge_for whom,
	const char *broker, const char *path, const struct signals *s)
{
	OWNED(buf_done) struct buf said = BUF_INIT(SAID_MAX);
	char listen[sizeof b->at.socket + 8];
	const pid_t parent = getpid();
	int ends[2];
	*b = (struct own_bridge){.pid = 0};
	(void)snprintf(listen, sizeof listen, "unix:%s", path);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return say_failure(o, EXIT_BAD, "cannot start a bridge: %s", strerror(errno));
	b->pid = fork();
	if (b->pid == 0)
		become_bridge(whom, broker, listen, s, parent, ends[1]);
	close(ends[1]);
	int code = b->pid < 0
			   ? say_failure(o, EXIT_BAD, "cannot start a bridge: %s", strerror(errno))
			   : wait_said(o, s, ends[0], &said);
	close(ends[0]);
	return code ? code : understand(b, o, &said);
}

void own_bridge_stop(struct own_bridge *b)
{
	const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
	if (b->pid <= 0)
		return;
	(void)kill(b->pid, SIGTERM);
	for (int waited_ms = 0; waited_ms < END_MS; waited_ms += LOOK_MS) {
		const pid_t ended = waitpid(b->pid, NULL, WNOHANG);
		if (ended == b->pid || (ended < 0 && errno != EINTR)) {
			b->pid = 0;
			return;
		}
		(void)nanosleep(&look, NULL);
	}
	(void)kill(b->pid, SIGKILL);
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	b->pid = 0;
}
