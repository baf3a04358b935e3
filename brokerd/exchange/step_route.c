/* step_route.c - who may answer it? */
#include "brokerd/exchange/steps.h"

#include "brokerd/dialect/registry.h"
#include "brokerd/exchange/listing.h"
#include "brokerd/exchange/native_place.h"
#include "brokerd/exchange/order.h"
#include "brokerd/exchange/pins.h"
#include "brokerd/exchange/prefix.h"
#include "protocol/limits.h"

static bool key_at(const void *context, struct span provider, size_t i, struct span *label)
{
	const struct exchange *x = context;
	return tokens_key_at(x->organs->tokens, x->flight->config, provider, i, label);
}

/* A locked or damaged vault must not look like one without keys. */
static enum err check_vault_seen(const struct exchange *x, struct fault *why)
{
	switch (vault_state(x->organs->vault)) {
	case VAULT_ABSENT:
	case VAULT_OPEN:
		return OK;
	case VAULT_LOCKED:
		return fault_set(why, ERR_LOCKED,
			"the vault is locked, so no default model can be chosen: run `llmb vault "
			"unlock`, or ask offline/echo");
	case VAULT_DAMAGED:
		return fault_set(
			why, ERR_VAULT_DAMAGED, "%s", err_info(ERR_VAULT_DAMAGED)->sentence);
	}
	return OK;
}

/* Between two batches of an answer, or pages of a list: what has come waits for its reader before more is asked for. */
static bool is_reader_behind(const struct flight *f)
{
	const bool is_behind = f->is_shared ? !tape_is_read(f->tape, LIMIT_FLIGHT_LOW_BYTES)
					    : event_log_lag(&f->log) > LIMIT_FLIGHT_LOW_BYTES;
	return (f->batches > 0 || f->pages.n > 0) && is_behind;
}

/* Whose lists of models are asked for; perhaps nobody's. */
static enum state route_listing(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	const enum err err = listing_begin(x->flight, &x->allowance, &why);
	if (err)
		return exchange_fail_with(x, err, &why);
	if (x->flight->route.n > 0)
		return RESERVE;
	x->outcome = OUTCOME_OK;
	return SETTLE;
}

static bool speaks_of(const struct target *t, enum llm_op op)
{
	const struct dialect *d = dialect_find(t->family);
	return d && d->ops[op];
}

/* The caller's own language, where the provider speaks it, unless the model is to be had in another
 * alone. */
static bool choose_same(const struct exchange *x, struct target *t)
{
	const struct flight *f = x->flight;
	const struct span family = span_str(x->relay.surface->dialect->family);
	struct target other;
	/* beside chat a host's other wires often have nothing at the usual places */
	if (span_is_set(t->quirks.dialect) || f->op != LLM_OP_CHAT)
		return false;
	for (size_t d = 0; route_in_dialect(f->config, d, t, &other); d++) {
		if (span_eq(other.family, family) && speaks_of(&other, f->op)) {
			*t = other;
			return true;
		}
	}
	return false;
}

/* A provider that speaks several dialects is spoken to in its caller's, else in the first that has the
 * operation. */
void exchange_choose_dialects(struct exchange *x)
{
	struct flight *f = x->flight;
	for (size_t i = 0; i < f->route.n; i++) {
		struct target *t = &f->route.targets[i], other;
		if (x->is_relayed && choose_same(x, t))
			continue;
		for (size_t d = 0;
			!speaks_of(t, f->op) && route_in_dialect(f->config, d, t, &other); d++) {
			if (speaks_of(&other, f->op))
				*t = other;
		}
	}
}

/* The one provider that is meant. */
static enum state go_native(struct exchange *x)
{
	struct flight *f = x->flight;
	struct fault why = FAULT_NONE;
	f->route.targets = arena_array(&f->arena, 1, sizeof *f->route.targets);
	if (!f->route.targets)
		return exchange_fail_with(x, ERR_NO_MEMORY, &why);
	enum err err = OK;
	if (span_is(x->relay.call.provider, NATIVE_ANYONE))
		err = native_place(x, &why);
	if (!err)
		err = route_native(f->config, x->relay.call.provider, f->request.model,
			&f->route.targets[0], &why);
	f->route.n = err ? 0 : 1;
	if (!err && exchange_admit_native(x, &why))
		return exchange_fail(x, OUTCOME_FAILED, &why);
	return err ? exchange_fail_with(x, err, &why) : RESERVE;
}

enum err exchange_find_targets(struct exchange *x, struct fault *why)
{
	struct flight *f = x->flight;
	const struct route_keys keys = {key_at, x};
	const enum err err = route_find_op(f->config, f->op, f->request.model, x->fallbacks.list,
		x->fallbacks.n, &keys, &f->arena, &f->route, why);
	/* which names there are beside those that he may use, is not for him */
	if (err == ERR_NOT_FOUND && allowance_limits_models(&x->allowance))
		return fault_param(why, ERR_NOT_FOUND, why->param[0] ? why->param : "model",
			"there is no such model that this program may use");
	return err || !f->route.is_fallback_offline ? err : check_vault_seen(x, why);
}

enum state step_route(struct exchange *x)
{
	struct flight *f = x->flight;
	struct fault why;
	fault_clear(&why);
	if (f->route.n > 0) /* it is known: another try on it, perhaps after a wait */
		return x->is_retry_due || is_reader_behind(f) ? ROUTE : RESERVE;
	if (f->op == LLM_OP_MODELS)
		return route_listing(x);
	/* a body that nobody translates, or a path, may name any: limits and accounts tell calls apart by it */
	if (f->request.model.n > LIMIT_LABEL_BYTES) {
		const enum err err = fault_param(&why, ERR_INVALID_REQUEST, "model",
			"a model's name has at most %zu bytes, not %zu", LIMIT_LABEL_BYTES,
			f->request.model.n);
		return exchange_fail_with(x, err, &why);
	}
	if (f->op == LLM_OP_NATIVE)
		return go_native(x);
	const enum err err = exchange_find_targets(x, &why);
	if (err || exchange_admit_targets(x, &why))
		return exchange_fail_with(x, err ? err : why.err, &why);
	exchange_choose_dialects(x);
	resume_begin(x);
	const enum err none = order_route(x, &why);
	if (none)
		return exchange_fail_with(x, none, &why);
	pins_order(x->organs->items, x->owner, &f->request, &f->route, exchange_now_s(x));
	prefix_tell(x);
	for (size_t i = 0; i < f->route.n; i++) {
		if (repair_apply(&x->organs->repairs, &f->route.targets[i], &f->arena))
			return exchange_fail_with(x, ERR_NO_MEMORY, &why);
	}
	if (f->route.is_fallback_offline)
		flight_status(f, "offline",
			"no provider key yet, so offline/echo answers: llmb key add openai");
	return LOOKUP;
}
