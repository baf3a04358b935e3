/* llmclient-ev.h - how does a client of the LLM broker live in a libev loop? SPDX-License-Identifier: MIT
 *
 *   llm_options o = LLM_OPTIONS_INIT;
 *   o.flags = LLM_F_NONBLOCK;               // without it llm_stream_next() would hold up the loop
 *   static llm_ev_watch w;                  // all zero, but for what you set
 *   w.on_ready = read_streams;
 *   llm_ev_start(&w, EV_DEFAULT, llm_client_new(&o));
 *
 * Needs only libev and llmclient.h; link with -lev -lllmclient. All of it is in this file.
 *
 * OWNERSHIP  The watch is yours, and neither moves nor goes away between start and stop. It allocates nothing
 *            and frees nothing; loop and client stay yours, too. Stop first, then free the client.
 * CALLBACKS  Each of on_ready, on_error and those of llm_stream_set_callback() may start, cancel and free
 *            streams, and may llm_ev_stop() the watch, free its client and even the watch itself, in this
 *            order. It must not run the loop: that is asserted.
 * THREADS    Start, stop and all callbacks are the thread's that runs the loop, and so is the client. From
 *            elsewhere llm_stream_cancel() ends an answer, and llm_client_wake() has on_ready called.
 * FORK       In the child on_error gets LLM_E_FORKED where the loop goes on: make a new client there. */
#ifndef LLMCLIENT_EV_H
#define LLMCLIENT_EV_H
#include <assert.h>
#include <ev.h>
#include <stddef.h>

#include "llmclient.h"
#if !EV_MULTIPLICITY
#error "llmclient-ev.h is for a libev of more than one loop (EV_MULTIPLICITY)"
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct llm_ev_watch llm_ev_watch;
struct llm_ev_watch {
	/* Yours, set before the start; each may be NULL. */
	/** The client has done something: read each stream by llm_stream_next() until LLM_E_AGAIN. One with a callback
	 * has been read, and tells only here whether it is over. */
	void (*on_ready)(llm_ev_watch *w);
	/** Nothing is watched any more, as if stopped; code is an LLM_E_*. */
	void (*on_error)(llm_ev_watch *w, int code);
	void *data;
	llm_client *client; /**< of llm_ev_start(); to be read */

	/* The adapter's. */
	struct ev_loop *loop;
	ev_io io;
	ev_timer timer;
	ev_prepare prepare;
	int *is_stopped; /* inside of a callback: where to say that the watch was stopped, and may be gone */
};

/** Watches nothing any more, at once: no callback comes after it. Of a watch that is stopped, or was never
 * started, it does nothing. */
static inline void llm_ev_stop(llm_ev_watch *w)
{
	if (!w->loop)
		return;
	ev_io_stop(w->loop, &w->io);
	ev_timer_stop(w->loop, &w->timer);
	ev_prepare_stop(w->loop, &w->prepare);
	w->loop = NULL;
	if (w->is_stopped)
		*w->is_stopped = 1;
	w->is_stopped = NULL;
}

static inline void llm_ev_step(llm_ev_watch *w, int revents)
{
	int is_stopped = 0;
	assert(!w->is_stopped && "a callback of the client's runs the loop");
	w->is_stopped = &is_stopped;
	const int code = (revents & EV_ERROR) ? (int)LLM_E_IO : llm_client_process(w->client);
	if (is_stopped)
		return;
	if (code < 0) {
		llm_ev_stop(w);
		if (w->on_error)
			w->on_error(w, code);
		return;
	}
	if (w->on_ready)
		w->on_ready(w);
	if (!is_stopped)
		w->is_stopped = NULL;
}

static inline void llm_ev_on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	llm_ev_step((llm_ev_watch *)io->data, revents);
}

static inline void llm_ev_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	llm_ev_step((llm_ev_watch *)timer->data, revents);
}

/* Before each wait, for a call from anywhere may have brought the time forward. A timer that is early only looks,
 * and is set anew: the time is put off with every event. */
static inline void llm_ev_on_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	llm_ev_watch *w = (llm_ev_watch *)prepare->data;
	const int timeout_ms = llm_client_timeout_ms(w->client);
	const ev_tstamp timeout_s = timeout_ms / 1000.;
	(void)revents;
	if (timeout_ms >= 0 && ev_is_active(&w->timer) &&
		ev_timer_remaining(loop, &w->timer) <= timeout_s)
		return;
	ev_timer_stop(loop, &w->timer);
	if (timeout_ms < 0)
		return;
	ev_timer_set(&w->timer, timeout_s, 0.);
	ev_timer_start(loop, &w->timer);
}

/** Watches the client until llm_ev_stop(), which keeps the loop running. A client has one watch at a time, and the
 * watch one client. Returns 0, or LLM_E_INVAL where the client is NULL, LLM_E_FORKED: nothing is watched then. */
static inline int llm_ev_start(llm_ev_watch *w, struct ev_loop *loop, llm_client *c)
{
	const int fd = llm_client_fd(c);
	assert(!w->loop && "the watch was started already");
	if (fd < 0)
		return fd;
	w->client = c;
	w->loop = loop;
	w->is_stopped = NULL;
	ev_io_init(&w->io, llm_ev_on_io, fd, EV_READ);
	ev_timer_init(&w->timer, llm_ev_on_timer, 0., 0.);
	ev_prepare_init(&w->prepare, llm_ev_on_prepare);
	w->io.data = w->timer.data = w->prepare.data = w;
	ev_io_start(loop, &w->io);
	ev_prepare_start(loop, &w->prepare);
	return LLM_OK;
}

#ifdef __cplusplus
}
#endif
#endif
