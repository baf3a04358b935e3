/* step_send.c - one attempt: its proof, its sending, what comes of it. */
#include "brokerd/exchange/steps.h"

#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/hedge.h"
#include "brokerd/exchange/listing.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/pins.h"
#include "brokerd/exchange/pulse.h"
#include "brokerd/exchange/slow.h"
#include "brokerd/route/retry.h"
#include "protocol/event.h"

/* What should prove it is not to be had: that costs the next one as much. */
void exchange_unproved(struct exchange *x, const struct fault *why)
{
	if (exchange_renewal(x, why))
		pulse_unsent(x);
	else
		pulse_unproved(x, why);
}

static enum state unproved(struct exchange *x, const struct fault *why)
{
	exchange_unproved(x, why);
	return exchange_after_failure(x, OUTCOME_FAILED, why);
}

enum state step_prepare(struct exchange *x)
{
	struct leg *l = x->flight->leg;
	struct fault why = FAULT_NONE;
	if (token_is_awaited(&l->token))
		return PREPARE;
	l->same++; /* a try, even where it does not come to sending */
	const enum err err = exchange_prove(x, &why);
	if (err == ERR_MORE)
		return PREPARE;
	return err ? unproved(x, &why) : SEND;
}

enum err exchange_prove(struct exchange *x, struct fault *why)
{
	struct leg *l = x->flight->leg;
	const struct target *t = exchange_target(x);
	secret_unref(l->secret);
	l->secret = NULL;
	if (t->auth == AUTH_NONE || attempt_is_local(t, x->flight->op))
		return OK;
	const enum err err = tokens_prove(
		x->organs->tokens, x->flight->config, t, t->key, &l->token, &l->secret, why);
	if (err)
		pulse_begin(x);
	if (err && err != ERR_MORE && !why->err)
		fault_set(why, err, "%s", err_info(err)->sentence);
	return err;
}

static enum err tell(struct flight *f, const struct notes *n)
{
	for (size_t i = 0; i < n->n_warnings; i++) {
		struct llm_event e = {.type = EV_WARNING};
		e.warning = n->warnings[i];
		const enum err err = flight_put(f, &e);
		if (err)
			return err;
	}
	return OK;
}

/* What was read otherwise than its caller wrote it, once that goes out; and what the target does not get: the
 * same target's are the same each time. */
static enum err tell_warnings(struct exchange *x)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	enum err err = OK;
	if (x->is_relayed && !l->is_forwarded && !x->has_told_reading) {
		x->has_told_reading = true;
		err = tell(f, &x->relay.notes);
	}
	if (err || x->n_warned > l->target)
		return err;
	x->n_warned = l->target + 1;
	return tell(f, attempt_notes(l->attempt));
}

/* An answer without any ends with the same. Of what is read beside its own bytes these say nothing. */
static bool is_content(const struct flight *f, const struct llm_event *e)
{
	if (e->type == EV_RAW)
		return f->op == LLM_OP_NATIVE;
	return event_is_content(e->type) || e->type == EV_FINISH;
}

static enum err take_event(struct exchange *x, const struct llm_event *e)
{
	struct leg *l = x->flight->leg;
	claim_served(x);
	if (is_content(x->flight, e) || e->type == EV_MODEL)
		pulse_first(x);
	if (x->flight->op == LLM_OP_MODELS)
		return e->type == EV_MODEL ? listing_put(x->flight, &x->allowance, e) : OK;
	if (l->is_forwarded && e->type == EV_WARNING)
		return OK; /* of what the ear had to mend: the bytes are as they came */
	pins_note(x->organs->items, x->owner, exchange_target(x), e, exchange_now_s(x));
	recall_note(
		&l->recall, x->organs->items, x->owner, exchange_target(x), e, exchange_now_s(x));
	/* of one that raced against another they are told now that it answers */
	const enum err err =
		is_content(x->flight, e) && !x->flight->has_content ? tell_warnings(x) : OK;
	return err ? err : resume_put(x, e);
}

static enum err on_attempt_event(void *context, const struct llm_event *e)
{
	struct leg *l = context;
	if (l->is_over)
		return e->type == EV_USAGE ? flight_put(l->exchange->flight, e) : OK;
	struct leg *was = hedge_listen(l, is_content(l->exchange->flight, e));
	const enum err err = take_event(l->exchange, e);
	hedge_heard(was);
	return err;
}

