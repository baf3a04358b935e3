/* admin.c - the table of operations, and one function each. */
#include "brokerd/front/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/auth/credential.h"
#include "brokerd/auth/token.h"
#include "brokerd/config/catalogue_file.h"
#include "brokerd/exchange/fetch.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/front/model_json.h"
#include "brokerd/front/peer.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/log/log.h"
#include "brokerd/route/route.h"
#include "protocol/base/json.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define REPLY_BYTES      (16 * MIB)
#define CATALOGUE_IMPORT "catalogue.import"
#define CATALOGUE_LANE   6 /* one import after the other */
/* At once, those whose callers are gone included. A passphrase costs a worker a second, an end of the
 * broker waits for it, and while it waits its turn it takes of the memory that keys are opened in. */
#define CALLS_MAX  ((size_t)256)
#define COSTLY_MAX ((size_t)4)

struct admin_call {
	struct admin_call *prev, *next; /* of env->calls */
	struct admin_env *env;
	struct organs *organs;
	struct config *config; /* as it was when the call came */
	struct peer_id peer;
	struct admin_reply reply; /* on_done NULL: nobody waits any more */
	struct loop_task done;
	struct arena arena; /* what is no secret */
	struct buf json;    /* the answer */
	struct fault why;
	/* of operations that go on */
	struct job job;
	struct usage_query query;
	struct span provider, label;
	int64_t begun_us;
	bool has_created_vault, is_costly;
	struct fetch **fetches;
	size_t n_fetches, n_waiting;
	struct json_out out; /* an answer that is written piece by piece */
	struct buf errors;
	struct buf text; /* a catalogue that is imported, and what it became */
	struct catalogue *catalogue;
};

/* ---- the end of every operation ---- */

static void admin_free(struct admin_call *a)
{
	for (size_t i = 0; i < a->n_fetches; i++)
		fetch_cancel(a->fetches[i]);
	loop_task_stop(&a->done);
	LIST_REMOVE(a->env->calls, a);
	a->env->n_calls--;
	a->env->n_costly -= a->is_costly;
	buf_done(&a->json);
	buf_done(&a->errors);
	buf_done(&a->text);
	catalogue_unref(a->catalogue);
	arena_done(&a->arena);
	config_unref(a->config);
	free(a);
}

static void on_done(struct loop_task *t)
{
	struct admin_call *a = container_of(t, struct admin_call, done);
	if (!a->why.err && buf_error(&a->json))
		fault_set(&a->why, buf_error(&a->json), "the answer is too large");
	if (a->reply.on_done)
		a->reply.on_done(a->reply.context, buf_view(&a->json), &a->why);
	struct admin_env *env = a->env;
	admin_free(a);
	env->ended(env);
}

/* The answer is ready: it is told in this turn, but not from inside whoever found it. */
static void admin_done(struct admin_call *a)
{
	a->done.on_run = on_done;
	loop_later(a->organs->loop, &a->done);
}

static void admin_fail(struct admin_call *a, enum err err, const struct fault *why)
{
	a->why = *why;
	if (!a->why.err)
		fault_set(&a->why, err, "%s", err_info(err)->sentence);
	admin_done(a);
}

/* ---- members of the request ---- */

/* A copy: the request's own bytes are wiped as soon as the operation has begun. */
static struct span text_member(struct admin_call *a, struct json body, const char *name)
{
	struct span text, copy;
	if (json_utf8(json_member(body, name), &a->arena, &text) != OK ||
		arena_dup(&a->arena, text, &copy) != OK)
		return SPAN_NONE;
	return copy;
}

/* A secret goes to a buf that is wiped, never to the arena. False: it is not there. */
static bool secret_member(struct json body, const char *name, struct buf *out)
{
	buf_init(out, LIMIT_SECRET_BYTES);
	(void)buf_reserve(out, LIMIT_SECRET_BYTES); /* so that growing leaves no copy behind */
	return json_text_to(json_member(body, name), out);
}

