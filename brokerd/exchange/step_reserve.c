/* step_reserve.c - what may an attempt cost, and what did it? */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>

#include "brokerd/exchange/account.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/hedge.h"
#include "brokerd/exchange/listing.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/log/log.h"
#include "brokerd/route/retry.h"
#include "protocol/base/num.h"

bool exchange_is_written(enum llm_op op)
{
	return op == LLM_OP_CHAT || op == LLM_OP_COMPLETE || op == LLM_OP_NATIVE;
}

bool exchange_is_free(const struct exchange *x)
{
	const enum llm_op op = x->flight->op;
	return exchange_target(x)->is_offline || op == LLM_OP_COUNT || op == LLM_OP_MODELS;
}

int64_t exchange_unknown_price(const struct exchange *x)
{
	/* one in a private network may be a gateway that is paid for; who takes no key knows nobody to bill */
	return exchange_target(x)->auth == AUTH_NONE ? 0 : x->flight->config->unknown_price;
}

static enum err tell_cap(struct exchange *x, const struct bounds *b)
{
	const struct opt_i64 max = x->flight->request.max_tokens;
	struct llm_event e = {.type = EV_WARNING};
	if (b->capped)
		memo_cap(x);
	if (!b->capped || (x->told_max_tokens.is_set && x->told_max_tokens.v == max.v))
		return OK; /* or as it was told before */
	x->told_max_tokens = max;
	e.warning.code = SPAN("clamped_parameter");
	e.warning.param = SPAN("max_tokens");
	e.warning.message = span_str(b->capped);
	return flight_warn(x->flight, &e);
}

enum err exchange_announce(struct exchange *x, const struct bounds *b, struct fault *why)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	const struct target *t = exchange_target(x);
	const struct leg *rival = hedge_rival(l);
	struct reserve_record r = {
		.number = f->attempts + 1,
		.beside = rival ? rival->number : 0,
		.at_us = f->begun_wall_us,
		.uid = (uint32_t)x->peer.uid,
		.pid = (uint32_t)x->peer.pid,
		.estimate_input = b->input_bound,
		.estimate_output = b->output_tokens,
		.estimate_nusd = b->known_nusd,
	};
	l->reserved_nusd = b->known_nusd;
	l->claimed_nusd = b->nusd;
	l->expected_input = b->input_tokens;
	l->expected_output = b->output_tokens;
	memcpy(r.id, x->id, sizeof r.id);
	memcpy(r.app, x->account, sizeof r.app);
	memcpy(r.program, x->peer.program, sizeof r.program);
	fault_text(r.op, sizeof r.op, span_str(llm_op_name(f->op)));
	fault_text(r.surface, sizeof r.surface, exchange_surface(x));
	fault_text(r.model, sizeof r.model, f->request.model);
	fault_text(r.provider, sizeof r.provider, t->provider);
	fault_text(r.target_model, sizeof r.target_model, t->model);
	account_of(x, &r.account);
	return journal_reserve(x->organs->journal, &r, why);
}

/* All limits allow it: that is written down, and may then be spent. */
static enum state reserve(struct exchange *x, const struct bounds *b)
{
	struct fault why = FAULT_NONE;
	enum err err = exchange_announce(x, b, &why);
	if (!err)
		err = tell_cap(x, b);
	if (!err)
		err = claim_warn(x);
	if (!err)
		return PREPARE;
	claim_release(x);
	return exchange_fail_with(x, err, &why);
}

enum state exchange_claimed(struct exchange *x, enum err err, const struct bounds *b,
	const struct limit_answer *answer, const struct fault *why)
{
	struct fault said = err ? *why : answer->why;
	if (err && err != ERR_BUDGET)
		return exchange_fail_with(x, err, why);
	if (!err && answer->verdict == LIMIT_HELD)
		return reserve(x, b);
	if (!err && answer->verdict == LIMIT_WAIT)
		return exchange_must_wait(x, b, answer);
	if (!err)
		claim_note_refused(x, &said);
	x->flight->leg->same++; /* not a try, but all that this target gets */
	said.advice = RETRY_FORBIDDEN;
	return exchange_after_failure(x, OUTCOME_FAILED, &said);
}

void exchange_let_before(struct exchange *x, struct turn *first, struct limit_answer *out)
{
	const struct exchange *other = container_of(first, struct exchange, turn);
	*out = (struct limit_answer){.verdict = LIMIT_WAIT,
		.ready_us = INT64_MAX,
		.is_shared = !first->place.is_held_back,
		.why = *mishap_fault(&other->waits_for)};
	if (other->concealed)
		fault_text(out->why.message, sizeof out->why.message, span_str(other->concealed));
	fault_text(out->outline, sizeof out->outline,
		SPAN("others came before, and wait for what this call needs too. Ask whoever runs "
		     "this host: `llmb budget list`"));
	claim_conceal(x, out);
}

struct turn *exchange_first_in_line(const struct exchange *x, const struct bounds *b)
{
	char lane[CLAIM_NAME_BYTES], identity[CLAIM_NAME_BYTES];
	const struct turns *t = x->organs->turns;
	if (turns_n(t) == 0)
		return NULL;
	struct turn *first =
		turns_before(t, claim_lane(x, lane), claim_identity(x, identity), x->is_batch);
	return first ? first : claim_overtakes(x, b);
}

