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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libllmclient/src/dial.h"
#include "llmclient.h"
#include "protocol/base/mem.h"

extern char **environ;

#define OWN_PID_NAMESPACE "pid:[4026531836]" /* the machine's first: PROC_PID_INIT_INO */
#define MANAGER           "/usr/bin/systemctl"
#define MANAGER_SECONDS   20                 /* it has to answer, where nobody waits for it */
#define NO_SUCH_UNIT      5                  /* as systemctl ends where there is none */
#define SOCKET_REST       "/llm-broker/sock" /* of the socket in its user's runtime folder */
#define VARIABLE          "XDG_RUNTIME_DIR="
#define LOG_BYTES_MAX     INT64_C(1048576)
#define REPORT            3 /* the descriptor that says what came of it; exec closes it */

/* What comes back through it. Nothing, and its end: the program runs. */
enum outcome {
	SAYS_BEGUN, /* by the manager */
	SAYS_NO_UNIT,
	SAYS_REFUSED,
	SAYS_SILENT,
	SAYS_NOT_RUN,
};

struct report {
	enum outcome outcome;
	int error; /* of SAYS_NOT_RUN */
};

/* ---- may one be started here? ---- */

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* Is its first process systemd, as in a container that is a machine of its own? */
static bool is_machine(void)
{
	char name[16];
	const int fd = open("/proc/1/comm", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name);
	if (fd >= 0)
		close(fd);
	return n > 0 && span_is(span_of(name, (size_t)n), "systemd\n");
}

