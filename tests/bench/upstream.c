/* upstream.c - what does a provider look like that takes no time at all?
 * It answers every chat request on 127.0.0.1 at once, over plain HTTP/1.1 that is kept alive: a
 * completion of 1.5 kB behind the headers that real ones send, or a stream of time-stamped pieces. Of
 * so many requests it may spoil one, in each way in turn, and it keeps a bill: a line for each request
 * that came whole, with its id, what was done, and the tokens that were told. Its port is the first
 * line of its output; it ends with its standard input, and then says how many connections there were. */
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
#define INPUT_TOKENS  256
#define LATE_S        0.1

enum fate {
	FATE_WELL,
	FATE_LATE,    /* well, after LATE_S */
	FATE_LIMITED, /* 429 */
	FATE_BROKEN,  /* 500 */
	FATE_CUT,     /* in the middle of an answer */
	FATE_GARBLED, /* an answer that nobody can read */
	FATE_RESET,   /* no answer */
	FATE_COUNT,
};
static const char *const fate_words[FATE_COUNT] = {
	"well", "late", "limited", "broken", "cut", "garbled", "reset"};

struct upstream {
	struct ev_loop *loop;
	ev_io accept, input;
	int64_t chunks, interval_us;
	int64_t connections; /* taken so far */
	int64_t faulty;      /* of so many requests one is spoilt; 0: none */
	int64_t requests;    /* that came whole */
	FILE *bill;          /* NULL: nobody asks for it */
	struct buf whole;    /* the complete reply to a request that wants no stream */
	struct buf head;     /* the head of a stream */
	size_t whole_id, whole_output, whole_total, head_id; /* where they have what differs */
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
	int64_t number;  /* of the request that is answered, from 1 on */
	enum fate fate;  /* what becomes of it */
	bool is_streaming;
	bool is_late; /* the answer waits */
	bool wants_stream;
};

/* ---- what is said ---- */

/* what stands where an answer differs from others */
#define ID     "================"
#define OUTPUT "###"
#define TOTAL  "++++"

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
	"x-request-id: req_0123456789abcdef" ID "\r\n"
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
			"\"completion_tokens\":" OUTPUT ",\"total_tokens\":" TOTAL ","
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

static void put_json(struct connection *c, const char *status, struct span body)
{
	buf_print(&c->out,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"x-request-id: req_0123456789abcdef%016" PRIx64 "\r\n\r\n",
		status, body.n, (uint64_t)c->number);
	buf_span(&c->out, body);
}

static void put_error(struct connection *c, const char *status, const char *message)
{
	OWNED(buf_done) struct buf body = BUF_INIT(4 * KIB);
	buf_print(&body, "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\"}}",
		message);
	put_json(c, status, buf_view(&body));
}

/* No two neighbours have as many. */
static int64_t output_tokens(const struct connection *c)
{
	return 100 + c->number % 900;
}

/* Writes a request's line, once; `done` is what became of it. */
static void bill(struct connection *c, const char *done, int64_t input, int64_t output)
{
	if (c->up->bill &&
		fprintf(c->up->bill,
			"req_0123456789abcdef%016" PRIx64 " %s %" PRId64 " %" PRId64 "\n",
			(uint64_t)c->number, done, input, output) < 0)
		bench_die("the bill: %s", strerror(errno));
}

static void bill_told(struct connection *c)
{
	bill(c, fate_words[c->fate], INPUT_TOKENS, output_tokens(c));
}

static void write_over(struct buf *made, size_t at, struct span digits)
{
	memcpy(made->p + at, digits.p, digits.n);
}

/* Appends one of the answers that were made before, with this request's own id. */
static void put_made(struct connection *c, struct buf *made, size_t id)
{
	char digits[24];
	snprintf(digits, sizeof digits, "%016" PRIx64, (uint64_t)c->number);
	write_over(made, id, span_str(digits));
	buf_span(&c->out, buf_view(made));
}

static void put_whole(struct connection *c)
{
	struct upstream *up = c->up;
	char digits[24];
	snprintf(digits, sizeof digits, "%" PRId64, output_tokens(c));
	write_over(&up->whole, up->whole_output, span_str(digits));
	snprintf(digits, sizeof digits, "%4" PRId64, INPUT_TOKENS + output_tokens(c));
	write_over(&up->whole, up->whole_total, span_str(digits));
	put_made(c, &up->whole, up->whole_id);
}

/* ---- a connection ---- */

