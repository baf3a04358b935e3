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

#define MS          INT64_C(1000)
#define KEY         "sk-canary/0123456789abcdef"
#define KEY_ESCAPED "sk-canary%2F0123456789abcdef"

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
         .reply = "HTTP/1.1 200 OK\r\nX-Echo: <" KEY ">\r\nContent-Length: 59\r\n\r\n" KEY
			 "," KEY ",end!!",
         .step = 7,
         .pace_us = 300},
	{.path = "/echo-escaped",
         .reply = "HTTP/1.1 200 OK\r\nX-Echo: <" KEY_ESCAPED
			 ">\r\nContent-Length: 63\r\n\r\n" KEY_ESCAPED "," KEY_ESCAPED ",end!!",
         .step = 7,
         .pace_us = 300},
	{.path = "/echo-tail",
         .reply = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello sk-can"																},
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
	bool has_sent, is_timed; /* the short limits are what ends it */
} answers[] = {
	{"/ok",          OK,                  "",           200, "hello",         true, false},
	{"/chunked",     OK,                  "",           200, "hello",         true, false},
	{"/drops",       OK,                  "",           200, "hello",         true, false},
	{"/interim",     OK,                  "",           200, "hello",         true, false},
	{"/error",       OK,                  "",           429, "{}",            true, false},
	{"/until-close", OK,                  "",           200, "hello",         true, false},
	{"/gzip",        OK,                  "",           200, "\x1f\x8b\x08!", true, false},
	{"/redirect",    OK,                  "",           307, "",              true, false},
	{"/close",       ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true, false},
	{"/reset",       ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true, false},
	{"/half-head",   ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true, false},
	{"/silent",      ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true, true },
	{"/drip-head",   ERR_OUTCOME_UNKNOWN, "first_byte", 0,   "",              true, true },
	{"/short",       ERR_CONNECTION,      "body",       200, "hello",         true, false},
	{"/short-reset", ERR_CONNECTION,      "body",       200, "hello",         true, false},
	{"/short-chunk", ERR_CONNECTION,      "body",       200, "hello",         true, false},
	{"/short-error", ERR_CONNECTION,      "body",       500, "{",             true, false},
	{"/chunk-size",  ERR_CONNECTION,      "body",       200, "",              true, false},
	{"/stall",       ERR_TIMEOUT,         "idle",       200, "hello",         true, true },
	{"/drip",        ERR_TIMEOUT,         "total",      200, NULL,            true, true },
	{"/bomb",        ERR_SERVER_ERROR,    "first_byte", 0,   "",              true, false},
	{"/long-line",   ERR_SERVER_ERROR,    "first_byte", 0,   "",              true, false},
	{"/interims",    ERR_SERVER_ERROR,    "first_byte", 0,   "",              true, false},
	{"/garbage",     ERR_SERVER_ERROR,    "first_byte", 0,   "",              true, false},
	{"/bad-length",  ERR_SERVER_ERROR,    "first_byte", 0,   "",              true, false},
	{"/te-gzip",     ERR_SERVER_ERROR,    "first_byte", 0,   "",              true, false},
	{"/endless",     ERR_SERVER_ERROR,    "body",       200, NULL,            true, false},
	{"/echo-tail",   OK,                  "",           200, "hello sk-can",  true, false},
};

