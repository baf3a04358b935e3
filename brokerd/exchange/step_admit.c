/* step_admit.c - is it a request, and one that its caller may make? */
#include "brokerd/exchange/steps.h"

#include <inttypes.h>

#include "brokerd/dialect/estimate.h"
#include "brokerd/exchange/memo_asked.h"
#include "brokerd/exchange/named_models.h"
#include "brokerd/exchange/native.h"

#define CHOICES_MAX INT64_C(128) /* as the wires have it */

/* ---- how much it may ask for ---- */

/* As it is estimated: a bound that holds for sure would refuse what is far from it. */
static int64_t input_tokens(const struct exchange *x)
{
	const struct flight *f = x->flight;
	if (f->op == LLM_OP_CHAT || f->op == LLM_OP_COUNT)
		return estimate_request(&f->request);
	return (int64_t)(f->body.n / 4);
}

int64_t exchange_input_estimate(const struct exchange *x)
{
	const struct target *t = exchange_target(x);
	return x->organs->fit
		       ? fit_tokens(x->organs->fit, t->provider, t->model, x->estimate_tokens)
		       : x->estimate_tokens;
}

int64_t exchange_raw_estimate(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const bool is_part = f->leg->asked.n_inputs < f->request.n_inputs;
	return is_part || f->op == LLM_OP_NATIVE || exchange_is_free(x) ? -1 : x->estimate_tokens;
}

static enum err bound_output(struct exchange *x)
{
	struct opt_i64 *max = &x->flight->request.max_tokens;
	int64_t most = -1;
	struct llm_event e = {.type = EV_WARNING};
	if (!allowance_ceiling(&x->allowance, CEILING_OUTPUT, &most) ||
		!exchange_is_written(x->flight->op) || (max->is_set && max->v <= most))
		return OK;
	const bool is_over = max->is_set;
	*max = (struct opt_i64){true, most};
	if (!is_over)
		return OK; /* it had not said */
	e.warning.code = SPAN("clamped_parameter");
	e.warning.param = SPAN("max_tokens");
	e.warning.message = SPAN("policy allows fewer tokens of output (max_output)");
	return flight_put(x->flight, &e);
}

enum err exchange_bound(struct exchange *x, struct fault *why)
{
	const struct allowance *a = &x->allowance;
	int64_t most = -1;
	const struct policy_rule *r = allowance_ceiling(a, CEILING_INPUT, &most);
	if (r && x->estimate_tokens > most)
		return fault_set(why, ERR_DENIED,
			"[policy \"%.*s\"] allows %" PRId64
			" tokens of input (max_input), and this is about %" PRId64,
			SPAN_ARG(r->name), most, x->estimate_tokens);
	if (allowance_ceiling(a, CEILING_COST, &most) &&
		(x->max_cost_nusd < 0 || x->max_cost_nusd > most))
		x->max_cost_nusd = most;
	r = allowance_ceiling(a, CEILING_OUTPUT, &most);
	if (r && x->flight->op == LLM_OP_NATIVE)
		return fault_set(why, ERR_DENIED,
			"[policy \"%.*s\"] has a max_output, which cannot be kept where nobody "
			"here "
			"knows what is asked: native calls need a rule without it",
			SPAN_ARG(r->name));
	const enum err err = bound_output(x);
	x->asked_max_tokens = x->flight->request.max_tokens;
	return err;
}

/* Who asks for none, or for less, would set nothing aside of his limits. */
static enum err check_choices(const struct exchange *x, struct fault *why)
{
	const struct opt_i64 *n = &x->flight->request.n;
	if (!n->is_set || (n->v >= 1 && n->v <= CHOICES_MAX))
		return OK;
	return fault_param(why, ERR_INVALID_REQUEST, "n", "n must be 1 to %" PRId64, CHOICES_MAX);
}

