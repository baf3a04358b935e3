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

/* Could a model of that provider fit? What has no slash is an alias, or a pattern of everything. */
static bool may_fit(struct span pattern, struct span provider)
{
	const size_t slash = span_index(pattern, '/');
	if (slash == pattern.n)
		return span_index(pattern, '*') < pattern.n;
	return pattern_fits(span_first(pattern, slash), provider) ||
	       span_index(span_first(pattern, slash), '*') < slash;
}

bool allowance_has_any(const struct allowance *a, struct span provider)
{
	bool has_any = a->rule && a->rule->models.n == 0;
	struct span rest = a->grant ? span_str(a->grant->models) : SPAN("");
	bool has_grant = rest.n == 0;
	for (size_t i = 0; a->rule && !has_any && i < a->rule->models.n; i++)
		has_any = may_fit(a->rule->models.list[i], provider);
	while (!has_grant && span_is_set(rest))
		has_grant = may_fit(span_cut(&rest, ' '), provider);
	return has_any && has_grant;
}
