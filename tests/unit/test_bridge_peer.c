/* test_bridge_peer.c - is it known whose the other end is, by each way to ask, and that nobody's is not root's? */
#include "libllmclient/bridge/peer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tap.h"

struct pair {
	int ours, theirs;
};

/* Two ends of a connection on loopback; false: there is none of that family here. */
static bool join(int family, struct pair *p)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = {.any = {.sa_family = (sa_family_t)family}};
	socklen_t size = family == AF_INET ? sizeof name.v4 : sizeof name.v6;
	const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (family == AF_INET)
		name.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		name.v6.sin6_addr = in6addr_loopback;
	p->theirs = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || p->theirs < 0 || bind(listener, &name.any, size) != 0 ||
		listen(listener, 1) != 0 || getsockname(listener, &name.any, &size) != 0 ||
		connect(p->theirs, &name.any, size) != 0)
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

static void by_tcp(int kernel, int family, const char *how)
{
	struct pair p;
	if (!join(family, &p)) {
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

int main(void)
{
	const int kernel = peer_open();
	int both[2];
	by_tcp(kernel, AF_INET, "version 4");
	by_tcp(kernel, AF_INET6, "version 6");
	by_tcp(-1, AF_INET, "version 4, by the table");
	by_tcp(-1, AF_INET6, "version 6, by the table");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
		bail("no pair of sockets");
	is_ours(kernel, both[0], "a Unix socket");
	close(both[0]);
	close(both[1]);
	if (kernel >= 0)
		close(kernel);
	return tap_done();
}
