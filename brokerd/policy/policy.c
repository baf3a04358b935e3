/* policy.c - the table of operations, and the rule that holds. */
#include "brokerd/policy/policy.h"

#include <stdio.h>

/* An operation as rules name it. */
struct row {
	enum call_kind kind;
	const char *name; /* of the operation */
	bool is_use;      /* one that "use" stands for */
	bool is_any;      /* of whichever surface or provider */
	bool is_free;     /* of every peer that is let in, whatever its rule says */
};

static const struct row rows[] = {
	{CALL_TYPED,  "chat",              true,  false, false},
	{CALL_TYPED,  "models",            true,  false, false},
	{CALL_TYPED,  "complete",          true,  false, false},
	{CALL_TYPED,  "embed",             true,  false, false},
	{CALL_TYPED,  "rerank",            true,  false, false},
	{CALL_TYPED,  "count",             true,  false, false},
	{CALL_TYPED,  "moderate",          true,  false, false},
	{CALL_RELAY,  "relay",             true,  true,  false},
	{CALL_NATIVE, "native",            false, true,  false},
	{CALL_ADMIN,  "whoami",            true,  false, true },
	{CALL_ADMIN,  "status",            false, false, false},
	{CALL_ADMIN,  "metrics",           false, false, false},
	{CALL_ADMIN,  "models",            false, false, false},
	{CALL_ADMIN,  "usage",             false, false, false},
	{CALL_ADMIN,  "usage.estimates",   false, false, false},
	{CALL_ADMIN,  "usage.export",      false, false, false},
	{CALL_ADMIN,  "usage.follow",      false, false, false},
	{CALL_ADMIN,  "usage.open",        false, false, false},
	{CALL_ADMIN,  "prompt.read",       false, false, false},
	{CALL_ADMIN,  "budget.list",       false, false, false},
	{CALL_ADMIN,  "budget.set",        false, false, false},
	{CALL_ADMIN,  "budget.remove",     false, false, false},
	{CALL_ADMIN,  "route.explain",     false, false, false},
	{CALL_ADMIN,  "request.explain",   false, false, false},
	{CALL_ADMIN,  "reconcile",         false, false, false},
	{CALL_ADMIN,  "key.add",           false, false, false},
	{CALL_ADMIN,  "key.list",          false, false, false},
	{CALL_ADMIN,  "key.rotate",        false, false, false},
	{CALL_ADMIN,  "key.remove",        false, false, false},
	{CALL_ADMIN,  "key.test",          false, false, false},
	{CALL_ADMIN,  "vault.status",      false, false, false},
	{CALL_ADMIN,  "vault.lock",        false, false, false},
	{CALL_ADMIN,  "vault.unlock",      false, false, false},
	{CALL_ADMIN,  "vault.passphrase",  false, false, false},
	{CALL_ADMIN,  "vault.slots",       false, false, false},
	{CALL_ADMIN,  "vault.slot.add",    false, false, false},
	{CALL_ADMIN,  "vault.slot.remove", false, false, false},
	{CALL_ADMIN,  "config.check",      false, false, false},
	{CALL_ADMIN,  "config.reload",     false, false, false},
	{CALL_ADMIN,  "catalogue.import",  false, false, false},
	{CALL_ADMIN,  "audit.list",        false, false, false},
	{CALL_ADMIN,  "audit.verify",      false, false, false},
	{CALL_ADMIN,  "policy.show",       false, false, false},
	{CALL_ADMIN,  "policy.test",       false, false, false},
	{CALL_ADMIN,  "app.list",          false, false, false},
	{CALL_ADMIN,  "app.allow",         false, false, false},
	{CALL_ADMIN,  "app.revoke",        false, false, false},
	{CALL_ADMIN,  "app.forget",        false, false, false},
	{CALL_ADMIN,  "app.add",           false, false, false},
	{CALL_ADMIN,  "app.remove",        false, false, false},
	{CALL_ADMIN,  "token.new",         false, false, false},
	{CALL_ADMIN,  "token.list",        false, false, false},
	{CALL_ADMIN,  "token.revoke",      false, false, false},
	{CALL_ADMIN,  "cache.stats",       false, false, false},
	{CALL_ADMIN,  "cache.list",        false, false, false},
	{CALL_ADMIN,  "cache.clear",       false, false, false},
	{CALL_ADMIN,  "listener.add",      false, false, false},
	{CALL_ADMIN,  "consent.next",      false, false, false},
	{CALL_ADMIN,  "consent.answer",    false, false, false},
};

