/* step_wait.c - the target in hand cannot be asked yet: which other can, and whose turn is it? */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/exchange/claim.h"
#include "protocol/base/num.h"

/* For so long a target is waited for before another is asked. */
#define SHORT_US INT64_C(1000000)

#define SECOND_US INT64_C(1000000)

/* ---- another target ---- */

static bool may_go_elsewhere(const struct exchange *x)
{
	const struct flight *f = x->flight;
	/* the vectors of two models cannot stand beside one another */
	return f->batches == 0 && f->op != LLM_OP_MODELS && f->route.n > f->target + 1;
}

/* Puts the target in hand behind those that are free sooner, at the end of the route. False: it is first there, too. */
static bool put_off(struct exchange *x, int64_t ready_us)
{
	struct flight *f = x->flight;
	struct target *all = f->route.targets;
	size_t at = f->target, first;
	if (!x->ready_us)
		x->ready_us = arena_array(&f->arena, f->route.n, sizeof *x->ready_us);
	if (!x->ready_us)
		return false;
	if (x->n_put_off > f->route.n - at)
		x->n_put_off = f->route.n - at;
	first = f->route.n - x->n_put_off;
	const struct target put = all[at];
	for (; at + 1 < f->route.n && (at + 1 < first || x->ready_us[at + 1] < ready_us); at++) {
		all[at] = all[at + 1];
		x->ready_us[at] = x->ready_us[at + 1];
	}
	all[at] = put;
	x->ready_us[at] = ready_us;
	if (f->target < first)
		x->n_put_off++;
	if (at == f->target)
		return false;
	if (x->n_warned > f->target)
		x->n_warned = f->target; /* it may come again, and so may its warnings */
	f->same = 0;
	x->token.is_again = false;
	flight_rewind(f);
	return true;
}

/* ---- the wait ---- */

static enum state refuse(struct exchange *x, const struct fault *why)
{
	struct fault said = *why;
	if (x->telling.err == ERR_RATE_LIMITED && said.err == ERR_RATE_LIMITED) {
		/* the provider's own words, and how long from now */
		said = x->telling;
		said.retry_after_ms = why->retry_after_ms;
	}
	return exchange_fail(x, OUTCOME_FAILED, &said);
}

/* Would it be over before its turn comes? Then *why says when it would be. */
static bool is_hopeless(const struct exchange *x, int64_t ready_us, struct fault *why)
{
	const int64_t wait_us = ready_us - loop_now_us(x->organs->loop);
	if (ready_us == INT64_MAX || wait_us < exchange_left_us(x))
		return false;
	if (why->retry_after_ms < wait_us / 1000)
		why->retry_after_ms = wait_us / 1000 + (wait_us % 1000 > 0);
	return true;
}

static void stop_waiting(struct exchange *x)
{
	turns_leave(&x->turn);
	x->queued_us += loop_now_us(x->organs->loop) - x->waits_since_us;
}

static void on_turn(struct turn *w)
{
	struct exchange *x = container_of(w, struct exchange, turn);
	struct bounds b;
	struct limit_answer answer;
	struct fault why = FAULT_NONE;
	const enum err err = bounds_find(x, &b, &why);
	if (!err)
		claim_take(x, &b, &answer);
	if (err || answer.verdict != LIMIT_WAIT) {
		stop_waiting(x);
		exchange_go_on(x, exchange_claimed(x, err, &b, &answer, &why));
		return;
	}
	if (is_hopeless(x, answer.ready_us, &answer.why)) {
		stop_waiting(x);
		exchange_go_on(x, refuse(x, &answer.why));
		return;
	}
	w->place.ready_us = answer.ready_us;
	w->place.is_held_back = !answer.is_shared;
	x->waits_for = answer.why;
}

static void on_place(struct turn *w, const struct queue_view *v)
{
	struct exchange *x = container_of(w, struct exchange, turn);
	const struct target *t = exchange_target(x);
	char when[40] = "";
	struct bounds b;
	struct fault why = FAULT_NONE;
	const int64_t ready_us = bounds_find(x, &b, &why) ? INT64_MAX : claim_ready_us(x, &b, v);
	if (ready_us != INT64_MAX) {
		const int64_t wait_us = ready_us - loop_now_us(x->organs->loop);
		(void)snprintf(when, sizeof when, "; about %" PRId64 " s",
			wait_us < SECOND_US ? 1 : (wait_us + SECOND_US / 2) / SECOND_US);
	}
	flight_status(x->flight, "queued", "place %zu of %zu for %.*s/%.*s%s", v->place, v->n,
		SPAN_ARG(t->provider), SPAN_ARG(t->model), when);
}

static void on_end(struct turn *w)
{
	struct exchange *x = container_of(w, struct exchange, turn);
	stop_waiting(x);
	exchange_go_on(x, exchange_fail_with(x, ERR_RESTARTING, &FAULT_NONE));
}

/* Behind all who wait before it, whose tokens come first. */
static enum err join(struct exchange *x, const struct bounds *b, struct fault *why)
{
	char lane[CLAIM_NAME_BYTES], identity[CLAIM_NAME_BYTES];
	x->turn.on_turn = on_turn;
	x->turn.on_place = on_place;
	x->turn.on_end = on_end;
	x->turn.place.cost_tokens = num_add_sat(b->input_tokens, b->output_tokens);
	if (x->turn.place.cost_tokens < 1)
		x->turn.place.cost_tokens = 1;
	return turns_join(x->organs->turns, claim_lane(x, lane), claim_identity(x, identity),
		x->is_batch, &x->turn, why);
}

enum state exchange_must_wait(
	struct exchange *x, const struct bounds *b, const struct limit_answer *answer)
{
	const int64_t now_us = loop_now_us(x->organs->loop);
	struct queue_view view;
	struct fault why = FAULT_NONE;
	x->waits_for = answer->why;
	/* whoever said "not now" himself is not asked again while somebody else is free */
	const int64_t short_us = x->telling.err == ERR_RATE_LIMITED ? 0 : SHORT_US;
	if (answer->ready_us > now_us + short_us && may_go_elsewhere(x) &&
		put_off(x, answer->ready_us)) {
		const struct target *t = exchange_target(x);
		flight_status(x->flight, "retrying", "%s; trying %.*s/%.*s", answer->why.message,
			SPAN_ARG(t->provider), SPAN_ARG(t->model));
		return ROUTE;
	}
	if (is_hopeless(x, answer->ready_us, &x->waits_for))
		return refuse(x, &x->waits_for);
	const enum err err = join(x, b, &why);
	if (err)
		return exchange_fail_with(x, err, &why);
	x->waits_since_us = now_us;
	queue_look(&x->turn.place, &view);
	if (is_hopeless(x, claim_ready_us(x, b, &view), &x->waits_for)) {
		stop_waiting(x);
		return refuse(x, &x->waits_for);
	}
	return WAIT;
}

enum state step_wait(struct exchange *x)
{
	(void)x;
	return WAIT; /* its turn comes by callback */
}

void exchange_waited(const struct exchange *x, struct fault *why)
{
	*why = x->waits_for;
	fault_set(why, x->waits_for.err,
		"%" PRId64 " ms were not enough for its turn to come: %.900s",
		(loop_now_us(x->organs->loop) - x->flight->begun_us) / 1000, x->waits_for.message);
	why->retry_after_ms = x->waits_for.retry_after_ms;
}
