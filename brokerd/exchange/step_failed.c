/* step_failed.c - the target in hand has failed, or has told all that it has: what comes next? */
#include "brokerd/exchange/steps.h"

#include <stdio.h>

#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/listing.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/log/log.h"
#include "brokerd/route/retry.h"

/* Waits that are shorter than that are not asked for without an end: each counts as an attempt. */
#define TOLD_MS 1000

void exchange_use_target(struct exchange *x, size_t i)
{
	struct leg *l = x->flight->leg;
	const struct target *all = x->flight->route.targets, *was = &all[l->target];
	/* with another key the encoding is the same, and so are its warnings */
	if (x->n_warned > l->target && i > l->target && span_eq(was->provider, all[i].provider) &&
		span_eq(was->model, all[i].model))
		x->n_warned = i + 1;
	if (was->list != all[i].list)
		x->n_put_off = 0;
	l->target = i;
	l->same = 0;
	l->token.is_again = false;
}

enum state exchange_next_listing(struct exchange *x)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	if (f->pages.is_cut)
		listing_warn_cut(f);
	if (l->target + 1 < f->route.n) {
		f->pages = (struct pages){.n = 0};
		exchange_use_target(x, l->target + 1);
		flight_rewind(f);
		return ROUTE;
	}
	x->outcome = OUTCOME_OK;
	mishap_drop(&x->verdict);
	return SETTLE;
}

enum state exchange_next_page(struct exchange *x)
{
	x->flight->leg->same = 0;
	flight_rewind(x->flight);
	return ROUTE;
}

/* A parameter was refused that the request can do without: it goes out again so, and the caller is
 * told. False: that is not it. */
static bool mend(struct exchange *x, const struct fault *why)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	struct target *t = &f->route.targets[l->target];
	char told[256];
	if (!exchange_is_written(f->op) || l->is_forwarded || f->has_batch_content ||
		f->attempts >= ATTEMPTS_MAX || exchange_left_us(x) <= 0 ||
		!repair_learn(&x->organs->repairs, t, &f->request, why) ||
		repair_apply(&x->organs->repairs, t, &f->arena) != OK)
		return false;
	(void)snprintf(told, sizeof told,
		"%.*s refused %s: the request was sent again without it, or under its other name",
		SPAN_ARG(t->provider), why->param[0] ? why->param : "an answer in one piece");
	struct llm_event e = {.type = EV_WARNING};
	e.warning.code = SPAN("dropped_parameter");
	e.warning.param = span_str(why->param);
	e.warning.message = span_str(told);
	flight_rewind(f);
	char param[sizeof why->param * 2];
	log_info("exchange.mended", "id=%s param=%s", x->id,
		log_quote(param, sizeof param, span_str(why->param)));
	return flight_warn(f, &e) == OK;
}

/* Its host counts no tokens, which could not be known before: they are estimated, as at all such hosts. False: that is
 * not it. */
static bool count_here(struct exchange *x, const struct fault *why)
{
	struct flight *f = x->flight;
	const size_t at = f->leg->target;
	struct target *t = &f->route.targets[at];
	if (f->op != LLM_OP_COUNT || t->is_count_missing || f->attempts >= ATTEMPTS_MAX ||
		exchange_left_us(x) <= 0 || !repair_lacks_count(why))
		return false;
	repair_learn_count(&x->organs->repairs, t);
	t->is_count_missing = true;
	if (x->n_warned > at)
		x->n_warned = at; /* that it is an estimate is still to be told */
	flight_rewind(f);
	log_info("exchange.mended", "id=%s param=count", x->id);
	return true;
}

/* What may prove it instead, once for each target; NULL: nothing. */
const char *exchange_renewal(const struct exchange *x, const struct fault *why)
{
	const struct leg *l = x->flight->leg;
	const struct target *t = exchange_target(x);
	return l->token.is_again ? NULL
				 : tokens_renewal(x->organs->tokens, x->flight->config, t, t->key,
					   l->secret, why);
}

size_t exchange_route_end(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct target *t = exchange_target(x);
	size_t end = f->batches == 0 ? f->route.n : f->leg->target + 1;
	while (end < f->route.n && span_eq(f->route.targets[end].provider, t->provider) &&
		span_eq(f->route.targets[end].model, t->model))
		end++;
	return end;
}

void exchange_tell_next(struct exchange *x, const char *why)
{
	const struct target *t = exchange_target(x);
	/* how the keys of the house are called is nobody's business in a sandbox */
	const struct span key = peer_is_open(&x->peer) ? t->key : SPAN("");
	trail_next(x, why);
	flight_status(x->flight, "retrying", "%s; trying %.*s/%.*s%s%.*s", why,
		SPAN_ARG(t->provider), SPAN_ARG(t->model), key.n > 0 ? " with the key " : "",
		SPAN_ARG(key));
}

bool exchange_sends_once(const struct exchange *x)
{
	return x->is_at_most_once || allowance_denies_resend(&x->allowance);
}

bool exchange_has_tries(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const int64_t costly = (int64_t)f->attempts - x->n_told - f->free;
	return costly < f->route.alias->route.attempts && f->free < ATTEMPTS_FREE;
}

/* Sending it twice costs little, and changes nothing at the provider's. */
static bool is_repeatable(enum llm_op op)
{
	return op == LLM_OP_EMBED || op == LLM_OP_COUNT || op == LLM_OP_MODELS;
}

