/* route.c - a name becomes lines, a provider and a model each, and each line as many targets as there are keys.
 * Lines are collected first, so that there is room for all targets, which are large, at once. */
#include "brokerd/route/route.h"

#include <stdio.h>

#include "brokerd/config/keys.h"
#include "brokerd/config/known.h"
#include "brokerd/route/capability.h"
#include "protocol/limits.h"

/* Takes over what is known; what is not is left. */
static void lay(int64_t *to, int64_t known)
{
	if (known >= 0)
		*to = known;
}

/* What the catalogue knows; of a server on this host, whose names are anybody's, nothing. */
static bool lay_catalogue(struct target *t, const struct catalogue *c, struct model_facts *facts)
{
	if (!c || t->is_local || !catalogue_find(c, t->provider, t->model, facts))
		return false;
	t->price = facts->price;
	t->context_tokens = facts->context_tokens;
	t->max_output_tokens = facts->max_output_tokens;
	return true;
}

/* What is said of it beats what is known. */
static void lay_said(struct target *t, const struct config *c, const struct model *alias)
{
	struct said_facts said;
	config_facts(c, t->provider, t->model, alias, &said);
	t->price_said = said.price;
	price_lay(&t->price, &said.price);
	lay(&t->context_tokens, said.context_tokens);
	lay(&t->max_output_tokens, said.max_output_tokens);
}

/* Everything but whether it can be reached. */
static void fill(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, struct target *out)
{
	struct model_facts facts;
	if (known_find(c, p, model, alias, out))
		return;
	*out = (struct target){
		.provider = p->name,
		.model = model,
		.key = p->n_keys > 0 ? p->keys[0].label : SPAN(""),
		.base_url = p->base_url,
		.origin = p->origin,
		.headers = p->headers,
		.n_headers = p->n_headers,
		.auth = p->auth,
		.auth_header = p->auth_header,
		.region = p->region,
		.service = p->service,
		.token = p->token,
		.ca_file = p->ca_file,
		.is_local = p->is_local,
		.is_offline = p->is_offline,
		.alias = alias ? alias->name : SPAN_NONE,
		.price = PRICE_UNKNOWN,
		.context_tokens = -1,
		.max_output_tokens = -1,
	};
	const size_t d = config_dialect_quirks(c, p, model, alias, &out->quirks);
	out->family = p->dialects[d].family;
	out->path = p->dialects[d].path;
	const bool is_known = lay_catalogue(out, c->catalogue, &facts);
	lay_said(out, c, alias);
	capability_note(c, p, alias, is_known ? &facts : NULL, out);
	known_keep(c, p, alias, out);
}

enum err route_native(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why)
{
	const struct provider *p = config_provider(c, provider);
	if (!p)
		return fault_param(why, ERR_NOT_FOUND, "surface.provider",
			"no provider is called \"%.*s\": `llmb models` lists what there is",
			SPAN_ARG(span_first(provider, LIMIT_LABEL_BYTES)));
	if (p->is_offline)
		return fault_param(why, ERR_UNSUPPORTED, "surface.provider",
			"%.*s answers by itself: it has no endpoints of its own",
			SPAN_ARG(p->name));
	if (p->missing)
		return fault_param(why, ERR_MISCONFIGURED, "surface.provider",
			"%.*s has no address yet: add %s = ... to [provider \"%.*s\"] in "
			"broker.conf",
			SPAN_ARG(p->name), p->missing, SPAN_ARG(p->name));
	fill(c, p, model, NULL, out);
	return OK;
}

/* A provider that can be asked, and a model's name. */
static enum err find_provider(const struct config *c, struct span provider, struct span model,
	const struct provider **out, struct fault *why)
{
	const struct provider *p = config_provider(c, provider);
	if (!p)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"no provider is called \"%.*s\": `llmb models` lists what there is",
			SPAN_ARG(span_first(provider, LIMIT_LABEL_BYTES)));
	if (model.n == 0)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"which model of %.*s? Say %.*s/MODEL", SPAN_ARG(p->name),
			SPAN_ARG(p->name));
	if (p->missing)
		return fault_param(why, ERR_MISCONFIGURED, "model",
			"%.*s has no address yet: add %s = ... to [provider \"%.*s\"] in "
			"broker.conf",
			SPAN_ARG(p->name), p->missing, SPAN_ARG(p->name));
	*out = p;
	return OK;
}

