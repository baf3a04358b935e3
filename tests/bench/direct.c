/* direct.c - what does a call cost with libcurl alone?
 * The floor that the broker is measured against: the same question to the same provider, by one easy
 * handle that is used again, or by a multi handle on libev with many calls in flight, each call
 * replaced as it ends. One line of JSON on stdout. */
#include <curl/curl.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/bench.h"
#include "tests/lib/gauge.h"

struct direct {
	/* the question */
	const char *url, *model, *header;
	int64_t prompt_bytes, calls, warm_ms, run_ms, cpu;
	bool is_stream, is_easy, is_hold;
	struct buf body;
	struct curl_slist *headers;
	/* the engine */
	CURLM *multi;
	struct ev_loop *loop;
	ev_timer timer, phase;
	struct socket *sockets; /* by descriptor */
	size_t n_sockets;
	struct transfer *transfers;
	/* what was seen */
	struct gauge gauge;
	uint64_t connections;
	int64_t first_tokens; /* streams that have begun */
	int64_t bare_rss;     /* before the first of them */
};

struct socket {
	struct direct *d;
	ev_io io;
};

struct transfer {
	struct direct *d;
	CURL *easy;
	int64_t sent_ns;
	bool has_token;
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
		gauge_token(&d->gauge, t->sent_ns, ns, !t->has_token);
		d->first_tokens += !t->has_token;
		t->has_token = true;
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

static void set_ok(CURLcode code)
{
	if (code != CURLE_OK)
		bench_die("libcurl does not take an option: %s", curl_easy_strerror(code));
}

#define SET(easy, option, value) set_ok(curl_easy_setopt((easy), (option), (value)))

static void transfer_init(struct transfer *t, struct direct *d)
{
	*t = (struct transfer){.d = d, .easy = curl_easy_init()};
	if (!t->easy)
		bench_die("libcurl gives no handle");
	SET(t->easy, CURLOPT_URL, d->url);
	SET(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(t->easy, CURLOPT_HTTPHEADER, d->headers);
	SET(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)d->body.n);
	SET(t->easy, CURLOPT_POSTFIELDS, d->body.p);
	SET(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(t->easy, CURLOPT_WRITEDATA, t);
	SET(t->easy, CURLOPT_PRIVATE, t);
	SET(t->easy, CURLOPT_SOCKOPTFUNCTION, on_opened);
	SET(t->easy, CURLOPT_SOCKOPTDATA, d);
	SET(t->easy, CURLOPT_NOSIGNAL, 1L);
	SET(t->easy, CURLOPT_PROXY, "");
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
		t.has_token = false;
		transfer_ended(&t, curl_easy_perform(t.easy));
	}
	report(d);
	curl_easy_cleanup(t.easy);
}

/* ---- many at once ---- */

static void multi_ok(CURLMcode code)
{
	if (code != CURLM_OK)
		bench_die("libcurl: %s", curl_multi_strerror(code));
}

static void transfer_begin(struct transfer *t)
{
	t->sent_ns = bench_now_ns();
	t->has_token = false;
	multi_ok(curl_multi_add_handle(t->d->multi, t->easy));
}

static void turn_over(struct direct *d)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(d->multi, &left))) {
		struct transfer *t = NULL;
		CURL *easy = message->easy_handle;
		const CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) != CURLE_OK)
			bench_die("libcurl lost a transfer");
		transfer_ended(t, result);
		multi_ok(curl_multi_remove_handle(d->multi, easy));
		transfer_begin(t);
	}
}

static void on_socket_ready(struct ev_loop *loop, ev_io *w, int events)
{
	struct socket *s = container_of(w, struct socket, io);
	int running;
	(void)loop;
	multi_ok(curl_multi_socket_action(s->d->multi, w->fd,
		((events & EV_READ) ? CURL_CSELECT_IN : 0) |
			((events & EV_WRITE) ? CURL_CSELECT_OUT : 0),
		&running));
	turn_over(s->d);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct direct *d = container_of(w, struct direct, timer);
	int running;
	(void)loop, (void)events;
	multi_ok(curl_multi_socket_action(d->multi, CURL_SOCKET_TIMEOUT, 0, &running));
	turn_over(d);
}

/* A descriptor's watcher stays in the table when curl looks away from it: it will come back. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	struct direct *d = context;
	const int events =
		(what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
	(void)easy, (void)unused;
	if ((size_t)fd >= d->n_sockets)
		bench_die("descriptor %d is more than %zu", fd, d->n_sockets);
	struct socket *s = &d->sockets[fd];
	ev_io_stop(d->loop, &s->io);
	if (what == CURL_POLL_REMOVE)
		return 0;
	s->d = d;
	ev_io_init(&s->io, on_socket_ready, fd, events);
	ev_io_start(d->loop, &s->io);
	return 0;
}

static int on_watch_time(CURLM *multi, long ms, void *context)
{
	struct direct *d = context;
	(void)multi;
	ev_timer_stop(d->loop, &d->timer);
	if (ms >= 0) {
		ev_timer_set(&d->timer, (double)ms * 1e-3, 0);
		ev_timer_start(d->loop, &d->timer);
	}
	return 0;
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

static void multi_init(struct direct *d)
{
	d->loop = ev_default_loop(EVFLAG_NOENV);
	d->multi = curl_multi_init();
	d->transfers = calloc((size_t)d->calls, sizeof *d->transfers);
	d->n_sockets = (size_t)d->calls * 2 + 256;
	d->sockets = calloc(d->n_sockets, sizeof *d->sockets);
	if (!d->loop || !d->multi || !d->transfers || !d->sockets)
		bench_die("out of memory");
	multi_ok(curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_watch));
	multi_ok(curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d));
	multi_ok(curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_watch_time));
	multi_ok(curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d));
	multi_ok(curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, (long)d->calls + 8));
	ev_timer_init(&d->timer, on_timer, 0, 0);
}

static void run_multi(struct direct *d)
{
	multi_init(d);
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
		multi_ok(curl_multi_remove_handle(d->multi, d->transfers[i].easy));
		curl_easy_cleanup(d->transfers[i].easy);
	}
	multi_ok(curl_multi_cleanup(d->multi));
	free(d->transfers);
	free(d->sockets);
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
		{"url",          NULL,            &d.url,    NULL,         0,  0,       "of the provider's chat endpoint"    },
		{"header",       NULL,            &d.header, NULL,         0,  0,       "another one, as NAME: VALUE"        },
		{"prompt-bytes", &d.prompt_bytes, NULL,      NULL,         0,  1048576, "length of the question"             },
		{"calls",        &d.calls,        NULL,      NULL,         1,  100000,  "in flight at once"                  },
		{"easy",         NULL,            NULL,      &d.is_easy,   0,  0,       "one easy handle, one call at a time"},
		{"stream",       NULL,            NULL,      &d.is_stream, 0,  0,       "ask for streams"                    },
		{"hold",         NULL,            NULL,      &d.is_hold,   0,  0,       "end when all streams have begun"    },
		{"warm-ms",      &d.warm_ms,      NULL,      NULL,         1,  600000,  "not measured"                       },
		{"run-ms",       &d.run_ms,       NULL,      NULL,         1,  600000,  "measured"                           },
		{"pin",          &d.cpu,          NULL,      NULL,         -1, 1023,    "the processor to stay on"           },
	};
	bench_options(argc, argv, "a call by libcurl alone", options, COUNT_OF(options));
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
	if (d.is_easy)
		run_easy(&d);
	else
		run_multi(&d);
	curl_slist_free_all(d.headers);
	buf_done(&d.body);
	curl_global_cleanup();
	return EXIT_SUCCESS;
}
