/* says.c - sentences for those who have to wait. */
#include "brokerd/limit/says.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/base/num.h"

#define SECOND_US   INT64_C(1000000)
#define TEXT_BYTES  1000 /* struct fault has 1024 */
#define WHENEVER_MS 1000 /* it is free when another call is over: nobody knows when */
#define NAME_BYTES  ((size_t)48)
#define PLACE_BYTES ((size_t)120)

static const char *const units[COUNTER_BUCKETS] = {
	[COUNTER_REQUESTS] = "requests",
	[COUNTER_INPUT] = "input tokens",
	[COUNTER_OUTPUT] = "output tokens",
	[COUNTER_TOKENS] = "tokens",
};
static const char *const options[COUNTER_BUCKETS] = {
	[COUNTER_REQUESTS] = "--requests",
	[COUNTER_INPUT] = "--input-tokens",
	[COUNTER_OUTPUT] = "--output-tokens",
	[COUNTER_TOKENS] = "--tokens",
};

static const char *const lasting[] = {"hour", "24 hours", "7 days", "31 days"}; /* by period */

/* ---- pieces of a sentence ---- */

/* "4.98", all of it. */
static void put_money(struct buf *t, int64_t nusd)
{
	const size_t at = t->n;
	money_print(nusd, t);
	if (span_index(span_skip(buf_view(t), at), '.') == t->n - at)
		buf_text(t, ".00");
}

/* "6 h 12 min": the two greatest units, rounded up. */
static void put_wait(struct buf *t, int64_t us)
{
	const int64_t s = us <= 0 ? 0 : (us - 1) / SECOND_US + 1;
	const int64_t min = (s + 59) / 60;
	if (us < SECOND_US)
		buf_print(t, "%" PRId64 " ms", us <= 0 ? 0 : (us - 1) / 1000 + 1);
	else if (s < 600)
		buf_print(t, "%" PRId64 " s", s);
	else if (min < 60)
		buf_print(t, "%" PRId64 " min", min);
	else if (min < 48 * 60)
		buf_print(t, "%" PRId64 " h %" PRId64 " min", min / 60, min % 60);
	else
		buf_print(t, "%" PRId64 " d %" PRId64 " h", min / 1440, min % 1440 / 60);
}

/* "2026-11-30 00:00 CET" */
static void put_moment(struct buf *t, const struct zone *zone, int64_t wall_us)
{
	struct zone_time w;
	const int64_t at_s = wall_us / SECOND_US + (wall_us % SECOND_US > 0);
	zone_read(zone, at_s, &w);
	buf_print(t, "%04" PRId64 "-%02d-%02d %02d:%02d", w.year, w.month, w.day, w.hour, w.minute);
	if (w.second > 0)
		buf_print(t, ":%02d", w.second);
	buf_byte(t, ' ');
	buf_span(t, zone_abbreviation(zone, at_s));
}

static void put_name(struct buf *t, struct span name)
{
	buf_span(t, span_first(name, NAME_BYTES));
	if (name.n > NAME_BYTES)
		buf_text(t, "...");
}

static const struct words *words_of(const struct limit_rule *r, enum limit_each e)
{
	const struct words *const all[LIMIT_EACH_COUNT] = {[LIMIT_EACH_APP] = &r->apps,
		[LIMIT_EACH_USER] = &r->users,
		[LIMIT_EACH_POLICY] = &r->policies,
		[LIMIT_EACH_PROVIDER] = &r->providers,
		[LIMIT_EACH_KEY] = &r->keys,
		[LIMIT_EACH_MODEL] = &r->models};
	return all[e];
}

/* " of app flatpak:org.x, for provider openai" */
static void put_scope(struct buf *t, const struct counter *c)
{
	const char *before = "";
	char number[16];
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		const enum limit_each e = (enum limit_each)i;
		const struct words *w = words_of(c->rule, e);
		if (c->each & UINT32_C(1) << i) {
			const struct span value = subject_value(&c->who, e, number);
			buf_print(t, "%s of %s ", before, limit_each_name(e));
			put_name(t, value.n > 0 ? value : SPAN("\"\""));
		} else if (w->n == 1) {
			buf_print(t, "%s for %s ", before, limit_each_name(e));
			put_name(t, w->list[0]);
		} else if (w->n > 1) {
			buf_print(t, "%s for any of %zu %s patterns", before, w->n,
				limit_each_name(e));
		} else {
			continue;
		}
		before = ",";
	}
	if (!before[0])
		buf_text(t, " of all calls");
}

