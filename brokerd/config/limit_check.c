/* limit_check.c - names against those that there are, and limits against each other. */
#include "brokerd/config/limit_check.h"

#include <stdlib.h>

#include "brokerd/config/keys.h"

#define NEAR 2 /* letters */

/* ---- names ---- */

/* What things of a kind are called, one after the other; absent: there are no more. */
struct names {
	const char *what;
	struct span (*at)(const struct config *c, size_t i);
};

static struct span provider_at(const struct config *c, size_t i)
{
	return i < c->n_providers ? c->providers[i].name : SPAN_NONE;
}

static struct span policy_at(const struct config *c, size_t i)
{
	return i < c->n_policy ? c->policy[i].name : SPAN_NONE;
}

static struct span model_at(const struct config *c, size_t i)
{
	return i < c->n_models ? c->models[i].name : SPAN_NONE;
}

static const struct names providers = {"provider", provider_at};
static const struct names policies = {"policy", policy_at};
static const struct names models = {"model", model_at};

static bool fits_any(const struct config *c, const struct names *names, struct span pattern)
{
	for (size_t i = 0; span_is_set(names->at(c, i)); i++) {
		if (pattern_fits(pattern, names->at(c, i)))
			return true;
	}
	return false;
}

static enum err check_name(
	const struct config *c, const struct names *names, struct span pattern, struct fault *why)
{
	struct span best = SPAN_NONE;
	size_t nearest = NEAR + 1;
	if (fits_any(c, names, pattern))
		return OK;
	for (size_t i = 0; span_is_set(names->at(c, i)); i++) {
		const size_t away = keys_distance(names->at(c, i), pattern, NEAR);
		if (away >= nearest)
			continue;
		best = names->at(c, i);
		nearest = away;
	}
	return fault_set(why, ERR_MISCONFIGURED,
		"no %s is called \"%.*s\", and so this limits nothing%s%.*s%s", names->what,
		SPAN_ARG(span_first(pattern, 64)), span_is_set(best) ? ": did you mean \"" : "",
		SPAN_ARG(best), span_is_set(best) ? "\"?" : "");
}

/* Of "PROVIDER/..." the provider, where the text says which. */
static enum err check_prefix(const struct config *c, struct span text, struct fault *why)
{
	const struct span prefix = span_first(text, span_index(text, '/'));
	return prefix.n == text.n || prefix.n == 0 ? OK : check_name(c, &providers, prefix, why);
}

enum err limit_check_names(const struct config *c, const struct limit_rule *r, struct fault *why)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < r->providers.n; i++)
		err = check_name(c, &providers, r->providers.list[i], why);
	for (size_t i = 0; !err && i < r->policies.n; i++)
		err = check_name(c, &policies, r->policies.list[i], why);
	for (size_t i = 0; !err && i < r->keys.n; i++)
		err = check_prefix(c, r->keys.list[i], why);
	for (size_t i = 0; !err && i < r->models.n; i++) {
		if (!fits_any(c, &models, r->models.list[i]))
			err = check_prefix(c, r->models.list[i], why);
	}
	return err;
}

static bool limits_nothing(const struct limit_rule *r)
{
	return r->requests.amount == 0 && r->input.amount == 0 && r->output.amount == 0 &&
	       r->tokens.amount == 0 && r->concurrency < 0 && r->n_budgets == 0;
}

enum err limit_check(const struct limit_rule *r, struct fault *why)
{
	for (size_t i = 0; i < r->name.n; i++) {
		const char p = r->name.p[i];
		const bool is_plain = (p >= 'a' && p <= 'z') || (p >= 'A' && p <= 'Z') ||
				      (p >= '0' && p <= '9') || strchr("._-", p);
		if (!is_plain)
			return fault_set(why, ERR_MISCONFIGURED,
				"a limit's name is made of letters, digits, dots, hyphens and "
				"underscores");
	}
	if (limits_nothing(r) && r->is_by_hand)
		return fault_set(why, ERR_MISCONFIGURED,
			"the limit \"%.*s\" would limit nothing: say how much, with --usd, --soft, "
			"--requests, --tokens, --input-tokens, --output-tokens or --concurrency",
			SPAN_ARG(r->name));
	if (limits_nothing(r))
		return fault_set(why, ERR_MISCONFIGURED,
			"[limit \"%.*s\"] limits nothing: add requests, input_tokens, "
			"output_tokens, tokens, concurrency, budget or soft_budget",
			SPAN_ARG(r->name));
	return OK;
}

