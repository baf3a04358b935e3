/* listeners.c - each is accepted from until nobody waits, or there is no room. */
#include "libllmclient/bridge/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libllmclient/bridge/peer.h"
#include "protocol/base/num.h"

#define FIRST_FD   3 /* of those that are handed over */
#define AT_ONCE    64
#define PAUSE_S    0.2 /* while there is no room, or no descriptor */
#define USUAL_PORT 8411

struct listener {
	struct listeners *all;
	struct ev_io io;
	char where[160];                                      /* for people */
	char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* of our own; "" none */
	dev_t device;
	ino_t inode;
	bool is_local_socket;
};

struct listeners {
	struct ev_loop *loop;
	struct server *server;
	int kernel; /* by which it is asked whose a connection is */
	struct listener list[LISTENERS_MAX];
	size_t n;
	bool is_handed; /* some of them */
	struct ev_timer pause;
};

/* ---- who comes ---- */

static void stop_all(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		ev_io_stop(l->loop, &l->list[i].io);
}

static void on_pause_over(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct listeners *l = container_of(t, struct listeners, pause);
	(void)events;
	for (size_t i = 0; i < l->n; i++)
		ev_io_start(loop, &l->list[i].io);
}

/* There is no room for who waits, or no descriptor. */
static void pause_all(struct listeners *l)
{
	server_make_room(l->server);
	stop_all(l);
	ev_timer_stop(l->loop, &l->pause);
	ev_timer_set(&l->pause, PAUSE_S, 0);
	ev_timer_start(l->loop, &l->pause);
}

/* Only its own user's programs, and root's, which may read all that he has anyway. */
static void admit(const struct listener *n, int fd, struct caller *who)
{
	uid_t uid = (uid_t)-1;
	*who = (struct caller){
		.is_local_socket = n->is_local_socket, .process = -1, .refused = FAULT_NONE};
	if (peer_uid(n->all->kernel, fd, &uid, &who->refused) == OK && uid != geteuid() && uid != 0)
		fault_set(&who->refused, ERR_DENIED,
			"this is the bridge of user %u, and you are user %u: start one of your own "
			"by "
			"`llm-broker-bridge --listen 127.0.0.1:PORT`",
			(unsigned)geteuid(), (unsigned)uid);
	const bool is_asked_now = n->is_local_socket && who->refused.err == OK && !peer_is_kept();
	if (is_asked_now && peer_process(fd, &who->process, &who->refused) != OK)
		who->process = -1; /* which is why it is refused */
}

static void on_accept(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct listener *n = container_of(w, struct listener, io);
	(void)loop;
	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		struct caller who;
		if (!server_has_room(n->all->server)) {
			pause_all(n->all);
			return;
		}
		const int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 &&
			(errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
			pause_all(n->all);
		if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return;
		if (fd < 0)
			continue;
		if (!n->is_local_socket)
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		admit(n, fd, &who);
		server_add(n->all->server, fd, &who);
	}
}

/* ---- where ---- */

/* As it is for people: with the port that the kernel chose, where it was to choose one. */
static void describe(struct listener *n, const struct sockaddr_storage *name, const char *where)
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const void *)name;
	const struct sockaddr_in6 *v6 = (const void *)name;
	if (name->ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host))
		(void)snprintf(n->where, sizeof n->where, "%s:%u", host, ntohs(v4->sin_port));
	else if (name->ss_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host))
		(void)snprintf(n->where, sizeof n->where, "[%s]:%u", host, ntohs(v6->sin6_port));
	else
		(void)snprintf(n->where, sizeof n->where, "%s", where);
}