static void each_answer(struct server *s)
{
	const struct transfer_limits limits = {.connect_us = 1000 * MS,
		.first_byte_us = 150 * MS,
		.idle_us = 150 * MS,
		.total_us = 600 * MS};
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		const char *path = answers[i].path;
		struct asker a;
		aim(&a, s, path);
		const int n_before = s->n_requests;
		ask(&a, answers[i].is_timed ? &limits : &patient);
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

/* ---- what is sent ---- */

static void the_request(struct server *s)
{
	struct asker a;
	aim(&a, s, "/ok?x=1");
	snprintf(a.url, sizeof a.url, "%s/ok", a.origin);
	a.request.url = span_str(a.url);
	if (!http_request_header(&a.request, SPAN("X-One"), SPAN("1")) ||
		!http_request_header(&a.request, SPAN("X-Empty"), SPAN("")))
		bail("no header");
	ask(&a, &patient);
	char want[512];
	snprintf(want, sizeof want,
		"POST /ok HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\n"
		"Content-Type: application/json\r\nX-One: 1\r\nX-Empty:\r\n"
		"Authorization: Bearer " KEY "\r\nContent-Length: 7",
		s->port);
	is_mem(s->last.p, s->last.n, want, strlen(want), "the request, header by header");
	is_int(a.end.sent_bytes, 7, "its body's bytes are counted");
	ok(a.end.connect_us >= 0 && a.end.first_byte_us >= a.end.connect_us &&
			a.end.total_us >= a.end.first_byte_us,
		"and the time is taken");
	drop(&a);

	aim(&a, s, "/head");
	a.request.method = SPAN("GET");
	a.request.body = SPAN_NONE;
	a.request.n_headers = 0;
	a.target.auth = AUTH_HEADER;
	a.target.auth_header = SPAN("x-api-key");
	ask(&a, &patient);
	snprintf(want, sizeof want,
		"GET /head HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\nx-api-key: " KEY,
		s->port);
	is_mem(s->last.p, s->last.n, want, strlen(want), "a GET, with the key in its own header");
	buf_byte(&a.head, '\0');
	is_str(a.head.p, "x-request-id=a b;retry-after=7;x-long=a b;x-empty=;content-length=0;",
		"the reply's headers");
	ok(a.end.has_sent_body, "a request without a body is sent when its head is");
	drop(&a);

	/* a body of several buffers */
	const size_t n = 5000000;
	char *large = malloc(n);
	if (!large)
		bail("no memory");
	memset(large, 'x', n);
	const size_t before = s->body_bytes;
	aim(&a, s, "/ok");
	a.request.body = span_of(large, n);
	ask(&a, &patient);
	is_err(a.end.err, OK, "a large body (%s)", a.end.why.message);
	is_uint(s->body_bytes - before, n, "arrives whole");
	is_int(a.end.sent_bytes, (int64_t)n, "and is counted");
	ok(span_find(buf_view(&s->last), SPAN("Expect")) == s->last.n, "without asking first");
	drop(&a);

	aim(&a, s, "/early");
	a.request.body = span_of(large, n);
	ask(&a, &patient);
	is_err(a.end.err, OK, "an answer before the body is over (%s)", a.end.why.message);
	is_int(a.status, 413, "is an answer");
	ok(!a.end.has_sent_body, "and the body has not left");
	drop(&a);
	free(large);
}

/* ---- never twice ---- */

static void one_body_a_request(struct server *s)
{
	struct asker a;
	transport_forget_connections(transport);
	run_for(10 * MS);
	const int accepted = s->n_accepted, requests = s->n_requests;
	const size_t bytes = s->body_bytes;
	aim(&a, s, "/second-closes");
	ask(&a, &patient);
	is_err(a.end.err, OK, "the first on a connection is answered");
	drop(&a);
	aim(&a, s, "/second-closes");
	ask(&a, &patient);
	is_err(a.end.err, ERR_OUTCOME_UNKNOWN, "the second is not (%s)", a.end.why.message);
	ok(a.end.has_sent_body, "though it was sent");
	is_str(a.end.why.code, "first_byte", "and waited for");
	drop(&a);
	run_for(50 * MS);
	is_int(s->n_requests - requests, 2, "the provider saw two requests for two");
	is_uint(s->body_bytes - bytes, 14, "and two bodies");
	ok(s->n_accepted - accepted >= 1, "on a connection that was used again");
}

/* It takes the whole request, and is gone: no other connection can be had that could be stopped. */
static void a_host_that_died_with_it(void)
{
	struct server s;
	struct asker a;
	server_start(&s);
	aim(&a, &s, "/second-closes");
	ask(&a, &patient);
	is_err(a.end.err, OK, "a host answers");
	drop(&a);
	loop_io_stop(&s.io);
	close(s.fd);
	s.fd = -1;
	const size_t bytes = s.body_bytes;
	aim(&a, &s, "/second-closes");
	ask(&a, &patient);
	is_uint(s.body_bytes - bytes, 7, "it takes another request, and is gone");
	is_err(a.end.err, ERR_OUTCOME_UNKNOWN, "what became of it nobody knows (%s)",
		a.end.why.message);
	ok(a.end.has_sent_body, "for it was sent");
	drop(&a);
	server_stop(&s);
}

static void a_connection_that_died_idle(struct server *s)
{
	struct asker a;
	aim(&a, s, "/ok");
	ask(&a, &patient);
	drop(&a);
	while (s->conns)
		conn_close(s->conns);
	run_for(10 * MS);
	const int requests = s->n_requests;
	aim(&a, s, "/ok");
	ask(&a, &patient);
	is_err(a.end.err, OK, "a connection closed while idle is noticed (%s)", a.end.why.message);
	is_int(s->n_requests - requests, 1, "and the request is made on a new one, once");
	drop(&a);
}

/* ---- pause, resume, cancel ---- */

static void pauses(struct server *s)
{
	struct asker a;
	const struct transfer_limits short_idle = {.idle_us = 100 * MS};
	struct fault why;
	aim(&a, s, "/endless");
	a.pause_after = 100000;
	struct secret *key = key_for(&a);
	is_err(begin(&a, &short_idle, key, &why), OK, "a long answer begins");
	run_for(300 * MS);
	ok(a.is_paused, "its reader pauses");
	const size_t n = a.body.n;
	ok(n >= 100000 && n < 100000 + 16384, "and gets no more (%zu)", n);
	run_for(300 * MS);
	is_uint(a.body.n, n, "however long it takes");
	is_int(a.n_ends, 0, "a pause is no silence");
	a.pause_after = 0;
	a.cancel_after = n + 100000;
	a.is_paused = false;
	transfer_resume(a.transfer);
	transfer_resume(a.transfer);
	run();
	ok(a.body.n >= n + 100000, "after a resume it goes on");
	is_int(a.n_late_bodies, 0, "never out of turn");
	is_err(a.end.err, ERR_CANCELLED, "until it is cancelled");
	drop(&a);
	secret_unref(key);

	/* paused by its last bytes, of which some wait because they may be a key's beginning */
	aim(&a, s, "/echo-tail");
	key = key_for(&a);
	a.pause_after = 1;
	is_err(begin(&a, &patient, key, &why), OK, "a short answer begins");
	run_for(200 * MS);
	is_mem(a.body.p, a.body.n, "hello ", 6, "what is certain came");
	is_int(a.n_ends, 0, "and the end waits for the rest");
	a.pause_after = 0;
	a.is_paused = false;
	transfer_resume(a.transfer);
	run();
	is_mem(a.body.p, a.body.n, "hello sk-can", 12, "which comes with the resume");
	is_err(a.end.err, OK, "and then the end");
	drop(&a);

	/* the same, cancelled instead; and cancelled by those bytes */
	aim(&a, s, "/echo-tail");
	a.pause_after = 1;
	is_err(begin(&a, &patient, key, &why), OK, "once more");
	run_for(200 * MS);
	transfer_cancel(a.transfer, &a.end);
	n_waited--;
	run_for(10 * MS);
	is_int(a.n_ends, 0, "cancelled while its end waits, it says nothing more");
	drop(&a);
	aim(&a, s, "/echo-tail");
	a.cancel_after = 12;
	is_err(begin(&a, &patient, key, &why), OK, "and once more");
	run();
	is_int(a.n_ends, 0, "cancelled by its last bytes, it says nothing more");
	drop(&a);
	secret_unref(key);
	is_uint(transport_active(transport), 0, "nothing is under way");
}

static void cancels(struct server *s)
{
	struct asker a;
	struct fault why;
	struct transfer_end end;
	run_for(20 * MS);

	aim(&a, s, "/ok");
	struct secret *key = key_for(&a);
	const int requests = s->n_requests;
	is_err(begin(&a, &patient, key, &why), OK, "one begins");
	is_uint(transport_active(transport), 1, "it is under way");
	transfer_cancel(a.transfer, &end);
	n_waited--;
	is_err(end.err, ERR_CANCELLED, "and is cancelled");
	ok(!end.has_sent_body, "before anything was sent");
	run_for(30 * MS);
	is_int(s->n_requests, requests, "the provider saw nothing");
	is_int(a.n_ends + a.n_heads, 0, "and its owner heard nothing");
	drop(&a);

	transport_forget_connections(transport);
	run_for(20 * MS);
	is_int(s->n_open, 0, "no connection is left");
	aim(&a, s, "/silent");
	is_err(begin(&a, &patient, key, &why), OK, "one begins");
	run_for(50 * MS);
	is_int(s->n_open, 1, "and is being waited for");
	transfer_cancel(a.transfer, &end);
	n_waited--;
	ok(end.has_sent_body, "it had been sent");
	run_for(20 * MS);
	is_int(s->n_open, 0, "cancelled, its connection is closed");
	drop(&a);

	aim(&a, s, "/endless");
	a.cancel_at_head = true;
	is_err(begin(&a, &patient, key, &why), OK, "one begins");
	run();
	is_int(a.n_heads, 1, "cancelled at its head");
	run_for(20 * MS);
	is_uint(a.body.n, 0, "it hands out no bytes");
	is_int(a.n_ends, 0, "and no end");
	is_int(s->n_open, 0, "its connection is closed");
	drop(&a);

	aim(&a, s, "/endless");
	a.cancel_after = 50000;
	is_err(begin(&a, &patient, key, &why), OK, "one begins");
	run();
	run_for(20 * MS);
	is_int(a.n_ends, 0, "cancelled in its body it says nothing more");
	is_int(a.n_late_bodies, 0, "at all");
	is_int(s->n_open, 0, "its connection is closed");
	is_uint(transport_active(transport), 0, "nothing is under way");
	drop(&a);
	secret_unref(key);
}

/* ---- what is refused before anything is done ---- */

static void refusals(struct server *s)
{
	static const struct {
		const char *name, *url; /* NULL: the server's */
		const char *method, *header;
		bool is_local, is_foreign; /* the key is another origin's */
		enum err err;
	} rows[] = {
		{"plain http without local",        NULL,                            "POST",    NULL,                false, false,
                 ERR_INVALID_ARGUMENT														  },
		{"plain http to another host",      "http://192.168.1.1/",           "POST",    NULL,                true,  false,
                 ERR_INVALID_ARGUMENT														  },
		{"a name that looks like loopback", "http://127.0.0.1.example.com/", "POST",    NULL,
                 true,												      false, ERR_INVALID_ARGUMENT},
		{"another scheme",                  "file:///etc/passwd",            "POST",    NULL,                true,  false,
                 ERR_INVALID_ARGUMENT														  },
		{"user info",                       "https://a@b/",                  "POST",    NULL,                true,  false, ERR_INVALID_ARGUMENT},
		{"a space in the path",             "http://127.0.0.1:1/a b",        "POST",    NULL,                true,  false,
                 ERR_INVALID_ARGUMENT														  },
		{"a line end in the path",          "http://127.0.0.1:1/a\r\nX: y",  "POST",    NULL,                true,
                 false,													    ERR_INVALID_ARGUMENT},
		{"another's key",                   NULL,                            "POST",    NULL,                true,  true,  ERR_DENIED          },
		{"no method of ours",               NULL,                            "CONNECT", NULL,                true,  false, ERR_INVALID_ARGUMENT},
		{"a GET with a body",               NULL,                            "GET",     NULL,                true,  false, ERR_INVALID_ARGUMENT},
		{"a second key",                    NULL,                            "POST",    "authorization",     true,  false, ERR_INVALID_ARGUMENT},
		{"a length of its own",             NULL,                            "POST",    "Content-Length",    true,  false,
                 ERR_INVALID_ARGUMENT														  },
		{"a coding of its own",             NULL,                            "POST",    "Transfer-Encoding", true,  false,
                 ERR_INVALID_ARGUMENT														  },
		{"another host's name",             NULL,                            "POST",    "Host",              true,  false, ERR_INVALID_ARGUMENT},
		{"compression",                     NULL,                            "POST",    "Accept-Encoding",   true,  false, ERR_INVALID_ARGUMENT},
	};
	const int accepted = s->n_accepted;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct asker a;
		struct fault why = FAULT_NONE;
		struct secret *key;
		aim(&a, s, "/ok");
		a.target.is_local = rows[i].is_local;
		a.request.method = span_str(rows[i].method);
		if (rows[i].url)
			a.request.url = span_str(rows[i].url);
		if (rows[i].header)
			a.request.headers[a.request.n_headers++] =
				(struct http_header){span_str(rows[i].header), SPAN("1")};
		OWNED(buf_done) struct buf origin = BUF_INIT(1000);
		if (http_origin(a.request.url, &origin, NULL))
			buf_clear(&origin);
		if (rows[i].is_foreign)
			buf_text(&origin, "1");
		if (secret_new(SPAN(KEY), buf_view(&origin), &key))
			bail("no secret");
		is_err(begin(&a, &patient, key, &why), rows[i].err, "%s is refused (%s)",
			rows[i].name, why.message);
		ok(a.transfer == NULL && why.message[0], "%s: and it is said why", rows[i].name);
		ok(!strstr(why.message, KEY), "%s: without the key", rows[i].name);
		secret_unref(key);
		drop(&a);
	}
	run_for(10 * MS);
	is_int(s->n_accepted, accepted, "no connection was made");
	is_uint(transport_active(transport), 0, "nothing is under way");
}

