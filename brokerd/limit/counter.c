/* counter.c - four buckets, budgets, and whoever holds a share of them. */
#include "brokerd/limit/counter.h"

#include <assert.h>
#include <stdlib.h>

#include "brokerd/limit/learned.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"

void counter_units(const struct limit_need *need, int64_t to[COUNTER_BUCKETS])
{
	const int64_t most = BUCKET_UNITS_MAX;
	to[COUNTER_REQUESTS] = 1;
	to[COUNTER_INPUT] = need->input_tokens < most ? need->input_tokens : most;
	to[COUNTER_OUTPUT] = need->output_tokens < most ? need->output_tokens : most;
	to[COUNTER_TOKENS] = to[COUNTER_INPUT] + to[COUNTER_OUTPUT];
}

bool counter_has_asked(const struct counter *c, const struct limit_subject *s)
{
	return s->before && c->rule && subject_falls_under(s->before, c->rule) &&
	       subject_is_alike(s->before, s, c->each);
}

void counter_free(struct counter *c)
{
	assert(!c->shares && c->n_shares == 0);
	for (size_t i = 0; i < COUNTER_BUCKETS; i++)
		bucket_done(&c->buckets[i]);
	counter_forget_rule(c);
	free(c);
}

void counter_forget_rule(struct counter *c)
{
	for (size_t i = 0; i < c->n_budgets; i++)
		budget_done(&c->budgets[i]);
	free(c->budgets);
	c->budgets = NULL;
	c->n_budgets = 0;
	c->rule = NULL;
}

void counter_refresh(struct counter *c, const struct budget_clock *clock, uint64_t turn)
{
	for (size_t i = 0; i < c->n_budgets; i++)
		(void)budget_refresh(&c->budgets[i], clock, turn);
}

bool counter_is_shared(const struct counter *c)
{
	const uint32_t own = UINT32_C(1) << LIMIT_EACH_APP | UINT32_C(1) << LIMIT_EACH_USER |
			     UINT32_C(1) << LIMIT_EACH_POLICY;
	const struct limit_rule *r = c->rule;
	return !r ||
	       ((r->each & own) == 0 && r->apps.n == 0 && r->users.n == 0 && r->policies.n == 0);
}

/* ---- is it there? ---- */

static void consider(struct obstacle *worst, const struct obstacle *this)
{
	if (this->verdict > worst->verdict ||
		(this->verdict == worst->verdict && this->ready_us > worst->ready_us))
		*worst = *this;
}

static void test_budget(const struct counter *c, size_t i, int64_t nusd,
	const struct budget_clock *clock, struct obstacle *worst)
{
	const struct budget *b = &c->budgets[i];
	struct obstacle o = {.counter = c, .kind = OBSTACLE_BUDGET, .i = i};
	const int64_t spent_nusd = num_add_sat(b->spent_nusd, nusd);
	if (num_add_sat(spent_nusd, budget_reserved_nusd(b)) <= b->rule.nusd)
		return;
	if (spent_nusd > b->rule.nusd) {
		o.verdict = LIMIT_SPENT;
		o.ready_us = budget_ready_us(b, clock, nusd);
	} else {
		/* what others have set aside may be given back */
		o.verdict = LIMIT_WAIT;
		o.ready_us = INT64_MAX;
	}
	consider(worst, &o);
}

void counter_test(const struct counter *c, const struct limit_subject *s,
	const struct limit_need *need, const struct budget_clock *clock, int64_t now_us,
	struct obstacle *worst)
{
	int64_t units[COUNTER_BUCKETS];
	counter_units(need, units);
	if (counter_has_asked(c, s))
		units[COUNTER_REQUESTS] = 0;
	for (size_t i = 0; i < COUNTER_BUCKETS; i++) {
		if (c->buckets[i].used == 0)
			continue;
		const struct obstacle o = {LIMIT_WAIT,
			bucket_ready_us(&c->buckets[i], units[i], now_us), c, OBSTACLE_BUCKET, i};
		if (o.ready_us > now_us)
			consider(worst, &o);
	}
	if (c->rest_us > now_us) {
		const struct obstacle o = {LIMIT_WAIT, c->rest_us, c, OBSTACLE_REST, 0};
		consider(worst, &o);
	}
	if (c->rule && c->rule->concurrency >= 0 && c->n_shares >= (size_t)c->rule->concurrency) {
		const struct obstacle o = {LIMIT_WAIT, INT64_MAX, c, OBSTACLE_CONCURRENCY, 0};
		consider(worst, &o);
	}
	/* what costs nothing is not refused */
	for (size_t i = 0; need->nusd > 0 && i < c->n_budgets; i++) {
		if (!c->budgets[i].rule.is_soft)
			test_budget(c, i, need->nusd, clock, worst);
	}
}

