/* claim.c - between the exchange's words and the limiter's. */
#include "brokerd/exchange/claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/ledger/price.h"
#include "brokerd/limit/bucket.h"
#include "brokerd/log/log.h"
#include "brokerd/policy/policy.h"
#include "protocol/base/num.h"

#define DAY_US   INT64_C(86400000000)
#define NUSD_MAX INT64_C(1000000000000000000) /* as much as a budget can have */

/* Who asks. */
struct claimant {
	struct limit_subject subject, before;
};

static void claimant(const struct exchange *x, struct claimant *out)
{
	const struct target *t = exchange_target(x);
	out->subject = (struct limit_subject){
		.app = span_str(x->account),
		.policy = x->allowance.rule ? x->allowance.rule->name : SPAN_NONE,
		.provider = t->provider,
		.key = t->key,
		.model = t->model,
		.asked = exchange_asked_name(x, t),
		.uid = (uint32_t)x->peer.uid,
	};
}

/* And what was counted of it before it came to an attempt. */
static void returning_claimant(const struct exchange *x, struct claimant *out)
{
	const struct memo *m = &x->memo;
	claimant(x, out);
	if (!m->has_asked)
		return;
	out->before = out->subject;
	out->before.provider = out->before.key = SPAN_NONE;
	out->before.model = m->asked_model;
	out->before.asked = m->asked_name;
	out->subject.before = &out->before;
}

static struct limit_now now(struct loop *l)
{
	return (struct limit_now){loop_now_us(l), loop_wall_us(l), loop_boot_us(l)};
}

/* What is answered here is nobody's to limit, unless a limit names it. */
static bool is_limited(const struct exchange *x)
{
	const struct config *c = x->organs->config;
	const struct target *t = exchange_target(x);
	if (!attempt_is_local(t, x->flight->op))
		return true;
	for (size_t i = 0; i < c->n_limits; i++) {
		if (words_fit(&c->limits[i].providers, t->provider))
			return true;
	}
	return false;
}

static int64_t at_most(int64_t n, int64_t most)
{
	return n < most ? n : most;
}

/* It has no answer that a model writes: it takes of how often one may ask, and nothing else. */
static bool only_asks(const struct exchange *x)
{
	return x->flight->op == LLM_OP_COUNT || x->flight->op == LLM_OP_MODELS;
}

/* No more than a limit can say. */
static struct limit_need need_of(const struct exchange *x, const struct bounds *b)
{
	if (only_asks(x))
		return (struct limit_need){0, 0, 0};
	return (struct limit_need){at_most(b->input_tokens, BUCKET_UNITS_MAX),
		at_most(b->output_tokens, BUCKET_UNITS_MAX), at_most(b->nusd, NUSD_MAX)};
}

/* Where one was just refused they go out one by one. */
static bool must_hold_off(struct exchange *x, struct limit_answer *out)
{
	char lane[CLAIM_NAME_BYTES];
	struct cautions *all = &x->organs->cautions;
	const struct target *t = exchange_target(x);
	if (all->n == 0 || caution_allows(all, claim_lane(x, lane), loop_now_us(x->organs->loop)))
		return false;
	out->verdict = LIMIT_WAIT;
	out->ready_us = INT64_MAX;
	out->is_shared = true;
	fault_set(&out->why, ERR_RATE_LIMITED,
		"provider %.*s has just refused a call for %.*s and does not say how much is left: "
		"it is asked by one after the other until it takes them again",
		SPAN_ARG(t->provider), SPAN_ARG(t->model));
	return true;
}

static void begin_caution(struct exchange *x)
{
	struct leg *l = x->flight->leg;
	char lane[CLAIM_NAME_BYTES];
	struct cautions *all = &x->organs->cautions;
	l->caution = all->n > 0
			     ? caution_begin(all, claim_lane(x, lane), loop_now_us(x->organs->loop))
			     : NULL;
	l->has_figures = false;
	l->rest_us = 0;
}

/* ---- what is told ---- */

/* What all spend is for those who may list the limits. */
static bool may_see_figures(const struct exchange *x)
{
	struct call c = CALL_INIT;
	c.kind = CALL_ADMIN;
	c.admin_op = SPAN("budget.list");
	return allowance_may(&x->allowance, &x->peer, &c);
}

static void forget_concealed(struct exchange *x)
{
	free(x->concealed);
	x->concealed = NULL;
}

void claim_conceal(struct exchange *x, struct limit_answer *out)
{
	struct fault *why = &out->why;
	forget_concealed(x);
	if (may_see_figures(x))
		return;
	x->concealed = strdup(why->message); /* without memory the log has less */
	fault_text(why->message, sizeof why->message, span_str(out->outline));
}