/* ---- where it must not go ---- */

static void not_public(struct server *s)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "0x7f.1",
		"2130706433", "[::ffff:127.0.0.1]"};
	const int accepted = s->n_accepted;
	for (size_t i = 0; i < COUNT_OF(hosts); i++) {
		struct asker a;
		aim(&a, s, "/ok");
		snprintf(a.origin, sizeof a.origin, "https://%s:%d", hosts[i], s->port);
		snprintf(a.url, sizeof a.url, "%s/ok", a.origin);
		a.request.url = span_str(a.url);
		a.target.is_local = false;
		ask(&a, &patient);
		is_err(a.end.err, ERR_CONNECTION, "%s is not connected to (%s)", hosts[i],
			a.end.why.message);
		is_str(a.end.why.code, "address", "%s: for its address", hosts[i]);
		ok(!a.end.has_sent_body, "%s: nothing was sent", hosts[i]);
		drop(&a);
	}
	is_int(s->n_accepted, accepted, "nobody was connected to");
}

/* ---- being late before anything is sent ---- */

static void late_to_connect(struct server *s)
{
	struct asker a;
	const struct transfer_limits limits = {
		.connect_us = 150 * MS, .first_byte_us = 150 * MS, .total_us = 3000 * MS};

	/* a queue of one place, taken */
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t n = sizeof in;
	int fd[8];
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd[0], (struct sockaddr *)&in, sizeof in) != 0 || listen(fd[0], 0) != 0 ||
		getsockname(fd[0], (struct sockaddr *)&in, &n) != 0)
		bail("no deaf server");
	for (size_t i = 1; i < COUNT_OF(fd); i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fd[i], (struct sockaddr *)&in, sizeof in) == 0)
			diag("connected %zu", i);
	}
	struct server deaf = {.port = ntohs(in.sin_port)};
	aim(&a, &deaf, "/ok");
	ask(&a, &limits);
	is_err(a.end.err, ERR_TIMEOUT, "no connection in time (%s)", a.end.why.message);
	is_str(a.end.why.code, "connect", "is late with TCP");
	ok(a.end.total_us >= 150 * MS && a.end.total_us < 600 * MS, "at its limit");
	drop(&a);
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
	aim(&a, &deaf, "/ok");
	ask(&a, &limits);
	is_err(a.end.err, ERR_CONNECTION, "nobody there (%s)", a.end.why.message);
	is_str(a.end.why.code, "connect", "is no connection");
	ok(!a.end.has_sent_body, "and nothing was sent");
	drop(&a);

	aim(&a, s, "/ok");
	snprintf(a.origin, sizeof a.origin, "https://127.0.0.1:%d", s->port);
	snprintf(a.url, sizeof a.url, "%s/ok", a.origin);
	a.request.url = span_str(a.url);
	ask(&a, &limits);
	is_err(a.end.err, ERR_TIMEOUT, "a server without TLS (%s)", a.end.why.message);
	is_str(a.end.why.code, "tls", "is late with TLS");
	drop(&a);
}