/* ---- limits beside each other ---- */

/* Is there a text that fits both? May say yes where there is none, never the reverse. */
static bool patterns_meet(struct span a, struct span b)
{
	const size_t i = span_index(a, '*'), k = span_index(b, '*');
	if (i == a.n)
		return pattern_fits(b, a);
	if (k == b.n)
		return pattern_fits(a, b);
	const size_t n = i < k ? i : k;
	if (!span_eq(span_first(a, n), span_first(b, n)))
		return false;
	size_t p = 0, q = 0;
	while (a.p[a.n - 1 - p] != '*')
		p++;
	while (b.p[b.n - 1 - q] != '*')
		q++;
	const size_t m = p < q ? p : q;
	return span_eq(span_skip(a, a.n - m), span_skip(b, b.n - m));
}

static bool words_meet(const struct words *a, const struct words *b)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < b->n; k++) {
			if (patterns_meet(a->list[i], b->list[k]))
				return true;
		}
	}
	return a->n == 0 || b->n == 0;
}

/* Can one call fall under both? */
static bool meet(const struct limit_rule *a, const struct limit_rule *b, bool with_models)
{
	return words_meet(&a->apps, &b->apps) && words_meet(&a->users, &b->users) &&
	       words_meet(&a->policies, &b->policies) && words_meet(&a->providers, &b->providers) &&
	       (!with_models || words_meet(&a->models, &b->models));
}

/* Takes away, as often as there is one, whoever meets fewer than `n` others: who are `n` + 1 and all meet are never
 * taken. Is somebody left? */
static bool is_crowded(const struct config *c, size_t n, bool with_models, size_t *at)
{
	const size_t all = c->n_limits;
	unsigned char *met = calloc(all, all);
	size_t *degree = calloc(all, sizeof *degree);
	bool *is_gone = calloc(all, sizeof *is_gone);
	bool is_changed = true, is_left = false;
	if (!met || !degree || !is_gone)
		abort();
	for (size_t i = 0; i < all; i++) {
		for (size_t k = 0; k < i; k++) {
			const bool do_meet = meet(&c->limits[i], &c->limits[k], with_models);
			met[i * all + k] = met[k * all + i] = do_meet;
			degree[i] += do_meet;
			degree[k] += do_meet;
		}
	}
	while (is_changed) {
		is_changed = false;
		for (size_t i = 0; i < all; i++) {
			if (is_gone[i] || degree[i] >= n)
				continue;
			is_gone[i] = is_changed = true;
			for (size_t k = 0; k < all; k++)
				degree[k] -= met[i * all + k];
		}
	}
	for (size_t i = 0; i < all; i++) {
		if (is_gone[i])
			continue;
		is_left = true;
		*at = i; /* the last of them */
	}
	free(met);
	free(degree);
	free(is_gone);
	return is_left;
}

enum err limit_check_all(const struct config *c, size_t *at, struct fault *why)
{
	*at = c->n_limits > 0 ? c->n_limits - 1 : 0;
	if (c->n_limits > LIMITS_MAX)
		return fault_set(why, ERR_MISCONFIGURED,
			"these are more than %zu limits: each = app "
			"and the like tell calls apart in one limit",
			LIMITS_MAX);
	/* a model has two names, and each may fit a limit of its own */
	if (c->n_limits <= LIMITS_OF_CALL_MAX || !is_crowded(c, LIMITS_OF_CALL_MAX, false, at) ||
		!is_crowded(c, LIMITS_OF_CALL_MAX / 2, true, at))
		return OK;
	return fault_set(why, ERR_MISCONFIGURED,
		"a call could fall under more than %zu limits at once: say for which app, user, "
		"policy, provider or model they are, or put some of them together with each",
		LIMITS_OF_CALL_MAX);
}
