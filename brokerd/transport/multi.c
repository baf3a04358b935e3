/* multi.c - the watch of a socket is curl's own pointer for it; spare ones are kept, as curl may be
 * done with one inside that one's callback. */
#include "brokerd/transport/multi.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "protocol/base/list.h"

struct watch {
	struct watch *prev, *next;
	struct multi *multi;
	struct loop_io io;
	curl_socket_t fd;
};

struct multi {
	CURLM *curl;
	struct loop *loop;
	struct loop_timer timer;
	struct loop_task kick; /* curl's timer of 0: before the loop waits again */
	struct loop_task collect;
	struct multi_events events;
	struct watch *watches, *spare;
	unsigned depth;     /* of calls into curl */
	const char *broken; /* why; NULL: it is not */
	unsigned wakeups;   /* since spin_since_us, without progress */
	int64_t spin_since_us;
};

bool multi_is_inside(const struct multi *m)
{
	return m->depth > 0;
}

void multi_moved(struct multi *m)
{
	m->wakeups = 0;
	loop_moved(m->loop);
}

/* Its owner is told from the loop, later: whoever is calling now may be about to use a transfer. */
static void broken(struct multi *m, const char *reason)
{
	struct watch *w;
	if (m->broken)
		return;
	m->broken = reason;
	loop_timer_stop(&m->timer);
	loop_task_stop(&m->kick);
	LIST_EACH(m->watches, w)
		loop_io_stop(&w->io);
	loop_later(m->loop, &m->collect);
}

bool multi_is_broken(const struct multi *m)
{
	return m->broken != NULL;
}