static bool flag_member(struct json body, const char *name)
{
	return json_is_true(json_member(body, name));
}

/* ---- keys ---- */

static void put_vault(struct admin_call *a, struct json_out *o)
{
	const struct vault *v = a->organs->vault;
	size_t n;
	(void)vault_list(v, &n);
	json_pair_str(o, "state", span_str(vault_state_name(vault_state(v))));
	json_pair_bool(o, "unattended", vault_is_unattended(v));
	json_pair_bool(o, "passphrase", vault_has_passphrase(v));
	json_pair_i64(o, "keys", (int64_t)n);
}

static const struct vault_key *find_key(
	const struct vault *v, struct span provider, struct span label)
{
	size_t n;
	const struct vault_key *keys = vault_list(v, &n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(provider, keys[i].provider) &&
			span_is(label.p ? label : SPAN(""), keys[i].label))
			return &keys[i];
	}
	return NULL;
}

static void put_key(struct json_out *o, const struct vault_key *k)
{
	json_pair_str(o, "provider", span_str(k->provider));
	json_pair_str(o, "label", span_str(k->label));
	json_pair_str(o, "origin", span_str(k->origin));
	json_pair_str(o, "fingerprint", span_str(k->fingerprint));
	json_pair_i64(o, "created_s", k->created_s);
	json_pair_i64(o, "last_used_s", k->last_used_s);
}

static void key_added(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	tokens_forget(a->organs->tokens); /* they may be the former key's */
	const struct vault_key *k = find_key(a->organs->vault, a->provider, a->label);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	if (k)
		put_key(&o, k);
	json_pair_bool(&o, "created_vault", a->has_created_vault);
	if (a->has_created_vault)
		json_pair_str(&o, "message",
			SPAN("a new vault was made; a key file beside it opens it unattended: "
			     "`llmb "
			     "vault passphrase` asks for a passphrase instead"));
	json_close(&o, '}');
	char provider[160], label[160];
	log_info("key.added", "provider=%s label=%s uid=%u",
		log_quote(provider, sizeof provider, a->provider),
		log_quote(label, sizeof label, a->label), (unsigned)a->peer.uid);
	admin_done(a);
}

static enum err key_add(struct admin_call *a, struct json body, struct fault *why)
{
	a->provider = text_member(a, body, "provider");
	a->label = text_member(a, body, "label");
	const struct provider *p = config_provider(a->config, a->provider);
	if (!p)
		return fault_param(why, ERR_INVALID_ARGUMENT, "provider",
			"no provider is called \"%.*s\": add [provider \"%.*s\"] with its dialect "
			"and base_url to the configuration, or see `llmb status` for those there "
			"are",
			SPAN_ARG(span_first(a->provider, 64)),
			SPAN_ARG(span_first(a->provider, 64)));
	if (p->missing)
		return fault_param(why, ERR_INVALID_ARGUMENT, "provider",
			"%.*s has no address yet, which a key is bound to: add %s = ... to "
			"[provider "
			"\"%.*s\"] in broker.conf",
			SPAN_ARG(p->name), p->missing, SPAN_ARG(p->name));
	if (p->auth == AUTH_NONE || p->is_offline)
		return fault_param(why, ERR_INVALID_ARGUMENT, "provider", "%.*s takes no key",
			SPAN_ARG(p->name));
	OWNED(buf_wipe) struct buf secret;
	if (!secret_member(body, "secret", &secret))
		return fault_param(why, ERR_INVALID_ARGUMENT, "secret", "there is no key");
	if (buf_error(&secret))
		return fault_param(why, buf_error(&secret), "secret",
			"the key is longer than %zu bytes", LIMIT_SECRET_BYTES);
	OWNED(buf_wipe) struct buf line = BUF_INIT(LIMIT_SECRET_BYTES);
	if (!buf_reserve(&line, LIMIT_SECRET_BYTES))
		return buf_error(&line);
	const enum err err =
		credential_line(p->auth, buf_view(&secret), &p->token, p->origin, &line, why);
	if (err)
		return err;
	a->has_created_vault = vault_state(a->organs->vault) == VAULT_ABSENT;
	const struct vault_reply reply = {key_added, a};
	/* a key that gets tokens goes to their endpoint alone */
	vault_add(a->organs->vault, p->name, a->label,
		token_is_needed(p->auth) ? p->token.origin : p->origin, buf_view(&line), true,
		reply);
	return OK;
}

