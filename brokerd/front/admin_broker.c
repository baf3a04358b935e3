/* admin_broker.c - how the broker is, and its configuration. */
#include "brokerd/front/admin_call.h"

#include <unistd.h>

#include "brokerd/cache/cache.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/front/peer.h"
#include "brokerd/log/log.h"
#include "brokerd/value/secret.h"
#include "protocol/limits.h"

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

static void put_cache_state(const struct admin_call *a, struct json_out *o)
{
	struct cache_stats s;
	if (!a->organs->cache)
		return;
	cache_stats(a->organs->cache, &s);
	json_key(o, "cache");
	json_open(o, '{');
	json_key(o, "disk");
	json_open(o, '{');
	admin_put_disk(a, &s, o);
	json_close(o, '}');
	json_close(o, '}');
}

static void put_loop(const struct organs *organs, struct json_out *o)
{
	const struct loop_figures f = loop_figures(organs->loop);
	json_key(o, "loop");
	json_open(o, '{');
	json_pair_i64(o, "stalls", (int64_t)f.stalls);
	json_pair_i64(o, "longest_us", f.longest_us);
	json_pair_i64(o, "spins", (int64_t)f.spins);
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
	put_cache_state(a, &o);
	put_loop(organs, &o);
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
	json_key(&o, "targets");
	health_json(organs->health, loop_now_us(organs->loop), false, &o);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}
