/* floor.c - what is the least that a broker can cost?
 * Frames of the wire come in over a Unix socket, each call's body goes out as one POST by libcurl, and
 * what comes back goes to the client as it comes. It believes everybody: no routing, no limits, no
 * accounting, no cache, no translation, so that it takes relayed calls alone. With --hit an answer that
 * was given before is given again from memory, under the keyed hash of its question. It listens when its
 * first line is out, and ends with its standard input. */
#include <curl/curl.h>
#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/base/table.h"
#include "protocol/control.h"
#include "protocol/frame.h"
#include "tests/lib/bare.h"
#include "tests/lib/bench.h"

#define SCRATCH     (256 * KIB)
#define DESCRIPTORS ((size_t)65536)
#define TRANSFERS   4096

struct answer {
	TABLE_LINK;
	unsigned char hash[crypto_generichash_BYTES];
	struct buf body;
};

struct broker {
	const char *socket, *url, *ca;
	int64_t cpu;
	bool is_hit;
	struct ev_loop *loop;
	struct bare multi;
	struct curl_slist *headers;
	ev_io accept, input;
	ev_prepare before_waiting;
	struct transfer *idle;  /* with a handle that is used again */
	struct client *waiting; /* who has something to be written */
	struct answer *answers;
	char scratch[SCRATCH];
};

struct client {
	struct client *next_waiting;
	struct broker *b;
	ev_io io;
	struct buf in, out;
	size_t sent, open; /* of `out`; calls */
	bool is_waiting, is_gone;
};

struct transfer {
	struct transfer *next_idle;
	struct broker *b;
	CURL *easy;
	struct client *client;
	uint32_t call;
	struct buf question;
	struct answer *kept; /* where the answer is kept, too */
};

/* ---- to a client ---- */

static void client_free(struct client *c)
{
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

/* It is gone. What it asked for ends by itself, and takes it along. */
static void client_close(struct client *c)
{
	if (c->is_gone)
		return;
	ev_io_stop(c->b->loop, &c->io);
	close(c->io.fd);
	c->is_gone = true;
	if (c->open == 0 && !c->is_waiting)
		client_free(c);
}

static void client_wants_out(struct client *c)
{
	if (c->is_waiting)
		return;
	c->is_waiting = true;
	c->next_waiting = c->b->waiting;
	c->b->waiting = c;
}

static void client_flush(struct client *c)
{
	while (c->sent < c->out.n) {
		const ssize_t n = send(c->io.fd, c->out.p + c->sent, c->out.n - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			client_close(c);
			return;
		}
		c->sent += (size_t)n;
	}
	if (c->sent == c->out.n) {
		buf_clear(&c->out);
		c->sent = 0;
	}
	const int events = EV_READ | (c->sent < c->out.n ? EV_WRITE : 0);
	if (c->io.events != events) {
		ev_io_stop(c->b->loop, &c->io);
		ev_io_set(&c->io, c->io.fd, events);
		ev_io_start(c->b->loop, &c->io);
	}
}

/* Once a turn of the loop, however much there is for one of them. */
static void on_before_waiting(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct broker *b = container_of(w, struct broker, before_waiting);
	(void)loop, (void)events;
	while (b->waiting) {
		struct client *c = b->waiting;
		b->waiting = c->next_waiting;
		if (!c->is_gone)
			client_flush(c);
		c->is_waiting = false;
		if (c->is_gone && c->open == 0)
			client_free(c);
	}
}

static void client_event(struct client *c, uint32_t call, const struct llm_event *e)
{
	if (c->is_gone)
		return;
	const size_t mark = frame_begin(&c->out, (enum frame_type)event_frame_type(e->type), call);
	event_pack(e, &c->out);
	if (frame_finish(&c->out, mark) != OK)
		bench_die("a client does not read");
	client_wants_out(c);
}

static void client_raw(struct client *c, uint32_t call, struct span bytes)
{
	while (bytes.n > 0) {
		const struct span piece = span_first(bytes, LIMIT_DATA_BYTES);
		client_event(c, call, &(struct llm_event){.type = EV_RAW, .text = piece});
		bytes = span_skip(bytes, piece.n);
	}
}

static void client_end(struct client *c, uint32_t call)
{
	const struct reply_end end = {
		.usage = USAGE_UNKNOWN, .ttft_us = -1, .attempts = 1, .cached = CACHED_NOT};
	client_event(c, call, &(struct llm_event){.type = EV_END, .end = end});
}

/* ---- to the provider ---- */

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
	struct transfer *t = context;
	const struct span in = span_of(bytes, size * n);
	if (t->client->is_gone)
		return 0; /* ends the transfer */
	if (t->kept)
		buf_span(&t->kept->body, in);
	client_raw(t->client, t->call, in);
	return in.n;
}

