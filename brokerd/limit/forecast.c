/* forecast.c - what is left, and when it may be had? Nothing is taken. */
#include "brokerd/limit/limiter_parts.h"
#include "protocol/base/num.h"

int64_t limiter_left_nusd(
	struct limiter *l, const struct limit_subject *s, const struct limit_now *now)
{
	int64_t left_nusd = INT64_MAX;
	limiter_see(l, now);
	const struct limit_caller *caller = limiter_caller(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		counter_refresh(c, &l->clock, l->turn);
		for (size_t k = 0; k < c->n_budgets; k++) {
			const struct budget *b = &c->budgets[k];
			const int64_t of_this =
				b->spent_nusd < b->rule.nusd ? b->rule.nusd - b->spent_nusd : 0;
			if (!b->rule.is_soft && of_this < left_nusd)
				left_nusd = of_this;
		}
	}
	return left_nusd;
}

/* When a bucket has had `n`, however much that is: what is more than the whole of it comes as it grows back. */
static int64_t had_us(const struct bucket *b, int64_t n, int64_t now_us)
{
	if (b->amount == 0 || n <= b->amount)
		return b->amount == 0 ? now_us : bucket_ready_us(b, n, now_us);
	return num_add_sat(bucket_ready_us(b, b->amount, now_us),
		num_mul_div(n - b->amount, b->per_us, b->amount));
}

/* What comes before is a need too, of input and output as the call's own is. */
static struct limit_need need_behind(const struct limit_need *own, int64_t tokens_before)
{
	const int64_t all = num_add_sat(own->input_tokens, own->output_tokens);
	const int64_t input = all > 0 ? num_mul_div(tokens_before, own->input_tokens, all) : 0;
	return (struct limit_need){num_add_sat(own->input_tokens, input),
		num_add_sat(own->output_tokens, tokens_before - input), own->nusd};
}

int64_t limiter_ready_us(struct limiter *l, const struct limit_subject *s,
	const struct limit_need *need, size_t calls_before, int64_t tokens_before,
	const struct limit_now *now)
{
	int64_t ready_us = now->mono_us;
	limiter_see(l, now);
	const struct limit_need behind = need_behind(need, tokens_before);
	const struct limit_caller *caller = limiter_caller(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		struct obstacle own = {.verdict = LIMIT_HELD, .ready_us = INT64_MIN};
		int64_t units[COUNTER_BUCKETS];
		counter_refresh(c, &l->clock, l->turn);
		counter_test(c, s, need, &l->clock, l->now_us, &own);
		if (own.verdict == LIMIT_SPENT ||
			(own.verdict == LIMIT_WAIT && own.ready_us == INT64_MAX))
			return INT64_MAX;
		if (own.verdict == LIMIT_WAIT && own.ready_us > ready_us)
			ready_us = own.ready_us;
		counter_units(counter_is_shared(c) ? &behind : need, units);
		if (counter_has_asked(c, s))
			units[COUNTER_REQUESTS] = 0;
		if (counter_is_shared(c))
			units[COUNTER_REQUESTS] += (int64_t)calls_before;
		for (size_t k = 0; k < COUNTER_BUCKETS; k++) {
			const int64_t had = had_us(&c->buckets[k], units[k], l->now_us);
			if (had > ready_us)
				ready_us = had;
		}
	}
	return ready_us;
}

/* What those under way may give back; that they were asked they do not. */
static void add_held(const struct counter *c, int64_t to[COUNTER_BUCKETS])
{
	const struct limit_share *share;
	LIST_EACH(c->shares, share) {
		int64_t units[COUNTER_BUCKETS];
		counter_units(&share->hold->need, units);
		for (size_t k = COUNTER_INPUT; !share->is_counted && k < COUNTER_BUCKETS; k++)
			to[k] = num_add_sat(to[k], units[k]);
	}
}

int64_t limiter_sure_us(struct limiter *l, const struct limit_subject *s,
	const struct limit_need *need, size_t calls_before, const struct limit_now *now)
{
	limiter_see(l, now);
	int64_t sure_us = l->now_us;
	const struct limit_caller *caller = limiter_caller(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		const struct counter *c = caller->counters[i];
		int64_t units[COUNTER_BUCKETS], held[COUNTER_BUCKETS] = {0};
		counter_units(need, units);
		if (counter_has_asked(c, s))
			units[COUNTER_REQUESTS] = 0;
		add_held(c, held);
		if (counter_is_shared(c))
			units[COUNTER_REQUESTS] += (int64_t)calls_before;
		if (c->rest_us > sure_us)
			sure_us = c->rest_us;
		for (size_t k = 0; k < COUNTER_BUCKETS; k++) {
			const int64_t had =
				units[k] <= held[k]
					? l->now_us
					: had_us(&c->buckets[k], units[k] - held[k], l->now_us);
			if (had > sure_us)
				sure_us = had;
		}
	}
	return sure_us;
}

/* It was counted before, and nothing but how often one asks is limited there. */
static bool takes_nothing(const struct counter *c, const struct limit_subject *s)
{
	if (!counter_has_asked(c, s))
		return false;
	const struct limit_rule *r = c->rule;
	return r->input.amount == 0 && r->output.amount == 0 && r->tokens.amount == 0 &&
	       r->concurrency < 0 && r->n_budgets == 0;
}

size_t limiter_counters(struct limiter *l, const struct limit_subject *s,
	const void *to[LIMIT_HOLD_MAX], const struct limit_now *now)
{
	size_t n = 0;
	limiter_see(l, now);
	const struct limit_caller *caller = limiter_caller(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		if (!takes_nothing(caller->counters[i], s))
			to[n++] = caller->counters[i];
	}
	return n;
}

size_t limiter_asked_counters(struct limiter *l, const struct limit_subject *s,
	const void *to[LIMIT_HOLD_MAX], const struct limit_now *now)
{
	size_t n = 0;
	limiter_see(l, now);
	const struct limit_caller *caller = limiter_caller(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		const struct counter *c = caller->counters[i];
		if (c->rule && counter_rate(c->rule, COUNTER_REQUESTS)->amount > 0)
			to[n++] = c;
	}
	return n;
}
