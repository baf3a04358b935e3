/* admin_broker.c - how the broker is, its configuration, and what was used. */
#include "brokerd/front/admin_call.h"

#include <unistd.h>

#include "brokerd/exchange/tokens.h"
#include "brokerd/front/peer.h"
#include "brokerd/log/log.h"
#include "brokerd/value/secret.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

/* ---- what was used ---- */

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

enum err admin_usage(struct admin_call *a, struct json body, struct fault *why)
{
	int64_t s;
	a->query.by = admin_text(a, body, "by");
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

/* ---- how it is ---- */

static void put_config(struct admin_call *a, struct json_out *o)
{
	const struct fault *fault = &a->env->config_fault;
	json_pair_str(o, "path", span_str(a->env->config_path));
	json_pair_bool(o, "ok", fault->err == OK);
	if (fault->err)
		json_pair_str(o, "message", span_str(fault->message));
}

enum err admin_config_check(struct admin_call *a, struct json body, struct fault *why)
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

enum err admin_config_reload(struct admin_call *a, struct json body, struct fault *why)
{
	a->env->reload(a->env);
	return admin_config_check(a, body, why);
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
		if (is_known || p->auth == AUTH_NONE || tokens_source(p))
			json_put_bool(o, admin_has_key(a, p));
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

static void put_audit_state(const struct organs *organs, struct json_out *o)
{
	const struct fault *fault = audit_fault(organs->audit);
	json_key(o, "audit");
	json_open(o, '{');
	json_pair_bool(o, "ok", organs->audit && fault->err == OK);
	json_pair_i64(o, "lost", (int64_t)audit_lost(organs->audit));
	if (fault->err)
		json_pair_str(o, "message", span_str(fault->message));
	json_close(o, '}');
}

enum err admin_status(struct admin_call *a, struct json body, struct fault *why)
{
	const struct admin_env *env = a->env;
	struct organs *organs = a->organs;
	struct json_out o = json_to(&a->json);
	struct fault unlocked;
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
	admin_put_vault(a, &o);
	json_close(&o, '}');
	put_catalogue_state(organs, &o);
	put_audit_state(organs, &o);
	json_pair_i64(&o, "connections", (int64_t)env->n_connections);
	json_pair_i64(&o, "calls", (int64_t)organs->n_exchanges);
	json_pair_i64(&o, "served", (int64_t)organs->n_served);
	json_key(&o, "degraded");
	if (organs->ailment.err)
		json_put_str(&o, span_str(organs->ailment.message));
	else
		json_put_null(&o);
	json_pair_bool(&o, "memory_locked", secret_memory_locks(&unlocked));
	json_pair_bool(&o, "confined", env->is_confined);
	json_key(&o, "you");
	OWNED(buf_done) struct buf you = BUF_INIT(4 * KIB);
	peer_json(&a->peer, &you);
	json_put_raw(&o, buf_view(&you));
	put_providers(a, &o);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}
