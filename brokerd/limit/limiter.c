/* limiter.c - all that a call falls under, or nothing. */
#include "brokerd/limit/limiter.h"

#include <assert.h>

#include "brokerd/limit/learned.h"
#include "brokerd/limit/limiter_parts.h"
#include "protocol/base/num.h"

#define SECOND_US INT64_C(1000000)
#define KEY_BYTES ((size_t)1024 * 1024)

struct limiter *limiter_new(void)
{
	struct limiter *l = limiter_zeroed(sizeof *l);
	l->spending = spending_new();
	buf_init(&l->key, KEY_BYTES);
	return l;
}

void limiter_see(struct limiter *l, const struct limit_now *now)
{
	const bool has_real = now->boot_us > 0;
	const int64_t seen_us = l->clock.seen_us;
	if (now->mono_us > l->now_us)
		l->now_us = now->mono_us;
	budget_clock_see(&l->clock, has_real ? now->boot_us : now->mono_us, has_real, now->wall_us);
	if (l->clock.seen_us < seen_us) /* what is remembered is of years to come */
		spending_forget_after(l->spending, l->clock.seen_us / SECOND_US);
}

struct limit_moment limiter_moment(const struct limiter *l)
{
	return (struct limit_moment){l->now_us, &l->clock};
}

static void limiter_tell(struct limiter *l)
{
	if (l->on_free)
		l->on_free(l->context);
}

void limiter_on_free(struct limiter *l, void (*on_free)(void *context), void *context)
{
	l->on_free = on_free;
	l->context = context;
}

void limiter_free(struct limiter *l)
{
	struct limit_caller *caller, *next_caller;
	struct counter *c, *after;
	if (!l)
		return;
	LIST_EACH_SAFE(l->callers, caller, next_caller) {
		assert(caller->n_holds == 0);
		limiter_drop_caller(l, caller);
	}
	TABLE_EACH(l->counters, c, after)
		limiter_drop_counter(l, c);
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
	limiter_see(l, now);
	struct limit_caller *caller = limiter_caller(l, s);
	for (size_t i = 0; i < caller->n_counters; i++) {
		struct counter *c = caller->counters[i];
		struct obstacle own = {.verdict = LIMIT_HELD, .ready_us = INT64_MIN};
		counter_refresh(c, &l->clock, l->turn);
		counter_test(c, s, need, &l->clock, l->now_us, &own);
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
	out->outline[0] = '\0';
	fault_clear(&out->why);
	if (worst.verdict != LIMIT_HELD) {
		const struct limit_moment m = limiter_moment(l);
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
		says_outline(&worst, need, s, &m, out->outline);
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
		counter_take(caller->counters[i], s, hold, &hold->shares[i], l->now_us);
}

/* ---- ending ---- */

/* Limits that came while it was under way: what it cost counts in them too. */
static void count_in_new_ones(struct limiter *l, const struct limit_hold *h, int64_t nusd)
{
	struct limit_caller *caller = h->caller;
	if (caller->generation != l->generation)
		limiter_find_counters(l, caller);
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
	limiter_see(l, now);
	if (use && use->nusd > 0 && h->generation != l->generation)
		count_in_new_ones(l, h, use->nusd);
	for (size_t i = 0; i < h->n; i++) {
		struct counter *c = h->shares[i].counter;
		counter_refresh(c, &l->clock, l->turn);
		counter_settle(c, &h->shares[i], use, &l->clock, l->now_us);
		limiter_note_use(l, c);
	}
	if (use && use->nusd > 0)
		spending_add(l->spending, &caller->who, h->wall_us / SECOND_US, use->nusd);
	caller->n_holds--;
	h->limiter = NULL;
	h->caller = NULL;
	h->n = 0;
	limiter_tell(l);
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
	const struct limit_rule **all = limiter_zeroed((n + 1) * sizeof(const struct limit_rule *));
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
	limiter_see(l, now);
	l->config = config_ref(c);
	l->generation++;
	TABLE_EACH(l->counters, counter, after) {
		if (counter->is_learned)
			continue;
		const struct limit_rule *r = counter->rule ? next[counter->rule - before->limits]
							   : config_limit(c, counter->name);
		if (r && r->each == counter->each)
			limiter_follow(l, counter, r);
		else
			counter_forget_rule(counter);
	}
	/* those of limits that are no more go now, or with their last share */
	LIST_EACH(l->callers, caller)
		limiter_forget_counters(l, caller);
	TABLE_EACH(l->counters, counter, after) {
		if (!counter->rule && !counter->is_learned && counter->n_shares == 0)
			limiter_drop_counter(l, counter);
	}
	config_unref(before);
	free(next);
	limiter_tell(l);
}

bool limiter_soft(struct limiter *l, const struct limit_subject *s, const struct limit_now *now,
	size_t n, struct fault *said)
{
	limiter_see(l, now);
	const struct limit_moment m = limiter_moment(l);
	const struct limit_caller *caller = limiter_caller(l, s);
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
	uint64_t turn, const struct limit_now *now)
{
	limiter_see(l, now);
	const struct limit_caller *caller = limiter_caller(l, s);
	if (!caller->learned)
		return;
	learned_hear(caller->learned, said, turn, l->now_us);
	limiter_tell(l);
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
