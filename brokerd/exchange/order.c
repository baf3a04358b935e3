/* order.c - views of all targets, one choice for each, and the targets anew in that order. */
#include "brokerd/exchange/order.h"

#include <stdio.h>

#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/prefix.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/ledger/price.h"

/* What budgets and prices say of it costs a walk of the limits, so that is asked only where somebody wants to know. */
bool order_wants_money(const struct model *alias)
{
	for (size_t i = 0; alias && i < alias->n_targets; i++) {
		if (alias->targets[i].min_budget_nusd >= 0)
			return true;
	}
	return false;
}

static int64_t output_tokens(const struct exchange *x)
{
	return x->asked_max_tokens.is_set ? x->asked_max_tokens.v : -1;
}

int64_t order_cost_nusd(const struct exchange *x, const struct target *t)
{
	const struct price_case usual = {.input_tokens = x->estimate_tokens, .day = -1};
	const int64_t output = exchange_is_written(x->flight->op) && output_tokens(x) < 0
				       ? x->estimate_tokens
				       : output_tokens(x);
	struct price price;
	route_price_bound(x->flight->config, t, &usual, &price);
	return price_bound_nusd(
		&price, x->estimate_tokens, exchange_is_written(x->flight->op) ? output : 0);
}

static void look(struct exchange *x, const struct model *alias, struct choose_view *views)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	const bool is_cheapest = alias && alias->route.strategy == STRATEGY_CHEAPEST;
	const bool has_money = order_wants_money(alias);
	const size_t at = l->target;
	for (size_t i = 0; i < f->route.n; i++) {
		l->target = i; /* what follows is asked of the target in hand */
		views[i] = (struct choose_view){.first_us = -1, .nusd = -1, .left_nusd = INT64_MAX};
		if (f->route.n > 1) /* where there is no other nothing depends on how it is */
			pulse_look(x, &views[i]);
		if (is_cheapest)
			views[i].nusd = order_cost_nusd(x, &f->route.targets[i]);
		if (has_money)
			views[i].left_nusd = claim_left_nusd(x);
	}
	l->target = at;
	prefix_look(x, views);
}

static enum err none_err(enum choose_reason reason)
{
	switch (reason) {
	case CHOOSE_CONTEXT:
		return ERR_CONTEXT_LENGTH;
	case CHOOSE_BUDGET:
	case CHOOSE_PRICE:
		return ERR_BUDGET;
	case CHOOSE_KEY:
		return ERR_NO_KEY;
	case CHOOSE_LACKS:
		return ERR_INVALID_REQUEST;
	case CHOOSE_IN:
	case CHOOSE_APP:
	case CHOOSE_TAG:
	case CHOOSE_SIZE:
	case CHOOSE_NEED:
		break;
	}
	return ERR_NOT_FOUND;
}

const char *order_plain(enum choose_reason reason)
{
	switch (reason) {
	case CHOOSE_BUDGET:
		return "too little is left of a budget";
	case CHOOSE_PRICE:
		return "it is too dear";
	case CHOOSE_KEY:
		return "there is no key for it";
	case CHOOSE_APP:
	case CHOOSE_TAG:
	case CHOOSE_SIZE:
	case CHOOSE_NEED:
		return "it is for other calls";
	case CHOOSE_LACKS:
		return "it cannot do what the call needs";
	case CHOOSE_CONTEXT:
		return "the call does not fit its context";
	case CHOOSE_IN:
		break;
	}
	return "";
}

/* Why each of them is out, as much as a sentence holds; the last reason's class, for conditions are met before abilities. */
static enum err refuse(
	const struct exchange *x, const struct choice *all, size_t n, struct fault *why)
{
	OWNED(buf_done) struct buf said = BUF_INIT(sizeof why->message);
	const struct target *targets = x->flight->route.targets;
	enum err err = ERR_NOT_FOUND;
	size_t n_said = 0;
	for (size_t i = 0; i < n; i++) {
		const struct target *t = &targets[all[i].target];
		if (t->list != TARGETS_USUAL || all[i].reason == CHOOSE_IN)
			continue;
		if (none_err(all[i].reason) != ERR_NOT_FOUND || err == ERR_NOT_FOUND)
			err = none_err(all[i].reason);
		if (said.n < 700)
			buf_print(&said, "%s%.*s/%.*s: %s", n_said++ > 0 ? "; " : "",
				SPAN_ARG(span_first(t->provider, 64)),
				SPAN_ARG(span_first(t->model, 128)),
				peer_is_open(&x->peer) ? all[i].why : order_plain(all[i].reason));
	}
	return fault_param(why, err, "model",
		"none of the targets of \"%.*s\" can serve this call: %.*s",
		SPAN_ARG(span_first(x->flight->request.model, 128)), SPAN_ARG(buf_view(&said)));
}

