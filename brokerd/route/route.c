/* route.c - a provider's name is what stands before the first slash; what has none is an alias, or a
 * model of the one provider that can be meant. */
#include "brokerd/route/route.h"

#include "protocol/limits.h"

/* Takes over what is known; what is not is left. */
static void lay(int64_t *to, int64_t known)
{
	if (known >= 0)
		*to = known;
}

/* What the catalogue knows; of a server on this host, whose names are anybody's, nothing. */
static void lay_catalogue(struct target *t, const struct catalogue *c)
{
	struct model_facts facts;
	if (!c || t->is_local || !catalogue_find(c, t->provider, t->model, &facts))
		return;
	t->price = facts.price;
	t->context_tokens = facts.context_tokens;
	t->max_output_tokens = facts.max_output_tokens;
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
	const size_t d = config_dialect_of(c, p, model, alias);
	*out = (struct target){
		.provider = p->name,
		.model = model,
		.key = p->n_keys > 0 ? p->keys[0].label : SPAN(""),
		.family = p->dialects[d].family,
		.base_url = p->base_url,
		.path = p->dialects[d].path,
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
	config_quirks(c, p, d, model, alias, &out->quirks);
	lay_catalogue(out, c->catalogue);
	lay_said(out, c, alias);
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

static enum err make_target(const struct config *c, struct span provider, struct span model,
	const struct model *alias, struct target *out, struct fault *why)
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
	fill(c, p, model, alias, out);
	return OK;
}

enum err route_target(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why)
{
	return make_target(c, provider, model, NULL, out, why);
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
	config_quirks(c, p, d, t->model, span_is_set(t->alias) ? config_model(c, t->alias) : NULL,
		&out->quirks);
	return true;
}

/* ---- one line, as many targets as there are keys ---- */

struct lookup {
	const struct config *config;
	const struct route_keys *keys;
	struct arena *arena;
	struct route *out;
};

static bool has_key(const struct route_keys *keys, struct span provider)
{
	struct span label;
	return keys->key_at(keys->context, provider, 0, &label);
}

/* With which of its provider's keys `t` may be asked. One that has none is still a target: it is said which is missing. */
static size_t labels_of(const struct lookup *l, const struct target *t, struct span to[KEYS_MAX])
{
	const struct provider *p = config_provider(l->config, t->provider);
	size_t n = 0;
	to[0] = t->key;
	if (p->auth == AUTH_NONE || p->is_offline || p->n_keys > 0)
		return 1;
	while (n < KEYS_MAX && l->keys->key_at(l->keys->context, p->name, n, &to[n]))
		n++;
	return n > 0 ? n : 1;
}

/* Room for more of them: what was there before stays in the arena. */
static struct target *room(struct lookup *l, size_t n)
{
	struct route *r = l->out;
	struct target *all = arena_array(l->arena, r->n + n, sizeof *all);
	if (!all)
		return NULL;
	if (r->n > 0)
		memcpy(all, r->targets, r->n * sizeof *all);
	r->targets = all;
	return all + r->n;
}

static enum err add_target(struct lookup *l, const struct target *t)
{
	struct span labels[KEYS_MAX];
	const size_t n = labels_of(l, t, labels);
	struct target *to = room(l, n);
	if (!to)
		return ERR_NO_MEMORY;
	enum err err = OK;
	for (size_t i = 0; !err && i < n; i++) {
		to[i] = *t;
		err = arena_dup(
			l->arena, labels[i], &to[i].key); /* the vault may change meanwhile */
	}
	l->out->n += n;
	return err;
}

static enum err route_alias(struct lookup *l, const struct model *alias, struct fault *why)
{
	for (size_t i = 0; i < alias->n_targets; i++) {
		const struct target_rule *at = &alias->targets[i];
		struct target t;
		enum err err = make_target(l->config, at->provider, at->model, alias, &t, why);
		t.entry = i;
		if (!err)
			err = add_target(l, &t);
		if (err)
			return err;
	}
	return OK;
}

static enum err route_one(
	struct lookup *l, struct span provider, struct span model, struct fault *why)
{
	struct target t;
	const enum err err = route_target(l->config, provider, model, &t, why);
	return err ? err : add_target(l, &t);
}

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

enum err route_find(const struct config *c, struct span model, const struct route_keys *keys,
	struct arena *a, struct route *out, struct fault *why)
{
	struct lookup l = {c, keys, a, out};
	*out = (struct route){0};
	if (model.n == 0)
		model = SPAN("default");
	const struct model *alias = config_model(c, model);
	if (alias && alias->n_targets > 0)
		return route_alias(&l, alias, why);

	const size_t slash = span_index(model, '/');
	if (slash < model.n)
		return route_one(&l, span_first(model, slash), span_skip(model, slash + 1), why);

	size_t count;
	if (span_is(model, "default")) {
		const struct provider *p = first_with_key(c, keys, true, &count);
		if (!p) {
			p = offline_of(c);
			out->is_fallback_offline = true;
		}
		if (!p)
			return fault_param(why, ERR_NOT_FOUND, "model",
				"no provider has a key and a default model: `llmb key add "
				"PROVIDER`, "
				"or name one as PROVIDER/MODEL");
		return route_one(&l, p->name, p->model, why);
	}
	const struct provider *only = first_with_key(c, keys, false, &count);
	if (count == 1)
		return route_one(&l, only->name, model, why);
	return fault_param(why, ERR_NOT_FOUND, "model",
		"\"%.*s\" is no alias, and %s: name it as PROVIDER/MODEL",
		SPAN_ARG(span_first(model, LIMIT_LABEL_BYTES)),
		count == 0 ? "no provider has a key yet (`llmb key add PROVIDER`)"
			   : "several providers have a key");
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

enum err route_find_op(const struct config *c, enum llm_op op, struct span model,
	const struct route_keys *keys, struct arena *a, struct route *out, struct fault *why)
{
	const bool is_named = model.n > 0 && !span_is(model, "default");
	if (is_named || (op != LLM_OP_EMBED && op != LLM_OP_RERANK && op != LLM_OP_MODERATE))
		return route_find(c, model, keys, a, out, why);
	struct lookup l = {c, keys, a, out};
	*out = (struct route){0};
	const struct model *alias = config_model(c, span_str(llm_op_name(op)));
	if (alias && alias->n_targets > 0)
		return route_alias(&l, alias, why);
	size_t n_keys = 0;
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (p->is_offline || !has_key(keys, p->name))
			continue;
		n_keys++;
		const struct span own = model_for(c, p, op);
		if (own.n > 0)
			return route_one(&l, p->name, own, why);
	}
	const struct provider *offline = offline_of(c);
	if (n_keys > 0 || !offline)
		return fault_param(why, ERR_NOT_FOUND, "model",
			"no provider that has a key has a model of its own for the operation %s: "
			"name one as PROVIDER/MODEL, or make an alias [model \"%s\"]",
			llm_op_name(op), llm_op_name(op));
	out->is_fallback_offline = true;
	return route_one(&l, offline->name, offline->model, why);
}
