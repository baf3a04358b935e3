/* step_wait.c - the target in hand cannot be asked yet: which other can, and whose turn is it? */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/listing.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/order.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/trail.h"
#include "protocol/base/num.h"

/* For so long a target is waited for before another is asked. */
#define SHORT_US INT64_C(1000000)
/* And for so much sooner a place in a queue is given up. */
#define GAIN_US INT64_C(1000000)
/* Of those who wait for others to end one is taken to be served in so long; whoever is free now is sooner. */
#define EACH_US INT64_C(1000000)
/* What cannot be had in time comes behind all that can, the soonest first. */
#define TOO_LATE_US (INT64_MAX / 2)

#define SECOND_US INT64_C(1000000)

/* ---- when ---- */

struct outlook {
	int64_t likely_us; /* the loop's clock */
	int64_t sure_us;   /* not before that */
};

/* A list of models is no reason to wait long for one of many providers. */
static bool is_listing(const struct exchange *x)
{
	return x->flight->op == LLM_OP_MODELS && !span_is_set(x->flight->request.model);
}

/* Who has not said how long he has is not kept in silence until the longest time that a call may take. */
static int64_t patience_us(const struct exchange *x)
{
	int64_t waited_us = x->queued_us;
	if (is_listing(x))
		return SHORT_US;
	if (x->has_own_time)
		return INT64_MAX;
	if (turns_waits(&x->turn))
		waited_us += loop_now_us(x->organs->loop) - x->waits_since_us;
	return x->flight->config->queue_us - waited_us;
}

static int64_t left_us(const struct exchange *x)
{
	const int64_t left = exchange_left_us(x), patience = patience_us(x);
	return patience < left ? patience : left;
}

static int64_t cost_tokens(const struct bounds *b)
{
	return num_add_sat(b->input_tokens, b->output_tokens);
}

static bool is_too_late(const struct exchange *x, const struct outlook *o)
{
	return o->sure_us - loop_now_us(x->organs->loop) >= left_us(x);
}

/* Of the target in hand, from that place. */
static void look_out(const struct exchange *x, const struct bounds *b, const struct queue_view *v,
	struct outlook *out)
{
	const int64_t now_us = loop_now_us(x->organs->loop);
	out->sure_us = claim_sure_us(x, b, v);
	out->likely_us = claim_ready_us(x, b, v);
	if (out->likely_us == INT64_MAX)
		out->likely_us = now_us + SHORT_US + (int64_t)v->place * EACH_US;
	if (out->likely_us < out->sure_us)
		out->likely_us = out->sure_us;
	if (is_too_late(x, out))
		out->likely_us = num_add_sat(TOO_LATE_US, out->sure_us);
}

/* ---- another target ---- */

static bool may_go_elsewhere(const struct exchange *x)
{
	const struct flight *f = x->flight;
	return f->op != LLM_OP_MODELS && order_list_end(x) > f->leg->target + 1;
}

/* Puts the target in hand behind those that are free sooner, and by so much, at the end of the route. One that was not
 * put off before comes behind those before it that are as good. False: it is first there, too. */
static bool put_off(struct exchange *x, int64_t ready_us, int64_t gain_us)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	struct target *all = f->route.targets;
	const size_t end = order_list_end(x);
	size_t at = l->target, first;
	if (!x->ready_us)
		x->ready_us = arena_array(&f->arena, f->route.n, sizeof *x->ready_us);
	if (!x->ready_us)
		return false;
	if (x->n_put_off > end - at)
		x->n_put_off = end - at;
	first = end - x->n_put_off;
	const struct target put = all[at];
	const int64_t least_us = l->target < first ? ready_us : ready_us - gain_us - 1;
	for (; at + 1 < end && (at + 1 < first || x->ready_us[at + 1] <= least_us); at++) {
		all[at] = all[at + 1];
		x->ready_us[at] = x->ready_us[at + 1];
	}
	all[at] = put;
	x->ready_us[at] = ready_us;
	if (l->target < first)
		x->n_put_off++;
	if (at == l->target)
		return false;
	if (x->n_warned > l->target)
		x->n_warned = l->target; /* it may come again, and so may its warnings */
	exchange_use_target(x, l->target);
	flight_rewind(f);
	return true;
}

