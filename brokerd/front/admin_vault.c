/* admin_vault.c - locked, unlocked, and by whom it can be. */
#include "brokerd/front/admin_call.h"

#include "brokerd/exchange/tokens.h"
#include "brokerd/log/log.h"
#include "protocol/limits.h"

void admin_put_vault(const struct admin_call *a, struct json_out *o)
{
	const struct vault *v = a->organs->vault;
	size_t n;
	(void)vault_list(v, &n);
	json_pair_str(o, "state", span_str(vault_state_name(vault_state(v))));
	json_pair_bool(o, "unattended", vault_is_unattended(v));
	json_pair_bool(o, "passphrase", vault_has_passphrase(v));
	json_pair_i64(o, "keys", (int64_t)n);
}

enum err admin_vault_status(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	admin_put_vault(a, &o);
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
	(void)admin_vault_status(a, JSON_NONE, NULL);
}

enum err admin_vault_lock(struct admin_call *a, struct json body, struct fault *why)
{
	vault_lock(a->organs->vault);
	transport_forget_connections(a->organs->transport);
	tokens_forget(a->organs->tokens);
	log_info("vault.locked", "uid=%u", (unsigned)a->peer.uid);
	return admin_vault_status(a, body, why);
}

enum err admin_vault_unlock(struct admin_call *a, struct json body, struct fault *why)
{
	OWNED(buf_wipe) struct buf passphrase;
	const struct vault_reply reply = {vault_changed, a};
	const bool is_given = admin_secret(body, "passphrase", &passphrase);
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

enum err admin_vault_passphrase(struct admin_call *a, struct json body, struct fault *why)
{
	OWNED(buf_wipe) struct buf passphrase;
	const bool is_set = admin_secret(body, "new", &passphrase);
	if (buf_error(&passphrase))
		return fault_param(why, ERR_INVALID_ARGUMENT, "new",
			"the passphrase is longer than %zu bytes", LIMIT_SECRET_BYTES);
	const struct vault_reply reply = {vault_changed, a};
	vault_set_passphrase(a->organs->vault, is_set ? buf_view(&passphrase) : SPAN_NONE,
		admin_flag(body, "keep_key_file"), reply);
	return OK;
}