/* A server that accepts and does not read. */
static void late_to_send(struct server *s)
{
	struct asker a;
	const struct transfer_limits limits = {
		.connect_us = 1000 * MS, .first_byte_us = 200 * MS, .total_us = 3000 * MS};
	const size_t n = 60000000;
	char *large = calloc(1, n);
	if (!large)
		bail("no memory");
	loop_io_stop(&s->io); /* the kernel accepts */
	transport_forget_connections(transport);
	run_for(10 * MS);
	aim(&a, s, "/ok");
	a.request.body = span_of(large, n);
	ask(&a, &limits);
	is_err(a.end.err, ERR_TIMEOUT, "a body that nobody takes (%s)", a.end.why.message);
	is_str(a.end.why.code, "send", "is late with sending");
	ok(!a.end.has_sent_body, "it has not left");
	ok(a.end.sent_bytes > 0 && a.end.sent_bytes < (int64_t)n, "but some of it has");
	drop(&a);
	free(large);
	loop_io_set(loop, &s->io, s->fd, LOOP_READ);
	run_for(10 * MS);
}

/* ---- a key that comes back ---- */

static void echo(struct server *s, const char *path, const char *stars)
{
	static char logged[4096];
	struct asker a;
	int fd[2];
	if (pipe2(fd, O_CLOEXEC) != 0)
		bail("no pipe");
	log_init(LOG_LEVEL_INFO, fd[1]);
	aim(&a, s, path);
	ask(&a, &patient);
	log_init(LOG_LEVEL_INFO, -1);
	const ssize_t n = read(fd[0], logged, sizeof logged - 1);
	logged[n > 0 ? n : 0] = '\0';
	char want[128];
	snprintf(want, sizeof want, "%s,%s,end!!", stars, stars);
	is_err(a.end.err, OK, "the answer comes (%s)", a.end.why.message);
	is_mem(a.body.p, a.body.n, want, strlen(want), "without the key, however it was cut");
	buf_byte(&a.head, '\0');
	snprintf(want, sizeof want, "x-echo=<%s>;", stars);
	ok(strstr(a.head.p, want), "nor is it in the headers");
	ok(strstr(logged, " warn transport.key_echo provider=\"test\" status="), "it is logged: %s",
		logged);
	char *second = strstr(logged, "key_echo");
	ok(second && !strstr(second + 1, "key_echo"), "once");
	ok(!strstr(logged, "sk-canary"), "without the key");
	drop(&a);
	close(fd[0]);
	close(fd[1]);
}