/* "limit "team" (/etc/llm-broker/broker.conf:12) of app flatpak:org.x: " */
static void put_limit(struct buf *t, const struct counter *c)
{
	const struct limit_rule *r = c->rule;
	buf_print(t, "limit \"%.*s\" (%.*s)", SPAN_ARG(r->name),
		SPAN_ARG(span_first(r->said_at, PLACE_BYTES)));
	put_scope(t, c);
	buf_text(t, ": ");
}

/* How it is changed: `option` and what would be enough. */
static void put_command(
	struct buf *t, const struct limit_rule *r, const char *option, const char *enough)
{
	if (r->is_by_hand)
		buf_print(t, ". llmb budget set %.*s %s %s", SPAN_ARG(r->name), option, enough);
	else
		buf_text(t, ". To change it: edit that section, then llmb config reload");
}

/* Twice as much, or what this call needs where that is more; never none. */
static int64_t enough_of(int64_t amount, int64_t needed, int64_t most)
{
	const int64_t twice = num_mul_sat(amount, 2);
	const int64_t enough = twice > needed ? twice : needed;
	return enough > most ? most : enough < 1 ? 1 : enough;
}

static void put_rate_command(struct buf *t, const struct limit_rule *r, size_t i,
	const struct rate_rule *rate, int64_t needed)
{
	OWNED(buf_done) struct buf enough = BUF_INIT(100);
	const struct rate_rule more = {
		enough_of(rate->amount, needed, RATE_AMOUNT_MAX), rate->per_us};
	rate_print(&more, &enough);
	buf_byte(&enough, '\0');
	put_command(t, r, options[i], buf_error(&enough) ? "" : enough.p);
}

/* It takes the place of the one of that period; others stay. */
static void put_budget_command(
	struct buf *t, const struct limit_rule *r, const struct budget *b, int64_t need_nusd)
{
	OWNED(buf_done) struct buf enough = BUF_INIT(100);
	const int64_t least_nusd = INT64_C(1000000000); /* where there was none */
	const int64_t needed_nusd =
		num_add_sat(num_add_sat(b->spent_nusd, budget_reserved_nusd(b)), need_nusd);
	const int64_t nusd = enough_of(b->rule.nusd, needed_nusd, MONEY_MAX);
	money_print(b->rule.nusd == 0 && nusd < least_nusd ? least_nusd : nusd, &enough);
	buf_print(&enough, "/%s%c", period_name(b->rule.period), '\0');
	put_command(t, r, b->rule.is_soft ? "--soft" : "--usd", buf_error(&enough) ? "" : enough.p);
}

/* ---- sentences ---- */

static void finish(struct buf *t, enum err err, int64_t retry_after_ms, struct fault *why)
{
	fault_set(why, err, "%.*s", SPAN_ARG(buf_view(t)));
	why->retry_after_ms = retry_after_ms;
}

static void say_bucket(struct buf *t, const struct obstacle *o, const struct limit_need *need,
	const struct limit_moment *m)
{
	const struct counter *c = o->counter;
	const struct bucket *b = &c->buckets[o->i];
	int64_t n[COUNTER_BUCKETS];
	counter_units(need, n);
	put_limit(t, c);
	buf_print(t, "%" PRId64 " of ", bucket_used(b, m->now_us));
	const struct rate_rule *r = counter_rate(c->rule, o->i);
	OWNED(buf_done) struct buf rate = BUF_INIT(100);
	rate_print(r, &rate);
	buf_print(t, "%" PRId64 " %s in use (%.*s)", b->amount, units[o->i],
		SPAN_ARG(buf_view(&rate)));
	if (o->i != COUNTER_REQUESTS)
		buf_print(t, ", and this call can take %" PRId64, n[o->i]);
	buf_text(t, n[o->i] > b->amount ? ", for which all of it has to be there: that is in "
					: "; there is enough in ");
	put_wait(t, o->ready_us - m->now_us);
	put_rate_command(t, c->rule, o->i, r, n[o->i]);
}

