/* llmclient-glib.h - how does a client of the LLM broker live in a GLib main loop? SPDX-License-Identifier: MIT
 *
 *   llm_options o = LLM_OPTIONS_INIT;
 *   o.flags = LLM_F_NONBLOCK;               // without it llm_stream_next() would hold up the loop
 *   static llm_glib_watch w;                // all zero, but for what you set
 *   w.on_ready = read_streams;
 *   llm_glib_start(&w, NULL, llm_client_new(&o));
 *
 * Needs only glib-2.0 and llmclient.h. All of it is in this file. GTK programs run such a loop.
 *
 * OWNERSHIP  The watch is yours, and neither moves nor goes away between start and stop. Its GSource is GLib's,
 *            and goes with the stop; context and client stay yours. Stop first, then free the client.
 * CALLBACKS  Each of on_ready, on_error and those of llm_stream_set_callback() may start, cancel and free
 *            streams, and may llm_glib_stop() the watch, free its client and even the watch itself, in this
 *            order. One that runs the loop, as a modal dialog does, gets no other meanwhile.
 * THREADS    Start, stop and all callbacks are the thread's that runs the context, and so is the client. From
 *            elsewhere llm_stream_cancel() ends an answer, and llm_client_wake() has on_ready called.
 * FORK       In the child on_error gets LLM_E_FORKED where the loop goes on: make a new client there. */
#ifndef LLMCLIENT_GLIB_H
#define LLMCLIENT_GLIB_H
#include <assert.h>
#include <glib.h>
#include <stddef.h>

#include "llmclient.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct llm_glib_watch llm_glib_watch;
struct llm_glib_watch {
	/* Yours, set before the start; each may be NULL or 0. */
	/** The client has done something: read each stream by llm_stream_next() until LLM_E_AGAIN. One with a callback
	 * has been read, and tells only here whether it is over. */
	void (*on_ready)(llm_glib_watch *w);
	/** Nothing is watched any more, as if stopped; code is an LLM_E_*. */
	void (*on_error)(llm_glib_watch *w, int code);
	void *data;
	int priority;       /**< G_PRIORITY_*; 0 is G_PRIORITY_DEFAULT */
	llm_client *client; /**< of llm_glib_start(); to be read */

	/* The adapter's. */
	GSource *source;
};

/* What GLib keeps: after a stop inside of a callback the watch may be gone, and this is not. */
struct llm_glib_source {
	GSource base;
	llm_glib_watch *watch;
	gpointer fd_tag;
};

/** Watches nothing any more, at once: no callback comes after it. Of a watch that is stopped, or was never
 * started, it does nothing. */
static inline void llm_glib_stop(llm_glib_watch *w)
{
	GSource *source = w->source;
	if (!source)
		return;
	w->source = NULL;
	g_source_destroy(source);
	g_source_unref(source);
}

static inline gboolean llm_glib_prepare(GSource *source, gint *timeout_ms)
{
	*timeout_ms = llm_client_timeout_ms(((struct llm_glib_source *)source)->watch->client);
	return *timeout_ms == 0;
}

static inline gboolean llm_glib_check(GSource *source)
{
	struct llm_glib_source *s = (struct llm_glib_source *)source;
	return g_source_query_unix_fd(source, s->fd_tag) != 0 ||
	       llm_client_timeout_ms(s->watch->client) == 0;
}

static inline gboolean llm_glib_dispatch(GSource *source, GSourceFunc unused, gpointer nothing)
{
	struct llm_glib_source *s = (struct llm_glib_source *)source;
	llm_glib_watch *w = s->watch;
	const int is_broken =
		(g_source_query_unix_fd(source, s->fd_tag) & (G_IO_ERR | G_IO_NVAL)) != 0;
	const int code = is_broken ? (int)LLM_E_IO : llm_client_process(w->client);
	(void)unused;
	(void)nothing;
	if (g_source_is_destroyed(source))
		return G_SOURCE_REMOVE;
	if (code < 0) {
		llm_glib_stop(w);
		if (w->on_error)
			w->on_error(w, code);
		return G_SOURCE_REMOVE;
	}
	if (w->on_ready)
		w->on_ready(w);
	return G_SOURCE_CONTINUE;
}

/** Watches the client until llm_glib_stop(). A client has one watch at a time, and the watch one client. context
 * NULL: the default one. Returns 0, or LLM_E_INVAL where the client is NULL, LLM_E_FORKED: nothing is watched
 * then. */
static inline int llm_glib_start(llm_glib_watch *w, GMainContext *context, llm_client *c)
{
	/* nobody writes to it, but GLib's prototype has no const */
	static GSourceFuncs functions = {
		llm_glib_prepare, llm_glib_check, llm_glib_dispatch, NULL, NULL, NULL};
	const int fd = llm_client_fd(c);
	assert(!w->source && "the watch was started already");
	if (fd < 0)
		return fd;
	w->client = c;
	w->source = g_source_new(&functions, sizeof(struct llm_glib_source));
	struct llm_glib_source *s = (struct llm_glib_source *)w->source;
	s->watch = w;
	s->fd_tag = g_source_add_unix_fd(w->source, fd, G_IO_IN);
	g_source_set_name(w->source, "llmclient");
	g_source_set_priority(w->source, w->priority);
	g_source_attach(w->source, context);
	return LLM_OK;
}

#ifdef __cplusplus
}
#endif
#endif
