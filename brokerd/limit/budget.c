/* budget.c - periods of a calendar against two clocks, and windows in quarters of an hour. */
#include "brokerd/limit/budget.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/base/num.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)
#define HOUR_S    INT64_C(3600)
#define DAY_S     INT64_C(86400)
/* a wall clock before 2026 is wrong; one that is further behind what is known than the ledger's memory shows
 * that the ledger was written by one that was wrong */
#define LEAST_US  (INT64_C(1767225600) * SECOND_US)
#define MEMORY_US (32 * DAY_US)

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* ---- the clocks ---- */

void budget_clock_remember(struct budget_clock *c, int64_t wall_us)
{
	if (wall_us > c->seen_us)
		c->seen_us = wall_us;
}

void budget_clock_see(struct budget_clock *c, int64_t real_us, bool has_real, int64_t wall_us)
{
	if (!c->is_begun) {
		c->is_begun = true;
		if (wall_us >= LEAST_US && c->seen_us > wall_us + MEMORY_US)
			c->seen_us = wall_us;
		c->real_us = real_us;
	}
	if (real_us > c->real_us)
		c->real_us = real_us;
	c->wall_us = wall_us;
	c->is_believed = has_real && real_us < BUDGET_BOOT_US;
	if (wall_us > c->seen_us)
		c->seen_us = wall_us;
	const bool was_behind = c->is_behind;
	c->is_behind = wall_us < c->seen_us - BUDGET_SLACK_US;
	if (c->is_behind && !was_behind)
		c->behind_us = c->real_us;
}

int64_t budget_clock_wall_us(const struct budget_clock *c, int64_t real_us)
{
	return num_add_sat(c->wall_us, real_us - c->real_us);
}

/* ---- periods ---- */

void budget_period(const struct zone *zone, enum period period, int64_t at_s, int64_t *from_s,
	int64_t *until_s)
{
	struct zone_time t;
	zone_read(zone, at_s, &t);
	switch (period) {
	case PERIOD_HOUR:
		*from_s = zone_moment_s(zone, t.year, t.month, t.day, t.hour);
		*until_s = zone_moment_s(zone, t.year, t.month, t.day, t.hour + 1);
		break;
	case PERIOD_DAY:
		*from_s = zone_moment_s(zone, t.year, t.month, t.day, 0);
		*until_s = zone_moment_s(zone, t.year, t.month, t.day + 1, 0);
		break;
	case PERIOD_WEEK:
		*from_s = zone_moment_s(zone, t.year, t.month, t.day - t.weekday, 0);
		*until_s = zone_moment_s(zone, t.year, t.month, t.day - t.weekday + 7, 0);
		break;
	case PERIOD_MONTH:
		*from_s = zone_moment_s(zone, t.year, t.month, 1, 0);
		*until_s = zone_moment_s(zone, t.year, t.month + 1, 1, 0);
		break;
	}
	/* a zone that no clock ever kept, or the end of time */
	if (*from_s > at_s)
		*from_s = at_s;
	if (*until_s <= at_s)
		*until_s = at_s + 1;
}

int64_t budget_rolling_us(enum period period)
{
	static const int64_t days[] = {[PERIOD_DAY] = 1, [PERIOD_WEEK] = 7, [PERIOD_MONTH] = 31};
	return period == PERIOD_HOUR ? HOUR_S * SECOND_US : days[period] * DAY_US;
}

void budget_init(
	struct budget *b, const struct budget_rule *rule, bool is_rolling, const struct zone *zone)
{
	*b = (struct budget){.rule = *rule, .is_rolling = is_rolling, .zone = zone};
}

void budget_done(struct budget *b)
{
	free(b->cells);
	b->cells = NULL;
	b->n = b->size = 0;
}

static bool is_free(const struct budget *b)
{
	return b->spent_nusd == 0 && b->reserved == 0;
}

/* The period in which the wall is at `at_us`. */
static void begin(struct budget *b, const struct budget_clock *c, int64_t at_us, bool is_believed,
	uint64_t turn)
{
	int64_t from_s, until_s;
	budget_period(b->zone, b->rule.period, floor_div(at_us, SECOND_US), &from_s, &until_s);
	const int64_t ends_us = num_add_sat(c->real_us, until_s * SECOND_US - at_us);
	const int64_t whole_us = num_add_sat(b->due_us, (until_s - from_s) * SECOND_US);
	if (!is_free(b) || b->until_s == 0)
		b->idle_us = c->real_us > b->due_us ? c->real_us : b->due_us;
	b->due_us = is_believed || ends_us > whole_us ? ends_us : whole_us;
	b->from_s = from_s;
	b->until_s = until_s;
	b->spent_nusd = 0;
	b->reserved = 0;
	b->turn = turn;
}

/* Drops what is out of the window. */
static void roll(struct budget *b, const struct budget_clock *c)
{
	const int64_t length_us = budget_rolling_us(b->rule.period);
	size_t n = 0;
	while (n < b->n && (b->cells[n].quarter + 1) * BUDGET_QUARTER_US + length_us <= c->real_us)
		n++;
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->cells, b->cells + n, b->n * sizeof *b->cells);
	b->spent_nusd = 0;
	for (size_t i = 0; i < b->n; i++)
		b->spent_nusd = num_add_sat(b->spent_nusd, b->cells[i].nusd);
	if (b->n == 0)
		budget_done(b);
}

