/* test_transport.c - do bytes get to a provider and back, once, whatever the provider does?
 * The provider is a small server on the same loop, which plays the fault that a request's path
 * names. */
#include "brokerd/transport/transport.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define MS  INT64_C(1000)
#define KEY "sk-canary-0123456789abcdef"

static struct loop *loop;
static struct workers *workers;
static struct transport *transport;

/* ---- the provider ---- */

struct server {
	struct loop_io io;
	int fd, port;
	int n_accepted, n_requests, n_open;
	size_t body_bytes; /* of all requests */
	struct conn *conns;
	struct buf last; /* the head of the last request */
};

struct conn {
	struct conn *prev, *next;
	struct server *server;
	struct loop_io io;
	struct loop_timer timer;
	int fd, n_requests;
	struct buf in;
	struct buf out; /* goes out whole, or drop by drop */
	size_t out_at;
	size_t step;     /* bytes at once; 0: all */
	int64_t pace_us; /* between them */
	const char *endless;
	bool closes, resets, is_mute;
};

static void conn_close(struct conn *c)
{
	const struct linger now = {1, 0};
	loop_io_stop(&c->io);
	loop_timer_stop(&c->timer);
	if (c->resets)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(c->fd);
	LIST_REMOVE(c->server->conns, c);
	c->server->n_open--;
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

static void conn_write(struct conn *c)
{
	for (;;) {
		size_t left = c->out.n - c->out_at;
		if (left == 0 && c->endless) {
			buf_clear(&c->out);
			buf_text(&c->out, c->endless);
			c->out_at = 0;
			continue;
		}
		if (left == 0) {
			if (c->closes || c->resets) {
				conn_close(c);
				return;
			}
			loop_io_set(loop, &c->io, c->fd, LOOP_READ);
			return;
		}
		if (c->step && left > c->step)
			left = c->step;
		const ssize_t n = send(c->fd, c->out.p + c->out_at, left, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			loop_io_set(loop, &c->io, c->fd, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (n < 0) {
			conn_close(c);
			return;
		}
		c->out_at += (size_t)n;
		if (c->step) {
			loop_timer_set(loop, &c->timer, c->pace_us);
			return;
		}
	}
}

static void on_pace(struct loop_timer *t)
{
	conn_write(container_of(t, struct conn, timer));
}

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static int other_port; /* where the redirect leads */

static const struct play {
	const char *path, *reply;
	size_t step;
	int64_t pace_us;
	const char *endless;
	bool closes, resets, is_mute;
} plays[] = {
	{.path = "/ok",									     .reply = HELLO					      },
	{.path = "/head",
         .reply =
			"HTTP/1.1 200 Fine\r\nX-Request-ID:  a b \r\nRetry-After:7\r\nX-Long: a\r\n"
			"  b\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n"											  },
	{.path = "/chunked",
         .reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n"										 },
	{.path = "/drops",									  .reply = HELLO,					       .step = 1, .pace_us = 100},
	{.path = "/interim",
         .reply =
			"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" HELLO																      },
	{.path = "/error", .reply = "HTTP/1.1 429 Slow down\r\nContent-Length: 2\r\n\r\n{}"},
	{.path = "/close",                         .reply = "",																			       .closes = true},
	{.path = "/reset",						      .reply = "",.resets = true},
	{.path = "/half-head",									  .reply = "HTTP/1.1 200 OK\r\nContent-Le",                                                                      .closes = true},
	{.path = "/short",
         .reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
         .closes = true},
	{.path = "/short-reset",
         .reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
         .resets = true},
	{.path = "/short-chunk",
         .reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
         .closes = true},
	{.path = "/short-error",
         .reply = "HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n{",
         .closes = true},
	{.path = "/until-close",											 .reply = "HTTP/1.1 200 OK\r\n\r\nhello",																.closes = true},
	{.path = "/silent",									    .reply = "",																	.is_mute = true},
	{.path = "/stall",
         .reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
         .is_mute = true},
	{.path = "/drip",
         .reply = "HTTP/1.1 200 OK\r\n\r\n",
         .step = 20,
         .pace_us = 20 * MS,
         .endless = "x"},
	{.path = "/drip-head",
         .reply = "HTTP/1.1 200 OK\r\n",
         .step = 4,
         .pace_us = 20 * MS,
         .endless = "X: y\r\n"},
	{.path = "/bomb",
         .reply = "HTTP/1.1 200 OK\r\n",
         .endless = "X-Much: 0123456789012345678901234567890123456789\r\n"},
	{.path = "/long-line",
         .reply = "HTTP/1.1 200 OK\r\nX-Long: ",
         .endless = "0123456789012345678901234567890123456789"},
	{.path = "/interims",									   .reply = "",														      .endless = "HTTP/1.1 100 Continue\r\n\r\n"},
	{.path = "/garbage",									.reply = "SSH-2.0-OpenSSH_9.2\r\nhello\r\n\r\n",																	  .closes = true},
	{.path = "/chunk-size",
         .reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			 "chunked\r\n\r\nfffffffffffffffffff\r\nhello",															  .closes = true},
	{.path = "/bad-length",
         .reply = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
         .closes = true},
	{.path = "/gzip",
         .reply = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
			 "4\r\n\r\n\x1f\x8b\x08!"															 },
	{.path = "/te-gzip",
         .reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, "
			 "chunked\r\n\r\n4\r\n\x1f\x8b\x08!\r\n0\r\n\r\n"																 },
	{.path = "/endless",
         .reply = "HTTP/1.1 200 OK\r\n\r\n",
         .endless = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
	{.path = "/echo",
         .reply = "HTTP/1.1 200 OK\r\nX-Echo: <" KEY ">\r\nContent-Length: 58\r\n\r\n" KEY
			 "," KEY ",end!!",
         .step = 7,
         .pace_us = 300},
	{.path = "/echo-tail",
         .reply = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello sk-can"             },
};

static const struct play *find_play(struct span path)
{
	for (size_t i = 0; i < COUNT_OF(plays); i++) {
		if (span_is(path, plays[i].path))
			return &plays[i];
	}
	return NULL;
}

/* A whole request is there. */
static void conn_play(struct conn *c, struct span path)
{
	c->n_requests++;
	c->server->n_requests++;
	if (span_is(path, "/redirect")) {
		buf_print(&c->out,
			"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:%d/ok\r\n"
			"Content-Length: 0\r\n\r\n",
			other_port);
		conn_write(c);
		return;
	}
	if (span_is(path, "/second-closes")) {
		/* answers the first request on a connection, and drops the second unanswered */
		buf_text(&c->out, c->n_requests == 1 ? HELLO : "");
		c->closes = c->n_requests > 1;
		conn_write(c);
		return;
	}
	const struct play *play = find_play(path);
	if (!play)
		bail("no play \"%.*s\"", SPAN_ARG(path));
	buf_text(&c->out, play->reply);
	c->step = play->step;
	c->pace_us = play->pace_us;
	c->endless = play->endless;
	c->closes = play->closes;
	c->resets = play->resets;
	c->is_mute = play->is_mute;
	conn_write(c);
}

/* Takes whole requests off what has come. False: the connection is gone. */
static void conn_feed(struct conn *c)
{
	for (;;) {
		const struct span in = buf_view(&c->in);
		const size_t end = span_find(in, SPAN("\r\n\r\n"));
		if (end == in.n)
			return;
		struct span head = span_first(in, end);
		const size_t at = span_find(head, SPAN("Content-Length: "));
		const size_t length = at < head.n ? (size_t)strtoul(head.p + at + 16, NULL, 10) : 0;
		const size_t whole = end + 4 + length;
		struct span line = head;
		span_cut(&line, ' ');
		const struct span path = span_cut(&line, ' ');
		if (span_is(path, "/early")) {
			buf_text(&c->out, "HTTP/1.1 413 Too big\r\nContent-Length: 2\r\n\r\n{}");
			c->server->n_requests++;
			c->is_mute = true;
			loop_io_stop(&c->io);
			conn_write(c);
			loop_io_stop(&c->io);
			return;
		}
		if (in.n < whole)
			return;
		struct server *s = c->server;
		s->body_bytes += length;
		buf_clear(&s->last);
		buf_span(&s->last, head);
		char kept[64];
		snprintf(kept, sizeof kept, "%.*s", SPAN_ARG(path));
		buf_drop(&c->in, whole);
		buf_clear(&c->out);
		c->out_at = 0;
		const int n_before = s->n_open;
		conn_play(c, span_str(kept));
		if (s->n_open < n_before)
			return;
	}
}

static void on_conn(struct loop_io *io, int ready)
{
	struct conn *c = container_of(io, struct conn, io);
	if (ready & LOOP_READ) {
		char *to = buf_reserve(&c->in, 65536);
		if (!to)
			bail("a request too big");
		const ssize_t n = read(c->fd, to, 65536);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			c->resets = false;
			conn_close(c);
			return;
		}
		if (n > 0) {
			buf_commit(&c->in, (size_t)n);
			conn_feed(c);
			return;
		}
	}
	if (ready & LOOP_WRITE)
		conn_write(c);
}

static void on_accept(struct loop_io *io, int ready)
{
	struct server *s = container_of(io, struct server, io);
	(void)ready;
	const int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	const int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	struct conn *c = calloc(1, sizeof *c);
	if (!c)
		bail("no memory");
	*c = (struct conn){.server = s, .fd = fd};
	buf_init(&c->in, 80 * MIB);
	buf_init(&c->out, 1 * MIB);
	c->io.on_ready = on_conn;
	c->timer.on_fire = on_pace;
	LIST_PUSH(s->conns, c);
	s->n_accepted++;
	s->n_open++;
	loop_io_set(loop, &c->io, fd, LOOP_READ);
}

static void server_start(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof a;
	const int one = 1;
	*s = (struct server){.io.on_ready = on_accept};
	buf_init(&s->last, 1 * MIB);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof a) != 0 ||
		listen(s->fd, 1024) != 0 || getsockname(s->fd, (struct sockaddr *)&a, &n) != 0)
		bail("no server: %s", strerror(errno));
	s->port = ntohs(a.sin_port);
	loop_io_set(loop, &s->io, s->fd, LOOP_READ);
}

static void server_stop(struct server *s)
{
	while (s->conns)
		conn_close(s->conns);
	loop_io_stop(&s->io);
	close(s->fd);
	buf_done(&s->last);
}

/* ---- one who asks ---- */

struct asker {
	struct transfer *transfer;
	struct http_request request;
	struct target target;
	char url[128], origin[64];
	int status, n_heads, n_ends;
	struct buf head; /* "name=value;" */
	struct buf body;
	struct transfer_end end;
	size_t pause_after; /* bytes of body; 0: never */
	size_t cancel_after;
	bool cancel_at_head;
	bool is_paused;
	int n_late_bodies; /* on_body while paused, or after the end */
};

static int n_waited; /* for so many ends */

static void on_head(void *context, const struct http_head *head)
{
	struct asker *a = context;
	a->n_heads++;
	a->status = head->status;
	for (size_t i = 0; i < head->n_headers; i++)
		buf_print(&a->head, "%.*s=%.*s;", SPAN_ARG(head->headers[i].name),
			SPAN_ARG(head->headers[i].value));
	if (a->cancel_at_head) {
		transfer_cancel(a->transfer, &a->end);
		a->transfer = NULL;
		n_waited--;
	}
}

static void on_body(void *context, struct span bytes)
{
	struct asker *a = context;
	a->n_late_bodies += a->is_paused || a->n_ends || !a->transfer;
	buf_span(&a->body, bytes);
	if (a->pause_after && a->body.n >= a->pause_after) {
		a->is_paused = true;
		transfer_pause(a->transfer);
	}
	if (a->cancel_after && a->body.n >= a->cancel_after) {
		transfer_cancel(a->transfer, &a->end);
		a->transfer = NULL;
		n_waited--;
	}
}

static void on_end(void *context, const struct transfer_end *end)
{
	struct asker *a = context;
	a->n_ends++;
	a->end = *end;
	a->transfer = NULL;
	n_waited--;
}

static const struct transfer_limits patient = {
	.connect_us = 5000 * MS,
	.first_byte_us = 5000 * MS,
	.idle_us = 5000 * MS,
	.total_us = 20000 * MS,
};

/* A target that is the server on this host. */
static void aim(struct asker *a, const struct server *s, const char *path)
{
	*a = (struct asker){.end = {.why = FAULT_NONE}};
	buf_init(&a->head, 1 * MIB);
	buf_init(&a->body, 80 * MIB);
	snprintf(a->origin, sizeof a->origin, "http://127.0.0.1:%d", s->port);
	snprintf(a->url, sizeof a->url, "%s%s", a->origin, path);
	a->target = (struct target){.provider = SPAN("test"),
		.origin = span_str(a->origin),
		.auth = AUTH_BEARER,
		.is_local = true};
	a->request = (struct http_request){
		.method = SPAN("POST"), .url = span_str(a->url), .body = SPAN("{\"a\":1}")};
	if (!http_request_header(&a->request, SPAN("Content-Type"), SPAN("application/json")))
		bail("no header");
}

static void drop(struct asker *a)
{
	buf_done(&a->head);
	buf_done(&a->body);
}

static struct secret *key_for(const struct asker *a)
{
	struct secret *secret;
	if (secret_new(SPAN(KEY), span_str(a->origin), &secret))
		bail("no secret");
	return secret;
}

static enum err begin(struct asker *a, const struct transfer_limits *limits, struct secret *secret,
	struct fault *why)
{
	const struct transfer_events events = {on_head, on_body, on_end, a};
	const enum err err = transport_start(
		transport, &a->request, &a->target, secret, limits, &events, &a->transfer, why);
	n_waited += !err;
	return err;
}

/* Runs the loop until all have ended, or `us` have passed. */
static struct loop_task watcher;

static void on_watch(struct loop_task *t)
{
	if (n_waited <= 0)
		loop_stop(loop);
	else
		loop_later(loop, t);
}

static void on_stop(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void run_for(int64_t us)
{
	struct loop_timer stop = {.on_fire = on_stop};
	loop_timer_set(loop, &stop, us);
	loop_run(loop);
	loop_timer_stop(&stop);
}

static void run(void)
{
	watcher.on_run = on_watch;
	loop_later(loop, &watcher);
	run_for(20000 * MS);
	loop_task_stop(&watcher);
	if (n_waited > 0)
		diag("%d transfers did not end", n_waited);
	n_waited = 0;
}

static void ask(struct asker *a, const struct transfer_limits *limits)
{
	struct secret *secret = key_for(a);
	struct fault why = FAULT_NONE;
	if (begin(a, limits, secret, &why))
		bail("%s", why.message);
	secret_unref(secret);
	run();
}

static void open_all(void)
{
	struct fault why = FAULT_NONE;
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 3, &why) : NULL;
	transport = workers ? transport_new(loop, workers, &why) : NULL;
	if (!transport)
		bail("%s", why.message);
}

static void close_all(void)
{
	transport_free(transport);
	workers_free(workers);
	loop_free(loop);
}

/* ---- what becomes of each kind of answer ---- */

static const struct {
	const char *path;
	enum err err;
	const char *code;
	int status;
	const char *body;
	bool has_sent;
} answers[] = {
	{"/ok",          OK,                  "",           200, "hello",         true},
	{"/chunked",     OK,                  "",           200, "hello",         true},
	{"/drops",       OK,                  "",           200, "hello",         true},
	{"/interim",     OK,                  "",           200, "hello",         true},
	{"/error",       OK,                  "",           429, "{}",            true},
	{"/until-close", OK,                  "",           200, "hello",         true},
	{"/gzip",        OK,                  "",           200, "\x1f\x8b\x08!", true},
	{"/redirect",    OK,                  "",           307, "",              true},
	{"/close",       ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true},
	{"/reset",       ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true},
	{"/half-head",   ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true},
	{"/silent",      ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true},
	{"/drip-head",   ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true},
	{"/short",       ERR_CONNECTION,      "body",       200, "hello",         true},
	{"/short-reset", ERR_CONNECTION,      "body",       200, "hello",         true},
	{"/short-chunk", ERR_CONNECTION,      "body",       200, "hello",         true},
	{"/short-error", ERR_CONNECTION,      "body",       500, "{",             true},
	{"/chunk-size",  ERR_CONNECTION,      "body",       200, "",              true},
	{"/stall",       ERR_TIMEOUT,         "idle",       200, "hello",         true},
	{"/drip",        ERR_TIMEOUT,         "total",      200, NULL,            true},
	{"/bomb",        ERR_SERVER_ERROR,    "first_byte", 0,   "",              true},
	{"/long-line",   ERR_SERVER_ERROR,    "first_byte", 0,   "",              true},
	{"/interims",    ERR_SERVER_ERROR,    "first_byte", 0,   "",              true},
	{"/garbage",     ERR_SERVER_ERROR,    "first_byte", 0,   "",              true},
	{"/bad-length",  ERR_SERVER_ERROR,    "first_byte", 0,   "",              true},
	{"/te-gzip",     ERR_SERVER_ERROR,    "first_byte", 0,   "",              true},
	{"/endless",     ERR_SERVER_ERROR,    "body",       200, NULL,            true},
	{"/echo-tail",   OK,                  "",           200, "hello sk-can",  true},
};

static void each_answer(struct server *s)
{
	const struct transfer_limits limits = {.connect_us = 1000 * MS,
		.first_byte_us = 150 * MS,
		.idle_us = 150 * MS,
		.total_us = 600 * MS};
	const struct transfer_limits long_ones = {.total_us = 20000 * MS};
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		const char *path = answers[i].path;
		struct asker a;
		aim(&a, s, path);
		const int n_before = s->n_requests;
		ask(&a, strcmp(path, "/endless") == 0 ? &long_ones : &limits);
		is_int(a.n_ends, 1, "%s ends once", path);
		is_err(a.end.err, answers[i].err, "%s: result (%s)", path, a.end.why.message);
		is_str(a.end.why.code, answers[i].code, "%s: stage", path);
		is_int(a.status, answers[i].status, "%s: status", path);
		is_int(a.end.has_sent_body, answers[i].has_sent, "%s: was the body sent", path);
		if (answers[i].body)
			is_mem(a.body.p, a.body.n, answers[i].body, strlen(answers[i].body),
				"%s: body", path);
		is_int(s->n_requests - n_before, 1, "%s: the provider saw one request", path);
		is_int(a.end.received_bytes, (int64_t)a.body.n, "%s: counted", path);
		ok(a.body.n <= LIMIT_SSE_TOTAL_BYTES, "%s: within the ceiling", path);
		is_int(a.n_late_bodies, 0, "%s: no bytes out of turn", path);
		drop(&a);
	}
}

int main(void)
{
	struct server s, other;
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		bail("no libsodium");
	open_all();
	server_start(&s);
	server_start(&other);
	other_port = other.port;
	each_answer(&s);
	is_int(other.n_accepted, 0, "a redirect is not followed");
	server_stop(&s);
	server_stop(&other);
	close_all();
	return tap_done();
}
