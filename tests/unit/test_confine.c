/* test_confine.c - what a confined process may not do any more, each in a process of its own, and what it
 * still can. */
#include "brokerd/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

/* A test's child ends with the errno of what it tried, or with one of these. */
enum {
	DONE = 200,
	NOT_CONFINED,
};

#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}

/* Tried with -1 for each argument, which makes none of them do anything. */
static const struct {
	const char *name;
	long call;
} calls[] = {
	CALL(execveat),
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(process_madvise),
	CALL(pidfd_getfd),
	CALL(kcmp),
	CALL(move_pages),
	CALL(migrate_pages),
	CALL(userfaultfd),
	CALL(open_by_handle_at),
	CALL(fanotify_init),
	CALL(fanotify_mark),
	CALL(setuid),
	CALL(setgid),
	CALL(setreuid),
	CALL(setregid),
	CALL(setresuid),
	CALL(setresgid),
	CALL(setfsuid),
	CALL(setfsgid),
	CALL(setgroups),
	CALL(capset),
	CALL(personality),
	CALL(unshare),
	CALL(setns),
	CALL(chroot),
	CALL(pivot_root),
	CALL(mount),
	CALL(umount2),
	CALL(fsopen),
	CALL(fsconfig),
	CALL(fsmount),
	CALL(fspick),
	CALL(move_mount),
	CALL(open_tree),
	CALL(mount_setattr),
	CALL(swapon),
	CALL(swapoff),
	CALL(quotactl),
	CALL(sethostname),
	CALL(setdomainname),
	CALL(acct),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(kexec_load),
	CALL(bpf),
	CALL(perf_event_open),
	CALL(io_uring_setup),
	CALL(io_uring_enter),
	CALL(io_uring_register),
	CALL(reboot),
	CALL(syslog),
	CALL(clock_settime),
	CALL(settimeofday),
	CALL(adjtimex),
	CALL(clock_adjtime),
	CALL(add_key),
	CALL(request_key),
	CALL(keyctl),
};

