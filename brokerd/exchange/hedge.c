/* hedge.c - a rival goes out as the first one would, at once, or not at all: it does not wait for limits, is not cut short for
 * money, and nothing is left out of its request. */
#include "brokerd/exchange/hedge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/order.h"
#include "brokerd/exchange/pins.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/slow.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/route/retry.h"

/* NULL: there is none. */
static struct leg *other_leg(const struct leg *l)
{
	struct flight *f = l->exchange->flight;
	return l == &f->first ? f->second : &f->first;
}

/* The same, made where there was none; NULL: no memory for it. */
static struct leg *make_other(const struct leg *l)
{
	struct flight *f = l->exchange->flight;
	struct leg *other = other_leg(l);
	if (other)
		return other;
	other = f->second = arena_alloc(&f->arena, sizeof *other);
	if (!other)
		return NULL;
	leg_init(other);
	other->exchange = l->exchange;
	other->token.on_token = l->token.on_token;
	return other;
}

static bool is_under_way(const struct leg *l)
{
	return l->attempt || token_is_awaited(&l->token);
}

struct leg *hedge_rival(const struct leg *l)
{
	struct leg *other = other_leg(l);
	return other && is_under_way(other) ? other : NULL;
}

/* ---- who leaves the race ---- */

static void let_go(struct leg *l)
{
	struct exchange *x = l->exchange;
	if (token_is_awaited(&l->token))
		pulse_unsent(x);
	tokens_leave(&l->token);
	claim_release(x);
	secret_unref(l->secret);
	l->secret = NULL;
}

/* It may have been served as far as it was sent, and is charged for so; what its provider has told of that is heard. */
static void end_leg(struct leg *l)
{
	struct flight *f = l->exchange->flight;
	struct leg *was = f->leg;
	struct attempt_record record;
	f->leg = l;
	l->is_over = true;
	if (l->attempt) {
		attempt_tell_usage(l->attempt);
		attempt_cancel(l->attempt, &record);
		if (record.has_sent_body)
			record.outcome = OUTCOME_UNKNOWN;
		exchange_account(l->exchange, &record);
	}
	let_go(l);
	f->leg = was;
}

void hedge_stop(struct exchange *x)
{
	struct leg *rival = hedge_rival(x->flight->leg);
	loop_timer_stop(&x->hedge.due);
	if (rival)
		end_leg(rival);
}

/* ---- what comes of it ---- */

struct leg *hedge_listen(struct leg *l, bool is_content)
{
	struct flight *f = l->exchange->flight;
	struct leg *was = f->leg;
	f->leg = l;
	if (!is_content)
		return was;
	const bool is_race = hedge_rival(l) != NULL;
	hedge_stop(l->exchange);
	if (is_race) /* with what the other one may have been served nothing more may go elsewhere */
		l->floor = slow_floor(l->exchange);
	return l;
}

void hedge_heard(struct leg *was)
{
	was->exchange->flight->leg = was;
}

bool hedge_ended(struct leg *l, struct leg *rival, const struct fault *why)
{
	struct exchange *x = l->exchange;
	const bool is_first = l->target < rival->target;
	assert(x->flight->leg == l);
	/* it is an answer, if an empty one; or nothing of the other's has gone out */
	if (!why->err || !rival->attempt) {
		end_leg(rival);
		return false;
	}
	if (exchange_renewal(x, why))
		tokens_refused(x->organs->tokens, l->secret);
	else if (retry_tells_more(why, mishap_fault(&x->telling)))
		mishap_keep(&x->telling, why);
	let_go(l);
	x->flight->leg = rival;
	rival->floor = slow_floor(x);
	if (is_first)
		exchange_tell_next(x, why->message);
	else if (x->flight->unknown > 0) /* what it may have served is not sent there again */
		order_drop(x, l->target);
	else /* all that have not failed are asked before it, if it comes to that */
		order_put_last(x, l->target);
	return true;
}

/* ---- who joins it ---- */

/* Limits and budgets allow it as it would be sent alone, and so does what the slow one's host has of second tries; then it is
 * written down. False: *why says for what not. */
static bool set_aside(struct exchange *x, struct span slow, struct fault *why)
{
	struct health *h = x->organs->health;
	struct flight *f = x->flight;
	const struct opt_i64 max = f->request.max_tokens;
	struct bounds b;
	struct limit_answer answer;
	const enum err err = bounds_find(x, &b, why);
	f->request.max_tokens = max; /* of the first one's, as its caller was told */
	if (err)
		return false;
	if (b.capped) {
		fault_set(why, ERR_BUDGET, "what is left of its budget would cut it short");
		return false;
	}
	if (exchange_first_in_line(x, &b)) {
		fault_set(why, ERR_RATE_LIMITED, "others wait for what it would need");
		return false;
	}
	claim_take(x, &b, &answer);
	if (answer.verdict != LIMIT_HELD) {
		*why = answer.why;
		return false;
	}
	if (h && !health_take_retry(h, slow, loop_now_us(x->organs->loop))) {
		fault_set(why, ERR_OVERLOADED, "%.*s has had all the second tries for now",
			SPAN_ARG(slow));
		return false;
	}
	return exchange_announce(x, &b, why) == OK;
}

