/* admin.c - the table of operations, and what is the same for all. */
#include "brokerd/front/admin.h"

#include <stdlib.h>

#include "brokerd/front/admin_call.h"
#include "brokerd/vault/code.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

#define REPLY_BYTES      (16 * MIB)
#define CATALOGUE_IMPORT "catalogue.import"
#define CALLS_MAX        ((size_t)256)

/* At once, those whose callers are gone included. A passphrase costs a worker a second, an end of the
 * broker waits for it, and while it waits its turn it takes of the memory that keys are opened in. Who
 * reads the ledger waits for those before him. */
/* clang-format off */
static const struct {
	size_t all, user; /* of all users, of one */
} most[ADMIN_COSTS] = {
	[ADMIN_CHEAP]   = {CALLS_MAX, CALLS_MAX},
	[ADMIN_COSTLY]  = {4,         4        },
	[ADMIN_READING] = {16,        8        },
	[ADMIN_WAITING] = {64,        8        },
};
/* clang-format on */

/* ---- the end of every operation ---- */

static void admin_free(struct admin_call *a)
{
	for (size_t i = 0; i < a->n_fetches; i++)
		fetch_cancel(a->fetches[i]);
	bill_cancel(a->bill);
	loop_task_stop(&a->done);
	recent_leave(&a->follow.follower);
	loop_timer_stop(&a->wait);
	consents_away(&a->agent);
	cache_clear_leave(&a->clearing);
	cache_each_leave(&a->telling);
	LIST_REMOVE(a->env->calls, a);
	a->env->n_calls--;
	buf_wipe(&a->json);
	buf_wipe(&a->code);
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
void admin_done(struct admin_call *a)
{
	admin_record(a);
	LOOP_CALLS(&a->done, on_run, on_done);
	loop_later(a->organs->loop, &a->done);
}

void admin_fail(struct admin_call *a, enum err err, const struct fault *why)
{
	a->why = *why;
	if (!a->why.err)
		fault_set(&a->why, err, "%s", err_info(err)->sentence);
	admin_done(a);
}

int64_t admin_now_s(const struct admin_call *a)
{
	return loop_wall_us(a->organs->loop) / 1000000;
}

/* ---- members of the request ---- */

/* A copy: the request's own bytes are wiped as soon as the operation has begun. */
struct span admin_text(struct admin_call *a, struct json body, const char *name)
{
	struct span text, copy;
	if (json_utf8(json_member(body, name), &a->arena, &text) != OK ||
		arena_dup(&a->arena, text, &copy) != OK)
		return SPAN_NONE;
	return copy;
}

/* A secret goes to a buf that is wiped, never to the arena. False: it is not there. */
bool admin_secret(struct json body, const char *name, struct buf *out)
{
	buf_init(out, LIMIT_SECRET_BYTES);
	(void)buf_reserve(out, LIMIT_SECRET_BYTES); /* so that growing leaves no copy behind */
	return json_text_to(json_member(body, name), out);
}

bool admin_flag(struct json body, const char *name)
{
	return json_is_true(json_member(body, name));
}

static enum err not_a(const char *what, const char *name, struct fault *why)
{
	return fault_param(why, ERR_INVALID_ARGUMENT, name, "this is %s", what);
}

enum err admin_read_text(struct admin_call *a, struct json body, const char *name, struct span *out,
	struct fault *why)
{
	const struct json v = json_member(body, name);
	if (json_is_nil(v))
		return OK;
	if (json_kind(v) != JSON_STRING)
		return not_a("a text", name, why);
	*out = admin_text(a, body, name);
	return span_is_set(*out) ? OK : fault_set(why, ERR_NO_MEMORY, "out of memory");
}

enum err admin_read_i64(struct json body, const char *name, int64_t *out, struct fault *why)
{
	const struct json v = json_member(body, name);
	return json_is_nil(v) || json_i64(v, out) ? OK : not_a("a whole number", name, why);
}

enum err admin_read_flag(struct json body, const char *name, bool *out, struct fault *why)
{
	const struct json v = json_member(body, name);
	if (json_is_nil(v))
		return OK;
	if (json_kind(v) != JSON_TRUE && json_kind(v) != JSON_FALSE)
		return not_a("true or false", name, why);
	*out = json_is_true(v);
	return OK;
}

bool admin_is_told_all(const struct admin_call *a)
{
	return a->peer.uid == a->organs->own_uid || a->peer.uid == 0;
}

bool admin_is_told_of(const struct admin_call *a, uid_t uid)
{
	return uid == a->peer.uid || admin_is_told_all(a);
}

void admin_about(struct admin_call *a, const char *who)
{
	if (arena_dup(&a->arena, span_str(who), &a->about))
		a->about = SPAN_NONE;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	admin_run *run;
	bool is_for_the_sick; /* also while the broker is degraded */
	enum admin_cost cost;
} operations[] = {
	{"status",            admin_status,            true,  ADMIN_CHEAP  },
	{"metrics",           admin_metrics,           true,  ADMIN_CHEAP  },
	{"models",            admin_models,            false, ADMIN_CHEAP  },
	{"usage",             admin_usage,             true,  ADMIN_READING},
	{"usage.estimates",   admin_usage_estimates,   true,  ADMIN_READING},
	{"usage.export",      admin_usage_export,      true,  ADMIN_READING},
	{"usage.follow",      admin_follow,            true,  ADMIN_WAITING},
	{"usage.open",        admin_open,              true,  ADMIN_CHEAP  },
	{"prompt.read",       admin_prompt_read,       false, ADMIN_CHEAP  },
	{"budget.list",       admin_budget_list,       true,  ADMIN_CHEAP  },
	{"budget.set",        admin_budget_set,        false, ADMIN_CHEAP  },
	{"budget.remove",     admin_budget_remove,     true,  ADMIN_CHEAP  },
	{"route.explain",     admin_route_explain,     false, ADMIN_COSTLY },
	{"request.explain",   admin_request_explain,   true,  ADMIN_READING},
	{"reconcile",         admin_reconcile,         false, ADMIN_CHEAP  },
	{"key.add",           admin_key_add,           false, ADMIN_CHEAP  },
	{"key.rotate",        admin_key_rotate,        false, ADMIN_CHEAP  },
	{"key.list",          admin_key_list,          false, ADMIN_CHEAP  },
	{"key.remove",        admin_key_remove,        false, ADMIN_CHEAP  },
	{"key.test",          admin_key_test,          false, ADMIN_CHEAP  },
	{"vault.status",      admin_vault_status,      true,  ADMIN_CHEAP  },
	{"vault.lock",        admin_vault_lock,        true,  ADMIN_CHEAP  },
	{"vault.unlock",      admin_vault_unlock,      true,  ADMIN_COSTLY },
	{"vault.passphrase",  admin_vault_passphrase,  false, ADMIN_COSTLY },
	{"vault.slots",       admin_vault_slots,       true,  ADMIN_CHEAP  },
	{"vault.slot.add",    admin_vault_slot_add,    false, ADMIN_CHEAP  },
	{"vault.slot.remove", admin_vault_slot_remove, false, ADMIN_CHEAP  },
	{"config.check",      admin_config_check,      true,  ADMIN_CHEAP  },
	{"config.reload",     admin_config_reload,     true,  ADMIN_CHEAP  },
	{"whoami",            admin_whoami,            true,  ADMIN_CHEAP  },
	{"policy.show",       admin_policy_show,       true,  ADMIN_CHEAP  },
	{"policy.test",       admin_policy_test,       true,  ADMIN_CHEAP  },
	{"app.list",          admin_app_list,          true,  ADMIN_CHEAP  },
	{"app.allow",         admin_app_allow,         false, ADMIN_CHEAP  },
	{"app.revoke",        admin_app_revoke,        true,  ADMIN_CHEAP  },
	{"app.forget",        admin_app_forget,        false, ADMIN_CHEAP  },
	{"app.add",           admin_app_add,           false, ADMIN_CHEAP  },
	{"app.remove",        admin_app_remove,        false, ADMIN_CHEAP  },
	{"token.new",         admin_token_new,         false, ADMIN_CHEAP  },
	{"token.list",        admin_token_list,        true,  ADMIN_CHEAP  },
	{"token.revoke",      admin_token_revoke,      true,  ADMIN_CHEAP  },
	{"listener.add",      admin_listener_add,      false, ADMIN_CHEAP  },
	{"consent.next",      admin_consent_next,      true,  ADMIN_CHEAP  },
	{"consent.answer",    admin_consent_answer,    true,  ADMIN_CHEAP  },
	{"cache.stats",       admin_cache_stats,       true,  ADMIN_CHEAP  },
	{"cache.list",        admin_cache_list,        true,  ADMIN_READING},
	{"cache.clear",       admin_cache_clear,       true,  ADMIN_CHEAP  },
	{CATALOGUE_IMPORT,    admin_catalogue_import,  false, ADMIN_COSTLY },
	{"audit.list",        admin_audit_list,        true,  ADMIN_COSTLY },
	{"audit.verify",      admin_audit_verify,      true,  ADMIN_COSTLY },
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

/* It is of that cost, if there may be another. */
static enum err count_in(struct admin_call *a, enum admin_cost cost, struct fault *why)
{
	const struct admin_call *other;
	size_t all = 0, user = 0;
	LIST_EACH(a->env->calls, other) {
		const bool is_alike = other != a && other->cost == cost;
		all += is_alike;
		user += is_alike && other->peer.uid == a->peer.uid;
	}
	if (all >= most[cost].all)
		return refuse_more(most[cost].all, why);
	if (user >= most[cost].user)
		return refuse_more(most[cost].user, why);
	a->cost = cost;
	return OK;
}

static enum err admin_begin(
	struct admin_call *a, struct span op, struct span body, struct fault *why)
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
		a->op = operations[i].name;
		if (a->organs->ailment.err && !operations[i].is_for_the_sick) {
			*why = a->organs->ailment;
			return why->err;
		}
		const enum err err = count_in(a, operations[i].cost, why);
		if (err)
			return err;
		return operations[i].run(a, json, why);
	}
	return fault_set(why, ERR_UNSUPPORTED, "no operation is called \"%.*s\"",
		SPAN_ARG(span_first(op, 64)));
}