void claim_note_refused(const struct exchange *x, const struct fault *why)
{
	char quoted[2 * sizeof why->message];
	if (x->concealed)
		log_info("limit.refused", "id=%s class=%s why=%s", x->id, err_info(why->err)->word,
			log_quote(quoted, sizeof quoted, span_str(x->concealed)));
}

/* ---- what is set aside ---- */

/* Nothing stands in the way; of its texts no more than the first byte is written. */
static void answer_held(struct limit_answer *out)
{
	out->verdict = LIMIT_HELD;
	out->ready_us = out->reset_us = 0;
	out->is_shared = false;
	out->lacks = NULL;
	fault_clear(&out->why);
	out->outline[0] = '\0';
}

void claim_take(struct exchange *x, const struct bounds *b, struct limit_answer *out)
{
	struct claimant c;
	const struct limit_need need = need_of(x, b);
	const struct limit_now at = now(x->organs->loop);
	answer_held(out);
	forget_concealed(x);
	if (!is_limited(x) || must_hold_off(x, out))
		return;
	returning_claimant(x, &c);
	limiter_take(x->organs->limiter, &c.subject, &need, &at, &x->flight->leg->hold, out);
	if (out->verdict != LIMIT_HELD) {
		claim_conceal(x, out);
		return;
	}
	x->flight->leg->has_asked = x->memo.has_asked;
	x->memo.has_asked = false;
	begin_caution(x);
}

/* So long after the one who goes before it, it tries. */
#define BEHIND_US INT64_C(10000)

/* Who came before, and waits until one may ask again. It need not wait for those who wait for a provider, or for money. */
static struct turn *recall_overtakes(const struct exchange *x, const struct claimant *c)
{
	const void *counters[LIMIT_HOLD_MAX];
	const struct limit_now at = now(x->organs->loop);
	if (turns_n(x->organs->turns) == 0)
		return NULL;
	const size_t n = limiter_asked_counters(x->organs->limiter, &c->subject, counters, &at);
	struct turn *first = turns_lacking(x->organs->turns, counters, n, x->is_batch);
	if (!first)
		return NULL;
	const struct exchange *other = container_of(first, struct exchange, turn);
	return other->waits_since_us < x->flight->begun_us &&
			       mishap_err(&other->waits_for) == ERR_RATE_LIMITED &&
			       first->place.ready_us != INT64_MAX
		       ? first
		       : NULL;
}

void claim_recall(struct exchange *x, struct limit_answer *out)
{
	struct claimant c;
	struct limit_hold hold = {.limiter = NULL};
	const struct limit_need need = {0, 0, 0};
	const struct limit_use use = {0, 0, 0};
	const struct limit_now at = now(x->organs->loop);
	answer_held(out);
	forget_concealed(x);
	if (!x->organs->limiter || x->organs->config->n_limits == 0)
		return; /* what a provider says of its own limits is nothing to this */
	claimant(x, &c);
	c.subject.provider = c.subject.key = SPAN_NONE;
	struct turn *first = recall_overtakes(x, &c);
	if (first) {
		const int64_t after_us = num_add_sat(first->place.ready_us, BEHIND_US);
		exchange_let_before(x, first, out);
		out->ready_us =
			after_us > at.mono_us + BEHIND_US ? after_us : at.mono_us + BEHIND_US;
		return;
	}
	limiter_take(x->organs->limiter, &c.subject, &need, &at, &hold, out);
	if (out->verdict == LIMIT_HELD) {
		limiter_settle(&hold, &use, &at);
		x->memo.asked_model = c.subject.model;
		x->memo.asked_name = c.subject.asked;
		x->memo.has_asked = true;
	} else if (out->verdict == LIMIT_WAIT && out->ready_us == INT64_MAX) {
		/* for calls to end: it is none that takes a provider's time */
		answer_held(out);
	} else {
		claim_conceal(x, out);
	}
}

bool claim_asked(struct organs *o, const struct limit_subject *who)
{
	struct limit_answer answer;
	struct limit_hold hold = {.limiter = NULL};
	const struct limit_need need = {0, 0, 0};
	const struct limit_use use = {0, 0, 0};
	const struct limit_now at = now(o->loop);
	if (!o->limiter || o->config->n_limits == 0)
		return true;
	if (turns_n(o->turns) > 0)
		return false;
	answer_held(&answer);
	limiter_take(o->limiter, who, &need, &at, &hold, &answer);
	if (answer.verdict == LIMIT_HELD)
		limiter_settle(&hold, &use, &at);
	return answer.verdict == LIMIT_HELD;
}

