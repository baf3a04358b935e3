/* test_limit_model.c - do limits count as a slow one does that remembers every call?
 * Random calls, ends, reloads, replies and clocks, against lists that are gone through from the beginning each time: a
 * rate as if only the truth had ever been taken, a budget as the sum of what was spent in its period. A seed is a run;
 * `test_limit_model SEED [STEPS]` repeats one. In every second run the clock is set as somebody likes: calendars are
 * held then to what they promise, and all else goes on as before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brokerd/limit/budget.h"
#include "brokerd/limit/limiter.h"
#include "protocol/base/num.h"
#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)
#define START_US  (INT64_C(1795953600) * SECOND_US) /* 2026-11-29 12:00 UTC */
#define UP_US     (3 * DAY_US)
#define MIB       ((size_t)1024 * 1024)

enum {
	RUNS = 300,
	STEPS = 400,
	LIMITS = 5,
	LEARNED = LIMITS,
	SUBJECTS = 16,
	HOLDS = 40,
	COUNTERS = 256,
	BUDGETS = 3,
	RATES = 4, /* requests, input, output, tokens */
};

static uint64_t state;

static int64_t random_below(int64_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((state >> 33) % (uint64_t)n);
}

static bool one_in(int64_t n)
{
	return random_below(n) == 0;
}

/* ---- the slow one ---- */

/* A take, or (hold NOBODYS, amount above -1) another amount. */
#define NOBODYS (-1)
struct entry {
	int64_t at_us, n;
	int64_t amount, per_us; /* amount -1: it is a take */
	int hold;
};

struct rate_list {
	struct entry list[STEPS * 3];
	size_t n;
};

struct slow_limit {
	bool is_there;
	uint32_t each;
	const char *app; /* NULL: for all */
	struct rate_rule rates[RATES];
	int64_t concurrency;
	struct budget_rule budgets[BUDGETS];
	size_t n_budgets;
	bool is_rolling;
};

struct slow_counter {
	bool is_there, has_rule;
	int limit;
	uint32_t each;
	struct limit_subject who;
	struct rate_list rates[RATES];
	size_t n_shares;
	int64_t rest_us;
};

struct slow_hold {
	bool is_open;
	int subject;
	struct limit_need need;
	int64_t real_us, wall_us;
	int counters[LIMITS + 1]; /* -1: none */
	bool is_counted;          /* by its provider */
	uint64_t turn;
	struct limit_hold hold;
};

struct spent {
	int subject;
	int64_t real_us, wall_us, nusd;
};

static struct {
	struct slow_limit limits[LIMITS];
	struct slow_counter counters[COUNTERS];
	struct slow_hold holds[HOLDS];
	struct spent spent[STEPS];
	size_t n_spent;
	int64_t mono_us, real_us, wall_us, seen_us;
	uint64_t turn;
	bool is_wild;
	const struct zone *zone;
	struct limiter *limiter;
	int64_t n_bad, n_held, n_wait, n_refused;
	char first_bad[200];
} w;

static struct limit_subject subjects[SUBJECTS];

static void bad(const char *what, int64_t is, int64_t want)
{
	if (w.n_bad++ == 0)
		(void)snprintf(w.first_bad, sizeof w.first_bad, "%s: %" PRId64 ", not %" PRId64,
			what, is, want);
}

static void make_subjects(void)
{
	static const struct span apps[] =
		{
			{"a", 1},
                        {"b", 1}
        },
				 models[] = {{"m", 1}, {"n", 1}},
				 providers[] = {{"openai", 6}, {"groq", 4}};
	for (unsigned i = 0; i < SUBJECTS; i++)
		subjects[i] = (struct limit_subject){.app = apps[i % 2],
			.policy = SPAN("host"),
			.provider = providers[i / 2 % 2],
			.key = SPAN(""),
			.model = models[i / 4 % 2],
			.asked = SPAN("x"),
			.uid = i / 8};
}

