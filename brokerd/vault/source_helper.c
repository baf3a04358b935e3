/* source_helper.c - one process that minds another, which listens, and one for each command that watches it. */
#include "brokerd/vault/source_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "brokerd/vault/bytes.h"

#define SOCKET     STDIN_FILENO
#define YOUNG_MS   1000 /* who is killed so soon is not followed at once */
#define LAST_BYTES 200  /* of the last line on stderr */
#define WHY_BYTES  (LAST_BYTES + 100)

/* ---- what a command prints ---- */

/* The first line of stdout. */
struct first_line {
	char text[LIMIT_SECRET_BYTES + 1];
	size_t n;
	bool is_whole;
};

static void first_line_take(struct first_line *l, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && !l->is_whole; i++) {
		if (bytes[i] == '\n')
			l->is_whole = true;
		else if (l->n < sizeof l->text)
			l->text[l->n++] = bytes[i];
	}
}

/* The last line of stderr, so far. */
struct last_line {
	char text[LAST_BYTES + 1];
	size_t n;
	bool is_over;
};

static void last_line_take(struct last_line *l, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)bytes[i];
		if (c == '\n') {
			l->is_over = true;
			continue;
		}
		if (l->is_over)
			l->n = 0;
		l->is_over = false;
		if (l->n < LAST_BYTES)
			l->text[l->n++] = (char)(c < 0x20 || c >= 0x7f ? '?' : c);
	}
}

/* ---- one command ---- */

struct run {
	uint32_t id;
	int64_t end_ms;
	char *words[KEY_SOURCE_WORDS_MAX + 1];
	pid_t pid, listener;
	int out, err, signals; /* descriptors */
	struct first_line first;
	struct last_line last;
	char why[WHY_BYTES];
};

static int64_t now_ms(void)
{
	struct timespec at = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void answer(uint32_t id, bool is_good, const char *bytes, size_t n)
{
	unsigned char reply[SOURCE_ANSWERED_MAX];
	struct writer w = {.p = reply, .max = sizeof reply};
	write_number(&w, id, 4);
	write_number(&w, is_good, 1);
	write_bytes(&w, bytes, n);
	(void)send(SOCKET, reply, w.n, MSG_NOSIGNAL | MSG_EOR); /* else the broker is gone */
	sodium_memzero(reply, sizeof reply);
}

static void refuse(uint32_t id, const char *why)
{
	answer(id, false, why, strlen(why));
}

static _Noreturn void become(const struct run *r, int out, int err)
{
	const int none = open("/dev/null", O_RDONLY);
	const char *home = getenv("HOME");
	sigset_t all;
	sigemptyset(&all);
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	if (!home || chdir(home) != 0)
		(void)!chdir("/");
	/* the socket is covered by /dev/null; all else closes by itself */
	if (none >= 0 && dup2(none, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
		dup2(err, STDERR_FILENO) >= 0) {
		if (none > STDERR_FILENO)
			close(none);
		execv(r->words[0], r->words);
		dprintf(STDERR_FILENO, "cannot run %s: %s\n", r->words[0], strerror(errno));
	}
	_exit(127);
}

/* The command's end comes as SIGCHLD, that of the process that listens as SIGTERM. */
static bool watch_ends(struct run *r)
{
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGCHLD);
	sigaddset(&ends, SIGTERM);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
		return false;
	if (getppid() != r->listener)
		_exit(0); /* it died before that: who asked will ask again */
	r->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals >= 0;
}

static bool is_told_to_end(struct run *r)
{
	struct signalfd_siginfo s;
	bool is_told = false;
	while (read(r->signals, &s, sizeof s) == (ssize_t)sizeof s)
		is_told = is_told || s.ssi_signo == SIGTERM;
	return is_told;
}

static bool begin(struct run *r)
{
	int out[2], err[2];
	if (!watch_ends(r) || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		return false;
	r->pid = fork();
	if (r->pid == 0)
		become(r, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	r->out = out[0];
	r->err = err[0];
	return r->pid > 0 && fcntl(r->out, F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(r->err, F_SETFL, O_NONBLOCK) == 0;
}

/* Reads what there is; *fd becomes -1 at its end. */
static void drain(int *fd, struct first_line *first, struct last_line *last)
{
	char piece[4096];
	ssize_t n;
	while (*fd >= 0 && (n = read(*fd, piece, sizeof piece)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			n = 0;
			break;
		}
		if (first)
			first_line_take(first, piece, (size_t)n);
		else
			last_line_take(last, piece, (size_t)n);
	}
	if (*fd >= 0 && n == 0)
		*fd = -1;
	sodium_memzero(piece, sizeof piece);
}

enum outcome {
	RUN_ENDED,
	RUN_LATE,
	RUN_ORPHANED, /* nobody is there to be told */
};

static enum outcome watch(struct run *r, int *status)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = r->signals,  .events = POLLIN},
                        {.fd = r->out,                 .events = POLLIN},
			{.fd = r->err,.events = POLLIN},
			{.fd = SOCKET     }, /* only whether the broker is gone */
		};
		const int64_t left_ms = r->end_ms - now_ms();
		if (left_ms <= 0 || (poll(fds, COUNT_OF(fds), (int)left_ms) < 0 && errno != EINTR))
			return RUN_LATE;
		if (fds[3].revents || is_told_to_end(r))
			return RUN_ORPHANED;
		drain(&r->out, &r->first, NULL);
		drain(&r->err, NULL, &r->last);
		if (waitpid(r->pid, status, WNOHANG) == r->pid)
			break;
	}
	/* what it printed last */
	drain(&r->out, &r->first, NULL);
	drain(&r->err, NULL, &r->last);
	return RUN_ENDED;
}

