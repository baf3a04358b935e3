/* step_ask.c - what has a person said of the caller, and what does one say now? */
#include "brokerd/exchange/steps.h"

/* A no, which comes before all rules. */
static enum state refuse(struct exchange *x)
{
	char who[PEER_TEXT_BYTES];
	struct fault why = FAULT_NONE;
	peer_grant_text(&x->peer, who);
	fault_set(&why, ERR_DENIED, "%.200s was cut off: `llmb app allow %.200s` lets it in again",
		who, who);
	return exchange_fail(x, OUTCOME_FAILED, &why);
}

/* By what was said until now; ASK: nothing was. */
static enum state judge(struct exchange *x)
{
	const struct grant *said = grants_find(x->organs->grants, &x->peer, exchange_now_s(x));
	if (said && !said->is_yes)
		return refuse(x);
	if (x->allowance.rule->allow != POLICY_ASK)
		return FOLLOW;
	if (!said)
		return ASK;
	struct grant *grant = arena_bytes(&x->flight->arena, sizeof *grant);
	if (!grant)
		return exchange_fail_with(x, ERR_NO_MEMORY, &FAULT_NONE);
	*grant = *said; /* copied, for the list changes */
	x->allowance.grant = grant;
	return FOLLOW;
}

static void on_answer(struct consent_wait *w, const struct fault *why)
{
	struct exchange *x = container_of(w, struct exchange, consent);
	const enum state next = why->err ? exchange_fail_with(x, why->err, why) : judge(x);
	struct fault gone = FAULT_NONE;
	if (next == ASK)
		fault_set(&gone, ERR_CONSENT, "what was said has been taken back meanwhile");
	exchange_go_on(x, next == ASK ? exchange_fail(x, OUTCOME_FAILED, &gone) : next);
}

enum state step_ask(struct exchange *x)
{
	struct fault why;
	fault_clear(&why);
	if (x->consent.question)
		return ASK;
	const enum state next = judge(x);
	if (next != ASK)
		return next;
	x->consent.on_answer = on_answer;
	const enum err err = consents_ask(x->organs->consents, &x->peer, &x->consent, &why);
	if (err)
		return exchange_fail_with(x, err, &why);
	flight_status(
		x->flight, "consent", "a person is asked whether this program may use the broker");
	return ASK;
}
