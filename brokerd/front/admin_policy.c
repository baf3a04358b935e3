/* admin_policy.c - who is who, which rule holds for whom, and what a person has said of them. */
#include "brokerd/front/admin_call.h"

#include <stdio.h>

#include "brokerd/front/admission.h"
#include "brokerd/front/peer.h"
#include "brokerd/log/log.h"
#include "brokerd/route/route.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define GRANT_DAYS INT64_C(30) /* where nobody says how long */
#define DAY_S      INT64_C(86400)

static int64_t now_s(const struct admin_call *a)
{
	return loop_wall_us(a->organs->loop) / 1000000;
}

/* ---- what a rule says ---- */

static const char *answer_name(enum policy_answer a)
{
	static const char *const names[] = {"yes", "no", "ask"};
	return names[a];
}

static void put_words(struct json_out *o, const char *name, const struct words *w)
{
	if (w->n == 0)
		return;
	json_key(o, name);
	json_open(o, '[');
	for (size_t i = 0; i < w->n; i++)
		json_put_str(o, w->list[i]);
	json_close(o, ']');
}

static void put_kinds(struct json_out *o, uint32_t kinds)
{
	if (kinds == 0)
		return;
	json_key(o, "kind");
	json_open(o, '[');
	for (int k = PEER_KIND_UNKNOWN; k <= PEER_KIND_SANDBOX; k++) {
		if (kinds & (UINT32_C(1) << k))
			json_put_str(o, span_str(peer_kind_name((enum peer_kind)k)));
	}
	json_close(o, ']');
}

static void put_sockets(struct json_out *o, uint32_t sockets)
{
	if (sockets == 0)
		return;
	json_key(o, "socket");
	json_open(o, '[');
	for (int k = PEER_SOCKET_MAIN; k <= PEER_SOCKET_HANDED; k++) {
		if (sockets & (UINT32_C(1) << k))
			json_put_str(o, span_str(peer_socket_name((enum peer_socket)k)));
	}
	json_close(o, ']');
}

static void put_number(struct json_out *o, const char *name, int64_t v)
{
	if (v >= 0)
		json_pair_i64(o, name, v);
}

static void put_natives(struct json_out *o, const struct policy_rule *r)
{
	if (r->n_natives == 0)
		return;
	json_key(o, "native");
	json_open(o, '[');
	for (size_t i = 0; i < r->n_natives; i++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);
		buf_span(&text, r->natives[i].provider);
		buf_byte(&text, ' ');
		buf_span(&text, r->natives[i].methods);
		buf_byte(&text, ' ');
		buf_span(&text, r->natives[i].path);
		json_put_str(o, buf_view(&text));
	}
	json_close(o, ']');
}

static void put_rule(struct json_out *o, const struct policy_rule *r)
{
	json_pair_str(o, "name", r->name);
	json_pair_bool(o, "builtin", r->is_builtin);
	put_kinds(o, r->kinds);
	put_sockets(o, r->sockets);
	json_pair_str(o, "confidence", span_str(peer_confidence_name(r->confidence)));
	put_words(o, "id", &r->names);
	put_words(o, "user", &r->users);
	put_words(o, "profile", &r->profiles);
	json_pair_str(o, "allow", span_str(answer_name(r->allow)));
	put_words(o, "operation", &r->operations);
	put_words(o, "model", &r->models);
	put_words(o, "except_model", &r->except_models);
	put_natives(o, r);
	put_number(o, "max_input", r->max_input);
	put_number(o, "max_output", r->max_output);
	put_number(o, "max_cost_nusd", r->max_cost_nusd);
	put_number(o, "max_calls", r->max_calls);
	put_number(o, "max_connections", r->max_connections);
}