/* Another try on the same target is one of those that its host gets from all callers together; but who waits for what
 * the provider's rates allow goes when they do, and multiplies nothing. */
static struct retry_verdict decide(struct exchange *x, struct retry_case *c, bool is_queued)
{
	const struct retry_verdict v = retry_decide(c);
	struct health *h = x->organs->health;
	if (v.move != RETRY_SAME || c->may_renew || is_queued || !h ||
		health_take_retry(h, exchange_target(x)->provider, loop_now_us(x->organs->loop)))
		return v;
	c->is_host_spent = true;
	c->n = exchange_route_end(x);
	return retry_decide(c);
}

/* The same where it rests: another that its class allows serves, or a moment is waited. */
static struct retry_verdict decide_resting(const struct exchange *x, struct retry_case *c)
{
	const struct retry_verdict v = retry_decide(c);
	if (v.move != RETRY_SAME)
		return v;
	c->is_host_spent = true;
	c->n = exchange_route_end(x);
	const struct retry_verdict other = retry_decide(c);
	return other.move == RETRY_NEXT ? other : v;
}

enum state exchange_after_failure(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	const char *other = exchange_renewal(x, why);
	struct fault rest = FAULT_NONE;
	claim_release(x); /* where it did not come to an attempt */
	if (f->op == LLM_OP_MODELS && !span_is_set(f->request.model) && !other) {
		listing_warn(f, why);
		return exchange_next_listing(x);
	}
	/* for what a provider's rates allow it waits with all others, or asks another meanwhile: step_wait.c. Who is
	 * told for how long has not tried in vain, and may wait again, as long as his time is enough */
	const bool may_wait = why->err == ERR_RATE_LIMITED && why->advice != RETRY_FORBIDDEN &&
			      !f->has_batch_content;
	const bool is_told = may_wait && why->retry_after_ms > 0;
	const bool is_queued = is_told || (may_wait && l->same <= 1);
	if (is_told && why->retry_after_ms >= TOLD_MS && f->attempts > f->batches + x->n_told)
		x->n_told++;
	if (is_told && l->same > 0)
		l->same--;
	const struct model *alias = f->route.alias;
	const bool may_resume = resume_may(x);
	struct retry_case c = {
		.err = why->err,
		.code = span_str(why->code),
		.has_content = f->op != LLM_OP_MODELS && f->has_batch_content,
		.may_resume = may_resume,
		.is_host_spent = may_resume && !resume_can(x, exchange_target(x)),
		.is_unknown = outcome == OUTCOME_UNKNOWN,
		.is_once = exchange_sends_once(x),
		.is_repeatable = is_repeatable(f->op),
		.same = is_told ? 1 : l->same,
		/* lists are many requests, and each may fail for itself */
		.attempts = f->op == LLM_OP_MODELS ? l->same : f->attempts - f->batches - x->n_told,
		.unknown = f->unknown,
		.retry_after_ms = is_queued ? 0 : why->retry_after_ms,
		.advice = why->advice,
		.left_us = exchange_left_us(x),
		.jitter = (uint32_t)(x->seed >> 32) + f->attempts,
		.may_fail_over = alias && (alias->route.is_invalid_passed_on || x->resume.is_due),
		.attempts_most = alias ? (unsigned)alias->route.attempts : 0,
		.free = f->op == LLM_OP_MODELS ? 0 : f->free,
		.targets = f->route.targets,
		.n = is_queued ? l->target + 1 : exchange_route_end(x),
		.at = l->target,
		.may_renew = other != NULL,
	};
	if (mend(x, why) || count_here(x, why))
		return ROUTE;
	const bool is_resting = !c.may_renew && !is_queued && !pulse_may_ask(x, &rest);
	const struct retry_verdict v =
		is_resting ? decide_resting(x, &c) : decide(x, &c, is_queued);
	const bool is_renewal = c.may_renew && v.move == RETRY_SAME;
	if (!is_renewal && (f->has_content || retry_tells_more(why, mishap_fault(&x->telling))))
		mishap_keep(&x->telling, why);
	if (may_resume && v.move != RETRY_STOP && resume_take(x, why) != OK)
		return exchange_fail(x, outcome, mishap_fault(&x->telling));
	/* what has failed is asked again where that was allowed, and those behind it that were not asked yet */
	x->rest_from = v.move == RETRY_SAME ? l->target : v.next;
	if (v.move == RETRY_SAME && is_resting) {
		flight_rewind(f);
		return exchange_rest(x, &rest);
	}
	switch (v.move) {
	case RETRY_STOP:
		return exchange_fail(x, outcome, mishap_fault(&x->telling));
	case RETRY_NEXT:
		exchange_use_target(x, v.next);
		break;
	case RETRY_SAME:
		break;
	}
	if (is_renewal) {
		tokens_refused(x->organs->tokens, l->secret);
		l->token.is_again = true;
	}
	flight_rewind(f);
	if (!is_queued)
		exchange_tell_next(x, is_renewal ? other : why->message);
	trail_pause(x, v.delay_us);
	x->is_retry_due = v.delay_us > 0;
	if (x->is_retry_due)
		loop_timer_set(x->organs->loop, &x->retry, v.delay_us);
	return ROUTE;
}