struct turn *claim_overtakes(const struct exchange *x, const struct bounds *b)
{
	struct claimant c;
	const void *counters[LIMIT_HOLD_MAX];
	const struct limit_now at = now(x->organs->loop);
	if (only_asks(x) || !is_limited(x) || turns_n(x->organs->turns) == 0)
		return NULL;
	returning_claimant(x, &c);
	const size_t n = limiter_counters(x->organs->limiter, &c.subject, counters, &at);
	struct turn *first = turns_lacking(x->organs->turns, counters, n, x->is_batch);
	/* what costs nothing takes nothing of what money is waited for */
	if (first && b->nusd == 0 &&
		mishap_err(&container_of(first, struct exchange, turn)->waits_for) == ERR_BUDGET)
		return NULL;
	return first;
}

int64_t claim_ready_us(
	const struct exchange *x, const struct bounds *b, const struct queue_view *before)
{
	struct claimant c;
	const struct limit_need need = need_of(x, b);
	const struct limit_now at = now(x->organs->loop);
	returning_claimant(x, &c);
	return limiter_ready_us(x->organs->limiter, &c.subject, &need, before->place - 1,
		before->tokens_before, &at);
}

int64_t claim_sure_us(
	const struct exchange *x, const struct bounds *b, const struct queue_view *before)
{
	struct claimant c;
	const struct limit_need need = need_of(x, b);
	const struct limit_now at = now(x->organs->loop);
	returning_claimant(x, &c);
	return limiter_sure_us(x->organs->limiter, &c.subject, &need, before->place - 1, &at);
}

/* ---- what it was ---- */

/* What is known of it: as the provider has it, else as we do, if need be with the price that budgets count where none
 * is known. -1: nothing. */
static int64_t counted_nusd(const struct exchange *x, const struct attempt_record *r)
{
	const struct flight *f = x->flight;
	const struct leg *l = f->leg;
	if (r->usage.provider_cost_nusd >= 0)
		return r->usage.provider_cost_nusd;
	if (l->attempt_nusd >= 0 || !l->has_usage)
		return l->attempt_nusd;
	return price_pessimistic_nusd(&l->price, &r->usage, exchange_unknown_price(x));
}

/* What it cost, where that is certain; -1: it is not. */
static int64_t certain_nusd(const struct exchange *x, const struct attempt_record *r)
{
	const struct flight *f = x->flight;
	const struct leg *l = f->leg;
	const int64_t nusd = counted_nusd(x, r);
	const bool is_whole =
		r->outcome == OUTCOME_OK ||
		(r->outcome == OUTCOME_CANCELLED && l->finish) || /* with its figures */
		nusd > l->claimed_nusd;
	if (exchange_is_free(x) || !r->has_sent_body)
		return 0;
	if (r->outcome == OUTCOME_FAILED && nusd < 0 && !f->has_batch_content)
		return 0; /* its provider says that it did not serve it */
	return is_whole || r->outcome == OUTCOME_FAILED ? nusd : -1;
}

/* Of what was answered on an endpoint that nobody here reads nothing is known. */
static bool is_unread(const struct exchange *x, const struct attempt_record *r)
{
	return x->flight->op == LLM_OP_NATIVE && r->outcome == OUTCOME_OK &&
	       !x->flight->leg->has_usage;
}

void claim_served(struct exchange *x)
{
	struct leg *l = x->flight->leg;
	if (!l->caution)
		return;
	caution_served(l->caution);
	l->caution = NULL;
	turns_stir(x->organs->turns);
}

/* Was it refused for a rate of which nobody has figures? Then those to come are few; once it is not, more. */
static void learn_caution(struct exchange *x, const struct attempt_record *r)
{
	struct leg *l = x->flight->leg;
	char name[CLAIM_NAME_BYTES];
	if (r->outcome == OUTCOME_OK)
		caution_served(l->caution);
	else
		caution_end(l->caution);
	l->caution = NULL;
	if (r->err == ERR_RATE_LIMITED && !l->has_figures)
		caution_refused(&x->organs->cautions, claim_lane(x, name),
			loop_now_us(x->organs->loop), l->rest_us);
}

/* What was counted before is there for the next attempt. */
static void release(struct exchange *x, const struct limit_now *at)
{
	struct leg *l = x->flight->leg;
	limiter_release(&l->hold, at);
	x->memo.has_asked = x->memo.has_asked || l->has_asked;
	l->has_asked = false;
}

void claim_settle(struct exchange *x, struct attempt_record *r)
{
	struct leg *l = x->flight->leg;
	struct limit_hold *hold = &l->hold;
	const struct limit_now at = now(x->organs->loop);
	struct limit_use use = {-1, -1, certain_nusd(x, r)};
	learn_caution(x, r);
	r->charged_nusd = use.nusd >= 0 ? use.nusd : l->claimed_nusd;
	if (use.nusd < 0 && is_unread(x, r)) {
		use.nusd = 0;
		r->charged_nusd = -1;
	}
	if (use.nusd >= 0) {
		use.input_tokens = usage_input_total(&r->usage);
		use.output_tokens = usage_output_total(&r->usage);
	}
	if (r->outcome == OUTCOME_FAILED && use.nusd == 0)
		use = (struct limit_use){0, 0, 0}; /* only that it was asked */
	if (only_asks(x))
		use = (struct limit_use){0, 0, 0};
	if (!r->has_sent_body) {
		release(x, &at);
		return;
	}
	limiter_settle(hold, &use, &at);
	l->has_asked = false;
}

