/* listing.c - all counters, for those who may see all. */
#include "brokerd/limit/limiter_parts.h"
#include "protocol/base/json.h"
#include "protocol/base/num.h"

#define SECOND_US INT64_C(1000000)

/* ---- one counter ---- */

static const char *const buckets[COUNTER_BUCKETS] = {
	[COUNTER_REQUESTS] = "requests",
	[COUNTER_INPUT] = "input_tokens",
	[COUNTER_OUTPUT] = "output_tokens",
	[COUNTER_TOKENS] = "tokens",
};

/* How much it is, whoever has used how much of it. */
static void amounts_json(const struct limit_rule *r, struct json_out *o)
{
	json_key(o, "amounts");
	json_open(o, '{');
	for (size_t i = 0; i < COUNTER_BUCKETS; i++) {
		const struct rate_rule *rate = counter_rate(r, i);
		if (rate->amount == 0)
			continue;
		json_key(o, buckets[i]);
		json_open(o, '{');
		json_pair_i64(o, "limit", rate->amount);
		json_pair_i64(o, "per_ms", rate->per_us / 1000);
		json_close(o, '}');
	}
	if (r->concurrency >= 0) {
		json_key(o, "concurrency");
		json_open(o, '{');
		json_pair_i64(o, "limit", r->concurrency);
		json_close(o, '}');
	}
	json_key(o, "budgets");
	json_open(o, '[');
	for (size_t i = 0; i < r->n_budgets; i++) {
		json_open(o, '{');
		json_pair_i64(o, "limit_nusd", r->budgets[i].nusd);
		json_pair_str(o, "period", span_str(period_name(r->budgets[i].period)));
		json_pair_bool(o, "soft", r->budgets[i].is_soft);
		json_close(o, '}');
	}
	json_close(o, ']');
	json_close(o, '}');
}

static void rule_json(const struct limit_rule *r, struct json_out *o)
{
	json_pair_str(o, "name", r->name);
	json_pair_str(o, "said_at", r->said_at);
	json_pair_str(o, "window", r->is_rolling ? SPAN("rolling") : SPAN("calendar"));
	json_pair_str(o, "zone", zone_name(r->zone));
	json_key(o, "for");
	json_open(o, '{');
	words_json(o, "app", &r->apps);
	words_json(o, "user", &r->users);
	words_json(o, "policy", &r->policies);
	words_json(o, "provider", &r->providers);
	words_json(o, "key", &r->keys);
	words_json(o, "model", &r->models);
	json_close(o, '}');
	json_key(o, "each");
	json_open(o, '[');
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		if (r->each & UINT32_C(1) << i)
			json_put_str(o, span_str(limit_each_name((enum limit_each)i)));
	}
	json_close(o, ']');
	amounts_json(r, o);
	json_pair_str(o, "warning", r->unfit);
}

static void buckets_json(const struct counter *c, const struct limit_moment *m, struct json_out *o)
{
	for (size_t i = 0; i < COUNTER_BUCKETS; i++) {
		const struct bucket *b = &c->buckets[i];
		if (b->amount == 0)
			continue;
		json_key(o, buckets[i]);
		json_open(o, '{');
		json_pair_i64(o, "limit", b->amount);
		json_pair_i64(o, "per_ms", b->per_us / 1000);
		json_pair_i64(o, "used", bucket_used(b, m->now_us));
		json_close(o, '}');
	}
}

static void budget_json(const struct budget *b, const struct limit_moment *m, struct json_out *o)
{
	const int64_t wall_s = m->clock->wall_us / SECOND_US;
	json_open(o, '{');
	json_pair_i64(o, "limit_nusd", b->rule.nusd);
	json_pair_str(o, "period", span_str(period_name(b->rule.period)));
	json_pair_bool(o, "soft", b->rule.is_soft);
	json_pair_i64(o, "spent_nusd", b->spent_nusd);
	json_pair_i64(o, "reserved_nusd", budget_reserved_nusd(b));
	if (b->is_rolling) {
		json_pair_i64(o, "from_s", wall_s - budget_rolling_us(b->rule.period) / SECOND_US);
		json_pair_i64(o, "until_s", wall_s);
	} else {
		json_pair_i64(o, "from_s", b->from_s);
		json_pair_i64(o, "until_s", b->until_s);
	}
	json_close(o, '}');
}

static void counter_json(const struct counter *c, const struct limit_moment *m, struct json_out *o)
{
	char number[16];
	json_open(o, '{');
	json_key(o, "of");
	json_open(o, '{');
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		const enum limit_each e = (enum limit_each)i;
		const struct span value = subject_value(&c->who, e, number);
		if (!(c->each & UINT32_C(1) << i))
			continue;
		json_pair_str(o, limit_each_name(e), span_is_set(value) ? value : SPAN(""));
	}
	json_close(o, '}');
	buckets_json(c, m, o);
	if (c->rule->concurrency >= 0) {
		json_key(o, "concurrency");
		json_open(o, '{');
		json_pair_i64(o, "limit", c->rule->concurrency);
		json_pair_i64(o, "used", (int64_t)c->n_shares);
		json_close(o, '}');
	}
	json_key(o, "budgets");
	json_open(o, '[');
	for (size_t i = 0; i < c->n_budgets; i++)
		budget_json(&c->budgets[i], m, o);
	json_close(o, ']');
	json_close(o, '}');
}

static void learned_json(const struct counter *c, const struct limit_moment *m, struct json_out *o)
{
	json_open(o, '{');
	json_pair_str(o, "provider", c->who.provider);
	json_pair_str(o, "key", c->who.key);
	json_pair_str(o, "model", c->who.model);
	buckets_json(c, m, o);
	if (c->rest_us > m->now_us)
		json_pair_i64(o, "rest_ms", limit_ms_until(c->rest_us, m->now_us));
	json_close(o, '}');
}

/* ---- all of them ---- */

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
	const struct limit_moment m = limiter_moment(l);
	const struct limit_subject nobody = {.app = SPAN_NONE};
	struct counter *c, *after;
	size_t n = 0;
	if (r->each == 0)
		(void)limiter_counter(l, r, &nobody);
	struct counter **list = limiter_zeroed((l->n_counters + 1) * sizeof(struct counter *));
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
		counter_json(list[i], &m, o);
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
	limiter_see(l, now);
	const struct limit_moment m = limiter_moment(l);
	json_open(&o, '{');
	json_key(&o, "limits");
	json_open(&o, '[');
	for (size_t i = 0; l->config && i < l->config->n_limits; i++) {
		const struct limit_rule *r = &l->config->limits[i];
		if (span_is_set(name) && !span_eq(name, r->name))
			continue;
		json_open(&o, '{');
		rule_json(r, &o);
		list_counters(l, r, &o);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_key(&o, "providers");
	json_open(&o, '[');
	TABLE_EACH(l->counters, c, after) {
		if (c->is_learned && is_known(c, l->now_us) && !span_is_set(name))
			learned_json(c, &m, &o);
	}
	json_close(&o, ']');
	json_close(&o, '}');
}
