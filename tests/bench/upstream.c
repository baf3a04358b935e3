/* upstream.c - what does a provider look like that takes no time at all?
 * It answers every chat request on 127.0.0.1 at once, over plain HTTP/1.1 that is kept alive: a
 * completion of 1.5 kB behind the headers that real ones send, or a stream of time-stamped pieces. Its
 * port is the first line of its output; it ends with its standard input. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/num.h"
#include "protocol/limits.h"
#include "tests/lib/bench.h"

#define LIMIT_HEAD    (16 * KIB)
#define LIMIT_REQUEST (4 * MIB)
#define SCRATCH       (256 * KIB)
#define HIGH_WATER    (64 * KIB) /* of what a stream has written and nobody has taken */

struct upstream {
	struct ev_loop *loop;
	ev_io accept, input;
	int64_t chunks, interval_us;
	struct buf whole; /* the complete reply to a request that wants no stream */
	struct buf head;  /* the head of a stream */
	char scratch[SCRATCH];
};

struct connection {
	struct upstream *up;
	ev_io io;
	ev_timer timer;
	struct buf in, out;
	size_t sent;     /* of `out` */
	int64_t left;    /* chunks to come */
	int64_t next_ns; /* when the next is due */
	bool is_streaming;
};

/* ---- what is said ---- */

static const char headers[] =
	"Server: cloudflare\r\n"
	"Connection: keep-alive\r\n"
	"access-control-expose-headers: X-Request-ID\r\n"
	"openai-organization: example-organization\r\n"
	"openai-processing-ms: 1\r\n"
	"openai-project: proj_0123456789abcdefghijkl\r\n"
	"openai-version: 2020-10-01\r\n"
	"x-envoy-upstream-service-time: 2\r\n"
	"x-ratelimit-limit-requests: 30000\r\n"
	"x-ratelimit-limit-tokens: 150000000\r\n"
	"x-ratelimit-remaining-requests: 29999\r\n"
	"x-ratelimit-remaining-tokens: 149999000\r\n"
	"x-ratelimit-reset-requests: 2ms\r\n"
	"x-ratelimit-reset-tokens: 0s\r\n"
	"x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
	"strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n";

static void make_whole(struct buf *out)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_REPLY_BYTES);
	buf_text(&body, "{\"id\":\"chatcmpl-0123456789abcdefghijklmnopqrs\","
			"\"object\":\"chat.completion\",\"created\":1760000000,"
			"\"model\":\"bench-1\",\"choices\":[{\"index\":0,\"message\":{"
			"\"role\":\"assistant\",\"content\":\"");
	bench_prompt(&body, 1000);
	buf_text(&body, "\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
			"\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":256,"
			"\"completion_tokens\":250,\"total_tokens\":506,"
			"\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
			"\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
			"\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},"
			"\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\"}");
	buf_print(out,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s"
		"Content-Length: %zu\r\n\r\n",
		headers, body.n);
	buf_span(out, buf_view(&body));
}

/* One event of a stream, in a chunk of its own. */
static void put_event(struct buf *out, struct span data)
{
	buf_print(out, "%zx\r\ndata: ", data.n + 8);
	buf_span(out, data);
	buf_text(out, "\n\n\r\n");
}

static void put_delta(struct buf *out, const char *delta, size_t n, const char *finish)
{
	char text[512];
	const int length = snprintf(text, sizeof text,
		"{\"id\":\"chatcmpl-0123456789abcdefghijklmnopqrs\","
		"\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
		"\"model\":\"bench-1\",\"service_tier\":\"default\","
		"\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,"
		"\"delta\":{%.*s},\"logprobs\":null,\"finish_reason\":%s}],\"usage\":null}",
		(int)n, delta, finish);
	put_event(out, span_of(text, (size_t)length));
}

static void put_token(struct buf *out)
{
	char delta[] = "\"content\":\"@0123456789012345678 \"";
	char *at = strchr(delta, '@');
	bench_stamp(at, bench_now_ns());
	put_delta(out, delta, sizeof delta - 1, "null");
}

