/* test_client_ev.c - does a client live in a libev loop? */
#include <llmclient-ev.h>
#include <stdlib.h>

#include "protocol/base/owned.h"
#include "tests/lib/loop_cases.h"
#include "tests/lib/tap.h"

struct ev_rig {
	struct rig rig;
	struct ev_loop *loop;
	llm_ev_watch *watch; /* NULL: none */
	ev_timer clock;
};

static struct ev_rig *of(struct rig *r)
{
	return container_of(r, struct ev_rig, rig);
}

static void on_clock(struct ev_loop *loop, ev_timer *clock, int revents)
{
	(void)loop;
	(void)revents;
	rig_tick(clock->data);
}

static struct rig *make(void)
{
	struct ev_rig *e = calloc(1, sizeof *e);
	if (!e)
		bail("no memory");
	e->loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer_init(&e->clock, on_clock, 0., 0.);
	e->clock.data = &e->rig;
	return &e->rig;
}

static void tick(struct rig *r, int every_ms)
{
	struct ev_rig *e = of(r);
	e->clock.repeat = every_ms / 1000.;
	ev_timer_again(e->loop, &e->clock);
}

static void drop(struct rig *r)
{
	struct ev_rig *e = of(r);
	tick(r, 0);
	ok(!ev_run(e->loop, 0), "nothing keeps the loop");
	ev_loop_destroy(e->loop);
	free(e);
}

static void turn(struct rig *r)
{
	ev_run(of(r)->loop, EVRUN_ONCE);
}

static void on_ready(llm_ev_watch *w)
{
	rig_ready(w->data);
}

static void on_error(llm_ev_watch *w, int code)
{
	rig_error(w->data, code);
}

static int watch(struct rig *r, llm_client *c)
{
	struct ev_rig *e = of(r);
	e->watch = calloc(1, sizeof *e->watch);
	if (!e->watch)
		bail("no memory");
	e->watch->on_ready = on_ready;
	e->watch->on_error = on_error;
	e->watch->data = r;
	return llm_ev_start(e->watch, e->loop, c);
}

static void unwatch(struct rig *r)
{
	struct ev_rig *e = of(r);
	if (!e->watch)
		return;
	llm_ev_stop(e->watch);
	llm_ev_stop(e->watch);
	free(e->watch);
	e->watch = NULL;
}

static void in_child(struct rig *r)
{
	ev_loop_fork(of(r)->loop);
}

static const struct rig_kind kind = {make, drop, turn, tick, watch, unwatch, in_child};

/* libev says so of a descriptor that is none. */
static void broken(void)
{
	struct rig *r = make();
	llm_client *c = llm_client_new(NULL);
	is_int(watch(r, c), LLM_OK, "it is watched");
	ev_feed_event(of(r)->loop, &of(r)->watch->io, EV_ERROR | EV_READ);
	turn(r);
	is_int(r->code, LLM_E_IO, "what libev cannot watch is an error");
	unwatch(r);
	llm_client_free(c);
	drop(r);
}

int main(void)
{
	loop_cases(&kind);
	broken();
	return tap_done();
}