static struct limit_now now(void)
{
	return (struct limit_now){w.mono_us, w.wall_us, w.real_us};
}

static long double used_at(const struct rate_list *r, int64_t at_us)
{
	long double used = 0, amount = 0, per_us = 1;
	int64_t then_us = 0;
	for (size_t i = 0; i <= r->n; i++) {
		const struct entry *e = &r->list[i];
		const int64_t to_us = i < r->n ? e->at_us : at_us;
		used -= (long double)(to_us - then_us) * amount / per_us;
		used = used > 0 ? used : 0;
		then_us = to_us;
		if (i == r->n)
			break;
		if (e->amount < 0) {
			used += amount > 0 ? (long double)e->n : 0;
			continue;
		}
		used = amount > 0 && e->amount > 0 ? used : 0;
		amount = (long double)e->amount;
		per_us = (long double)(e->per_us > 0 ? e->per_us : 1);
	}
	return used;
}

static void note(struct rate_list *r, struct entry e)
{
	r->list[r->n++] = e;
}

static const struct entry *amount_of(const struct rate_list *r)
{
	for (size_t i = r->n; i > 0; i--) {
		if (r->list[i - 1].amount >= 0)
			return &r->list[i - 1];
	}
	return NULL;
}

static void change(struct rate_list *r, int64_t amount, int64_t per_us)
{
	const struct entry *last = amount_of(r);
	if (amount != (last ? last->amount : 0) || (amount > 0 && per_us != last->per_us))
		note(r, (struct entry){w.mono_us, 0, amount, per_us, NOBODYS});
}

static void follow(struct slow_counter *c, const struct slow_limit *l)
{
	c->has_rule = true;
	for (size_t i = 0; i < RATES; i++)
		change(&c->rates[i], l->rates[i].amount, l->rates[i].per_us);
}

/* -1: it does not fall under that limit. */
static int counter_of(int limit, const struct limit_subject *s)
{
	const uint32_t learned =
		1u << LIMIT_EACH_PROVIDER | 1u << LIMIT_EACH_KEY | 1u << LIMIT_EACH_MODEL;
	const struct slow_limit *l = limit < LEARNED ? &w.limits[limit] : NULL;
	const uint32_t each = l ? l->each : learned;
	int empty = -1;
	if (l && (!l->is_there || (l->app && !span_is(s->app, l->app))))
		return -1;
	for (int i = 0; i < COUNTERS; i++) {
		const struct slow_counter *c = &w.counters[i];
		if (!c->is_there && empty < 0)
			empty = i;
		if (c->is_there && c->limit == limit && c->each == each &&
			subject_is_alike(&c->who, s, each))
			return i;
	}
	struct slow_counter *c = &w.counters[empty];
	*c = (struct slow_counter){
		.is_there = true, .has_rule = true, .limit = limit, .each = each, .who = *s};
	if (l)
		follow(c, l);
	return empty;
}

static void units_of(const struct limit_need *n, int64_t to[RATES])
{
	to[0] = 1;
	to[1] = n->input_tokens;
	to[2] = n->output_tokens;
	to[3] = n->input_tokens + n->output_tokens;
}

/* ---- money ---- */

static bool is_in(
	const struct slow_limit *l, const struct budget_rule *b, int64_t real_us, int64_t wall_us)
{
	int64_t from_s, until_s;
	if (l->is_rolling)
		return (real_us / BUDGET_QUARTER_US + 1) * BUDGET_QUARTER_US +
			       budget_rolling_us(b->period) >
		       w.real_us;
	budget_period(w.zone, b->period, w.seen_us / SECOND_US, &from_s, &until_s);
	return wall_us >= from_s * SECOND_US && wall_us < until_s * SECOND_US;
}

static int64_t spent_of(
	const struct slow_limit *l, const struct budget_rule *b, const struct limit_subject *s)
{
	int64_t sum = 0;
	for (size_t i = 0; i < w.n_spent; i++) {
		const struct spent *p = &w.spent[i];
		if (subject_is_alike(&subjects[p->subject], s, l->each) &&
			(!l->app || span_is(subjects[p->subject].app, l->app)) &&
			is_in(l, b, p->real_us, p->wall_us))
			sum += p->nusd;
	}
	return sum;
}