static enum state relay_ended(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	if (why->err)
		return exchange_after_failure(x, outcome, why);
	if (x->flight->op == LLM_OP_MODELS)
		return x->flight->pages.has_more ? exchange_next_page(x) : exchange_next_listing(x);
	if (flight_next_batch(x->flight))
		return ROUTE;
	x->outcome = OUTCOME_OK;
	mishap_drop(&x->verdict);
	return SETTLE;
}

void exchange_on_token(struct token_wait *w, struct secret *token, const struct fault *why)
{
	struct leg *l = container_of(w, struct leg, token);
	struct exchange *x = l->exchange;
	l->secret = token ? secret_ref(token) : NULL;
	if (l != x->flight->leg) {
		hedge_on_token(l, why);
		return;
	}
	if (token)
		pulse_unsent(x);
	exchange_go_on(x, token ? SEND : unproved(x, why));
}

/* Is it nobody's any more? Whoever went behind its last word has had it. */
static bool is_left_over(const struct exchange *x, const struct fault *why)
{
	return x->left.is_left && !memo_is_shared(x) && (why->err || !x->left.is_told);
}

static void on_attempt_end(
	void *context, const struct attempt_record *record, const struct fault *why)
{
	struct leg *l = context, *rival = hedge_rival(l);
	struct exchange *x = l->exchange;
	const enum outcome outcome = record->outcome;
	struct flight *f = x->flight;
	f->leg = l;
	loop_timer_stop(&x->hedge.due);
	struct fault said = mishap_err(&f->untold) ? *mishap_fault(&f->untold) : *why;
	if (!said.err && pages_turn(&f->pages, attempt_more(l->attempt), &f->arena))
		fault_set(&said, ERR_NO_MEMORY, "no memory for the next page of a list");
	if (exchange_renewal(x, why))
		pulse_drop(x); /* a token that is over says nothing of its key */
	else
		pulse_end(x, outcome, why);
	exchange_account(x, record);
	if (rival && hedge_ended(l, rival, &said))
		return;
	if (said.err)
		flight_withdraw(f);
	x->left.is_whole = x->left.is_left && !said.err && l->n_finished > 0;
	exchange_go_on(
		x, is_left_over(x, &said) ? exchange_left_over(x) : relay_ended(x, outcome, &said));
}

static void on_attempt_rates(void *context, const struct rates *said)
{
	struct leg *l = context;
	struct leg *was = hedge_listen(l, false);
	claim_learn(l->exchange, said);
	hedge_heard(was);
}

bool exchange_may_forward(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct target *t = exchange_target(x);
	const struct dialect *d = dialect_find(t->family);
	if (f->op == LLM_OP_NATIVE)
		return true;
	/* what two providers have written is told in one hand */
	return x->is_relayed && !x->resume.is_on && d == x->relay.surface->dialect &&
	       d->ops[f->op] && d->ops[f->op]->forward && !attempt_is_local(t, f->op) &&
	       f->leg->asked.n_inputs == f->request.n_inputs && !carry_is_in(x->relay.body.text) &&
	       (f->request.is_stream || !t->quirks.is_stream_forced);
}

/* NULL: its own bytes do not go. `is_whole`: all that it brings back can be read there. */
static const struct forwarded *forward(struct exchange *x, bool is_whole)
{
	struct leg *l = x->flight->leg;
	const struct relay *r = &x->relay;
	l->is_forwarded = is_whole && exchange_may_forward(x);
	l->forwarded = (struct forwarded){.request = &l->asked,
		.body = r->body,
		.call = &r->call,
		.form = r->notes.form,
		.wants_usage_event = r->notes.wants_usage_event || x->flight->op == LLM_OP_NATIVE,
		.is_kept = r->keeps};
	return l->is_forwarded ? &l->forwarded : NULL;
}

/* By the rule for its caller: no marks for the provider's cache, or some of ours. */
static enum err choose_marks(
	struct exchange *x, const struct target *t, const struct llm_request **request)
{
	struct arena *a = &x->flight->arena;
	const struct llm_request *asked = *request;
	if (x->flight->op != LLM_OP_CHAT)
		return OK;
	switch (allowance_prompt_cache(&x->allowance)) {
	case POLICY_PROMPTS_OFF:
		return marks_remove(asked, a, request);
	case POLICY_PROMPTS_ASKED:
		return OK;
	case POLICY_PROMPTS_AUTO:
		return marks_set(asked, t, SPAN("5m"), a, request);
	case POLICY_PROMPTS_AUTO_1H:
		return marks_set(asked, t, SPAN("1h"), a, request);
	}
	return OK;
}