/* Is all of the request for that target? What is left out, its caller would have to be told. */
static bool takes_all(struct exchange *x, struct fault *why)
{
	struct flight *f = x->flight;
	const struct llm_request *request;
	if (pins_leave_out(x->organs->items, x->owner, exchange_target(x), &f->arena,
		    &f->leg->asked, exchange_now_s(x), &request) == OK &&
		request == &f->leg->asked)
		return true;
	fault_set(why, ERR_INVALID_REQUEST, "it cannot read all of the request");
	return false;
}

/* The rival in hand comes to nothing: those who ask later learn why. */
static void give_up(struct leg *l, const struct fault *why)
{
	struct exchange *x = l->exchange;
	char said[sizeof why->message + 32];
	(void)snprintf(said, sizeof said, "not asked beside another: %s", why->message);
	trail_out(x, exchange_target(x), said);
	let_go(l);
}

static bool send_leg(struct leg *l, struct fault *why)
{
	struct exchange *x = l->exchange;
	const struct target *t = exchange_target(x);
	char said[64];
	if (exchange_begin(x, why))
		return false;
	(void)snprintf(said, sizeof said, "no word of the answer within %" PRId64 " ms",
		x->hedge.after_us / 1000);
	trail_next(x, said);
	flight_status(x->flight, "retrying", "%s; asking %.*s/%.*s beside it", said,
		SPAN_ARG(t->provider), SPAN_ARG(t->model));
	return true;
}

/* As it may have come to while its token was waited for. */
static bool rests(const struct exchange *x, struct fault *why)
{
	struct choose_view view = {.is_resting = false};
	pulse_look(x, &view);
	if (view.is_resting)
		fault_set(why, ERR_OVERLOADED, "it rests by now");
	return view.is_resting;
}

void hedge_on_token(struct leg *l, const struct fault *why)
{
	struct fault said = *why;
	struct leg *was = hedge_listen(l, false);
	if (l->secret)
		pulse_unsent(l->exchange);
	else
		exchange_unproved(l->exchange, why);
	if (!l->secret || rests(l->exchange, &said) || !send_leg(l, &said))
		give_up(l, &said);
	hedge_heard(was);
}

/* The rival in hand, of which nothing is known yet. */
static void begin(struct leg *l, struct span slow)
{
	struct exchange *x = l->exchange;
	struct fault why = FAULT_NONE;
	if (!takes_all(x, &why) || !set_aside(x, slow, &why)) {
		give_up(l, &why);
		return;
	}
	const enum err err = exchange_prove(x, &why);
	if (err == ERR_MORE)
		return;
	if (err)
		exchange_unproved(x, &why);
	if (err || !send_leg(l, &why))
		give_up(l, &why);
}

/* May another one be asked, now that nothing has come for so long? */
static bool may_begin(const struct exchange *x)
{
	const struct flight *f = x->flight;
	return x->state == RELAY && !x->left.is_left && !f->has_content && f->unknown == 0 &&
	       exchange_left_us(x) > 0 && exchange_has_tries(x);
}

static void on_due(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, hedge.due);
	struct flight *f = x->flight;
	struct leg *first = f->leg, *rival;
	const size_t at = pulse_other(x);
	/* who answers here is always quicker, and is for when nobody else is left */
	if (!may_begin(x) || at >= order_end(x) || attempt_is_local(&f->route.targets[at], f->op))
		return;
	rival = make_other(first);
	if (!rival)
		return;
	const struct span slow = exchange_target(x)->provider;
	x->hedge.is_used = true;
	order_bring(x, at);
	leg_rewind(rival, &f->settled, &f->settled_billed);
	rival->target = first->target + 1;
	rival->same = 1;
	rival->token.is_again = false;
	f->leg = rival;
	flight_cut(f, exchange_target(x));
	begin(rival, slow);
	f->leg = first;
}

void hedge_watch(struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct model *alias = f->route.alias;
	const bool is_words = f->op == LLM_OP_CHAT || f->op == LLM_OP_COMPLETE;
	struct health_view view;
	if (!alias || alias->route.hedge_us == 0 || !is_words || x->is_batch || x->hedge.is_used ||
		exchange_sends_once(x) || f->leg->target + 1 >= order_end(x))
		return;
	x->hedge.after_us = alias->route.hedge_us;
	if (alias->route.hedge_us == HEDGE_P95) /* of what is not known it is not asked for */
		x->hedge.after_us = pulse_view(x, &view) ? view.p95_us : -1;
	if (x->hedge.after_us < 0)
		return;
	LOOP_CALLS(&x->hedge.due, on_fire, on_due);
	loop_timer_set(x->organs->loop, &x->hedge.due, x->hedge.after_us);
}
