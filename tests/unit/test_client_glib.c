/* test_client_glib.c - does a client live in a GLib main loop? */
#include <fcntl.h>
#include <llmclient-glib.h>
#include <stdlib.h>
#include <unistd.h>

#include "protocol/base/owned.h"
#include "tests/lib/loop_cases.h"
#include "tests/lib/tap.h"

struct glib_rig {
	struct rig rig;
	GMainContext *context;
	llm_glib_watch *watch; /* NULL: none */
	GSource *clock;        /* NULL: it stands */
};

static struct glib_rig *of(struct rig *r)
{
	return container_of(r, struct glib_rig, rig);
}

static gboolean on_clock(gpointer r)
{
	rig_tick(r);
	return G_SOURCE_CONTINUE;
}

static struct rig *make(void)
{
	struct glib_rig *g = calloc(1, sizeof *g);
	if (!g)
		bail("no memory");
	g->context = g_main_context_new();
	return &g->rig;
}

static void tick(struct rig *r, int every_ms)
{
	struct glib_rig *g = of(r);
	if (g->clock) {
		g_source_destroy(g->clock);
		g_source_unref(g->clock);
		g->clock = NULL;
	}
	if (every_ms == 0)
		return;
	g->clock = g_timeout_source_new((guint)every_ms);
	g_source_set_callback(g->clock, on_clock, r, NULL);
	g_source_attach(g->clock, g->context);
}

static void drop(struct rig *r)
{
	struct glib_rig *g = of(r);
	tick(r, 0);
	g_main_context_unref(g->context);
	free(g);
}

static void turn(struct rig *r)
{
	g_main_context_iteration(of(r)->context, TRUE);
}

static void on_ready(llm_glib_watch *w)
{
	rig_ready(w->data);
}

static void on_error(llm_glib_watch *w, int code)
{
	rig_error(w->data, code);
}

static int watch(struct rig *r, llm_client *c)
{
	struct glib_rig *g = of(r);
	g->watch = calloc(1, sizeof *g->watch);
	if (!g->watch)
		bail("no memory");
	g->watch->on_ready = on_ready;
	g->watch->on_error = on_error;
	g->watch->data = r;
	return llm_glib_start(g->watch, g->context, c);
}

static void unwatch(struct rig *r)
{
	struct glib_rig *g = of(r);
	if (!g->watch)
		return;
	llm_glib_stop(g->watch);
	llm_glib_stop(g->watch);
	free(g->watch);
	g->watch = NULL;
}

static void in_child(struct rig *r)
{
	(void)r; /* it polls, and keeps nothing in the kernel */
}

static const struct rig_kind kind = {make, drop, turn, tick, watch, unwatch, in_child};

/* A descriptor that somebody else has closed. */
static void broken(void)
{
	struct rig *r = make();
	llm_client *c = llm_client_new(NULL);
	const int fd = llm_client_fd(c), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	is_int(watch(r, c), LLM_OK, "it is watched");
	close(fd);
	turn(r);
	is_int(r->code, LLM_E_IO, "what GLib cannot watch is an error");
	is_int(dup2(kept, fd), fd, "(it is put back)");
	close(kept);
	unwatch(r);
	llm_client_free(c);
	drop(r);
}

/* A dialog inside of a callback: its loop waits as any does, and does not spin. */
static void nested_ready(struct rig *r)
{
	r->on_ready = NULL;
	for (int until = r->n_ticks + 3; r->n_ticks < until;)
		turn(r);
}

static void nested(void)
{
	struct rig *r = make();
	llm_client *c = llm_client_new(NULL);
	r->on_ready = nested_ready;
	is_int(watch(r, c), LLM_OK, "it is watched");
	tick(r, 5);
	llm_client_wake(c);
	while (r->n_ready == 0)
		turn(r);
	is_int(r->n_ready, 1, "a loop inside of a callback calls it no second time");
	ok(r->n_ticks >= 3, "and ticks");
	unwatch(r);
	llm_client_free(c);
	drop(r);
}

/* The context goes first. */
static void orphaned(void)
{
	struct rig *r = make();
	llm_client *c = llm_client_new(NULL);
	is_int(watch(r, c), LLM_OK, "it is watched");
	g_main_context_unref(of(r)->context);
	unwatch(r);
	llm_client_free(c);
	of(r)->context = g_main_context_new();
	drop(r);
}

int main(void)
{
	loop_cases(&kind);
	broken();
	nested();
	orphaned();
	return tap_done();
}
