/* callers.c - which counters a call falls under, and how long they live. */
#include <assert.h>

#include "brokerd/limit/limiter_parts.h"
#include "protocol/base/num.h"

#define SECOND_US    INT64_C(1000000)
#define CALLERS_MAX  ((size_t)65536) /* that are remembered while they do nothing */
#define COUNTERS_MAX ((size_t)65536) /* beyond it those that a limit would tell apart share one */
#define SWEEP        2               /* of those that nobody uses, looked at for each new one */

/* ---- counters ---- */

void limiter_drop_counter(struct limiter *l, struct counter *c)
{
	if (c->is_idle)
		LIST_REMOVE(l->idle, c);
	TABLE_REMOVE(l->counters, c);
	l->n_counters--;
	counter_free(c);
}

void limiter_note_use(struct limiter *l, struct counter *c)
{
	const bool is_idle = c->n_callers == 0 && c->n_shares == 0;
	if (is_idle && !c->rule && !c->is_learned) {
		limiter_drop_counter(l, c);
		return;
	}
	if (is_idle == c->is_idle)
		return;
	c->is_idle = is_idle;
	if (is_idle)
		LIST_PUSH(l->idle, c);
	else
		LIST_REMOVE(l->idle, c);
}

/* Lets go of a few that have nothing to remember. */
static void sweep(struct limiter *l)
{
	for (size_t i = 0; i < SWEEP && l->idle; i++) {
		struct counter *c = l->idle;
		counter_refresh(c, &l->clock, l->turn);
		if (counter_is_whole(c, &l->clock, l->now_us)) {
			limiter_drop_counter(l, c);
			continue;
		}
		LIST_REMOVE(l->idle, c);
		LIST_PUSH(l->idle, c);
	}
}

/* The key of a counter: whose it is, what it tells apart, and the values. Into l->key. */
static void counter_key(struct limiter *l, struct span name, bool is_learned, uint32_t each,
	const struct limit_subject *who)
{
	const uint32_t head[] = {is_learned, each, (uint32_t)name.n};
	const struct limit_subject only = subject_only(who, each);
	buf_clear(&l->key);
	buf_put(&l->key, head, sizeof head);
	buf_span(&l->key, name);
	subject_pack(&only, &l->key);
}

/* What was spent before it was there. */
struct filling {
	struct limiter *limiter;
	struct budget *budget;
};

static void on_spent(void *context, int64_t at_s, int64_t nusd)
{
	const struct filling *f = context;
	const struct budget_clock *clock = &f->limiter->clock;
	const int64_t at_us = num_mul_sat(at_s, SECOND_US);
	/* by real time, as long ago as it was on the wall at the latest */
	const int64_t end_us = num_add_sat(at_us, BUDGET_QUARTER_US - 1);
	const int64_t ago_us = clock->seen_us > end_us ? clock->seen_us - end_us : 0;
	budget_add(f->budget, clock, clock->real_us - ago_us, at_us, nusd);
}

static void fill(struct limiter *l, const struct counter *c, struct budget *b)
{
	struct filling f = {l, b};
	(void)budget_refresh(b, &l->clock, l->turn);
	const int64_t from_s = b->is_rolling
				       ? (l->clock.seen_us - budget_rolling_us(b->rule.period) -
						 BUDGET_QUARTER_US) /
						 SECOND_US
				       : b->from_s;
	spending_each(l->spending, c->rule, &c->who, from_s, on_spent, &f);
}

/* What those who hold a share have set aside counts in a budget that was made after they took it. */
static void reserve_again(const struct counter *c, struct budget *b)
{
	const struct limit_share *share;
	b->turn = 0;
	LIST_EACH(c->shares, share) {
		if (!b->is_rolling && share->hold->wall_us / SECOND_US < b->from_s)
			b->turn = share->hold->turn; /* it belongs to the period before */
		else
			budget_reserve(b, share->hold->need.nusd);
	}
}

static bool is_same_budget(
	const struct budget *b, const struct budget_rule *rule, const struct limit_rule *r)
{
	return b->rule.period == rule->period && b->rule.is_soft == rule->is_soft &&
	       b->is_rolling == r->is_rolling && span_eq(zone_name(b->zone), zone_name(r->zone));
}

void limiter_follow(struct limiter *l, struct counter *c, const struct limit_rule *r)
{
	struct budget *const old = c->budgets;
	const size_t n_old = c->n_budgets;
	/* what was spent by those whom it was for is nothing to those whom it is for now */
	const bool is_for_others = c->rule && !limit_is_for_same(c->rule, r);
	c->rule = r;
	for (size_t i = 0; i < COUNTER_BUCKETS; i++) {
		const struct rate_rule *rate = counter_rate(r, i);
		bucket_change(&c->buckets[i], rate->amount, rate->per_us, l->now_us);
	}
	c->n_budgets = r->n_budgets;
	c->budgets = r->n_budgets > 0 ? limiter_zeroed(r->n_budgets * sizeof *c->budgets) : NULL;
	for (size_t i = 0; i < r->n_budgets; i++) {
		struct budget *b = &c->budgets[i];
		size_t k = 0;
		while (k < n_old && (is_for_others || !old[k].zone ||
					    !is_same_budget(&old[k], &r->budgets[i], r)))
			k++;
		if (k < n_old) {
			*b = old[k];
			b->rule = r->budgets[i];
			b->zone = r->zone;
			old[k] = (struct budget){.zone = NULL}; /* moved */
			continue;
		}
		budget_init(b, &r->budgets[i], r->is_rolling, r->zone);
		fill(l, c, b);
		reserve_again(c, b);
	}
	for (size_t i = 0; i < n_old; i++)
		budget_done(&old[i]);
	free(old);
}