/* Hands out what curl has finished. */
static void collect(struct multi *m)
{
	CURLMsg *message;
	int left;
	while (!m->broken && (message = curl_multi_info_read(m->curl, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		/* the message dies with the handle's removal */
		CURL *easy = message->easy_handle;
		const CURLcode code = message->data.result;
		multi_remove(m, easy);
		if (!m->broken)
			m->events.on_done(m->events.context, easy, code);
	}
}

static void on_collect(struct loop_task *t)
{
	struct multi *m = container_of(t, struct multi, collect);
	if (m->broken)
		m->events.on_broken(m->events.context, m->broken);
	else
		collect(m);
}

/* One step of curl's, because of a socket or of its timer. */
static void act(struct multi *m, curl_socket_t fd, int what)
{
	int n_running;
	if (m->broken)
		return;
	if (m->wakeups++ == 0)
		m->spin_since_us = loop_now_us(m->loop);
	m->depth++;
	const CURLMcode failed = curl_multi_socket_action(m->curl, fd, what, &n_running);
	m->depth--;
	if (failed) {
		/* "the state of all transfers are uncertain": nothing of it is used any more */
		broken(m, curl_multi_strerror(failed));
		return;
	}
	collect(m);
	const int64_t spun_us = loop_now_us(m->loop) - m->spin_since_us;
	if (spun_us < MULTI_SPIN_US)
		return;
	if (m->wakeups > spun_us / 1000000 * MULTI_SPINS_A_SECOND)
		broken(m, "curl runs in circles");
	m->wakeups = 0;
}

static void on_ready(struct loop_io *io, int ready)
{
	struct watch *w = container_of(io, struct watch, io);
	const int what = (ready & LOOP_READ ? CURL_CSELECT_IN : 0) |
			 (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
	act(w->multi, w->fd, what);
}

static void on_timer(struct loop_timer *t)
{
	act(container_of(t, struct multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void on_kick(struct loop_task *t)
{
	act(container_of(t, struct multi, kick), CURL_SOCKET_TIMEOUT, 0);
}

/* curl wants to be called in `ms`; it is inside one of its functions and is not called from here. */
static int on_curl_timer(CURLM *curl, long ms, void *context)
{
	struct multi *m = context;
	(void)curl;
	loop_timer_stop(&m->timer);
	loop_task_stop(&m->kick);
	if (m->broken || ms < 0)
		return 0;
	if (ms == 0)
		loop_later(m->loop, &m->kick);
	else
		loop_timer_set(m->loop, &m->timer, (int64_t)ms * 1000);
	return 0;
}

static struct watch *watch_new(struct multi *m, curl_socket_t fd)
{
	struct watch *w = m->spare;
	if (w)
		LIST_REMOVE(m->spare, w);
	else
		w = calloc(1, sizeof *w);
	if (!w)
		abort(); /* a small struct of ours */
	w->multi = m;
	w->fd = fd;
	LOOP_CALLS(&w->io, on_ready, on_ready);
	LIST_PUSH(m->watches, w);
	return w;
}

static void watch_drop(struct watch *w)
{
	struct multi *m = w->multi;
	loop_io_stop(&w->io);
	LIST_REMOVE(m->watches, w);
	LIST_PUSH(m->spare, w);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct multi *m = context;
	struct watch *w = known;
	int wanted = 0;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			watch_drop(w);
		return 0;
	}
	if (!w) {
		w = watch_new(m, fd);
		curl_multi_assign(m->curl, fd, w);
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		wanted |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		wanted |= LOOP_WRITE;
	if (m->broken)
		return 0;
	loop_io_set(m->loop, &w->io, fd, wanted);
	if (wanted == LOOP_READ && m->events.on_listening)
		m->events.on_listening(m->events.context, easy);
	return 0;
}

int multi_close_socket(void *multi, curl_socket_t fd)
{
	struct multi *m = multi;
	struct watch *w;
	LIST_EACH(m->watches, w) {
		/* stopped only: curl still has the pointer, and may name the number again */
		if (w->fd == fd)
			loop_io_stop(&w->io);
	}
	return close(fd);
}

struct multi *multi_new(
	struct loop *l, long max_connections, const struct multi_events *events, struct fault *why)
{
	struct multi *m = calloc(1, sizeof *m);
	if (m)
		m->curl = curl_multi_init();
	if (!m || !m->curl) {
		free(m);
		fault_set(why, ERR_NO_MEMORY, "no memory for connections to providers");
		return NULL;
	}
	m->loop = l;
	m->events = *events;
	LOOP_CALLS(&m->timer, on_fire, on_timer);
	LOOP_CALLS(&m->kick, on_run, on_kick);
	LOOP_CALLS(&m->collect, on_run, on_collect);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	/* by itself it is a multiple of the handles added, so that the end of a burst closes most */
	curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, max_connections);
	return m;
}

static void watches_free(struct watch *list)
{
	struct watch *w, *after;
	LIST_EACH_SAFE(list, w, after) {
		loop_io_stop(&w->io);
		free(w);
	}
}

void multi_free(struct multi *m)
{
	if (!m)
		return;
	assert(m->depth == 0);
	m->broken = "freed"; /* what curl still says while it closes is not acted on */
	m->depth++;
	curl_multi_cleanup(m->curl);
	loop_timer_stop(&m->timer);
	loop_task_stop(&m->kick);
	loop_task_stop(&m->collect);
	watches_free(m->watches);
	watches_free(m->spare);
	free(m);
}

bool multi_add(struct multi *m, CURL *easy)
{
	assert(m->depth == 0);
	if (m->broken)
		return false;
	m->depth++;
	const CURLMcode failed = curl_multi_add_handle(m->curl, easy);
	m->depth--;
	if (failed)
		return false;
	/* curl begins all that were added together, and would hold up the others with many */
	act(m, CURL_SOCKET_TIMEOUT, 0);
	return true;
}

void multi_remove(struct multi *m, CURL *easy)
{
	assert(m->depth == 0);
	m->depth++;
	const CURLMcode failed = curl_multi_remove_handle(m->curl, easy);
	m->depth--;
	if (failed)
		broken(m, curl_multi_strerror(failed));
}

CURLcode multi_unpause(struct multi *m, CURL *easy)
{
	assert(m->depth == 0);
	if (m->broken)
		return CURLE_OK;
	m->depth++;
	const CURLcode failed = curl_easy_pause(easy, CURLPAUSE_CONT);
	m->depth--;
	/* a transfer that came to its end by this may be among the messages already */
	loop_later(m->loop, &m->collect);
	return failed;
}
