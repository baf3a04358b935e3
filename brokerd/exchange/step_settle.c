/* step_settle.c - the truth to the ledger, the last event to the log. */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>

#include "brokerd/exchange/account.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/hedge.h"
#include "brokerd/exchange/prefix.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/stale.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/ledger/counts.h"
#include "brokerd/ledger/price.h"
#include "brokerd/ledger/recent.h"
#include "brokerd/log/log.h"
#include "protocol/base/num.h"

#define DAY_US (INT64_C(86400) * 1000000)

static void settle_record(const struct exchange *x, struct exchange_record *r)
{
	const struct flight *f = x->flight;
	const struct leg *l = f->leg;
	const struct target *t = f->route.n > 0 ? exchange_target(x) : NULL;
	const int64_t now_us = loop_now_us(x->organs->loop);
	*r = (struct exchange_record){
		.at_us = f->begun_wall_us,
		.total_us = now_us - f->begun_us,
		.ttft_us = f->first_content_us ? f->first_content_us - f->begun_us : -1,
		.uid = (uint32_t)x->peer.uid,
		.pid = (uint32_t)x->peer.pid,
		.outcome = x->outcome,
		.err = x->verdict.err,
		.is_stream = f->request.is_stream,
		.attempts = f->attempts,
		.warnings = f->warnings,
		.usage = l->billed,
		.price = !t             ? PRICE_UNKNOWN
			 : l->has_usage ? l->price
					: t->price,
		.queued_us = x->queued_us,
		.estimate_input = l->expected_input,
		.estimate_output = l->expected_output,
		.saved_nusd = -1,
	};
	memcpy(r->id, x->id, sizeof r->id);
	memcpy(r->app, x->account, sizeof r->app);
	memcpy(r->program, x->peer.program, sizeof r->program);
	fault_text(r->op, sizeof r->op, span_str(llm_op_name(f->op)));
	fault_text(r->surface, sizeof r->surface, exchange_surface(x));
	fault_text(r->model, sizeof r->model, f->request.model);
	if (l->finish)
		fault_text(r->finish, sizeof r->finish, span_str(finish_name(l->finish)));
	const bool is_cached = x->memo.cached.source != CACHE_NOT && x->outcome == OUTCOME_OK;
	if (t && (f->attempts > 0 || is_cached) && (f->op != LLM_OP_MODELS || f->route.n == 1)) {
		fault_text(r->provider, sizeof r->provider, t->provider);
		fault_text(r->target_model, sizeof r->target_model, t->model);
	}
	account_of(x, &r->account);
	r->usage.cost_nusd = f->is_cost_open ? -1 : f->spent_nusd;
	if (is_cached) {
		if (r->usage.cost_nusd < 0 && !f->is_cost_open)
			r->usage.cost_nusd = 0; /* what failed before it was free */
		r->saved_nusd = x->memo.cached.saved_nusd;
		fault_text(r->cache, sizeof r->cache,
			span_str(cache_source_name(x->memo.cached.source)));
	}
	if (r->usage.provider_cost_nusd >= 0 && f->former_nusd > 0)
		r->usage.provider_cost_nusd =
			num_add_sat(r->usage.provider_cost_nusd, f->former_nusd);
}

/* A good answer of one attempt tells how good the estimate was, and the price. */
static void learn(struct exchange *x, const struct exchange_record *r)
{
	const struct flight *f = x->flight;
	struct organs *o = x->organs;
	const struct span provider = span_str(r->provider), model = span_str(r->target_model);
	char quoted[2][sizeof r->target_model * 2];
	if (x->outcome != OUTCOME_OK || f->attempts != 1 || provider.n == 0 ||
		exchange_is_free(x) || x->memo.cached.source)
		return;
	if (o->fit)
		fit_learn(o->fit, provider, model, exchange_raw_estimate(x),
			usage_input_total(&f->leg->billed));
	if (price_drifts(r->usage.cost_nusd, r->usage.provider_cost_nusd) &&
		drift_is_news(&o->drifts, provider, model, f->begun_wall_us / DAY_US))
		log_warn("price.drift",
			"id=%s provider=%s model=%s cost_nusd=%" PRId64
			" provider_cost_nusd=%" PRId64,
			x->id, log_quote(quoted[0], sizeof quoted[0], provider),
			log_quote(quoted[1], sizeof quoted[1], model), r->usage.cost_nusd,
			r->usage.provider_cost_nusd);
}

/* What was found out only on the way: a model, an endpoint, an answer of a person's. */
static void note_refusal(struct exchange *x)
{
	const enum err err = x->verdict.err;
	if (x->is_noted || (err != ERR_DENIED && err != ERR_CONSENT))
		return;
	const struct audit_event e = {.what = "denied.call",
		.who = &x->peer,
		.verdict = AUDIT_DENIED,
		.err = err,
		.subject = x->flight->request.model.n > 0 ? x->flight->request.model
							  : span_str(llm_op_name(x->flight->op)),
		.detail = span_str(x->verdict.message)};
	audit_record(x->organs->audit, &e);
	x->is_noted = true;
}