enum err route_target(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why)
{
	const struct provider *p;
	const enum err err = find_provider(c, provider, model, &p, why);
	if (!err)
		fill(c, p, model, NULL, out);
	return err;
}

bool route_facts(
	const struct config *c, struct span provider, struct span model, struct target *out)
{
	const struct provider *p = config_provider(c, provider);
	if (!p)
		return false;
	fill(c, p, model, NULL, out);
	return true;
}

/* Prices of a case or of its bound: the catalogue's, and what is said over it. */
static void price_with(const struct config *c, const struct target *t,
	const struct price_case *when,
	void (*find)(const struct catalogue *, struct span, struct span, const struct price_case *,
		struct price *),
	struct price *out)
{
	*out = PRICE_UNKNOWN;
	if (c->catalogue && !t->is_local)
		find(c->catalogue, t->provider, t->model, when, out);
	price_lay(out, &t->price_said);
}

void route_price(const struct config *c, const struct target *t, const struct price_case *when,
	struct price *out)
{
	price_with(c, t, when, catalogue_price_of, out);
}

void route_price_bound(const struct config *c, const struct target *t,
	const struct price_case *when, struct price *out)
{
	price_with(c, t, when, catalogue_price_bound, out);
}

bool route_in_dialect(const struct config *c, size_t d, const struct target *t, struct target *out)
{
	const struct provider *p = config_provider(c, t->provider);
	if (!p || d >= p->n_dialects)
		return false;
	*out = *t;
	out->family = p->dialects[d].family;
	out->path = p->dialects[d].path;
	const struct model *alias = span_is_set(t->alias) ? config_model(c, t->alias) : NULL;
	struct model_facts facts;
	config_quirks(c, p, d, t->model, alias, &out->quirks);
	const bool is_known = c->catalogue && !t->is_local &&
			      catalogue_find(c->catalogue, t->provider, t->model, &facts);
	capability_note(c, p, alias, is_known ? &facts : NULL, out);
	return true;
}

/* ---- a provider's keys ---- */

struct labelled {
	struct span label;
	const struct key_rule *rule; /* NULL: nothing is said of it */
};

/* All of one provider's, for as long as one route is looked for. */
struct key_set {
	struct key_set *next;
	const struct provider *provider;
	struct labelled keys[ROUTE_KEYS_MAX];
	size_t n;        /* 1 or more: where there is none, it is said which is missing */
	size_t most;     /* of them for one line */
	bool has_models; /* some are not for all models */
};

/* One that is to be asked. */
struct line {
	const struct provider *provider;
	struct span model;
	const struct model *alias;
	const struct target_rule *rule;
	enum target_list list;
	size_t asked;
	const struct key_set *set;
	size_t n_keys; /* that are for the model, and asked for */
};

struct lookup {
	const struct config *config;
	const struct route_keys *keys;
	struct arena *arena;
	struct route *out;
	struct key_set *sets;
	struct line *lines;
	size_t n_lines;
	enum target_list list; /* of the next line */
	size_t asked;
};

static bool has_key(const struct route_keys *keys, struct span provider)
{
	struct span label;
	return keys->key_at(keys->context, provider, 0, &label);
}

static bool is_there(const struct lookup *l, const struct provider *p, struct span label)
{
	struct span one;
	for (size_t i = 0; i < ROUTE_KEYS_MAX; i++) {
		if (!l->keys->key_at(l->keys->context, p->name, i, &one))
			return false;
		if (span_eq(one, label))
			return true;
	}
	return false;
}

static void add_rules_of(struct key_set *set, const struct lookup *only_there)
{
	const struct provider *p = set->provider;
	for (size_t i = 0; i < p->n_keys; i++) {
		const struct key_rule *rule = &p->keys[i];
		if (only_there && !span_is(rule->label, "admin") &&
			!is_there(only_there, p, rule->label))
			continue;
		set->keys[set->n++] = (struct labelled){rule->label, rule};
		set->has_models |= rule->models.n > 0;
	}
}

/* Those that the provider's section names, as far as they are there: the vault lists no key that administers, and knows
 * nothing of others where its provider has a source of its own. Of none that is there, a line asks for the first. */
