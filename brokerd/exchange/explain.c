/* explain.c - an exchange that is looked at, and not walked. */
#include "brokerd/exchange/explain.h"

#include <stdlib.h>

#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/order.h"
#include "brokerd/exchange/prefix.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/stale.h"

/* A token of a prompt that says nothing, in bytes: as many as estimates take for one. */
#define TOKEN_BYTES 4

#define FORBIDS_BYTES ((size_t)64 * 1024) /* of a sentence with the name of a rule */

/* ---- the exchange ---- */

static void on_event(void *context)
{
	(void)context;
}

/* Of that length, so that what bounds it has something to bound. */
static enum err make_text(struct flight *f, const struct explain_ask *ask, struct span *out)
{
	const size_t n = (size_t)ask->input_tokens * TOKEN_BYTES;
	char *text = arena_bytes(&f->arena, n);
	if (!text)
		return ERR_NO_MEMORY;
	memset(text, 'x', n);
	*out = span_of(text, n);
	return OK;
}

/* A prompt, or an input. */
static enum err make_request(struct flight *f, const struct explain_ask *ask)
{
	const bool has_inputs =
		ask->op == LLM_OP_EMBED || ask->op == LLM_OP_RERANK || ask->op == LLM_OP_MODERATE;
	struct message *m = arena_array(&f->arena, 2, sizeof *m);
	struct part *p = arena_array(&f->arena, 2, sizeof *p);
	struct span text = ask->prompt;
	if (!m || !p || (!span_is_set(text) && make_text(f, ask, &text)))
		return ERR_NO_MEMORY;
	p[0] = (struct part){.type = PART_TEXT, .text = ask->system};
	p[1] = (struct part){.type = PART_TEXT, .text = text};
	m[0] = (struct message){.role = ROLE_SYSTEM, .parts = p, .n_parts = 1};
	m[1] = (struct message){.role = ROLE_USER, .parts = p + 1, .n_parts = 1};
	const size_t from = span_is_set(ask->system) ? 0 : 1;
	f->op = ask->op;
	f->request = (struct llm_request){.model = ask->model, .temperature = ask->temperature};
	if (has_inputs) {
		f->request.inputs = p + 1;
		f->request.n_inputs = 1;
		f->request.query = ask->op == LLM_OP_RERANK ? SPAN("x") : SPAN_NONE;
	} else {
		f->request.messages = m + from;
		f->request.n_messages = 2 - from;
	}
	if (ask->output_tokens >= 0)
		f->request.max_tokens = (struct opt_i64){true, ask->output_tokens};
	return OK;
}

static struct labels labels(struct arena *a, const struct span *from, size_t n)
{
	struct labels to = {.list = arena_array(a, n, sizeof *to.list)};
	for (; to.list && to.n < n; to.n++)
		to.list[to.n] = from[to.n];
	return to;
}

/* NULL: out of memory. */
static struct exchange *begin(struct organs *o, const struct explain_ask *ask)
{
	struct exchange *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	x->organs = o;
	x->flight = flight_new(o);
	if (!x->flight || make_request(x->flight, ask) != OK) {
		flight_free(x->flight);
		free(x);
		return NULL;
	}
	struct arena *a = &x->flight->arena;
	x->flight->on_event = on_event;
	x->peer = *ask->peer;
	peer_account(ask->peer, x->account);
	x->owner = exchange_owner(ask->peer);
	memo_init(x, &ask->cache);
	x->allowance = ask->allowance;
	x->max_cost_nusd = -1;
	x->estimate_tokens = ask->input_tokens;
	x->asked_max_tokens = x->flight->request.max_tokens;
	x->tags = labels(a, ask->tags, ask->n_tags);
	x->fallbacks = labels(a, ask->fallbacks, ask->n_fallbacks);
	x->session = ask->session;
	x->owner = exchange_owner(ask->peer);
	buf_init(&x->trail.tried, TRAIL_TRIED_BYTES);
	/* what goes by chance goes otherwise each time, as for calls */
	x->seed = (uint64_t)loop_now_us(o->loop);
	x->deadline.due_us = loop_now_us(o->loop) + x->flight->config->request_us;
	return x;
}

static void end(struct exchange *x)
{
	claim_release(x);
	flight_free(x->flight);
	free(x->concealed);
	exchange_drop_mishaps(x);
	free(x);
}

/* ---- what is said of a target ---- */

static const char *list_word(enum target_list list)
{
	switch (list) {
	case TARGETS_USUAL:
		return "usual";
	case TARGETS_CONTEXT:
		return "context";
	case TARGETS_REFUSAL:
		return "refusal";
	}
	return "";
}