/* What `attempt` ends with in a child, which is confined first if `prepare` is. */
static int outcome(enum err (*prepare)(struct fault *why), int (*attempt)(long), long argument)
{
	int status = 0;
	const pid_t child = fork();
	if (child < 0)
		bail("no child: %s", strerror(errno));
	if (child == 0) {
		struct fault why = FAULT_NONE;
		if (prepare && prepare(&why) != OK)
			_exit(NOT_CONFINED);
		_exit(attempt(argument));
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int attempt_call(long call)
{
	return syscall(call, -1L, -1L, -1L, -1L, -1L, -1L) == -1 ? errno : DONE;
}

/* ---- what is refused ---- */

static int attempt_exec(long unused)
{
	char *const argv[] = {strdup("true"), NULL};
	(void)unused;
	execv("/bin/true", argv);
	return errno;
}

static int attempt_fork(long unused)
{
	const pid_t child = fork();
	(void)unused;
	if (child == 0)
		_exit(0);
	return child < 0 ? errno : DONE;
}

static int attempt_spawn(long unused)
{
	pid_t child;
	char *const argv[] = {strdup("true"), NULL};
	(void)unused;
	const int failed = posix_spawn(&child, "/bin/true", NULL, NULL, argv, NULL);
	return failed ? failed : DONE;
}

static int attempt_clone(long flags)
{
	const long child = syscall(SYS_clone, (unsigned long)flags, 0L, 0L, 0L, 0L);
	if (child == 0)
		_exit(0);
	return child < 0 ? errno : DONE;
}

static int attempt_attach(long pid)
{
	return ptrace(PTRACE_SEIZE, (pid_t)pid, NULL, NULL) != 0 ? errno : DONE;
}

static int attempt_read(long pid)
{
	char mine, theirs = 'x';
	const struct iovec to = {&mine, 1}, from = {&theirs, 1};
	return process_vm_readv((pid_t)pid, &to, 1, &from, 1, 0) < 0 ? errno : DONE;
}

static int attempt_socket(long family)
{
	const int type = family == AF_NETLINK ? SOCK_RAW : SOCK_DGRAM;
	return socket((int)family, type | SOCK_CLOEXEC, 0) < 0 ? errno : DONE;
}

static void refuses(const char *name, int (*attempt)(long), long argument, int want)
{
	const int before = outcome(NULL, attempt, argument);
	if (before == want)
		skip("%s: refused to this user anyway", name);
	else
		is_int(outcome(confine, attempt, argument), want, "%s (%d before)", name, before);
}

static void test_refused(void)
{
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		refuses(calls[i].name, attempt_call, calls[i].call, EPERM);
	refuses("another program", attempt_exec, 0, EPERM);
	refuses("a process by fork", attempt_fork, 0, EPERM);
	refuses("a process by posix_spawn", attempt_spawn, 0, EPERM);
	refuses("a process by clone", attempt_clone, SIGCHLD, EPERM);
	refuses("a user namespace", attempt_clone, CLONE_NEWUSER | SIGCHLD, EPERM);
	refuses("a thread in a network of its own", attempt_clone,
		CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWNET, EPERM);
	refuses("clone3 seems not to be there", attempt_call, SYS_clone3, ENOSYS);
	refuses("to trace its parent", attempt_attach, getpid(), EPERM);
	refuses("to read its parent", attempt_read, getpid(), EPERM);
	refuses("raw packets", attempt_socket, AF_PACKET, EAFNOSUPPORT);
	refuses("the kernel's ciphers", attempt_socket, AF_ALG, EAFNOSUPPORT);
#ifdef __x86_64__
	refuses("a call of another architecture", attempt_call, 0x40000000L | SYS_getpid, EPERM);
#endif
}

/* The first call that this kernel has and libseccomp's table has not. */
static void test_unheard_of(void)
{
	for (long call = SYS_pidfd_open; call < SYS_pidfd_open + 100; call++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)call);
		const bool is_known = name != NULL;
		free(name);
		if (is_known || outcome(NULL, attempt_call, call) == ENOSYS)
			continue;
		is_int(outcome(confine, attempt_call, call), ENOSYS,
			"call %ld, which nobody has looked at, seems not to be there", call);
		return;
	}
	skip("libseccomp knows all calls of this kernel");
}

/* ---- what is not ---- */

static void *do_nothing(void *unused)
{
	return unused;
}

static int attempt_thread(long unused)
{
	pthread_t thread;
	(void)unused;
	const int failed = pthread_create(&thread, NULL, do_nothing, NULL);
	return failed ? failed : pthread_join(thread, NULL) == 0 ? DONE : EINVAL;
}

static int attempt_name(long unused)
{
	const struct addrinfo want = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	(void)unused;
	if (getaddrinfo("localhost", NULL, &want, &found) != 0)
		return EINVAL;
	freeaddrinfo(found);
	return DONE;
}

/* As the vault is written. */
static int attempt_file(long unused)
{
	char path[] = "/tmp/confine-XXXXXX", other[64];
	const int fd = mkostemp(path, O_CLOEXEC);
	(void)unused;
	if (fd < 0)
		return errno;
	(void)snprintf(other, sizeof other, "%s.bak", path);
	const bool is_fine = write(fd, "x", 1) == 1 && fsync(fd) == 0 && fdatasync(fd) == 0 &&
			     flock(fd, LOCK_EX | LOCK_NB) == 0 && fchmod(fd, 0600) == 0 &&
			     linkat(AT_FDCWD, path, AT_FDCWD, other, 0) == 0 &&
			     rename(path, other) == 0 && posix_fallocate(fd, 0, 4096) == 0;
	const int failed = errno;
	unlink(other);
	unlink(path);
	return is_fine ? DONE : failed;
}

static int attempt_memory(long unused)
{
	(void)unused;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || mprotect(page, 4096, PROT_NONE) != 0 ||
		madvise(page, 4096, MADV_DONTDUMP) != 0)
		return errno;
	return mlock(page, 4096) == 0 || errno == ENOMEM ? DONE : errno;
}