static void add_named(const struct lookup *l, struct key_set *set)
{
	add_rules_of(set, set->provider->key_source.kind == KEY_SOURCE_VAULT ? l : NULL);
	if (set->n > 0)
		return;
	add_rules_of(set, NULL);
	set->most = 1;
}

/* As the vault has them; it may change meanwhile. */
static enum err add_all(const struct lookup *l, struct key_set *set)
{
	struct span label;
	while (set->n < ROUTE_KEYS_MAX &&
		l->keys->key_at(l->keys->context, set->provider->name, set->n, &label)) {
		if (arena_dup(l->arena, label, &set->keys[set->n].label))
			return ERR_NO_MEMORY;
		set->n++;
	}
	return OK;
}

/* NULL: no memory. */
static const struct key_set *keys_of(struct lookup *l, const struct provider *p)
{
	struct key_set *set = l->sets;
	while (set && set->provider != p)
		set = set->next;
	if (set)
		return set;
	set = arena_alloc(l->arena, sizeof *set);
	if (!set)
		return NULL;
	set->provider = p;
	set->most = ROUTE_KEYS_MAX;
	const bool takes_none = p->auth == AUTH_NONE || p->is_offline;
	if (!takes_none && p->n_keys > 0)
		add_named(l, set);
	else if (!takes_none && add_all(l, set))
		return NULL;
	if (set->n == 0)
		set->keys[set->n++].label = SPAN("");
	set->next = l->sets;
	l->sets = set;
	return set;
}

static bool is_for(const struct labelled *k, struct span model)
{
	return !k->rule || k->rule->models.n == 0 || words_fit(&k->rule->models, model);
}

/* ---- lines ---- */

static struct line *line_room(struct lookup *l)
{
	const size_t n = l->n_lines;
	if (n > 0 && (n & (n - 1)) != 0)
		return &l->lines[n];
	struct line *all = arena_array(l->arena, n > 0 ? 2 * n : 1, sizeof *all);
	if (!all)
		return NULL;
	if (n > 0)
		memcpy(all, l->lines, n * sizeof *all);
	l->lines = all;
	return &all[n];
}

/* Is that model of the provider's there for all calls? */
static bool is_asked_anyhow(const struct lookup *l, const struct provider *p, struct span model)
{
	for (size_t i = 0; i < l->n_lines; i++) {
		const struct line *line = &l->lines[i];
		if (line->provider == p && span_eq(line->model, model) &&
			(!line->rule || target_rule_is_for_all(line->rule)))
			return true;
	}
	return false;
}

static enum err add_line(struct lookup *l, struct line line, struct fault *why)
{
	if (l->asked > 0 && is_asked_anyhow(l, line.provider, line.model))
		return OK;
	if (l->n_lines == ROUTE_MAX)
		return fault_param(why, ERR_INVALID_REQUEST, "fallbacks",
			"all of these names together have more than %zu targets", ROUTE_MAX);
	struct line *to = line_room(l);
	line.set = to ? keys_of(l, line.provider) : NULL;
	if (!line.set)
		return ERR_NO_MEMORY;
	line.list = l->list;
	line.asked = l->asked;
	line.n_keys = line.set->n;
	for (size_t i = 0; line.set->has_models && i < line.set->n; i++)
		line.n_keys -= !is_for(&line.set->keys[i], line.model);
	if (line.n_keys > line.set->most)
		line.n_keys = line.set->most;
	*to = line;
	l->n_lines++;
	return OK;
}

static enum err add_rules(struct lookup *l, const struct model *alias,
	const struct target_rule *rules, size_t n, struct fault *why)
{
	for (size_t i = 0; i < n; i++) {
		struct line line = {.model = rules[i].model, .alias = alias, .rule = &rules[i]};
		enum err err = find_provider(
			l->config, rules[i].provider, rules[i].model, &line.provider, why);
		if (!err)
			err = add_line(l, line, why);
		if (err)
			return err;
	}
	return OK;
}

static enum err route_alias(struct lookup *l, const struct model *alias, struct fault *why)
{
	if (l->asked == 0)
		l->out->alias = alias;
	return add_rules(l, alias, alias->targets, alias->n_targets, why);
}