static void key_removed(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	if (a->organs->transport) /* gone already where the broker ends meanwhile */
		transport_forget_connections(a->organs->transport);
	tokens_forget(a->organs->tokens);
	buf_text(&a->json, "{}");
	admin_done(a);
}

static enum err key_remove(struct admin_call *a, struct json body, struct fault *why)
{
	(void)why;
	a->provider = text_member(a, body, "provider");
	a->label = text_member(a, body, "label");
	const struct vault_reply reply = {key_removed, a};
	vault_remove(a->organs->vault, a->provider, a->label, reply);
	return OK;
}

static enum err key_list(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	size_t n;
	(void)body;
	if (vault_state(a->organs->vault) == VAULT_DAMAGED)
		return vault_get(
			a->organs->vault, SPAN("any"), SPAN_NONE, &(struct secret *){NULL}, why);
	const struct vault_key *keys = vault_list(a->organs->vault, &n);
	json_open(&o, '{');
	json_pair_str(&o, "state", span_str(vault_state_name(vault_state(a->organs->vault))));
	json_key(&o, "keys");
	json_open(&o, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&o, '{');
		put_key(&o, &keys[i]);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static void key_tested(void *context, const struct fetched *what, const struct fault *why)
{
	struct admin_call *a = context;
	struct json_out o = json_to(&a->json);
	a->fetches[0] = NULL;
	json_open(&o, '{');
	json_pair_bool(&o, "ok", why->err == OK);
	json_pair_str(&o, "provider", a->provider);
	json_pair_i64(&o, "models", (int64_t)what->n);
	json_pair_i64(&o, "ms", what->took_us / 1000);
	if (why->err)
		json_pair_str(&o, "class", span_str(err_info(why->err)->word));
	json_pair_str(&o, "message", why->err ? span_str(why->message) : SPAN("the key works"));
	json_close(&o, '}');
	admin_done(a);
}

static enum err key_test(struct admin_call *a, struct json body, struct fault *why)
{
	a->provider = text_member(a, body, "provider");
	a->label = text_member(a, body, "label");
	a->fetches = arena_array(&a->arena, 1, sizeof *a->fetches);
	if (!a->fetches)
		return ERR_NO_MEMORY;
	const struct fetch_reply reply = {key_tested, a};
	const enum err err =
		fetch_models(a->organs, a->provider, a->label, &reply, &a->fetches[0], why);
	a->n_fetches = err ? 0 : 1;
	return err;
}

/* ---- the vault ---- */

static enum err vault_status(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	put_vault(a, &o);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static void vault_changed(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	(void)vault_status(a, JSON_NONE, NULL);
}

static enum err vault_lock_op(struct admin_call *a, struct json body, struct fault *why)
{
	vault_lock(a->organs->vault);
	transport_forget_connections(a->organs->transport);
	tokens_forget(a->organs->tokens);
	log_info("vault.locked", "uid=%u", (unsigned)a->peer.uid);
	return vault_status(a, body, why);
}

static enum err vault_unlock_op(struct admin_call *a, struct json body, struct fault *why)
{
	OWNED(buf_wipe) struct buf passphrase;
	const struct vault_reply reply = {vault_changed, a};
	const bool is_given = secret_member(body, "passphrase", &passphrase);
	if (!is_given && vault_is_unattended(a->organs->vault)) {
		vault_unlock(a->organs->vault, SPAN_NONE, reply); /* by its key file */
		return OK;
	}
	if (!is_given || buf_error(&passphrase))
		return fault_param(why, ERR_INVALID_ARGUMENT, "passphrase",
			"there is no passphrase, or it is longer than %zu bytes",
			LIMIT_SECRET_BYTES);
	vault_unlock(a->organs->vault, buf_view(&passphrase), reply);
	return OK;
}

static enum err vault_passphrase_op(struct admin_call *a, struct json body, struct fault *why)
{
	OWNED(buf_wipe) struct buf passphrase;
	const bool is_set = secret_member(body, "new", &passphrase);
	if (buf_error(&passphrase))
		return fault_param(why, ERR_INVALID_ARGUMENT, "new",
			"the passphrase is longer than %zu bytes", LIMIT_SECRET_BYTES);
	const struct vault_reply reply = {vault_changed, a};
	vault_set_passphrase(a->organs->vault, is_set ? buf_view(&passphrase) : SPAN_NONE,
		flag_member(body, "keep_key_file"), reply);
	return OK;
}

/* ---- models ---- */

static bool has_key(const struct admin_call *a, const struct provider *p)
{
	return p->is_offline || p->auth == AUTH_NONE || vault_has(a->organs->vault, p->name);
}

static void put_model(struct admin_call *a, struct span provider, struct span model,
	bool is_default, bool is_keyed)
{
	const struct model_said said = {provider, model, is_default, is_keyed};
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
		put_model(a, p->name, model, span_eq(model, p->model), has_key(a, p));
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
		if (m->n_targets == 0)
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

static enum err models(struct admin_call *a, struct json body, struct fault *why)
{
	const struct config *c = a->config;
	const struct span only = text_member(a, body, "provider");
	const bool is_live = flag_member(body, "live"), is_known = flag_member(body, "known");
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
		const bool is_wanted = only.n > 0 ? span_eq(p->name, only)
						  : p->is_offline ||
							    vault_has(a->organs->vault, p->name) ||
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
		if ((is_live || only.n > 0) && !p->is_offline && has_key(a, p) && models_ask(a, p))
			continue;
		if (only.n > 0 && put_catalogue(a, p))
			continue;
		if (p->model.n > 0)
			put_model(a, p->name, p->model, true, has_key(a, p));
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
		catalogue_unref(o->config->catalogue);
		o->catalogue = TAKE(a->catalogue);
		o->config->catalogue = catalogue_ref(o->catalogue);
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

static enum err catalogue_import(struct admin_call *a, struct json body, struct fault *why)
{
	if (!json_text_to(json_member(body, "text"), &a->text) || buf_error(&a->text))
		return fault_param(why, ERR_INVALID_ARGUMENT, "text",
			"a catalogue is a text of at most %zu bytes", CATALOGUE_BYTES);
	a->job = (struct job){.run = import_run, .on_done = import_came};
	workers_submit(a->organs->workers, &a->job, CATALOGUE_LANE);
	return OK;
}

/* ---- usage ---- */

static void usage_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	const enum err err = ledger_usage(a->organs->ledger, &a->query, &a->json, &a->why);
	if (err && !a->why.err)
		fault_set(&a->why, err, "%s", err_info(err)->sentence);
}

static void usage_came(struct job *j)
{
	admin_done(container_of(j, struct admin_call, job));
}

static void usage_flushed(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	a->job.run = usage_run;
	a->job.on_done = usage_came;
	workers_submit(a->organs->workers, &a->job, LEDGER_LANE);
}

static enum err usage(struct admin_call *a, struct json body, struct fault *why)
{
	int64_t s;
	a->query.by = text_member(a, body, "by");
	if (a->query.by.n == 0)
		a->query.by = SPAN("none");
	if (json_i64(json_member(body, "since_s"), &s))
		a->query.since_us = num_mul_sat(s, 1000000);
	if (json_i64(json_member(body, "until_s"), &s))
		a->query.until_us = num_mul_sat(s, 1000000);
	if (!a->organs->journal || !a->organs->ledger)
		return fault_set(why, ERR_STORAGE_FULL, "%s", a->organs->ailment.message);
	const struct journal_reply reply = {usage_flushed, a};
	journal_flush(a->organs->journal, reply);
	return OK;
}

/* ---- the broker itself ---- */

static void put_config(struct admin_call *a, struct json_out *o)
{
	const struct fault *fault = &a->env->config_fault;
	json_pair_str(o, "path", span_str(a->env->config_path));
	json_pair_bool(o, "ok", fault->err == OK);
	if (fault->err)
		json_pair_str(o, "message", span_str(fault->message));
}

static enum err config_check(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	put_config(a, &o);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static enum err config_reload(struct admin_call *a, struct json body, struct fault *why)
{
	a->env->reload(a->env);
	return config_check(a, body, why);
}

static void put_providers(struct admin_call *a, struct json_out *o)
{
	const struct config *c = a->config;
	const bool is_known = vault_state(a->organs->vault) != VAULT_LOCKED;
	json_key(o, "providers");
	json_open(o, '[');
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		json_open(o, '{');
		json_pair_str(o, "name", p->name);
		json_pair_str(o, "origin", p->origin);
		json_key(o, "has_key");
		if (is_known || p->auth == AUTH_NONE)
			json_put_bool(o, has_key(a, p));
		else
			json_put_null(o);
		json_pair_bool(o, "builtin", p->is_builtin);
		json_pair_str(o, "missing", span_str(p->missing));
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void put_catalogue_state(const struct organs *organs, struct json_out *o)
{
	const struct fault *fault = &organs->catalogue_fault;
	size_t imported;
	json_key(o, "catalogue");
	json_open(o, '{');
	json_pair_i64(o, "models", (int64_t)catalogue_count(organs->catalogue, &imported));
	json_pair_str(o, "snapshot", catalogue_snapshot_date());
	json_pair_i64(o, "imported", (int64_t)imported);
	if (imported > 0)
		json_pair_i64(o, "imported_at", catalogue_imported_at_s(organs->catalogue));
	if (fault->err)
		json_pair_str(o, "damage", span_str(fault->message));
	json_close(o, '}');
}

static enum err status(struct admin_call *a, struct json body, struct fault *why)
{
	const struct admin_env *env = a->env;
	struct organs *organs = a->organs;
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	json_pair_str(&o, "version", SPAN(LLM_BROKER_VERSION));
	json_pair_i64(&o, "pid", getpid());
	json_pair_i64(&o, "started_at", env->started_wall_us / 1000000);
	json_pair_i64(&o, "uptime_s", (loop_now_us(organs->loop) - env->started_us) / 1000000);
	json_pair_str(&o, "socket", span_str(env->socket_path));
	json_pair_str(&o, "state_dir", span_str(env->state_dir));
	json_key(&o, "config");
	json_open(&o, '{');
	put_config(a, &o);
	json_close(&o, '}');
	json_key(&o, "vault");
	json_open(&o, '{');
	put_vault(a, &o);
	json_close(&o, '}');
	put_catalogue_state(organs, &o);
	json_pair_i64(&o, "connections", (int64_t)env->n_connections);
	json_pair_i64(&o, "calls", (int64_t)organs->n_exchanges);
	json_pair_i64(&o, "served", (int64_t)organs->n_served);
	json_key(&o, "degraded");
	if (organs->ailment.err)
		json_put_str(&o, span_str(organs->ailment.message));
	else
		json_put_null(&o);
	json_pair_bool(&o, "memory_locked", env->is_memory_locked);
	json_key(&o, "you");
	OWNED(buf_done) struct buf you = BUF_INIT(4 * KIB);
	peer_json(&a->peer, &you);
	json_put_raw(&o, buf_view(&you));
	put_providers(a, &o);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	/* Begins; answers by admin_done or admin_fail, or returns a fault. */
	enum err (*run)(struct admin_call *a, struct json body, struct fault *why);
	bool is_for_the_sick; /* also while the broker is degraded */
	bool is_costly;       /* hashes a passphrase, or holds much */
} operations[] = {
	{"status",           status,              true,  false},
	{"models",           models,              false, false},
	{"usage",            usage,               true,  false},
	{"key.add",          key_add,             false, false},
	{"key.list",         key_list,            false, false},
	{"key.remove",       key_remove,          false, false},
	{"key.test",         key_test,            false, false},
	{"vault.status",     vault_status,        true,  false},
	{"vault.lock",       vault_lock_op,       true,  false},
	{"vault.unlock",     vault_unlock_op,     true,  true },
	{"vault.passphrase", vault_passphrase_op, false, true },
	{"config.check",     config_check,        true,  false},
	{"config.reload",    config_reload,       true,  false},
	{CATALOGUE_IMPORT,   catalogue_import,    false, true },
};

size_t admin_body_max(struct span op)
{
	/* in a string of JSON a text can be longer than it is */
	return span_is(op, CATALOGUE_IMPORT) ? 2 * CATALOGUE_BYTES : LIMIT_INLINE_BYTES;
}

static enum err refuse_more(size_t limit, struct fault *why)
{
	return fault_set(why, ERR_OVERLOADED,
		"%zu such administrative calls are under way, which is the limit: try again in a "
		"moment",
		limit);
}

static enum err admin_run(struct admin_call *a, struct span op, struct span body, struct fault *why)
{
	struct json json = JSON_NONE;
	if (a->env->n_calls > CALLS_MAX)
		return refuse_more(CALLS_MAX, why);
	if (body.n > 0) {
		const struct json_rules rules = {.max_depth = 8, .has_unique_names = true};
		const enum err err = json_scan(body, rules, &json, why);
		if (err)
			return err;
		if (json_kind(json) != JSON_OBJECT)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"an administrative call takes a JSON object");
	}
	for (size_t i = 0; i < COUNT_OF(operations); i++) {
		if (!span_is(op, operations[i].name))
			continue;
		if (a->organs->ailment.err && !operations[i].is_for_the_sick) {
			*why = a->organs->ailment;
			return why->err;
		}
		if (operations[i].is_costly && a->env->n_costly >= COSTLY_MAX)
			return refuse_more(COSTLY_MAX, why);
		a->is_costly = operations[i].is_costly;
		a->env->n_costly += a->is_costly;
		return operations[i].run(a, json, why);
	}
	return fault_set(why, ERR_UNSUPPORTED, "no operation is called \"%.*s\"",
		SPAN_ARG(span_first(op, 64)));
}

struct admin_call *admin_new(struct admin_env *env, const struct peer_id *peer, struct span op,
	struct span body, const struct admin_reply *reply)
{
	struct admin_call *a = calloc(1, sizeof *a);
	struct fault why = FAULT_NONE;
	if (!a)
		return NULL;
	a->env = env;
	a->organs = env->organs;
	a->config = config_ref(env->organs->config);
	a->peer = *peer;
	a->reply = *reply;
	a->why = FAULT_NONE;
	a->begun_us = loop_now_us(env->organs->loop);
	arena_init(&a->arena, MIB);
	buf_init(&a->json, REPLY_BYTES);
	buf_init(&a->errors, MIB);
	buf_init(&a->text, CATALOGUE_BYTES);
	LIST_PUSH(env->calls, a);
	env->n_calls++;
	const enum err err = admin_run(a, op, body, &why);
	if (err)
		admin_fail(a, err, &why);
	return a;
}

void admin_abandon(struct admin_call *a)
{
	a->reply.on_done = NULL;
}

void admin_drop_fetches(struct admin_env *env)
{
	struct admin_call *a, *after;
	LIST_EACH_SAFE(env->calls, a, after) {
		if (a->n_fetches > 0)
			admin_free(a);
	}
}

void admin_end(struct admin_env *env)
{
	while (env->calls)
		admin_free(env->calls);
}
