/* exchange.c - the states of one request, in the order it walks them:
 *
 *   BODY     the request's bytes are coming                       -> ADMIT | SETTLE
 *   ADMIT    is it a request at all, and may the broker serve?    -> ROUTE | SETTLE
 *   ROUTE    which targets, in which order? Or: wait to retry     -> RESERVE | SETTLE
 *   RESERVE  what it may cost is written down before it is spent  -> PREPARE | ROUTE | SETTLE
 *   PREPARE  the target's key, or a token that it gets (a wait)   -> SEND | ROUTE | SETTLE
 *   SEND     encoded and on its way                               -> RELAY | ROUTE | SETTLE
 *   RELAY    events come, are logged and read                     -> ROUTE (nothing shown) | SETTLE
 *   SETTLE   the truth to the ledger, the last event to the log   -> END
 *
 * Consent joins between ADMIT and ROUTE, the cache between ROUTE and RESERVE, when they come. */
#include "brokerd/exchange/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/exchange/listing.h"
#include "brokerd/exchange/recall.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/ledger/price.h"
#include "brokerd/log/log.h"
#include "brokerd/route/retry.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

enum state {
	BODY,
	ADMIT,
	ROUTE,
	RESERVE,
	PREPARE,
	SEND,
	RELAY,
	SETTLE,
	END,
};

struct exchange {
	struct exchange *prev, *next; /* of organs->exchanges */
	struct organs *organs;
	struct exchange_caller caller;
	struct peer_id peer;
	char id[REQUEST_ID_BYTES];
	uint64_t seed; /* for what is made up on the way: ids of calls, the jitter of waits */
	enum state state;
	bool is_running; /* inside exchange_run: what happens meanwhile is seen when it looks again */
	bool is_body_whole;
	int64_t body_bytes; /* announced; -1: not */
	int64_t max_cost_nusd;
	struct opt_i64 asked_max_tokens; /* by the caller: what is sent may be less */
	bool is_at_most_once;
	struct flight *flight;
	struct event_cursor cursor;
	size_t n_warned;       /* of how many targets the caller has the encoding's warnings */
	struct secret *secret; /* of the target in hand, from PREPARE on */
	struct token_wait token;
	bool has_renewed; /* for the target in hand, a token that it refused */
	struct loop_timer deadline, retry;
	struct fault telling; /* of all failures so far, what a caller learns most from */
	struct recall recall; /* of the answer that comes, what its provider will want again */
	struct fault verdict; /* what it is settled with; OK: a good answer */
	enum outcome outcome;
	bool is_retry_due; /* ROUTE: a target is chosen, only the wait is left */
};

/* ---- small things ---- */

static void exchange_run(struct exchange *x);

static void make_id(char id[REQUEST_ID_BYTES], int64_t wall_us, const unsigned char random[16])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t ms = (uint64_t)(wall_us / 1000);
	memcpy(id, "req_", 4);
	for (int i = 9; i >= 0; i--, ms >>= 5) /* 48 bits of time, so that ids sort by it */
		id[4 + i] = digits[ms & 31];
	for (size_t i = 0; i < 16; i++)
		id[14 + i] = digits[random[i] & 31];
	id[30] = '\0';
}

/* The target in hand; only once the route is found. */
static const struct target *target_of(const struct exchange *x)
{
	const struct flight *f = x->flight;
	assert(f->target < f->route.n);
	return &f->route.targets[f->target];
}

/* Seconds since 1970. */
static int64_t now_s(const struct exchange *x)
{
	return loop_wall_us(x->organs->loop) / 1000000;
}

static int64_t left_us(const struct exchange *x)
{
	return x->deadline.due_us - loop_now_us(x->organs->loop);
}

/* The verdict for SETTLE, which is where a step that calls this goes next. */
static enum state fail(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	x->verdict = *why;
	x->outcome = outcome;
	return SETTLE;
}