const char *policy_operation(size_t i)
{
	return i < COUNT_OF(rows) ? rows[i].name : NULL;
}

struct call policy_call_of(size_t i)
{
	struct call c = CALL_INIT;
	c.kind = rows[i].kind;
	c.admin_op = c.kind == CALL_ADMIN ? span_str(rows[i].name) : SPAN_NONE;
	if (c.kind == CALL_TYPED)
		(void)llm_op_from(span_str(rows[i].name), &c.op);
	c.surface.surface = SPAN("openai.chat");
	c.surface.provider = SPAN("any");
	return c;
}

/* ---- whom a rule is for ---- */

static bool is_user(const struct policy_rule *r, uid_t uid, uid_t own)
{
	char number[24];
	if (r->users.n == 0)
		return uid == own || uid == 0;
	(void)snprintf(number, sizeof number, "%lld", (long long)uid);
	return words_fit(&r->users, span_str(number));
}

/* Who has a profile is judged by rules for profiles, and nobody else is. */
static bool has_profile(const struct policy_rule *r, const struct peer_id *peer)
{
	if (peer->profile[0] == '\0')
		return r->profiles.n == 0;
	return r->profiles.n > 0 && words_fit(&r->profiles, span_str(peer->profile));
}

static bool fits(const struct policy_rule *r, const struct peer_id *peer, uid_t own)
{
	return (r->kinds == 0 || (r->kinds & (UINT32_C(1) << peer->kind))) &&
	       (r->sockets == 0 || (r->sockets & (UINT32_C(1) << peer->socket))) &&
	       peer->confidence >= r->confidence && is_user(r, peer->uid, own) &&
	       has_profile(r, peer) &&
	       /* a name that is only claimed is none: by it one would choose one's rule */
	       (r->names.n == 0 || (!peer->is_claim && words_fit(&r->names, span_str(peer->name))));
}

const struct policy_rule *policy_find(const struct config *c, const struct peer_id *peer, uid_t own)
{
	if (peer->confidence < PEER_UID)
		return NULL;
	for (size_t i = 0; i < c->n_policy; i++) {
		if (fits(&c->policy[i], peer, own))
			return &c->policy[i];
	}
	return NULL;
}

/* ---- what it lets them do ---- */

enum err policy_admit_peer(
	const struct policy_rule *r, const struct peer_id *peer, uid_t own, struct fault *why)
{
	char who[PEER_TEXT_BYTES];
	if (peer->confidence < PEER_UID)
		return fault_set(why, ERR_DENIED, "the kernel does not say who is calling");
	if (r && r->allow != POLICY_NO)
		return OK;
	if (peer->profile[0]) {
		peer_text(peer, who);
		return fault_set(why, ERR_DENIED,
			"no [policy] is for the profile \"%s\" of %.150s and for uid %u",
			peer->profile, who, (unsigned)peer->uid);
	}
	if (peer->uid != own && peer->uid != 0)
		return fault_set(why, ERR_DENIED,
			"this broker serves uid %u and root; you are uid %u: use a broker of your "
			"own, or ask the administrator for a [policy] with user = %u",
			(unsigned)own, (unsigned)peer->uid, (unsigned)peer->uid);
	peer_text(peer, who);
	if (peer->kind == PEER_KIND_UNKNOWN)
		return fault_set(why, ERR_DENIED,
			"nothing says where this program runs: it does not let itself be looked "
			"at, "
			"or has ended. [policy] with kind = unknown lets such in");
	return fault_set(why, ERR_DENIED, "[policy \"%.*s\"] does not let %.200s in",
		SPAN_ARG(r ? r->name : SPAN("")), who);
}