static int64_t reserved_of(const struct slow_limit *l, const struct budget_rule *b, int counter)
{
	int64_t sum = 0;
	for (size_t i = 0; i < HOLDS; i++) {
		const struct slow_hold *h = &w.holds[i];
		for (size_t k = 0; h->is_open && k < LIMITS; k++) {
			if (h->counters[k] == counter &&
				(l->is_rolling || is_in(l, b, h->real_us, h->wall_us)))
				sum += h->need.nusd;
		}
	}
	return sum;
}

/* Whatever the clock shows: within the length of a period, one for each of its ends. */
static void check_promise(const struct slow_limit *l, const struct budget_rule *b,
	const struct limit_subject *s, int counter)
{
	/* the shortest that there are */
	static const int64_t lengths_us[] = {HOUR_US, 23 * HOUR_US, 167 * HOUR_US, 671 * HOUR_US};
	const int64_t from_us = w.real_us - lengths_us[b->period] + 2 * BUDGET_SLACK_US;
	int64_t sum = 0;
	for (size_t i = 0; i < w.n_spent; i++) {
		if (w.spent[i].real_us >= from_us &&
			subject_is_alike(&subjects[w.spent[i].subject], s, l->each) &&
			(!l->app || span_is(subjects[w.spent[i].subject].app, l->app)))
			sum += w.spent[i].nusd;
	}
	for (size_t i = 0; i < HOLDS; i++) {
		for (size_t k = 0; w.holds[i].is_open && k < LIMITS; k++)
			sum += w.holds[i].counters[k] == counter && w.holds[i].real_us >= from_us
				       ? w.holds[i].need.nusd
				       : 0;
	}
	if (sum > 2 * b->nusd)
		bad("more than two budgets in a period's length", sum, 2 * b->nusd);
}

/* ---- what it would say ---- */

struct verdict {
	enum limit_verdict verdict;
	bool is_close; /* to a part of a unit */
	bool is_timed; /* only time is in the way */
};

static void worse(struct verdict *v, enum limit_verdict verdict, bool is_timed)
{
	if (verdict > v->verdict)
		v->verdict = verdict;
	v->is_timed = v->is_timed && is_timed;
}

static void test_rates(const struct slow_counter *c, const struct limit_need *need, int64_t at_us,
	struct verdict *v)
{
	int64_t units[RATES];
	units_of(need, units);
	for (size_t i = 0; i < RATES; i++) {
		const struct entry *last = amount_of(&c->rates[i]);
		if (!last || last->amount == 0 || units[i] == 0)
			continue;
		const long double room =
			units[i] < last->amount ? (long double)(last->amount - units[i]) : 0;
		const long double over = used_at(&c->rates[i], at_us) - room;
		/* what grows back in a microsecond, and what is lost in a rounding */
		const long double near =
			(long double)last->amount / (long double)last->per_us + 1e-6L;
		if (over > 0)
			worse(v, LIMIT_WAIT, true);
		v->is_close = v->is_close || (over < near && over > -near);
	}
	if (c->rest_us > at_us)
		worse(v, LIMIT_WAIT, true);
}

static struct verdict judge(int subject, const struct limit_need *need, int64_t at_us)
{
	struct verdict v = {LIMIT_HELD, false, true};
	const struct limit_subject *s = &subjects[subject];
	for (int i = 0; i <= LIMITS; i++) {
		const int at = counter_of(i, s);
		if (at < 0)
			continue;
		const struct slow_counter *c = &w.counters[at];
		test_rates(c, need, at_us, &v);
		if (i == LEARNED)
			continue;
		const struct slow_limit *l = &w.limits[i];
		if (l->concurrency >= 0 && c->n_shares >= (size_t)l->concurrency)
			worse(&v, LIMIT_WAIT, false);
		for (size_t k = 0; need->nusd > 0 && k < l->n_budgets; k++) {
			const struct budget_rule *b = &l->budgets[k];
			if (b->is_soft || (w.is_wild && !l->is_rolling))
				continue;
			const int64_t spent = spent_of(l, b, s);
			if (spent + need->nusd > b->nusd)
				worse(&v, LIMIT_SPENT, false);
			else if (spent + reserved_of(l, b, at) + need->nusd > b->nusd)
				worse(&v, LIMIT_WAIT, false);
		}
	}
	return v;
}