static enum state fail_with(struct exchange *x, enum err err, const struct fault *why)
{
	struct fault own = *why;
	if (!own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	return fail(x, OUTCOME_FAILED, &own);
}

/* ---- the steps: each returns the next state, or its own to wait ---- */

static enum state step_body(struct exchange *x)
{
	return x->is_body_whole ? ADMIT : BODY;
}

static enum state step_admit(struct exchange *x)
{
	struct flight *f = x->flight;
	struct fault why = FAULT_NONE;
	if (x->organs->ailment.err)
		return fail(x, OUTCOME_FAILED, &x->organs->ailment);
	if (x->organs->is_draining)
		return fail_with(x, ERR_RESTARTING, &why);
	const enum err err =
		request_unpack_op(f->op, buf_view(&f->body), &f->arena, &f->request, &why);
	x->asked_max_tokens = f->request.max_tokens;
	return err ? fail_with(x, err, &why) : ROUTE;
}

static bool vault_has_key(const void *context, struct span provider)
{
	return vault_has(context, provider);
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
	return (f->batches > 0 || f->pages.n > 0) &&
	       event_log_lag(&f->log) > LIMIT_FLIGHT_LOW_BYTES;
}

/* Whose lists of models are asked for; perhaps nobody's. */
static enum state route_listing(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	const enum err err = listing_begin(x->flight, &why);
	if (err)
		return fail_with(x, err, &why);
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

/* A provider that speaks several dialects is spoken to in the first that has the operation. */
static void choose_dialects(struct flight *f)
{
	for (size_t i = 0; i < f->route.n; i++) {
		struct target *t = &f->route.targets[i], other;
		for (size_t d = 0;
			!speaks_of(t, f->op) && route_in_dialect(f->config, d, t, &other); d++) {
			if (speaks_of(&other, f->op))
				*t = other;
		}
	}
}

static enum state step_route(struct exchange *x)
{
	struct flight *f = x->flight;
	struct fault why = FAULT_NONE;
	if (f->route.n > 0) /* it is known: another try on it, perhaps after a wait */
		return x->is_retry_due || is_reader_behind(f) ? ROUTE : RESERVE;
	if (f->op == LLM_OP_MODELS)
		return route_listing(x);
	const struct route_keys keys = {vault_has_key, x->organs->vault};
	const enum err err = route_find_op(
		f->config, f->op, f->request.model, &keys, &f->arena, &f->route, &why);
	if (err)
		return fail_with(x, err, &why);
	choose_dialects(f);
	for (size_t i = 0; i < f->route.n; i++) {
		if (repair_apply(&x->organs->repairs, &f->route.targets[i], &f->arena))
			return fail_with(x, ERR_NO_MEMORY, &why);
	}
	if (f->route.is_fallback_offline) {
		const enum err unseen = check_vault_seen(x, &why);
		if (unseen)
			return fail_with(x, unseen, &why);
		flight_status(f, "offline",
			"no provider key yet, so offline/echo answers: llmb key add openai");
	}
	return RESERVE;
}

/* Does the operation write an answer, whose tokens cost too? */
static bool is_written(enum llm_op op)
{
	return op == LLM_OP_CHAT || op == LLM_OP_COMPLETE;
}

/* No provider takes money for it. */
static bool is_free(const struct exchange *x)
{
	const enum llm_op op = x->flight->op;
	return target_of(x)->is_offline || op == LLM_OP_COUNT || op == LLM_OP_MODELS;
}

/* How many answers are asked for, each with tokens of its own. */
static int64_t choices_of(const struct llm_request *r)
{
	return r->n.is_set ? r->n.v : 1;
}

/* The dearest that the target in hand can be: how long the prompt is, and which tier serves it, is
 * told behind the answer. */
static struct price price_bound(const struct exchange *x, int64_t input_bound)
{
	const struct price_case most = {
		.input_tokens = input_bound, .tier = flight_tier(x->flight), .day = -1};
	struct price price;
	route_price_bound(x->flight->config, target_of(x), &most, &price);
	return price;
}

/* Keeps a request within what its caller is willing to pay, by capping its output: anew for every
 * attempt, for prices differ, and those before may have cost something. */
static enum err keep_under_cost(struct exchange *x, int64_t input_bound, struct fault *why)
{
	struct flight *f = x->flight;
	const struct target *t = target_of(x);
	const struct opt_i64 former = f->request.max_tokens;
	f->request.max_tokens = x->asked_max_tokens;
	if (x->max_cost_nusd < 0 || is_free(x))
		return OK;
	if (t->price.input < 0 || (is_written(f->op) && t->price.output < 0))
		return fault_param(why, ERR_BUDGET, "max_cost",
			"the price of %.*s/%.*s is not known, so no cost limit can be kept: set "
			"price_input and price_output in [model \"%.*s/%.*s\"]",
			SPAN_ARG(t->provider), SPAN_ARG(t->model), SPAN_ARG(t->provider),
			SPAN_ARG(t->model));
	const struct price price = price_bound(x, input_bound);
	const int64_t input_nusd = price_bound_nusd(&price, input_bound, 0);
	const int64_t output_nusd = !is_written(f->op)
					    ? 0
					    : num_mul_sat(price_bound_nusd(&price, 0, 1000000),
						      choices_of(&f->request));
	const int64_t left_nusd = x->max_cost_nusd - (f->spent_nusd > 0 ? f->spent_nusd : 0);
	const int64_t rest_nusd = left_nusd - input_nusd;
	const int64_t most = output_nusd == 0 ? (rest_nusd < 0 ? 0 : INT64_MAX)
			     : rest_nusd <= 0 ? 0
					      : num_mul_div(rest_nusd, 1000000, output_nusd) - 1;
	if (most < 1)
		return fault_param(why, ERR_BUDGET, "max_cost",
			"the prompt alone can cost %" PRId64 " nano-dollars, and %" PRId64
			" are left of the limit of %" PRId64,
			input_nusd, left_nusd, x->max_cost_nusd);
	if (!is_written(f->op) || (x->asked_max_tokens.is_set && x->asked_max_tokens.v <= most))
		return OK;
	f->request.max_tokens = (struct opt_i64){true, most};
	if (former.is_set && former.v == most)
		return OK; /* as it was told before */
	struct llm_event e = {.type = EV_WARNING};
	e.warning.code = SPAN("clamped_parameter");
	e.warning.param = SPAN("max_tokens");
	e.warning.message = SPAN("the output was capped to keep the call's cost limit");
	return flight_put(f, &e);
}

static void copy_text(char *to, size_t size, struct span text)
{
	fault_text(to, size, text);
}

/* The provider in hand has told of its models, or cannot: the next one, or the end. */
static enum state next_listing(struct exchange *x)
{
	struct flight *f = x->flight;
	if (f->pages.is_cut)
		listing_warn_cut(f);
	if (f->target + 1 < f->route.n) {
		f->target++;
		f->same = 0;
		f->pages = (struct pages){.n = 0};
		x->has_renewed = false;
		flight_rewind(f);
		return ROUTE;
	}
	x->outcome = OUTCOME_OK;
	x->verdict = FAULT_NONE;
	return SETTLE;
}

/* The list of the provider in hand goes on. */
static enum state next_page(struct exchange *x)
{
	x->flight->same = 0;
	flight_rewind(x->flight);
	return ROUTE;
}

/* A parameter was refused that the request can do without: it goes out again so, and the caller is
 * told. False: that is not it. */
static bool mend(struct exchange *x, const struct fault *why)
{
	struct flight *f = x->flight;
	struct target *t = &f->route.targets[f->target];
	char told[256];
	if (!is_written(f->op) || f->has_content || f->attempts >= ATTEMPTS_MAX ||
		left_us(x) <= 0 || !repair_learn(&x->organs->repairs, t, &f->request, why) ||
		repair_apply(&x->organs->repairs, t, &f->arena) != OK)
		return false;
	(void)snprintf(told, sizeof told,
		"%.*s refused %s: the request was sent again without it, or under its other name",
		SPAN_ARG(t->provider), why->param[0] ? why->param : "an answer in one piece");
	struct llm_event e = {.type = EV_WARNING};
	e.warning.code = SPAN("dropped_parameter");
	e.warning.param = span_str(why->param);
	e.warning.message = span_str(told);
	flight_rewind(f);
	char param[sizeof why->param * 2];
	log_info("exchange.mended", "id=%s param=%s", x->id,
		log_quote(param, sizeof param, span_str(why->param)));
	return flight_put(f, &e) == OK;
}

/* Once for each target. */
static bool may_renew(const struct exchange *x, const struct fault *why)
{
	return x->secret && !x->has_renewed && tokens_may_renew(target_of(x), why);
}

/* What a failure of the target in hand allows: another try, or the end. */
static enum state after_failure(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	struct flight *f = x->flight;
	if (f->op == LLM_OP_MODELS && !span_is_set(f->request.model) && !may_renew(x, why)) {
		listing_warn(f, why);
		return next_listing(x);
	}
	const struct retry_case c = {
		.err = why->err,
		.has_content = f->op != LLM_OP_MODELS && f->has_batch_content,
		.is_unknown = outcome == OUTCOME_UNKNOWN,
		.is_at_most_once = x->is_at_most_once,
		.same = f->same,
		/* lists are many requests, and each may fail for itself */
		.attempts = f->op == LLM_OP_MODELS ? f->same : f->attempts - f->batches,
		.unknown = f->unknown,
		.retry_after_ms = why->retry_after_ms,
		.advice = why->advice,
		.left_us = left_us(x),
		.jitter = (uint32_t)(x->seed >> 32) + f->attempts,
		/* the vectors of two models cannot stand beside one another */
		.has_next = f->batches == 0 && f->target + 1 < f->route.n,
		.may_renew = may_renew(x, why),
	};
	const struct retry_verdict v = retry_decide(&c);
	if (mend(x, why))
		return ROUTE;
	const bool is_renewal = c.may_renew && v.move == RETRY_SAME;
	if (!is_renewal && (f->has_content || retry_tells_more(why->err, x->telling.err)))
		x->telling = *why;
	switch (v.move) {
	case RETRY_STOP:
		return fail(x, outcome, &x->telling);
	case RETRY_NEXT:
		f->target++;
		f->same = 0;
		x->has_renewed = false;
		break;
	case RETRY_SAME:
		break;
	}
	if (is_renewal) {
		tokens_refused(x->organs->tokens, x->secret);
		x->has_renewed = true;
	}
	const struct target *t = target_of(x);
	flight_rewind(f);
	flight_status(f, "retrying", "%s; trying %.*s/%.*s",
		is_renewal ? "the token is refused and fetched anew" : why->message,
		SPAN_ARG(t->provider), SPAN_ARG(t->model));
	x->is_retry_due = v.delay_us > 0;
	if (x->is_retry_due)
		loop_timer_set(x->organs->loop, &x->retry, v.delay_us);
	return ROUTE;
}

static enum state step_reserve(struct exchange *x)
{
	struct flight *f = x->flight;
	const struct target *t = target_of(x);
	struct fault why = FAULT_NONE;
	flight_cut(f, t);
	const int64_t input_bound = flight_input_bound(&f->asked);
	enum err err = keep_under_cost(x, input_bound, &why);
	f->asked.max_tokens = f->request.max_tokens;
	if (err == ERR_BUDGET) {
		f->same++; /* not a try, but all that this target gets */
		return after_failure(x, OUTCOME_FAILED, &why);
	}
	if (err)
		return fail_with(x, err, &why);

	struct reserve_record r = {
		.at_us = f->begun_wall_us,
		.uid = (uint32_t)x->peer.uid,
		.pid = (uint32_t)x->peer.pid,
		.estimate_input = input_bound,
		.estimate_output = !is_written(f->op)             ? 0
				   : f->request.max_tokens.is_set ? f->request.max_tokens.v
				   : t->max_output_tokens >= 0    ? t->max_output_tokens
								  : 4096,
	};
	r.estimate_output = num_mul_sat(r.estimate_output, choices_of(&f->request));
	const struct price price = price_bound(x, input_bound);
	r.estimate_nusd =
		is_free(x) ? 0 : price_bound_nusd(&price, r.estimate_input, r.estimate_output);
	memcpy(r.id, x->id, sizeof r.id);
	memcpy(r.app, x->peer.app, sizeof r.app);
	memcpy(r.program, x->peer.program, sizeof r.program);
	copy_text(r.op, sizeof r.op, span_str(llm_op_name(f->op)));
	copy_text(r.model, sizeof r.model, f->request.model);
	copy_text(r.provider, sizeof r.provider, t->provider);
	copy_text(r.target_model, sizeof r.target_model, t->model);
	err = journal_reserve(x->organs->journal, &r, &why);
	if (err)
		return fail_with(x, err, &why);
	f->reserved_nusd = r.estimate_nusd;
	return PREPARE;
}

static enum state step_prepare(struct exchange *x)
{
	const struct target *t = target_of(x);
	struct fault why = FAULT_NONE;
	if (x->token.home)
		return PREPARE;
	x->flight->same++; /* a try, even where it does not come to sending */
	secret_unref(x->secret);
	x->secret = NULL;
	if (t->auth == AUTH_NONE || attempt_is_local(t, x->flight->op))
		return SEND;
	const enum err err = tokens_prove(
		x->organs->tokens, x->flight->config, t, SPAN_NONE, &x->token, &x->secret, &why);
	if (err == ERR_MORE)
		return PREPARE;
	if (!err)
		return SEND;
	if (!why.err)
		fault_set(&why, err, "%s", err_info(err)->sentence);
	return after_failure(x, OUTCOME_FAILED, &why);
}

static enum err on_attempt_event(void *context, const struct llm_event *e)
{
	struct exchange *x = context;
	if (x->flight->op == LLM_OP_MODELS)
		return e->type == EV_MODEL ? listing_put(x->flight, e) : OK;
	recall_note(&x->recall, x->organs->items, x->peer.uid, target_of(x), e, now_s(x));
	return flight_put(x->flight, e);
}

/* What an attempt cost: as reported, and where it may have been served beyond that, as reserved. */
static void count_cost(struct exchange *x, struct attempt_record *r)
{
	struct flight *f = x->flight;
	r->usage.cost_nusd = is_free(x) ? 0 : f->attempt_nusd;
	if (r->outcome == OUTCOME_UNKNOWN && r->usage.cost_nusd < f->reserved_nusd)
		r->usage.cost_nusd = f->reserved_nusd;
	f->former_nusd = f->spent_nusd;
	if (r->usage.cost_nusd >= 0)
		f->spent_nusd =
			num_add_sat(f->spent_nusd < 0 ? 0 : f->spent_nusd, r->usage.cost_nusd);
	else if (r->outcome != OUTCOME_FAILED && r->has_sent_body)
		f->is_cost_open = true;
}

/* Writes the row of an attempt that is over and lets go of it. */
static void attempt_account(struct exchange *x, const struct attempt_record *record)
{
	struct flight *f = x->flight;
	struct attempt_record r = *record;
	struct fault why = FAULT_NONE;
	memcpy(r.id, x->id, sizeof r.id);
	r.number = f->attempts;
	count_cost(x, &r);
	if (f->has_usage)
		r.price = f->price;
	if (r.outcome == OUTCOME_UNKNOWN)
		f->unknown++;
	if (journal_attempt(x->organs->journal, &r, &why) != OK)
		log_error("ledger.attempt_lost", "id=%s number=%u why=\"%s\"", x->id, r.number,
			why.message);
	attempt_free(f->attempt);
	f->attempt = NULL;
}

static enum state relay_ended(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	if (why->err)
		return after_failure(x, outcome, why);
	if (x->flight->op == LLM_OP_MODELS)
		return x->flight->pages.has_more ? next_page(x) : next_listing(x);
	if (flight_next_batch(x->flight))
		return ROUTE;
	x->outcome = OUTCOME_OK;
	x->verdict = FAULT_NONE;
	return SETTLE;
}

/* A result that a callback brings goes through the same door as a step's. */
static void exchange_enter(struct exchange *x, enum state next);

static void on_token(struct token_wait *w, struct secret *token, const struct fault *why)
{
	struct exchange *x = container_of(w, struct exchange, token);
	x->secret = token ? secret_ref(token) : NULL;
	exchange_enter(x, token ? SEND : after_failure(x, OUTCOME_FAILED, why));
	exchange_run(x);
}

static void on_attempt_end(
	void *context, const struct attempt_record *record, const struct fault *why)
{
	struct exchange *x = context;
	const enum outcome outcome = record->outcome;
	struct flight *f = x->flight;
	struct fault said = f->untold.err ? f->untold : *why;
	if (!said.err && pages_turn(&f->pages, attempt_more(f->attempt), &f->arena))
		fault_set(&said, ERR_NO_MEMORY, "no memory for the next page of a list");
	attempt_account(x, record);
	exchange_enter(x, relay_ended(x, outcome, &said));
	exchange_run(x);
}

/* The same target's are the same each time. */
static enum err tell_warnings(struct exchange *x)
{
	struct flight *f = x->flight;
	const struct notes *n = attempt_notes(f->attempt);
	if (x->n_warned > f->target)
		return OK;
	x->n_warned = f->target + 1;
	for (size_t i = 0; i < n->n_warnings; i++) {
		struct llm_event e = {.type = EV_WARNING};
		e.warning = n->warnings[i];
		const enum err err = flight_put(f, &e);
		if (err)
			return err;
	}
	return OK;
}

static enum state step_send(struct exchange *x)
{
	struct flight *f = x->flight;
	const struct config *c = f->config;
	struct fault why = FAULT_NONE;
	const struct llm_request *request;
	recall_rewind(&x->recall);
	if (recall_restore(x->organs->items, x->peer.uid, target_of(x), &f->arena, &f->asked,
		    now_s(x), &request))
		return fail_with(x, ERR_NO_MEMORY, &why);
	const struct attempt_plan plan = {
		.op = f->op,
		.request = request,
		.target = target_of(x),
		.secret = x->secret,
		.limits = {c->connect_us, f->request.is_stream ? c->first_byte_us : c->reply_us,
			   c->idle_us, left_us(x)},
		.first_token_us = f->request.is_stream ? c->first_token_us : 0,
		.seed = x->seed + x->flight->attempts,
		.page = f->pages.at,
	};
	const struct attempt_events events = {on_attempt_event, on_attempt_end, x};
	const enum err err = attempt_new(x->organs, &plan, &events, &f->attempt, &why);
	f->attempts++;
	if (err)
		return after_failure(x, OUTCOME_FAILED, &why);
	const enum err unsaid = tell_warnings(x);
	return unsaid ? fail_with(x, unsaid, &why) : RELAY;
}

static enum state step_relay(struct exchange *x)
{
	(void)x;
	return RELAY; /* events and the attempt's end come by callback */
}

static void settle_record(const struct exchange *x, struct exchange_record *r)
{
	const struct flight *f = x->flight;
	const struct target *t = f->route.n > 0 ? target_of(x) : NULL;
	const int64_t now_us = loop_now_us(x->organs->loop);
	*r = (struct exchange_record){
		.at_us = f->begun_wall_us,
		.total_us = now_us - f->begun_us,
		.ttft_us = f->first_content_us ? f->first_content_us - f->begun_us : -1,
		.uid = (uint32_t)x->peer.uid,
		.pid = (uint32_t)x->peer.pid,
		.outcome = x->outcome,
		.err = x->verdict.err,
		.is_stream = f->request.is_stream,
		.attempts = f->attempts,
		.warnings = f->warnings,
		.usage = f->usage,
		.price = !t             ? PRICE_UNKNOWN
			 : f->has_usage ? f->price
					: t->price,
	};
	memcpy(r->id, x->id, sizeof r->id);
	memcpy(r->app, x->peer.app, sizeof r->app);
	memcpy(r->program, x->peer.program, sizeof r->program);
	copy_text(r->op, sizeof r->op, span_str(llm_op_name(f->op)));
	copy_text(r->model, sizeof r->model, f->request.model);
	if (f->finish)
		copy_text(r->finish, sizeof r->finish, span_str(finish_name(f->finish)));
	if (t && f->attempts > 0 && (f->op != LLM_OP_MODELS || f->route.n == 1)) {
		copy_text(r->provider, sizeof r->provider, t->provider);
		copy_text(r->target_model, sizeof r->target_model, t->model);
	}
	r->usage.cost_nusd = f->is_cost_open ? -1 : f->spent_nusd;
	if (r->usage.provider_cost_nusd >= 0 && f->former_nusd > 0)
		r->usage.provider_cost_nusd =
			num_add_sat(r->usage.provider_cost_nusd, f->former_nusd);
}

static enum state step_settle(struct exchange *x)
{
	struct flight *f = x->flight;
	struct exchange_record r;
	struct fault why = FAULT_NONE;
	loop_timer_stop(&x->deadline);
	loop_timer_stop(&x->retry);
	tokens_leave(&x->token);
	if (f->attempt) { /* stopped from outside while it ran */
		struct attempt_record record;
		attempt_cancel(f->attempt, &record);
		record.outcome = x->outcome == OUTCOME_FAILED && record.has_sent_body
					 ? OUTCOME_UNKNOWN
					 : x->outcome;
		record.err = x->verdict.err;
		attempt_account(x, &record);
	}
	if (x->outcome == OUTCOME_FAILED && f->unknown > 0)
		x->outcome = OUTCOME_UNKNOWN;
	secret_unref(x->secret);
	x->secret = NULL;
	settle_record(x, &r);
	if (x->organs->journal && journal_settle(x->organs->journal, &r, &why) != OK)
		log_error("ledger.exchange_lost", "id=%s why=\"%s\"", x->id, why.message);
	char provider[sizeof r.provider * 2], model[sizeof r.target_model * 2];
	log_info("exchange.end",
		"id=%s outcome=%s class=%s uid=%u provider=%s model=%s attempts=%u input=%" PRId64
		" output=%" PRId64 " cost_nusd=%" PRId64 " ttft_us=%" PRId64 " took_us=%" PRId64,
		x->id, outcome_name(x->outcome), r.err ? err_info(r.err)->word : "ok", r.uid,
		log_quote(provider, sizeof provider, span_str(r.provider)),
		log_quote(model, sizeof model, span_str(r.target_model)), r.attempts,
		usage_input_total(&r.usage), usage_output_total(&r.usage), r.usage.cost_nusd,
		r.ttft_us, r.total_us);
	if (x->verdict.err) {
		struct fault said = x->verdict;
		memcpy(said.request_id, x->id, sizeof x->id); /* the provider's is in the ledger */
		flight_fail(f, &said);
	} else {
		const struct reply_end end = {
			.usage = r.usage,
			.provider = r.provider[0] ? span_str(r.provider) : SPAN_NONE,
			.model = r.provider[0] ? span_str(r.target_model) : SPAN_NONE,
			.request_id = span_str(x->id),
			.ttft_us = r.ttft_us,
			.total_us = r.total_us,
			.attempts = r.attempts,
		};
		flight_end(f, &end);
	}
	x->organs->n_served++;
	return END;
}

static enum state step_end(struct exchange *x)
{
	(void)x;
	return END;
}

/* ---- the table ---- */

#define TO(state) (1u << (state))

static const struct {
	const char *name;
	enum state (*step)(struct exchange *x);
	unsigned to;
} states[] = {
	[BODY] = {"body",    step_body,    TO(ADMIT) | TO(SETTLE)              },
	[ADMIT] = {"admit",   step_admit,   TO(ROUTE) | TO(SETTLE)              },
	[ROUTE] = {"route",   step_route,   TO(RESERVE) | TO(SETTLE)            },
	[RESERVE] = {"reserve", step_reserve, TO(PREPARE) | TO(ROUTE) | TO(SETTLE)},
	[PREPARE] = {"prepare", step_prepare, TO(SEND) | TO(ROUTE) | TO(SETTLE)   },
	[SEND] = {"send",    step_send,    TO(RELAY) | TO(ROUTE) | TO(SETTLE)  },
	[RELAY] = {"relay",   step_relay,   TO(ROUTE) | TO(SETTLE)              },
	[SETTLE] = {"settle",  step_settle,  TO(END)                             },
	[END] = {"end",     step_end,     0				   },
};

/* The only line that assigns the state. */
static void exchange_enter(struct exchange *x, enum state next)
{
	if (next == x->state)
		return;
	assert(states[x->state].to & TO(next));
	log_debug("exchange.state", "id=%s from=%s to=%s", x->id, states[x->state].name,
		states[next].name);
	x->state = next;
}

/* Walks on until a step has to wait. */
static void exchange_run(struct exchange *x)
{
	if (x->is_running)
		return;
	x->is_running = true;
	for (;;) {
		const enum state next = states[x->state].step(x);
		if (next == x->state)
			break;
		exchange_enter(x, next);
	}
	x->is_running = false;
}

/* ---- from outside ---- */

static void on_flight_event(void *context)
{
	struct exchange *x = context;
	x->caller.on_ready(x->caller.context);
}

/* From wherever it is to its end, if it has not come there by itself. */
static void exchange_stop(struct exchange *x, const struct fault *why)
{
	if (x->state >= SETTLE)
		return;
	exchange_enter(
		x, fail(x, why->err == ERR_CANCELLED ? OUTCOME_CANCELLED : OUTCOME_FAILED, why));
	exchange_run(x);
}

static void on_deadline(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, deadline);
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_TIMEOUT, "the call's time is over: %" PRId64 " ms",
		(loop_now_us(x->organs->loop) - x->flight->begun_us) / 1000);
	exchange_stop(x, &why);
}

