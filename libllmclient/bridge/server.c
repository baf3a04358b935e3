/* server.c - libmicrohttpd has its own epoll, which the loop watches like any descriptor. Another epoll watches for callers
 * who hang up: libmicrohttpd does not look at a connection that is suspended, and most of them are. */
#include "libllmclient/bridge/server.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libllmclient/bridge/request.h"
#include "protocol/base/list.h"

#define HEAD_BYTES   ((size_t)64 * 1024) /* of a request, and of what libmicrohttpd needs beside it */
#define SILENT_S     60u /* between two pieces of a body, or of an answer that is not read */
#define GONE_S       1u  /* for what is still to be said to who hung up, or was hung up on */
#define REFUSED_MAX  64u /* who are told so, at one time; more are hung up on */
#define REFUSED_S    2u
#define GONE_AT_ONCE 64
#define SWEEP_S      5.0
#define SPARED_S     1.0 /* who is quiet for less is not let go to make room */
#define ROOM_AT_ONCE 64

struct conn {
	struct conn *prev, *next; /* of those that are quiet, the longest first; or of the others */
	struct server *server;
	struct caller who;
	struct MHD_Connection *http;
	int fd;
	struct request *request; /* from its first line on; NULL: none */
	double since;            /* quiet from then on */
	bool is_busy;            /* the head of its request is whole */
	bool is_gone;
};

struct server {
	struct bridge *bridge;
	struct MHD_Daemon *http;
	struct ev_loop *loop;
	struct ev_io io, gone_io;
	struct ev_timer timer, sweep;
	struct ev_prepare prepare;
	int gone_fd;
	struct conn *quiet, *busy;
	struct conn
		*being_added; /* while libmicrohttpd is given it, and has not said that it has it */
	unsigned n, n_refused; /* connections; and of those who may not ask */
	double empty_since;    /* the loop's time, where n is 0 */
	bool is_stirred, is_draining;
};

/* ---- on the loop ---- */

static void run(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;
	s->is_stirred = false;
	(void)MHD_run(s->http);
	ev_timer_stop(s->loop, &s->timer);
	if (MHD_get_timeout(s->http, &ms) != MHD_YES)
		return;
	ev_timer_set(&s->timer, (double)ms / 1e3, 0);
	ev_timer_start(s->loop, &s->timer);
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int events)
{
	(void)loop;
	(void)events;
	run(container_of(w, struct server, io));
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	run(container_of(w, struct server, timer));
}

/* Before the loop waits: what was resumed in this turn goes on. */
static void on_prepare(struct ev_loop *loop, struct ev_prepare *w, int events)
{
	struct server *s = container_of(w, struct server, prepare);
	(void)loop;
	(void)events;
	for (int i = 0; s->is_stirred && i < 16; i++)
		run(s);
}

static void stir(void *context)
{
	struct server *s = context;
	s->is_stirred = true;
}

/* ---- connections ---- */

static void conn_free(struct conn *c)
{
	if (c->who.process >= 0)
		close(c->who.process);
	free(c);
}

/* Libmicrohttpd reads again: it waits for an edge of its epoll, and where the end came with what it has read there is none. Never
 * from inside of it. */
static void nudge(struct conn *c)
{
	/* where it has no room left to read, it does not see the end at all */
	(void)MHD_set_connection_option(c->http, MHD_CONNECTION_OPTION_TIMEOUT, GONE_S);
	MHD_suspend_connection(c->http);
	MHD_resume_connection(c->http);
	stir(c->server);
}

static void hang_up(struct conn *c)
{
	c->is_gone = true;
	(void)shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd closes it */
	nudge(c);
}

static void on_gone(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct server *s = container_of(w, struct server, gone_io);
	struct epoll_event all[GONE_AT_ONCE];
	(void)loop;
	(void)events;
	const int n = epoll_wait(s->gone_fd, all, GONE_AT_ONCE, 0);
	for (int i = 0; i < n; i++) {
		struct conn *c = all[i].data.ptr;
		if (!c->is_gone && c->is_busy)
			request_gone(c->request);
		c->is_gone = true;
		nudge(c); /* what came before the end is still read */
	}
}