static int64_t left_of(int subject)
{
	int64_t left = INT64_MAX;
	for (int i = 0; i < LIMITS; i++) {
		const struct slow_limit *l = &w.limits[i];
		if (counter_of(i, &subjects[subject]) < 0)
			continue;
		for (size_t k = 0; k < l->n_budgets; k++) {
			const struct budget_rule *b = &l->budgets[k];
			const int64_t rest = b->nusd - spent_of(l, b, &subjects[subject]);
			if (!b->is_soft && rest < left)
				left = rest > 0 ? rest : 0;
		}
	}
	return left;
}

/* ---- steps ---- */

static void check_answer(int subject, const struct limit_need *need, const struct limit_answer *a)
{
	const struct verdict want = judge(subject, need, w.mono_us);
	const bool is_stricter = w.is_wild && a->verdict > want.verdict;
	if (a->verdict != want.verdict && !want.is_close && !is_stricter)
		bad("a verdict", a->verdict, want.verdict);
	if (a->verdict == LIMIT_HELD)
		return;
	if (!a->why.message[0] || !strstr(a->why.message, "llmb "))
		bad("a sentence without a command", 0, 1);
	if (a->verdict != LIMIT_WAIT || a->ready_us == INT64_MAX)
		return;
	const struct verdict then = judge(subject, need, a->ready_us);
	const struct verdict before = judge(subject, need, a->ready_us - 1);
	if (then.verdict == LIMIT_WAIT && then.is_timed && !then.is_close)
		bad("not ready when it said", a->ready_us, w.mono_us);
	if (before.verdict == LIMIT_HELD && !before.is_close && !is_stricter)
		bad("ready before it said", a->ready_us, w.mono_us);
}

static void taken(struct slow_hold *h, int slot)
{
	int64_t units[RATES];
	units_of(&h->need, units);
	for (int i = 0; i <= LIMITS; i++) {
		h->counters[i] = counter_of(i, &subjects[h->subject]);
		if (h->counters[i] < 0)
			continue;
		struct slow_counter *c = &w.counters[h->counters[i]];
		c->n_shares++;
		for (size_t k = 0; k < RATES; k++)
			note(&c->rates[k], (struct entry){w.mono_us, units[k], -1, 0, slot});
	}
	for (int i = 0; w.is_wild && h->need.nusd > 0 && i < LIMITS; i++) {
		const struct slow_limit *l = &w.limits[i];
		for (size_t k = 0; h->counters[i] >= 0 && k < l->n_budgets; k++) {
			if (!l->budgets[k].is_soft && !l->is_rolling)
				check_promise(
					l, &l->budgets[k], &subjects[h->subject], h->counters[i]);
		}
	}
}

static void take(void)
{
	const struct limit_now at = now();
	struct limit_answer a;
	int slot = (int)random_below(HOLDS);
	struct slow_hold *h = &w.holds[slot];
	if (h->is_open)
		return;
	*h = (struct slow_hold){
		.subject = (int)random_below(SUBJECTS),
		.need = {random_below(one_in(20) ? 600 : 60), random_below(60),
			 one_in(4) ? 0 : random_below(one_in(20) ? 3000 : 200)}
        };
	limiter_take(w.limiter, &subjects[h->subject], &h->need, &at, &h->hold, &a);
	check_answer(h->subject, &h->need, &a);
	w.n_held += a.verdict == LIMIT_HELD;
	w.n_wait += a.verdict == LIMIT_WAIT;
	w.n_refused += a.verdict == LIMIT_SPENT;
	if (a.verdict != LIMIT_HELD) {
		if (h->hold.limiter || h->hold.n != 0)
			bad("something is held of what is refused", 1, 0);
		return;
	}
	h->is_open = true;
	h->real_us = w.real_us;
	h->wall_us = w.seen_us;
	h->turn = ++w.turn;
	taken(h, slot);
}