static enum state go_elsewhere(struct exchange *x, const struct fault *why)
{
	exchange_tell_next(x, why->message);
	return ROUTE;
}

/* ---- the wait ---- */

static enum state refuse(struct exchange *x, const struct outlook *o)
{
	struct fault said = *mishap_fault(&x->waits_for);
	const int64_t wait_us = o->sure_us - loop_now_us(x->organs->loop);
	claim_note_refused(x, &said);
	if (is_listing(x)) {
		listing_warn(x->flight, &said);
		return exchange_next_listing(x);
	}
	if (mishap_err(&x->telling) == ERR_RATE_LIMITED && said.err == ERR_RATE_LIMITED)
		said = *mishap_fault(
			&x->telling); /* the provider's own words, and how long from now */
	if (wait_us > 0)
		said.retry_after_ms = wait_us / 1000 + (wait_us % 1000 > 0);
	return exchange_fail(x, OUTCOME_FAILED, &said);
}

void exchange_stop_waiting(struct exchange *x)
{
	const int64_t waited_us = loop_now_us(x->organs->loop) - x->waits_since_us;
	loop_timer_stop(&x->patience);
	if (!turns_waits(&x->turn) && !x->is_along)
		return;
	x->queued_us += waited_us;
	if (!x->is_along)
		trail_queue(x, waited_us);
	turns_leave(&x->turn);
	x->is_along = false;
}

void exchange_wait_along(struct exchange *x)
{
	if (!exchange_waits_along(x))
		return;
	x->is_along = true;
	x->waits_since_us = loop_now_us(x->organs->loop);
	if (left_us(x) < exchange_left_us(x))
		loop_timer_set(x->organs->loop, &x->patience, left_us(x));
}

bool exchange_waits_along(struct exchange *x)
{
	struct limit_answer answer;
	struct exchange *leader = memo_leader(x);
	if (!leader || leader->state != WAIT)
		return false;
	exchange_let_before(x, &leader->turn, &answer);
	mishap_keep(&x->waits_for, &answer.why);
	return true;
}

void exchange_stop_along(struct exchange *x)
{
	if (!x->is_along)
		return;
	x->is_along = false;
	loop_timer_stop(&x->patience);
}

/* Not now either: it stays where it is, unless another target is free much sooner, or its time is not enough. WAIT: it
 * stays. */
static enum state wait_on(
	struct exchange *x, const struct bounds *b, const struct limit_answer *answer)
{
	const int64_t now_us = loop_now_us(x->organs->loop);
	const struct queue_view first = {.place = 1, .n = 1};
	struct outlook o;
	mishap_keep(&x->waits_for, &answer->why);
	look_out(x, b, &first, &o);
	if (o.likely_us > now_us + SHORT_US && may_go_elsewhere(x) &&
		put_off(x, o.likely_us, GAIN_US)) {
		exchange_stop_waiting(x);
		return go_elsewhere(x, &answer->why);
	}
	if (!is_too_late(x, &o))
		return WAIT;
	exchange_stop_waiting(x);
	return refuse(x, &o);
}