enum err exchange_as_sent(const struct exchange *x, const struct llm_request *asked,
	struct arena *a, const struct llm_request **out, bool *is_whole)
{
	struct items *store = x->organs->items;
	const struct target *t = exchange_target(x);
	const int64_t now_s = exchange_now_s(x);
	const enum err err = pins_leave_out(store, x->owner, t, a, asked, now_s, out);
	*is_whole = *out == asked;
	const struct llm_request *without = *out;
	return err || (*is_whole && exchange_may_forward(x))
		       ? err
		       : recall_restore(store, x->owner, t, a, without, now_s, out);
}

/* The request as it goes to the target in hand. *forwarded: its caller's own bytes go; NULL: they do not. */
static enum err choose_request(
	struct exchange *x, const struct llm_request **request, const struct forwarded **forwarded)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	bool is_whole;
	enum err err = exchange_as_sent(x, &l->asked, &f->arena, request, &is_whole);
	if (!err)
		memo_note_sent(x, *request);
	*forwarded = forward(x, is_whole);
	if (err || *forwarded)
		return err;
	if (!is_whole && x->n_warned <= l->target) {
		struct llm_event e = {.type = EV_WARNING};
		e.warning.code = SPAN("reasoning_dropped");
		e.warning.param = SPAN("messages");
		e.warning.message =
			SPAN("signatures and encrypted items of another provider's were "
			     "left out: none but their maker can read them");
		err = flight_put(f, &e);
	}
	return err ? err : choose_marks(x, exchange_target(x), request);
}

/* As it goes to the first one that is asked; of several requests that it becomes, the first. */
static void keep_prompt(const struct exchange *x)
{
	const struct flight *f = x->flight;
	if (f->attempts == 1 && f->op != LLM_OP_MODELS)
		prompts_keep(x->organs->prompts, span_str(x->id), attempt_body(f->leg->attempt));
}

/* Whatever its encoder makes room for, no more goes out than was set aside. NULL: out of memory. */
static const struct target *bounded_target(struct exchange *x)
{
	struct leg *l = x->flight->leg;
	const struct target *t = exchange_target(x);
	int64_t most;
	const bool is_held = allowance_ceiling(&x->allowance, CEILING_OUTPUT, &most) != NULL;
	if (l->output_most < 0 && !is_held)
		return t;
	if (!l->bounded)
		l->bounded = arena_array(&x->flight->arena, 1, sizeof *l->bounded);
	if (!l->bounded)
		return NULL;
	*l->bounded = *t;
	l->bounded->is_bounded = true;
	if (l->output_most >= 0 &&
		(t->max_output_tokens <= 0 || t->max_output_tokens > l->output_most))
		l->bounded->max_output_tokens = l->output_most;
	return l->bounded;
}

/* A target that says nothing may have so much of the call's time, where another could still serve: half of it, of a whole
 * answer, which says nothing until it is finished, three quarters; and never so little that nobody could answer. */
#define SHARE_LEAST_US INT64_C(2000000)
static int64_t share_us(const struct exchange *x, bool is_whole)
{
	const struct flight *f = x->flight;
	const int64_t left_us = exchange_left_us(x);
	const int64_t share = is_whole ? left_us - left_us / 4 : left_us / 2;
	if (f->batches > 0 || share < SHARE_LEAST_US || !pulse_has_other(x))
		return left_us;
	return share;
}

/* The same of what comes once it is sent: what may have been served goes elsewhere once, if at all. One that races against
 * another is that one. */
static int64_t sent_share_us(const struct exchange *x, bool is_whole)
{
	const struct flight *f = x->flight;
	const bool is_last = exchange_sends_once(x) || f->unknown > 0 || hedge_rival(f->leg);
	return is_last ? exchange_left_us(x) : share_us(x, is_whole);
}