static void settle_rate(struct rate_list *r, int slot, int64_t had, int64_t used)
{
	const struct entry *last = amount_of(r);
	for (size_t i = r->n; used < had && i > 0; i--) {
		struct entry *e = &r->list[i - 1];
		if (e->hold != slot)
			continue;
		e->n -= had - used;
		e->hold = NOBODYS;
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		if (r->list[i].hold == slot)
			r->list[i].hold = NOBODYS;
	}
	if (used <= had || !last || last->amount == 0)
		return;
	/* a debt, held at ten times the whole: the amounts here are such that it stays far below */
	note(r, (struct entry){w.mono_us, used - had, -1, 0, NOBODYS});
}

static void end(int slot, bool is_released)
{
	const struct limit_now at = now();
	struct slow_hold *h = &w.holds[slot];
	int64_t had[RATES], used[RATES];
	if (!h->is_open)
		return;
	struct limit_use use = {random_below(h->need.input_tokens + (one_in(5) ? 30 : 1)),
		one_in(5) ? -1 : random_below(h->need.output_tokens + 1),
		one_in(5) ? -1 : random_below(h->need.nusd + 1)};
	if (!w.is_wild && one_in(10) && h->need.nusd > 0)
		use.nusd = h->need.nusd + random_below(50); /* more than was thought */
	if (is_released)
		limiter_release(&h->hold, &at);
	else
		limiter_settle(&h->hold, &use, &at);
	const struct limit_need truth = {use.input_tokens,
		use.output_tokens < 0 ? h->need.output_tokens : use.output_tokens,
		use.nusd < 0 ? h->need.nusd : use.nusd};
	units_of(&h->need, had);
	units_of(&truth, used);
	for (size_t i = 0; is_released && i < RATES; i++)
		used[i] = 0;
	for (size_t i = 0; i <= LIMITS; i++) {
		struct slow_counter *c = h->counters[i] < 0 ? NULL : &w.counters[h->counters[i]];
		if (!c)
			continue;
		for (size_t k = 0; k < RATES && !(i == LEARNED && h->is_counted); k++)
			settle_rate(&c->rates[k], slot, had[k], used[k]);
		c->n_shares--;
		c->is_there = c->has_rule || c->n_shares > 0;
	}
	if (!is_released && truth.nusd > 0)
		w.spent[w.n_spent++] =
			(struct spent){h->subject, h->real_us, h->wall_us, truth.nusd};
	h->is_open = false;
}

/* ---- what a provider says ---- */

static int next_uncounted(int counter)
{
	int first = -1;
	for (int i = 0; i < HOLDS; i++) {
		const struct slow_hold *h = &w.holds[i];
		if (h->is_open && h->counters[LEARNED] == counter && !h->is_counted &&
			(first < 0 || h->turn < w.holds[first].turn))
			first = i;
	}
	return first;
}

static void hear(struct slow_counter *c, int counter, size_t rate, const struct rate *r)
{
	struct rate_list *list = &c->rates[rate];
	const struct entry *last = amount_of(list);
	const int64_t used = r->limit - r->remaining;
	int64_t per_us = last && last->amount == r->limit ? last->per_us : 60 * SECOND_US;
	if (r->reset_ms > 0)
		per_us = num_mul_div(r->reset_ms * 1000, r->limit, used);
	list->n = 0;
	note(list, (struct entry){w.mono_us, 0, r->limit, per_us, NOBODYS});
	note(list, (struct entry){w.mono_us, used, -1, 0, NOBODYS});
	for (int i = 0; i < HOLDS; i++) {
		const struct slow_hold *h = &w.holds[i];
		int64_t units[RATES];
		units_of(&h->need, units);
		if (h->is_open && h->counters[LEARNED] == counter && !h->is_counted)
			note(list, (struct entry){w.mono_us, units[rate], -1, 0, i});
	}
}

