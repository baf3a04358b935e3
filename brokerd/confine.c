/* confine.c - a list of what is refused, and a kernel that seems no newer than the list.
 *
 * Not a list of what is allowed: that is the C library's affair, and changes with it. But a call that
 * was not there yet when libseccomp's table was made, nobody here has looked at; it is answered like an old
 * kernel would (ENOSYS), for which every library has another way. */
#include "brokerd/confine.h"

#include <errno.h>
#include <string.h>

#ifndef BROKER_UNCONFINED

#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "protocol/base/owned.h"
#include "protocol/base/span.h"

/* No table of ours goes that far; architectures that count from elsewhere are not confined. */
#define CALLS_MAX 1024

/* What a thread has and a process has not; and what would give it another view of the machine. */
#define NAMESPACES                                                                   \
	((scmp_datum_t)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
		CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Answered with EPERM. Names that an architecture or an old libseccomp lacks refuse nothing there. */
static const char *const refused[] = {
	/* another program, another process */
	"execve", "execveat", "fork", "vfork", "uselib",
	/* the memory and the descriptors of others */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
	"pidfd_getfd", "kcmp", "move_pages", "migrate_pages", "userfaultfd", "lookup_dcookie",
	/* files by other ways than their names */
	"open_by_handle_at", "fanotify_init", "fanotify_mark",
	/* who we are */
	"setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid",
	"setregid32", "setresuid", "setresuid32", "setresgid", "setresgid32", "setfsuid",
	"setfsuid32", "setfsgid", "setfsgid32", "setgroups", "setgroups32", "capset", "personality",
	/* what the machine looks like */
	"unshare", "setns", "chroot", "pivot_root", "mount", "umount", "umount2", "fsopen",
	"fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "mount_setattr", "swapon",
	"swapoff", "quotactl", "quotactl_fd", "nfsservctl", "sethostname", "setdomainname", "acct",
	"vhangup",
	/* the kernel itself */
	"init_module", "finit_module", "delete_module", "create_module", "get_kernel_syms",
	"query_module", "kexec_load", "kexec_file_load", "bpf", "perf_event_open", "io_uring_setup",
	"io_uring_enter", "io_uring_register", "reboot", "syslog", "_sysctl", "iopl", "ioperm",
	"modify_ldt", "vm86", "vm86old", "clock_settime", "clock_settime64", "settimeofday",
	"stime", "adjtimex", "clock_adjtime", "clock_adjtime64",
	/* the kernel's own keys */
	"add_key", "request_key", "keyctl"};

static bool is_refused(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		if (strcmp(name, refused[i]) == 0)
			return true;
	}
	return false;
}

/* A thread, yes; a process or a namespace, no. */
static int rule_clone(scmp_filter_ctx filter, int call)
{
	const scmp_datum_t looked_at = CLONE_THREAD | NAMESPACES;
#if defined(__s390__)
	const unsigned at = 1;
#else
	const unsigned at = 0;
#endif
	int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
		SCMP_CMP(at, SCMP_CMP_MASKED_EQ, looked_at, CLONE_THREAD));
	if (!failed)
		failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
			SCMP_CMP(at, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	for (scmp_datum_t flag = 1; !failed && flag <= NAMESPACES; flag <<= 1) {
		if (flag & NAMESPACES)
			failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
				SCMP_CMP(at, SCMP_CMP_MASKED_EQ, flag, flag));
	}
	return failed;
}

/* Clients, providers, and the routes that the C library asks for before it connects. */
static int rule_socket(scmp_filter_ctx filter, int call)
{
	int failed = seccomp_rule_add(
		filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), call, 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0));
	for (scmp_datum_t family = 0; !failed && family <= AF_NETLINK; family++) {
		const bool is_ours = family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
				     family == AF_NETLINK;
		failed = seccomp_rule_add(filter,
			is_ours ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), call, 1,
			SCMP_A0(SCMP_CMP_EQ, family, 0));
	}
	return failed;
}

static int rule(scmp_filter_ctx filter, int call, const char *name)
{
	if (is_refused(name))
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
	if (strcmp(name, "clone") == 0)
		return rule_clone(filter, call);
	/* its flags are in memory, where a filter does not see them: the C library then uses the
	 * other one */
	if (strcmp(name, "clone3") == 0)
		return 0;
	if (strcmp(name, "socket") == 0)
		return rule_socket(filter, call);
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int rule_all(scmp_filter_ctx filter)
{
	int failed = 0;
	for (int call = 0; !failed && call < CALLS_MAX; call++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
		if (name)
			failed = rule(filter, call, name);
		free(name);
	}
	return failed;
}

/* Calls of another architecture (i386, x32) are refused too. What old kernels do against speculation at
 * every switch is for code that is not ours; there is none. */
static int settle(scmp_filter_ctx filter)
{
	int failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	if (!failed)
		failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1); /* not every kernel has it */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return failed;
}

enum err confine(struct fault *why)
{
	scmp_filter_ctx filter = NULL;
	int failed = -ENOSYS;
	if (SCMP_SYS(getpid) >= 0 && SCMP_SYS(getpid) < CALLS_MAX)
		filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (filter)
		failed = settle(filter);
	if (!failed)
		failed = rule_all(filter);
	if (!failed)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	if (!failed)
		return OK;
	return fault_set(why, ERR_UNSUPPORTED,
		"the kernel takes no system call filter (%s), so a broker that is taken over could "
		"start programs and look into others",
		strerror(-failed));
}

#else

enum err confine(struct fault *why)
{
	return fault_set(why, ERR_UNSUPPORTED,
		"this build is for a sanitizer or valgrind, which do what a broker must not");
}

#endif
