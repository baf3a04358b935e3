/* bounds.c - two ceilings, and one way to keep under them: fewer tokens of output. */
#include "brokerd/exchange/bounds.h"

#include <inttypes.h>

#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/hedge.h"
#include "brokerd/ledger/price.h"
#include "protocol/base/num.h"

/* How long an answer is taken to be at the most where neither its caller nor the catalogue says it. */
#define OUTPUT_TOKENS INT64_C(4096)
/* And what it is capped to where that has to hold. */
#define OUTPUT_MOST INT64_C(8192)
/* With fewer it is no answer, unless it was asked for so short. */
#define OUTPUT_LEAST INT64_C(16)

/* How many answers are asked for, each with tokens of its own: also of which only the best are told. */
static int64_t choices_of(const struct exchange *x)
{
	const struct llm_request *r = &x->flight->request;
	const bool is_sent = span_eq(r->extra.family, exchange_target(x)->family);
	int64_t n = r->n.is_set ? r->n.v : 1, of;
	for (size_t i = 0; is_sent && i < r->extra.n; i++) {
		const struct extra_member *m = &r->extra.members[i];
		if (span_is(m->name, "best_of") && json_i64(json_of(m->json), &of) && of > n)
			n = of;
	}
	return n;
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

/* With what budgets count where its price is not known. */
static int64_t budget_nusd(const struct exchange *x, const struct price *p, int64_t input_tokens,
	int64_t output_tokens)
{
	return price_pessimistic_bound_nusd(
		p, input_tokens, output_tokens, exchange_unknown_price(x));
}

/* How many tokens of output are to be had for that beside the prompt; INT64_MAX: as many as one likes. */
static int64_t output_for(
	const struct exchange *x, const struct price *p, int64_t input_bound, int64_t left_nusd)
{
	const struct flight *f = x->flight;
	const int64_t rest_nusd = left_nusd - budget_nusd(x, p, input_bound, 0);
	const int64_t million_nusd =
		!exchange_is_written(f->op)
			? 0
			: num_mul_sat(budget_nusd(x, p, 0, 1000000), choices_of(x));
	if (million_nusd == 0)
		return rest_nusd < 0 ? 0 : INT64_MAX;
	return rest_nusd <= 0 ? 0 : num_mul_div(rest_nusd, 1000000, million_nusd) - 1;
}

/* What goes out if nothing caps it. */
static void find_output(const struct exchange *x, struct output_bound *out)
{
	const struct flight *f = x->flight;
	const struct target *t = exchange_target(x);
	const struct dialect *d = dialect_find(t->family);
	/* nobody here knows what a native call asks; without a body it asks for no answer that is written */
	const bool is_open = f->op == LLM_OP_NATIVE && f->body.n > 0;
	*out = (struct output_bound){.asked = is_open ? -1 : 0, .least = 1};
	if (!exchange_is_written(f->op) || f->op == LLM_OP_NATIVE)
		return;
	bounds_output(d ? d->ops[f->op] : NULL, &f->leg->asked, t, out);
	if (exchange_may_forward(x) && out->reasoning > 0)
		out->least = out->reasoning + 1; /* what its body says stays as it is */
	const int64_t wanted = x->asked_max_tokens.is_set && x->asked_max_tokens.v < OUTPUT_LEAST
				       ? x->asked_max_tokens.v
				       : OUTPUT_LEAST;
	if (out->least < wanted)
		out->least = wanted;
}

int64_t bounds_spent_nusd(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct leg *rival = hedge_rival(f->leg);
	int64_t nusd = num_add_sat(f->spent_nusd > 0 ? f->spent_nusd : 0, f->open_nusd);
	if (f->leg->attempt)
		nusd = num_add_sat(nusd, f->leg->claimed_nusd);
	if (rival)
		nusd = num_add_sat(nusd, rival->claimed_nusd);
	return num_add_sat(nusd, x->compare.spent_nusd);
}

/* What its caller, or the rule for him, is willing to pay. */
static enum err keep_under_cost(const struct exchange *x, const struct price *price,
	int64_t input_bound, const struct output_bound *output, int64_t *most, struct fault *why)
{
	const struct flight *f = x->flight;
	const struct target *t = exchange_target(x);
	if (x->max_cost_nusd < 0)
		return OK;
	if (f->op == LLM_OP_NATIVE)
		return fault_param(why, ERR_BUDGET, "max_cost",
			"what a native call costs cannot be bounded: nobody here knows what it "
			"asks");
	const bool is_known =
		t->price.input >= 0 && (!exchange_is_written(f->op) || t->price.output >= 0);
	if (!is_known && exchange_unknown_price(x) > 0)
		return fault_param(why, ERR_BUDGET, "max_cost",
			"the price of %.*s/%.*s is not known, so no cost limit can be kept: set "
			"price_input and price_output in [model \"%.*s/%.*s\"]",
			SPAN_ARG(t->provider), SPAN_ARG(t->model), SPAN_ARG(t->provider),
			SPAN_ARG(t->model));
	const int64_t left_nusd = x->max_cost_nusd - bounds_spent_nusd(x);
	*most = output_for(x, price, input_bound, left_nusd);
	if (*most >= output->least)
		return OK;
	if (*most < 1)
		return fault_param(why, ERR_BUDGET, "max_cost",
			"the prompt alone can cost %" PRId64 " nano-dollars, and %" PRId64
			" are left of the limit of %" PRId64,
			budget_nusd(x, price, input_bound, 0), left_nusd, x->max_cost_nusd);
	return fault_param(why, ERR_BUDGET, "max_cost",
		"the prompt and an answer of %" PRId64
		" tokens, which is the least that can be asked for, can cost %" PRId64
		" nano-dollars, and %" PRId64 " are left of the limit of %" PRId64,
		output->least, budget_nusd(x, price, input_bound, output->least), left_nusd,
		x->max_cost_nusd);
}

/* What is left of the budgets that it falls under. Where that is not enough for the prompt and the least of an answer,
 * the limiter says so in its own words. */
static enum err keep_under_budget(const struct exchange *x, const struct price *price,
	int64_t input_bound, const struct output_bound *output, int64_t *most, struct fault *why)
{
	const int64_t left_nusd = claim_left_nusd(x);
	const struct target *t = exchange_target(x);
	if (left_nusd == INT64_MAX)
		return OK;
	if (x->flight->op == LLM_OP_NATIVE)
		return fault_set(why, ERR_BUDGET,
			"this call falls under a budget, and what a native call costs cannot be "
			"bounded: nobody here knows what it asks. `llmb budget list` shows the "
			"budgets");
	*most = output_for(x, price, input_bound, left_nusd);
	if (*most == INT64_MAX)
		return OK;
	/* who does not say how much he wants does not get all that is left, nor what has no end */
	const int64_t usual = OUTPUT_MOST + output->reasoning;
	const bool has_end = t->max_output_tokens >= 0 && t->max_output_tokens <= *most;
	if (!x->asked_max_tokens.is_set && !has_end && *most > usual)
		*most = usual;
	if (*most < output->least)
		*most = output->least;
	return OK;
}

/* Caps the output where it is not short enough by itself. */
static enum err cap_output(struct exchange *x, struct output_bound *output, int64_t for_cost,
	int64_t for_budget, const char **capped, struct fault *why)
{
	struct flight *f = x->flight;
	const struct opt_i64 *asked = &x->asked_max_tokens;
	const int64_t most = for_cost < for_budget ? for_cost : for_budget;
	if (!exchange_is_written(f->op) || most == INT64_MAX)
		return OK;
	if (asked->is_set && asked->v < 1)
		return fault_param(why, ERR_INVALID_REQUEST, "max_tokens",
			"max_tokens must be 1 or more where a budget has to be kept");
	if (output->asked < 0 || output->asked > most) {
		if (!asked->is_set || asked->v > most)
			f->request.max_tokens = (struct opt_i64){true, most};
		output->asked = most;
		*capped = for_cost <= for_budget
				  ? "the output was capped to keep the call's cost limit"
				  : "the output was capped to what its budget can bear";
	}
	x->flight->leg->output_most = output->asked;
	return OK;
}

static int64_t output_tokens(const struct exchange *x, const struct output_bound *output)
{
	return num_mul_sat(output->asked >= 0 ? output->asked : OUTPUT_TOKENS, choices_of(x));
}

/* As it is estimated: a bound that holds for sure would make those wait that are far from it. */
static int64_t input_tokens(const struct exchange *x, int64_t input_bound)
{
	const struct flight *f = x->flight;
	if (f->op == LLM_OP_MODELS)
		return 0;
	return f->leg->asked.n_inputs < f->request.n_inputs ? input_bound / 4
							    : exchange_input_estimate(x);
}

enum err bounds_find(struct exchange *x, struct bounds *out, struct fault *why)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	int64_t for_cost = INT64_MAX, for_budget = INT64_MAX;
	struct output_bound output;
	enum err err = OK;
	flight_cut(f, exchange_target(x));
	resume_apply(x);
	f->request.max_tokens = x->asked_max_tokens;
	l->asked.max_tokens = x->asked_max_tokens;
	l->output_most = -1;
	find_output(x, &output);
	*out = (struct bounds){.input_bound = f->op == LLM_OP_NATIVE
						      ? (int64_t)f->body.n
						      : flight_input_bound(&l->asked)};
	const struct price known = price_bound(x, out->input_bound);
	if (!exchange_is_free(x)) {
		err = keep_under_cost(x, &known, out->input_bound, &output, &for_cost, why);
		if (!err)
			err = keep_under_budget(
				x, &known, out->input_bound, &output, &for_budget, why);
	}
	if (!err)
		err = cap_output(x, &output, for_cost, for_budget, &out->capped, why);
	if (err)
		return err;
	l->asked.max_tokens = f->request.max_tokens;
	out->input_tokens = input_tokens(x, out->input_bound);
	out->output_tokens = output_tokens(x, &output);
	if (exchange_is_free(x))
		return OK;
	out->known_nusd = price_bound_nusd(&known, out->input_bound, out->output_tokens);
	out->nusd = budget_nusd(x, &known, out->input_bound, out->output_tokens);
	return OK;
}
