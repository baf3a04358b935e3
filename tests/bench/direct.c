/* direct.c - what does a call cost without a broker?
 * The floor that the broker is measured against: the same question to the same provider, by one easy
 * handle of libcurl that is used again, or by a multi handle on libev with many calls in flight, each call
 * replaced as it ends; or by hand on one socket, with nothing of HTTP but what this provider needs.
 * One line of JSON on stdout. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/num.h"

#include "protocol/limits.h"
#include "tests/lib/bare.h"
#include "tests/lib/bench.h"
#include "tests/lib/gauge.h"

struct direct {
	/* the question */
	const char *url, *model, *header;
	int64_t prompt_bytes, calls, warm_ms, run_ms, cpu, watch;
	bool is_stream, is_easy, is_raw, is_hold;
	struct buf body;
	struct curl_slist *headers;
	/* the engine */
	struct bare multi;
	struct ev_loop *loop;
	ev_timer phase;
	struct transfer *transfers;
	/* what was seen */
	struct gauge gauge;
	uint64_t connections;
	int64_t first_tokens; /* streams that have begun */
	int64_t bare_rss;     /* before the first of them */
};

struct transfer {
	struct direct *d;
	CURL *easy;
	int64_t sent_ns;
	int64_t token_ns; /* when its last token came; 0: none did */
	struct bench_reader reader;
};

static void report(const struct direct *d)
{
	printf("{\"libcurl\": \"%s\", \"connections\": %" PRIu64 ", \"bare_rss_bytes\": %" PRId64
	       ", \"rss_bytes\": %" PRId64 ", ",
		curl_version_info(CURLVERSION_NOW)->version, d->connections, d->bare_rss,
		bench_rss_bytes());
	gauge_print(&d->gauge);
	printf("}\n");
}

/* ---- one transfer ---- */

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
	struct transfer *t = context;
	struct direct *d = t->d;
	struct span in = span_of(bytes, size * n);
	int64_t ns;
	if (!d->is_stream)
		return size * n;
	while (bench_next_stamp(&t->reader, &in, &ns)) {
		d->first_tokens += t->token_ns == 0;
		gauge_token(&d->gauge, t->sent_ns, ns, &t->token_ns);
	}
	return size * n;
}

static int on_opened(void *context, curl_socket_t fd, curlsocktype purpose)
{
	struct direct *d = context;
	(void)fd, (void)purpose;
	d->connections++;
	return CURL_SOCKOPT_OK;
}

static void transfer_init(struct transfer *t, struct direct *d)
{
	*t = (struct transfer){.d = d, .easy = curl_easy_init()};
	if (!t->easy)
		bench_die("libcurl gives no handle");
	BARE_SET(t->easy, CURLOPT_URL, d->url);
	BARE_SET(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	BARE_SET(t->easy, CURLOPT_HTTPHEADER, d->headers);
	BARE_SET(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)d->body.n);
	BARE_SET(t->easy, CURLOPT_POSTFIELDS, d->body.p);
	BARE_SET(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	BARE_SET(t->easy, CURLOPT_WRITEDATA, t);
	BARE_SET(t->easy, CURLOPT_PRIVATE, t);
	BARE_SET(t->easy, CURLOPT_SOCKOPTFUNCTION, on_opened);
	BARE_SET(t->easy, CURLOPT_SOCKOPTDATA, d);
	BARE_SET(t->easy, CURLOPT_NOSIGNAL, 1L);
	BARE_SET(t->easy, CURLOPT_PROXY, "");
}

static void transfer_ended(struct transfer *t, CURLcode result)
{
	struct direct *d = t->d;
	long status = 0;
	if (result != CURLE_OK)
		bench_die("%s: %s", d->url, curl_easy_strerror(result));
	if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
		status != 200)
		bench_die("%s answered with status %ld", d->url, status);
	gauge_call(&d->gauge, t->sent_ns);
}

/* ---- one at a time ---- */

static void run_easy(struct direct *d)
{
	struct transfer t;
	transfer_init(&t, d);
	const int64_t warm_ns = bench_now_ns() + d->warm_ms * 1000000;
	const int64_t end_ns = warm_ns + d->run_ms * 1000000;
	for (;;) {
		t.sent_ns = bench_now_ns();
		if (!d->gauge.is_on && t.sent_ns >= warm_ns)
			gauge_begin(&d->gauge);
		if (t.sent_ns >= end_ns)
			break;
		t.token_ns = 0;
		transfer_ended(&t, curl_easy_perform(t.easy));
	}
	report(d);
	curl_easy_cleanup(t.easy);
}

/* ---- by hand ---- */

/* One question at a time on one connection, waited for on libev as the broker's client waits. */
struct raw {
	struct direct *d;
	ev_io io;
	struct buf question, answer;
	int64_t sent_ns, warm_ns, end_ns;
};

