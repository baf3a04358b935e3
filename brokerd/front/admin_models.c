/* admin_models.c - which models there are, and what is known of them. */
#include "brokerd/front/admin_call.h"

#include "brokerd/exchange/tokens.h"
#include "brokerd/front/model_json.h"
#include "brokerd/log/log.h"
#include "brokerd/policy/allowance.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"

#define CATALOGUE_LANE 6 /* one import after the other */

bool admin_has_key(const struct admin_call *a, const struct provider *p)
{
	return p->is_offline || p->auth == AUTH_NONE ||
	       tokens_have(a->organs->tokens, a->config, p->name);
}

/* Is it one that the caller may use? */
static bool is_shown(const struct admin_call *a, struct span id)
{
	const struct policy_verdict v = admin_judge(a, &a->peer);
	const struct allowance allowance = {.rule = v.rule, .grant = v.grant};
	return allowance_shows(&allowance, id);
}

static bool is_model_shown(const struct admin_call *a, struct span provider, struct span model)
{
	OWNED(buf_done) struct buf id = BUF_INIT(64 * KIB);
	buf_span(&id, provider);
	buf_byte(&id, '/');
	buf_span(&id, model);
	return !buf_error(&id) && is_shown(a, buf_view(&id));
}

static void put_model(struct admin_call *a, struct span provider, struct span model,
	bool is_default, bool is_keyed)
{
	const struct model_said said = {provider, model, is_default, is_keyed};
	if (is_model_shown(a, provider, model))
		model_json(a->config, &said, &a->out);
}

/* All that the catalogue has of a provider; true where that is something. */
static bool put_catalogue(struct admin_call *a, const struct provider *p)
{
	struct catalogue_walk w = {
		{0, 0}
        };
	struct model_facts facts;
	bool has_some = false;
	while (!p->is_local && a->config->catalogue &&
		catalogue_next(a->config->catalogue, p->name, &w, &facts)) {
		const struct span model = span_skip(facts.name, p->name.n + 1);
		put_model(a, p->name, model, span_eq(model, p->model), admin_has_key(a, p));
		has_some = true;
	}
	return has_some;
}

static void put_aliases(struct admin_call *a)
{
	const struct config *c = a->config;
	struct json_out *o = &a->out;
	for (size_t i = 0; i < c->n_models; i++) {
		const struct model *m = &c->models[i];
		if (m->n_targets == 0 || !is_shown(a, m->name))
			continue;
		json_open(o, '{');
		json_pair_str(o, "id", m->name);
		json_key(o, "alias_of");
		json_open(o, '[');
		for (size_t j = 0; j < m->n_targets; j++) {
			OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_FRAME_BYTES);
			buf_span(&id, m->targets[j].provider);
			buf_byte(&id, '/');
			buf_span(&id, m->targets[j].model);
			json_put_str(o, buf_view(&id));
		}
		json_close(o, ']');
		json_close(o, '}');
	}
}

static void models_end(struct admin_call *a)
{
	json_close(&a->out, ']');
	json_key(&a->out, "errors");
	json_open(&a->out, '[');
	buf_span(&a->json, buf_view(&a->errors));
	json_close(&a->out, ']');
	json_close(&a->out, '}');
	admin_done(a);
}

struct models_wait {
	struct admin_call *call;
	const struct provider *provider;
	struct fetch **fetch;
};

/* Why a provider's models are not in the list, or not all of them. */
static void put_models_error(struct admin_call *a, const struct provider *p, const char *message)
{
	struct json_out o = json_to(&a->errors);
	o.has_value = a->errors.n > 0;
	json_open(&o, '{');
	json_pair_str(&o, "provider", p->name);
	json_pair_str(&o, "message", span_str(message));
	json_close(&o, '}');
}

static void models_came(void *context, const struct fetched *what, const struct fault *why)
{
	struct models_wait *w = context;
	struct admin_call *a = w->call;
	const struct provider *p = w->provider;
	*w->fetch = NULL;
	for (size_t i = 0; i < what->n; i++)
		put_model(a, p->name, what->ids[i], span_eq(what->ids[i], p->model), true);
	if (why->err)
		put_models_error(a, p, why->message);
	else if (what->is_cut)
		put_models_error(a, p, "its list goes on, and is cut here");
	if (--a->n_waiting == 0)
		models_end(a);
}

