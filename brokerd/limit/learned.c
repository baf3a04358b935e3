/* learned.c - a reply's figures into buckets. */
#include "brokerd/limit/learned.h"

#include <assert.h>

#include "protocol/base/num.h"

#define MS_US INT64_C(1000)
#define SHORT_US \
	(INT64_C(15) * 60 * 1000000) /* for a spent day of which nobody says when it ends */

static void pend(struct counter *c, const struct limit_share *share, int64_t sign)
{
	int64_t units[COUNTER_BUCKETS];
	counter_units(&share->hold->need, units);
	for (size_t i = 0; i < COUNTER_BUCKETS; i++)
		c->pending[i] = num_add_sat(c->pending[i], sign * units[i]);
}

void learned_taken(struct counter *c, struct limit_share *share)
{
	pend(c, share, 1);
	if (!c->uncounted)
		c->uncounted = share;
}

static void count_first(struct counter *c)
{
	struct limit_share *share = c->uncounted;
	if (!share)
		return;
	pend(c, share, -1);
	share->is_counted = true;
	c->uncounted = share->next;
}

void learned_gone(struct counter *c, struct limit_share *share)
{
	if (share->is_counted)
		return;
	pend(c, share, -1);
	if (c->uncounted == share)
		c->uncounted = share->next;
}

/* In which all of it grows back, when so much of it is back in `reset_us` (-1: not said). */
static int64_t whole_us(const struct bucket *b, int64_t limit, int64_t used, int64_t reset_us)
{
	const int64_t known_us = b->amount == limit ? b->per_us : LEARNED_USUAL_US;
	if (reset_us <= 0 || used <= 0)
		return known_us;
	const int64_t us = num_mul_div(reset_us, limit, used);
	/* times are said in whole seconds at times, and little that is used makes much of that */
	if (us > LEARNED_USUAL_US && used < limit / 16)
		return reset_us > LEARNED_USUAL_US ? reset_us : LEARNED_USUAL_US;
	return us < LEARNED_DAY_US * 31 ? us : LEARNED_DAY_US * 31;
}

static void hear_rate(struct counter *c, size_t i, const struct rate *r, bool is_old,
	int64_t most_us, int64_t now_us)
{
	struct bucket *b = &c->buckets[i];
	int64_t limit = r->limit >= 0 ? r->limit : b->amount;
	if (limit < r->remaining)
		limit = r->remaining;
	if (limit > BUCKET_UNITS_MAX)
		limit = BUCKET_UNITS_MAX;
	if (limit <= 0 && r->remaining == 0)
		limit = 1; /* nothing is left, of who knows what */
	if (limit <= 0)
		return;
	if (r->remaining < 0) {
		bucket_change(b, limit, b->amount > 0 ? b->per_us : LEARNED_USUAL_US, now_us);
		return;
	}
	int64_t reset_us = r->reset_ms < 0 ? -1 : num_mul_sat(r->reset_ms, MS_US);
	if (reset_us > most_us)
		reset_us = most_us;
	/* it is whole again by the time that one reads it */
	const int64_t used = reset_us != 0 && r->remaining < limit ? limit - r->remaining : 0;
	if (is_old && b->amount == limit && used + c->pending[i] < bucket_used(b, now_us))
		return;
	const int64_t per_us = whole_us(b, limit, used, reset_us);
	bucket_set(b, limit, per_us, used + c->pending[i], now_us);
}

void learned_hear(struct counter *c, const struct rates *said, uint64_t turn, int64_t now_us)
{
	const struct rate *const rates[COUNTER_BUCKETS] = {[COUNTER_REQUESTS] = &said->requests,
		[COUNTER_INPUT] = &said->input,
		[COUNTER_OUTPUT] = &said->output,
		[COUNTER_TOKENS] = &said->tokens};
	const int64_t most_us = said->is_day_spent ? LEARNED_DAY_US : LEARNED_REST_US;
	const bool is_old = turn > 0 && turn < c->heard;
	int64_t rest_us = -1;
	assert(c->is_learned);
	if (turn > c->heard)
		c->heard = turn;
	count_first(c);
	for (size_t i = 0; i < COUNTER_BUCKETS; i++) {
		const struct rate *r = rates[i];
		if (r->limit >= 0 || r->remaining >= 0)
			hear_rate(c, i, r, is_old, most_us, now_us);
		if (said->is_day_spent && r->remaining == 0 && r->reset_ms >= 0 &&
			num_mul_sat(r->reset_ms, MS_US) > rest_us)
			rest_us = num_mul_sat(r->reset_ms, MS_US);
	}
	if (said->retry_after_ms >= 0)
		rest_us = num_mul_sat(said->retry_after_ms, MS_US);
	else if (said->is_day_spent && rest_us < 0)
		rest_us = SHORT_US;
	if (rest_us > most_us)
		rest_us = most_us;
	if (rest_us > 0 && now_us + rest_us > c->rest_us)
		c->rest_us = now_us + rest_us;
}
