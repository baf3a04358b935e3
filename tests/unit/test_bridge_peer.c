/* test_bridge_peer.c - is it known whose the other end is, by each way to ask, and that nobody's is not root's? */
#include "libllmclient/bridge/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tap.h"

struct pair {
	int ours, theirs;
};

enum end { V4, V6, MAPPED }; /* one of version 6, at an address of version 4 */

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t name_of(enum end end, in_port_t port, union name *to)
{
	*to = (union name){.any = {.sa_family = end == V4 ? AF_INET : AF_INET6}};
	if (end == V4) {
		to->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to->v4.sin_port = port;
		return sizeof to->v4;
	}
	to->v6.sin6_addr = in6addr_loopback;
	to->v6.sin6_port = port;
	if (end == MAPPED)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &to->v6.sin6_addr);
	return sizeof to->v6;
}

static int socket_of(enum end end)
{
	const int fd = socket(end == V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && end == MAPPED)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
	return fd;
}

/* Two ends of a connection on loopback; false: there is none of that kind here. */
static bool join(enum end ours, enum end theirs, struct pair *p)
{
	union name name;
	socklen_t size = name_of(ours, 0, &name);
	const int listener = socket_of(ours);
	p->theirs = socket_of(theirs);
	if (listener < 0 || p->theirs < 0 || bind(listener, &name.any, size) != 0 ||
		listen(listener, 1) != 0 || getsockname(listener, &name.any, &size) != 0)
		return false;
	size = name_of(theirs, ours == V4 ? name.v4.sin_port : name.v6.sin6_port, &name);
	if (connect(p->theirs, &name.any, size) != 0)
		return false;
	p->ours = accept(listener, NULL, NULL);
	close(listener);
	return p->ours >= 0;
}

static void is_ours(int kernel, int fd, const char *how)
{
	struct fault why = FAULT_NONE;
	uid_t uid = (uid_t)-2;
	is_err(peer_uid(kernel, fd, &uid, &why), OK, "%s: it is known", how);
	is_uint((uint64_t)uid, (uint64_t)geteuid(), "%s: whose", how);
}

static void is_nobodys(int kernel, int fd, const char *how)
{
	struct fault why = FAULT_NONE;
	uid_t uid = (uid_t)-2;
	is_err(peer_uid(kernel, fd, &uid, &why), ERR_DENIED, "%s: whoever is gone is nobody", how);
	ok(why.message[0] != '\0', "%s: and that is told", how);
}

static void by_tcp(int kernel, enum end ours, enum end theirs, const char *how)
{
	struct pair p;
	if (!join(ours, theirs, &p)) {
		skip("%s: there is no such loopback here", how);
		return;
	}
	is_ours(kernel, p.ours, how);
	(void)shutdown(p.theirs, SHUT_WR);
	is_ours(kernel, p.ours, how); /* it still reads */
	close(p.theirs);
	is_nobodys(kernel, p.ours, how);
	close(p.ours);
}

static const struct {
	const char *name;
	enum end ours, theirs;
} kinds[] = {
	{"version 4",                   V4,     V4    },
	{"version 6",                   V6,     V6    },
	{"a client of both versions",   V4,     MAPPED},
	{"a listener of both versions", MAPPED, V4    },
	{"both of both versions",       MAPPED, MAPPED},
};

int main(void)
{
	const int kernel = peer_open();
	int both[2];
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		char by_table[80];
		(void)snprintf(by_table, sizeof by_table, "%s, by the table", kinds[i].name);
		by_tcp(kernel, kinds[i].ours, kinds[i].theirs, kinds[i].name);
		by_tcp(-1, kinds[i].ours, kinds[i].theirs, by_table);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
		bail("no pair of sockets");
	is_ours(kernel, both[0], "a Unix socket");
	close(both[0]);
	close(both[1]);
	if (kernel >= 0)
		close(kernel);
	return tap_done();
}