void claim_release(struct exchange *x)
{
	struct leg *l = x->flight->leg;
	const struct limit_now at = now(x->organs->loop);
	caution_end(l->caution);
	l->caution = NULL;
	release(x, &at);
}

static bool has_figures(const struct rates *said)
{
	const struct rate *const all[] = {
		&said->requests, &said->tokens, &said->input, &said->output};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i]->limit >= 0 || all[i]->remaining >= 0)
			return true;
	}
	return false;
}

void claim_learn(struct exchange *x, const struct rates *said)
{
	struct leg *l = x->flight->leg;
	struct claimant c;
	const struct limit_now at = now(x->organs->loop);
	l->has_figures = has_figures(said);
	if (said->retry_after_ms >= 0)
		l->rest_us = num_add_sat(at.mono_us, num_mul_sat(said->retry_after_ms, 1000));
	if (l->rest_us > at.mono_us + DAY_US)
		l->rest_us = at.mono_us + DAY_US;
	claimant(x, &c);
	limiter_learn(x->organs->limiter, &c.subject, said, l->hold.turn, &at);
}

int64_t claim_left_nusd(const struct exchange *x)
{
	struct claimant c;
	const struct limit_now at = now(x->organs->loop);
	if (!is_limited(x))
		return INT64_MAX;
	claimant(x, &c);
	return limiter_left_nusd(x->organs->limiter, &c.subject, &at);
}

/* ---- soft budgets ---- */

/* For the one who runs the host, once as long as it lasts: by all of the sentence that does not change with it. */
static void note_soft(struct exchange *x, const struct fault *said)
{
	struct organs *o = x->organs;
	char quoted[2 * sizeof said->message];
	const struct span sentence = span_str(said->message);
	const struct span whose = span_first(sentence, span_find(sentence, SPAN("): ")));
	const int64_t now_us = loop_now_us(o->loop);
	const int64_t for_us =
		said->retry_after_ms >= 0 ? num_mul_sat(said->retry_after_ms, 1000) : DAY_US;
	if (!told_is_news(&o->told_budgets, whose, now_us, num_add_sat(now_us, for_us)))
		return;
	const struct audit_event e = {
		.what = "budget.soft", .who = &x->peer, .subject = whose, .detail = sentence};
	audit_record(o->audit, &e);
	log_warn("budget.soft", "id=%s why=%s", x->id, log_quote(quoted, sizeof quoted, sentence));
}

enum err claim_warn(struct exchange *x)
{
	struct claimant c;
	struct fault said = FAULT_NONE;
	const struct limit_now at = now(x->organs->loop);
	if (!x->flight->leg->hold.limiter || exchange_is_free(x))
		return OK;
	claimant(x, &c);
	for (size_t n = 0; limiter_soft(x->organs->limiter, &c.subject, &at, n, &said); n++) {
		struct llm_event e = {.type = EV_WARNING};
		note_soft(x, &said);
		if (x->has_told_budgets)
			continue;
		x->has_told_budgets = true;
		e.warning.code = SPAN("budget");
		e.warning.message =
			may_see_figures(x) ? span_str(said.message)
					   : SPAN("a budget is over, and nobody is refused for it");
		const enum err err = flight_warn(x->flight, &e);
		if (err)
			return err;
	}
	return OK;
}

/* ---- for the queue ---- */

struct span claim_identity(const struct exchange *x, char to[CLAIM_NAME_BYTES])
{
	const struct peer_id *p = &x->peer;
	char who[PEER_TEXT_BYTES];
	peer_grant_text(p, who); /* by claims nobody gets another turn */
	const int n = snprintf(to, CLAIM_NAME_BYTES, "%u %d %d %s %s", (unsigned)p->uid,
		(int)p->socket, (int)p->is_claim, p->profile, who);
	return span_of(to, (size_t)n);
}

struct span claim_lane(const struct exchange *x, char to[CLAIM_NAME_BYTES])
{
	struct claimant c;
	claimant(x, &c);
	const struct limit_subject *s = &c.subject;
	/* what only asks does not wait with what waits for tokens or for money */
	const int n = snprintf(to, CLAIM_NAME_BYTES, "%.*s/%.*s/%.*s%s",
		SPAN_ARG(span_first(s->provider, 128)), SPAN_ARG(span_first(s->key, 128)),
		SPAN_ARG(span_first(s->model, 240)), only_asks(x) ? " asked" : "");
	return span_of(to, (size_t)n);
}
