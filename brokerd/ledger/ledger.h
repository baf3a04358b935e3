/* ledger.h - what was asked, by whom, and what did it cost?
 * SQLite in state_dir/ledger.db, WAL, for people to query. Tables `exchange` and `attempt`, with the
 * columns that record.c names, and `schema` with the version that migrations go by. What is not
 * known is NULL. Once jobs run, it is touched by those of LEDGER_LANE alone, one after another. */
#ifndef BROKERD_LEDGER_LEDGER_H
#define BROKERD_LEDGER_LEDGER_H
#include "brokerd/ledger/record.h"
#include "brokerd/loop/worker.h"

#define LEDGER_LANE 1 /* of workers_submit */

struct ledger;

/* Opens or makes the database and brings it to this version's schema. Blocks: at start, before
 * jobs run. NULL: *why. ERR_VERSION: a newer schema than ours; ERR_STORAGE_FULL; ERR_IO: it cannot
 * be used, or is damaged, or is not ours. Whatever is there is left alone. */
struct ledger *ledger_open(const char *state_dir, struct fault *why);
void ledger_close(struct ledger *g); /* NULL is fine */

/* Rows in one transaction; a row that is there already is left as it is, so that a replay changes
 * nothing. ERR_STORAGE_FULL, ERR_IO: none of the rows was written. */
struct ledger_rows {
	const struct exchange_record *exchanges;
	size_t n_exchanges;
	const struct attempt_record *attempts;
	size_t n_attempts;
};
enum err ledger_write(struct ledger *g, const struct ledger_rows *rows, struct fault *why) MUST_USE;

/* What was written before survives a power cut; without it, a kill -9. */
enum err ledger_sync(struct ledger *g, struct fault *why) MUST_USE;

/* What `llmb usage` asks, answered as JSON. */
struct usage_query {
	int64_t since_us, until_us; /* wall clock, from and before; 0: no bound */
	struct span by;             /* "app" "model" "provider" "day" (UTC) "none" */
};
/* Appends {"rows":[{"key","requests","failed","unknown","input","cache_read","cache_write",
 * "output","reasoning","cost_nusd","unpriced"}...],"total":{the same without the key}}.
 * Days go upwards, all else by cost and requests, the most first; "none" has no rows. A model's key
 * is PROVIDER/MODEL as it answered, or as asked where nobody did; a key that is not known is "".
 * Tokens are in disjoint classes: `input` is uncached, of any medium; `output` is visible, of any
 * medium. Cost is the provider's own figure where it gave one, else ours. null: nothing of it is
 * known; sums stop at INT64_MAX. `unpriced` counts requests that used something at an unknown price.
 * ERR_INVALID_ARGUMENT names what `by` can be; ERR_TOO_BIG: more rows than fit; ERR_IO. */
enum err ledger_usage(struct ledger *g, const struct usage_query *q, struct buf *json,
	struct fault *why) MUST_USE;

#endif