static int64_t shorter_us(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct config_timers timers_of(const struct exchange *x)
{
	const struct config *c = x->flight->config;
	struct config_timers timers;
	config_timers(c, config_provider(c, exchange_target(x)->provider), &timers);
	return timers;
}

/* How long it may take to each of its stages. */
static struct transfer_limits limits_of(const struct exchange *x, const struct config_timers *t)
{
	const bool is_stream = x->flight->request.is_stream;
	return (struct transfer_limits){
		.connect_us = shorter_us(t->connect_us, share_us(x, false)),
		.tls_us = t->tls_us,
		.first_byte_us = shorter_us(
			is_stream ? t->first_byte_us : t->reply_us, sent_share_us(x, !is_stream)),
		.idle_us = t->idle_us,
		.total_us = exchange_left_us(x),
	};
}

/* An answer that comes piece by piece, and is read here. */
static bool is_told_in_pieces(const struct flight *f)
{
	return f->request.is_stream && f->op != LLM_OP_NATIVE;
}

static int64_t first_token_us(const struct exchange *x, const struct config_timers *t)
{
	return is_told_in_pieces(x->flight) ? shorter_us(t->first_token_us, sent_share_us(x, false))
					    : 0;
}

/* The shortest of what the call's own time leaves less of than its provider has. */
static int64_t hurry_us(const struct transfer_limits *l, int64_t token_us,
	const struct config_timers *t, bool is_stream)
{
	const int64_t first_byte_us = is_stream ? t->first_byte_us : t->reply_us;
	int64_t us = l->total_us < first_byte_us ? l->total_us : INT64_MAX;
	if (l->connect_us < t->connect_us)
		us = shorter_us(us, l->connect_us);
	if (l->first_byte_us < first_byte_us)
		us = shorter_us(us, l->first_byte_us);
	return token_us > 0 && token_us < t->first_token_us ? shorter_us(us, token_us) : us;
}

/* What may take all that is left of the call's time is not over before the call is: its own deadline says why. */
#define BEHIND_US INT64_C(100000)
static int64_t behind_us(const struct exchange *x, int64_t us)
{
	return us > 0 && us >= exchange_left_us(x) ? us + BEHIND_US : us;
}

static struct transfer_limits behind(const struct exchange *x, struct transfer_limits l)
{
	l.connect_us = behind_us(x, l.connect_us);
	l.first_byte_us = behind_us(x, l.first_byte_us);
	l.total_us = behind_us(x, l.total_us);
	return l;
}

enum err exchange_begin(struct exchange *x, struct fault *why)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	const struct llm_request *request = &l->asked;
	const struct forwarded *forwarded = NULL;
	l->number = ++f->attempts;
	l->is_over = false;
	recall_rewind(&l->recall);
	const struct target *target = bounded_target(x);
	enum err err = target ? choose_request(x, &request, &forwarded) : ERR_NO_MEMORY;
	if (err)
		return fault_set(why, err, "%s", err_info(err)->sentence);
	const struct config_timers timers = timers_of(x);
	const struct transfer_limits limits = limits_of(x, &timers);
	const int64_t token_us = first_token_us(x, &timers);
	l->hurry_us = hurry_us(&limits, token_us, &timers, f->request.is_stream);
	const struct attempt_plan plan = {
		.op = f->op,
		.request = request,
		.target = target,
		.secret = l->secret,
		.limits = behind(x, limits),
		.first_token_us = behind_us(x, token_us),
		.token_us = is_told_in_pieces(f) ? timers.token_us : 0,
		.seed = x->seed + l->number - 1,
		.page = f->pages.at,
		.forwarded = forwarded,
	};
	const struct attempt_events events = {
		on_attempt_event, on_attempt_rates, on_attempt_end, l};
	err = attempt_new(x->organs, &plan, &events, &l->attempt, why);
	if (err)
		return err;
	memo_extend(x); /* where others read along, it is theirs too */
	l->floor = slow_floor(x);
	pulse_begin(x);
	return OK;
}

enum state step_send(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	if (!pulse_may_ask(x, &why)) { /* it has come to rest while a token was waited for */
		claim_release(x);
		x->flight->leg->same--;
		return exchange_rest(x, &why);
	}
	if (exchange_begin(x, &why))
		return exchange_after_failure(x, OUTCOME_FAILED, &why);
	keep_prompt(x);
	hedge_watch(x);
	const enum err unsaid = tell_warnings(x);
	return unsaid ? exchange_fail_with(x, unsaid, &why) : RELAY;
}

enum state step_relay(struct exchange *x)
{
	(void)x;
	return RELAY; /* events and the attempt's end come by callback */
}