/* How long it lasts is not said at times: it is a minute then, or what it was if that was not forgotten. */
static int64_t some_reset_ms(const struct rate_list *r)
{
	const struct entry *last = amount_of(r);
	const bool is_usual = !last || last->per_us == 60 * SECOND_US;
	return is_usual && one_in(4) ? -1 : 1000 * (1 + random_below(60));
}

static void learn(void)
{
	const struct limit_now at = now();
	const struct limit_subject *s = &subjects[random_below(SUBJECTS)];
	struct rates said = RATES_UNKNOWN;
	const int counter = counter_of(LEARNED, s);
	struct slow_counter *c = &w.counters[counter];
	if (one_in(2))
		said.requests = (struct rate){20, random_below(11), some_reset_ms(&c->rates[0])};
	if (one_in(2))
		said.tokens = (struct rate){2000, random_below(1001), some_reset_ms(&c->rates[3])};
	if (one_in(10))
		said.retry_after_ms = random_below(20000);
	limiter_learn(w.limiter, s, &said, 0, &at);
	const int first = next_uncounted(counter);
	if (first >= 0)
		w.holds[first].is_counted = true;
	if (said.requests.limit >= 0)
		hear(c, counter, 0, &said.requests);
	if (said.tokens.limit >= 0)
		hear(c, counter, 3, &said.tokens);
	if (said.retry_after_ms > 0 && w.mono_us + said.retry_after_ms * 1000 > c->rest_us)
		c->rest_us = w.mono_us + said.retry_after_ms * 1000;
}

/* ---- other limits ---- */

static void make_limit(size_t i)
{
	static const uint32_t masks[] = {0, 1u << LIMIT_EACH_APP, 1u << LIMIT_EACH_USER,
		1u << LIMIT_EACH_APP | 1u << LIMIT_EACH_MODEL, 1u << LIMIT_EACH_PROVIDER};
	static const int64_t least[RATES] = {10, 400, 400, 600};
	struct slow_limit *l = &w.limits[i];
	const uint32_t each = l->each;
	*l = (struct slow_limit){.is_there = !one_in(4),
		.each = one_in(4) || w.turn == 0 ? masks[random_below(COUNT_OF(masks))] : each,
		.app = i == 4 ? "a" : NULL,
		.concurrency = one_in(3) ? 1 + random_below(12) : -1,
		.n_budgets = (size_t)random_below(BUDGETS + 1),
		.is_rolling = i % 2 == 1};
	for (size_t k = 0; k < RATES; k++) {
		if (one_in(3))
			l->rates[k] = (struct rate_rule){least[k] + random_below(2 * least[k]),
				(1 + random_below(100)) * SECOND_US};
	}
	for (size_t k = 0; k < l->n_budgets; k++)
		l->budgets[k] = (struct budget_rule){
			.nusd = w.is_wild ? 150 + random_below(300) : 500 + random_below(3000),
			.period = (enum period)k,
			.is_soft = one_in(5)};
	if (l->concurrency < 0 && l->n_budgets == 0 && l->rates[0].amount == 0)
		l->rates[0] = (struct rate_rule){30, 60 * SECOND_US};
}