static enum err take_listener(
	struct listeners *l, int fd, const char *where, const char *path, struct fault *why)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof name, one = sizeof(int);
	int is_listening = 0;
	struct stat st;
	if (l->n == LISTENERS_MAX) {
		close(fd);
		return fault_set(why, ERR_INVALID_ARGUMENT, "at most %d addresses", LISTENERS_MAX);
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &one) != 0 || !is_listening ||
		getsockname(fd, (struct sockaddr *)&name, &size) != 0) {
		close(fd);
		return fault_set(why, ERR_IO, "%s is no socket that listens", where);
	}
	struct listener *n = &l->list[l->n++];
	*n = (struct listener){.all = l};
	n->is_local_socket = name.ss_family == AF_UNIX;
	describe(n, &name, where);
	if (path && stat(path, &st) == 0) {
		(void)snprintf(n->path, sizeof n->path, "%s", path);
		n->device = st.st_dev;
		n->inode = st.st_ino;
	}
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	ev_io_init(&n->io, on_accept, fd, EV_READ);
	ev_io_start(l->loop, &n->io);
	return OK;
}

static enum err listen_at(struct listeners *l, int fd, const struct sockaddr *name, socklen_t size,
	const char *where, const char *path, struct fault *why)
{
	if (fd < 0)
		return fault_set(why, ERR_IO, "%s: %s", where, strerror(errno));
	if (bind(fd, name, size) == 0 && listen(fd, SOMAXCONN) == 0)
		return take_listener(l, fd, where, path, why);
	const int failed = errno;
	close(fd);
	return fault_set(why, ERR_IO, "%s: %s%s", where, strerror(failed),
		failed == EADDRINUSE ? " (is another llm-broker-bridge running? --listen takes "
				       "another address)"
				     : "");
}

/* What a former one left behind goes, unless somebody answers there. */
static enum err clear_path(const struct sockaddr_un *name, struct fault *why)
{
	struct stat st;
	if (lstat(name->sun_path, &st) != 0)
		return OK;
	if (!S_ISSOCK(st.st_mode))
		return fault_set(
			why, ERR_IO, "unix:%s: there is a file of that name", name->sun_path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool is_used =
		fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0;
	if (fd >= 0)
		close(fd);
	if (is_used)
		return fault_set(
			why, ERR_IO, "unix:%s: another program listens there", name->sun_path);
	(void)unlink(name->sun_path);
	return OK;
}

static enum err listen_unix(struct listeners *l, struct span path, struct fault *why)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char where[sizeof name.sun_path + 8];
	if (path.n == 0 || path.n >= sizeof name.sun_path)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"unix:%.*s: the path of a socket has 1 to %zu bytes", SPAN_ARG(path),
			sizeof name.sun_path - 1);
	memcpy(name.sun_path, path.p, path.n);
	(void)snprintf(where, sizeof where, "unix:%s", name.sun_path);
	if (clear_path(&name, why))
		return why->err;
	const mode_t mask = umask(0177); /* its user's alone, from the first moment on */
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const enum err err = listen_at(
		l, fd, (const struct sockaddr *)&name, sizeof name, where, name.sun_path, why);
	umask(mask);
	return err;
}

/* "127.0.0.1:8411", "[::1]:8411" */
static enum err listen_tcp(struct listeners *l, struct span address, struct fault *why)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = {.any = {.sa_family = AF_UNSPEC}};
	char host[64], where[80];
	int64_t port = -1;
	const bool is_v6 = address.n > 0 && address.p[0] == '[';
	const size_t end = is_v6 ? span_index(address, ']') : span_index(address, ':');
	const struct span name_of =
		is_v6 ? span_skip(span_first(address, end), 1) : span_first(address, end);
	struct span rest = span_skip(address, is_v6 ? end + 1 : end);
	(void)snprintf(where, sizeof where, "%.*s", SPAN_ARG(address));
	(void)snprintf(host, sizeof host, "%.*s", SPAN_ARG(name_of));
	if (rest.n < 2 || rest.p[0] != ':' || !num_i64(span_skip(rest, 1), &port) || port < 0 ||
		port > 65535)
		port = -1;
	if (is_v6 && inet_pton(AF_INET6, host, &name.v6.sin6_addr) == 1)
		name.v6.sin6_family = AF_INET6;
	else if (!is_v6 && inet_pton(AF_INET, host, &name.v4.sin_addr) == 1)
		name.v4.sin_family = AF_INET;
	if (port < 0 || name.any.sa_family == AF_UNSPEC)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s is no address: 127.0.0.1:8411, [::1]:8411 and unix:/run/x are", where);
	const bool is_loopback = is_v6 ? IN6_IS_ADDR_LOOPBACK(&name.v6.sin6_addr)
				       : ntohl(name.v4.sin_addr.s_addr) >> 24 == 127;
	if (!is_loopback)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s can be reached from elsewhere, and nobody there can be told apart: "
			"listen at "
			"127.0.0.1 or [::1]",
			where);
	if (is_v6)
		name.v6.sin6_port = htons((uint16_t)port);
	else
		name.v4.sin_port = htons((uint16_t)port);
	const int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	return listen_at(
		l, fd, &name.any, is_v6 ? sizeof name.v6 : sizeof name.v4, where, NULL, why);
}