/* How long the whole answer is, once its head is there; 0: it is not. */
static size_t raw_length(struct span answer)
{
	static const char mark[] = "\r\nContent-Length: ";
	const size_t head = span_find(answer, SPAN("\r\n\r\n"));
	const size_t at = span_find(answer, span_str(mark));
	int64_t n;
	if (head == answer.n)
		return 0;
	const struct span rest = span_skip(answer, at + strlen(mark));
	if (!span_starts(answer, SPAN("HTTP/1.1 200 ")) || at > head ||
		!num_i64(span_first(rest, span_index(rest, '\r')), &n) || n < 0)
		bench_die("the provider's answer is none that is read by hand");
	return head + 4 + (size_t)n;
}

static void raw_ask(struct raw *r)
{
	size_t sent = 0;
	r->sent_ns = bench_now_ns();
	if (!r->d->gauge.is_on && r->sent_ns >= r->warm_ns)
		gauge_begin(&r->d->gauge);
	if (r->sent_ns >= r->end_ns) {
		ev_break(r->d->loop, EVBREAK_ALL);
		return;
	}
	buf_clear(&r->answer);
	while (sent < r->question.n) {
		const ssize_t n =
			send(r->io.fd, r->question.p + sent, r->question.n - sent, MSG_NOSIGNAL);
		if (n < 0)
			bench_die("asking: %s", strerror(errno));
		sent += (size_t)n;
	}
}

static void on_raw(struct ev_loop *loop, ev_io *w, int events)
{
	struct raw *r = container_of(w, struct raw, io);
	char *room = buf_reserve(&r->answer, 64 * KIB);
	(void)loop, (void)events;
	if (!room)
		bench_die("out of memory");
	const ssize_t n = recv(w->fd, room, 64 * KIB, 0);
	if (n <= 0)
		bench_die("the provider hung up");
	buf_commit(&r->answer, (size_t)n);
	const size_t length = raw_length(buf_view(&r->answer));
	if (length == 0 || r->answer.n < length)
		return;
	gauge_call(&r->d->gauge, r->sent_ns);
	raw_ask(r);
}

static int raw_connect(struct span url, struct span *path)
{
	static const char start[] = "http://127.0.0.1:";
	const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t port;
	if (!span_starts(url, span_str(start)))
		bench_die("--raw is for %sPORT/PATH", start);
	const struct span rest = span_skip(url, strlen(start));
	*path = span_skip(rest, span_index(rest, '/'));
	if (!num_i64(span_first(rest, rest.n - path->n), &port) || port < 1 || port > 65535)
		bench_die("%.*s has no port", SPAN_ARG(url));
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
		bench_die("%.*s: %s", SPAN_ARG(url), strerror(errno));
	return fd;
}

static void run_raw(struct direct *d)
{
	struct raw r = {.d = d, .warm_ns = bench_now_ns() + d->warm_ms * 1000000};
	struct span path;
	const int fd = raw_connect(span_str(d->url), &path);
	r.end_ns = r.warm_ns + d->run_ms * 1000000;
	buf_init(&r.question, 2 * MIB);
	buf_init(&r.answer, 2 * MIB);
	buf_print(&r.question, "POST %.*s HTTP/1.1\r\nHost: 127.0.0.1\r\n", SPAN_ARG(path));
	for (const struct curl_slist *h = d->headers; h; h = h->next) {
		if (span_index(span_str(h->data), ' ') < strlen(h->data))
			buf_print(&r.question, "%s\r\n", h->data);
	}
	buf_print(&r.question, "Content-Length: %zu\r\n\r\n", d->body.n);
	buf_span(&r.question, buf_view(&d->body));
	if (buf_error(&r.question))
		bench_die("the question is too long");
	d->connections = 1;
	d->loop = ev_default_loop(EVFLAG_NOENV);
	ev_io_init(&r.io, on_raw, fd, EV_READ);
	ev_io_start(d->loop, &r.io);
	raw_ask(&r);
	ev_run(d->loop, 0);
	report(d);
	close(fd);
	buf_done(&r.question);
	buf_done(&r.answer);
}

/* ---- many at once ---- */

static void transfer_begin(struct transfer *t)
{
	t->sent_ns = bench_now_ns();
	t->token_ns = 0;
	bare_add(&t->d->multi, t->easy);
}

static void on_done(CURL *easy, CURLcode result)
{
	struct transfer *t = NULL;
	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) != CURLE_OK)
		bench_die("libcurl lost a transfer");
	transfer_ended(t, result);
	transfer_begin(t);
}

/* The end of the warm-up, and then of the measuring. */
static void on_phase(struct ev_loop *loop, ev_timer *w, int events)
{
	struct direct *d = container_of(w, struct direct, phase);
	(void)events;
	if (d->gauge.is_on) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	gauge_begin(&d->gauge);
	ev_timer_set(w, (double)d->run_ms * 1e-3, 0);
	ev_timer_start(loop, w);
}