static void put_start(struct buf *out)
{
	const struct span role = SPAN("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
	put_delta(out, role.p, role.n, "null");
}

static void put_end(struct buf *out, int64_t tokens)
{
	char usage[512];
	put_delta(out, "", 0, "\"stop\"");
	const int n = snprintf(usage, sizeof usage,
		"{\"id\":\"chatcmpl-0123456789abcdefghijklmnopqrs\","
		"\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
		"\"model\":\"bench-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":256,"
		"\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}}",
		tokens, tokens + 256);
	put_event(out, span_of(usage, (size_t)n));
	put_event(out, SPAN("[DONE]"));
	buf_text(out, "0\r\n\r\n");
}

static void put_error(struct buf *out, const char *status, const char *message)
{
	OWNED(buf_done) struct buf body = BUF_INIT(4 * KIB);
	buf_print(&body, "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\"}}",
		message);
	buf_print(out,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		status, body.n);
	buf_span(out, buf_view(&body));
}

/* ---- a connection ---- */

static void connection_close(struct connection *c)
{
	ev_io_stop(c->up->loop, &c->io);
	ev_timer_stop(c->up->loop, &c->timer);
	close(c->io.fd);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

static void watch(struct connection *c, int events)
{
	if (c->io.events == events)
		return;
	ev_io_stop(c->up->loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(c->up->loop, &c->io);
}

/* Writes what waits. False: the connection is gone. */
static bool connection_flush(struct connection *c)
{
	while (c->sent < c->out.n) {
		const ssize_t n =
			send(c->io.fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			connection_close(c);
			return false;
		}
		c->sent += (size_t)n;
	}
	if (c->sent == c->out.n) {
		/* a stream that waits holds nothing: thousands of them are to cost little */
		buf_done(&c->out);
		buf_init(&c->out, LIMIT_REPLY_BYTES);
		c->sent = 0;
	}
	watch(c, c->sent < c->out.n ? EV_READ | EV_WRITE : EV_READ);
	return true;
}

/* Writes the chunks that are due and sets the timer for the next. */
static bool connection_stream(struct connection *c)
{
	struct upstream *up = c->up;
	for (;;) {
		const int64_t now_ns = bench_now_ns();
		while (c->left > 0 && c->next_ns <= now_ns && c->out.n - c->sent < HIGH_WATER) {
			put_token(&c->out);
			c->left--;
			c->next_ns += up->interval_us * 1000;
		}
		const bool is_over = c->left == 0;
		if (is_over) {
			put_end(&c->out, up->chunks);
			c->is_streaming = false;
		}
		if (!connection_flush(c))
			return false;
		if (is_over || c->sent < c->out.n)
			break; /* on_ready goes on when there is room */
		if (c->next_ns > now_ns) {
			ev_now_update(up->loop);
			ev_timer_stop(up->loop, &c->timer);
			ev_timer_set(&c->timer, (double)(c->next_ns - now_ns) * 1e-9, 0);
			ev_timer_start(up->loop, &c->timer);
			break;
		}
	}
	return true;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct connection *c = container_of(w, struct connection, timer);
	(void)loop, (void)events;
	connection_stream(c);
}

static bool wants_stream(struct span body)
{
	return span_find(body, SPAN("\"stream\":true")) < body.n ||
	       span_find(body, SPAN("\"stream\": true")) < body.n;
}

/* Content-Length of a head, or -1. */
static int64_t body_length(struct span head)
{
	int64_t length = -1;
	while (head.n > 0) {
		struct span value = span_trim(span_cut(&head, '\n'));
		const struct span name = span_cut(&value, ':');
		if (span_is_nocase(name, "content-length") && !num_i64(span_trim(value), &length))
			return -1;
	}
	return length;
}

/* Takes the next whole request out of `in`. False: it is not there yet. */
static bool take_request(struct connection *c, struct span *in, bool *is_alive)
{
	const size_t end = span_find(*in, SPAN("\r\n\r\n"));
	const struct span head = span_first(*in, end);
	const char *error = NULL;
	int64_t length = 0;
	if (end == in->n && end < LIMIT_HEAD)
		return false;
	if (end == in->n)
		error = "431 Request Header Fields Too Large";
	else if (!span_starts(head, SPAN("POST /v1/chat/completions")))
		error = "404 Not Found";
	else if ((length = body_length(head)) < 0)
		error = "411 Length Required";
	else if ((size_t)length > LIMIT_REQUEST)
		error = "413 Content Too Large";
	if (error) {
		put_error(&c->out, error,
			"this provider only knows POST /v1/chat/completions "
			"with a Content-Length of at most 4 MiB");
		if (connection_flush(c))
			connection_close(c);
		*is_alive = false;
		return false;
	}
	if (in->n - end - 4 < (size_t)length)
		return false;
	const struct span body = span_first(span_skip(*in, end + 4), (size_t)length);
	*in = span_skip(*in, end + 4 + (size_t)length);
	if (wants_stream(body)) {
		buf_span(&c->out, buf_view(&c->up->head));
		put_start(&c->out);
		c->is_streaming = true;
		c->left = c->up->chunks;
		c->next_ns = bench_now_ns();
		*is_alive = connection_stream(c);
	} else {
		buf_span(&c->out, buf_view(&c->up->whole));
		*is_alive = connection_flush(c);
	}
	return *is_alive;
}

/* The reply of a request usually comes whole: then nothing is copied and nothing kept. */
static void connection_read(struct connection *c)
{
	char *scratch = c->up->scratch;
	const ssize_t n = recv(c->io.fd, scratch, SCRATCH, 0);
	bool is_alive = true;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		connection_close(c);
		return;
	}
	struct span in = span_of(scratch, (size_t)n);
	if (c->in.n > 0) {
		buf_span(&c->in, in);
		in = buf_view(&c->in);
	}
	while (in.n > 0 && !c->is_streaming && take_request(c, &in, &is_alive))
		;
	if (!is_alive)
		return;
	if (c->in.n > 0) {
		buf_drop(&c->in, c->in.n - in.n);
		if (c->in.n == 0)
			buf_done(&c->in);
	} else {
		buf_span(&c->in, in);
	}
	if (buf_error(&c->in) != OK)
		connection_close(c);
}

static void on_ready(struct ev_loop *loop, ev_io *w, int events)
{
	struct connection *c = container_of(w, struct connection, io);
	(void)loop;
	if (events & EV_WRITE) {
		if (!connection_flush(c))
			return;
		if (c->is_streaming && c->sent == c->out.n && !connection_stream(c))
			return;
	}
	if (events & EV_READ)
		connection_read(c);
}

/* ---- the process ---- */

static void connection_open(struct upstream *up, int fd)
{
	const int on = 1;
	struct connection *c = calloc(1, sizeof *c);
	if (!c)
		bench_die("out of memory");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		bench_die("TCP_NODELAY: %s", strerror(errno));
	c->up = up;
	buf_init(&c->in, LIMIT_HEAD + LIMIT_REQUEST);
	buf_init(&c->out, LIMIT_REPLY_BYTES);
	ev_timer_init(&c->timer, on_timer, 0, 0);
	ev_io_init(&c->io, on_ready, fd, EV_READ);
	ev_io_start(up->loop, &c->io);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	struct upstream *up = container_of(w, struct upstream, accept);
	(void)loop, (void)events;
	for (;;) {
		const int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			connection_open(up, fd);
		else if (errno == EAGAIN || errno == ECONNABORTED)
			return;
		else
			bench_die("accept: %s", strerror(errno));
	}
}

static void on_input(struct ev_loop *loop, ev_io *w, int events)
{
	char bytes[64];
	(void)events;
	if (read(w->fd, bytes, sizeof bytes) <= 0)
		ev_break(loop, EVBREAK_ALL);
}

static int listen_on(int64_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
		.sin_port = htons((uint16_t)port)};
	socklen_t size = sizeof at;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 4096) != 0 ||
		getsockname(fd, (struct sockaddr *)&at, &size) != 0)
		bench_die("port %" PRId64 ": %s", port, strerror(errno));
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	static struct upstream up = {.chunks = 100, .interval_us = 20000};
	int64_t port = 0, cpu = -1;
	const struct bench_option options[] = {
		{"port",        &port,           NULL, NULL, 0,  65535,      "0: any that is free"     },
		{"pin",         &cpu,            NULL, NULL, -1, 1023,       "the processor to stay on"},
		{"chunks",      &up.chunks,      NULL, NULL, 1,  1000000000, "pieces of a stream"      },
		{"interval-us", &up.interval_us, NULL, NULL, 0,  1000000000, "between two; 0: none"    },
	};
	bench_options(argc, argv, "a provider that takes no time", options, COUNT_OF(options));
	signal(SIGPIPE, SIG_IGN);
	bench_pin(cpu);
	bench_raise_files();
	buf_init(&up.whole, LIMIT_REPLY_BYTES);
	buf_init(&up.head, LIMIT_HEAD);
	make_whole(&up.whole);
	buf_print(&up.head,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
		"%sTransfer-Encoding: chunked\r\n\r\n",
		headers);
	if (buf_error(&up.whole) != OK || buf_error(&up.head) != OK)
		bench_die("out of memory");
	up.loop = ev_default_loop(EVFLAG_NOENV);
	if (!up.loop)
		bench_die("libev does not start");
	ev_io_init(&up.accept, on_accept, listen_on(port), EV_READ);
	ev_io_start(up.loop, &up.accept);
	ev_io_init(&up.input, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(up.loop, &up.input);
	ev_run(up.loop, 0);
	return EXIT_SUCCESS;
}