static enum err route_one(
	struct lookup *l, struct span provider, struct span model, struct fault *why)
{
	struct line line = {.model = model};
	const enum err err = find_provider(l->config, provider, model, &line.provider, why);
	return err ? err : add_line(l, line, why);
}

/* ---- names without a provider ---- */

/* The first provider that has a key, and how many have one. */
static const struct provider *first_with_key(
	const struct config *c, const struct route_keys *keys, bool needs_model, size_t *count)
{
	const struct provider *first = NULL;
	*count = 0;
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (p->is_offline || !has_key(keys, p->name))
			continue;
		if (needs_model && p->model.n == 0)
			continue;
		if (!first)
			first = p;
		(*count)++;
	}
	return first;
}

static const struct provider *offline_of(const struct config *c)
{
	for (size_t i = 0; i < c->n_providers; i++) {
		if (c->providers[i].is_offline)
			return &c->providers[i];
	}
	return NULL;
}

/* Has the configuration a section for that very model? */
static bool is_said(const struct config *c, const struct provider *p, struct span model)
{
	for (size_t i = 0; i < c->n_models; i++) {
		const struct span name = c->models[i].name;
		if (name.n == p->name.n + 1 + model.n && name.p[p->name.n] == '/' &&
			span_starts(name, p->name) && span_ends(name, model))
			return true;
	}
	return false;
}

/* Does the catalogue have it? A server on this host has what it has, by whatever name. */
static bool is_listed(const struct config *c, const struct provider *p, struct span model)
{
	struct model_facts facts;
	return c->catalogue && !p->is_local && catalogue_find(c->catalogue, p->name, model, &facts);
}

static bool may_have(const struct lookup *l, const struct provider *p, struct span model)
{
	const struct config *c = l->config;
	if (p->is_offline)
		return false;
	if (has_key(l->keys, p->name))
		return is_listed(c, p, model) || is_said(c, p, model);
	return p->auth == AUTH_NONE && is_said(c, p, model);
}

/* The lines of all that have it. One without an address is only named where no other has it. */
static enum err add_all_that_have(struct lookup *l, struct span model, struct fault *why)
{
	const struct config *c = l->config;
	const struct provider *nowhere = NULL;
	bool is_known = false;
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (!may_have(l, p, model))
			continue;
		if (p->missing) {
			nowhere = p;
			continue;
		}
		is_known = true;
		const enum err err = route_one(l, p->name, model, why);
		if (err)
			return err;
	}
	if (is_known)
		return OK;
	return nowhere ? route_one(l, nowhere->name, model, why) : ERR_NOT_FOUND;
}

/* What is near to a name that nobody knows. */
struct near {
	struct span provider, model; /* of an alias: no provider */
	size_t away;
};

static void consider(struct near *n, struct span name, struct span provider, struct span model)
{
	const size_t away = keys_distance(name, model, 2);
	if (away < n->away)
		*n = (struct near){provider, model, away};
}

static void find_near(const struct lookup *l, struct span name, struct near *n)
{
	const struct config *c = l->config;
	for (size_t i = 0; i < c->n_models; i++) {
		if (c->models[i].n_targets > 0)
			consider(n, name, SPAN_NONE, c->models[i].name);
	}
	for (size_t i = 0; c->catalogue && i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		struct catalogue_walk walk = {{0}};
		struct model_facts facts;
		if (p->is_local || p->is_offline || !has_key(l->keys, p->name))
			continue;
		while (catalogue_next(c->catalogue, p->name, &walk, &facts))
			consider(n, name, p->name, span_skip(facts.name, p->name.n + 1));
	}
}

/* A provider that has it, and no key. */
static const struct provider *find_without_key(const struct lookup *l, struct span model)
{
	for (size_t i = 0; i < l->config->n_providers; i++) {
		const struct provider *p = &l->config->providers[i];
		if (!p->is_offline && !has_key(l->keys, p->name) && is_listed(l->config, p, model))
			return p;
	}
	return NULL;
}

