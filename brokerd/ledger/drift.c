/* drift.c - names by their hashes, which nobody can choose. */
#include "brokerd/ledger/drift.h"

#include "protocol/base/table.h"

bool drift_is_news(struct drifts *d, struct span provider, struct span model, int64_t day)
{
	const uint64_t hashes[2] = {
		table_hash(provider.p, provider.n), table_hash(model.p, model.n)};
	const uint64_t name = table_hash(hashes, sizeof hashes);
	for (size_t i = 0; i < DRIFTS_MAX && d->said[i].day != 0; i++) {
		if (d->said[i].name != name)
			continue;
		const bool is_news = d->said[i].day != day + 1;
		d->said[i].day = day + 1;
		return is_news;
	}
	d->said[d->next].name = name;
	d->said[d->next].day = day + 1;
	d->next = (d->next + 1) % DRIFTS_MAX;
	return true;
}