static void print_limit(size_t i, struct buf *to)
{
	static const char *const rates[RATES] = {
		"requests", "input_tokens", "output_tokens", "tokens"};
	const struct slow_limit *l = &w.limits[i];
	if (!l->is_there)
		return;
	buf_print(to, "[limit \"l%zu\"]\nwindow = %s\nzone = %.*s\n", i,
		l->is_rolling ? "rolling" : "calendar", SPAN_ARG(zone_name(w.zone)));
	if (l->app)
		buf_print(to, "app = %s\n", l->app);
	for (unsigned k = 0; k < LIMIT_EACH_COUNT; k++) {
		if (l->each & 1u << k)
			buf_print(to, "each = %s\n", limit_each_name((enum limit_each)k));
	}
	for (size_t k = 0; k < RATES; k++) {
		if (l->rates[k].amount > 0)
			buf_print(to, "%s = %" PRId64 "/%" PRId64 "s\n", rates[k],
				l->rates[k].amount, l->rates[k].per_us / SECOND_US);
	}
	if (l->concurrency >= 0)
		buf_print(to, "concurrency = %" PRId64 "\n", l->concurrency);
	for (size_t k = 0; k < l->n_budgets; k++)
		buf_print(to, "%s = 0.%09" PRId64 "/%s\n",
			l->budgets[k].is_soft ? "soft_budget" : "budget", l->budgets[k].nusd,
			period_name(l->budgets[k].period));
}

/* `is_same`: nothing has changed but the file's age. */
static void configure(bool is_same)
{
	OWNED(buf_done) struct buf text = BUF_INIT(MIB);
	struct fault why = FAULT_NONE;
	const struct limit_now at = now();
	for (size_t i = 0; i < LIMITS; i++) {
		if (!is_same && (w.turn == 0 || one_in(2)))
			make_limit(i);
		print_limit(i, &text);
	}
	struct config *c = config_parse(buf_view(&text), "model", &why);
	if (!c)
		bail("%s", why.message);
	limiter_configure(w.limiter, c, &at);
	config_unref(c);
	for (size_t i = 0; i < COUNTERS; i++) {
		struct slow_counter *k = &w.counters[i];
		if (!k->is_there || k->limit == LEARNED)
			continue;
		const struct slow_limit *l = &w.limits[k->limit];
		k->has_rule = false;
		if (l->is_there && l->each == k->each)
			follow(k, l);
		k->is_there = k->has_rule || k->n_shares > 0;
	}
}

/* ---- runs ---- */

static void move_clocks(void)
{
	const int64_t us = one_in(40)  ? random_below(3 * DAY_US)
			   : one_in(8) ? random_below(HOUR_US)
				       : random_below(5 * SECOND_US);
	w.real_us += us;
	w.wall_us += us;
	if (!one_in(20)) /* else the host was asleep */
		w.mono_us += us;
	if (w.is_wild && one_in(4))
		w.wall_us = one_in(2) ? w.seen_us + random_below(2 * HOUR_US)
				      : w.wall_us + random_below(2 * DAY_US) - DAY_US;
	if (w.is_wild && one_in(20))
		w.wall_us += random_below(80 * DAY_US) - 40 * DAY_US;
	if (w.wall_us < START_US / 2)
		w.wall_us = START_US;
	if (w.wall_us > w.seen_us)
		w.seen_us = w.wall_us;
}

static void step(void)
{
	const int64_t what = random_below(20);
	if (what < 9)
		take();
	else if (what < 13)
		end((int)random_below(HOLDS), one_in(3));
	else if (what < 17)
		move_clocks();
	else if (what < 19)
		learn();
	else if (one_in(3))
		configure(w.is_wild || one_in(2));
	if (w.is_wild)
		return;
	const struct limit_now at = now();
	const int subject = (int)random_below(SUBJECTS);
	const int64_t left = limiter_left_nusd(w.limiter, &subjects[subject], &at);
	const int64_t want = left_of(subject);
	if (left != want)
		bad("what is left", left, want);
}

/* Sums all numbers that stand behind a text. */
static int64_t sum_behind(const char *json, const char *name)
{
	int64_t sum = 0;
	for (const char *p = strstr(json, name); p; p = strstr(p, name)) {
		p += strlen(name);
		sum += strtoll(p, NULL, 10);
	}
	return sum;
}

