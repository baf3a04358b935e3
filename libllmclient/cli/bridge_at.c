/* bridge_at.c - the kernel's table says whose a listening socket is: a port is anybody's who is first. */
#include "libllmclient/cli/bridge_at.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/base/num.h"

#define WAIT_MS   2000 /* for all of it; one that is started by its socket takes a moment */
#define LISTENING 0x0au

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* "127.0.0.1:8411", "[::1]:8411", "localhost:8411". The port; 0: it is no address of this host. */
static in_port_t read_tcp(struct span text, union address *out)
{
	char host[64];
	int64_t port = 0;
	const bool is_v6 = text.n > 0 && text.p[0] == '[';
	const size_t end = span_index(text, is_v6 ? ']' : ':');
	struct span name = span_first(span_skip(text, is_v6), end - (is_v6 && end > 0));
	const struct span rest = span_skip(text, is_v6 ? end + 1 : end);
	if (span_is(name, "localhost"))
		name = SPAN("127.0.0.1");
	*out = (union address){.any = {.sa_family = AF_UNSPEC}};
	if (name.n >= sizeof host || rest.n < 2 || rest.p[0] != ':' ||
		!num_i64(span_skip(rest, 1), &port) || port < 1 || port > 65535)
		return 0;
	memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	if (is_v6 && inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1 &&
		IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr)) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons((uint16_t)port);
		return htons((uint16_t)port);
	}
	if (is_v6 || inet_pton(AF_INET, host, &out->v4.sin_addr) != 1 ||
		ntohl(out->v4.sin_addr.s_addr) >> 24 != 127)
		return 0;
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons((uint16_t)port);
	return htons((uint16_t)port);
}

bool bridge_at_add(struct bridge_at *at, struct span address)
{
	union address unused;
	if (span_starts(address, SPAN("unix:"))) {
		const struct span path = span_skip(address, 5);
		if (path.n == 0 || path.n >= sizeof at->socket || path.p[0] != '/')
			return false;
		(void)snprintf(at->socket, sizeof at->socket, "%.*s", SPAN_ARG(path));
		return true;
	}
	if (span_starts(address, SPAN("http://")))
		address = span_skip(address, 7);
	while (address.n > 0 && address.p[address.n - 1] == '/')
		address.n--;
	if (!read_tcp(address, &unused) || address.n + 8 > sizeof at->base)
		return false;
	(void)snprintf(at->base, sizeof at->base, "http://%.*s", SPAN_ARG(address));
	return true;
}

void bridge_at_usual(struct bridge_at *at)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[sizeof at->socket + 8];
	*at = (struct bridge_at){.base = ""};
	(void)bridge_at_add(at, SPAN(BRIDGE_USUAL));
	if (!runtime || runtime[0] != '/')
		return;
	const int n = snprintf(path, sizeof path, "unix:%s/llm-broker/http", runtime);
	if (n > 0 && (size_t)n < sizeof path)
		(void)bridge_at_add(at, span_str(path));
	if (!bridge_at_has_socket(at))
		at->socket[0] = '\0';
}

/* ---- whose it is ---- */

/* A line of the table: "sl local:port remote:port state tx:rx tr:when retrnsmt uid ...". */
static bool is_foreign_in(const char *table, in_port_t port)
{
	char line[512];
	bool is_foreign = false;
	FILE *f = fopen(table, "re");
	if (!f)
		return false;
	while (!is_foreign && fgets(line, sizeof line, f)) {
		unsigned local, state, uid;
		if (sscanf(line,
			    " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %u",
			    &local, &state, &uid) == 3 &&
			local == ntohs(port) && state == LISTENING)
			is_foreign = uid != geteuid() && uid != 0;
	}
	fclose(f);
	return is_foreign;
}

static bool is_socket_foreign(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && st.st_uid != geteuid() && st.st_uid != 0;
}

/* ---- what it says ---- */

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_ready(int fd, short events, int64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;
	do {
		const int64_t left_ms = until_ms - now_ms();
		n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool reach(int fd, const union address *to, socklen_t size, int64_t until_ms)
{
	int failed = 0;
	socklen_t n = sizeof failed;
	if (connect(fd, &to->any, size) == 0)
		return true;
	return errno == EINPROGRESS && is_ready(fd, POLLOUT, until_ms) &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) == 0 && failed == 0;
}

static enum bridge_seen ask(int fd, int64_t until_ms)
{
	static const char question[] =
		"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	char answer[2048] = "";
	size_t n = 0;
	ssize_t got;
	if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) != (ssize_t)sizeof question - 1)
		return BRIDGE_NONE;
	while (n < sizeof answer - 1 && is_ready(fd, POLLIN, until_ms)) {
		got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	answer[n] = '\0';
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || !strstr(answer, "llm-broker"))
		return BRIDGE_NONE;
	return strncmp(answer + 9, "200", 3) == 0 ? BRIDGE_SERVES : BRIDGE_REFUSING;
}

static enum bridge_seen look(const union address *to, socklen_t size)
{
	const int64_t until_ms = now_ms() + WAIT_MS;
	const int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum bridge_seen seen = BRIDGE_NONE;
	if (fd >= 0 && reach(fd, to, size, until_ms))
		seen = ask(fd, until_ms);
	if (fd >= 0)
		close(fd);
	return seen;
}

static enum bridge_seen look_at_socket(const char *path)
{
	union address to = {.local = {.sun_family = AF_UNIX}};
	if (path[0] == '\0')
		return BRIDGE_NONE;
	memcpy(to.local.sun_path, path, strlen(path) + 1);
	if (is_socket_foreign(path))
		return BRIDGE_FOREIGN;
	return look(&to, sizeof to.local);
}

bool bridge_at_has_socket(const struct bridge_at *at)
{
	return look_at_socket(at->socket) == BRIDGE_SERVES;
}

enum bridge_seen bridge_at_look(const struct bridge_at *at)
{
	union address to;
	if (at->base[0] == '\0')
		return look_at_socket(at->socket);
	const in_port_t port = read_tcp(span_skip(span_str(at->base), 7), &to);
	if (is_foreign_in("/proc/net/tcp", port) || is_foreign_in("/proc/net/tcp6", port))
		return BRIDGE_FOREIGN;
	return look(&to, to.any.sa_family == AF_INET ? sizeof to.v4 : sizeof to.v6);
}