static const char *out_word(enum choose_reason reason)
{
	switch (reason) {
	case CHOOSE_IN:
		return "";
	case CHOOSE_APP:
		return "app";
	case CHOOSE_TAG:
		return "tag";
	case CHOOSE_SIZE:
		return "size";
	case CHOOSE_NEED:
		return "need";
	case CHOOSE_BUDGET:
		return "budget";
	case CHOOSE_PRICE:
		return "price";
	case CHOOSE_KEY:
		return "key";
	case CHOOSE_LACKS:
		return "lacks";
	case CHOOSE_CONTEXT:
		return "context";
	}
	return "";
}

static void put_ms(struct json_out *o, const char *name, int64_t us)
{
	if (us >= 0)
		json_pair_i64(o, name, us / 1000 + (us % 1000 > 0));
}

static void put_names(struct json_out *o, const struct explain_ask *ask, const struct target *t)
{
	json_pair_str(o, "provider", t->provider);
	json_pair_str(o, "model", t->model);
	if (ask->shows_house)
		json_pair_str(o, "key", t->key);
	json_pair_str(o, "list", span_str(list_word(t->list)));
	if (t->asked > 0)
		json_pair_i64(o, "fallback", (int64_t)t->asked);
}

static void put_out(struct json_out *o, const struct explain_ask *ask, const struct target *t,
	const char *word, const char *why)
{
	json_open(o, '{');
	put_names(o, ask, t);
	json_pair_str(o, "out", span_str(word));
	json_pair_str(o, "why", span_str(why));
	json_close(o, '}');
}

static void put_health(struct json_out *o, const struct exchange *x, const struct explain_ask *ask)
{
	static const char *const places[] = {"", "provider", "key", "model"};
	struct health_view v;
	if (!pulse_view(x, &v))
		return;
	json_pair_str(o, "state", span_str(health_state_word(v.state)));
	if (v.place != HEALTH_NOWHERE && ask->shows_house)
		json_pair_str(o, "place", span_str(places[v.place]));
	if (v.state == HEALTH_OPEN)
		put_ms(o, "until_ms", v.until_us - loop_now_us(x->organs->loop));
	if (v.why.err) {
		json_pair_str(o, "class", span_str(err_info(v.why.err)->word));
		json_pair_str(o, "because",
			span_str(ask->shows_house ? v.why.message : err_info(v.why.err)->sentence));
	}
	if (!ask->shows_house)
		return; /* that is of others' calls */
	json_pair_i64(o, "in_flight", v.in_flight);
	put_ms(o, "first_ms", v.first_us);
	put_ms(o, "p95_ms", v.p95_us);
}

static void put_limit(struct json_out *o, const struct exchange *x, const struct explain_ask *ask,
	const struct fault *why)
{
	const bool is_whole = ask->shows_figures && x->concealed;
	json_pair_str(o, "limit", span_str(is_whole ? x->concealed : why->message));
}

static void put_wait(struct json_out *o, const struct exchange *x, int64_t when_us)
{
	const int64_t wait_us = when_us - loop_now_us(x->organs->loop);
	if (when_us != INT64_MAX)
		put_ms(o, "wait_ms", wait_us > 0 ? wait_us : 0);
}

/* Would limits let it through? As for a call, it is taken, and given back at once. */
static void put_limits(struct json_out *o, struct exchange *x, const struct explain_ask *ask)
{
	struct bounds b;
	struct limit_answer answer;
	struct fault why = FAULT_NONE;
	if (bounds_find(x, &b, &why)) {
		/* what was concealed of a target before is not about this one */
		json_pair_str(o, "limits", SPAN("spent"));
		json_pair_str(o, "limit", span_str(why.message));
		return;
	}
	struct turn *first = exchange_first_in_line(x, &b);
	if (first)
		exchange_let_before(x, first, &answer);
	else
		claim_take(x, &b, &answer);
	claim_release(x);
	switch (answer.verdict) {
	case LIMIT_HELD:
		json_pair_str(o, "limits", SPAN("now"));
		return;
	case LIMIT_WAIT:
		json_pair_str(o, "limits", SPAN("wait"));
		put_wait(o, x, answer.ready_us);
		break;
	case LIMIT_SPENT:
		json_pair_str(o, "limits", SPAN("spent"));
		put_wait(o, x, answer.reset_us);
		break;
	}
	put_limit(o, x, ask, &answer.why);
}

