/* allowance.c - both have to say yes. */
#include "brokerd/policy/allowance.h"

bool allowance_limits_models(const struct allowance *a)
{
	return !a->rule || policy_limits_models(a->rule) || (a->grant && a->grant->models[0]);
}

enum err allowance_model(const struct allowance *a, struct span asked, struct span provider,
	struct span model, struct fault *why)
{
	if (!a->rule)
		return fault_set(why, ERR_DENIED, "no [policy] is for this caller");
	const enum err err = policy_admit_model(a->rule, asked, provider, model, why);
	if (err || !a->grant || grant_covers(a->grant, asked, provider, model))
		return err;
	return fault_param(why, ERR_DENIED, "model",
		"what was allowed to %.100s has no %.*s/%.*s: `llmb app allow` says more",
		a->grant->who, SPAN_ARG(provider), SPAN_ARG(span_first(model, 100)));
}

bool allowance_shows(const struct allowance *a, struct span id)
{
	struct fault why;
	struct span model = id;
	const struct span provider = span_cut(&model, '/');
	return allowance_model(a, id, provider, span_is_set(model) ? model : SPAN(""), &why) == OK;
}