static struct transfer *transfer_new(struct broker *b)
{
	struct transfer *t = calloc(1, sizeof *t);
	if (!t || !(t->easy = curl_easy_init()))
		bench_die("libcurl gives no handle");
	t->b = b;
	buf_init(&t->question, LIMIT_INLINE_BYTES);
	BARE_SET(t->easy, CURLOPT_URL, b->url);
	BARE_SET(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	BARE_SET(t->easy, CURLOPT_HTTPHEADER, b->headers);
	BARE_SET(t->easy, CURLOPT_POST, 1L);
	BARE_SET(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	BARE_SET(t->easy, CURLOPT_WRITEDATA, t);
	BARE_SET(t->easy, CURLOPT_PRIVATE, t);
	BARE_SET(t->easy, CURLOPT_NOSIGNAL, 1L);
	BARE_SET(t->easy, CURLOPT_PROXY, "");
	BARE_SET(t->easy, CURLOPT_CAPATH, NULL);
	if (b->ca)
		BARE_SET(t->easy, CURLOPT_CAINFO, b->ca);
	return t;
}

static void transfer_begin(struct client *c, uint32_t call, struct span body, struct answer *kept)
{
	struct broker *b = c->b;
	struct transfer *t = b->idle;
	if (t)
		b->idle = t->next_idle;
	else
		t = transfer_new(b);
	t->client = c;
	t->call = call;
	t->kept = kept;
	c->open++;
	buf_clear(&t->question);
	buf_span(&t->question, body);
	if (buf_error(&t->question) != OK)
		bench_die("a question is too long");
	BARE_SET(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->question.n);
	BARE_SET(t->easy, CURLOPT_POSTFIELDS, t->question.p);
	bare_add(&b->multi, t->easy);
}

static void on_done(CURL *easy, CURLcode result)
{
	struct transfer *t = NULL;
	long status = 0;
	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) != CURLE_OK ||
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		bench_die("libcurl lost a transfer");
	struct client *c = t->client;
	if (!c->is_gone && (result != CURLE_OK || status != 200))
		bench_die("%s: status %ld, %s", t->b->url, status, curl_easy_strerror(result));
	client_end(c, t->call);
	c->open--;
	if (c->is_gone && c->open == 0 && !c->is_waiting)
		client_free(c);
	t->client = NULL;
	t->next_idle = t->b->idle;
	t->b->idle = t;
}

/* ---- from memory ---- */

/* Answers what was answered before. False: *kept is where the answer is to go. */
static bool answer_again(struct client *c, uint32_t call, struct span body, struct answer **kept)
{
	static const unsigned char key[crypto_generichash_KEYBYTES] = {1};
	unsigned char hash[crypto_generichash_BYTES];
	struct answer *a = NULL;
	crypto_generichash(
		hash, sizeof hash, (const unsigned char *)body.p, body.n, key, sizeof key);
	TABLE_FIND(c->b->answers, a, hash, sizeof hash);
	if (a && a->body.n > 0) {
		client_raw(c, call, buf_view(&a->body));
		client_end(c, call);
		return true;
	}
	if (!a) {
		a = calloc(1, sizeof *a);
		if (!a)
			bench_die("out of memory");
		memcpy(a->hash, hash, sizeof hash);
		buf_init(&a->body, LIMIT_REPLY_BYTES);
		TABLE_ADD(c->b->answers, a, a->hash, sizeof a->hash);
		*kept = a; /* who asks the same meanwhile asks the provider as well */
	}
	return false;
}

/* ---- from a client ---- */

static void say_welcome(struct client *c)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_FRAME_BYTES);
	welcome_pack(&(struct welcome){.version = PROTOCOL_VERSION,
			     .broker = SPAN("llm-broker-bench"),
			     .identity = SPAN("{}"),
			     .credit_bytes = (int64_t)LIMIT_CREDIT_BYTES,
			     .max_body_bytes = (int64_t)LIMIT_INLINE_BYTES},
		&body);
	if (frame_put(&c->out, FRAME_WELCOME, 0, buf_view(&body)) != OK)
		bench_die("no room for a welcome");
	client_wants_out(c);
}

static void client_call(struct client *c, const struct frame *f)
{
	OWNED(arena_done) struct arena arena;
	struct call call = CALL_INIT;
	struct fault why = FAULT_NONE;
	struct answer *kept = NULL;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	if (call_unpack(f->body, &arena, &call, &why) != OK)
		bench_die("a call cannot be read: %s", why.message);
	if (call.kind != CALL_RELAY)
		bench_die("only relayed calls are taken here");
	if (!c->b->is_hit || !answer_again(c, f->call, call.body, &kept))
		transfer_begin(c, f->call, call.body, kept);
}

