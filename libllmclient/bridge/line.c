/* line.c - a client's descriptor and its time-out are watched by the loop; the library does the rest. */
#include "libllmclient/bridge/line.h"

#include <ev.h>
#include <stdlib.h>

#include "protocol/base/list.h"
#include "protocol/base/owned.h"

#define IDLE_MAX 64   /* that are kept */
#define IDLE_S   10.0 /* and for so long: a broker that nobody needs may end */

struct line {
	struct line *prev, *next; /* of those that are idle */
	struct lines *lines;
	llm_client *client;
	line_fn on_ready;
	void *context;
	struct ev_io io;
	struct ev_timer timer; /* of the client's, or, idle, of ours */
	bool is_idle;
};

struct lines {
	struct ev_loop *loop;
	const char *socket;
	struct line *idle;
	size_t n_idle;
};

struct lines *lines_new(struct ev_loop *loop, const char *socket)
{
	struct lines *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->loop = loop;
	l->socket = socket;
	return l;
}

static void line_free(struct line *n)
{
	struct lines *l = n->lines;
	ev_io_stop(l->loop, &n->io);
	ev_timer_stop(l->loop, &n->timer);
	if (n->is_idle) {
		LIST_REMOVE(l->idle, n);
		l->n_idle--;
	}
	llm_client_free(n->client);
	free(n);
}

void lines_free(struct lines *l)
{
	struct line *n, *after;
	if (!l)
		return;
	LIST_EACH_SAFE(l->idle, n, after)
		line_free(n);
	free(l);
}

llm_client *line_client(const struct line *n)
{
	return n->client;
}

void line_touch(struct line *n)
{
	struct ev_loop *loop = n->lines->loop;
	const int wishes = llm_client_events(n->client), ms = llm_client_timeout_ms(n->client);
	const int events = (wishes & LLM_READ ? EV_READ : 0) | (wishes & LLM_WRITE ? EV_WRITE : 0);
	if (events != (n->io.events & (EV_READ | EV_WRITE)) || !ev_is_active(&n->io)) {
		ev_io_stop(loop, &n->io);
		ev_io_set(&n->io, llm_client_fd(n->client), events);
		if (events)
			ev_io_start(loop, &n->io);
	}
	if (n->is_idle) /* the timer says how long it is kept */
		return;
	ev_timer_stop(loop, &n->timer);
	if (ms < 0)
		return;
	ev_timer_set(&n->timer, ms / 1e3, 0);
	ev_timer_start(loop, &n->timer);
}

static void go_on(struct line *n)
{
	/* what went wrong is told by the stream */
	(void)llm_client_process(n->client);
	line_touch(n);
	n->on_ready(n->context);
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct line *n = container_of(w, struct line, io);
	(void)loop;
	(void)events;
	if (!n->is_idle) {
		go_on(n);
		return;
	}
	if (llm_client_process(n->client) < 0)
		line_free(n); /* the broker is gone, or was never there */
	else
		line_touch(n);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct line *n = container_of(w, struct line, timer);
	(void)loop;
	(void)events;
	if (n->is_idle)
		line_free(n);
	else
		go_on(n);
}

static struct line *line_new(struct lines *l)
{
	llm_options o = LLM_OPTIONS_INIT;
	struct line *n = calloc(1, sizeof *n);
	if (!n)
		return NULL;
	o.socket_path = l->socket;
	o.app_name = "llm-broker-bridge";
	o.flags = LLM_F_NONBLOCK;
	o.idle_timeout_ms = -1; /* how long an answer may take is the broker's to say */
	n->lines = l;
	n->client = llm_client_new(&o);
	if (!n->client) {
		free(n);
		return NULL;
	}
	ev_init(&n->timer, on_timer);
	ev_io_init(&n->io, on_io, llm_client_fd(n->client), EV_READ);
	return n;
}

struct line *line_take(struct lines *l, line_fn on_ready, void *context)
{
	struct line *n = l->idle;
	if (n) {
		LIST_REMOVE(l->idle, n);
		l->n_idle--;
		n->is_idle = false;
		ev_timer_stop(l->loop, &n->timer);
	} else if (!(n = line_new(l))) {
		return NULL;
	}
	n->on_ready = on_ready;
	n->context = context;
	return n;
}

void line_give_back(struct line *n)
{
	struct lines *l = n->lines;
	if (l->n_idle == IDLE_MAX) {
		line_free(n);
		return;
	}
	line_touch(n); /* a cancellation may still be on its way */
	n->is_idle = true;
	LIST_FRONT(l->idle, n);
	l->n_idle++;
	ev_timer_stop(l->loop, &n->timer);
	ev_timer_set(&n->timer, IDLE_S, 0);
	ev_timer_start(l->loop, &n->timer);
}