/* It is asked with a key that is not there; NULL: not so. */
static const char *no_key(const struct exchange *x, const struct target *t)
{
	const struct organs *o = x->organs;
	const struct config *c = x->flight->config;
	const struct provider *p = config_provider(c, t->provider);
	if (t->auth == AUTH_NONE || t->is_offline || !p || tokens_source(p))
		return NULL;
	if (vault_state(o->vault) == VAULT_LOCKED)
		return "the vault is locked: `llmb vault unlock`";
	return tokens_have(o->tokens, c, t->provider) ? NULL
						      : "its provider has no key: `llmb key add`";
}

static void put_in(struct json_out *o, struct exchange *x, const struct explain_ask *ask)
{
	const struct target *t = exchange_target(x);
	const int64_t nusd = order_cost_nusd(x, t);
	json_open(o, '{');
	put_names(o, ask, t);
	put_health(o, x, ask);
	if (exchange_is_free(x))
		json_pair_i64(o, "cost_nusd", 0);
	else if (nusd >= 0)
		json_pair_i64(o, "cost_nusd", nusd);
	put_limits(o, x, ask);
	if (prefix_is_held(x))
		json_pair_bool(o, "holds_prompt", true);
	json_close(o, '}');
}

/* ---- the route ---- */

static const char *strategy_word(enum strategy s)
{
	switch (s) {
	case STRATEGY_PRIORITY:
		return "priority";
	case STRATEGY_WEIGHTED:
		return "weighted";
	case STRATEGY_LATENCY:
		return "latency";
	case STRATEGY_BUSY:
		return "busy";
	case STRATEGY_CHEAPEST:
		return "cheapest";
	case STRATEGY_STICKY:
		return "sticky";
	}
	return "";
}

static void put_alias(struct json_out *o, const struct model *alias)
{
	json_key(o, "alias");
	if (!alias || alias->n_targets == 0) {
		json_put_null(o);
		return;
	}
	json_put_str(o, alias->name);
	json_pair_str(o, "strategy", span_str(strategy_word(alias->route.strategy)));
	if (alias->route.hedge_us == HEDGE_P95)
		json_pair_str(o, "hedge", SPAN("p95"));
	else if (alias->route.hedge_us > 0)
		json_pair_i64(o, "hedge_ms", alias->route.hedge_us / 1000);
	if (alias->route.is_resumed)
		json_pair_bool(o, "resume", true);
}

/* All that the names mean, and whoever may not be used, kept apart. */
struct refused {
	struct target *targets;
	size_t n;
};

static enum err admit(struct exchange *x, struct refused *out, struct fault *why)
{
	struct route *all = &x->flight->route;
	const size_t n = all->n;
	struct fault own;
	*out = (struct refused){arena_array(&x->flight->arena, n, sizeof *out->targets), 0};
	if (!out->targets)
		return ERR_NO_MEMORY;
	for (size_t i = 0; allowance_limits_models(&x->allowance) && i < n; i++) {
		own = FAULT_NONE;
		if (exchange_admit_target(x, &all->targets[i], &own) != OK)
			out->targets[out->n++] = all->targets[i];
	}
	return exchange_admit_targets(x, why);
}

static void put_refused(struct json_out *o, const struct exchange *x, const struct explain_ask *ask,
	const struct refused *r)
{
	/* what there is beside what he may use, is not for him */
	for (size_t i = 0; ask->shows_house && i < r->n; i++) {
		struct fault why = FAULT_NONE;
		const enum err err = exchange_admit_target(x, &r->targets[i], &why);
		put_out(o, ask, &r->targets[i], "denied",
			why.err ? why.message : err_info(err)->sentence);
	}
}

static void put_targets(struct json_out *o, struct exchange *x, const struct explain_ask *ask,
	const struct order *order)
{
	const struct route *r = &x->flight->route;
	for (size_t i = 0; i < order->n; i++) {
		const struct choice *c = &order->choices[i];
		const struct target *t = &r->targets[c->target];
		const char *keyless = c->reason == CHOOSE_IN ? no_key(x, t) : NULL;
		if (c->reason != CHOOSE_IN || keyless)
			continue;
		x->flight->leg->target = c->target;
		put_in(o, x, ask);
	}
	for (size_t i = 0; i < order->n; i++) {
		const struct choice *c = &order->choices[i];
		const struct target *t = &r->targets[c->target];
		const char *keyless = c->reason == CHOOSE_IN ? no_key(x, t) : NULL;
		if (keyless)
			put_out(o, ask, t, "key", keyless);
		else if (c->reason != CHOOSE_IN)
			put_out(o, ask, t, out_word(c->reason),
				ask->shows_house ? c->why : order_plain(c->reason));
	}
}

