/* limiter.c - which counters a call falls under, and all of them or none. */
#include "brokerd/limit/limiter.h"

#include <assert.h>
#include <stdlib.h>

#include "brokerd/limit/counter.h"
#include "brokerd/limit/learned.h"
#include "brokerd/limit/says.h"
#include "brokerd/limit/spending.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"

#define SECOND_US    INT64_C(1000000)
#define KEY_BYTES    ((size_t)1024 * 1024)
#define CALLERS_MAX  ((size_t)65536) /* that are remembered while they do nothing */
#define COUNTERS_MAX ((size_t)65536) /* beyond it those that a limit would tell apart share one */
#define SWEEP        2               /* of those that nobody uses, looked at for each new one */

/* A subject that has called, and the counters that it falls under, so that they are looked for once. */
struct limit_caller {
	TABLE_LINK;
	struct limit_caller *prev, *next; /* of all, the one that took longest ago first */
	struct limit_subject who;         /* in `key` */
	size_t n_holds;
	uint64_t generation; /* of the configuration whose counters these are */
	struct counter **counters;
	size_t n_counters;
	struct counter
		*learned; /* of its provider, key and model; the last of `counters`; NULL: none */
	char key[];
};

struct limiter {
	struct config *config; /* NULL: none yet, and nothing is limited */
	uint64_t generation;
	uint64_t turn; /* takes so far */
	struct budget_clock clock;
	int64_t now_us;
	struct limit_caller *by_subject, *callers;
	size_t n_callers;
	struct counter *counters; /* a table */
	struct counter *idle;     /* those of them that no caller knows and nobody holds, a list */
	size_t n_counters;
	struct spending *spending;
	struct buf key; /* of what is looked for */
	void (*on_free)(void *context);
	void *context;
};

static void *zeroed(size_t n)
{
	void *p = calloc(1, n);
	if (!p)
		abort();
	return p;
}

struct limiter *limiter_new(void)
{
	struct limiter *l = zeroed(sizeof *l);
	l->spending = spending_new();
	buf_init(&l->key, KEY_BYTES);
	return l;
}

static void see(struct limiter *l, const struct limit_now *now)
{
	const bool has_real = now->boot_us > 0;
	const int64_t seen_us = l->clock.seen_us;
	if (now->mono_us > l->now_us)
		l->now_us = now->mono_us;
	budget_clock_see(&l->clock, has_real ? now->boot_us : now->mono_us, has_real, now->wall_us);
	if (l->clock.seen_us < seen_us) /* what is remembered is of years to come */
		spending_forget_after(l->spending, l->clock.seen_us / SECOND_US);
}

static struct limit_moment moment(const struct limiter *l)
{
	return (struct limit_moment){l->now_us, &l->clock};
}

static void tell(struct limiter *l)
{
	if (l->on_free)
		l->on_free(l->context);
}

void limiter_on_free(struct limiter *l, void (*on_free)(void *context), void *context)
{
	l->on_free = on_free;
	l->context = context;
}

/* ---- counters ---- */

static void drop_counter(struct limiter *l, struct counter *c)
{
	if (c->is_idle)
		LIST_REMOVE(l->idle, c);
	TABLE_REMOVE(l->counters, c);
	l->n_counters--;
	counter_free(c);
}