/* Have all streams begun? */
static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
	const struct direct *d = container_of(w, struct direct, phase);
	(void)events;
	if (d->first_tokens >= d->calls)
		ev_break(loop, EVBREAK_ALL);
	else if (bench_now_ns() - d->gauge.began_ns > d->run_ms * 1000000)
		bench_die("only %" PRId64 " of %" PRId64 " streams began in time", d->first_tokens,
			d->calls);
}

static void run_multi(struct direct *d)
{
	d->loop = ev_default_loop(EVFLAG_NOENV);
	d->transfers = calloc((size_t)d->calls, sizeof *d->transfers);
	if (!d->loop || !d->transfers)
		bench_die("out of memory");
	d->multi = (struct bare){.loop = d->loop, .on_done = on_done};
	bare_init(&d->multi, d->calls, (size_t)d->calls * 2 + 256);
	if (d->is_hold) {
		ev_timer_init(&d->phase, on_look, 0.01, 0.01);
		gauge_begin(&d->gauge);
	} else {
		ev_timer_init(&d->phase, on_phase, (double)d->warm_ms * 1e-3, 0);
	}
	ev_timer_start(d->loop, &d->phase);
	d->bare_rss = bench_rss_bytes();
	for (int64_t i = 0; i < d->calls; i++) {
		transfer_init(&d->transfers[i], d);
		transfer_begin(&d->transfers[i]);
	}
	ev_run(d->loop, 0);
	report(d);
	for (int64_t i = 0; i < d->calls; i++) {
		bare_remove(&d->multi, d->transfers[i].easy);
		curl_easy_cleanup(d->transfers[i].easy);
	}
	bare_done(&d->multi);
	free(d->transfers);
}

int main(int argc, char **argv)
{
	static struct direct d = {.model = "bench-1",
		.prompt_bytes = 1024,
		.calls = 1,
		.warm_ms = 200,
		.run_ms = 1000,
		.cpu = -1};
	static const char *const headers[] = {"Content-Type: application/json",
		"Accept: application/json", "User-Agent: llm-broker-bench", "Expect:"};
	const struct bench_option options[] = {
		{"url",          NULL,            &d.url,    NULL,         0,  0,         "of the provider's chat endpoint"    },
		{"header",       NULL,            &d.header, NULL,         0,  0,         "another one, as NAME: VALUE"        },
		{"prompt-bytes", &d.prompt_bytes, NULL,      NULL,         0,  1048576,   "length of the question"             },
		{"calls",        &d.calls,        NULL,      NULL,         1,  100000,    "in flight at once"                  },
		{"easy",         NULL,            NULL,      &d.is_easy,   0,  0,         "one easy handle, one call at a time"},
		{"raw",          NULL,            NULL,      &d.is_raw,    0,  0,         "by hand, one call at a time"        },
		{"stream",       NULL,            NULL,      &d.is_stream, 0,  0,         "ask for streams"                    },
		{"hold",         NULL,            NULL,      &d.is_hold,   0,  0,         "end when all streams have begun"    },
		{"warm-ms",      &d.warm_ms,      NULL,      NULL,         1,  600000,    "not measured"                       },
		{"run-ms",       &d.run_ms,       NULL,      NULL,         1,  600000,    "measured"                           },
		{"watch",        &d.watch,        NULL,      NULL,         0,  INT32_MAX,
                 "the process whose time to take; 0: its own"                                                                  },
		{"pin",          &d.cpu,          NULL,      NULL,         -1, 1023,      "the processor to stay on"           },
	};
	bench_options(argc, argv, "a call with no broker", options, COUNT_OF(options));
	d.gauge.watched = (pid_t)d.watch;
	if (!d.url)
		bench_die("--url is missing");
	if (d.is_hold && !d.is_stream)
		bench_die("--hold is for --stream");
	signal(SIGPIPE, SIG_IGN);
	bench_pin(d.cpu);
	bench_raise_files();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		bench_die("libcurl does not start");
	buf_init(&d.body, 2 * MIB);
	bench_chat_body(&d.body, d.model, (size_t)d.prompt_bytes, d.is_stream);
	for (size_t i = 0; i < COUNT_OF(headers); i++) {
		d.headers = curl_slist_append(d.headers, headers[i]);
		if (!d.headers)
			bench_die("out of memory");
	}
	if (d.header && !(d.headers = curl_slist_append(d.headers, d.header)))
		bench_die("out of memory");
	if (d.is_raw)
		run_raw(&d);
	else if (d.is_easy)
		run_easy(&d);
	else
		run_multi(&d);
	curl_slist_free_all(d.headers);
	buf_done(&d.body);
	curl_global_cleanup();
	return EXIT_SUCCESS;
}
