/* admin_apps.c - who has been here, what a person says of them, and sockets of their own. */
#include "brokerd/front/admin_call.h"

#include <stdarg.h>
#include <stdio.h>

#include "brokerd/front/sockets.h"
#include "brokerd/log/log.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define GRANT_DAYS INT64_C(30) /* where nobody says how long */
#define DAY_S      INT64_C(86400)

#define AGENT_WAIT_MS     30000
#define AGENT_WAIT_MAX_MS 3600000

/* ---- who has been here ---- */

static void put_identity(struct admin_call *a, struct json_out *o, const struct identity *i)
{
	const struct policy_verdict q = admin_judge(a, &i->peer);
	json_open(o, '{');
	admin_put_verdict(o, &q);
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

/* ---- what is said of them ---- */

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

enum err admin_read_models(struct json list, char *to, size_t size, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);
	if (!json_is_nil(list) && json_kind(list) != JSON_ARRAY)
		return fault_param(
			why, ERR_INVALID_ARGUMENT, "models", "this is a list of patterns");
	for (struct json_walk w = json_each(list); json_next(&w);) {
		OWNED(buf_done) struct buf one = BUF_INIT(LIMIT_FRAME_BYTES);
		const bool is_text = json_text_to(w.value, &one);
		if (!is_text || one.n == 0 || span_index(buf_view(&one), ' ') < one.n)
			return fault_param(why, ERR_INVALID_ARGUMENT, "models",
				"a pattern of models is a text without spaces, and not empty");
		if (text.n > 0)
			buf_byte(&text, ' ');
		buf_span(&text, buf_view(&one));
	}
	if (buf_error(&text) || text.n >= size)
		return fault_param(why, ERR_INVALID_ARGUMENT, "models",
			"these patterns are longer than %zu bytes: write them into a [policy]",
			size - 1);
	fault_text(to, size, buf_view(&text));
	return OK;
}

/* How long it holds: seconds, 0 for good, else a month. */
static enum err read_term(struct json body, struct grant *out, bool *is_said, struct fault *why)
{
	const struct json v = json_member(body, "for_s");
	int64_t for_s = GRANT_DAYS * DAY_S;
	*is_said = !json_is_nil(v);
	if (*is_said && (!json_i64(v, &for_s) || for_s < 0))
		return fault_param(
			why, ERR_INVALID_ARGUMENT, "for_s", "this is a number of seconds");
	out->until_s = for_s == 0 ? 0 : num_add_sat(out->at_s, for_s);
	return OK;
}

/* Whose callers may he speak of? Of his own, and who runs the broker of all. */
static enum err read_uid(const struct admin_call *a, struct json body, uid_t *to, struct fault *why)
{
	const struct json v = json_member(body, "uid");
	const uid_t own = a->organs->own_uid;
	const bool is_for_all = a->peer.uid == own || a->peer.uid == 0;
	int64_t uid = (int64_t)(is_for_all ? own : a->peer.uid);
	if (!json_is_nil(v) && (!json_i64(v, &uid) || uid < 0 || uid >= UINT32_MAX))
		return fault_param(why, ERR_INVALID_ARGUMENT, "uid", "this is no user's number");
	if (!is_for_all && (uid_t)uid != a->peer.uid)
		return fault_param(
			why, ERR_DENIED, "uid", "you may speak of your own programs alone");
	*to = (uid_t)uid;
	return OK;
}

/* These have a name, or are nobody in particular. */
static bool wants_name(const struct peer_id *p)
{
	return p->name[0] == '\0' &&
	       (p->kind == PEER_KIND_HOST || p->kind == PEER_KIND_SERVICE ||
		       p->kind == PEER_KIND_APP || p->kind == PEER_KIND_TOKEN);
}

static const struct grant *find_grant(const struct admin_call *a, uid_t uid, const char *who)
{
	const struct grant *g;
	for (size_t i = 0; (g = grants_at(a->organs->grants, i)); i++) {
		if (g->uid == uid && strcmp(g->who, who) == 0)
			return g;
	}
	return NULL;
}