static void on_retry(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, retry);
	x->is_retry_due = false;
	exchange_run(x);
}

struct exchange *exchange_new(struct organs *o, const struct peer_id *peer, const struct call *c,
	const struct exchange_caller *caller)
{
	struct exchange *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	x->organs = o;
	x->caller = *caller;
	x->peer = *peer;
	x->telling = x->verdict = FAULT_NONE;
	x->outcome = OUTCOME_FAILED;
	x->max_cost_nusd = c->max_cost_nusd;
	x->is_at_most_once = c->is_at_most_once;
	x->body_bytes = c->body_bytes;
	recall_init(&x->recall);
	x->flight = flight_new(o);
	if (!x->flight) {
		free(x);
		return NULL;
	}
	x->flight->on_event = on_flight_event;
	x->flight->context = x;
	x->flight->op = c->op;
	unsigned char random[16 + sizeof x->seed]; /* drawn at once: each draw is a system call */
	randombytes_buf(random, sizeof random);
	memcpy(&x->seed, random + 16, sizeof x->seed);
	make_id(x->id, x->flight->begun_wall_us, random);
	event_log_join(&x->flight->log, &x->cursor);
	LIST_PUSH(o->exchanges, x);
	o->n_exchanges++;

	int64_t limit_us = x->flight->config->request_us;
	const int64_t asked_us = num_mul_sat(c->timeout_ms, 1000);
	if (asked_us > 0 && asked_us < limit_us)
		limit_us = asked_us;
	x->deadline.on_fire = on_deadline;
	x->retry.on_fire = on_retry;
	x->token.on_token = on_token;
	loop_timer_set(o->loop, &x->deadline, limit_us);
	if (span_is_set(c->body)) {
		buf_span(&x->flight->body, c->body); /* small, and there are max_calls of them */
		o->body_bytes += x->flight->body.n;
		x->is_body_whole = true;
	}
	exchange_run(x);
	return x;
}

