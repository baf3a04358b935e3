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

static void lay_price(struct price *to, const struct price *known)
{
	lay(&to->input, known->input);
	lay(&to->output, known->output);
	lay(&to->cache_read, known->cache_read);
	lay(&to->cache_write_5m, known->cache_write_5m);
	lay(&to->cache_write_1h, known->cache_write_1h);
	lay(&to->reasoning, known->reasoning);
	lay(&to->audio_input, known->audio_input);
	lay(&to->audio_output, known->audio_output);
	lay(&to->image_input, known->image_input);
	lay(&to->image_output, known->image_output);
}

/* Lays the facts of a [model] section over a target: what it does not say is left. */
static void lay_facts(struct target *t, const struct model *m)
{
	if (!m)
		return;
	lay_price(&t->price, &m->price);
	lay(&t->context_tokens, m->context_tokens);
	lay(&t->max_output_tokens, m->max_output_tokens);
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

enum err route_target(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why)
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
	const size_t d = config_dialect_of(c, p, model);
	*out = (struct target){
		.provider = p->name,
		.model = model,
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
		.price = PRICE_UNKNOWN,
		.context_tokens = -1,
		.max_output_tokens = -1,
	};
	config_quirks(c, p, d, model, &out->quirks);
	lay_catalogue(out, c->catalogue);
	lay_facts(out, config_facts(c, provider, model));
	return OK;
}

/* Of an alias: its facts hold for targets whose own are not known. */
static void lay_alias(struct target *t, const struct model *alias)
{
	if (t->price.input < 0 && t->price.output < 0)
		lay_facts(t, alias);
}

static enum err route_alias(const struct config *c, const struct model *alias, struct arena *a,
	struct route *out, struct fault *why)
{
	out->targets = arena_array(a, alias->n_targets, sizeof *out->targets);
	if (!out->targets)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < alias->n_targets; i++) {
		const struct alias_target *at = &alias->targets[i];
		struct target *t = &out->targets[i];
		const enum err err = route_target(c, at->provider, at->model, t, why);
		if (err)
			return err;
		lay_alias(t, alias);
	}
	out->n = alias->n_targets;
	return OK;
}

static enum err route_one(const struct config *c, struct span provider, struct span model,
	struct arena *a, struct route *out, struct fault *why)
{
	out->targets = arena_array(a, 1, sizeof *out->targets);
	if (!out->targets)
		return ERR_NO_MEMORY;
	out->n = 1;
	return route_target(c, provider, model, &out->targets[0], why);
}

/* The first provider that has a key, and how many have one. */
static const struct provider *first_with_key(
	const struct config *c, const struct route_keys *keys, bool needs_model, size_t *count)
{
	const struct provider *first = NULL;
	*count = 0;
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (p->is_offline || !keys->has_key(keys->context, p->name))
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
	*out = (struct route){0};
	if (model.n == 0)
		model = SPAN("default");
	const struct model *alias = config_model(c, model);
	if (alias && alias->n_targets > 0)
		return route_alias(c, alias, a, out, why);

	const size_t slash = span_index(model, '/');
	if (slash < model.n)
		return route_one(
			c, span_first(model, slash), span_skip(model, slash + 1), a, out, why);

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
		return route_one(c, p->name, p->model, a, out, why);
	}
	const struct provider *only = first_with_key(c, keys, false, &count);
	if (count == 1)
		return route_one(c, only->name, model, a, out, why);
	return fault_param(why, ERR_NOT_FOUND, "model",
		"\"%.*s\" is no alias, and %s: name it as PROVIDER/MODEL",
		SPAN_ARG(span_first(model, LIMIT_LABEL_BYTES)),
		count == 0 ? "no provider has a key yet (`llmb key add PROVIDER`)"
			   : "several providers have a key");
}
