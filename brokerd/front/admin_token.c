/* admin_token.c - app tokens: made, listed and taken back. */
#include "brokerd/front/admin_call.h"

#include <sodium.h>

#include "brokerd/front/sockets.h"
#include "brokerd/log/log.h"
#include "brokerd/policy/token.h"
#include "protocol/base/num.h"

#define EXPIRES_MAX_S INT64_C(315360000) /* ten years */

static void put_token(struct json_out *o, const struct app_token *t, int64_t now_s)
{
	char who[sizeof t->app + 8];
	(void)snprintf(who, sizeof who, "token:%s", t->app);
	json_pair_str(o, "id", span_str(t->id));
	json_pair_str(o, "app", span_str(t->app));
	json_pair_str(o, "who", span_str(who));
	json_pair_i64(o, "uid", (int64_t)t->uid);
	if (t->models[0])
		json_pair_str(o, "models", span_str(t->models));
	json_pair_bool(o, "session", t->connection != 0);
	json_pair_i64(o, "at_s", t->at_s);
	if (t->until_s > 0)
		json_pair_i64(o, "until_s", t->until_s);
	if (t->used_s > 0)
		json_pair_i64(o, "used_s", t->used_s);
	json_pair_bool(o, "expired", t->until_s > 0 && t->until_s <= now_s);
}

/* ---- what is written ---- */

static void written(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err)
		admin_fail(a, err, why);
	else
		admin_done(a);
}

static enum err read_new(
	struct admin_call *a, struct json body, struct app_token *out, struct fault *why)
{
	struct span app = SPAN_NONE;
	int64_t expires_s = 0;
	bool is_session = false;
	*out = (struct app_token){.uid = a->peer.uid, .at_s = admin_now_s(a)};
	enum err err = admin_read_text(a, body, "app", &app, why);
	if (!err && !sockets_is_app_name(app))
		err = fault_param(why, ERR_INVALID_ARGUMENT, "app",
			"an application's name is 1 to %d letters, digits, dots, hyphens and "
			"underscores, and begins with no dot",
			APP_NAME_BYTES);
	if (!err)
		err = admin_read_models(
			json_member(body, "models"), out->models, sizeof out->models, why);
	if (!err)
		err = admin_read_i64(body, "expires_s", &expires_s, why);
	if (!err && (expires_s < 0 || expires_s > EXPIRES_MAX_S))
		err = fault_param(why, ERR_INVALID_ARGUMENT, "expires_s",
			"this is a number of seconds, up to ten years; 0: until it is revoked");
	if (!err)
		err = admin_read_flag(body, "session", &is_session, why);
	if (err)
		return err;
	fault_text(out->app, sizeof out->app, app);
	out->until_s = expires_s > 0 ? num_add_sat(out->at_s, expires_s) : 0;
	out->connection = is_session ? a->connection : 0;
	return OK;
}

/* Who is in a sandbox, or has a name of his own, makes himself no other. */
enum err admin_token_new(struct admin_call *a, struct json body, struct fault *why)
{
	const struct grants_reply reply = {written, a};
	const struct app_token *made;
	struct app_token like;
	char text[APP_TOKEN_TEXT_BYTES];
	if (!peer_is_open(&a->peer))
		return fault_set(why, ERR_DENIED,
			"only a program in the open, on the main socket, may make app tokens");
	enum err err = read_new(a, body, &like, why);
	if (!err)
		err = app_tokens_make(a->organs->app_tokens, &like, text, &made, reply, why);
	if (err)
		return err;
	admin_about(a, made->id);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	put_token(&o, made, like.at_s);
	json_pair_str(&o, "token", span_str(text));
	json_close(&o, '}');
	sodium_memzero(text, sizeof text);
	log_info("token.made", "id=%s app=%s uid=%u", made->id, made->app, (unsigned)made->uid);
	return OK;
}

enum err admin_token_list(struct admin_call *a, struct json body, struct fault *why)
{
	const struct app_tokens *all = a->organs->app_tokens;
	const struct fault *unusable = app_tokens_fault(all);
	const struct app_token *t;
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	json_key(&o, "tokens");
	json_open(&o, '[');
	for (size_t i = 0; (t = app_tokens_at(all, i)); i++) {
		if (!admin_is_told_of(a, t->uid))
			continue;
		json_open(&o, '{');
		put_token(&o, t, admin_now_s(a));
		json_close(&o, '}');
	}
	json_close(&o, ']');
	if (unusable->err)
		json_pair_str(&o, "warning", span_str(unusable->message));
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static const struct app_token *find_visible(const struct admin_call *a, struct span id)
{
	const struct app_token *t;
	for (size_t i = 0; (t = app_tokens_at(a->organs->app_tokens, i)); i++) {
		if (span_is(id, t->id) && admin_is_told_of(a, t->uid))
			return t;
	}
	return NULL;
}

enum err admin_token_revoke(struct admin_call *a, struct json body, struct fault *why)
{
	const struct grants_reply reply = {written, a};
	struct span id = SPAN_NONE;
	const enum err err = admin_read_text(a, body, "id", &id, why);
	if (err)
		return err;
	const struct app_token *t = find_visible(a, id);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_bool(&o, "found", t != NULL);
	json_close(&o, '}');
	if (!t) {
		admin_done(a);
		return OK;
	}
	admin_about(a, t->id);
	log_info("token.revoked", "id=%s app=%s uid=%u", t->id, t->app, (unsigned)a->peer.uid);
	(void)app_tokens_revoke(a->organs->app_tokens, id, reply);
	return OK;
}