/* All have ended: nobody is at anything, and after two months all is as new. */
static void check_end(void)
{
	OWNED(buf_done) struct buf json = BUF_INIT(4 * MIB);
	for (int i = 0; i < HOLDS; i++)
		end(i, one_in(2));
	struct limit_now at = now();
	limiter_json(w.limiter, SPAN_NONE, &at, &json);
	buf_byte(&json, '\0');
	if (sum_behind(json.p, "\"reserved_nusd\":") != 0)
		bad("left reserved", sum_behind(json.p, "\"reserved_nusd\":"), 0);
	for (const char *p = strstr(json.p, "\"concurrency\":"); p;
		p = strstr(p + 1, "\"concurrency\":")) {
		const char *used = strstr(p, "\"used\":");
		if (used && used < strchr(p, '}') && /* what it amounts to has none */
			strtoll(used + strlen("\"used\":"), NULL, 10) != 0)
			bad("left at it", 1, 0);
	}
	if (!w.is_wild && w.limits[0].is_there) {
		for (size_t i = 0; i < COUNTERS; i++) {
			if (w.counters[i].is_there && w.counters[i].n_shares != 0)
				bad("the slow one leaks", 1, 0);
		}
	}
	at.mono_us += 62 * DAY_US;
	at.boot_us += 62 * DAY_US;
	at.wall_us = w.seen_us + 62 * DAY_US;
	buf_clear(&json);
	limiter_json(w.limiter, SPAN_NONE, &at, &json);
	buf_byte(&json, '\0');
	if (sum_behind(json.p, "\"used\":") != 0 || sum_behind(json.p, "\"spent_nusd\":") != 0)
		bad("left after two months", sum_behind(json.p, "\"spent_nusd\":"), 0);
}

static void run(uint64_t seed, int steps)
{
	struct arena a;
	struct fault why = FAULT_NONE;
	arena_init(&a, 16 * MIB);
	memset(&w, 0, sizeof w);
	state = seed * UINT64_C(0x9E3779B97F4A7C15);
	w.is_wild = seed % 2 == 1;
	w.zone = seed % 4 < 2 ? zone_load(&a, SPAN("Europe/Berlin"), &why) : &zone_utc;
	if (!w.zone)
		w.zone = &zone_utc;
	w.mono_us = w.real_us = UP_US;
	/* all of a year, at a quarter of an hour, as real time goes */
	w.wall_us = w.seen_us = START_US + random_below(365 * 96) * BUDGET_QUARTER_US;
	w.limiter = limiter_new();
	configure(false);
	for (int i = 0; i < steps && w.n_bad == 0; i++)
		step();
	if (w.n_bad == 0)
		check_end();
	for (int i = 0; i < HOLDS; i++)
		end(i, true);
	limiter_free(w.limiter);
	arena_done(&a);
}

int main(int argc, char **argv)
{
	const uint64_t only = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	const int steps = argc > 2 ? atoi(argv[2]) : STEPS;
	int64_t n_held = 0, n_wait = 0, n_refused = 0, n_bad = 0;
	char said[240] = "";
	make_subjects();
	for (uint64_t seed = only > 0 ? only : 1; seed <= (only > 0 ? only : RUNS); seed++) {
		run(seed, steps < STEPS ? steps : STEPS);
		n_held += w.n_held;
		n_wait += w.n_wait;
		n_refused += w.n_refused;
		if (w.n_bad > 0 && n_bad++ == 0)
			(void)snprintf(
				said, sizeof said, "; seed %" PRIu64 ": %s", seed, w.first_bad);
	}
	is_int(n_bad, 0, "runs that are not as the slow one has it, of seeds 1 to %d%s", RUNS,
		said);
	ok(only > 0 || (n_held > RUNS * 30 && n_wait > RUNS * 5 && n_refused > RUNS),
		"%" PRId64 " were let through, %" PRId64 " had to wait, %" PRId64 " were refused",
		n_held, n_wait, n_refused);
	return tap_done();
}