static enum err read_grant(
	struct admin_call *a, struct json body, struct grant *out, struct fault *why)
{
	const struct span who = admin_text(a, body, "who");
	struct peer_id peer;
	bool is_session = false, is_said;
	*out = (struct grant){.at_s = admin_now_s(a)};
	if (!peer_from_text(who, &peer) || peer.kind == PEER_KIND_UNKNOWN)
		return fault_param(why, ERR_INVALID_ARGUMENT, "who",
			"\"%.*s\" is nobody: `llmb app list` shows who has been here, as in "
			"flatpak:org.gnome.Builder",
			SPAN_ARG(span_first(who, 64)));
	if (wants_name(&peer))
		return fault_param(why, ERR_INVALID_ARGUMENT, "who",
			"which one? `llmb app list` shows who has been here, as in %s:NAME",
			peer_kind_name(peer.kind));
	peer_text(&peer, out->who);
	admin_about(a, out->who);
	enum err err = read_uid(a, body, &out->uid, why);
	if (!err)
		err = admin_read_flag(body, "session", &is_session, why);
	if (!err)
		err = read_term(body, out, &is_said, why);
	if (!err)
		err = admin_read_models(
			json_member(body, "models"), out->models, sizeof out->models, why);
	if (err)
		return err;
	const struct grant *former = find_grant(a, out->uid, out->who);
	out->is_kept = !is_session;
	if (former && former->has_socket && (is_session || (is_said && out->until_s > 0)))
		return fault_param(why, ERR_INVALID_ARGUMENT, "for_s",
			"%s has a socket of its own, and is allowed until `llmb app revoke`",
			out->who);
	return OK;
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
	const struct grant *former = find_grant(a, grant.uid, grant.who);
	if (former && former->has_socket)
		return fault_param(why, ERR_INVALID_ARGUMENT, "who",
			"%s has a socket of its own: `llmb app remove %s` takes that away as well",
			grant.who, grant.who + strlen("app:"));
	grants_remove(a->organs->grants, grant.uid, span_str(grant.who), &found, reply);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_bool(&o, "found", found);
	json_close(&o, '}');
	return OK;
}

/* ---- sockets of their own ---- */

static enum err read_name(struct admin_call *a, struct json body, struct span *name,
	struct peer_id *who, struct fault *why)
{
	*name = admin_text(a, body, "name");
	*who = (struct peer_id){.kind = PEER_KIND_APP};
	if (!sockets_is_app_name(*name))
		return fault_param(why, ERR_INVALID_ARGUMENT, "name",
			"an application's name is 1 to %d letters, digits, dots, hyphens and "
			"underscores, and begins with no dot",
			APP_NAME_BYTES);
	fault_text(who->name, sizeof who->name, *name);
	return OK;
}

static bool has_rule_for(const struct config *c, struct span profile)
{
	for (size_t i = 0; i < c->n_policy; i++) {
		if (c->policy[i].profiles.n > 0 && words_fit(&c->policy[i].profiles, profile))
			return true;
	}
	return false;
}

PRINTF_LIKE(2, 3) static void put_warning(struct json_out *o, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_pair_str(o, "warning", span_str(text));
}