static void echoes(struct server *s)
{
	const char *const stars = "****************************";
	is_uint(strlen(stars), sizeof KEY_ESCAPED - 1, "as many stars as bytes");
	echo(s, "/echo", stars + (sizeof KEY_ESCAPED - sizeof KEY));
	echo(s, "/echo-escaped", stars);
}

/* ---- many ---- */

static int open_descriptors(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	if (!d)
		bail("no /proc");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void bursts(struct server *s)
{
	enum { N = 64, ROUNDS = 50 };
	static struct asker a[N];
	transport_forget_connections(transport);
	run_for(20 * MS);
	const int accepted = s->n_accepted;
	int n_ok = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct secret *key = NULL;
		for (size_t i = 0; i < N; i++) {
			struct fault why;
			aim(&a[i], s, "/ok");
			if (!key)
				key = key_for(&a[i]);
			if (begin(&a[i], &patient, key, &why))
				bail("%s", why.message);
		}
		secret_unref(key);
		run();
		for (size_t i = 0; i < N; i++) {
			n_ok += a[i].end.err == OK && a[i].n_ends == 1;
			drop(&a[i]);
		}
	}
	is_int(n_ok, N * ROUNDS, "bursts are all answered");
	ok(s->n_accepted - accepted <= N + 1, "over as many connections as are needed at once (%d)",
		s->n_accepted - accepted);
}

