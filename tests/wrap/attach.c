/* attach.c - can a process of the same user get into another one, once it is there or while it starts?
 * usage: attach try PID
 *        attach race ROUNDS PROGRAM [ARGUMENT...]
 * `try` makes each attempt once. `race` starts the program ROUNDS times and makes attempts, a kind of them
 * each round, from before it is executed until it ends. Prints counts as NAME=NUMBER:
 *   attempts  made when the program was there for certain
 *   breaches  of these, that were not refused
 *   early     rounds in which a tracer was there before the program
 *   ran       of these, rounds in which the program ended well all the same
 * Source of how it can be known that a program is there: /proc/PID/comm, which changes within execve and
 * after the kernel has made up its mind about who may look. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static char own[64]; /* what this program is called */
static char marker = 'm';

struct counts {
	long attempts, breaches, early, ran;
};

/* ---- the attempts: 0, or errno ---- */

static int seize(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? 0 : errno;
}

static int attach(pid_t pid)
{
	return ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0 ? 0 : errno;
}

/* Any other errno than a refusal means that the kernel looked for the address. */
static int read_memory(pid_t pid)
{
	char byte;
	const struct iovec to = {&byte, 1}, from = {&marker, 1};
	return process_vm_readv(pid, &to, 1, &from, 1, 0) == 1 ? 0 : errno;
}

static int write_memory(pid_t pid)
{
	char byte = 'x';
	const struct iovec from = {&byte, 1}, to = {&marker, 1};
	return process_vm_writev(pid, &from, 1, &to, 1, 0) == 1 ? 0 : errno;
}

static int open_file(pid_t pid, const char *name)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int open_mem(pid_t pid)
{
	return open_file(pid, "mem");
}

static int open_environ(pid_t pid)
{
	return open_file(pid, "environ");
}

static int take_descriptor(pid_t pid)
{
	const int process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0)
		return errno;
	const int fd = (int)syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0);
	const int failed = fd < 0 ? errno : 0;
	close(process);
	if (fd >= 0)
		close(fd);
	return failed;
}

static const struct {
	const char *name;
	int (*make)(pid_t pid);
	bool traces;
} attempts[] = {
	{"ptrace seize",       seize,           true },
	{"ptrace attach",      attach,          true },
	{"process_vm_readv",   read_memory,     false},
	{"process_vm_writev",  write_memory,    false},
	{"open /proc/mem",     open_mem,        false},
	{"open /proc/environ", open_environ,    false},
	{"pidfd_getfd",        take_descriptor, false},
};

static bool is_refusal(int failed)
{
	return failed == EPERM || failed == EACCES || failed == ESRCH;
}

/* ---- racing ---- */

/* Is it executing the program already? False too when it is gone. */
static bool is_there(pid_t pid)
{
	char path[64], name[64] = "";
	(void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const ssize_t n = read(fd, name, sizeof name - 1);
	close(fd);
	if (n <= 1)
		return false;
	name[n - 1] = '\0';
	return strcmp(name, own) != 0;
}

/* A tracer that was there first lets it run on, and looks at every stop. */
static void follow(pid_t pid, int *status, struct counts *c)
{
	c->early++;
	while (waitpid(pid, status, __WALL) == pid && !WIFEXITED(*status) &&
		!WIFSIGNALED(*status)) {
		if (is_there(pid)) {
			c->attempts++;
			errno = 0;
			(void)ptrace(PTRACE_PEEKDATA, pid, (void *)&marker, NULL);
			c->breaches += errno == 0 || errno == EFAULT;
		}
		const int number = WSTOPSIG(*status);
		const bool is_own = number == SIGSTOP || number == SIGTRAP;
		(void)ptrace(PTRACE_CONT, pid, NULL, (void *)(is_own ? 0L : (long)number));
	}
	c->ran += WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
}

static void run_round(char **argv, size_t kind, struct counts *c)
{
	int status = 0;
	const pid_t pid = fork();
	if (pid == 0) {
		const int null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		exit(2);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		const bool was_there = is_there(pid);
		const int failed = attempts[kind].make(pid);
		if (was_there) {
			c->attempts++;
			c->breaches += !is_refusal(failed);
		}
		if (failed == 0 && attempts[kind].traces) {
			follow(pid, &status, c);
			return;
		}
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		exit(3); /* nobody was in its way, so it has to work */
}

static int race(long rounds, char **argv)
{
	struct counts c = {0, 0, 0, 0};
	for (long i = 0; i < rounds; i++)
		run_round(argv, (size_t)i % COUNT_OF(attempts), &c);
	printf("rounds=%ld attempts=%ld breaches=%ld early=%ld ran=%ld\n", rounds, c.attempts,
		c.breaches, c.early, c.ran);
	return 0;
}

/* ---- once it is there ---- */

static int try_all(pid_t pid)
{
	int n_breaches = 0;
	for (size_t i = 0; i < COUNT_OF(attempts); i++) {
		const int failed = attempts[i].make(pid);
		if (failed == EPERM || failed == EACCES)
			continue;
		printf("%s: %s\n", attempts[i].name, failed ? strerror(failed) : "done");
		n_breaches++;
	}
	printf("attempts=%zu breaches=%d\n", COUNT_OF(attempts), n_breaches);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	(void)snprintf(own, sizeof own, "%.15s", slash ? slash + 1 : argv[0]);
	if (argc == 3 && strcmp(argv[1], "try") == 0)
		return try_all((pid_t)strtol(argv[2], NULL, 10));
	if (argc >= 4 && strcmp(argv[1], "race") == 0)
		return race(strtol(argv[2], NULL, 10), argv + 3);
	fputs("usage: attach try PID | attach race ROUNDS PROGRAM [ARGUMENT...]\n", stderr);
	return 2;
}