/* ---- shares ---- */

void counter_take(struct counter *c, const struct limit_subject *s, struct limit_hold *h,
	struct limit_share *share, int64_t now_us)
{
	int64_t units[COUNTER_BUCKETS];
	counter_units(&h->need, units);
	*share =
		(struct limit_share){.hold = h, .counter = c, .has_asked = counter_has_asked(c, s)};
	if (share->has_asked)
		units[COUNTER_REQUESTS] = 0;
	LIST_PUSH(c->shares, share);
	c->n_shares++;
	for (size_t i = 0; i < COUNTER_BUCKETS; i++)
		bucket_take(&c->buckets[i], units[i], h->turn, now_us);
	for (size_t i = 0; i < c->n_budgets; i++)
		budget_reserve(&c->budgets[i], h->need.nusd);
	if (c->is_learned)
		learned_taken(c, share);
}

static void settle_bucket(
	struct bucket *b, int64_t had, int64_t used, uint64_t turn, int64_t now_us)
{
	if (used < had)
		bucket_give(b, had - used, turn, now_us);
	else
		bucket_owe(b, used - had, now_us);
}

void counter_settle(struct counter *c, struct limit_share *share, const struct limit_use *use,
	const struct budget_clock *clock, int64_t now_us)
{
	const struct limit_hold *h = share->hold;
	const struct limit_need truth =
		use ? (struct limit_need){use->input_tokens, use->output_tokens, use->nusd}
		    : (struct limit_need){0, 0, 0};
	int64_t had[COUNTER_BUCKETS], used[COUNTER_BUCKETS];
	counter_units(&h->need, had);
	counter_units(&truth, used);
	used[COUNTER_REQUESTS] = use != NULL;
	if (share->has_asked)
		had[COUNTER_REQUESTS] = used[COUNTER_REQUESTS] = 0;
	/* what the provider's figures have, they have as the provider counts it */
	for (size_t i = 0; i < COUNTER_BUCKETS && !share->is_counted; i++)
		settle_bucket(&c->buckets[i], had[i], used[i], h->turn, now_us);
	if (c->is_learned)
		learned_gone(c, share);
	for (size_t i = 0; i < c->n_budgets; i++) {
		struct budget *b = &c->budgets[i];
		if (!budget_counts(b, h->turn))
			continue;
		budget_unreserve(b, h->need.nusd);
		if (use && b->is_rolling)
			budget_add(b, clock, h->real_us, h->wall_us, use->nusd);
		else if (use)
			b->spent_nusd = num_add_sat(b->spent_nusd, use->nusd);
	}
	LIST_REMOVE(c->shares, share);
	c->n_shares--;
	share->counter = NULL;
}

bool counter_is_whole(const struct counter *c, const struct budget_clock *clock, int64_t now_us)
{
	bool is_whole = c->n_shares == 0 && c->rest_us <= now_us;
	for (size_t i = 0; is_whole && i < COUNTER_BUCKETS; i++)
		is_whole = bucket_is_full(&c->buckets[i], now_us);
	for (size_t i = 0; is_whole && i < c->n_budgets; i++)
		is_whole = budget_is_whole(&c->budgets[i], clock);
	return is_whole;
}

const struct rate_rule *counter_rate(const struct limit_rule *r, size_t i)
{
	const struct rate_rule *const rates[COUNTER_BUCKETS] = {[COUNTER_REQUESTS] = &r->requests,
		[COUNTER_INPUT] = &r->input,
		[COUNTER_OUTPUT] = &r->output,
		[COUNTER_TOKENS] = &r->tokens};
	return rates[i];
}