/* Puts it to those that nobody uses, or takes it back. One of a limit that is no more goes. */
static void note_use(struct limiter *l, struct counter *c)
{
	const bool is_idle = c->n_callers == 0 && c->n_shares == 0;
	if (is_idle && !c->rule && !c->is_learned) {
		drop_counter(l, c);
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
			drop_counter(l, c);
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

/* The counter is of that rule from now on. */
static void follow(struct limiter *l, struct counter *c, const struct limit_rule *r)
{
	const struct rate_rule *const rates[COUNTER_BUCKETS] = {[COUNTER_REQUESTS] = &r->requests,
		[COUNTER_INPUT] = &r->input,
		[COUNTER_OUTPUT] = &r->output,
		[COUNTER_TOKENS] = &r->tokens};
	struct budget *const old = c->budgets;
	const size_t n_old = c->n_budgets;
	c->rule = r;
	for (size_t i = 0; i < COUNTER_BUCKETS; i++)
		bucket_change(&c->buckets[i], rates[i]->amount, rates[i]->per_us, l->now_us);
	c->n_budgets = r->n_budgets;
	c->budgets = r->n_budgets > 0 ? zeroed(r->n_budgets * sizeof *c->budgets) : NULL;
	for (size_t i = 0; i < r->n_budgets; i++) {
		struct budget *b = &c->budgets[i];
		size_t k = 0;
		while (k < n_old && (!old[k].zone || !is_same_budget(&old[k], &r->budgets[i], r)))
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

/* `r` NULL: of a provider. NULL: there are too many. */
static struct counter *counter_of(
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
	c = zeroed(sizeof *c + key.n);
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
		follow(l, c, r);
	return c;
}

/* ---- callers ---- */

static void forget_counters(struct limiter *l, struct limit_caller *caller)
{
	for (size_t i = 0; i < caller->n_counters; i++) {
		caller->counters[i]->n_callers--;
		note_use(l, caller->counters[i]);
	}
	free(caller->counters);
	caller->counters = NULL;
	caller->n_counters = 0;
	caller->learned = NULL;
}

static void drop_caller(struct limiter *l, struct limit_caller *caller)
{
	forget_counters(l, caller);
	TABLE_REMOVE(l->by_subject, caller);
	LIST_REMOVE(l->callers, caller);
	l->n_callers--;
	free(caller);
}

static void know(struct limiter *l, struct limit_caller *caller, struct counter *c)
{
	caller->counters[caller->n_counters++] = c;
	c->n_callers++;
	note_use(l, c);
}

static void find_counters(struct limiter *l, struct limit_caller *caller)
{
	const struct config *config = l->config;
	const size_t n_limits = config ? config->n_limits : 0;
	const struct limit_rule *fit[LIMIT_HOLD_MAX];
	size_t n = 0;
	forget_counters(l, caller);
	caller->generation = l->generation;
	for (size_t i = 0; i < n_limits; i++) {
		if (!subject_falls_under(&caller->who, &config->limits[i]))
			continue;
		assert(n < LIMIT_HOLD_MAX - 1); /* limit_check.h */
		fit[n++] = &config->limits[i];
	}
	caller->counters = zeroed((n + 1) * sizeof(struct counter *));
	for (size_t i = 0; i < n; i++)
		know(l, caller, counter_of(l, fit[i], &caller->who));
	if (caller->who.provider.n == 0)
		return;
	struct counter *learned = counter_of(l, NULL, &caller->who);
	if (learned)
		know(l, caller, learned);
	caller->learned = learned;
}

static struct limit_caller *new_caller(struct limiter *l)
{
	const struct span key = buf_view(&l->key);
	struct limit_caller *caller = zeroed(sizeof *caller + key.n);
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
			drop_caller(l, l->callers);
		else
			put_last(l, l->callers);
	}
}

static struct limit_caller *caller_of(struct limiter *l, const struct limit_subject *s)
{
	struct limit_caller *caller;
	buf_clear(&l->key);
	subject_pack(s, &l->key);
	assert(buf_error(&l->key) == OK);
	TABLE_FIND(l->by_subject, caller, l->key.p, l->key.n);
	if (!caller) {
		make_room(l);
		caller = new_caller(l);
		find_counters(l, caller);
	} else if (caller->generation != l->generation) {
		find_counters(l, caller);
	}
	put_last(l, caller);
	return caller;
}

void limiter_free(struct limiter *l)
{
	struct limit_caller *caller, *next_caller;
	struct counter *c, *after;
	if (!l)
		return;
	LIST_EACH_SAFE(l->callers, caller, next_caller) {
		assert(caller->n_holds == 0);
		drop_caller(l, caller);
	}
	TABLE_EACH(l->counters, c, after)
		drop_counter(l, c);
	spending_free(l->spending);
	config_unref(l->config);
	buf_done(&l->key);
	free(l);
}

/* ---- taking ---- */

void limiter_take(struct limiter *l, const struct limit_subject *s, const struct limit_need *need,
	const struct limit_now *now, struct limit_hold *hold, struct limit_answer *out)
{
	struct obstacle worst = {.verdict = LIMIT_HELD, .ready_us = INT64_MIN};
	bool is_shared = true;
	assert(!hold->limiter);
	assert(need->input_tokens >= 0 && need->output_tokens >= 0 && need->nusd >= 0);
	see(l, now);
	struct limit_caller *caller = caller_of(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		struct obstacle own = {.verdict = LIMIT_HELD, .ready_us = INT64_MIN};
		counter_refresh(c, &l->clock, l->turn);
		counter_test(c, need, &l->clock, l->now_us, &own);
		if (own.verdict == LIMIT_HELD)
			continue;
		is_shared = is_shared && counter_is_shared(c);
		if (own.verdict > worst.verdict ||
			(own.verdict == worst.verdict && own.ready_us > worst.ready_us))
			worst = own;
	}
	out->verdict = worst.verdict;
	out->ready_us = l->now_us;
	out->reset_us = l->now_us;
	out->is_shared = false;
	out->lacks = worst.counter;
	fault_clear(&out->why);
	if (worst.verdict != LIMIT_HELD) {
		const struct limit_moment m = moment(l);
		out->is_shared = is_shared;
		if (worst.verdict == LIMIT_WAIT)
			out->ready_us = worst.ready_us;
		else
			out->ready_us = INT64_MAX;
		if (worst.verdict == LIMIT_SPENT)
			out->reset_us =
				worst.ready_us == INT64_MAX
					? INT64_MAX
					: num_add_sat(l->now_us, worst.ready_us - l->clock.real_us);
		says_obstacle(&worst, need, s, &m, &out->why);
		return;
	}
	*hold = (struct limit_hold){.limiter = l,
		.caller = caller,
		.need = *need,
		.wall_us = l->clock.seen_us,
		.real_us = l->clock.real_us,
		.turn = ++l->turn,
		.generation = l->generation,
		.n = caller->n_counters};
	caller->n_holds++;
	for (size_t i = 0; i < hold->n; i++)
		counter_take(caller->counters[i], hold, &hold->shares[i], l->now_us);
}

/* ---- ending ---- */

/* Limits that came while it was under way: what it cost counts in them too. */
static void count_in_new_ones(struct limiter *l, const struct limit_hold *h, int64_t nusd)
{
	struct limit_caller *caller = h->caller;
	if (caller->generation != l->generation)
		find_counters(l, caller);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		bool is_held = false;
		for (size_t k = 0; k < h->n; k++)
			is_held = is_held || h->shares[k].counter == c;
		counter_refresh(c, &l->clock, l->turn);
		for (size_t k = 0; !is_held && k < c->n_budgets; k++)
			budget_add(&c->budgets[k], &l->clock, h->real_us, h->wall_us, nusd);
	}
}

static void let_go(struct limit_hold *h, const struct limit_use *use, const struct limit_now *now)
{
	struct limiter *l = h->limiter;
	struct limit_caller *caller = h->caller;
	see(l, now);
	if (use && use->nusd > 0 && h->generation != l->generation)
		count_in_new_ones(l, h, use->nusd);
	for (size_t i = 0; i < h->n; i++) {
		struct counter *c = h->shares[i].counter;
		counter_refresh(c, &l->clock, l->turn);
		counter_settle(c, &h->shares[i], use, &l->clock, l->now_us);
		note_use(l, c);
	}
	if (use && use->nusd > 0)
		spending_add(l->spending, &caller->who, h->wall_us / SECOND_US, use->nusd);
	caller->n_holds--;
	h->limiter = NULL;
	h->caller = NULL;
	h->n = 0;
	tell(l);
}

void limiter_settle(struct limit_hold *h, const struct limit_use *use, const struct limit_now *now)
{
	if (!h->limiter)
		return;
	const struct limit_need *need = &h->need;
	const struct limit_use known = {
		use->input_tokens >= 0 ? use->input_tokens : need->input_tokens,
		use->output_tokens >= 0 ? use->output_tokens : need->output_tokens,
		use->nusd >= 0 ? use->nusd : need->nusd};
	let_go(h, &known, now);
}

void limiter_release(struct limit_hold *h, const struct limit_now *now)
{
	if (h->limiter)
		let_go(h, NULL, now);
}

/* ---- the rest ---- */

/* The limits of `c` that are called as those of `before`, in its order. */
static const struct limit_rule **namesakes(const struct config *before, const struct config *c)
{
	const size_t n = before ? before->n_limits : 0;
	const struct limit_rule **all = zeroed((n + 1) * sizeof(const struct limit_rule *));
	for (size_t i = 0; i < n; i++)
		all[i] = config_limit(c, before->limits[i].name);
	return all;
}

void limiter_configure(struct limiter *l, struct config *c, const struct limit_now *now)
{
	struct limit_caller *caller;
	struct counter *counter, *after;
	struct config *const before = l->config;
	const struct limit_rule **const next = namesakes(before, c);
	see(l, now);
	l->config = config_ref(c);
	l->generation++;
	TABLE_EACH(l->counters, counter, after) {
		if (counter->is_learned)
			continue;
		const struct limit_rule *r = counter->rule ? next[counter->rule - before->limits]
							   : config_limit(c, counter->name);
		if (r && r->each == counter->each)
			follow(l, counter, r);
		else
			counter_forget_rule(counter);
	}
	/* those of limits that are no more go now, or with their last share */
	LIST_EACH(l->callers, caller)
		forget_counters(l, caller);
	TABLE_EACH(l->counters, counter, after) {
		if (!counter->rule && !counter->is_learned && counter->n_shares == 0)
			drop_counter(l, counter);
	}
	config_unref(before);
	free(next);
	tell(l);
}

int64_t limiter_left_nusd(
	struct limiter *l, const struct limit_subject *s, const struct limit_now *now)
{
	int64_t left_nusd = INT64_MAX;
	see(l, now);
	const struct limit_caller *caller = caller_of(l, s);
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
	see(l, now);
	const struct limit_need behind = need_behind(need, tokens_before);
	const struct limit_caller *caller = caller_of(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		struct obstacle own = {.verdict = LIMIT_HELD, .ready_us = INT64_MIN};
		int64_t units[COUNTER_BUCKETS];
		counter_refresh(c, &l->clock, l->turn);
		counter_test(c, need, &l->clock, l->now_us, &own);
		if (own.verdict == LIMIT_SPENT ||
			(own.verdict == LIMIT_WAIT && own.ready_us == INT64_MAX))
			return INT64_MAX;
		if (own.verdict == LIMIT_WAIT && own.ready_us > ready_us)
			ready_us = own.ready_us;
		counter_units(counter_is_shared(c) ? &behind : need, units);
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
	see(l, now);
	int64_t sure_us = l->now_us;
	const struct limit_caller *caller = caller_of(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		const struct counter *c = caller->counters[i];
		int64_t units[COUNTER_BUCKETS], held[COUNTER_BUCKETS] = {0};
		counter_units(need, units);
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

size_t limiter_counters(struct limiter *l, const struct limit_subject *s,
	const void *to[LIMIT_HOLD_MAX], const struct limit_now *now)
{
	see(l, now);
	const struct limit_caller *caller = caller_of(l, s);
	for (size_t i = 0; i < caller->n_counters; i++)
		to[i] = caller->counters[i];
	return caller->n_counters;
}

bool limiter_soft(struct limiter *l, const struct limit_subject *s, const struct limit_now *now,
	size_t n, struct fault *said)
{
	see(l, now);
	const struct limit_moment m = moment(l);
	const struct limit_caller *caller = caller_of(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		counter_refresh(c, &l->clock, l->turn);
		for (size_t k = 0; k < c->n_budgets; k++) {
			const struct budget *b = &c->budgets[k];
			if (!b->rule.is_soft || b->spent_nusd <= b->rule.nusd || n-- > 0)
				continue;
			says_soft(c, k, &m, said);
			return true;
		}
	}
	return false;
}

void limiter_learn(struct limiter *l, const struct limit_subject *s, const struct rates *said,
	const struct limit_now *now)
{
	see(l, now);
	const struct limit_caller *caller = caller_of(l, s);
	if (!caller->learned)
		return;
	learned_hear(caller->learned, said, l->now_us);
	tell(l);
}

void limiter_remember(
	struct limiter *l, const struct limit_subject *s, int64_t wall_us, int64_t nusd)
{
	budget_clock_remember(&l->clock, wall_us);
	spending_add(l->spending, s, wall_us / SECOND_US, nusd);
}

void limiter_size(const struct limiter *l, size_t *callers, size_t *counters)
{
	*callers = l->n_callers;
	*counters = l->n_counters;
}

/* ---- listings ---- */

static int64_t spent_of(const struct counter *c)
{
	int64_t nusd = 0;
	for (size_t i = 0; i < c->n_budgets; i++)
		nusd = num_add_sat(nusd, num_add_sat(c->budgets[i].spent_nusd,
						 budget_reserved_nusd(&c->budgets[i])));
	return nusd;
}

static int by_spent(const void *a, const void *b)
{
	const struct counter *const *x = a, *const *y = b;
	const int64_t p = spent_of(*x), q = spent_of(*y);
	return (q > p) - (q < p);
}

static void list_counters(struct limiter *l, const struct limit_rule *r, struct json_out *o)
{
	const struct limit_moment m = moment(l);
	const struct limit_subject nobody = {.app = SPAN_NONE};
	struct counter *c, *after;
	size_t n = 0;
	if (r->each == 0)
		(void)counter_of(l, r, &nobody);
	struct counter **list = zeroed((l->n_counters + 1) * sizeof(struct counter *));
	TABLE_EACH(l->counters, c, after) {
		if (c->rule != r)
			continue;
		counter_refresh(c, &l->clock, l->turn);
		list[n++] = c;
	}
	qsort(list, n, sizeof *list, by_spent);
	json_key(o, "counters");
	json_open(o, '[');
	for (size_t i = 0; i < n && i < LIMIT_JSON_COUNTERS; i++)
		says_counter_json(list[i], &m, o);
	json_close(o, ']');
	if (n > LIMIT_JSON_COUNTERS)
		json_pair_i64(o, "more", (int64_t)(n - LIMIT_JSON_COUNTERS));
	free(list);
}

static bool is_known(const struct counter *c, int64_t now_us)
{
	bool is_known = c->rest_us > now_us;
	for (size_t i = 0; i < COUNTER_BUCKETS; i++)
		is_known = is_known || c->buckets[i].amount > 0;
	return is_known;
}

void limiter_json(struct limiter *l, struct span name, const struct limit_now *now, struct buf *out)
{
	struct json_out o = json_to(out);
	struct counter *c, *after;
	see(l, now);
	const struct limit_moment m = moment(l);
	json_open(&o, '{');
	json_key(&o, "limits");
	json_open(&o, '[');
	for (size_t i = 0; l->config && i < l->config->n_limits; i++) {
		const struct limit_rule *r = &l->config->limits[i];
		if (span_is_set(name) && !span_eq(name, r->name))
			continue;
		json_open(&o, '{');
		says_rule_json(r, &o);
		list_counters(l, r, &o);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_key(&o, "providers");
	json_open(&o, '[');
	TABLE_EACH(l->counters, c, after) {
		if (c->is_learned && is_known(c, l->now_us) && !span_is_set(name))
			says_learned_json(c, &m, &o);
	}
	json_close(&o, ']');
	json_close(&o, '}');
}
