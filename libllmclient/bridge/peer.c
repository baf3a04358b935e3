/* peer.c - sock_diag is asked for exactly one socket: the other end's. Where that is not allowed (a sandbox without netlink),
 * /proc/net/tcp is read. An end without an inode is one that its owner has left: the kernel says 0 for its uid. */
#include "libllmclient/bridge/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Both ends, as the other end has them: its own address first. */
struct ends {
	int family;
	struct in6_addr theirs, ours; /* of version 4 the first four bytes */
	in_port_t their_port, our_port;
};

/* A socket of version 6 may be at an end of version 4 (::ffff:127.0.0.1): to the kernel that is one of version 4. */
static bool is_v4(const struct sockaddr_storage *name)
{
	const struct sockaddr_in6 *in6 = (const void *)name;
	return name->ss_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
}

static void put_end(const struct sockaddr_storage *name, struct in6_addr *to, in_port_t *port)
{
	const struct sockaddr_in *in = (const void *)name;
	const struct sockaddr_in6 *in6 = (const void *)name;
	*port = name->ss_family == AF_INET ? in->sin_port : in6->sin6_port;
	if (name->ss_family == AF_INET)
		memcpy(to, &in->sin_addr, sizeof in->sin_addr);
	else if (is_v4(name))
		memcpy(to, &in6->sin6_addr.s6_addr[12], sizeof in->sin_addr);
	else
		*to = in6->sin6_addr;
}

/* The same ends, as a socket of version 6 has them. */
static struct ends mapped(const struct ends *v4)
{
	struct ends e = {
		.family = AF_INET6, .their_port = v4->their_port, .our_port = v4->our_port};
	e.theirs.s6_addr32[2] = e.ours.s6_addr32[2] = htonl(0xffff);
	e.theirs.s6_addr32[3] = v4->theirs.s6_addr32[0];
	e.ours.s6_addr32[3] = v4->ours.s6_addr32[0];
	return e;
}

static bool is_loopback(const struct ends *e)
{
	return e->family == AF_INET ? e->theirs.s6_addr[0] == 127
				    : IN6_IS_ADDR_LOOPBACK(&e->theirs);
}

enum told { TOLD, NOBODY, NOTHING }; /* nobody's: its owner has left it; or nothing is said here */

static enum told ask_kernel(int kernel, const struct ends *e, uid_t *out)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 ask;
	} q = {
		.head = {.nlmsg_len = sizeof q,
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST                                    },
		.ask = { .sdiag_family = (uint8_t)e->family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = ~0u,
			 .id = {.idiag_sport = e->their_port,
				.idiag_dport = e->our_port,
				.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}
        };
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	memcpy(q.ask.id.idiag_src, &e->theirs, sizeof e->theirs);
	memcpy(q.ask.id.idiag_dst, &e->ours, sizeof e->ours);
	/* it answers before send returns; an answer that somebody did not wait for is nobody's */
	while (recv(kernel, &answer, sizeof answer, MSG_DONTWAIT) >= 0)
		;
	if (send(kernel, &q, sizeof q, MSG_DONTWAIT) != (ssize_t)sizeof q)
		return NOTHING;
	const ssize_t n = recv(kernel, &answer, sizeof answer, MSG_DONTWAIT);
	if (n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
		answer.head.nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *no = NLMSG_DATA(&answer.head);
		return no->error == -ENOENT ? NOBODY : NOTHING;
	}
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ||
		answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return NOTHING;
	const struct inet_diag_msg *m = NLMSG_DATA(&answer.head);
	*out = m->idiag_uid;
	return m->idiag_inode ? TOLD : NOBODY;
}

