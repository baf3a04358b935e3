/* test_client_uv.c - does a client live in a libuv loop? */
#include <llmclient-uv.h>
#include <stdlib.h>

#include "protocol/base/owned.h"
#include "tests/lib/loop_cases.h"
#include "tests/lib/tap.h"

struct uv_rig {
	struct rig rig;
	uv_loop_t loop;
	llm_uv_watch *watch; /* NULL: none */
	uv_timer_t clock;
	int n_stopped;
};

static struct uv_rig *of(struct rig *r)
{
	return container_of(r, struct uv_rig, rig);
}

static void on_clock(uv_timer_t *clock)
{
	rig_tick(clock->data);
}

static struct rig *make(void)
{
	struct uv_rig *u = calloc(1, sizeof *u);
	if (!u || uv_loop_init(&u->loop) != 0)
		bail("no loop");
	uv_timer_init(&u->loop, &u->clock);
	u->clock.data = &u->rig;
	return &u->rig;
}

static void tick(struct rig *r, int every_ms)
{
	struct uv_rig *u = of(r);
	if (every_ms == 0)
		uv_timer_stop(&u->clock);
	else
		uv_timer_start(&u->clock, on_clock, (uint64_t)every_ms, (uint64_t)every_ms);
}

static void drop(struct rig *r)
{
	struct uv_rig *u = of(r);
	uv_close((uv_handle_t *)&u->clock, NULL);
	is_int(uv_run(&u->loop, UV_RUN_DEFAULT), 0, "nothing keeps the loop");
	is_int(uv_loop_close(&u->loop), 0, "nor is anything left in it");
	free(u);
}

static void turn(struct rig *r)
{
	uv_run(&of(r)->loop, UV_RUN_ONCE);
}

static void on_ready(llm_uv_watch *w)
{
	rig_ready(w->data);
}

static void on_error(llm_uv_watch *w, int code)
{
	rig_error(w->data, code);
}

static int watch(struct rig *r, llm_client *c)
{
	struct uv_rig *u = of(r);
	u->watch = calloc(1, sizeof *u->watch);
	if (!u->watch)
		bail("no memory");
	u->watch->on_ready = on_ready;
	u->watch->on_error = on_error;
	u->watch->data = r;
	return llm_uv_start(u->watch, &u->loop, c);
}

static void on_stopped(llm_uv_watch *w)
{
	of(w->data)->n_stopped++;
	free(w);
}

static void unwatch(struct rig *r)
{
	struct uv_rig *u = of(r);
	llm_uv_watch *w = u->watch;
	if (!w)
		return;
	u->watch = NULL;
	if (!w->client) { /* it was never started */
		llm_uv_stop(w, on_stopped);
		free(w);
		return;
	}
	llm_uv_stop(w, on_stopped);
	llm_uv_stop(w, NULL); /* a second time changes nothing */
}

static void in_child(struct rig *r)
{
	if (uv_loop_fork(&of(r)->loop) != 0)
		bail("uv_loop_fork");
}

static const struct rig_kind kind = {make, drop, turn, tick, watch, unwatch, in_child};

/* libuv says so of a descriptor that is none. */
static void broken(void)
{
	struct rig *r = make();
	llm_client *c = llm_client_new(NULL);
	is_int(watch(r, c), LLM_OK, "it is watched");
	uv_poll_t *poll = &of(r)->watch->poll;
	poll->poll_cb(poll, UV_EBADF, 0);
	is_int(r->code, LLM_E_IO, "what libuv cannot watch is an error");
	unwatch(r);
	llm_client_free(c);
	turn(r);
	is_int(of(r)->n_stopped, 1, "and is stopped as any");
	drop(r);
}

static void twice(void)
{
	struct rig *r = make();
	llm_client *c = llm_client_new(NULL);
	llm_uv_watch second = {0};
	is_int(watch(r, c), LLM_OK, "it is watched");
	is_int(llm_uv_start(&second, &of(r)->loop, c), LLM_E_IO, "and not a second time");
	llm_uv_stop(&second, on_stopped);
	unwatch(r);
	llm_client_free(c);
	drop(r);
}

int main(void)
{
	loop_cases(&kind);
	broken();
	twice();
	return tap_done();
}
