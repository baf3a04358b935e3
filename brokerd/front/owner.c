/* owner.c - the kernel's diagnosis of sockets has the peer's inode, and /proc those that a process has open. */
#include "brokerd/front/owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_MAX_LOOKED 4096 /* descriptors of one process: a look at each is a system call */

/* ---- the peer ---- */

struct question {
	struct nlmsghdr head;
	struct unix_diag_req body;
};

static bool ask(int diag, uint32_t inode)
{
	struct question q = {
		.head = {.nlmsg_len = sizeof q,
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST            },
		.body = { .sdiag_family = AF_UNIX,
			 .udiag_states = UINT32_MAX,
			 .udiag_ino = inode,
			 .udiag_show = UDIAG_SHOW_PEER,
			 .udiag_cookie = {UINT32_MAX, UINT32_MAX}}
        };
	return send(diag, &q, sizeof q, MSG_DONTWAIT) == (ssize_t)sizeof q;
}

/* Of the one reply, which is there when the question has been sent: the kernel answers within that. 0: none. */
static uint32_t read_reply(int diag, uint32_t inode)
{
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} reply;
	const ssize_t n = recv(diag, &reply, sizeof reply, MSG_DONTWAIT);
	const struct unix_diag_msg *m = NLMSG_DATA(&reply.head);
	if (n < 0 || !NLMSG_OK(&reply.head, (size_t)n) ||
		reply.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		reply.head.nlmsg_len < NLMSG_LENGTH(sizeof *m) || m->udiag_ino != inode)
		return 0;
	size_t left = reply.head.nlmsg_len - NLMSG_LENGTH(sizeof *m);
	const char *at = (const char *)(m + 1);
	while (left >= sizeof(struct rtattr)) {
		struct rtattr a;
		uint32_t peer;
		memcpy(&a, at, sizeof a);
		if (a.rta_len < sizeof a || a.rta_len > left)
			return 0;
		if (a.rta_type == UNIX_DIAG_PEER && a.rta_len >= RTA_LENGTH(sizeof peer)) {
			memcpy(&peer, at + RTA_LENGTH(0), sizeof peer);
			return peer;
		}
		const size_t whole = RTA_ALIGN((size_t)a.rta_len);
		if (whole > left)
			return 0;
		at += whole;
		left -= whole;
	}
	return 0;
}

/* The inode of the socket at the other end; 0: it is not known. */
static uint32_t peer_inode(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return 0;
	const int diag =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (diag < 0)
		return 0;
	const uint32_t inode = (uint32_t)st.st_ino;
	const uint32_t peer = ask(diag, inode) ? read_reply(diag, inode) : 0;
	close(diag);
	return peer;
}

/* ---- who has it ---- */

static enum seen look_for(DIR *folder, const char *wanted)
{
	const struct dirent *entry;
	for (int i = 0; i < OPEN_MAX_LOOKED; i++) {
		char what[64];
		entry = readdir(folder);
		if (!entry)
			return SEEN_OTHER;
		if (entry->d_name[0] == '.')
			continue;
		const ssize_t n = readlinkat(dirfd(folder), entry->d_name, what, sizeof what - 1);
		if (n < 0 && errno != ENOENT) /* which was closed meanwhile */
			return SEEN_NOT;
		what[n > 0 ? n : 0] = '\0';
		if (strcmp(what, wanted) == 0)
			return SEEN_SAME;
	}
	return SEEN_NOT;
}

enum seen owner_of_peer(int process, int fd)
{
	char wanted[32];
	const uint32_t peer = peer_inode(fd);
	const int opened =
		peer == 0 ? -1 : openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = opened < 0 ? NULL : fdopendir(opened);
	if (!folder) {
		if (opened >= 0)
			close(opened);
		return SEEN_NOT;
	}
	(void)snprintf(wanted, sizeof wanted, "socket:[%u]", (unsigned)peer);
	const enum seen found = look_for(folder, wanted);
	closedir(folder);
	return found;
}
