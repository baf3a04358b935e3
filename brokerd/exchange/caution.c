/* caution.c - a short list, searched from end to end where anybody was refused at all. */
#include "brokerd/exchange/caution.h"

#include "protocol/base/table.h"

static bool is_over(const struct caution *one, int64_t now_us)
{
	return one->allowed > CAUTION_ENOUGH || one->until_us <= now_us;
}

/* That lane's; else a free one, or NULL. */
static struct caution *find(struct cautions *c, struct span lane, int64_t now_us)
{
	const uint64_t hash = c->n > 0 ? table_hash(lane.p, lane.n) : 0;
	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].lane == hash && !is_over(&c->list[i], now_us))
			return &c->list[i];
	}
	return NULL;
}

static struct caution *find_room(struct cautions *c, int64_t now_us)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].n_out == 0 && is_over(&c->list[i], now_us))
			return &c->list[i];
	}
	return c->n < CAUTIONS_MAX ? &c->list[c->n++] : NULL;
}

bool caution_allows(struct cautions *c, struct span lane, int64_t now_us)
{
	const struct caution *one = find(c, lane, now_us);
	return !one || one->n_out < one->allowed;
}

struct caution *caution_begin(struct cautions *c, struct span lane, int64_t now_us)
{
	struct caution *one = find(c, lane, now_us);
	if (one)
		one->n_out++;
	return one;
}

void caution_end(struct caution *one)
{
	if (one)
		one->n_out--;
}

void caution_served(struct caution *one)
{
	caution_end(one);
	if (one && one->allowed <= CAUTION_ENOUGH)
		one->allowed++;
}

void caution_refused(struct cautions *c, struct span lane, int64_t now_us, int64_t rest_us)
{
	struct caution *one = find(c, lane, now_us);
	if (!one) {
		one = find_room(c, now_us);
		if (!one)
			return;
		*one = (struct caution){.lane = table_hash(lane.p, lane.n)};
	}
	one->allowed = 1;
	one->until_us = (rest_us > now_us ? rest_us : now_us) + CAUTION_US;
}