enum err admin_app_add(struct admin_call *a, struct json body, struct fault *why)
{
	const struct span profile = admin_text(a, body, "profile");
	const struct grants_reply reply = {grant_written, a};
	struct grant grant = {.is_yes = true,
		.is_kept = true,
		.has_socket = true,
		.uid = a->organs->own_uid,
		.at_s = admin_now_s(a)};
	struct peer_id who;
	struct span name;
	const char *path = "";
	enum err err = read_name(a, body, &name, &who, why);
	if (!err && profile.n >= sizeof grant.profile)
		err = fault_param(why, ERR_INVALID_ARGUMENT, "profile",
			"a profile's name is at most %zu bytes long", sizeof grant.profile - 1);
	if (err)
		return err;
	peer_text(&who, grant.who);
	admin_about(a, grant.who);
	fault_text(grant.profile, sizeof grant.profile, profile.n > 0 ? profile : SPAN(""));
	if (!peer_is_plain(span_str(grant.profile)))
		return fault_param(why, ERR_INVALID_ARGUMENT, "profile",
			"a profile's name is letters, digits, dots, hyphens and underscores");
	const struct grant *former = find_grant(a, grant.uid, grant.who);
	if (former) { /* what was said of it holds on */
		grant.is_yes = former->is_yes;
		memcpy(grant.models, former->models, sizeof grant.models);
	}
	err = sockets_add_app(a->env->sockets, name, grant.profile, &path, why);
	if (err)
		return err;
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_str(&o, "name", name);
	json_pair_str(&o, "socket", span_str(path));
	json_pair_str(&o, "profile", span_str(grant.profile));
	if (profile.n > 0 && !has_rule_for(a->config, profile))
		json_pair_str(&o, "warning",
			SPAN("no [policy] has that profile yet: until one has, it may do nothing"));
	else if (!grant.is_yes)
		json_pair_str(
			&o, "warning", SPAN("it was cut off, and still is: see `llmb app allow`"));
	else if (a->env->sockets->is_adopted && !sockets_is_held(a->env->sockets, name))
		put_warning(&o,
			"systemd does not hold this socket, so it is there only while the broker "
			"runs, which does not end for being idle now: `systemctl --user enable "
			"llm-broker-app@%.*s.socket` holds it from the next login on",
			SPAN_ARG(name));
	json_close(&o, '}');
	log_info("app.added", "name=%.*s uid=%u", SPAN_ARG(name), (unsigned)a->peer.uid);
	grants_put(a->organs->grants, &grant, reply);
	return OK;
}

enum err admin_app_remove(struct admin_call *a, struct json body, struct fault *why)
{
	const struct grants_reply reply = {grant_written, a};
	char text[PEER_TEXT_BYTES];
	struct peer_id who;
	struct span name;
	bool found;
	const enum err err = read_name(a, body, &name, &who, why);
	if (err)
		return err;
	peer_text(&who, text);
	admin_about(a, text);
	const bool is_held = sockets_is_held(a->env->sockets, name);
	sockets_remove_app(a->env->sockets, name);
	log_info("app.removed", "name=%.*s uid=%u", SPAN_ARG(name), (unsigned)a->peer.uid);
	grants_remove(a->organs->grants, a->organs->own_uid, span_str(text), &found, reply);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_bool(&o, "found", found || is_held);
	if (is_held)
		put_warning(&o,
			"systemd holds its socket, and hands it to the next broker again: disable "
			"llm-broker-app@%.*s.socket",
			SPAN_ARG(name));
	json_close(&o, '}');
	return OK;
}

/* ---- sockets for sandboxes ---- */

static enum err read_id(struct admin_call *a, struct json body, const char *name, char *to,
	size_t size, struct fault *why)
{
	const struct span text = admin_text(a, body, name);
	if (text.n >= size || !peer_is_plain(text))
		return fault_param(why, ERR_INVALID_ARGUMENT, name,
			"this is up to %zu letters, digits, dots, hyphens and underscores",
			size - 1);
	fault_text(to, size, text.n > 0 ? text : SPAN(""));
	return OK;
}

/* A launcher's: a listening socket, and a descriptor that says when it is to go. Who comes on it is what is said
 * here, which no sandbox can change. */
enum err admin_listener_add(struct admin_call *a, struct json body, struct fault *why)
{
	struct peer_place place = {.socket = PEER_SOCKET_HANDED};
	struct passed *p = a->passed;
	if (!peer_is_open(&a->peer))
		return fault_set(why, ERR_DENIED,
			"only a program in the open, on the main socket, may say who others are");
	enum err err = read_id(a, body, "name", place.name, sizeof place.name, why);
	if (!err)
		err = read_id(a, body, "instance", place.instance, sizeof place.instance, why);
	if (!err)
		err = read_id(a, body, "profile", place.profile, sizeof place.profile, why);
	if (err)
		return err;
	if (place.name[0] == '\0')
		return fault_param(
			why, ERR_INVALID_ARGUMENT, "name", "which application is it for?");
	if (p->n != 2)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"two descriptors go with this: a listening socket, and a pipe's end to "
			"read "
			"from, whose other end is closed when the socket is to go");
	p->n = 0; /* they are taken */
	err = sockets_add_handed(a->env->sockets, &place, p->fds[0], p->fds[1], why);
	if (err)
		return err;
	buf_text(&a->json, "{}");
	admin_done(a);
	return OK;
}