/* The usual ones that are in, and the lists, which are for what may yet happen. */
static enum err apply(struct exchange *x, const struct choice *choices, size_t n)
{
	struct route *r = &x->flight->route;
	size_t n_in = 0;
	if (n == 1 && r->n == 1 && choices[0].reason == CHOOSE_IN)
		return OK; /* it is as it is */
	struct target *in = arena_array(&x->flight->arena, n, sizeof *in);
	if (!in)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		if (choices[i].reason == CHOOSE_IN)
			in[n_in++] = r->targets[choices[i].target];
		else
			trail_out(x, &r->targets[choices[i].target], choices[i].why);
	}
	r->targets = in;
	r->n = n_in;
	return OK;
}

/* The prompt is too long for all usual ones: those of the list for that are asked at once. */
static bool goes_on_by_context(const struct route *r, const struct choice *all, size_t n)
{
	bool has_list = false, has_usual = false, is_context = true;
	for (size_t i = 0; i < n; i++) {
		const struct target *t = &r->targets[all[i].target];
		if (t->list == TARGETS_CONTEXT && all[i].reason == CHOOSE_IN)
			has_list = true;
		if (t->list == TARGETS_USUAL) {
			has_usual = true;
			is_context = is_context && all[i].reason == CHOOSE_CONTEXT;
		}
	}
	return has_list && has_usual && is_context;
}

enum err order_look(struct exchange *x, unsigned needs, struct order *out)
{
	struct flight *f = x->flight;
	struct route *r = &f->route;
	struct choose_view *views = arena_array(&f->arena, r->n, sizeof *views);
	*out = (struct order){.n = r->n};
	out->choices = arena_array(&f->arena, r->n, sizeof *out->choices);
	if (!views || !out->choices)
		return ERR_NO_MEMORY;
	look(x, r->alias, views);
	const struct choose_ask ask = {
		.app = span_str(x->account),
		.tags = x->tags.list,
		.n_tags = x->tags.n,
		.session = x->session,
		.needs = needs,
		.input_tokens = x->estimate_tokens,
		.output_tokens = output_tokens(x),
		.is_in_pieces = f->op == LLM_OP_EMBED || f->op == LLM_OP_RERANK,
		.seed = x->seed,
	};
	out->n_usual = choose(f->config, r->alias, &ask, r->targets, views, r->n, out->choices);
	return OK;
}

enum err order_refused(const struct exchange *x, const struct order *o, struct fault *why)
{
	if (o->n_usual > 0 || goes_on_by_context(&x->flight->route, o->choices, o->n))
		return OK;
	return refuse(x, o->choices, o->n, why);
}

enum err order_route(struct exchange *x, struct fault *why)
{
	struct order o;
	enum err err = order_look(x, capability_needs(&x->flight->request), &o);
	if (!err)
		err = order_refused(x, &o, why);
	return err ? err : apply(x, o.choices, o.n);
}

size_t order_list_end(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const size_t most = exchange_route_end(x);
	size_t end = f->leg->target + 1;
	while (end < most && f->route.targets[end].list == exchange_target(x)->list)
		end++;
	return end;
}

size_t order_end(const struct exchange *x)
{
	const size_t end = order_list_end(x), rest = end - x->flight->leg->target - 1;
	return end - (x->n_put_off < rest ? x->n_put_off : rest);
}

void order_bring(struct exchange *x, size_t i)
{
	struct target *all = x->flight->route.targets;
	const size_t to = x->flight->leg->target + 1;
	const struct target one = all[i];
	memmove(&all[to + 1], &all[to], (i - to) * sizeof *all);
	all[to] = one;
}

void order_put_last(struct exchange *x, size_t i)
{
	struct target *all = x->flight->route.targets;
	const size_t end = order_end(x);
	const struct target one = all[i];
	memmove(&all[i], &all[i + 1], (end - 1 - i) * sizeof *all);
	all[end - 1] = one;
	if (x->n_warned > i)
		x->n_warned = i;
}

void order_drop(struct exchange *x, size_t i)
{
	struct route *r = &x->flight->route;
	const size_t behind = r->n - 1 - i;
	memmove(&r->targets[i], &r->targets[i + 1], behind * sizeof *r->targets);
	if (x->ready_us)
		memmove(&x->ready_us[i], &x->ready_us[i + 1], behind * sizeof *x->ready_us);
	r->n--;
	if (x->n_warned > i)
		x->n_warned = i;
}