/* ---- is its answer there? ---- */

static void put_kept(
	struct json_out *o, const char *source, const struct tape *t, const struct cached *found)
{
	json_pair_str(o, "source", span_str(source));
	json_pair_i64(o, "age_s", found->age_s);
	json_pair_str(o, "provider", t->provider);
	json_pair_str(o, "model", t->model);
}

/* Where no answer may be kept, whoever asks hears why before one has cost anything. */
static void put_forbids(struct json_out *o, const struct exchange *x)
{
	static const char *const words[] = {"auto", "off", "read", "write", "on"};
	const struct config *config = x->flight->config;
	const struct policy_rule *rule = x->allowance.rule;
	OWNED(buf_done) struct buf why = BUF_INIT(FORBIDS_BYTES);
	struct allowance_cache may;
	allowance_cache(&x->allowance, &may);
	if (!x->organs->cache)
		buf_text(&why, "there is no state folder");
	else if (config->cache_memory_mib == 0 && config->cache_disk_mib == 0)
		buf_text(&why, "memory_mib and disk_mib are 0 in [cache]");
	else if (!may.may_write && rule)
		buf_print(&why, "cache = %s in [policy \"%.*s\"]", words[rule->cache],
			SPAN_ARG(rule->name));
	if (why.n > 0)
		json_pair_str(o, "forbids", buf_view(&why));
}

static void put_cached(struct json_out *o, struct exchange *x, const struct explain_ask *ask)
{
	struct cached found;
	size_t which;
	if (!span_is_set(ask->prompt) || !ask->shows_kept)
		return;
	const bool is_looked_up = memo_wants(x);
	const bool reads = is_looked_up && x->memo.reads && x->organs->cache;
	struct tape *fresh = NULL, *stale = NULL;
	const bool is_on_disk =
		reads && lookup_seen(x, lookup_is_fresh, &fresh, &found, &which) == CACHE_COMES;
	const struct exchange *leader =
		!fresh && is_looked_up && x->memo.joins ? lookup_leader(x) : NULL;
	if (reads && !fresh && !is_on_disk && !leader)
		(void)lookup_seen(x, stale_is_good, &stale, &found, &which);
	json_key(o, "cached");
	json_open(o, '{');
	json_pair_bool(o, "is_looked_up", is_looked_up);
	put_forbids(o, x);
	if (fresh)
		put_kept(o, "hit", fresh, &found);
	else if (is_on_disk)
		json_pair_str(o, "source", SPAN("disk"));
	else if (leader)
		json_pair_str(o, "source", SPAN("joined"));
	else if (stale)
		put_kept(o, "stale", stale, &found);
	if (!fresh && !is_on_disk && !leader && compare_wants(x))
		json_pair_bool(o, "is_compared", true);
	if (leader && leader->owner == x->owner)
		json_pair_str(o, "request_id", span_str(leader->id));
	json_close(o, '}');
	tape_unref(fresh);
	tape_unref(stale);
}

static void put_none(struct json_out *o, enum err err, const struct fault *why)
{
	if (!err)
		return;
	json_pair_str(o, "class", span_str(err_info(err)->word));
	json_pair_str(o, "message", span_str(why->err ? why->message : err_info(err)->sentence));
}

enum err explain_route(
	struct organs *o, const struct explain_ask *ask, struct json_out *to, struct fault *why)
{
	struct exchange *x = begin(o, ask);
	struct refused refused = {.n = 0};
	struct order order = {.n = 0};
	if (!x)
		return fault_set(why, ERR_NO_MEMORY, "no memory to look at such a call");
	enum err none = exchange_find_targets(x, why);
	if (!none)
		none = exchange_bound(x, why);
	if (!none)
		none = admit(x, &refused, why);
	if (!none) {
		exchange_choose_dialects(x);
		none = order_look(x, ask->needs, &order);
	}
	if (!none)
		none = order_refused(x, &order, why);
	if (none != ERR_NO_MEMORY) {
		put_alias(to, x->flight->route.alias);
		json_key(to, "targets");
		json_open(to, '[');
		put_targets(to, x, ask, &order);
		put_refused(to, x, ask, &refused);
		json_close(to, ']');
		put_none(to, none, why);
		if (!none)
			put_cached(to, x, ask);
	}
	end(x);
	if (none == ERR_NO_MEMORY)
		return fault_set(why, ERR_NO_MEMORY, "no memory to look at such a call");
	*why = FAULT_NONE;
	return OK;
}