enum err exchange_body(struct exchange *x, const struct data *d, struct fault *why)
{
	struct buf *body = &x->flight->body;
	if (x->state > BODY)
		return x->is_body_whole ? fault_set(why, ERR_PROTOCOL,
						  "data after the last piece of the body")
					: OK; /* it has failed meanwhile: the rest is not wanted */
	if (x->organs->body_bytes + d->bytes.n > x->organs->max_body_bytes)
		return fault_set(why, ERR_OVERLOADED,
			"the requests under way are %zu MiB together, which is the limit: try "
			"again "
			"when some have ended",
			x->organs->max_body_bytes >> 20);
	buf_span(body, d->bytes);
	if (buf_error(body))
		return fault_set(why, buf_error(body), "the body is longer than %zu bytes",
			LIMIT_BODY_BYTES);
	x->organs->body_bytes += d->bytes.n;
	if (x->body_bytes >= 0 && (int64_t)body->n > x->body_bytes)
		return fault_set(why, ERR_INVALID_REQUEST,
			"the body is longer than the %" PRId64 " bytes announced", x->body_bytes);
	if (!d->is_last)
		return OK;
	if (x->body_bytes >= 0 && (int64_t)body->n < x->body_bytes)
		return fault_set(why, ERR_INVALID_REQUEST,
			"the body is %zu bytes, and %" PRId64 " were announced", body->n,
			x->body_bytes);
	x->is_body_whole = true;
	exchange_run(x);
	return OK;
}