static bool may_begin(const struct budget *b, const struct budget_clock *c, int64_t length_us)
{
	if (c->is_behind) {
		const int64_t at_s = floor_div(c->wall_us, SECOND_US);
		const bool is_elsewhere = at_s < b->from_s || at_s >= b->until_s;
		return is_elsewhere && c->real_us >= b->due_us &&
		       c->real_us >= num_add_sat(c->behind_us, length_us);
	}
	return c->seen_us >= b->until_s * SECOND_US &&
	       (c->is_believed || c->real_us >= b->due_us - BUDGET_SLACK_US);
}

bool budget_refresh(struct budget *b, const struct budget_clock *c, uint64_t turn)
{
	if (b->is_rolling) {
		roll(b, c);
		return false;
	}
	if (b->until_s == 0) {
		begin(b, c, c->seen_us, true, turn);
		return true;
	}
	const int64_t length_us = (b->until_s - b->from_s) * SECOND_US;
	const bool is_idle = is_free(b) && c->real_us >= num_add_sat(b->idle_us, 2 * length_us);
	if (may_begin(b, c, length_us)) {
		begin(b, c, c->is_behind ? c->wall_us : c->seen_us, is_idle || c->is_believed,
			turn);
		return true;
	}
	/* it goes on beyond its length, which the next one has for itself */
	if (c->real_us > b->due_us)
		b->due_us = c->real_us;
	return false;
}

bool budget_counts(const struct budget *b, uint64_t turn)
{
	return b->is_rolling || turn > b->turn;
}

/* ---- money ---- */

static void add_cell(struct budget *b, int64_t quarter, int64_t nusd)
{
	size_t i = b->n;
	while (i > 0 && b->cells[i - 1].quarter > quarter)
		i--;
	if (i > 0 && b->cells[i - 1].quarter == quarter) {
		b->cells[i - 1].nusd = num_add_sat(b->cells[i - 1].nusd, nusd);
		return;
	}
	if (b->n == b->size) {
		b->size = b->size > 0 ? b->size * 2 : 4;
		b->cells = reallocarray(b->cells, b->size, sizeof *b->cells);
		if (!b->cells)
			abort();
	}
	memmove(b->cells + i + 1, b->cells + i, (b->n - i) * sizeof *b->cells);
	b->cells[i] = (struct budget_cell){quarter, nusd};
	b->n++;
}

void budget_add(struct budget *b, const struct budget_clock *c, int64_t real_us, int64_t wall_us,
	int64_t nusd)
{
	assert(nusd >= 0);
	if (nusd == 0)
		return;
	if (!b->is_rolling) {
		const int64_t at_s = floor_div(wall_us, SECOND_US);
		if (at_s >= b->from_s && at_s < b->until_s)
			b->spent_nusd = num_add_sat(b->spent_nusd, nusd);
		return;
	}
	const int64_t quarter = floor_div(real_us, BUDGET_QUARTER_US);
	const int64_t length_us = budget_rolling_us(b->rule.period);
	if ((quarter + 1) * BUDGET_QUARTER_US + length_us <= c->real_us)
		return;
	add_cell(b, quarter, nusd);
	b->spent_nusd = num_add_sat(b->spent_nusd, nusd);
}

void budget_reserve(struct budget *b, int64_t nusd)
{
	b->reserved += nusd;
}

void budget_unreserve(struct budget *b, int64_t nusd)
{
	assert(b->reserved >= nusd);
	b->reserved -= nusd;
}

int64_t budget_reserved_nusd(const struct budget *b)
{
	return b->reserved < INT64_MAX ? (int64_t)b->reserved : INT64_MAX;
}

/* When the next period begins, as the clock goes now. */
static int64_t calendar_ready_us(const struct budget *b, const struct budget_clock *c)
{
	const int64_t length_us = (b->until_s - b->from_s) * SECOND_US;
	int64_t at_us = num_add_sat(c->real_us, b->until_s * SECOND_US - c->wall_us);
	if (c->is_behind) {
		const int64_t mended_us = num_add_sat(c->behind_us, length_us);
		const int64_t least_us = mended_us > b->due_us ? mended_us : b->due_us;
		return least_us < at_us ? least_us : at_us;
	}
	if (!c->is_believed && at_us < b->due_us - BUDGET_SLACK_US)
		at_us = b->due_us - BUDGET_SLACK_US;
	return at_us > c->real_us ? at_us : c->real_us;
}

int64_t budget_ready_us(const struct budget *b, const struct budget_clock *c, int64_t nusd)
{
	if (nusd > b->rule.nusd)
		return INT64_MAX;
	if (!b->is_rolling)
		return calendar_ready_us(b, c);
	int64_t spent_nusd = b->spent_nusd;
	for (size_t i = 0; i < b->n; i++) {
		if (spent_nusd <= b->rule.nusd - nusd)
			return c->real_us;
		spent_nusd -= b->cells[i].nusd;
		if (spent_nusd <= b->rule.nusd - nusd)
			return (b->cells[i].quarter + 1) * BUDGET_QUARTER_US +
			       budget_rolling_us(b->rule.period);
	}
	return c->real_us;
}

bool budget_is_whole(const struct budget *b, const struct budget_clock *c)
{
	return is_free(b) && (b->is_rolling || c->real_us >= b->due_us);
}