/* Credit and all else is passed over: what is on its way is never much. */
static void client_frame(struct client *c, const struct frame *f)
{
	if (f->type == FRAME_HELLO)
		say_welcome(c);
	else if (f->type == FRAME_CALL)
		client_call(c, f);
}

static void client_read(struct client *c)
{
	const ssize_t n = recv(c->io.fd, c->b->scratch, SCRATCH, MSG_DONTWAIT);
	struct frame frame;
	struct fault why = FAULT_NONE;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	struct span in = span_of(c->b->scratch, (size_t)n);
	if (c->in.n > 0) {
		buf_span(&c->in, in);
		in = buf_view(&c->in);
	}
	while (frame_take(&in, &frame, NULL, &why) == OK)
		client_frame(c, &frame);
	if (c->in.n > 0)
		buf_drop(&c->in, c->in.n - in.n);
	else
		buf_span(&c->in, in);
	if (buf_error(&c->in) != OK)
		bench_die("a client sends what is no frame");
}

static void on_client_ready(struct ev_loop *loop, ev_io *w, int events)
{
	struct client *c = container_of(w, struct client, io);
	(void)loop;
	if (events & EV_WRITE)
		client_wants_out(c);
	if (events & EV_READ)
		client_read(c);
}

/* ---- the process ---- */

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	struct broker *b = container_of(w, struct broker, accept);
	int fd;
	(void)events;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *c = calloc(1, sizeof *c);
		if (!c)
			bench_die("out of memory");
		c->b = b;
		buf_init(&c->in, 2 * LIMIT_FRAME_BYTES);
		buf_init(&c->out, LIMIT_CREDIT_MAX_BYTES);
		ev_io_init(&c->io, on_client_ready, fd, EV_READ);
		ev_io_start(loop, &c->io);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		bench_die("accept: %s", strerror(errno));
}

static void on_input(struct ev_loop *loop, ev_io *w, int events)
{
	char bytes[64];
	(void)events;
	if (read(w->fd, bytes, sizeof bytes) <= 0)
		ev_break(loop, EVBREAK_ALL);
}

static int listen_on(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (!path || strlen(path) >= sizeof at.sun_path)
		bench_die("--socket is missing, or too long a path");
	memcpy(at.sun_path, path, strlen(path) + 1);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
		bench_die("%s: %s", path, strerror(errno));
	return fd;
}

static void start(struct broker *b)
{
	static const char *const headers[] = {"Content-Type: application/json",
		"Accept: application/json", "User-Agent: llm-broker-bench", "Expect:"};
	for (size_t i = 0; i < COUNT_OF(headers); i++) {
		b->headers = curl_slist_append(b->headers, headers[i]);
		if (!b->headers)
			bench_die("out of memory");
	}
	b->loop = ev_default_loop(EVFLAG_NOENV);
	if (!b->loop)
		bench_die("libev does not start");
	b->multi = (struct bare){.loop = b->loop, .on_done = on_done};
	bare_init(&b->multi, TRANSFERS, DESCRIPTORS);
	ev_io_init(&b->accept, on_accept, listen_on(b->socket), EV_READ);
	ev_io_start(b->loop, &b->accept);
	ev_io_init(&b->input, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(b->loop, &b->input);
	ev_prepare_init(&b->before_waiting, on_before_waiting);
	ev_prepare_start(b->loop, &b->before_waiting);
	printf("{\"ready\": 1}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct broker b = {.cpu = -1};
	const struct bench_option options[] = {
		{"socket", NULL,   &b.socket, NULL,      0,  0,    "where to listen"                 },
		{"url",    NULL,   &b.url,    NULL,      0,  0,    "of the provider's chat endpoint" },
		{"ca",     NULL,   &b.ca,     NULL,      0,  0,    "the certificates to trust"       },
		{"hit",    NULL,   NULL,      &b.is_hit, 0,  0,    "give what was given, from memory"},
		{"pin",    &b.cpu, NULL,      NULL,      -1, 1023, "the processor to stay on"        },
	};
	bench_options(argc, argv, "the least broker", options, COUNT_OF(options));
	if (!b.url)
		bench_die("--url is missing");
	signal(SIGPIPE, SIG_IGN);
	bench_pin(b.cpu);
	bench_raise_files();
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		bench_die("libsodium or libcurl does not start");
	start(&b);
	ev_run(b.loop, 0);
	(void)unlink(b.socket);
	return EXIT_SUCCESS;
}
