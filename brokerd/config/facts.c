/* facts.c - names against patterns, and what was set laid over what is usual. */
#include "brokerd/config/config.h"

/* How well a name fits a pattern that may begin or end with *: the pattern's letters, or -1. */
static int64_t fit(struct span pattern, struct span name)
{
	const bool is_open_left = pattern.n > 0 && pattern.p[0] == '*';
	const struct span begun = is_open_left ? span_skip(pattern, 1) : pattern;
	const bool is_open_right = begun.n > 0 && begun.p[begun.n - 1] == '*';
	const struct span core = is_open_right ? span_first(begun, begun.n - 1) : begun;
	bool does;
	if (is_open_left && is_open_right)
		does = span_find(name, core) < name.n || core.n == 0;
	else if (is_open_left)
		does = span_ends(name, core);
	else if (is_open_right)
		does = span_starts(name, core);
	else
		does = span_eq(name, core);
	return does ? (int64_t)core.n : -1;
}

/* Does the section's name, "PROVIDER/PATTERN", fit? As fit. */
static int64_t fit_model(const struct model *m, struct span provider, struct span model)
{
	const struct span name = m->name;
	if (name.n <= provider.n || !span_starts(name, provider) || name.p[provider.n] != '/')
		return -1;
	const struct span pattern = span_skip(name, provider.n + 1);
	if (span_index(pattern, '*') == pattern.n)
		return span_eq(pattern, model) ? (int64_t)pattern.n + 1 : -1;
	return fit(pattern, model);
}

/* The sections that fit a model, from the widest pattern to the model itself; of two as wide, that
 * which was written first. There are few. */
struct fitting {
	int64_t fit;
	size_t at; /* of that fit, the next to be looked at */
};

static const struct model *next_fitting(
	const struct config *c, struct span provider, struct span model, struct fitting *walk)
{
	int64_t next_fit = INT64_MAX;
	size_t next = 0;
	for (size_t i = 0; i < c->n_models; i++) {
		const int64_t how = fit_model(&c->models[i], provider, model);
		if (how < walk->fit || (how == walk->fit && i < walk->at) || how >= next_fit)
			continue;
		next = i;
		next_fit = how;
	}
	if (next_fit == INT64_MAX)
		return NULL;
	*walk = (struct fitting){next_fit, next + 1};
	return &c->models[next];
}

/* Of the rules of a scope that fit the name, the one with the longest pattern; NULL: none fits. */
static const struct name_rule *best_rule(
	const struct config *c, struct span scope, struct span model)
{
	const struct name_rule *best = NULL;
	int64_t best_fit = -1;
	for (size_t i = 0; i < c->n_rules; i++) {
		const int64_t how =
			span_eq(c->rules[i].scope, scope) ? fit(c->rules[i].pattern, model) : -1;
		if (how > best_fit) {
			best = &c->rules[i];
			best_fit = how;
		}
	}
	return best;
}

void config_quirks(const struct config *c, const struct provider *p, size_t d, struct span model,
	const struct model *alias, struct quirks *out)
{
	*out = p->dialects[d].quirks;
	overlay_apply(&p->traits, out); /* which may name the rules */
	const struct name_rule *const rules[] = {
		best_rule(c, p->dialects[d].family, model),
		span_is_set(out->rules) ? best_rule(c, out->rules, model) : NULL,
	};
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		if (rules[i])
			overlay_apply(&rules[i]->traits, out);
	}
	overlay_apply(&p->traits, out);
	if (alias)
		overlay_apply(&alias->traits, out);
	struct fitting walk = {.fit = 0};
	const struct model *m;
	while ((m = next_fitting(c, p->name, model, &walk)) != NULL)
		overlay_apply(&m->traits, out);
}

size_t config_dialect_quirks(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, struct quirks *out)
{
	config_quirks(c, p, 0, model, alias, out);
	for (size_t d = 0; span_is_set(out->dialect) && d < p->n_dialects; d++) {
		if (!span_eq(p->dialects[d].family, out->dialect))
			continue;
		if (d > 0)
			config_quirks(c, p, d, model, alias, out);
		return d;
	}
	return 0;
}

size_t config_dialect_of(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias)
{
	struct quirks q;
	return config_dialect_quirks(c, p, model, alias, &q);
}

unsigned config_says(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, const size_t *quirks, size_t n)
{
	unsigned bits = overlay_given(&p->traits, quirks, n);
	if (alias)
		bits |= overlay_given(&alias->traits, quirks, n);
	struct fitting walk = {.fit = 0};
	const struct model *m;
	while ((m = next_fitting(c, p->name, model, &walk)) != NULL)
		bits |= overlay_given(&m->traits, quirks, n);
	return bits;
}

static int64_t first_said(int64_t own, int64_t usual)
{
	return own > 0 ? own : usual;
}

void config_timers(const struct config *c, const struct provider *p, struct config_timers *out)
{
	const struct config_timers *own = &p->timers;
	*out = (struct config_timers){
		.connect_us = first_said(own->connect_us, c->connect_us),
		.tls_us = first_said(own->tls_us, c->tls_us),
		.first_byte_us = first_said(own->first_byte_us, c->first_byte_us),
		.reply_us = first_said(own->reply_us, c->reply_us),
		.first_token_us = first_said(own->first_token_us, c->first_token_us),
		.token_us = first_said(own->token_us, c->token_us),
		.idle_us = first_said(own->idle_us, c->idle_us),
	};
}

static void lay_facts(struct said_facts *to, const struct model *m)
{
	price_lay(&to->price, &m->price);
	if (m->context_tokens >= 0)
		to->context_tokens = m->context_tokens;
	if (m->max_output_tokens >= 0)
		to->max_output_tokens = m->max_output_tokens;
}

void config_facts(const struct config *c, struct span provider, struct span model,
	const struct model *alias, struct said_facts *out)
{
	*out = (struct said_facts){PRICE_UNKNOWN, -1, -1};
	if (alias)
		lay_facts(out, alias);
	struct fitting walk = {.fit = 0};
	const struct model *m;
	while ((m = next_fitting(c, provider, model, &walk)) != NULL)
		lay_facts(out, m);
}
