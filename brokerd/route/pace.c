/* pace.c - the samples are kept as they came and in order, so that nothing is ever sorted. */
#include "brokerd/route/pace.h"

#include <string.h>

/* What is left of it after so long: half of it after each PACE_HALF_US, and a straight line between. */
static int64_t faded(int64_t excess, int64_t from_us, int64_t now_us)
{
	const int64_t age_us = now_us > from_us ? now_us - from_us : 0;
	const int64_t halves = age_us / PACE_HALF_US;
	if (halves >= 32)
		return 0; /* it has 32 bits */
	const int64_t left = excess >> halves;
	return left - left * (age_us % PACE_HALF_US) / (2 * PACE_HALF_US);
}

/* Where `took` is among those in order, or would be. */
static unsigned rank(const struct pace *p, uint32_t took)
{
	unsigned low = 0, high = p->n;
	while (low < high) {
		const unsigned mid = (low + high) / 2;
		if (p->sorted[mid] < took)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void drop_first(struct pace *p)
{
	const unsigned at = rank(p, p->took_us[p->first]);
	p->n--;
	memmove(&p->sorted[at], &p->sorted[at + 1], (p->n - at) * sizeof *p->sorted);
	p->first = (p->first + 1) % PACE_SAMPLES;
}

static void drop_late(struct pace *p, int64_t now_us)
{
	while (p->n > 0 && now_us - PACE_LATE_US > p->at_us[p->first])
		drop_first(p);
}

void pace_add(struct pace *p, int64_t took_us, int64_t now_us)
{
	const uint32_t took = took_us < 0            ? 0
			      : took_us > UINT32_MAX ? UINT32_MAX
						     : (uint32_t)took_us;
	const int64_t excess = p->peak_us - took;
	p->peak_us = took;
	if (p->is_known && excess > 0)
		p->peak_us += faded(excess, p->peak_at_us, now_us);
	p->peak_at_us = now_us;
	p->is_known = true;

	drop_late(p, now_us);
	if (p->n == PACE_SAMPLES)
		drop_first(p);
	const unsigned at = rank(p, took), last = (p->first + p->n) % PACE_SAMPLES;
	memmove(&p->sorted[at + 1], &p->sorted[at], (p->n - at) * sizeof *p->sorted);
	p->sorted[at] = took;
	p->took_us[last] = took;
	p->at_us[last] = now_us;
	p->n++;
	p->usual_us = p->sorted[(p->n - 1) / 2];
}

int64_t pace_first_us(const struct pace *p, int64_t now_us)
{
	if (!p->is_known)
		return -1;
	const int64_t excess = p->peak_us - p->usual_us;
	return excess <= 0 ? p->peak_us : p->usual_us + faded(excess, p->peak_at_us, now_us);
}

int64_t pace_p95_us(struct pace *p, unsigned least, int64_t now_us)
{
	drop_late(p, now_us);
	if (p->n == 0 || p->n < least)
		return -1;
	return p->sorted[(p->n * 95 + 99) / 100 - 1];
}