enum err admin_policy_show(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	json_key(&o, "rules");
	json_open(&o, '[');
	for (size_t i = 0; i < a->config->n_policy; i++) {
		json_open(&o, '{');
		put_rule(&o, &a->config->policy[i]);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

/* ---- what would be said of a peer ---- */

struct question {
	const struct peer_id *peer;
	const struct policy_rule *rule; /* NULL: none */
	const struct grant *grant;      /* NULL: none */
	enum policy_answer answer;
};

static struct question ask(const struct admin_call *a, const struct peer_id *peer)
{
	struct question q = {.peer = peer};
	q.rule = policy_find(a->config, peer, a->organs->own_uid);
	q.grant = grants_find(a->organs->grants, peer, now_s(a));
	q.answer = q.rule ? q.rule->allow : POLICY_NO;
	if (q.answer == POLICY_ASK && q.grant)
		q.answer = POLICY_YES;
	if (q.grant && !q.grant->is_yes)
		q.answer = POLICY_NO;
	return q;
}

static void put_peer(struct json_out *o, const char *name, const struct peer_id *peer)
{
	OWNED(buf_done) struct buf text = BUF_INIT(16 * KIB);
	peer_json(peer, &text);
	json_key(o, name);
	json_put_raw(o, buf_view(&text));
}

static void put_verdict(struct json_out *o, const struct question *q)
{
	char who[PEER_TEXT_BYTES];
	peer_text(q->peer, who);
	json_pair_str(o, "who", span_str(who));
	put_peer(o, "peer", q->peer);
	json_key(o, "rule");
	if (q->rule)
		json_put_str(o, q->rule->name);
	else
		json_put_null(o);
	json_pair_str(o, "answer", span_str(answer_name(q->answer)));
	if (q->grant) {
		json_key(o, "grant");
		grant_json(q->grant, o);
	}
}

/* One name may be an operation of two kinds. */
static bool was_before(size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(policy_operation(k), policy_operation(i)) == 0)
			return true;
	}
	return false;
}

/* All operations that the rule names. */
static void put_operations(struct json_out *o, const struct question *q)
{
	const char *name;
	json_key(o, "operations");
	json_open(o, '[');
	for (size_t i = 0; (name = policy_operation(i)); i++) {
		struct call c = policy_call_of(i);
		struct fault why;
		if (policy_admit_call(q->rule, q->peer, &c, &why) == OK && !was_before(i))
			json_put_str(o, span_str(name));
	}
	json_close(o, ']');
}

enum err admin_whoami(struct admin_call *a, struct json body, struct fault *why)
{
	const struct question q = ask(a, &a->peer);
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	put_verdict(&o, &q);
	put_operations(&o, &q);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

/* As whom? "flatpak:org.gnome.Builder", known as well as can be, unless more is said. */
static enum err read_peer(
	struct admin_call *a, struct json body, struct peer_id *out, struct fault *why)
{
	const struct span as = admin_text(a, body, "as"), profile = admin_text(a, body, "profile");
	const struct span socket = admin_text(a, body, "socket");
	int64_t uid = (int64_t)a->organs->own_uid;
	if (as.n == 0) {
		*out = a->peer;
		return OK;
	}
	if (!peer_from_text(as, out))
		return fault_param(why, ERR_INVALID_ARGUMENT, "as",
			"\"%.*s\" is nobody: this is KIND or KIND:NAME, as in "
			"flatpak:org.gnome.Builder, "
			"KIND being host, service, app, flatpak, snap, container, sandbox or "
			"unknown",
			SPAN_ARG(span_first(as, 64)));
	if (!json_is_nil(json_member(body, "uid")) &&
		(!json_i64(json_member(body, "uid"), &uid) || uid < 0 || uid >= UINT32_MAX))
		return fault_param(why, ERR_INVALID_ARGUMENT, "uid", "this is no user's number");
	out->uid = (uid_t)uid;
	out->socket = out->kind == PEER_KIND_APP ? PEER_SOCKET_APP : PEER_SOCKET_MAIN;
	out->confidence = out->kind == PEER_KIND_UNKNOWN ? PEER_UID
			  : out->kind == PEER_KIND_APP   ? PEER_LISTENER
							 : PEER_PROC;
	if (socket.n > 0 && !peer_socket_from(socket, &out->socket))
		return fault_param(why, ERR_INVALID_ARGUMENT, "socket",
			"this is main, sandbox, app or handed");
	fault_text(out->profile, sizeof out->profile, profile.n > 0 ? profile : SPAN(""));
	return OK;
}

static bool has_vault_key(const void *context, struct span provider)
{
	return vault_has(context, provider);
}

/* Where the model leads, and which of that the caller may use. */
static void put_targets(struct admin_call *a, struct json_out *o, const struct question *q,
	enum llm_op op, struct span model)
{
	const struct route_keys keys = {has_vault_key, a->organs->vault};
	const struct allowance allowance = {q->rule, q->grant};
	struct route route = {.n = 0};
	struct fault why = FAULT_NONE;
	const enum err err = route_find_op(a->config, op, model, &keys, &a->arena, &route, &why);
	json_key(o, "targets");
	json_open(o, '[');
	for (size_t i = 0; !err && i < route.n; i++) {
		const struct target *t = &route.targets[i];
		OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_FRAME_BYTES);
		why = FAULT_NONE;
		buf_print(&id, "%.*s/%.*s", SPAN_ARG(t->provider), SPAN_ARG(t->model));
		const bool is_allowed =
			allowance_model(&allowance, model, t->provider, t->model, &why) == OK;
		json_open(o, '{');
		json_pair_str(o, "id", buf_view(&id));
		json_pair_bool(o, "allowed", is_allowed);
		if (!is_allowed)
			json_pair_str(o, "why", span_str(why.message));
		json_close(o, '}');
	}
	json_close(o, ']');
	if (err)
		json_pair_str(o, "route", span_str(why.message));
}