static struct span call_name(const struct call *c)
{
	switch (c->kind) {
	case CALL_TYPED:
		return span_str(llm_op_name(c->op));
	case CALL_ADMIN:
		return c->admin_op;
	case CALL_RELAY:
		return c->surface.surface;
	case CALL_NATIVE:
		return c->surface.provider;
	}
	return SPAN_NONE;
}

static const struct row *row_of(const struct call *c)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].kind == c->kind &&
			(rows[i].is_any || span_is(call_name(c), rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

static bool names_operation(const struct policy_rule *r, const struct row *row)
{
	static const struct span use = {"use", 3};
	if (row->is_use && r->operations.n == 0)
		return true;
	for (size_t i = 0; i < r->operations.n; i++) {
		if ((row->is_use && span_eq(r->operations.list[i], use)) ||
			pattern_fits(r->operations.list[i], span_str(row->name)))
			return true;
	}
	return false;
}

enum err policy_admit_call(const struct policy_rule *r, const struct peer_id *peer,
	const struct call *c, struct fault *why)
{
	const struct row *row = row_of(c);
	char who[PEER_TEXT_BYTES];
	if (!row)
		return fault_set(why, ERR_DENIED, "no such operation: %.*s",
			SPAN_ARG(span_first(call_name(c), 64)));
	if (r && r->allow != POLICY_NO && (row->is_free || names_operation(r, row)))
		return OK;
	peer_text(peer, who);
	return fault_set(why, ERR_DENIED,
		"[policy \"%.*s\"] does not let %.150s do this: its operations have no %s",
		SPAN_ARG(r ? r->name : SPAN("")), who, row->name);
}

bool policy_needs_grant(const struct call *c)
{
	const struct row *row = row_of(c);
	return !row || !row->is_free;
}

bool policy_may_be_on_behalf(const struct call *c)
{
	return c->kind != CALL_ADMIN || !policy_needs_grant(c) || span_is(c->admin_op, "metrics");
}

bool policy_limits_models(const struct policy_rule *r)
{
	return r->models.n > 0 || r->except_models.n > 0;
}

enum err policy_admit_model(const struct policy_rule *r, struct span asked, struct span provider,
	struct span model, struct fault *why)
{
	OWNED(buf_done) struct buf whole = BUF_INIT(64 * KIB);
	if (!policy_limits_models(r))
		return OK;
	buf_span(&whole, provider);
	buf_byte(&whole, '/');
	buf_span(&whole, model);
	if (buf_error(&whole))
		return fault_set(why, buf_error(&whole), "no memory for a model's name");
	const struct span name = buf_view(&whole);
	const bool is_named =
		r->models.n == 0 || words_fit(&r->models, name) || words_fit(&r->models, asked);
	const bool is_excepted =
		words_fit(&r->except_models, name) || words_fit(&r->except_models, asked);
	if (is_named && !is_excepted)
		return OK;
	return fault_param(why, ERR_DENIED, "model",
		"[policy \"%.*s\"] does not allow the model %.*s", SPAN_ARG(r->name),
		SPAN_ARG(span_first(name, 200)));
}

/* ---- is what a rule says possible? ---- */

static bool is_operation(struct span pattern)
{
	if (span_is(pattern, "use"))
		return true;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (pattern_fits(pattern, span_str(rows[i].name)))
			return true;
	}
	return false;
}

static enum err check_native(const struct config *c, const struct policy_rule *r,
	const struct native_rule *n, struct fault *why)
{
	static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
	struct span rest = n->methods;
	bool has_provider = span_index(n->provider, '*') < n->provider.n;
	for (size_t i = 0; i < c->n_providers; i++)
		has_provider = has_provider || span_eq(c->providers[i].name, n->provider);
	if (!has_provider)
		return fault_set(why, ERR_MISCONFIGURED,
			"[policy \"%.*s\"] has native = %.*s ..., and no provider is called so",
			SPAN_ARG(r->name), SPAN_ARG(span_first(n->provider, 64)));
	while (span_is_set(rest) && !span_is(n->methods, "*")) {
		const struct span method = span_cut(&rest, ',');
		bool is_known = false;
		for (size_t i = 0; i < COUNT_OF(known); i++)
			is_known = is_known || span_is(method, known[i]);
		if (!is_known)
			return fault_set(why, ERR_MISCONFIGURED,
				"[policy \"%.*s\"] has the method %.*s in native: there are GET, "
				"POST, "
				"PUT, PATCH, DELETE and HEAD, with commas between, or *",
				SPAN_ARG(r->name), SPAN_ARG(span_first(method, 16)));
	}
	return OK;
}

enum err policy_check(const struct config *c, struct fault *why)
{
	for (size_t i = 0; i < c->n_policy; i++) {
		const struct policy_rule *r = &c->policy[i];
		enum err err = OK;
		for (size_t k = 0; k < r->operations.n; k++) {
			if (!is_operation(r->operations.list[k]))
				return fault_set(why, ERR_MISCONFIGURED,
					"[policy \"%.*s\"] has operation = %.*s, and there is none "
					"that "
					"fits: `llmb whoami` lists those there are",
					SPAN_ARG(r->name),
					SPAN_ARG(span_first(r->operations.list[k], 64)));
		}
		for (size_t k = 0; !err && k < r->n_natives; k++)
			err = check_native(c, r, &r->natives[k], why);
		if (err)
			return err;
	}
	return OK;
}

/* ---- native endpoints ---- */

static bool has_method(struct span methods, struct span method)
{
	if (span_is(methods, "*"))
		return true;
	while (span_is_set(methods)) {
		if (span_eq(span_cut(&methods, ','), method))
			return true;
	}
	return false;
}

/* Whole parts of a path: /v1/files is no beginning of /v1/files_of_others. */
static bool begins(struct span path, struct span with)
{
	if (!span_starts(path, with))
		return false;
	return path.n == with.n || with.p[with.n - 1] == '/' || path.p[with.n] == '/';
}

/* Is there a part of it that leads upwards, or none, as whoever unescapes it sees it? */
static bool has_dots(struct span path)
{
	path = span_skip(path, 1);
	while (span_is_set(path)) {
		size_t end = 0;
		while (end < path.n && path.p[end] != '/' && path.p[end] != '\\')
			end++;
		struct span part = span_first(path, end);
		part = span_first(part, span_index(part, ';'));
		if (span_is(part, ".") || span_is(part, "..") || (end == 0 && end < path.n))
			return true;
		path = end < path.n ? span_skip(path, end + 1) : SPAN_NONE;
	}
	return false;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* False: there was nothing to unescape. */
static bool unescape(struct buf *path)
{
	size_t to = 0;
	for (size_t from = 0; from < path->n; from++) {
		char c = path->p[from];
		if (c == '%' && from + 2 < path->n && hex_digit(path->p[from + 1]) >= 0 &&
			hex_digit(path->p[from + 2]) >= 0) {
			c = (char)(hex_digit(path->p[from + 1]) * 16 +
				   hex_digit(path->p[from + 2]));
			from += 2;
		}
		path->p[to++] = c;
	}
	const bool is_changed = to < path->n;
	buf_cut(path, to);
	return is_changed;
}

/* Could some reader of the path, who unescapes it once or more often, leave where it begins? */
static bool climbs(struct span path)
{
	OWNED(buf_done) struct buf text = BUF_INIT(64 * KIB);
	buf_span(&text, path);
	for (int i = 0; i < 4; i++) {
		if (buf_error(&text) || has_dots(buf_view(&text)))
			return true;
		if (!unescape(&text))
			return false;
	}
	return true; /* nobody writes a name so */
}

enum err policy_admit_native(const struct policy_rule *r, struct span provider, struct span method,
	struct span path, struct fault *why)
{
	for (size_t i = 0; i < r->n_natives; i++) {
		const struct native_rule *n = &r->natives[i];
		if (pattern_fits(n->provider, provider) && has_method(n->methods, method) &&
			begins(path, n->path) && (n->path.n == 1 || !climbs(path)))
			return OK;
	}
	return fault_param(why, ERR_DENIED, "surface.path",
		"[policy \"%.*s\"] has no native = %.*s %.*s %.*s", SPAN_ARG(r->name),
		SPAN_ARG(span_first(provider, 64)), SPAN_ARG(span_first(method, 16)),
		SPAN_ARG(span_first(path, 128)));
}