/* ---- questions, and who asks them ---- */

static void put_question(struct admin_call *a, uint64_t id, const struct peer_id *peer)
{
	struct json_out o = json_to(&a->json);
	OWNED(buf_done) struct buf text = BUF_INIT(16 * KIB);
	char who[PEER_TEXT_BYTES];
	json_open(&o, '{');
	if (peer) {
		peer_text(peer, who);
		peer_json(peer, &text);
		json_pair_i64(&o, "id", (int64_t)id);
		json_pair_str(&o, "who", span_str(who));
		json_key(&o, "peer");
		json_put_raw(&o, buf_view(&text));
	}
	json_close(&o, '}');
	admin_done(a);
}

static void on_question(struct consent_agent *agent, uint64_t id, const struct peer_id *peer)
{
	struct admin_call *a = container_of(agent, struct admin_call, agent);
	loop_timer_stop(&a->wait);
	put_question(a, id, peer);
}

static void on_wait_over(struct loop_timer *t)
{
	struct admin_call *a = container_of(t, struct admin_call, wait);
	consents_away(&a->agent);
	put_question(a, 0, NULL);
}

/* Waits for a question, `wait_ms` at most; {}: there was none. With `only`, of that one alone. */
enum err admin_consent_next(struct admin_call *a, struct json body, struct fault *why)
{
	const struct span only = admin_text(a, body, "only");
	int64_t wait_ms = AGENT_WAIT_MS;
	(void)json_i64(json_member(body, "wait_ms"), &wait_ms);
	if (wait_ms < 0 || wait_ms > AGENT_WAIT_MAX_MS)
		return fault_param(
			why, ERR_INVALID_ARGUMENT, "wait_ms", "this is 0 to %d", AGENT_WAIT_MAX_MS);
	if (only.n >= sizeof a->agent.only)
		return fault_param(why, ERR_INVALID_ARGUMENT, "only", "this is nobody");
	fault_text(a->agent.only, sizeof a->agent.only, only.n > 0 ? only : SPAN(""));
	a->agent.uid = a->peer.uid;
	a->agent.is_for_all = admin_is_told_all(a);
	a->agent.on_question = on_question;
	LOOP_CALLS(&a->wait, on_fire, on_wait_over);
	loop_timer_set(a->organs->loop, &a->wait, wait_ms * 1000);
	consents_await(a->organs->consents, &a->agent);
	return OK;
}

enum err admin_consent_answer(struct admin_call *a, struct json body, struct fault *why)
{
	const struct grants_reply reply = {grant_written, a};
	struct consents *c = a->organs->consents;
	struct grant grant = {.at_s = admin_now_s(a)};
	bool is_session = false, is_said, is_dismissed = false;
	uid_t whose = a->peer.uid;
	int64_t id = 0;
	if (!json_i64(json_member(body, "id"), &id) || id <= 0)
		return fault_param(why, ERR_INVALID_ARGUMENT, "id", "which question is that?");
	enum err err = admin_read_flag(body, "allow", &grant.is_yes, why);
	if (!err)
		err = admin_read_flag(body, "session", &is_session, why);
	if (!err)
		err = admin_read_flag(body, "dismiss", &is_dismissed, why);
	if (!err)
		err = read_term(body, &grant, &is_said, why);
	if (!err)
		err = admin_read_models(
			json_member(body, "models"), grant.models, sizeof grant.models, why);
	if (err)
		return err;
	grant.is_kept = !is_session;
	admin_about(a, consents_about(c, (uint64_t)id, &whose));
	if (!admin_is_told_of(a, whose))
		return fault_set(why, ERR_DENIED, "that question is about another user's program");
	const bool is_open = is_dismissed
				     ? consents_dismiss(c, (uint64_t)id)
				     : consents_answer(c, (uint64_t)id, &grant, grant.at_s, reply);
	if (!is_open)
		return fault_set(why, ERR_NOT_FOUND,
			"that question is over: its time had come, or it was answered");
	if (is_dismissed)
		grant_written(a, OK, &FAULT_NONE);
	return OK;
}
