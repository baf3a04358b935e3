/* limit_rule.c - amounts by the time, read and written. */
#include "brokerd/config/limit_rule.h"

#include <stdio.h>

#include "protocol/base/num.h"

#define SECOND_US INT64_C(1000000)

static const struct {
	const char *name;
	int64_t us;
} units[] = {
  /* the longest first, as they are written */
	{"day",    86400 * SECOND_US},
	{"hour",   3600 * SECOND_US },
	{"minute", 60 * SECOND_US   },
	{"second", SECOND_US        },
};

static const char *const periods[] = {"hour", "day", "week", "month"};
static const char *const each[LIMIT_EACH_COUNT] = {
	"app", "user", "policy", "provider", "key", "model"};

static bool are_same(const struct words *a, const struct words *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!span_eq(a->list[i], b->list[i]))
			return false;
	}
	return a->n == b->n;
}

bool limit_is_for_same(const struct limit_rule *a, const struct limit_rule *b)
{
	return are_same(&a->apps, &b->apps) && are_same(&a->policies, &b->policies) &&
	       are_same(&a->providers, &b->providers) && are_same(&a->keys, &b->keys) &&
	       are_same(&a->models, &b->models) && are_same(&a->users, &b->users);
}

const char *limit_each_name(enum limit_each e)
{
	return each[e];
}

const char *period_name(enum period p)
{
	return periods[p];
}

/* ---- reading ---- */

static bool read_time(struct span text, int64_t *us)
{
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (!span_is(text, units[i].name))
			continue;
		*us = units[i].us;
		return true;
	}
	return num_duration_us(text, us);
}

enum err rate_read(struct span value, struct rate_rule *to, struct fault *why)
{
	struct span time = value;
	const struct span amount = span_trim(span_cut(&time, '/'));
	struct rate_rule r;
	if (!span_is_set(time) || !num_i64(amount, &r.amount) ||
		!read_time(span_trim(time), &r.per_us))
		return fault_set(why, ERR_MISCONFIGURED,
			"this is an amount and a time, as in 60/minute or 100000/30s: the time is "
			"second, minute, hour, day, or as in 30s");
	if (r.amount < 1 || r.amount > RATE_AMOUNT_MAX)
		return fault_set(why, ERR_MISCONFIGURED,
			"an amount is a whole number from 1 to 1000000000000");
	if (r.per_us < SECOND_US || r.per_us > 31 * units[0].us)
		return fault_set(why, ERR_MISCONFIGURED, "its time is from 1s to 31d");
	*to = r;
	return OK;
}

enum err budget_read(struct span value, struct budget_rule *to, struct fault *why)
{
	struct span rest = value;
	const struct span money = span_trim(span_cut(&rest, '/'));
	const struct span period = span_is_set(rest) ? span_trim(rest) : SPAN_NONE;
	for (size_t i = 0; i < COUNT_OF(periods); i++) {
		if (!span_is(period, periods[i]))
			continue;
		if (!num_money_nusd(money, &to->nusd) || to->nusd > MONEY_MAX)
			break;
		to->period = (enum period)i;
		return OK;
	}
	return fault_set(why, ERR_MISCONFIGURED,
		"this is US dollars and a time, as in 5/day or 0.50 USD/hour: the time is hour, "
		"day, week or month");
}

/* ---- writing ---- */

void rate_print(const struct rate_rule *r, struct buf *out)
{
	buf_i64(out, r->amount);
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (r->per_us == units[i].us) {
			buf_print(out, "/%s", units[i].name);
			return;
		}
	}
	if (r->per_us % SECOND_US == 0)
		buf_print(out, "/%llds", (long long)(r->per_us / SECOND_US));
	else
		buf_print(out, "/%lldms", (long long)(r->per_us / 1000));
}

void money_print(int64_t nusd, struct buf *out)
{
	const int64_t one = INT64_C(1000000000);
	char parts[16];
	(void)snprintf(parts, sizeof parts, "%09lld", (long long)(nusd % one));
	size_t n = 9;
	while (n > 0 && parts[n - 1] == '0')
		n--;
	buf_i64(out, nusd / one);
	/* two places at the least where there are any */
	if (n > 0)
		buf_print(out, ".%.*s", (int)(n < 2 ? 2 : n), parts);
}

static void put_words(struct buf *out, const char *key, const struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		buf_print(out, "%s = %.*s\n", key, SPAN_ARG(w->list[i]));
}

static void put_rate(struct buf *out, const char *key, const struct rate_rule *r)
{
	if (r->amount == 0)
		return;
	buf_print(out, "%s = ", key);
	rate_print(r, out);
	buf_byte(out, '\n');
}

void limit_rule_print(const struct limit_rule *r, struct buf *out)
{
	buf_print(out, "[limit \"%.*s\"]\n", SPAN_ARG(r->name));
	put_words(out, "app", &r->apps);
	put_words(out, "user", &r->users);
	put_words(out, "policy", &r->policies);
	put_words(out, "provider", &r->providers);
	put_words(out, "key", &r->keys);
	put_words(out, "model", &r->models);
	for (size_t i = 0; i < LIMIT_EACH_COUNT; i++) {
		if (r->each & UINT32_C(1) << i)
			buf_print(out, "each = %s\n", each[i]);
	}
	put_rate(out, "requests", &r->requests);
	put_rate(out, "input_tokens", &r->input);
	put_rate(out, "output_tokens", &r->output);
	put_rate(out, "tokens", &r->tokens);
	if (r->concurrency >= 0)
		buf_print(out, "concurrency = %lld\n", (long long)r->concurrency);
	for (size_t i = 0; i < r->n_budgets; i++) {
		buf_text(out, r->budgets[i].is_soft ? "soft_budget = " : "budget = ");
		money_print(r->budgets[i].nusd, out);
		buf_print(out, "/%s\n", periods[r->budgets[i].period]);
	}
	if (r->is_rolling)
		buf_text(out, "window = rolling\n");
	if (span_is_set(r->zone_said))
		buf_print(out, "zone = %.*s\n", SPAN_ARG(r->zone_said));
}
