/* step_reserve.c - what may an attempt cost, and what did it? */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>

#include "brokerd/exchange/account.h"
#include "brokerd/ledger/price.h"
#include "brokerd/log/log.h"
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

/* How many answers are asked for, each with tokens of its own. */
static int64_t choices_of(const struct llm_request *r)
{
	return r->n.is_set ? r->n.v : 1;
}

/* The dearest that the target in hand can be: how long the prompt is, and which tier serves it, is
 * told behind the answer. */
static struct price price_bound(const struct exchange *x, int64_t input_bound)
{
	const struct price_case most = {
		.input_tokens = input_bound, .tier = flight_tier(x->flight), .day = -1};
	struct price price;
	route_price_bound(x->flight->config, exchange_target(x), &most, &price);
	return price;
}

/* Keeps a request within what its caller is willing to pay, by capping its output: anew for every
 * attempt, for prices differ, and those before may have cost something. */
static enum err keep_under_cost(struct exchange *x, int64_t input_bound, struct fault *why)
{
	struct flight *f = x->flight;
	const struct target *t = exchange_target(x);
	const struct opt_i64 former = f->request.max_tokens;
	f->request.max_tokens = x->asked_max_tokens;
	if (x->max_cost_nusd < 0 || exchange_is_free(x))
		return OK;
	if (f->op == LLM_OP_NATIVE)
		return fault_param(why, ERR_BUDGET, "max_cost",
			"what a native call costs cannot be bounded: nobody here knows what it "
			"asks");
	if (t->price.input < 0 || (exchange_is_written(f->op) && t->price.output < 0))
		return fault_param(why, ERR_BUDGET, "max_cost",
			"the price of %.*s/%.*s is not known, so no cost limit can be kept: set "
			"price_input and price_output in [model \"%.*s/%.*s\"]",
			SPAN_ARG(t->provider), SPAN_ARG(t->model), SPAN_ARG(t->provider),
			SPAN_ARG(t->model));
	const struct price price = price_bound(x, input_bound);
	const int64_t input_nusd = price_bound_nusd(&price, input_bound, 0);
	const int64_t output_nusd = !exchange_is_written(f->op)
					    ? 0
					    : num_mul_sat(price_bound_nusd(&price, 0, 1000000),
						      choices_of(&f->request));
	const int64_t left_nusd = x->max_cost_nusd - (f->spent_nusd > 0 ? f->spent_nusd : 0);
	const int64_t rest_nusd = left_nusd - input_nusd;
	const int64_t most = output_nusd == 0 ? (rest_nusd < 0 ? 0 : INT64_MAX)
			     : rest_nusd <= 0 ? 0
					      : num_mul_div(rest_nusd, 1000000, output_nusd) - 1;
	if (most < 1)
		return fault_param(why, ERR_BUDGET, "max_cost",
			"the prompt alone can cost %" PRId64 " nano-dollars, and %" PRId64
			" are left of the limit of %" PRId64,
			input_nusd, left_nusd, x->max_cost_nusd);
	if (!exchange_is_written(f->op) ||
		(x->asked_max_tokens.is_set && x->asked_max_tokens.v >= 1 &&
			x->asked_max_tokens.v <= most))
		return OK;
	f->request.max_tokens = (struct opt_i64){true, most};
	if (former.is_set && former.v == most)
		return OK; /* as it was told before */
	struct llm_event e = {.type = EV_WARNING};
	e.warning.code = SPAN("clamped_parameter");
	e.warning.param = SPAN("max_tokens");
	e.warning.message = SPAN("the output was capped to keep the call's cost limit");
	return flight_put(f, &e);
}

enum state step_reserve(struct exchange *x)
{
	struct flight *f = x->flight;
	const struct target *t = exchange_target(x);
	struct fault why = FAULT_NONE;
	flight_cut(f, t);
	const int64_t input_bound =
		f->op == LLM_OP_NATIVE ? (int64_t)f->body.n : flight_input_bound(&f->asked);
	enum err err = keep_under_cost(x, input_bound, &why);
	f->asked.max_tokens = f->request.max_tokens;
	if (err == ERR_BUDGET) {
		f->same++; /* not a try, but all that this target gets */
		return exchange_after_failure(x, OUTCOME_FAILED, &why);
	}
	if (err)
		return exchange_fail_with(x, err, &why);

	struct reserve_record r = {
		.at_us = f->begun_wall_us,
		.uid = (uint32_t)x->peer.uid,
		.pid = (uint32_t)x->peer.pid,
		.estimate_input = input_bound,
		.estimate_output = !exchange_is_written(f->op) ? 0
				   : f->request.max_tokens.is_set && f->request.max_tokens.v >= 0
					   ? f->request.max_tokens.v
				   : t->max_output_tokens >= 0 ? t->max_output_tokens
							       : 4096,
	};
	r.estimate_output = num_mul_sat(r.estimate_output, choices_of(&f->request));
	const struct price price = price_bound(x, input_bound);
	r.estimate_nusd = exchange_is_free(x)
				  ? 0
				  : price_bound_nusd(&price, r.estimate_input, r.estimate_output);
	memcpy(r.id, x->id, sizeof r.id);
	peer_account(&x->peer, r.app);
	memcpy(r.program, x->peer.program, sizeof r.program);
	fault_text(r.op, sizeof r.op, span_str(llm_op_name(f->op)));
	fault_text(r.surface, sizeof r.surface, exchange_surface(x));
	fault_text(r.model, sizeof r.model, f->request.model);
	fault_text(r.provider, sizeof r.provider, t->provider);
	fault_text(r.target_model, sizeof r.target_model, t->model);
	account_of(x, &r.account);
	err = journal_reserve(x->organs->journal, &r, &why);
	if (err)
		return exchange_fail_with(x, err, &why);
	f->reserved_nusd = r.estimate_nusd;
	return PREPARE;
}

/* What an attempt cost: as reported, and where it may have been served beyond that, as reserved. */
static void count_cost(struct exchange *x, struct attempt_record *r)
{
	struct flight *f = x->flight;
	r->usage.cost_nusd = exchange_is_free(x) ? 0 : f->attempt_nusd;
	if (r->outcome == OUTCOME_UNKNOWN && r->usage.cost_nusd < f->reserved_nusd)
		r->usage.cost_nusd = f->reserved_nusd;
	f->former_nusd = f->spent_nusd;
	if (r->usage.cost_nusd >= 0)
		f->spent_nusd =
			num_add_sat(f->spent_nusd < 0 ? 0 : f->spent_nusd, r->usage.cost_nusd);
	else if (r->outcome != OUTCOME_FAILED && r->has_sent_body)
		f->is_cost_open = true;
}

void exchange_account(struct exchange *x, const struct attempt_record *record)
{
	struct flight *f = x->flight;
	struct attempt_record r = *record;
	struct fault why = FAULT_NONE;
	memcpy(r.id, x->id, sizeof r.id);
	r.number = f->attempts;
	account_key(x, r.key_label, sizeof r.key_label);
	count_cost(x, &r);
	if (f->has_usage)
		r.price = f->price;
	if (r.outcome == OUTCOME_UNKNOWN)
		f->unknown++;
	if (journal_attempt(x->organs->journal, &r, &why) != OK)
		log_error("ledger.attempt_lost", "id=%s number=%u why=\"%s\"", x->id, r.number,
			why.message);
	attempt_free(f->attempt);
	f->attempt = NULL;
}