static void on_sweep(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct server *s = container_of(w, struct server, sweep);
	struct conn *c;
	(void)events;
	LIST_EACH(s->quiet, c) {
		if (ev_now(loop) - c->since < SERVER_QUIET_S)
			break;
		hang_up(c);
	}
	LIST_EACH(s->busy, c) {
		if (!request_is_late(c->request) && !request_is_in_the_way(c->request))
			continue;
		request_gone(c->request);
		hang_up(c);
	}
}

static struct conn *conn_of(struct MHD_Connection *http)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void set_busy(struct conn *c)
{
	LIST_REMOVE(c->server->quiet, c);
	LIST_PUSH(c->server->busy, c);
	c->is_busy = true;
}

static void set_quiet(struct conn *c)
{
	c->is_busy = false;
	c->since = ev_now(c->server->loop);
	LIST_PUSH(c->server->quiet, c);
}

static void forget(struct conn *c)
{
	if (--c->server->n == 0)
		c->server->empty_since = ev_now(c->server->loop);
	if (c->who.refused.err)
		c->server->n_refused--;
	conn_free(c);
}

/* libmicrohttpd has taken it, or lets it go. */
static void on_connection(void *context, struct MHD_Connection *http, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct server *s = context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		s->being_added->http = http;
		*socket_context = s->being_added;
		if (s->being_added->who.refused.err)
			(void)MHD_set_connection_option(
				http, MHD_CONNECTION_OPTION_TIMEOUT, REFUSED_S);
		s->being_added = NULL;
		return;
	}
	struct conn *c = *socket_context;
	if (!c)
		return;
	(void)epoll_ctl(s->gone_fd, EPOLL_CTL_DEL, c->fd, NULL);
	if (c->is_busy)
		LIST_REMOVE(s->busy, c);
	else
		LIST_REMOVE(s->quiet, c);
	forget(c);
	*socket_context = NULL;
}

bool server_has_room(const struct server *s)
{
	return s->n < SERVER_CONNECTIONS && !s->is_draining;
}

double server_empty_since(const struct server *s)
{
	return s->n == 0 ? s->empty_since : -1;
}

void server_make_room(struct server *s)
{
	struct conn *c;
	int n = 0;
	LIST_EACH(s->quiet, c) {
		if (n == ROOM_AT_ONCE || ev_now(s->loop) - c->since < SPARED_S)
			break;
		n++;
		if (!c->is_gone)
			hang_up(c);
	}
}

void server_add(struct server *s, int fd, const struct caller *who)
{
	const bool is_refused = who->refused.err != OK;
	struct conn *c = is_refused && s->n_refused == REFUSED_MAX ? NULL : calloc(1, sizeof *c);
	struct sockaddr_storage name = {.ss_family = AF_UNIX};
	socklen_t n = sizeof name;
	if (!c) {
		if (who->process >= 0)
			close(who->process);
		close(fd);
		return;
	}
	*c = (struct conn){.server = s, .who = *who, .fd = fd};
	struct epoll_event want = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};
	if (getpeername(fd, (struct sockaddr *)&name, &n) != 0 ||
		epoll_ctl(s->gone_fd, EPOLL_CTL_ADD, fd, &want) != 0) {
		close(fd);
		conn_free(c);
		return;
	}
	s->n++;
	s->n_refused += is_refused;
	set_quiet(c);
	s->being_added = c;
	/* newer ones (1.0) put it into a list first, which they look at when they run */
	if (MHD_add_connection(s->http, fd, (struct sockaddr *)&name, n) == MHD_YES && !c->http)
		run(s);
	if (s->being_added == c) { /* it has closed the descriptor */
		LIST_REMOVE(s->quiet, c);
		forget(c);
	}
	s->being_added = NULL;
	stir(s);
}

/* ---- requests ---- */

