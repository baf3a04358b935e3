/* admin_vault.c - locked, unlocked, and by whom it can be. */
#include "brokerd/front/admin_call.h"

#include "brokerd/exchange/tokens.h"
#include "brokerd/log/log.h"
#include "brokerd/vault/code.h"
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
	static const struct {
		const char *member;
		enum slot_type slot;
	} codes[] = {
		{"recovery", SLOT_RECOVERY},
		{"agent",    SLOT_AGENT   },
	};
	OWNED(buf_wipe) struct buf secret = BUF_INIT(0);
	struct vault *v = a->organs->vault;
	const struct vault_reply reply = {vault_changed, a};
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (!admin_secret(body, codes[i].member, &secret)) {
			buf_wipe(&secret);
			continue;
		}
		vault_unlock_by(v, codes[i].slot, buf_view(&secret), reply);
		return OK;
	}
	const bool is_given = admin_secret(body, "passphrase", &secret);
	if (!is_given && (vault_is_unattended(v) || !vault_has_passphrase(v))) {
		vault_unlock(v, SPAN_NONE, reply);
		return OK;
	}
	if (!is_given || buf_error(&secret))
		return fault_param(why, ERR_INVALID_ARGUMENT, "passphrase",
			"there is no passphrase, or it is longer than %zu bytes",
			LIMIT_SECRET_BYTES);
	vault_unlock(v, buf_view(&secret), reply);
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

/* ---- slots ---- */

static void put_slots(const struct admin_call *a, struct json_out *o)
{
	const struct vault *v = a->organs->vault;
	const struct vault_slots *slots = vault_slots(v);
	json_pair_str(o, "state", span_str(vault_state_name(vault_state(v))));
	json_pair_bool(o, "unattended", vault_is_unattended(v));
	json_key(o, "slots");
	json_open(o, '[');
	for (size_t i = 0; i < slots->n; i++) {
		const enum slot_type type = (enum slot_type)slots->types[i];
		const char *name = slot_type_name(type);
		json_open(o, '{');
		json_pair_str(o, "type", name ? span_str(name) : SPAN("unknown"));
		json_pair_i64(o, "number", slots->types[i]);
		json_pair_bool(o, "unattended", slot_is_unattended(type));
		json_close(o, '}');
	}
	json_close(o, ']');
}

enum err admin_vault_slots(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	put_slots(a, &o);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static enum err read_slot(struct admin_call *a, struct json body, struct fault *why)
{
	const struct span name = admin_text(a, body, "type");
	if (slot_type_from(name, &a->slot))
		return OK;
	return fault_param(why, ERR_INVALID_ARGUMENT, "type",
		"\"%.*s\" opens no vault: there are passphrase, key-file, recovery, credential and "
		"agent",
		SPAN_ARG(span_first(name, 64)));
}

static void slot_added(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	struct json_out o = json_to(&a->json);
	(void)buf_reserve(&a->json, KIB); /* so that growing leaves no copy of the code behind */
	json_open(&o, '{');
	json_pair_str(&o, "type", span_str(slot_type_name(a->slot)));
	if (a->code.n > 0)
		json_pair_str(&o, "code", buf_view(&a->code));
	put_slots(a, &o);
	json_close(&o, '}');
	log_info("vault.slot_added", "type=%s uid=%u", slot_type_name(a->slot),
		(unsigned)a->peer.uid);
	admin_done(a);
}

enum err admin_vault_slot_add(struct admin_call *a, struct json body, struct fault *why)
{
	const struct vault_reply reply = {slot_added, a};
	const enum err err = read_slot(a, body, why);
	if (err)
		return err;
	if (a->slot == SLOT_PASSPHRASE)
		return fault_param(why, ERR_INVALID_ARGUMENT, "type",
			"a passphrase is set by vault.passphrase: run `llmb vault passphrase`");
	if (!slot_is_unattended(a->slot)) {
		char *text = buf_reserve(&a->code, CODE_TEXT_MAX + 1);
		if (!text)
			return ERR_NO_MEMORY;
		code_new(a->slot, text);
		buf_commit(&a->code, strlen(text));
	}
	vault_slot_add(a->organs->vault, a->slot, buf_view(&a->code), reply);
	return OK;
}

static void slot_removed(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err) {
		admin_fail(a, err, why);
		return;
	}
	log_info("vault.slot_removed", "type=%s uid=%u", slot_type_name(a->slot),
		(unsigned)a->peer.uid);
	(void)admin_vault_slots(a, JSON_NONE, NULL);
}

enum err admin_vault_slot_remove(struct admin_call *a, struct json body, struct fault *why)
{
	const struct vault_reply reply = {slot_removed, a};
	const enum err err = read_slot(a, body, why);
	if (!err)
		vault_slot_remove(a->organs->vault, a->slot, reply);
	return err;
}