/* Does systemd manage this system? As sd_booted(3) has it. */
static bool is_managed_system(void)
{
	struct stat st;
	return lstat("/run/systemd/system", &st) == 0 && S_ISDIR(st.st_mode);
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
	return strcmp(space, OWN_PID_NAMESPACE) == 0 || is_machine() ? NULL : "a pid namespace";
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

/* ---- or the service manager's ---- */

/* What is needed to ask for the socket's unit. */
struct manager {
	char variable[PATH_MAX + sizeof VARIABLE];
	struct sockaddr_un at;
	bool is_there;
};

/* The user's: the system's is nothing that a program starts by the way. */
static void find_manager(const char *socket_path, struct manager *m)
{
	struct stat st;
	const struct span socket = span_str(socket_path);
	const struct span rest = SPAN(SOCKET_REST);
	m->is_there = false;
	m->at = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!span_ends(socket, rest) || socket.n >= PATH_MAX ||
		strcmp(socket_path, SYSTEM_SOCKET) == 0)
		return;
	const struct span folder = span_first(socket, socket.n - rest.n);
	char *path = m->at.sun_path;
	const int n =
		snprintf(path, sizeof m->at.sun_path, "%.*s/systemd/private", SPAN_ARG(folder));
	if (n < 0 || (size_t)n >= sizeof m->at.sun_path || lstat(path, &st) != 0 ||
		!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return;
	(void)snprintf(m->variable, sizeof m->variable, VARIABLE "%.*s", SPAN_ARG(folder));
	m->is_there = is_trusted_program(MANAGER);
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

/* What a broker says before it can keep state of its own goes where its state will be. "": nowhere. */
static void name_log(const char *state, char path[PATH_MAX])
{
	const int n = snprintf(path, PATH_MAX, "%s/llm-brokerd.log", state);
	if (n < 0 || n >= PATH_MAX)
		path[0] = '\0';
}

/* In the grandchild, which becomes the broker: who starts none leaves nothing behind. -1: none. */
static int open_log(char *path)
{
	struct stat st;
	if (!path[0])
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
	struct manager *manager;
	const char *program; /* NULL: there is only the manager */
	char *const *argv;
	char *log;  /* its path; "": none */
	int report; /* where it goes what came of it */
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

/* The errno of this moment with it. */
static void tell(int fd, enum outcome outcome)
{
	const struct report report = {.outcome = outcome, .error = errno};
	(void)!write(fd, &report, sizeof report);
}

/* A plain fork that sends no SIGCHLD to a program that does not expect one. */
static pid_t fork_silently(void)
{
	return (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
}

_Noreturn static void become_systemctl(struct manager *m)
{
	char name[] = "systemctl", scope[] = "--user", no_block[] = "--no-block",
	     quiet[] = "--quiet", no_ask[] = "--no-ask-password", verb[] = "start",
	     unit[] = "llm-broker.socket";
	char *const argv[] = {name, scope, no_block, quiet, no_ask, verb, unit, NULL};
	char *const variables[] = {m->variable, NULL};
	/* it may have no such unit, which is not worth a word */
	if (dup2(STDIN_FILENO, STDERR_FILENO) >= 0) {
		(void)alarm(MANAGER_SECONDS); /* goes on through exec */
		execve(MANAGER, argv, variables);
	}
	_exit(127);
}

/* Or has it left its socket behind? */
static bool is_listening(const struct manager *m)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const bool is =
		fd >= 0 && (connect(fd, (const struct sockaddr *)&m->at, sizeof m->at) == 0 ||
				   errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return is;
}

/* Does the manager listen in a moment? In the grandchild, for which nobody waits. Only where there is no such unit, or
 * nobody to ask, is a broker started in another way: who masks the unit wants none. */
static enum outcome ask_manager(struct manager *m)
{
	int status = -1;
	pid_t done;
	const pid_t child = fork_silently();
	if (child == 0)
		become_systemctl(m);
	if (child < 0)
		return SAYS_NO_UNIT;
	do
		done = waitpid(child, &status, __WALL);
	while (done < 0 && errno == EINTR);
	if (done == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return SAYS_SILENT;
	if (done == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return SAYS_BEGUN;
	if (done == child && WIFEXITED(status) && WEXITSTATUS(status) == NO_SUCH_UNIT)
		return SAYS_NO_UNIT;
	return is_listening(m) ? SAYS_REFUSED : SAYS_NO_UNIT;
}

static void become_program(const struct plan *p)
{
	const int log = open_log(p->log);
	if (log < 0 || dup2(log, STDERR_FILENO) >= 0)
		execve(p->program, p->argv, environ);
}

/* In the grandchild: nothing of the program that started it stays with the broker. */
_Noreturn static void become_broker(const struct plan *p)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	enum outcome outcome = SAYS_NOT_RUN;
	sigset_t none;
	/* above 0, 1, 2 and REPORT, which they are about to become */
	const int null = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, REPORT + 1);
	int told = fcntl(p->report, F_DUPFD_CLOEXEC, REPORT + 1);

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &plain, NULL); /* some cannot be set, and need not be */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(077);
	if (null >= 0 && chdir("/") == 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
		dup2(null, 2) >= 0 && dup3(told, REPORT, O_CLOEXEC) >= 0) {
		told = REPORT;
		close_others(p);
		outcome = p->manager->is_there ? ask_manager(p->manager) : SAYS_NO_UNIT;
		if (outcome == SAYS_NO_UNIT && p->program) {
			become_program(p);
			outcome = SAYS_NOT_RUN;
		}
	}
	tell(told, outcome);
	_exit(127);
}

static enum err cannot_start(struct fault *why)
{
	return fault_set(why, ERR_UNREACHABLE, "no broker can be started: %s", strerror(errno));
}

static enum err start(const struct plan *p, struct fault *why)
{
	const pid_t child = fork_silently();
	if (child < 0)
		return cannot_start(why);
	if (child == 0) {
		(void)setsid();
		const pid_t broker = fork_silently();
		if (broker == 0)
			become_broker(p);
		if (broker < 0)
			tell(p->report, SAYS_NOT_RUN);
		_exit(0);
	}
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	return OK;
}

/* May one be, by whom it is asked for, and where? */
static enum err check_place(struct fault *why)
{
	if (getauxval(AT_SECURE))
		return fault_set(why, ERR_UNREACHABLE,
			"a program with privileges of its own starts no broker");
	const char *mark = sandbox();
	if (mark)
		return fault_set(why, ERR_UNREACHABLE,
			"this is a sandbox (%s): the folder of a broker's socket has to be bound "
			"into it",
			mark);
	if (geteuid() == 0 && is_managed_system())
		return fault_set(why, ERR_UNREACHABLE,
			"root's is the system's: `systemctl start llm-broker.socket`");
	return OK;
}

static enum err no_program(struct fault *why)
{
	return fault_set(why, ERR_UNREACHABLE, "no llm-brokerd is installed beside the library");
}

enum err autostart(struct autostart *a, const char *socket_path, struct fault *why)
{
	char program[PATH_MAX], state[PATH_MAX], log[PATH_MAX] = "";
	struct manager manager;
	char socket_option[] = "--socket", state_option[] = "--state-dir";
	int report[2];

	enum err err = check_place(why);
	if (err)
		return err;
	find_manager(socket_path, &manager);
	const bool has_program = find_program(program);
	if (!has_program && !manager.is_there)
		return no_program(why);
	const size_t n_path = strlen(socket_path) + 1;
	char *path = mem_resize(NULL, n_path);
	if (!path)
		return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
	memcpy(path, socket_path, n_path);
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) {
		mem_free(path);
		return cannot_start(why);
	}

	struct rlimit fds = {.rlim_cur = 1024};
	(void)getrlimit(RLIMIT_NOFILE, &fds);
	const bool has_state = find_state(socket_path, state);
	if (has_state)
		name_log(state, log);
	char *argv[] = {program, socket_option, path, has_state ? state_option : NULL, state, NULL};
	const struct plan plan = {
		.manager = &manager,
		.program = has_program ? program : NULL,
		.argv = argv,
		.log = log,
		.report = report[1],
		.n_fds = fds.rlim_cur > 65536 ? 65536 : (int)fds.rlim_cur,
	};
	err = start(&plan, why);
	close(report[1]);
	mem_free(path);
	*a = (struct autostart){.report = report[0], .is_asked = manager.is_there};
	if (err)
		autostart_done(a);
	return err;
}

void autostart_done(struct autostart *a)
{
	if (a->report >= 0)
		close(a->report);
	a->report = -1;
}

enum err autostart_look(struct autostart *a, struct fault *why)
{
	struct report report;
	if (a->report < 0)
		return OK;
	const ssize_t n = read(a->report, &report, sizeof report);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return OK;
	autostart_done(a);
	a->is_asked = false;
	if (n != (ssize_t)sizeof report)
		return OK;
	switch (report.outcome) {
	case SAYS_BEGUN:
		a->is_managed = true;
		return OK;
	case SAYS_NO_UNIT:
		return no_program(why);
	case SAYS_SILENT:
		a->is_asked = true;
		return autostart_late(a, "", why);
	case SAYS_NOT_RUN:
		return fault_set(why, ERR_UNREACHABLE, "llm-brokerd cannot be run: %s",
			strerror(report.error));
	case SAYS_REFUSED:
		break;
	}
	return fault_set(why, ERR_UNREACHABLE,
		"systemd does not start llm-broker.socket, which may be masked: "
		"`systemctl --user status llm-broker.socket` says more");
}

enum err autostart_late(const struct autostart *a, const char *socket_path, struct fault *why)
{
	if (a->is_asked)
		return fault_set(why, ERR_UNREACHABLE,
			"systemd was asked to start llm-broker.socket, and has not answered in "
			"time");
	if (a->is_managed)
		return fault_set(why, ERR_UNREACHABLE,
			"systemd was asked to start llm-broker.socket, but nobody listens at %s: "
			"`systemctl --user status llm-broker.socket` may say why",
			socket_path);
	return fault_set(why, ERR_UNREACHABLE,
		"a broker was started, but does not listen at %s: `llm-brokerd --check` may say "
		"why",
		socket_path);
}