static void say_concurrency(struct buf *t, const struct obstacle *o)
{
	const struct limit_rule *r = o->counter->rule;
	char twice[32];
	put_limit(t, o->counter);
	buf_print(t,
		"%zu of %" PRId64 " calls at a time are under way; there is room when one of "
		"them is over",
		o->counter->n_shares, r->concurrency);
	(void)snprintf(
		twice, sizeof twice, "%" PRId64, enough_of(r->concurrency, 1, CONCURRENCY_MAX));
	put_command(t, r, "--concurrency", twice);
}

/* "4.98 of 5.00 USD spent this day (Europe/Berlin)" */
static void put_spent(struct buf *t, const struct budget *b)
{
	put_money(t, b->spent_nusd);
	buf_text(t, " of ");
	put_money(t, b->rule.nusd);
	buf_text(t, " USD spent ");
	if (b->is_rolling)
		buf_print(t, "in the last %s", lasting[b->rule.period]);
	else
		buf_print(t, "this %s (%.*s)", period_name(b->rule.period),
			SPAN_ARG(zone_name(b->zone)));
}

static void put_reset(
	struct buf *t, const struct budget *b, int64_t ready_us, const struct limit_moment *m)
{
	buf_text(t, b->is_rolling ? "; so much is left again at " : "; it begins anew at ");
	put_moment(t, b->zone, budget_clock_wall_us(m->clock, ready_us));
	buf_text(t, ", in ");
	put_wait(t, ready_us - m->clock->real_us);
}

static void say_budget(struct buf *t, const struct obstacle *o, const struct limit_need *need,
	const struct limit_moment *m)
{
	const struct budget *b = &o->counter->budgets[o->i];
	put_limit(t, o->counter);
	put_spent(t, b);
	if (o->verdict == LIMIT_WAIT) {
		buf_text(t, ", ");
		put_money(t, budget_reserved_nusd(b));
		buf_text(t, " set aside for calls under way");
	}
	buf_text(t, ", and this call can cost ");
	put_money(t, need->nusd);
	if (o->verdict == LIMIT_WAIT)
		buf_text(t, "; there is enough if those cost less than they can");
	else if (o->ready_us == INT64_MAX)
		buf_text(t, ", which is more than all of it");
	else
		put_reset(t, b, o->ready_us, m);
	put_budget_command(t, o->counter->rule, b, need->nusd);
}

/* Of a provider's own limits. */
static void say_learned(struct buf *t, const struct obstacle *o, const struct limit_subject *s,
	const struct limit_moment *m)
{
	const struct counter *c = o->counter;
	buf_text(t, "provider ");
	put_name(t, s->provider);
	if (o->kind == OBSTACLE_REST) {
		buf_text(t, " wants no call");
	} else {
		const struct bucket *b = &c->buckets[o->i];
		const int64_t used = bucket_used(b, m->now_us);
		const struct rate_rule rate = {
			b->amount, (b->per_us + SECOND_US - 1) / SECOND_US * SECOND_US};
		buf_print(t, " has %" PRId64 " of %" PRId64 " %s left (",
			used < b->amount ? b->amount - used : 0, b->amount, units[o->i]);
		rate_print(&rate, t);
		buf_byte(t, ')');
	}
	buf_text(t, " for ");
	put_name(t, s->model);
	if (s->key.n > 0) {
		buf_text(t, " with the key ");
		put_name(t, s->key);
	}
	buf_text(t, o->kind == OBSTACLE_REST ? " for another " : "; there is enough in ");
	put_wait(t, o->ready_us - m->now_us);
	buf_text(t, ": that is its own limit, for all who use that key. With another key there is "
		    "more: llmb key add ");
	put_name(t, s->provider);
	buf_text(t, "/LABEL");
}

void says_obstacle(const struct obstacle *o, const struct limit_need *need,
	const struct limit_subject *s, const struct limit_moment *m, struct fault *why)
{
	OWNED(buf_done) struct buf t = BUF_INIT(TEXT_BYTES);
	enum err err = ERR_RATE_LIMITED;
	int64_t retry_ms =
		o->ready_us == INT64_MAX ? WHENEVER_MS : limit_ms_until(o->ready_us, m->now_us);
	if (o->counter->is_learned) {
		say_learned(&t, o, s, m);
	} else if (o->kind == OBSTACLE_BUCKET) {
		say_bucket(&t, o, need, m);
	} else if (o->kind == OBSTACLE_CONCURRENCY) {
		say_concurrency(&t, o);
	} else {
		err = ERR_BUDGET;
		say_budget(&t, o, need, m);
		if (o->verdict == LIMIT_SPENT)
			retry_ms = o->ready_us == INT64_MAX
					   ? -1
					   : limit_ms_until(o->ready_us, m->clock->real_us);
	}
	finish(&t, err, retry_ms, why);
}