static void connection_close(struct connection *c)
{
	if (c->is_streaming || c->is_late)
		bill(c, "gone", 0, 0);
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
			put_end(&c->out, output_tokens(c));
			bill_told(c);
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

/* Answers as it should be. False: the connection is gone. */
static bool connection_answer(struct connection *c)
{
	if (!c->wants_stream) {
		put_whole(c);
		bill_told(c);
		return connection_flush(c);
	}
	put_made(c, &c->up->head, c->up->head_id);
	put_start(&c->out);
	c->is_streaming = true;
	c->left = c->up->chunks;
	c->next_ns = bench_now_ns();
	return connection_stream(c);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct connection *c = container_of(w, struct connection, timer);
	(void)loop, (void)events;
	if (c->is_late) {
		c->is_late = false;
		connection_answer(c);
	} else {
		connection_stream(c);
	}
}

/* Writes what can be written, and ends the connection. */
static bool connection_end(struct connection *c)
{
	if (connection_flush(c))
		connection_close(c);
	return false;
}

static bool answer_cut(struct connection *c)
{
	if (c->wants_stream) {
		put_made(c, &c->up->head, c->up->head_id);
		put_start(&c->out);
		put_token(&c->out);
	} else {
		put_whole(c);
		c->out.n -= 700; /* in the middle of the text */
	}
	return connection_end(c);
}

static bool answer_garbled(struct connection *c)
{
	if (c->wants_stream) {
		put_made(c, &c->up->head, c->up->head_id);
		put_event(&c->out, SPAN("{\"choices\":[{\"index\":0,\"delta\":{\"con"));
		buf_text(&c->out, "0\r\n\r\n");
	} else {
		put_json(c, "200 OK", SPAN("{\"choices\":[{\"index\":0,\"mess"));
	}
	return connection_flush(c);
}

static bool answer_reset(struct connection *c)
{
	const struct linger at_once = {.l_onoff = 1};
	if (setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0)
		bench_die("SO_LINGER: %s", strerror(errno));
	connection_close(c);
	return false;
}

/* Does to a whole request what is its fate. False: the connection is gone. */
static bool connection_fate(struct connection *c)
{
	struct upstream *up = c->up;
	c->number = ++up->requests;
	c->fate = FATE_WELL;
	if (up->faulty > 0 && c->number % up->faulty == 0)
		c->fate = (enum fate)(1 + c->number / up->faulty % (FATE_COUNT - 1));
	if (c->fate > FATE_LATE)
		bill(c, fate_words[c->fate], 0, 0);
	switch (c->fate) {
	case FATE_LATE:
		c->is_late = true;
		ev_timer_set(&c->timer, LATE_S, 0);
		ev_timer_start(up->loop, &c->timer);
		return true;
	case FATE_LIMITED:
		put_error(c, "429 Too Many Requests", "not so fast");
		return connection_flush(c);
	case FATE_BROKEN:
		put_error(c, "500 Internal Server Error", "something broke here");
		return connection_flush(c);
	case FATE_CUT:
		return answer_cut(c);
	case FATE_GARBLED:
		return answer_garbled(c);
	case FATE_RESET:
		return answer_reset(c);
	case FATE_WELL:
	case FATE_COUNT:
		break;
	}
	return connection_answer(c);
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
		put_error(c, error,
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
	c->wants_stream = wants_stream(body);
	*is_alive = connection_fate(c);
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
	while (in.n > 0 && !c->is_streaming && !c->is_late && take_request(c, &in, &is_alive))
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
	up->connections++;
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

/* Where a made answer has what differs. */
static size_t place_of(const struct buf *made, const char *what)
{
	const size_t at = span_find(buf_view(made), span_str(what));
	if (at == made->n)
		bench_die("an answer without its %s", what);
	return at;
}

static void make_answers(struct upstream *up)
{
	buf_init(&up->whole, LIMIT_REPLY_BYTES);
	buf_init(&up->head, LIMIT_HEAD);
	make_whole(&up->whole);
	buf_print(&up->head,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
		"%sTransfer-Encoding: chunked\r\n\r\n",
		headers);
	if (buf_error(&up->whole) != OK || buf_error(&up->head) != OK)
		bench_die("out of memory");
	up->whole_id = place_of(&up->whole, ID);
	up->whole_output = place_of(&up->whole, OUTPUT);
	up->whole_total = place_of(&up->whole, TOTAL);
	up->head_id = place_of(&up->head, ID);
}

int main(int argc, char **argv)
{
	static struct upstream up = {.chunks = 100, .interval_us = 20000};
	const char *bill_path = NULL;
	int64_t port = 0, cpu = -1;
	const struct bench_option options[] = {
		{"port",        &port,           NULL,       NULL, 0,  65535,      "0: any that is free"     },
		{"pin",         &cpu,            NULL,       NULL, -1, 1023,       "the processor to stay on"},
		{"chunks",      &up.chunks,      NULL,       NULL, 1,  1000000000, "pieces of a stream"      },
		{"interval-us", &up.interval_us, NULL,       NULL, 0,  1000000000, "between two; 0: none"    },
		{"faulty",      &up.faulty,      NULL,       NULL, 0,  1000000000,
                 "of so many requests one is spoilt"                                                         },
		{"bill",        NULL,            &bill_path, NULL, 0,  0,          "a file for what is owed" },
	};
	bench_options(argc, argv, "a provider that takes no time", options, COUNT_OF(options));
	signal(SIGPIPE, SIG_IGN);
	bench_pin(cpu);
	bench_raise_files();
	make_answers(&up);
	if (bill_path && !(up.bill = fopen(bill_path, "we")))
		bench_die("%s: %s", bill_path, strerror(errno));
	up.loop = ev_default_loop(EVFLAG_NOENV);
	if (!up.loop)
		bench_die("libev does not start");
	ev_io_init(&up.accept, on_accept, listen_on(port), EV_READ);
	ev_io_start(up.loop, &up.accept);
	ev_io_init(&up.input, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(up.loop, &up.input);
	ev_run(up.loop, 0);
	if (up.bill && fclose(up.bill) != 0)
		bench_die("the bill: %s", strerror(errno));
	printf("{\"connections\": %" PRId64 "}\n", up.connections);
	return EXIT_SUCCESS;
}