/* NULL: there is a line, and it is the answer. */
static const char *judge(struct run *r, int status)
{
	const char *colon = r->last.n > 0 ? ": " : "";
	r->last.text[r->last.n] = '\0';
	if (WIFSIGNALED(status))
		(void)snprintf(r->why, sizeof r->why, "the command was ended by signal %d%s%s",
			WTERMSIG(status), colon, r->last.text);
	else if (WEXITSTATUS(status) != 0)
		(void)snprintf(r->why, sizeof r->why, "the command ended with status %d%s%s",
			WEXITSTATUS(status), colon, r->last.text);
	else if (r->first.n == 0)
		(void)snprintf(r->why, sizeof r->why, "the command printed no first line%s%s",
			colon, r->last.text);
	else if (r->first.n > LIMIT_SECRET_BYTES)
		(void)snprintf(
			r->why, sizeof r->why, "the command's first line is longer than any key");
	else
		return NULL;
	return r->why;
}

/* In a process of its own, which ends with it. */
static _Noreturn void supervise(struct run *r)
{
	int status = 0;
	const char *why = "the command could not be started";
	enum outcome outcome = RUN_ENDED;
	(void)mlock(r, sizeof *r); /* of little use where it cannot be; it passes in a moment */
	if (begin(r)) {
		outcome = watch(r, &status);
		if (outcome != RUN_ENDED)
			(void)kill(-r->pid, SIGKILL);
		why = outcome == RUN_ENDED ? judge(r, status) : "the command took too long";
	}
	if (outcome != RUN_ORPHANED && why)
		refuse(r->id, why);
	else if (outcome != RUN_ORPHANED)
		answer(r->id, true, r->first.text, r->first.n);
	sodium_memzero(r, sizeof *r);
	_exit(0);
}

/* ---- the process that listens ---- */

/* False: it is not a request. */
static bool read_request(char *bytes, size_t n, struct run *r)
{
	struct reader in = {.rest = span_of(bytes, n)};
	size_t words = 0;
	r->id = (uint32_t)read_number(&in, 4);
	r->end_ms = now_ms() + (int64_t)read_number(&in, 4);
	if (in.is_short || in.rest.n == 0 || bytes[n - 1] != '\0')
		return false;
	for (size_t at = 8; at < n; at += strlen(bytes + at) + 1) {
		if (words == KEY_SOURCE_WORDS_MAX)
			return false;
		r->words[words++] = bytes + at;
	}
	return words > 0 && r->words[0][0] == '/';
}

static void serve(char *bytes, size_t n)
{
	static struct run run;
	run = (struct run){.listener = getpid(), .out = -1, .err = -1, .signals = -1};
	if (!read_request(bytes, n, &run)) {
		refuse(run.id, "the request is not one");
		return;
	}
	const pid_t pid = fork();
	if (pid == 0)
		supervise(&run);
	if (pid < 0)
		refuse(run.id, "no process can be made for the command");
}

/* What a command may need to find its own files and its user's agents. */
static void furnish(void)
{
	const struct passwd *pw = getpwuid(geteuid());
	char runtime[64];
	struct stat st;
	(void)clearenv();
	(void)setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	(void)setenv("LANG", "C.UTF-8", 1);
	if (pw) {
		(void)setenv("HOME", pw->pw_dir, 1);
		(void)setenv("USER", pw->pw_name, 1);
		(void)setenv("LOGNAME", pw->pw_name, 1);
	}
	(void)snprintf(runtime, sizeof runtime, "/run/user/%u", (unsigned)geteuid());
	if (stat(runtime, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		(void)setenv("XDG_RUNTIME_DIR", runtime, 1);
}

/* Sockets of the service manager's, which come without the flag that closes them. */
static void close_all_but_standard(void)
{
	struct rlimit limit = {.rlim_cur = 1024};
	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) == 0)
		return;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = STDERR_FILENO + 1; fd < (int)limit.rlim_cur; fd++)
		close(fd);
}

/* Until the socket is closed. */
static int listen_to_broker(void)
{
	static char bytes[SOURCE_ASKED_MAX];
	ssize_t n;
	(void)signal(SIGCHLD, SIG_IGN); /* nobody is waited for */
	(void)prctl(PR_SET_NAME, "llm-key-listen");
	while ((n = recv(SOCKET, bytes, sizeof bytes, 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return EXIT_FAILURE; /* not started by a broker */
		serve(bytes, (size_t)n);
	}
	return EXIT_SUCCESS;
}

/* In a process of its own. -1: it was killed. */
static int listen_apart(void)
{
	const pid_t minder = getpid(), pid = fork();
	int status = 0;
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != minder)
			_exit(EXIT_FAILURE);
		_exit(listen_to_broker());
	}
	if (pid < 0)
		return EXIT_FAILURE;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int source_helper_main(void)
{
	static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE};

	/* the broker's end is ours, whatever a terminal or a service manager says meanwhile */
	for (size_t i = 0; i < COUNT_OF(deaf); i++)
		(void)signal(deaf[i], SIG_IGN);
	(void)prctl(PR_SET_NAME, "llm-key-helper");
	close_all_but_standard();
	furnish();
	for (;;) {
		const int64_t began_ms = now_ms();
		const int code = listen_apart();
		if (code >= 0)
			return code;
		if (now_ms() - began_ms < YOUNG_MS)
			(void)usleep(YOUNG_MS * 1000);
		refuse(0, "");
	}
}