/* Asks one provider for its list; true where an answer will come. */
static bool models_ask(struct admin_call *a, const struct provider *p)
{
	struct models_wait *w = arena_alloc(&a->arena, sizeof *w);
	struct fault why = FAULT_NONE;
	if (!w)
		return false;
	*w = (struct models_wait){a, p, &a->fetches[a->n_fetches]};
	const struct fetch_reply reply = {models_came, w};
	if (fetch_models(a->organs, p->name, SPAN_NONE, &reply, w->fetch, &why) != OK)
		return false;
	a->n_fetches++;
	a->n_waiting++;
	return true;
}

enum err admin_models(struct admin_call *a, struct json body, struct fault *why)
{
	const struct config *c = a->config;
	const struct span only = admin_text(a, body, "provider");
	const bool is_live = admin_flag(body, "live"), is_known = admin_flag(body, "known");
	if (only.n > 0 && !config_provider(c, only))
		return fault_param(why, ERR_INVALID_ARGUMENT, "provider",
			"no provider is called \"%.*s\"", SPAN_ARG(span_first(only, 64)));
	a->fetches = arena_array(&a->arena, c->n_providers, sizeof(struct fetch *));
	if (!a->fetches)
		return ERR_NO_MEMORY;
	a->out = json_to(&a->json);
	json_open(&a->out, '{');
	json_key(&a->out, "models");
	json_open(&a->out, '[');
	if (only.n == 0)
		put_aliases(a);
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		const bool is_wanted =
			only.n > 0 ? span_eq(p->name, only)
				   : p->is_offline ||
					     tokens_have(a->organs->tokens, a->config, p->name) ||
					     !p->is_builtin || is_known;
		struct target t;
		struct fault unusable = FAULT_NONE;
		if (!is_wanted)
			continue;
		if (is_known && put_catalogue(a, p)) /* whether it can be asked yet or not */
			continue;
		if (p->missing && route_target(c, p->name, SPAN("*"), &t, &unusable) != OK) {
			if (!p->is_builtin || only.n > 0)
				put_models_error(a, p, unusable.message);
			continue;
		}
		if ((is_live || only.n > 0) && !p->is_offline && admin_has_key(a, p) &&
			models_ask(a, p))
			continue;
		if (only.n > 0 && put_catalogue(a, p))
			continue;
		if (p->model.n > 0)
			put_model(a, p->name, p->model, true, admin_has_key(a, p));
	}
	if (a->n_waiting == 0)
		models_end(a);
	return OK;
}

/* ---- the catalogue of models ---- */

/* On a worker: is it a catalogue, and can it be kept? */
static void import_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	struct catalogue *c;
	enum err err = catalogue_new(buf_view(&a->text), &c, &a->why);
	if (!err)
		err = catalogue_keep(a->env->state_dir, buf_view(&a->text), &a->why);
	if (err) {
		catalogue_unref(c);
		return;
	}
	a->catalogue = c;
}

/* How many of the imported models no provider of the configuration has. */
static int64_t strangers_in(const struct config *c)
{
	struct catalogue_walk w = {
		{0, 0}
        };
	struct model_facts facts;
	int64_t n = 0;
	while (catalogue_next(c->catalogue, SPAN_NONE, &w, &facts))
		n += facts.is_imported &&
		     !config_provider(c, span_first(facts.name, span_index(facts.name, '/')));
	return n;
}

static void import_came(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	struct organs *o = a->organs;
	struct json_out out = json_to(&a->json);
	size_t imported;
	if (a->catalogue) {
		catalogue_unref(o->catalogue);
		o->catalogue = TAKE(a->catalogue);
		config_set_catalogue(o->config, o->catalogue);
		agains_clear(&o->again);
		o->catalogue_fault = FAULT_NONE;
		catalogue_set_day(o->catalogue, loop_wall_us(o->loop) / INT64_C(86400000000));
		catalogue_set_age(o->catalogue, loop_wall_us(o->loop) / 1000000);
		json_open(&out, '{');
		json_pair_i64(&out, "models", (int64_t)catalogue_count(o->catalogue, &imported));
		json_pair_i64(&out, "imported", (int64_t)imported);
		json_pair_i64(&out, "strangers", strangers_in(o->config));
		json_close(&out, '}');
		log_info("catalogue.imported", "models=%zu", imported);
	}
	admin_done(a);
}

enum err admin_catalogue_import(struct admin_call *a, struct json body, struct fault *why)
{
	if (!json_text_to(json_member(body, "text"), &a->text) || buf_error(&a->text))
		return fault_param(why, ERR_INVALID_ARGUMENT, "text",
			"a catalogue is a text of at most %zu bytes", CATALOGUE_BYTES);
	a->job = (struct job){.run = import_run, .on_done = import_came};
	workers_submit(a->organs->workers, &a->job, CATALOGUE_LANE);
	return OK;
}