enum state step_admit(struct exchange *x)
{
	struct flight *f = x->flight;
	struct fault why;
	fault_clear(&why);
	if (x->organs->ailment.err)
		return exchange_fail(x, OUTCOME_FAILED, &x->organs->ailment);
	if (x->organs->is_draining)
		return exchange_fail_with(x, ERR_RESTARTING, &why);
	if (mishap_err(&x->refused))
		return exchange_fail(x, OUTCOME_FAILED, mishap_fault(&x->refused));
	enum err err = x->is_relayed
			       ? relay_read(&x->relay, buf_view(&f->body),
					 x->laid_out.n > 0 ? buf_view(&x->laid_out) : SPAN_NONE,
					 &f->request, &why)
			       : memo_read_request(x, &why);
	if (!err)
		err = check_choices(x, &why);
	if (!err) {
		x->estimate_tokens = input_tokens(x);
		err = exchange_bound(x, &why);
	}
	if (!err)
		err = exchange_may_keep(x, &why);
	return err ? exchange_fail_with(x, err, &why) : ROUTE;
}

/* ---- which models it may use ---- */

/* Which of a target's a name of the body would be. */
struct naming {
	const struct exchange *x;
	const struct target *t;
	struct fault *why;
};

static enum err admit_named(void *context, struct span name)
{
	const struct naming *n = context;
	const struct span asked = n->x->asked_model;
	return allowance_model(&n->x->allowance,
		span_is_set(asked) && span_eq(name, n->t->model) ? asked : name, n->t->provider,
		name, n->why);
}

/* A body that goes on as it is may name other models, which its host would use. */
static enum err admit_all_named(const struct exchange *x, const struct target *t, struct fault *why)
{
	struct naming n = {x, t, why};
	const struct llm_request *r = &x->flight->request;
	enum err err = x->is_relayed ? named_models(x->relay.body, admit_named, &n) : OK;
	for (size_t i = 0; !err && i < r->extra.n; i++)
		err = named_models_in(r->extra.members[i].name, json_of(r->extra.members[i].json),
			admit_named, &n);
	return err;
}

/* Whoever may use a model by one name is not let in to another by it. */
struct span exchange_asked_name(const struct exchange *x, const struct target *t)
{
	return t->asked == 0 ? x->flight->request.model : x->fallbacks.list[t->asked - 1];
}

enum err exchange_admit_target(const struct exchange *x, const struct target *t, struct fault *why)
{
	const enum err err = allowance_model(
		&x->allowance, exchange_asked_name(x, t), t->provider, t->model, why);
	return err ? err : admit_all_named(x, t, why);
}

enum err exchange_admit_targets(struct exchange *x, struct fault *why)
{
	struct route *route = &x->flight->route;
	size_t n = 0, n_usual = 0;
	if (!allowance_limits_models(&x->allowance))
		return OK;
	for (size_t i = 0; i < route->n; i++) {
		const struct target *t = &route->targets[i];
		struct fault own = FAULT_NONE;
		const enum err err = exchange_admit_target(x, t, &own);
		if (!err) {
			n_usual += t->list == TARGETS_USUAL;
			route->targets[n++] = *t;
		} else if (!why->err && own.err) {
			*why = own;
		} else if (!why->err) {
			fault_set(why, err, "a model that the body names cannot be judged");
		}
	}
	/* what is there for a prompt that is too long, or refused, is no model to begin with */
	const bool has_any = n_usual > 0 || route->n == 0;
	route->n = n;
	if (has_any)
		*why = FAULT_NONE;
	return why->err;
}

enum err exchange_admit_native(struct exchange *x, struct fault *why)
{
	const struct surface_call *c = &x->relay.call;
	const struct span method = span_is_set(c->method) ? c->method : SPAN("POST");
	const struct target *t = &x->flight->route.targets[0];
	struct naming n = {x, t, why};
	if (c->path.n == 0)
		return OK; /* there is no such endpoint: its encoder says what is missing */
	const enum err err = allowance_native(&x->allowance, c->provider, method, c->path, why);
	if (err || !allowance_limits_models(&x->allowance))
		return err;
	const enum err unread = native_models(c->path, buf_view(&x->flight->body), admit_named, &n);
	if (unread && !why->err)
		fault_set(why, unread,
			"[policy \"%.*s\"] says which models may be used, and nobody here can read "
			"which this call is about",
			SPAN_ARG(x->allowance.rule->name));
	return unread;
}
