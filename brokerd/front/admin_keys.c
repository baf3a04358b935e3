/* admin_keys.c - keys go in, are named, tried and removed; none comes out. */
#include "brokerd/front/admin_call.h"

#include <inttypes.h>

#include "brokerd/auth/credential.h"
#include "brokerd/auth/token.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/log/log.h"
#include "protocol/limits.h"

#define OVERLAP_S     3600
#define OVERLAP_MAX_S INT64_C(2592000)

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
	if (k->not_after_s != 0)
		json_pair_i64(o, "not_after_s", k->not_after_s);
	if (k->old_until_s == 0)
		return;
	json_key(o, "replaced");
	json_open(o, '{');
	json_pair_str(o, "fingerprint", span_str(k->old_fingerprint));
	json_pair_i64(o, "not_after_s", k->old_until_s);
	json_close(o, '}');
}

/* A vault that was just made: it has one slot. */
static struct span how_it_opens(const struct admin_call *a)
{
	if (a->has_passphrase)
		return SPAN("a new vault was made, which is locked at each start of the broker: "
			    "`llmb vault unlock`; `llmb vault add recovery` shows a code for when "
			    "the passphrase is forgotten");
	if (vault_slots(a->organs->vault)->types[0] == SLOT_CREDENTIAL)
		return SPAN("a new vault was made; the credential llm-broker.vault-key opens it "
			    "unattended, and nothing else does: `llmb vault add recovery` shows a "
			    "code for when that is lost");
	return SPAN("a new vault was made; a key file beside it opens it unattended: `llmb vault "
		    "passphrase` asks for a passphrase instead");
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
		json_pair_str(&o, "message", how_it_opens(a));
	json_close(&o, '}');
	health_forget(a->organs->health, a->provider, SPAN_NONE);
	char provider[160], label[160];
	log_info("key.added", "provider=%s label=%s uid=%u",
		log_quote(provider, sizeof provider, a->provider),
		log_quote(label, sizeof label, a->label), (unsigned)a->peer.uid);
	admin_done(a);
}

/* What a key is for, and the key as it is kept. */
static enum err read_key(struct admin_call *a, struct json body, const struct provider **out,
	struct buf *line, struct fault *why)
{
	a->provider = admin_text(a, body, "provider");
	a->label = admin_text(a, body, "label");
	const struct provider *p = *out = config_provider(a->config, a->provider);
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
	if (tokens_source(p) && a->label.n == 0)
		return fault_param(why, ERR_INVALID_ARGUMENT, "provider",
			"the key of %.*s is not in the vault: its key_source is %.*s",
			SPAN_ARG(p->name), SPAN_ARG(span_first(p->key_source.text, 200)));
	OWNED(buf_wipe) struct buf secret;
	if (!admin_secret(body, "secret", &secret))
		return fault_param(why, ERR_INVALID_ARGUMENT, "secret", "there is no key");
	if (buf_error(&secret))
		return fault_param(why, buf_error(&secret), "secret",
			"the key is longer than %zu bytes", LIMIT_SECRET_BYTES);
	if (!buf_reserve(line, LIMIT_SECRET_BYTES))
		return buf_error(line);
	return credential_line(p->auth, buf_view(&secret), &p->token, p->origin, line, why);
}

/* A key that gets tokens goes to their endpoint alone. */
static struct span key_origin(const struct provider *p)
{
	return token_is_needed(p->auth) ? p->token.origin : p->origin;
}

enum err admin_key_add(struct admin_call *a, struct json body, struct fault *why)
{
	OWNED(buf_wipe) struct buf line = BUF_INIT(LIMIT_SECRET_BYTES);
	const struct vault_reply reply = {key_added, a};
	const struct provider *p;
	const enum err err = read_key(a, body, &p, &line, why);
	if (err)
		return err;
	OWNED(buf_wipe) struct buf passphrase;
	a->has_passphrase = admin_secret(body, "vault_passphrase", &passphrase);
	if (buf_error(&passphrase))
		return fault_param(why, ERR_INVALID_ARGUMENT, "vault_passphrase",
			"the passphrase is longer than %zu bytes", LIMIT_SECRET_BYTES);
	a->has_created_vault = vault_state(a->organs->vault) == VAULT_ABSENT;
	if (a->has_passphrase)
		vault_add_first(a->organs->vault, p->name, a->label, key_origin(p), buf_view(&line),
			buf_view(&passphrase), reply);
	else
		vault_add(a->organs->vault, p->name, a->label, key_origin(p), buf_view(&line), true,
			reply);
	return OK;
}

enum err admin_key_rotate(struct admin_call *a, struct json body, struct fault *why)
{
	OWNED(buf_wipe) struct buf line = BUF_INIT(LIMIT_SECRET_BYTES);
	const struct vault_reply reply = {key_added, a};
	const struct provider *p;
	int64_t overlap_s = OVERLAP_S;
	const struct json overlap = json_member(body, "overlap_s");
	if (json_kind(overlap) != JSON_ABSENT &&
		(!json_i64(overlap, &overlap_s) || overlap_s < 0 || overlap_s > OVERLAP_MAX_S))
		return fault_param(why, ERR_INVALID_ARGUMENT, "overlap_s",
			"the former key can stay for 0 to %" PRId64 " seconds", OVERLAP_MAX_S);
	const enum err err = read_key(a, body, &p, &line, why);
	if (!err)
		vault_rotate(a->organs->vault, p->name, a->label, key_origin(p), buf_view(&line),
			overlap_s, reply);
	return err;
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
	health_forget(a->organs->health, a->provider, SPAN_NONE);
	buf_text(&a->json, "{}");
	admin_done(a);
}

enum err admin_key_remove(struct admin_call *a, struct json body, struct fault *why)
{
	(void)why;
	a->provider = admin_text(a, body, "provider");
	a->label = admin_text(a, body, "label");
	const struct vault_reply reply = {key_removed, a};
	vault_remove(a->organs->vault, a->provider, a->label, reply);
	return OK;
}

/* Keys that are elsewhere, by where that is. */
static void put_sources(const struct admin_call *a, struct json_out *o)
{
	for (size_t i = 0; i < a->config->n_providers; i++) {
		const struct provider *p = &a->config->providers[i];
		const struct key_source *source = tokens_source(p);
		if (!source)
			continue;
		json_open(o, '{');
		json_pair_str(o, "provider", p->name);
		json_pair_str(o, "label", SPAN(""));
		json_pair_str(o, "origin", key_origin(p));
		json_pair_str(o, "source", source->text);
		json_pair_i64(o, "read_s", tokens_source_read_s(a->organs->tokens, p));
		json_close(o, '}');
	}
}

enum err admin_key_list(struct admin_call *a, struct json body, struct fault *why)
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
	put_sources(a, &o);
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

enum err admin_key_test(struct admin_call *a, struct json body, struct fault *why)
{
	a->provider = admin_text(a, body, "provider");
	a->label = admin_text(a, body, "label");
	a->fetches = arena_array(&a->arena, 1, sizeof *a->fetches);
	if (!a->fetches)
		return ERR_NO_MEMORY;
	const struct fetch_reply reply = {key_tested, a};
	const enum err err =
		fetch_models(a->organs, a->provider, a->label, &reply, &a->fetches[0], why);
	a->n_fetches = err ? 0 : 1;
	return err;
}