static void on_turn(struct turn *w)
{
	struct exchange *x = container_of(w, struct exchange, turn);
	struct bounds b;
	struct limit_answer answer;
	struct fault why = FAULT_NONE;
	if (!pulse_may_ask(x, &why)) { /* it has come to rest while this one waited */
		exchange_stop_waiting(x);
		exchange_go_on(x, exchange_rest(x, &why));
		return;
	}
	const enum err err = bounds_find(x, &b, &why);
	struct turn *first = err ? NULL : claim_overtakes(x, &b);
	if (first)
		exchange_let_before(x, first, &answer);
	else if (!err)
		claim_take(x, &b, &answer);
	if (err || answer.verdict != LIMIT_WAIT) {
		exchange_stop_waiting(x);
		exchange_go_on(x, exchange_claimed(x, err, &b, &answer, &why));
		return;
	}
	const enum state next = wait_on(x, &b, &answer);
	if (next != WAIT) {
		exchange_go_on(x, next);
		return;
	}
	w->place.ready_us = answer.ready_us;
	w->place.is_held_back = !answer.is_shared;
	w->place.lacks = answer.lacks;
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

/* Whoever is not the first in its lane is not asked, but may have somewhere to go. */
static bool on_look(struct turn *w, const struct queue_view *v)
{
	struct exchange *x = container_of(w, struct exchange, turn);
	struct bounds b;
	struct outlook o;
	struct fault why = FAULT_NONE;
	if (!may_go_elsewhere(x) || bounds_find(x, &b, &why) != OK)
		return false;
	look_out(x, &b, v, &o);
	if (o.likely_us <= loop_now_us(x->organs->loop) + SHORT_US ||
		!put_off(x, o.likely_us, GAIN_US))
		return false;
	exchange_stop_waiting(x);
	exchange_go_on(x, go_elsewhere(x, mishap_fault(&x->waits_for)));
	return true;
}

static void on_end(struct turn *w)
{
	struct exchange *x = container_of(w, struct exchange, turn);
	exchange_stop_waiting(x);
	exchange_go_on(x, exchange_fail_with(x, ERR_RESTARTING, &FAULT_NONE));
}

/* Behind all who wait before it, whose tokens come first. */
static enum err join(struct exchange *x, const struct bounds *b, struct fault *why)
{
	char lane[CLAIM_NAME_BYTES], identity[CLAIM_NAME_BYTES];
	x->turn.on_turn = on_turn;
	x->turn.on_place = on_place;
	x->turn.on_look = on_look;
	x->turn.on_end = on_end;
	x->turn.place.cost_tokens = cost_tokens(b);
	const enum err err = turns_join(x->organs->turns, claim_lane(x, lane),
		claim_identity(x, identity), x->is_batch, &x->turn, why);
	x->waits_since_us = loop_now_us(x->organs->loop);
	trail_wait(x);
	if (!err && left_us(x) < exchange_left_us(x))
		loop_timer_set(x->organs->loop, &x->patience, left_us(x));
	return err;
}

/* As if it joined. */
static enum err look_ahead(
	struct exchange *x, const struct bounds *b, struct outlook *out, struct fault *why)
{
	char lane[CLAIM_NAME_BYTES], identity[CLAIM_NAME_BYTES];
	struct queue_view view;
	const enum err err = turns_look_ahead(x->organs->turns, claim_lane(x, lane),
		claim_identity(x, identity), x->is_batch, cost_tokens(b), &view, why);
	if (!err)
		look_out(x, b, &view, out);
	else /* there is no place for it, but there may be one elsewhere */
		*out = (struct outlook){.likely_us = INT64_MAX};
	return err;
}

enum state exchange_must_wait(
	struct exchange *x, const struct bounds *b, const struct limit_answer *answer)
{
	const int64_t now_us = loop_now_us(x->organs->loop);
	struct outlook o;
	struct fault why = FAULT_NONE;
	mishap_keep(&x->waits_for, &answer->why);
	const enum err err = look_ahead(x, b, &o, &why);
	/* whoever said "not now" himself is not asked again while somebody else is free */
	const int64_t short_us = mishap_err(&x->telling) == ERR_RATE_LIMITED ? 0 : SHORT_US;
	if (o.likely_us > now_us + short_us && may_go_elsewhere(x) && put_off(x, o.likely_us, 0))
		return go_elsewhere(x, &answer->why);
	if (err)
		return exchange_fail_with(x, err, &why);
	if (is_too_late(x, &o))
		return refuse(x, &o);
	const enum err unplaced = join(x, b, &why);
	return unplaced ? exchange_fail_with(x, unplaced, &why) : WAIT;
}

enum state step_wait(struct exchange *x)
{
	(void)x;
	return WAIT; /* its turn comes by callback */
}

void exchange_waited(const struct exchange *x, struct fault *why)
{
	const struct fault *waits_for = mishap_fault(&x->waits_for);
	*why = *waits_for;
	fault_set(why, waits_for->err,
		"%" PRId64 " ms were not enough for its turn to come: %.900s",
		(loop_now_us(x->organs->loop) - x->flight->begun_us) / 1000, waits_for->message);
	why->retry_after_ms = waits_for->retry_after_ms;
	claim_note_refused(x, why);
}
