/* llmclient-uv.h - how does a client of the LLM broker live in a libuv loop? SPDX-License-Identifier: MIT
 *
 *   llm_options o = LLM_OPTIONS_INIT;
 *   o.flags = LLM_F_NONBLOCK;               // without it llm_stream_next() would hold up the loop
 *   static llm_uv_watch w;                  // all zero, but for what you set
 *   w.on_ready = read_streams;
 *   llm_uv_start(&w, uv_default_loop(), llm_client_new(&o));
 *
 * Needs only libuv (1.40 or later) and llmclient.h. All of it is in this file.
 *
 * OWNERSHIP  The watch is yours, and neither moves nor goes away between start and on_stopped, for libuv takes a
 *            turn of the loop to let go of it. It allocates nothing and frees nothing; loop and client stay
 *            yours. Stop first, then free the client: at once, it need not wait for on_stopped.
 * CALLBACKS  Each of on_ready, on_error and those of llm_stream_set_callback() may start, cancel and free
 *            streams, and may llm_uv_stop() the watch and free its client, in this order. It must not run the
 *            loop, which libuv forbids. on_stopped may free the watch, or start it again.
 * THREADS    Start, stop and all callbacks are the thread's that runs the loop, and so is the client. From
 *            elsewhere llm_stream_cancel() ends an answer, and llm_client_wake() has on_ready called.
 * FORK       In the child on_error gets LLM_E_FORKED where the loop goes on: make a new client there. */
#ifndef LLMCLIENT_UV_H
#define LLMCLIENT_UV_H
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "llmclient.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct llm_uv_watch llm_uv_watch;
struct llm_uv_watch {
	/* Yours, set before the start; each may be NULL. */
	/** The client has done something: read each stream by llm_stream_next() until LLM_E_AGAIN. One with a callback
	 * has been read, and tells only here whether it is over. */
	void (*on_ready)(llm_uv_watch *w);
	/** Nothing is watched any more, but stop it still; code is an LLM_E_*. */
	void (*on_error)(llm_uv_watch *w, int code);
	void *data;
	llm_client *client; /**< of llm_uv_start(); to be read */

	/* The adapter's. */
	uv_poll_t poll;
	uv_timer_t timer;
	uv_prepare_t prepare;
	int n_handles; /* that libuv knows */
	void (*on_stopped)(llm_uv_watch *w);
};

static inline void llm_uv_on_closed(uv_handle_t *handle)
{
	llm_uv_watch *w = (llm_uv_watch *)handle->data;
	if (--w->n_handles == 0 && w->on_stopped)
		w->on_stopped(w);
}

/** Watches nothing any more, at once: no callback comes after it but on_stopped, which may be NULL, and from which on
 * the watch is yours alone. Of a watch that is stopping, stopped or was never started, it does nothing, and
 * on_stopped is not called for it. */
static inline void llm_uv_stop(llm_uv_watch *w, void (*on_stopped)(llm_uv_watch *w))
{
	if (w->n_handles == 0 || uv_is_closing((const uv_handle_t *)&w->poll))
		return;
	w->on_stopped = on_stopped;
	uv_close((uv_handle_t *)&w->poll, llm_uv_on_closed);
	uv_close((uv_handle_t *)&w->timer, llm_uv_on_closed);
	uv_close((uv_handle_t *)&w->prepare, llm_uv_on_closed);
}

/* on_error may stop it, but need not. */
static inline void llm_uv_fail(llm_uv_watch *w, int code)
{
	uv_poll_stop(&w->poll);
	uv_timer_stop(&w->timer);
	uv_prepare_stop(&w->prepare);
	if (w->on_error)
		w->on_error(w, code);
}

static inline void llm_uv_step(llm_uv_watch *w)
{
	const int code = llm_client_process(w->client);
	if (uv_is_closing((const uv_handle_t *)&w->poll))
		return;
	if (code < 0)
		llm_uv_fail(w, code);
	else if (w->on_ready)
		w->on_ready(w);
}

static inline void llm_uv_on_poll(uv_poll_t *poll, int status, int events)
{
	(void)events;
	if (status < 0)
		llm_uv_fail((llm_uv_watch *)poll->data, LLM_E_IO);
	else
		llm_uv_step((llm_uv_watch *)poll->data);
}

static inline void llm_uv_on_timer(uv_timer_t *timer)
{
	llm_uv_step((llm_uv_watch *)timer->data);
}

/* Before each wait, for a call from anywhere may have brought the time forward. A timer that is early only looks,
 * and is set anew: the time is put off with every event. */
static inline void llm_uv_on_prepare(uv_prepare_t *prepare)
{
	llm_uv_watch *w = (llm_uv_watch *)prepare->data;
	const int timeout_ms = llm_client_timeout_ms(w->client);
	if (timeout_ms < 0)
		uv_timer_stop(&w->timer);
	else if (!uv_is_active((const uv_handle_t *)&w->timer) ||
		 uv_timer_get_due_in(&w->timer) > (uint64_t)timeout_ms)
		uv_timer_start(&w->timer, llm_uv_on_timer, (uint64_t)timeout_ms, 0);
}

/** Watches the client until llm_uv_stop(), which keeps the loop running. A client has one watch at a time, and the
 * watch one client. Returns 0, or LLM_E_INVAL where the client is NULL, LLM_E_FORKED, LLM_E_IO where libuv cannot
 * watch it: nothing is watched then, and there is nothing to stop. */
static inline int llm_uv_start(llm_uv_watch *w, uv_loop_t *loop, llm_client *c)
{
	const int fd = llm_client_fd(c);
	assert(w->n_handles == 0 && "the watch was started already");
	if (fd < 0)
		return fd;
	if (uv_poll_init(loop, &w->poll, fd) != 0)
		return LLM_E_IO;
	uv_timer_init(loop, &w->timer); /* the rest cannot fail on Unix */
	uv_prepare_init(loop, &w->prepare);
	w->poll.data = w->timer.data = w->prepare.data = w;
	w->client = c;
	w->n_handles = 3;
	uv_poll_start(&w->poll, UV_READABLE, llm_uv_on_poll);
	uv_prepare_start(&w->prepare, llm_uv_on_prepare);
	return LLM_OK;
}

#ifdef __cplusplus
}
#endif
#endif