static void *on_target(void *context, const char *target, struct MHD_Connection *http)
{
	struct server *s = context;
	struct conn *c = conn_of(http);
	if (!c || c->request)
		return NULL;
	c->request = request_new(s->bridge, &c->who, target);
	return c->request;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *http, const char *url,
	const char *method, const char *version, const char *data, size_t *n, void **request)
{
	struct conn *c = conn_of(http);
	(void)context;
	(void)url;
	(void)version;
	if (!*request)
		return MHD_NO;
	if (c->is_busy)
		return request_handle(*request, http, method, data, n);
	set_busy(c);
	const enum MHD_Result handled = request_handle(*request, http, method, data, n);
	if (c->is_gone && handled == MHD_YES) /* before it had asked for something */
		request_gone(*request);
	return handled;
}

static void on_completed(void *context, struct MHD_Connection *http, void **request,
	enum MHD_RequestTerminationCode code)
{
	struct server *s = context;
	struct conn *c = conn_of(http);
	(void)code;
	request_free(*request);
	if (c && c->request == *request && *request) {
		c->request = NULL;
		if (c->is_busy) {
			LIST_REMOVE(s->busy, c);
			set_quiet(c);
		}
	}
	*request = NULL;
}

/* Targets stay as they were written. */
static size_t leave_escaped(void *context, struct MHD_Connection *http, char *text)
{
	(void)context;
	(void)http;
	return strlen(text);
}

static void no_log(void *context, const char *format, va_list args)
{
	(void)context;
	(void)format;
	(void)args;
}

static bool start_http(struct server *s)
{
	s->http = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
					   MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_UNESCAPE_CALLBACK,
		leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		HEAD_BYTES, MHD_OPTION_CONNECTION_LIMIT, SERVER_CONNECTIONS + 1,
		MHD_OPTION_CONNECTION_TIMEOUT, SILENT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_END);
	return s->http != NULL;
}

struct server *server_new(struct bridge *b, struct fault *why)
{
	struct server *s = calloc(1, sizeof *s);
	if (!s) {
		fault_set(why, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	s->bridge = b;
	s->loop = b->loop;
	s->empty_since = ev_now(s->loop);
	s->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	b->stir = stir;
	b->context = s;
	if (s->gone_fd < 0 || !start_http(s)) {
		fault_set(why, ERR_IO, "HTTP cannot be served: %s", strerror(errno));
		if (s->gone_fd >= 0)
			close(s->gone_fd);
		free(s);
		return NULL;
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->http, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&s->io, on_io, info->epoll_fd, EV_READ);
	ev_io_init(&s->gone_io, on_gone, s->gone_fd, EV_READ);
	ev_timer_init(&s->timer, on_timer, 0, 0);
	ev_timer_init(&s->sweep, on_sweep, SWEEP_S, SWEEP_S);
	ev_prepare_init(&s->prepare, on_prepare);
	ev_io_start(s->loop, &s->io);
	ev_io_start(s->loop, &s->gone_io);
	ev_timer_start(s->loop, &s->sweep);
	ev_prepare_start(s->loop, &s->prepare);
	return s;
}

bool server_drain(struct server *s)
{
	struct conn *c;
	s->is_draining = true;
	LIST_EACH(s->quiet, c)
		hang_up(c);
	return s->n == 0;
}

void server_free(struct server *s)
{
	struct conn *c;
	if (!s)
		return;
	s->is_draining = true;
	/* none of them begins another request: libmicrohttpd does not stop while one is suspended */
	LIST_EACH(s->quiet, c)
		c->is_gone = true;
	LIST_EACH(s->busy, c) {
		c->is_gone = true;
		request_gone(c->request);
	}
	run(s);
	MHD_stop_daemon(s->http);
	ev_io_stop(s->loop, &s->io);
	ev_io_stop(s->loop, &s->gone_io);
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_stop(s->loop, &s->sweep);
	ev_prepare_stop(s->loop, &s->prepare);
	close(s->gone_fd);
	free(s);
}