/* A line of the table of a family's sockets: "sl local:port remote:port st ... uid". */
static enum told read_table(const struct ends *e, uid_t *out)
{
	const size_t words = e->family == AF_INET ? 1 : 4;
	char line[512], want[128];
	size_t at = 0;
	enum told found = NOBODY;
	FILE *table = fopen(words == 1 ? "/proc/net/tcp" : "/proc/net/tcp6", "re");
	if (!table)
		return NOTHING;
	for (size_t i = 0; i < words; i++)
		at += (size_t)snprintf(
			want + at, sizeof want - at, "%08" PRIX32, e->theirs.s6_addr32[i]);
	at += (size_t)snprintf(want + at, sizeof want - at, ":%04X ", ntohs(e->their_port));
	for (size_t i = 0; i < words; i++)
		at += (size_t)snprintf(
			want + at, sizeof want - at, "%08" PRIX32, e->ours.s6_addr32[i]);
	(void)snprintf(want + at, sizeof want - at, ":%04X ", ntohs(e->our_port));
	while (found != TOLD && fgets(line, sizeof line, table)) {
		unsigned uid;
		unsigned long inode;
		const char *after = strstr(line, want);
		if (after &&
			sscanf(after + strlen(want), "%*x %*x:%*x %*x:%*x %*x %u %*d %lu", &uid,
				&inode) == 2 &&
			inode != 0) {
			*out = (uid_t)uid;
			found = TOLD;
		}
	}
	fclose(table);
	return found;
}

/* The other end may be a socket of either version. */
static enum told read_tables(const struct ends *e, uid_t *out)
{
	const enum told told = read_table(e, out);
	if (told == TOLD || e->family != AF_INET)
		return told;
	const struct ends v6 = mapped(e);
	return read_table(&v6, out) == TOLD ? TOLD : told;
}

int peer_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

static enum err tcp_uid(
	int kernel, int fd, const struct sockaddr_storage *theirs, uid_t *out, struct fault *why)
{
	struct sockaddr_storage ours;
	socklen_t n = sizeof ours;
	struct ends e = {.family = is_v4(theirs) ? AF_INET : AF_INET6};
	put_end(theirs, &e.theirs, &e.their_port);
	if (!is_loopback(&e))
		return fault_set(why, ERR_DENIED, "only programs of this host are served");
	if (getsockname(fd, (struct sockaddr *)&ours, &n) != 0)
		return fault_set(why, ERR_DENIED, "the connection is gone");
	put_end(&ours, &e.ours, &e.our_port);
	enum told told = ask_kernel(kernel, &e, out);
	if (told == NOTHING)
		told = read_tables(&e, out);
	if (told == TOLD)
		return OK;
	if (told == NOBODY)
		return fault_set(why, ERR_DENIED, "whoever asked this has left already");
	return fault_set(why, ERR_DENIED, "the kernel does not say whose program this is");
}

enum err peer_uid(int kernel, int fd, uid_t *out, struct fault *why)
{
	struct sockaddr_storage theirs;
	struct ucred who;
	socklen_t n = sizeof theirs, n_who = sizeof who;
	if (getpeername(fd, (struct sockaddr *)&theirs, &n) != 0)
		return fault_set(why, ERR_DENIED, "the connection is gone");
	if (theirs.ss_family == AF_INET || theirs.ss_family == AF_INET6)
		return tcp_uid(kernel, fd, &theirs, out, why);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n_who) != 0)
		return fault_set(why, ERR_DENIED, "the kernel does not say whose program this is");
	*out = who.uid;
	return OK;
}

/* ---- on a Unix socket ---- */

static int ask_process(int fd)
{
	int process = -1;
	socklen_t n = sizeof process;
	return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &n) == 0 ? process : -1;
}

bool peer_is_kept(void)
{
	static int is_kept = -1;
	int ends[2];
	if (is_kept >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return is_kept > 0;
	const int process = ask_process(ends[0]);
	is_kept = process >= 0;
	if (process >= 0)
		close(process);
	close(ends[0]);
	close(ends[1]);
	return is_kept;
}

enum err peer_process(int fd, int *out, struct fault *why)
{
	struct ucred who;
	socklen_t n = sizeof who;
	*out = ask_process(fd);
	if (*out < 0 && !peer_is_kept() && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
		who.pid > 0)
		*out = (int)syscall(SYS_pidfd_open, who.pid, 0);
	return *out >= 0 ? OK
			 : fault_set(why, ERR_DENIED,
				   "the program that made this connection has ended, so nobody can "
				   "say what it may: connect anew");
}