bool exchange_peek(const struct exchange *x, int *frame_type, struct span *body)
{
	return event_log_peek(&x->flight->log, &x->cursor, frame_type, body);
}

void exchange_take(struct exchange *x)
{
	event_log_take(&x->flight->log, &x->cursor);
	flight_read(x->flight);
	if (x->state == ROUTE)
		exchange_run(x); /* it may have waited for its reader */
}

bool exchange_is_over(const struct exchange *x)
{
	int frame_type;
	struct span body;
	return x->state == END && !exchange_peek(x, &frame_type, &body);
}

void exchange_cancel(struct exchange *x, const struct fault *why)
{
	int frame_type;
	struct span body;
	exchange_stop(x, why);
	while (x->verdict.err && exchange_peek(x, &frame_type, &body) && frame_type != FRAME_FAULT)
		exchange_take(x);
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_CANCELLED, "the caller is gone");
	exchange_cancel(x, &why);
	event_log_leave(&x->flight->log, &x->cursor);
	LIST_REMOVE(x->organs->exchanges, x);
	x->organs->n_exchanges--;
	x->organs->body_bytes -= x->flight->body.n;
	recall_done(&x->recall);
	flight_free(x->flight);
	free(x);
}

const char *exchange_id(const struct exchange *x)
{
	return x->id;
}
