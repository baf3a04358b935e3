/* admin_policy.c - who is who, and which rule holds for whom. */
#include "brokerd/front/admin_call.h"

#include <stdio.h>

#include "brokerd/exchange/tokens.h"
#include "brokerd/front/admission.h"
#include "brokerd/front/peer.h"
#include "brokerd/log/log.h"
#include "brokerd/route/route.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

/* ---- what a rule says ---- */

static const char *answer_name(enum policy_answer a)
{
	static const char *const names[] = {"yes", "no", "ask"};
	return names[a];
}

static void put_kinds(struct json_out *o, uint32_t kinds)
{
	if (kinds == 0)
		return;
	json_key(o, "kind");
	json_open(o, '[');
	for (int k = PEER_KIND_UNKNOWN; k <= PEER_KIND_TOKEN; k++) {
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
	words_json(o, "id", &r->names);
	words_json(o, "user", &r->users);
	words_json(o, "profile", &r->profiles);
	json_pair_str(o, "allow", span_str(answer_name(r->allow)));
	words_json(o, "operation", &r->operations);
	words_json(o, "model", &r->models);
	words_json(o, "except_model", &r->except_models);
	put_natives(o, r);
	put_number(o, "max_input", r->max_input);
	put_number(o, "max_output", r->max_output);
	put_number(o, "max_cost_nusd", r->max_cost_nusd);
	put_number(o, "max_calls", r->max_calls);
	put_number(o, "max_connections", r->max_connections);
	if (r->is_resend_denied)
		json_pair_str(o, "resend", SPAN("deny"));
	static const char *const caches[] = {"auto", "off", "read", "write", "on"};
	static const char *const scopes[] = {"app", "user", "host"};
	if (r->cache != POLICY_CACHE_AUTO)
		json_pair_str(o, "cache", span_str(caches[r->cache]));
	if (r->cache_scope != POLICY_SCOPE_APP)
		json_pair_str(o, "cache_scope", span_str(scopes[r->cache_scope]));
	if (r->cache_semantic > 0) {
		char cosine[16];
		snprintf(cosine, sizeof cosine, "%g",
			(double)r->cache_semantic / (double)COSINE_ONE);
		json_pair_raw(o, "cache_semantic", span_str(cosine));
	}
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

struct policy_verdict admin_judge(const struct admin_call *a, const struct peer_id *peer)
{
	struct policy_verdict q = {.peer = peer};
	q.rule = policy_find(a->config, peer, a->organs->own_uid);
	q.grant = grants_find(a->organs->grants, peer, admin_now_s(a));
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

void admin_put_verdict(struct json_out *o, const struct policy_verdict *q)
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
static void put_operations(struct json_out *o, const struct policy_verdict *q)
{
	const char *name;
	json_key(o, "operations");
	json_open(o, '[');
	for (size_t i = 0; (name = policy_operation(i)); i++) {
		struct call c = policy_call_of(i);
		struct fault why;
		if (q->answer == POLICY_NO && c.kind != CALL_ADMIN)
			continue;
		/* nobody administers by another's connection */
		if (q->peer->via[0] && c.kind == CALL_ADMIN && policy_needs_grant(&c))
			continue;
		if (policy_admit_call(q->rule, q->peer, &c, &why) == OK && !was_before(i))
			json_put_str(o, span_str(name));
	}
	json_close(o, ']');
}

enum err admin_whoami(struct admin_call *a, struct json body, struct fault *why)
{
	const struct policy_verdict q = admin_judge(a, &a->peer);
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	admin_put_verdict(&o, &q);
	put_operations(&o, &q);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static enum err read_place(
	struct span profile, struct span socket, struct peer_id *out, struct fault *why)
{
	if (socket.n > 0 && !peer_socket_from(socket, &out->socket))
		return fault_param(why, ERR_INVALID_ARGUMENT, "socket",
			"this is main, sandbox, app or handed");
	if (profile.n > 0)
		fault_text(out->profile, sizeof out->profile, profile);
	return OK;
}

enum err admin_read_peer(
	struct admin_call *a, struct json body, struct peer_id *out, struct fault *why)
{
	const struct span as = admin_text(a, body, "as"), profile = admin_text(a, body, "profile");
	const struct span socket = admin_text(a, body, "socket");
	int64_t uid = (int64_t)a->organs->own_uid;
	if (as.n > 0 && !peer_from_text(as, out))
		return fault_param(why, ERR_INVALID_ARGUMENT, "as",
			"\"%.*s\" is nobody: this is KIND or KIND:NAME, as in "
			"flatpak:org.gnome.Builder, "
			"KIND being host, service, app, flatpak, snap, container, sandbox, token "
			"or unknown",
			SPAN_ARG(span_first(as, 64)));
	if (!json_is_nil(json_member(body, "uid")) &&
		(!json_i64(json_member(body, "uid"), &uid) || uid < 0 || uid >= UINT32_MAX))
		return fault_param(why, ERR_INVALID_ARGUMENT, "uid", "this is no user's number");
	if (as.n == 0) {
		*out = a->peer;
		out->uid = json_is_nil(json_member(body, "uid")) ? out->uid : (uid_t)uid;
		return read_place(profile, socket, out, why);
	}
	out->uid = (uid_t)uid;
	out->socket = out->kind == PEER_KIND_APP ? PEER_SOCKET_APP : PEER_SOCKET_MAIN;
	out->confidence = out->kind == PEER_KIND_UNKNOWN ? PEER_UID
			  : out->kind == PEER_KIND_APP   ? PEER_LISTENER
							 : PEER_PROC;
	const struct grant *said = grants_find(a->organs->grants, out, admin_now_s(a));
	if (said && said->has_socket)
		fault_text(out->profile, sizeof out->profile, span_str(said->profile));
	return read_place(profile, socket, out, why);
}

static bool key_at(const void *context, struct span provider, size_t i, struct span *label)
{
	const struct admin_call *a = context;
	return tokens_key_at(a->organs->tokens, a->config, provider, i, label);
}

/* Where the model leads, and which of that the caller may use. */
static void put_targets(struct admin_call *a, struct json_out *o, const struct policy_verdict *q,
	enum llm_op op, struct span model)
{
	const struct route_keys keys = {key_at, a};
	const struct allowance allowance = {.rule = q->rule, .grant = q->grant};
	struct route route = {.n = 0};
	struct fault why = FAULT_NONE;
	const enum err err =
		route_find_op(a->config, op, model, NULL, 0, &keys, &a->arena, &route, &why);
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

static enum err check_call(const struct admin_call *a, const struct policy_verdict *q,
	struct span name, struct fault *why)
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
	const enum err err = admin_read_peer(a, body, &peer, why);
	if (err)
		return err;
	const struct policy_verdict q = admin_judge(a, &peer);
	enum err verdict = policy_admit_peer(q.rule, &peer, a->organs->own_uid, &said);
	if (!verdict)
		verdict = check_call(a, &q, op.n > 0 ? op : SPAN("chat"), &said);
	if (verdict == ERR_INVALID_ARGUMENT) {
		*why = said;
		return verdict;
	}
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	admin_put_verdict(&o, &q);
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
