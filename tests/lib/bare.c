/* bare.c - a watcher for each descriptor and one timer, and nothing between libcurl and them. */
#include "tests/lib/bare.h"

#include <stdlib.h>

#include "tests/lib/bench.h"

struct bare_socket {
	struct bare *m;
	ev_io io;
};

void bare_easy_ok(CURLcode code)
{
	if (code != CURLE_OK)
		bench_die("libcurl: %s", curl_easy_strerror(code));
}

void bare_ok(CURLMcode code)
{
	if (code != CURLM_OK)
		bench_die("libcurl: %s", curl_multi_strerror(code));
}

static void turn_over(struct bare *m)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(m->curl, &left))) {
		CURL *easy = message->easy_handle;
		const CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		bare_remove(m, easy);
		m->on_done(easy, result);
	}
}

static void on_socket_ready(struct ev_loop *loop, ev_io *w, int events)
{
	const struct bare_socket *s = container_of(w, struct bare_socket, io);
	int running;
	(void)loop;
	bare_ok(curl_multi_socket_action(s->m->curl, w->fd,
		((events & EV_READ) ? CURL_CSELECT_IN : 0) |
			((events & EV_WRITE) ? CURL_CSELECT_OUT : 0),
		&running));
	turn_over(s->m);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct bare *m = container_of(w, struct bare, timer);
	int running;
	(void)loop, (void)events;
	bare_ok(curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running));
	turn_over(m);
}

/* A descriptor's watcher stays in the table when curl looks away from it: it will come back. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	struct bare *m = context;
	const int events =
		(what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
	(void)easy, (void)unused;
	if ((size_t)fd >= m->n_sockets)
		bench_die("descriptor %d is more than %zu", fd, m->n_sockets);
	struct bare_socket *s = &m->sockets[fd];
	ev_io_stop(m->loop, &s->io);
	if (what == CURL_POLL_REMOVE)
		return 0;
	s->m = m;
	ev_io_init(&s->io, on_socket_ready, fd, events);
	ev_io_start(m->loop, &s->io);
	return 0;
}

static int on_watch_time(CURLM *curl, long ms, void *context)
{
	struct bare *m = context;
	(void)curl;
	ev_timer_stop(m->loop, &m->timer);
	if (ms >= 0) {
		ev_timer_set(&m->timer, (double)ms * 1e-3, 0);
		ev_timer_start(m->loop, &m->timer);
	}
	return 0;
}

void bare_init(struct bare *m, int64_t transfers, size_t descriptors)
{
	m->curl = curl_multi_init();
	m->n_sockets = descriptors;
	m->sockets = calloc(descriptors, sizeof *m->sockets);
	if (!m->curl || !m->sockets)
		bench_die("out of memory");
	bare_ok(curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_watch));
	bare_ok(curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m));
	bare_ok(curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_watch_time));
	bare_ok(curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m));
	bare_ok(curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, (long)transfers + 8));
	ev_timer_init(&m->timer, on_timer, 0, 0);
}

void bare_done(struct bare *m)
{
	bare_ok(curl_multi_cleanup(m->curl));
	free(m->sockets);
}

void bare_add(struct bare *m, CURL *easy)
{
	bare_ok(curl_multi_add_handle(m->curl, easy));
}

void bare_remove(struct bare *m, CURL *easy)
{
	bare_ok(curl_multi_remove_handle(m->curl, easy));
}