/* ---- outlines ---- */

/* "minute", "30s" */
static void put_per(struct buf *t, const struct rate_rule *r)
{
	OWNED(buf_done) struct buf rate = BUF_INIT(100);
	rate_print(r, &rate);
	const struct span all = buf_view(&rate);
	buf_span(t, span_skip(all, span_index(all, '/') + 1));
}

static void outline_bucket(struct buf *t, const struct obstacle *o, const struct limit_need *need,
	const struct limit_moment *m)
{
	int64_t n[COUNTER_BUCKETS];
	counter_units(need, n);
	buf_print(t, "a limit of this host on %s per ", units[o->i]);
	put_per(t, counter_rate(o->counter->rule, o->i));
	buf_text(t, " is reached");
	if (o->i != COUNTER_REQUESTS)
		buf_print(t, ", and this call can take %" PRId64, n[o->i]);
	buf_text(t, "; there is enough in ");
	put_wait(t, o->ready_us - m->now_us);
}

static void outline_budget(struct buf *t, const struct obstacle *o, const struct limit_need *need,
	const struct limit_moment *m)
{
	const struct budget *b = &o->counter->budgets[o->i];
	buf_text(t, "a budget of this host has less left ");
	if (b->is_rolling)
		buf_print(t, "in %s", lasting[b->rule.period]);
	else
		buf_print(t, "this %s", period_name(b->rule.period));
	buf_text(t, " than this call can cost, which is ");
	put_money(t, need->nusd);
	buf_text(t, " USD");
	if (o->verdict == LIMIT_WAIT) {
		buf_text(t, "; there is enough if calls under way cost less than they can");
	} else if (o->ready_us == INT64_MAX) {
		buf_text(t, " and more than all of it");
	} else {
		buf_text(t, b->is_rolling ? "; so much is left again in " : "; it begins anew in ");
		put_wait(t, o->ready_us - m->clock->real_us);
	}
}

static void outline_learned(struct buf *t, const struct obstacle *o, const struct limit_subject *s,
	const struct limit_moment *m)
{
	buf_text(t, "provider ");
	put_name(t, s->provider);
	if (o->kind == OBSTACLE_REST)
		buf_text(t, " wants no call for ");
	else
		buf_print(t, " has too few %s left for ", units[o->i]);
	put_name(t, s->model);
	buf_text(t, o->kind == OBSTACLE_REST ? " for another " : "; there is enough in ");
	put_wait(t, o->ready_us - m->now_us);
	buf_text(t, ": that is its own limit");
}

void says_outline(const struct obstacle *o, const struct limit_need *need,
	const struct limit_subject *s, const struct limit_moment *m, char to[LIMIT_OUTLINE_BYTES])
{
	OWNED(buf_done) struct buf t = BUF_INIT(LIMIT_OUTLINE_BYTES);
	if (o->counter->is_learned)
		outline_learned(&t, o, s, m);
	else if (o->kind == OBSTACLE_BUCKET)
		outline_bucket(&t, o, need, m);
	else if (o->kind == OBSTACLE_CONCURRENCY)
		buf_text(&t, "a limit of this host on calls at a time is reached; there is room "
			     "when one of them is over");
	else
		outline_budget(&t, o, need, m);
	buf_text(&t, ". Ask whoever runs this host: `llmb budget list`");
	fault_text(to, LIMIT_OUTLINE_BYTES, buf_view(&t));
}

/* ---- of soft ones ---- */

void says_soft(
	const struct counter *c, size_t budget, const struct limit_moment *m, struct fault *why)
{
	OWNED(buf_done) struct buf t = BUF_INIT(TEXT_BYTES);
	const struct budget *b = &c->budgets[budget];
	const int64_t ready_us = budget_ready_us(b, m->clock, 0);
	put_limit(&t, c);
	put_spent(&t, b);
	buf_text(&t, ": that is more than was meant, and nobody is refused for it");
	put_reset(&t, b, ready_us, m);
	put_budget_command(&t, c->rule, b, 0);
	finish(&t, ERR_BUDGET, limit_ms_until(ready_us, m->clock->real_us), why);
}