/* For so long, all together, a call waits for a target that is about to be well where it has no other. */
#define REST_US    INT64_C(3000000)
#define GLIMPSE_US INT64_C(100000)

/* The target in hand rests: the next, which may be well; or, where there is none, a short while for this one. */
enum state exchange_rest(struct exchange *x, const struct fault *why)
{
	struct flight *f = x->flight;
	const size_t end = exchange_route_end(x);
	const size_t next = retry_next(NEXT_KEY, f->route.targets, end, f->leg->target);
	int64_t wait_us;
	if (f->op == LLM_OP_MODELS && !span_is_set(f->request.model)) {
		listing_warn(f, why);
		return exchange_next_listing(x);
	}
	trail_rest(x, why);
	if (retry_tells_more(why, mishap_fault(&x->telling)))
		mishap_keep(&x->telling, why);
	if (next < end) {
		exchange_use_target(x, next);
		return ROUTE;
	}
	const size_t soonest = pulse_soonest(x, &wait_us);
	if (wait_us > REST_US - x->rested_us || exchange_left_us(x) <= GLIMPSE_US) {
		const int64_t wait_ms = wait_us / 1000 + 1;
		struct fault said = *mishap_fault(&x->telling);
		if (said.retry_after_ms > wait_ms)
			said.retry_after_ms = wait_ms;
		return exchange_fail(x, OUTCOME_FAILED, &said);
	}
	if (x->rested_us == 0)
		flight_status(f, "retrying", "%s; waiting a moment for it", why->message);
	exchange_use_target(x, soonest);
	x->rested_us += GLIMPSE_US;
	x->is_retry_due = true;
	loop_timer_set(x->organs->loop, &x->retry, GLIMPSE_US);
	return ROUTE;
}

/* Whoever wants what is kept alone comes here where there is none: whatever would answer it, nobody is asked. */
static enum state end_unasked(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	const bool may_read = x->memo.is_decided && x->memo.reads;
	const enum err err = fault_set(&why, ERR_NOT_CACHED, "%s",
		may_read ? err_info(ERR_NOT_CACHED)->sentence
			 : "answers to this request are not kept, or this caller may not have "
			   "them: nobody was asked");
	return exchange_fail_with(x, err, &why);
}

enum state step_reserve(struct exchange *x)
{
	struct bounds b;
	struct limit_answer answer;
	struct fault why = FAULT_NONE;
	if (x->memo.terms.wish == CACHE_ONLY)
		return end_unasked(x);
	if (!pulse_may_ask(x, &why))
		return exchange_rest(x, &why);
	const enum err err = bounds_find(x, &b, &why);
	struct turn *first = err ? NULL : exchange_first_in_line(x, &b);
	if (first)
		exchange_let_before(x, first, &answer);
	else if (!err)
		claim_take(x, &b, &answer);
	return exchange_claimed(x, err, &b, &answer, &why);
}

/* What an attempt cost: as reported, and where it may have been served beyond that, as reserved. */
static void count_cost(struct exchange *x, struct attempt_record *r)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	r->usage.cost_nusd = exchange_is_free(x) ? 0 : l->attempt_nusd;
	if (r->outcome == OUTCOME_UNKNOWN && r->usage.cost_nusd < l->reserved_nusd)
		r->usage.cost_nusd = l->reserved_nusd;
	f->former_nusd = f->spent_nusd;
	if (r->usage.cost_nusd >= 0)
		f->spent_nusd =
			num_add_sat(f->spent_nusd < 0 ? 0 : f->spent_nusd, r->usage.cost_nusd);
	else if (r->has_sent_body && (r->outcome != OUTCOME_FAILED || f->has_batch_content))
		f->is_cost_open = true;
}

void exchange_account(struct exchange *x, const struct attempt_record *record)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	struct attempt_record r = *record;
	struct fault why = FAULT_NONE;
	memcpy(r.id, x->id, sizeof r.id);
	r.number = l->number;
	r.at_us = f->begun_wall_us + (r.begun_us - f->begun_us);
	account_key(x, r.key_label, sizeof r.key_label);
	r.estimate_input = l->expected_input;
	r.estimate_output = l->expected_output;
	r.estimate_raw = exchange_raw_estimate(x);
	count_cost(x, &r);
	claim_settle(x, &r);
	if (r.usage.cost_nusd < 0 && r.charged_nusd > 0)
		f->open_nusd = num_add_sat(f->open_nusd, r.charged_nusd);
	trail_attempt(x, &r);
	if (l->has_usage)
		r.price = l->price;
	if (r.outcome == OUTCOME_UNKNOWN)
		f->unknown++;
	if (r.outcome == OUTCOME_FAILED && retry_is_free(r.err))
		f->free++;
	pulse_stop(x, &r);
	if (journal_attempt(x->organs->journal, &r, &why) != OK)
		log_error("ledger.attempt_lost", "id=%s number=%u why=\"%s\"", x->id, r.number,
			why.message);
	attempt_free(l->attempt);
	l->attempt = NULL;
}