static enum err listen_one(struct listeners *l, const char *address, struct fault *why)
{
	const struct span a = span_str(address);
	return span_starts(a, SPAN("unix:")) ? listen_unix(l, span_skip(a, 5), why)
					     : listen_tcp(l, a, why);
}

/* Those that a service manager opened. Returns how many. */
static int64_t take_handed(struct listeners *l, struct fault *why)
{
	int64_t n = 0, pid = 0;
	char where[32];
	const char *fds = getenv("LISTEN_FDS"), *whose = getenv("LISTEN_PID");
	if (!fds || !whose || !num_i64(span_str(whose), &pid) || pid != getpid() ||
		!num_i64(span_str(fds), &n) || n < 1)
		n = 0;
	for (int64_t i = 0; i < n && !why->err; i++) {
		const int fd = FIRST_FD + (int)i;
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)snprintf(where, sizeof where, "descriptor %d", fd);
		(void)take_listener(l, fd, where, NULL, why);
	}
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	l->is_handed = n > 0;
	return n;
}

static void listen_usual(struct listeners *l, struct fault *why)
{
	struct fault unwanted = FAULT_NONE;
	char text[64], path[256];
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	(void)snprintf(text, sizeof text, "127.0.0.1:%d", USUAL_PORT);
	if (listen_one(l, text, why))
		return;
	(void)snprintf(text, sizeof text, "[::1]:%d", USUAL_PORT);
	(void)listen_one(l, text, &unwanted); /* not every host has it */
	if (!runtime || runtime[0] != '/')
		return;
	(void)snprintf(path, sizeof path, "%s/llm-broker", runtime);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof path, "unix:%s/llm-broker/http", runtime);
	(void)listen_one(l, path, why);
}

struct listeners *listeners_open(struct ev_loop *loop, struct server *s,
	const char *const *addresses, size_t n, struct fault *why)
{
	struct listeners *l = calloc(1, sizeof *l);
	if (!l) {
		fault_set(why, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	l->loop = loop;
	l->server = s;
	l->kernel = peer_open();
	ev_timer_init(&l->pause, on_pause_over, 0, 0);
	for (size_t i = 0; i < n && !why->err; i++)
		(void)listen_one(l, addresses[i], why);
	if (take_handed(l, why) == 0 && n == 0 && !why->err)
		listen_usual(l, why);
	if (!why->err)
		return l;
	listeners_close(l);
	return NULL;
}

bool listeners_are_handed(const struct listeners *l)
{
	return l->is_handed;
}

void listeners_describe(const struct listeners *l, struct buf *to)
{
	for (size_t i = 0; i < l->n; i++)
		buf_print(to, "%s\n", l->list[i].where);
}

void listeners_close(struct listeners *l)
{
	struct stat st;
	if (!l)
		return;
	ev_timer_stop(l->loop, &l->pause);
	stop_all(l);
	for (size_t i = 0; i < l->n; i++) {
		const struct listener *n = &l->list[i];
		if (n->path[0] && lstat(n->path, &st) == 0 && st.st_dev == n->device &&
			st.st_ino == n->inode)
			(void)unlink(n->path);
		close(n->io.fd);
	}
	if (l->kernel >= 0)
		close(l->kernel);
	free(l);
}
