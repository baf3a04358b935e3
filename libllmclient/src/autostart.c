/* autostart.c - what is needed is got ready before the fork; after it, only system calls are made. */
#include "libllmclient/src/autostart.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libllmclient/src/dial.h"
#include "llmclient.h"
#include "protocol/base/mem.h"

extern char **environ;

#define OWN_PID_NAMESPACE "pid:[4026531836]" /* the machine's first: PROC_PID_INIT_INO */
#define LOG_BYTES_MAX     INT64_C(1048576)
#define REPORT            3 /* the descriptor that says whether exec failed; exec closes it */

/* ---- may one be started here? ---- */

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* What makes this a sandbox; NULL: it is none. */
static const char *sandbox(void)
{
	static const char *const marks[] = {"/.flatpak-info", "/run/.containerenv"};
	static const char *const variables[] = {"SNAP", "container"};
	char space[64];

	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		if (exists(marks[i]))
			return marks[i];
	}
	for (size_t i = 0; i < COUNT_OF(variables); i++) {
		const char *value = secure_getenv(variables[i]);
		if (value && value[0])
			return variables[i];
	}
	/* A machine that was made of a container's image keeps /.dockerenv, but not its namespace. */
	const ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
	if (n < 0)
		return "/proc is missing";
	space[n] = '\0';
	return strcmp(space, OWN_PID_NAMESPACE) == 0 ? NULL : "a pid namespace";
}

/* ---- which one? ---- */

static bool is_trusted_program(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 &&
	       (st.st_mode & 022) == 0 && (st.st_uid == 0 || st.st_uid == geteuid());
}

/* Looks beside the file that this very code is in: PREFIX/lib, PREFIX/lib/ARCH, or a program's bin. */
static bool find_program(char path[PATH_MAX])
{
	static const char *const ways[] = {"../bin", "../../bin"};
	char own[PATH_MAX];
	Dl_info info;
	/* the address of a function as that of an object: what dladdr() is for */
	const union {
		uint32_t (*function)(void);
		const void *address;
	} here = {llm_version_number};

	if (!dladdr(here.address, &info) || !info.dli_fname || !realpath(info.dli_fname, own))
		return false;
	*strrchr(own, '/') = '\0';
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		const int n = snprintf(path, PATH_MAX, "%s/%s/llm-brokerd", own, ways[i]);
		if (n > 0 && n < PATH_MAX && is_trusted_program(path))
			return true;
	}
	return false;
}

/* ---- its state, and its log ---- */

/* Where the broker of that socket keeps its state; false: nobody knows. */
static bool find_state(const char *socket_path, char state[PATH_MAX])
{
	const char *named = secure_getenv("XDG_STATE_HOME");
	const char *home = secure_getenv("HOME");
	int n;
	if (strcmp(socket_path, SYSTEM_SOCKET) == 0)
		n = snprintf(state, PATH_MAX, "/var/lib/llm-broker");
	else if (named && named[0] == '/')
		n = snprintf(state, PATH_MAX, "%s/llm-broker", named);
	else if (home && home[0] == '/')
		n = snprintf(state, PATH_MAX, "%s/.local/state/llm-broker", home);
	else
		return false;
	return n > 0 && n < PATH_MAX;
}

/* What a broker says before it can keep state of its own goes where its state will be. -1: nowhere. */
static int open_log(const char *state)
{
	char path[PATH_MAX];
	struct stat st;
	const int n = snprintf(path, sizeof path, "%s/llm-brokerd.log", state);
	if (n < 0 || (size_t)n >= sizeof path)
		return -1;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700); /* if it cannot be made, open says so */
		*slash = '/';
	}
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_size > LOG_BYTES_MAX) &&
		ftruncate(fd, 0) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- the fork ---- */

struct plan {
	const char *program;
	char *const *argv;
	int log;    /* -1: none */
	int report; /* where errno goes if exec fails */
	int n_fds;  /* no descriptor is higher, where close_range is not known */
};

static void close_others(const struct plan *p)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, REPORT + 1U, ~0U, 0U) == 0)
		return;
#endif
	for (int fd = REPORT + 1; fd < p->n_fds; fd++)
		(void)close(fd);
}

/* In the grandchild: nothing of the program that started it stays with the broker. */
_Noreturn static void become_broker(const struct plan *p)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;
	/* above 0, 1, 2 and REPORT, which they are about to become */
	const int null = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, REPORT + 1);
	const int log = fcntl(p->log, F_DUPFD_CLOEXEC, REPORT + 1);
	const int report = fcntl(p->report, F_DUPFD_CLOEXEC, REPORT + 1);

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &plain, NULL); /* some cannot be set, and need not be */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(077);
	if (null >= 0 && chdir("/") == 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
		dup2(log >= 0 ? log : null, 2) >= 0 && dup3(report, REPORT, O_CLOEXEC) >= 0) {
		close_others(p);
		execve(p->program, p->argv, environ);
	}
	const int error = errno;
	(void)!write(REPORT, &error, sizeof error);
	_exit(127);
}

/* A plain fork that sends no SIGCHLD to a program that does not expect one. */
static pid_t fork_silently(void)
{
	return (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
}

static enum err start(const struct plan *p, struct fault *why)
{
	const pid_t child = fork_silently();
	if (child < 0)
		return fault_set(
			why, ERR_UNREACHABLE, "no broker can be started: %s", strerror(errno));
	if (child == 0) {
		(void)setsid();
		const pid_t broker = fork_silently();
		if (broker == 0)
			become_broker(p);
		_exit(broker < 0 ? 1 : 0);
	}
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	return OK;
}

enum err autostart(const char *socket_path, struct fault *why)
{
	char program[PATH_MAX], state[PATH_MAX];
	char socket_option[] = "--socket", state_option[] = "--state-dir";
	int report[2];

	if (getauxval(AT_SECURE))
		return fault_set(why, ERR_UNREACHABLE,
			"a program with privileges of its own starts no broker");
	const char *mark = sandbox();
	if (mark)
		return fault_set(why, ERR_UNREACHABLE, "this is a sandbox (%s)", mark);
	if (!find_program(program))
		return fault_set(
			why, ERR_UNREACHABLE, "no llm-brokerd is installed beside the library");
	if (pipe2(report, O_CLOEXEC) != 0)
		return fault_set(
			why, ERR_UNREACHABLE, "no broker can be started: %s", strerror(errno));

	struct rlimit fds = {.rlim_cur = 1024};
	(void)getrlimit(RLIMIT_NOFILE, &fds);
	const size_t n_path = strlen(socket_path) + 1;
	char *path = mem_resize(NULL, n_path);
	if (path)
		memcpy(path, socket_path, n_path);
	const bool has_state = find_state(socket_path, state);
	char *argv[] = {program, socket_option, path, has_state ? state_option : NULL, state, NULL};
	const struct plan plan = {
		.program = program,
		.argv = argv,
		.log = has_state ? open_log(state) : -1,
		.report = report[1],
		.n_fds = fds.rlim_cur > 65536 ? 65536 : (int)fds.rlim_cur,
	};
	enum err err =
		path ? start(&plan, why)
		     : fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
	close(report[1]);
	int error = 0;
	ssize_t n = 0;
	while (!err && (n = read(report[0], &error, sizeof error)) < 0 && errno == EINTR)
		;
	if (!err && n == (ssize_t)sizeof error)
		err = fault_set(
			why, ERR_UNREACHABLE, "%s cannot be run: %s", program, strerror(error));
	close(report[0]);
	if (plan.log >= 0)
		close(plan.log);
	mem_free(path);
	return err;
}