/* Answers that were kept may be many, and cost nobody anything: the ledger has each, the log only where it tells all. */
static void log_end(const struct exchange *x, const struct exchange_record *r)
{
	char provider[sizeof r->provider * 2], model[sizeof r->target_model * 2];
	if (x->memo.cached.source == CACHE_HIT && x->outcome == OUTCOME_OK &&
		!log_is_on(LOG_LEVEL_DEBUG))
		return;
	log_info("exchange.end",
		"id=%s outcome=%s class=%s uid=%u provider=%s model=%s attempts=%u input=%" PRId64
		" output=%" PRId64 " cost_nusd=%" PRId64 " ttft_us=%" PRId64 " took_us=%" PRId64,
		x->id, outcome_name(x->outcome), r->err ? err_info(r->err)->word : "ok", r->uid,
		log_quote(provider, sizeof provider, span_str(r->provider)),
		log_quote(model, sizeof model, span_str(r->target_model)), r->attempts,
		usage_input_total(&r->usage), usage_output_total(&r->usage), r->usage.cost_nusd,
		r->ttft_us, r->total_us);
}

/* It ends here, in whatever it is. */
static void stop_leg(struct leg *l)
{
	struct exchange *x = l->exchange;
	struct flight *f = x->flight;
	struct leg *was = f->leg;
	f->leg = l;
	if (token_is_awaited(&l->token))
		pulse_unsent(x);
	tokens_leave(&l->token);
	if (l->attempt) { /* stopped from outside while it ran */
		struct attempt_record record;
		if (x->outcome == OUTCOME_FAILED && f->has_content)
			attempt_tell_usage(l->attempt);
		attempt_cancel(l->attempt, &record);
		record.outcome = x->outcome == OUTCOME_FAILED && record.has_sent_body
					 ? OUTCOME_UNKNOWN
					 : x->outcome;
		record.err = x->verdict.err;
		exchange_account(x, &record);
	}
	claim_release(x); /* where it did not come to an attempt */
	secret_unref(l->secret);
	l->secret = NULL;
	f->leg = was;
}

enum state step_settle(struct exchange *x)
{
	struct flight *f = x->flight;
	struct exchange_record r;
	struct fault why;
	fault_clear(&why);
	loop_timer_stop(&x->deadline);
	loop_timer_stop(&x->retry);
	loop_timer_stop(&x->hold);
	loop_timer_stop(&x->left.over);
	loop_timer_stop(&x->hedge.due);
	exchange_stop_waiting(x);
	compare_stop(x);
	consents_leave(&x->consent);
	note_refusal(x);
	if (hedge_rival(f->leg))
		stop_leg(hedge_rival(f->leg));
	stop_leg(f->leg);
	if (x->outcome == OUTCOME_FAILED && f->unknown > 0)
		x->outcome = OUTCOME_UNKNOWN;
	memo_end(x, x->left.is_whole
			    ? &why
			    : &x->verdict); /* an answer is one, whoever is left of its callers */
	if (stale_answers(x, &why))
		log_info("exchange.stale", "id=%s age_s=%" PRId64 " class=%s", x->id,
			x->memo.cached.age_s, err_info(why.err)->word);
	settle_record(x, &r);
	learn(x, &r);
	prefix_note(x);
	if (x->organs->journal && journal_settle(x->organs->journal, &r, &why) != OK)
		log_error("ledger.exchange_lost", "id=%s why=\"%s\"", x->id, why.message);
	counts_add(x->organs->counts, &r);
	recent_add(x->organs->recent, &r);
	trail_end(x);
	log_end(x, &r);
	if (x->is_parted) {
		/* its caller has had the end of it */
	} else if (x->verdict.err) {
		struct fault said = x->verdict;
		memcpy(said.request_id, x->id, sizeof x->id); /* the provider's is in the ledger */
		flight_fail(f, &said);
	} else {
		struct llm_usage counted = f->leg->usage;
		counted.cost_nusd = r.usage.cost_nusd;
		counted.provider_cost_nusd = r.usage.provider_cost_nusd;
		const struct reply_end end = {
			.usage = counted,
			.provider = r.provider[0] ? span_str(r.provider) : SPAN_NONE,
			.model = r.provider[0] ? span_str(r.target_model) : SPAN_NONE,
			.request_id = span_str(x->id),
			.ttft_us = r.ttft_us,
			.total_us = r.total_us,
			.attempts = r.attempts,
			.cached = x->memo.cached,
			.is_kept = x->memo.is_kept,
		};
		flight_end(f, &end);
	}
	x->organs->n_served++;
	return END;
}