struct admin_call *admin_new(struct admin_env *env, const struct peer_id *peer, uint64_t connection,
	struct passed *passed, struct span op, struct span body, const struct admin_reply *reply)
{
	struct admin_call *a = calloc(1, sizeof *a);
	struct fault why = FAULT_NONE;
	if (!a)
		return NULL;
	a->env = env;
	a->organs = env->organs;
	a->config = config_ref(env->organs->config);
	a->peer = *peer;
	a->connection = connection;
	a->passed = passed;
	a->reply = *reply;
	a->why = FAULT_NONE;
	a->begun_us = loop_now_us(env->organs->loop);
	arena_init(&a->arena, MIB);
	buf_init(&a->json, REPLY_BYTES);
	buf_init(&a->code, CODE_TEXT_MAX + 1);
	buf_init(&a->errors, MIB);
	buf_init(&a->text, CATALOGUE_BYTES);
	LIST_PUSH(env->calls, a);
	env->n_calls++;
	const enum err err = admin_begin(a, op, body, &why);
	if (err)
		admin_fail(a, err, &why);
	return a;
}

void admin_abandon(struct admin_call *a)
{
	a->reply.on_done = NULL;
	atomic_store(&a->is_unwanted, true);
	if (a->bill) { /* a key is not used for nobody; that it was used until now is recorded */
		fault_set(&a->why, ERR_CANCELLED, "who asked is gone");
		admin_record(a);
	}
	if (a->agent.consents || a->bill ||
		a->follow.follower.recent) /* who only waits need not go on */
		admin_free(a);
}

void admin_drop_fetches(struct admin_env *env)
{
	struct admin_call *a, *after;
	LIST_EACH_SAFE(env->calls, a, after) {
		if (a->n_fetches > 0 || a->bill)
			admin_free(a);
	}
}

void admin_end(struct admin_env *env)
{
	while (env->calls)
		admin_free(env->calls);
}