/* What comes to be called between the starts of two transfers. */
struct probe {
	struct loop_task task;
	int fd;      /* where the provider listens: nobody takes its connections but this */
	int n_found; /* connections that came since the probe before */
};

static void on_probe(struct loop_task *t)
{
	struct probe *p = container_of(t, struct probe, task);
	int fd;
	while ((fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(fd);
		p->n_found++;
	}
}

static void each_has_its_turn(void)
{
	enum { N = 4 };
	struct asker a[N];
	struct probe probes[N];
	struct server mute;
	struct secret *key = NULL;
	int n_alone = 0;
	server_start(&mute);
	loop_io_stop(&mute.io);
	for (size_t i = 0; i < N; i++) {
		struct fault why;
		aim(&a[i], &mute, "/ok");
		if (!key)
			key = key_for(&a[i]);
		if (begin(&a[i], &patient, key, &why))
			bail("%s", why.message);
		probes[i] = (struct probe){.task.on_run = on_probe, .fd = mute.fd};
		loop_later(loop, &probes[i].task);
	}
	secret_unref(key);
	run_for(1 * MS);
	for (size_t i = 0; i < N; i++) {
		n_alone += probes[i].n_found == 1;
		loop_task_stop(&probes[i].task);
		if (a[i].transfer)
			transfer_cancel(a[i].transfer, NULL);
		drop(&a[i]);
	}
	n_waited = 0;
	is_int(n_alone, N,
		"of transfers that begin together each has its turn: others have theirs between "
		"them");
	transport_forget_connections(transport);
	server_stop(&mute);
}

static void a_thousand_at_once(struct server *s)
{
	enum { N = 1000 };
	struct asker *a = calloc(N, sizeof *a);
	struct secret *key = NULL;
	int n_ok = 0;
	if (!a)
		bail("no memory");
	for (size_t i = 0; i < N; i++) {
		struct fault why;
		aim(&a[i], s, i % 2 ? "/ok" : "/chunked");
		if (!key)
			key = key_for(&a[i]);
		if (begin(&a[i], &patient, key, &why))
			bail("%s", why.message);
	}
	secret_unref(key);
	is_uint(transport_active(transport), N, "a thousand at once");
	run();
	for (size_t i = 0; i < N; i++) {
		n_ok += a[i].end.err == OK && span_is(buf_view(&a[i].body), "hello");
		drop(&a[i]);
	}
	is_int(n_ok, N, "are all answered");
	transport_forget_connections(transport);
	for (int i = 0; i < 100 && s->n_open > 0; i++)
		run_for(100 * MS);
	is_int(s->n_open, 0, "forgotten, their connections are closed");
	free(a);
}

static void a_thousand_in_a_row(struct server *s)
{
	int fds = 0, n_ok = 0;
	size_t bytes = 0;
	const int accepted = s->n_accepted;
	for (int i = 0; i < 1000; i++) {
		struct asker a;
		aim(&a, s, "/ok");
		ask(&a, &patient);
		n_ok += a.end.err == OK;
		drop(&a);
		if (i == 99) {
			fds = open_descriptors();
			bytes = mallinfo2().uordblks;
		}
	}
	is_int(n_ok, 1000, "a thousand in a row are answered");
	is_int(s->n_accepted - accepted, 1, "over one connection");
	is_int(open_descriptors(), fds,
		"with as many descriptors at the end as near the beginning");
	const size_t now = mallinfo2().uordblks;
	ok(now <= bytes + 16384, "and as much memory (%zu, then %zu)", bytes, now);
}

/* Something is under way in every way there is, and all is freed. */
/* Many wait for long, and curl has no smaller buffer to write from than 16 KiB. */
static void held_while_it_waits(struct server *s)
{
	enum { N = 32 };
	static struct asker askers[N];
	struct fault why;
	transport_forget_connections(transport);
	run_for(20 * MS);
	const size_t before = mallinfo2().uordblks;
	for (int i = 0; i < N; i++) {
		aim(&askers[i], s, "/silent");
		askers[i].request.is_stream = true;
		struct secret *key = key_for(&askers[i]);
		is_err(begin(&askers[i], &patient, key, &why), OK, "one begins");
		secret_unref(key);
	}
	run_for(100 * MS);
	const size_t after = mallinfo2().uordblks;
	size_t ours = before; /* and what is the provider's */
	struct conn *c;
	LIST_EACH(s->conns, c)
		ours += sizeof *c + c->in.cap + c->out.cap;
	const size_t each = (after - ours) / N;
	is_int(s->n_open, N, "all are waited for");
	if (after < ours)
		skip("another allocator is not counted");
	else
		ok(each < 20 * KIB, "a stream that waits for its reply holds %zu bytes", each);
	for (int i = 0; i < N; i++) {
		struct transfer_end end;
		transfer_cancel(askers[i].transfer, &end);
		ok(end.has_sent_body, "its request has left");
		n_waited--;
		drop(&askers[i]);
	}
	run_for(20 * MS);
}

static void freed_under_way(struct server *s)
{
	static const char *const paths[] = {"/silent", "/stall", "/endless", "/drip", "/ok"};
	static struct asker a[COUNT_OF(paths) + 2];
	struct fault why;
	struct secret *key = NULL;
	for (size_t i = 0; i < COUNT_OF(a); i++) {
		aim(&a[i], s, paths[i < COUNT_OF(paths) ? i : 0]);
		if (!key)
			key = key_for(&a[i]);
		if (i == 2)
			a[i].pause_after = 1;
		if (i < COUNT_OF(paths) && begin(&a[i], &patient, key, &why))
			bail("%s", why.message);
	}
	run_for(50 * MS);
	if (begin(&a[COUNT_OF(paths)], &patient, key, &why))
		bail("%s", why.message);
	/* and one that waits for its name */
	struct asker *named = &a[COUNT_OF(paths) + 1];
	snprintf(named->origin, sizeof named->origin, "http://localhost:%d", s->port);
	snprintf(named->url, sizeof named->url, "%s/ok", named->origin);
	named->request.url = span_str(named->url);
	named->target.auth = AUTH_NONE;
	if (begin(named, &patient, NULL, &why))
		bail("%s", why.message);
	int n_before = 0, n_after = 0;
	for (size_t i = 0; i < COUNT_OF(a); i++)
		n_before += a[i].n_ends;
	transport_free(transport);
	secret_unref(key);
	n_waited = 0;
	run_for(50 * MS);
	for (size_t i = 0; i < COUNT_OF(a); i++) {
		n_after += a[i].n_ends;
		drop(&a[i]);
	}
	is_int(n_after, n_before, "a transport freed with transfers under way tells nobody");
	is_int(s->n_open, 0, "and closes its connections");
	struct fault gone;
	transport = transport_new(loop, workers, &gone);
	if (!transport)
		bail("%s", gone.message);
}

static void by_name(struct server *s)
{
	for (int i = 0; i < 2; i++) {
		struct asker a;
		aim(&a, s, "/ok");
		snprintf(a.origin, sizeof a.origin, "http://localhost:%d", s->port);
		snprintf(a.url, sizeof a.url, "%s/ok", a.origin);
		a.request.url = span_str(a.url);
		ask(&a, &patient);
		is_err(a.end.err, OK, "by name (%s)", a.end.why.message);
		drop(&a);
	}
}

static void no_such_name(void)
{
	/* a label that no name server can know, so that none is asked */
	static const char name[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid";
	for (int i = 0; i < 2; i++) {
		struct server nobody = {.port = 1};
		struct asker a;
		char origin[128], url[160];
		struct secret *key;
		struct fault why;
		aim(&a, &nobody, "/ok");
		snprintf(origin, sizeof origin, "https://%s:443", name);
		snprintf(url, sizeof url, "%s/ok", origin);
		a.request.url = span_str(url);
		if (secret_new(SPAN(KEY), span_str(origin), &key))
			bail("no secret");
		is_err(begin(&a, &patient, key, &why), OK, "a name that is none is tried");
		is_int(a.n_ends, 0, "and nothing is said at once");
		run();
		is_err(a.end.err, ERR_CONNECTION, "it is not found (%s)", a.end.why.message);
		is_str(a.end.why.code, "name", "and that is said");
		ok(!a.end.has_sent_body, "nothing was sent");
		secret_unref(key);
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
	the_request(&s);
	one_body_a_request(&s);
	a_host_that_died_with_it();
	a_connection_that_died_idle(&s);
	pauses(&s);
	cancels(&s);
	refusals(&s);
	not_public(&s);
	by_name(&s);
	no_such_name();
	late_to_connect(&s);
	late_to_send(&s);
	echoes(&s);
	bursts(&s);
	each_has_its_turn();
	a_thousand_at_once(&s);
	a_thousand_in_a_row(&s);
	held_while_it_waits(&s);
	freed_under_way(&s);
	server_stop(&s);
	server_stop(&other);
	close_all();
	return tap_done();
}
