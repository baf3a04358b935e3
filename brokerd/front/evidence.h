/* evidence.h - what does the kernel say of the process at the other end of this connection?
 * Facts, gathered once at accept and judged by peer.c. What could not be read is told apart from what is
 * not there. All reads are of /proc or of the socket, but for one small file that is opened only where it
 * cannot keep us waiting. Nothing is believed of a process that was gone before all was read. */
#ifndef BROKERD_FRONT_EVIDENCE_H
#define BROKERD_FRONT_EVIDENCE_H
#include <sys/types.h>

#include "brokerd/front/closer.h"
#include "protocol/base/owned.h"
#include "protocol/base/span.h"

enum seen {
	SEEN_NOT, /* it was not looked at, or cannot be read */
	SEEN_SAME,
	SEEN_OTHER,
};

enum flatpak_file {
	FLATPAK_UNREAD, /* not looked at, or on a file system that could keep us waiting */
	FLATPAK_NONE,
	FLATPAK_SOUND,
	FLATPAK_BAD, /* no regular file, too long, or without a name */
};

struct evidence {
	bool has_creds; /* the three below */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char label[256]; /* of the security module; "" none */

	bool is_proved; /* the kernel had a handle of it, or it has the other end; else its pid may be another's */
	bool is_our_user; /* so that whatever cannot be read is hidden from us */

	bool has_process; /* all below is of the process that connected (or has its pid: is_proved), which lived until
			   * the end of it */
	enum seen user_ns, mount_ns, pid_ns; /* against our own */
	enum seen root;                      /* is its root folder that of its namespace? */
	enum seen uid_map;                   /* does it map all users to themselves? */
	enum seen root_mount; /* is what it has there mounted as for the first process? */
	bool is_nested;       /* it has a pid in a namespace below ours */
	int64_t n_filters;    /* of system calls; INT64_MAX: some */
	bool has_filter;      /* more of them than the first process has */
	char program[64];     /* the executable's file name; "" unknown */
	char cgroup[512];     /* its path; "" unknown */
	char unit[64]; /* the last of its whole path that is a service's or a scope's; "" none */
	char project
		[128]; /* the repository that it works in, where its mounts are ours; "" unknown */
	bool is_in_system; /* the whole path is one of the system's own slice */
	enum flatpak_file flatpak;
	char flatpak_id[256],
		flatpak_instance[64]; /* its own word; its scope's name, in the cgroup, is not */
};

/* Never fails: what cannot be known is left unknown. Where all is there but the proof: a handle of that process, open
 * since before it was looked at, which the caller closes (doubt.h); else -1. */
int evidence_gather(int fd, struct evidence *out);
bool evidence_is_alive(int process);

enum look {
	LOOK_SEEN,
	LOOK_NO_PROCESS, /* the descriptor is none of a process */
	LOOK_GONE,       /* it has ended, or is in none of the namespaces that we see */
};
/* The same of a process that somebody has passed a handle of (a pidfd), instead of who has the other end: proved by
 * that, or not seen at all. Only then *out is set. Its uid is the effective one. */
enum look evidence_of_process(int process, struct evidence *out) MUST_USE;

/* Who sent bytes, where the kernel was asked to say so, and can; pid 0: it does not. */
struct sender {
	pid_t pid;
	uid_t uid;
};
/* From now on the kernel puts senders' names to what they send, and does not give bytes of two at once. False: it does
 * not. */
bool evidence_ask_senders(int fd);

/* What came with bytes: descriptors. */
#define PASSED_FDS 2
struct passed {
	int fds[PASSED_FDS];
	size_t n;
	struct sender sender;
};
void passed_close(struct passed *p, struct closer *closer);
/* Reads like recv. More descriptors than there is room for are closed, all of them. */
ssize_t evidence_recv(int fd, void *to, size_t n, struct passed *out, struct closer *closer);
/* No descriptor is wanted from there, says the kernel to whoever sends one, where it can (Linux 6.16). What is
 * accepted of a listening one is born like that. */
void evidence_refuse_fds(int fd);
void evidence_want_fds(int fd);
/* Of one that was accepted: has none come, from its first byte on, and will none? Otherwise whatever is read of it
 * without room for descriptors, and its last close, may wait as long as somebody likes (closer.h). */
bool evidence_is_without_fds(int fd);

/* The parts of it that are pure, for tests and for fuzzing. */

/* From the text of .flatpak-info. False: it has no sound name. */
bool evidence_read_flatpak(struct span text, struct evidence *out);
/* The path in the unified hierarchy, or that of systemd's own. */
void evidence_read_cgroup(struct span text, struct evidence *out);
/* Its pids, its filters, and the effective user. */
void evidence_read_status(struct span text, struct evidence *out, uid_t *uid);
/* Of the text of mountinfo: the number of the mount at "/" (a later one over it wins; 0: none), and the type
 * of the file system of a mount (absent: there is none of that number). */
int64_t evidence_root_mount(struct span text);
struct span evidence_mount_type(struct span text, int64_t number);
/* Is that type one of those that cannot keep us waiting, as one that a program of the caller's serves can? */
bool evidence_is_plain(struct span type);
/* The last name in a cgroup's path that is a service's or a scope's. */
void evidence_read_unit(struct span cgroup, struct evidence *out);

#endif