static int attempt_events(long unused)
{
	sigset_t none;
	char byte;
	(void)unused;
	sigemptyset(&none);
	return epoll_create1(EPOLL_CLOEXEC) < 0 || eventfd(0, EFD_CLOEXEC) < 0 ||
			       timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) < 0 ||
			       signalfd(-1, &none, SFD_CLOEXEC) < 0 || getrandom(&byte, 1, 0) != 1
		       ? errno
		       : DONE;
}

/* What is asked of the kernel about a client. */
static int attempt_peer(long pid)
{
	char path[64], target[64];
	(void)snprintf(path, sizeof path, "/proc/%ld/exe", pid);
	return syscall(SYS_pidfd_open, pid, 0) < 0 || readlink(path, target, sizeof target) < 0 ||
			       memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING) < 0
		       ? errno
		       : DONE;
}

static void allows(const char *name, int (*attempt)(long), long argument)
{
	is_int(outcome(confine, attempt, argument), outcome(NULL, attempt, argument),
		"%s as before", name);
}

static void test_allowed(void)
{
	allows("threads start", attempt_thread, 0);
	allows("names are looked up", attempt_name, 0);
	allows("files are written safely", attempt_file, 0);
	allows("memory is locked and closed", attempt_memory, 0);
	allows("events are waited for", attempt_events, 0);
	allows("clients are looked at", attempt_peer, getpid());
	allows("local sockets are made", attempt_socket, AF_UNIX);
	allows("sockets are made", attempt_socket, AF_INET);
	allows("sockets of IPv6 are made", attempt_socket, AF_INET6);
	allows("routes are asked for", attempt_socket, AF_NETLINK);
}

/* ---- who is confined ---- */

static pthread_barrier_t barrier;

static void *exec_later(void *result)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	*(int *)result = attempt_exec(0);
	return NULL;
}

/* A thread that is there already. */
static int attempt_old_thread(long unused)
{
	pthread_t thread;
	struct fault why = FAULT_NONE;
	int result = 0;
	(void)unused;
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, exec_later, &result) != 0)
		return EINVAL;
	pthread_barrier_wait(&barrier);
	if (confine(&why) != OK)
		return NOT_CONFINED;
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return result;
}

/* A process that was forked before can start programs after. */
static int attempt_helper(long unused)
{
	int go[2], status = 0;
	char byte;
	struct fault why = FAULT_NONE;
	(void)unused;
	if (pipe2(go, O_CLOEXEC) != 0)
		return errno;
	const pid_t helper = fork();
	if (helper == 0)
		_exit(read(go[0], &byte, 1) == 1 ? attempt_exec(0) : 1);
	if (confine(&why) != OK)
		return NOT_CONFINED;
	if (write(go[1], "x", 1) != 1 || waitpid(helper, &status, 0) != helper)
		return errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? DONE : ECHILD;
}

static int attempt_twice(long unused)
{
	struct fault why = FAULT_NONE;
	(void)unused;
	return confine(&why) == OK ? DONE : NOT_CONFINED;
}

static void test_who(void)
{
	is_int(outcome(NULL, attempt_old_thread, 0), EPERM, "threads that were there are, too");
	is_int(outcome(NULL, attempt_helper, 0), DONE, "a process that was forked before is not");
	is_int(outcome(confine, attempt_twice, 0), DONE, "twice is as good as once");
}

int main(void)
{
#ifdef BROKER_UNCONFINED
	struct fault why = FAULT_NONE;
	is_err(confine(&why), ERR_UNSUPPORTED, "a build of this kind is not confined");
	ok(strstr(why.message, "sanitizer"), "and says so");
	return tap_done();
#endif
	if (outcome(confine, attempt_thread, 0) == NOT_CONFINED)
		bail("this kernel takes no filter");
	test_refused();
	test_unheard_of();
	test_allowed();
	test_who();
	return tap_done();
}