static enum err no_such_model(
	const struct lookup *l, struct span model, size_t n_with_key, struct fault *why)
{
	const struct span name = span_first(model, LIMIT_LABEL_BYTES);
	const struct provider *without = find_without_key(l, model);
	struct near near = {.away = 3};
	if (without)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"\"%.*s\" is no alias, and no provider that has a key has it: %.*s/%.*s is "
			"one, "
			"once there is a key (`llmb key add %.*s`)",
			SPAN_ARG(name), SPAN_ARG(without->name), SPAN_ARG(name),
			SPAN_ARG(without->name));
	find_near(l, model, &near);
	if (near.away < 3)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"nothing is called \"%.*s\": did you mean %.*s%s%.*s?", SPAN_ARG(name),
			SPAN_ARG(near.provider), span_is_set(near.provider) ? "/" : "",
			SPAN_ARG(near.model));
	return fault_param(why, ERR_NOT_FOUND, "model",
		"\"%.*s\" is no alias, and %s: name it as PROVIDER/MODEL", SPAN_ARG(name),
		n_with_key == 0 ? "no provider has a key yet (`llmb key add PROVIDER`)"
				: "several providers have a key");
}

static enum err route_bare(struct lookup *l, struct span model, struct fault *why)
{
	size_t count;
	const enum err err = add_all_that_have(l, model, why);
	if (err != ERR_NOT_FOUND)
		return err;
	const struct provider *only = first_with_key(l->config, l->keys, false, &count);
	return count == 1 ? route_one(l, only->name, model, why)
			  : no_such_model(l, model, count, why);
}

static enum err route_default(struct lookup *l, struct fault *why)
{
	size_t count;
	const struct provider *p = first_with_key(l->config, l->keys, true, &count);
	if (!p) {
		p = offline_of(l->config);
		l->out->is_fallback_offline = true;
	}
	if (!p)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"no provider has a key and a default model: `llmb key add PROVIDER`, "
			"or name one as PROVIDER/MODEL");
	return route_one(l, p->name, p->model, why);
}

static enum err route_name(struct lookup *l, struct span model, struct fault *why)
{
	if (model.n == 0)
		model = SPAN("default");
	const struct model *alias = config_model(l->config, model);
	if (alias && alias->n_targets > 0)
		return route_alias(l, alias, why);
	const size_t slash = span_index(model, '/');
	if (slash < model.n)
		return route_one(l, span_first(model, slash), span_skip(model, slash + 1), why);
	return span_is(model, "default") ? route_default(l, why) : route_bare(l, model, why);
}

/* The model that a provider has for an operation where none is named; absent: none, or it does not
 * matter. */
static struct span model_for(const struct config *c, const struct provider *p, enum llm_op op)
{
	struct quirks q;
	config_quirks(c, p, 0, p->model, NULL, &q);
	switch (op) {
	case LLM_OP_EMBED:
		return q.embed_model;
	case LLM_OP_RERANK:
		return q.rerank_model;
	case LLM_OP_MODERATE:
		return q.moderate_model;
	default:
		return SPAN_NONE;
	}
}

static enum err route_default_op(struct lookup *l, enum llm_op op, struct fault *why)
{
	const struct config *c = l->config;
	const struct model *alias = config_model(c, span_str(llm_op_name(op)));
	if (alias && alias->n_targets > 0)
		return route_alias(l, alias, why);
	size_t n_keys = 0;
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (p->is_offline || !has_key(l->keys, p->name))
			continue;
		n_keys++;
		const struct span own = model_for(c, p, op);
		if (own.n > 0)
			return route_one(l, p->name, own, why);
	}
	const struct provider *offline = offline_of(c);
	if (n_keys > 0 || !offline)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"no provider that has a key has a model of its own for the operation %s: "
			"name one as PROVIDER/MODEL, or make an alias [model \"%s\"]",
			llm_op_name(op), llm_op_name(op));
	l->out->is_fallback_offline = true;
	return route_one(l, offline->name, offline->model, why);
}

static enum err route_name_op(
	struct lookup *l, enum llm_op op, struct span model, struct fault *why)
{
	const bool is_named = model.n > 0 && !span_is(model, "default");
	const bool has_default = op == LLM_OP_EMBED || op == LLM_OP_RERANK || op == LLM_OP_MODERATE;
	return !is_named && has_default ? route_default_op(l, op, why) : route_name(l, model, why);
}

/* ---- targets ---- */