static enum err check_call(
	const struct admin_call *a, const struct question *q, struct span name, struct fault *why)
{
	const char *known;
	for (size_t i = 0; (known = policy_operation(i)); i++) {
		struct call c = policy_call_of(i);
		struct allowance allowance = {.rule = q->rule};
		if (!span_is(name, known))
			continue;
		return admission_check(a->organs, q->peer, &c, &allowance, why);
	}
	return fault_param(why, ERR_INVALID_ARGUMENT, "op", "there is no operation \"%.*s\"",
		SPAN_ARG(span_first(name, 64)));
}

enum err admin_policy_test(struct admin_call *a, struct json body, struct fault *why)
{
	struct peer_id peer;
	const struct span op = admin_text(a, body, "op"), model = admin_text(a, body, "model");
	struct fault said = FAULT_NONE;
	enum llm_op typed = LLM_OP_CHAT;
	const enum err err = read_peer(a, body, &peer, why);
	if (err)
		return err;
	const struct question q = ask(a, &peer);
	enum err verdict = policy_admit_peer(q.rule, &peer, a->organs->own_uid, &said);
	if (!verdict)
		verdict = check_call(a, &q, op.n > 0 ? op : SPAN("chat"), &said);
	if (verdict == ERR_INVALID_ARGUMENT) {
		*why = said;
		return verdict;
	}
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	put_verdict(&o, &q);
	json_pair_str(&o, "op", op.n > 0 ? op : SPAN("chat"));
	json_pair_bool(&o, "allowed", verdict == OK);
	if (verdict) {
		json_pair_str(&o, "class", span_str(err_info(verdict)->word));
		json_pair_str(&o, "why", span_str(said.message));
	}
	(void)llm_op_from(op, &typed);
	if (model.n > 0)
		put_targets(a, &o, &q, typed, model);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

/* ---- applications ---- */

static void put_identity(struct admin_call *a, struct json_out *o, const struct identity *i)
{
	const struct question q = ask(a, &i->peer);
	json_open(o, '{');
	put_verdict(o, &q);
	json_pair_i64(o, "connections", (int64_t)i->n_connections);
	json_pair_i64(o, "calls", (int64_t)i->n_calls);
	json_pair_i64(o, "served", (int64_t)i->calls);
	json_pair_i64(o, "first_s", i->first_s);
	json_pair_i64(o, "last_s", i->last_s);
	json_close(o, '}');
}

enum err admin_app_list(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	struct identity *i, *after;
	const struct grant *grant;
	(void)body;
	(void)why;
	json_open(&o, '{');
	json_key(&o, "seen");
	json_open(&o, '[');
	TABLE_EACH(a->env->identities.all, i, after)
		put_identity(a, &o, i);
	json_close(&o, ']');
	json_key(&o, "grants");
	json_open(&o, '[');
	for (size_t n = 0; (grant = grants_at(a->organs->grants, n)); n++)
		grant_json(grant, &o);
	json_close(&o, ']');
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static void grant_written(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	if (buf_view(&a->json).n == 0)
		buf_text(&a->json, "{}");
	admin_done(a);
}

/* Patterns, as they are kept: with spaces between. */
static enum err read_models(struct json list, char *to, size_t size, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const size_t from = text.n;
		if (from > 0)
			buf_byte(&text, ' ');
		if (!json_text_to(w.value, &text) ||
			span_index(span_skip(buf_view(&text), from + (from > 0)), ' ') <
				text.n - from - (from > 0))
			return fault_param(why, ERR_INVALID_ARGUMENT, "models",
				"a pattern of models has no spaces");
	}
	if (buf_error(&text) || text.n >= size)
		return fault_param(why, ERR_INVALID_ARGUMENT, "models",
			"these patterns are longer than %zu bytes: write them into a [policy]",
			size - 1);
	fault_text(to, size, buf_view(&text));
	return OK;
}

static enum err read_grant(
	struct admin_call *a, struct json body, struct grant *out, struct fault *why)
{
	const struct span who = admin_text(a, body, "who");
	struct peer_id peer;
	int64_t uid = (int64_t)a->organs->own_uid, days_s = GRANT_DAYS * DAY_S;
	*out = (struct grant){.is_kept = !admin_flag(body, "session"), .at_s = now_s(a)};
	if (!peer_from_text(who, &peer) || peer.kind == PEER_KIND_UNKNOWN)
		return fault_param(why, ERR_INVALID_ARGUMENT, "who",
			"\"%.*s\" is nobody: `llmb app list` shows who has been here, as in "
			"flatpak:org.gnome.Builder",
			SPAN_ARG(span_first(who, 64)));
	peer_text(&peer, out->who);
	if (!json_is_nil(json_member(body, "uid")) &&
		(!json_i64(json_member(body, "uid"), &uid) || uid < 0 || uid >= UINT32_MAX))
		return fault_param(why, ERR_INVALID_ARGUMENT, "uid", "this is no user's number");
	out->uid = (uid_t)uid;
	(void)json_i64(json_member(body, "for_s"), &days_s);
	if (days_s < 0)
		return fault_param(why, ERR_INVALID_ARGUMENT, "for_s", "this is no time");
	out->until_s = days_s == 0 ? 0 : num_add_sat(out->at_s, days_s);
	return read_models(json_member(body, "models"), out->models, sizeof out->models, why);
}

static enum err say(struct admin_call *a, struct json body, bool is_yes, struct fault *why)
{
	struct grant grant;
	const struct grants_reply reply = {grant_written, a};
	char quoted[2 * PEER_TEXT_BYTES];
	enum err err = read_grant(a, body, &grant, why);
	if (err)
		return err;
	grant.is_yes = is_yes;
	if (!is_yes)
		grant.until_s = 0;
	struct json_out o = json_to(&a->json);
	grant_json(&grant, &o);
	log_info(is_yes ? "grant.added" : "grant.revoked", "who=%s uid=%u",
		log_quote(quoted, sizeof quoted, span_str(grant.who)), (unsigned)grant.uid);
	grants_put(a->organs->grants, &grant, reply);
	return OK;
}

enum err admin_app_allow(struct admin_call *a, struct json body, struct fault *why)
{
	return say(a, body, true, why);
}

enum err admin_app_revoke(struct admin_call *a, struct json body, struct fault *why)
{
	return say(a, body, false, why);
}

/* Nothing was said of it then. */
enum err admin_app_forget(struct admin_call *a, struct json body, struct fault *why)
{
	const struct grants_reply reply = {grant_written, a};
	struct grant grant;
	bool found;
	enum err err = read_grant(a, body, &grant, why);
	if (err)
		return err;
	grants_remove(a->organs->grants, grant.uid, span_str(grant.who), &found, reply);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_bool(&o, "found", found);
	json_close(&o, '}');
	return OK;
}
