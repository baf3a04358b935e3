/* allowance.c - all have to say yes. */
#include "brokerd/policy/allowance.h"

enum err allowance_copy(struct arena *a, const struct allowance *from, struct allowance *to)
{
	for (;; from = from->also) {
		struct grant *grant = from->grant ? arena_array(a, 1, sizeof *grant) : NULL;
		struct allowance *also = from->also ? arena_array(a, 1, sizeof *also) : NULL;
		*to = (struct allowance){from->rule, grant, SPAN_NONE, also};
		if (from->grant && !grant)
			return ERR_NO_MEMORY;
		if (grant)
			*grant = *from->grant;
		const enum err err = arena_dup(a, from->models, &to->models);
		if (err || !from->also)
			return err;
		if (!also)
			return ERR_NO_MEMORY;
		to = also;
	}
}

static const struct policy_rule *for_any_model(struct arena *a, const struct policy_rule *from)
{
	struct policy_rule *r = arena_array(a, 1, sizeof *r);
	if (!r)
		return NULL;
	*r = *from;
	r->allow = POLICY_YES;
	r->models = r->except_models = (struct words){.n = 0};
	return r;
}

enum err allowance_any_model(struct arena *a, const struct allowance *from, struct allowance *to)
{
	for (;; from = from->also) {
		const struct policy_rule *rule = from->rule ? for_any_model(a, from->rule) : NULL;
		struct allowance *also = from->also ? arena_array(a, 1, sizeof *also) : NULL;
		*to = (struct allowance){.rule = rule, .also = also};
		if ((from->rule && !rule) || (from->also && !also))
			return ERR_NO_MEMORY;
		if (!also)
			return OK;
		to = also;
	}
}

bool allowance_limits_models(const struct allowance *a)
{
	for (; a; a = a->also) {
		if (!a->rule || policy_limits_models(a->rule) ||
			(a->grant && a->grant->models[0]) || a->models.n > 0)
			return true;
	}
	return false;
}

static enum err admit_model(const struct allowance *a, struct span asked, struct span provider,
	struct span model, struct fault *why)
{
	if (!a->rule)
		return fault_set(why, ERR_DENIED, "no [policy] is for this caller");
	const enum err err = policy_admit_model(a->rule, asked, provider, model, why);
	if (err)
		return err;
	if (a->grant && !grant_covers(a->grant, asked, provider, model))
		return fault_param(why, ERR_DENIED, "model",
			"what was allowed to %.100s has no %.*s/%.*s: `llmb app allow` says more",
			a->grant->who, SPAN_ARG(provider), SPAN_ARG(span_first(model, 100)));
	if (a->models.n > 0 && !grant_fits(a->models, asked, provider, model))
		return fault_param(why, ERR_DENIED, "model",
			"the app token is not for %.*s/%.*s: `llmb token new APP --models PATTERN` "
			"makes one that is",
			SPAN_ARG(provider), SPAN_ARG(span_first(model, 100)));
	return OK;
}

enum err allowance_model(const struct allowance *a, struct span asked, struct span provider,
	struct span model, struct fault *why)
{
	enum err err = OK;
	for (; a && !err; a = a->also)
		err = admit_model(a, asked, provider, model, why);
	return err;
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

static bool any_may_fit(struct span patterns, struct span provider)
{
	bool has_any = patterns.n == 0;
	while (!has_any && span_is_set(patterns))
		has_any = may_fit(span_cut(&patterns, ' '), provider);
	return has_any;
}

static bool has_any(const struct allowance *a, struct span provider)
{
	bool is_ruled = a->rule && a->rule->models.n == 0;
	for (size_t i = 0; a->rule && !is_ruled && i < a->rule->models.n; i++)
		is_ruled = may_fit(a->rule->models.list[i], provider);
	return is_ruled && any_may_fit(a->models, provider) &&
	       any_may_fit(a->grant ? span_str(a->grant->models) : SPAN(""), provider);
}

bool allowance_has_any(const struct allowance *a, struct span provider)
{
	for (; a; a = a->also) {
		if (!has_any(a, provider))
			return false;
	}
	return true;
}

bool allowance_may(const struct allowance *a, const struct peer_id *peer, const struct call *c)
{
	struct fault why = FAULT_NONE;
	for (; a; a = a->also) {
		if (policy_admit_call(a->rule, peer, c, &why) != OK)
			return false;
	}
	return true;
}

enum err allowance_native(const struct allowance *a, struct span provider, struct span method,
	struct span path, struct fault *why)
{
	enum err err = OK;
	for (; a && !err; a = a->also)
		err = policy_admit_native(a->rule, provider, method, path, why);
	return err;
}

static int64_t ceiling_of(const struct policy_rule *r, enum ceiling kind)
{
	switch (kind) {
	case CEILING_INPUT:
		return r->max_input;
	case CEILING_OUTPUT:
		return r->max_output;
	case CEILING_COST:
		return r->max_cost_nusd;
	}
	return -1;
}

const struct policy_rule *allowance_ceiling(
	const struct allowance *a, enum ceiling kind, int64_t *most)
{
	const struct policy_rule *whose = NULL;
	for (; a; a = a->also) {
		const int64_t own = a->rule ? ceiling_of(a->rule, kind) : -1;
		if (own < 0 || (whose && own >= *most))
			continue;
		whose = a->rule;
		*most = own;
	}
	return whose;
}

void allowance_cache(const struct allowance *a, struct allowance_cache *out)
{
	bool is_semantic = true;
	*out = (struct allowance_cache){.may_read = true,
		.may_write = true,
		.is_default = true,
		.scope = POLICY_SCOPE_HOST};
	for (; a; a = a->also) {
		const int64_t semantic = a->rule ? a->rule->cache_semantic : 0;
		is_semantic = is_semantic && semantic > 0;
		if (semantic > out->semantic)
			out->semantic = semantic;
		const enum policy_cache own = a->rule ? a->rule->cache : POLICY_CACHE_OFF;
		if (own == POLICY_CACHE_OFF || own == POLICY_CACHE_WRITE)
			out->may_read = false;
		if (own == POLICY_CACHE_OFF || own == POLICY_CACHE_READ)
			out->may_write = false;
		if (own == POLICY_CACHE_AUTO)
			out->is_default = false;
		if (!a->rule || a->rule->cache_scope < out->scope)
			out->scope = a->rule ? a->rule->cache_scope : POLICY_SCOPE_APP;
	}
	if (!is_semantic)
		out->semantic = 0;
}

enum policy_prompt_cache allowance_prompt_cache(const struct allowance *a)
{
	enum policy_prompt_cache least = POLICY_PROMPTS_AUTO_1H;
	for (; a; a = a->also) {
		const enum policy_prompt_cache own =
			a->rule ? a->rule->prompt_cache : POLICY_PROMPTS_ASKED;
		if (own < least)
			least = own;
	}
	return least;
}

bool allowance_denies_resend(const struct allowance *a)
{
	for (; a; a = a->also) {
		if (a->rule && a->rule->is_resend_denied)
			return true;
	}
	return false;
}