/* How many keys a line may have at the most, so that all lines together are no more than ROUTE_MAX targets. */
static size_t keys_at_most(const struct lookup *l, size_t *total)
{
	for (size_t most = ROUTE_KEYS_MAX;; most--) {
		*total = 0;
		for (size_t i = 0; i < l->n_lines; i++) {
			const size_t n = l->lines[i].n_keys;
			*total += n == 0 ? 1 : n < most ? n : most;
		}
		if (*total <= ROUTE_MAX || most == 1)
			return most;
	}
}

/* The targets of one line; how many. */
static size_t fill_line(const struct lookup *l, size_t entry, size_t most, struct target *to)
{
	const struct line *line = &l->lines[entry];
	const struct key_set *set = line->set;
	const size_t wanted = line->n_keys == 0 ? 1 : line->n_keys < most ? line->n_keys : most;
	size_t n = 0; /* where no key is for it, it is there to be told of */
	for (size_t i = 0; i < set->n && n < wanted; i++) {
		const struct labelled *k = &set->keys[i];
		if (line->n_keys > 0 && set->has_models && !is_for(k, line->model))
			continue;
		if (n == 0) {
			fill(l->config, line->provider, line->model, line->alias, to);
			to->list = line->list;
			to->entry = entry;
			to->asked = line->asked;
			to->rule = line->rule;
		} else {
			to[n] = to[0];
		}
		to[n].key = k->label;
		to[n].key_rule = k->rule;
		n++;
	}
	return n;
}

static enum err make_targets(struct lookup *l, struct fault *why)
{
	struct route *r = l->out;
	size_t total;
	const size_t most = keys_at_most(l, &total);
	bool has_key_for = false;
	for (size_t i = 0; i < l->n_lines; i++)
		has_key_for |= l->lines[i].list == TARGETS_USUAL && l->lines[i].n_keys > 0;
	if (!has_key_for)
		return fault_param(why, ERR_NO_KEY, "model",
			"none of the keys that [provider \"%.*s\"] names is for the model %.*s: "
			"key_label = LABEL model=PATTERN says which are",
			SPAN_ARG(l->lines[0].provider->name),
			SPAN_ARG(span_first(l->lines[0].model, LIMIT_LABEL_BYTES)));
	r->targets = arena_array(l->arena, total, sizeof *r->targets);
	if (!r->targets)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < l->n_lines; i++)
		r->n += fill_line(l, i, most, &r->targets[r->n]);
	return OK;
}

static enum err add_fallbacks(
	struct lookup *l, enum llm_op op, const struct span *names, size_t n, struct fault *why)
{
	if (n > ROUTE_FALLBACKS_MAX)
		return fault_param(why, ERR_INVALID_REQUEST, "fallbacks",
			"a request falls back to %zu other names at most", ROUTE_FALLBACKS_MAX);
	for (size_t i = 0; i < n; i++) {
		l->asked = i + 1;
		const enum err err = route_name_op(l, op, names[i], why);
		if (err) {
			(void)snprintf(why->param, sizeof why->param, "fallbacks");
			return err;
		}
	}
	l->asked = 0;
	return OK;
}

/* What an alias falls back to in two cases of its own. */
static enum err add_lists(struct lookup *l, struct fault *why)
{
	const struct model *alias = l->out->alias;
	if (!alias)
		return OK;
	const struct target_rules *context = &alias->route.context,
				  *refusal = &alias->route.refusal;
	l->list = TARGETS_CONTEXT;
	const enum err err = add_rules(l, alias, context->list, context->n, why);
	l->list = TARGETS_REFUSAL;
	return err ? err : add_rules(l, alias, refusal->list, refusal->n, why);
}

enum err route_find(const struct config *c, struct span model, const struct route_keys *keys,
	struct arena *a, struct route *out, struct fault *why)
{
	return route_find_op(c, LLM_OP_CHAT, model, NULL, 0, keys, a, out, why);
}

enum err route_find_op(const struct config *c, enum llm_op op, struct span model,
	const struct span *fallbacks, size_t n_fallbacks, const struct route_keys *keys,
	struct arena *a, struct route *out, struct fault *why)
{
	struct lookup l = {.config = c, .keys = keys, .arena = a, .out = out};
	*out = (struct route){0};
	enum err err = route_name_op(&l, op, model, why);
	if (!err)
		err = add_fallbacks(&l, op, fallbacks, n_fallbacks, why);
	if (!err)
		err = add_lists(&l, why);
	return err ? err : make_targets(&l, why);
}
