/* told.c - a short list, searched from end to end. */
#include "brokerd/exchange/told.h"

#include "protocol/base/table.h"

bool told_is_news(struct told *t, struct span what, int64_t now_us, int64_t until_us)
{
	const uint64_t hash = table_hash(what.p, what.n);
	struct told_one *to = t->n < TOLD_MAX ? &t->list[t->n] : &t->list[0];
	for (size_t i = 0; i < t->n; i++) {
		struct told_one *one = &t->list[i];
		if (one->what == hash && one->until_us > now_us)
			return false;
		if (one->what == hash || (t->n == TOLD_MAX && one->until_us < to->until_us))
			to = one;
		if (one->what == hash)
			break;
	}
	if (to == &t->list[t->n])
		t->n++;
	*to = (struct told_one){hash, until_us};
	return true;
}