struct counter *limiter_counter(
	struct limiter *l, const struct limit_rule *r, const struct limit_subject *who)
{
	const uint32_t each = r ? r->each
				: UINT32_C(1) << LIMIT_EACH_PROVIDER |
					      UINT32_C(1) << LIMIT_EACH_KEY |
					      UINT32_C(1) << LIMIT_EACH_MODEL;
	const struct span name = r ? r->name : SPAN_NONE;
	struct limit_subject nobody = {.app = SPAN_NONE};
	struct counter *c;
	counter_key(l, name, !r, each, who);
	TABLE_FIND(l->counters, c, l->key.p, l->key.n);
	if (c)
		return c;
	sweep(l);
	if (l->n_counters >= COUNTERS_MAX) {
		if (!r)
			return NULL;
		counter_key(l, name, false, each, &nobody);
		TABLE_FIND(l->counters, c, l->key.p, l->key.n);
		if (c)
			return c;
	}
	const struct span key = buf_view(&l->key);
	const size_t head = 3 * sizeof(uint32_t);
	c = limiter_zeroed(sizeof *c + key.n);
	memcpy(c->key, key.p, key.n);
	c->key_n = key.n;
	c->name = span_of(c->key + head, name.n);
	c->each = each;
	c->is_learned = !r;
	subject_unpack(span_of(c->key + head + name.n, key.n - head - name.n), &c->who);
	TABLE_ADD(l->counters, c, c->key, c->key_n);
	l->n_counters++;
	c->is_idle = true;
	LIST_PUSH(l->idle, c);
	if (r)
		limiter_follow(l, c, r);
	return c;
}

/* ---- callers ---- */

void limiter_forget_counters(struct limiter *l, struct limit_caller *caller)
{
	for (size_t i = 0; i < caller->n_counters; i++) {
		caller->counters[i]->n_callers--;
		limiter_note_use(l, caller->counters[i]);
	}
	free(caller->counters);
	caller->counters = NULL;
	caller->n_counters = 0;
	caller->learned = NULL;
}

void limiter_drop_caller(struct limiter *l, struct limit_caller *caller)
{
	limiter_forget_counters(l, caller);
	TABLE_REMOVE(l->by_subject, caller);
	LIST_REMOVE(l->callers, caller);
	l->n_callers--;
	free(caller);
}

static void know(struct limiter *l, struct limit_caller *caller, struct counter *c)
{
	caller->counters[caller->n_counters++] = c;
	c->n_callers++;
	limiter_note_use(l, c);
}

void limiter_find_counters(struct limiter *l, struct limit_caller *caller)
{
	const struct config *config = l->config;
	const size_t n_limits = config ? config->n_limits : 0;
	const struct limit_rule *fit[LIMIT_HOLD_MAX];
	size_t n = 0;
	limiter_forget_counters(l, caller);
	caller->generation = l->generation;
	for (size_t i = 0; i < n_limits; i++) {
		if (!subject_falls_under(&caller->who, &config->limits[i]))
			continue;
		assert(n < LIMIT_HOLD_MAX - 1); /* limit_check.h */
		fit[n++] = &config->limits[i];
	}
	caller->counters = limiter_zeroed((n + 1) * sizeof(struct counter *));
	for (size_t i = 0; i < n; i++)
		know(l, caller, limiter_counter(l, fit[i], &caller->who));
	if (caller->who.provider.n == 0)
		return;
	struct counter *learned = limiter_counter(l, NULL, &caller->who);
	if (learned)
		know(l, caller, learned);
	caller->learned = learned;
}

static struct limit_caller *new_caller(struct limiter *l)
{
	const struct span key = buf_view(&l->key);
	struct limit_caller *caller = limiter_zeroed(sizeof *caller + key.n);
	memcpy(caller->key, key.p, key.n);
	subject_unpack(span_of(caller->key, key.n), &caller->who);
	TABLE_ADD(l->by_subject, caller, caller->key, key.n);
	LIST_PUSH(l->callers, caller);
	l->n_callers++;
	return caller;
}

static void put_last(struct limiter *l, struct limit_caller *caller)
{
	if (!caller->next)
		return;
	LIST_REMOVE(l->callers, caller);
	LIST_PUSH(l->callers, caller);
}

/* Lets go of one that does nothing, where there are too many; those under way are not in the way of the others. */
static void make_room(struct limiter *l)
{
	for (size_t i = 0; i < SWEEP && l->n_callers >= CALLERS_MAX; i++) {
		if (l->callers->n_holds == 0)
			limiter_drop_caller(l, l->callers);
		else
			put_last(l, l->callers);
	}
}

struct limit_caller *limiter_caller(struct limiter *l, const struct limit_subject *s)
{
	struct limit_caller *caller;
	buf_clear(&l->key);
	subject_pack(s, &l->key);
	assert(buf_error(&l->key) == OK);
	TABLE_FIND(l->by_subject, caller, l->key.p, l->key.n);
	if (!caller) {
		make_room(l);
		caller = new_caller(l);
		limiter_find_counters(l, caller);
	} else if (caller->generation != l->generation) {
		limiter_find_counters(l, caller);
	}
	put_last(l, caller);
	return caller;
}
