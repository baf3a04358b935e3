/* step_settle.c - the truth to the ledger, the last event to the log. */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>

#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/hedge.h"
#include "brokerd/exchange/prefix.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/row.h"
#include "brokerd/exchange/stale.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/ledger/counts.h"
#include "brokerd/ledger/price.h"
#include "brokerd/ledger/recent.h"
#include "brokerd/log/log.h"

#define DAY_US (INT64_C(86400) * 1000000)

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
	const enum err err = mishap_err(&x->verdict);
	if (x->is_noted || (err != ERR_DENIED && err != ERR_CONSENT))
		return;
	const struct audit_event e = {.what = "denied.call",
		.who = &x->peer,
		.verdict = AUDIT_DENIED,
		.err = err,
		.subject = x->flight->request.model.n > 0 ? x->flight->request.model
							  : span_str(llm_op_name(x->flight->op)),
		.detail = span_str(mishap_fault(&x->verdict)->message)};
	audit_record(x->organs->audit, &e);
	x->is_noted = true;
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
		record.err = mishap_err(&x->verdict);
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
	/* an answer is one, whoever is left of its callers */
	memo_end(x, x->left.is_whole ? &why : mishap_fault(&x->verdict));
	if (stale_answers(x, &why))
		log_info("exchange.stale", "id=%s age_s=%" PRId64 " class=%s", x->id,
			x->memo.cached.age_s, err_info(why.err)->word);
	row_of(x, &r);
	learn(x, &r);
	prefix_note(x);
	row_write(x->organs, &r);
	trail_end(x);
	if (x->is_parted) {
		/* its caller has had the end of it */
	} else if (mishap_err(&x->verdict)) {
		struct fault said = *mishap_fault(&x->verdict);
		memcpy(said.request_id, x->id, sizeof x->id); /* the provider's is in the ledger */
		flight_fail(f, &said);
	} else {
		const struct reply_end end = row_closing(x, &r);
		flight_end(f, &end);
	}
	return END;
}
