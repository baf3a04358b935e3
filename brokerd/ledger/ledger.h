/* ledger.h - what was asked, by whom, and what did it cost?
 * SQLite in state_dir/ledger.db, WAL, opened by a worker and touched by no other thread. Tables
 * `exchange` and `attempt`, and `schema` with the version that migrations go by. */
#ifndef BROKERD_LEDGER_LEDGER_H
#define BROKERD_LEDGER_LEDGER_H
#include "brokerd/ledger/record.h"
#include "brokerd/loop/worker.h"

struct ledger;

/* Opens or makes the database and brings it to this version's schema. Blocks: at start, before
 * jobs run. NULL: *why. A newer schema than ours is refused, and left alone. */
struct ledger *ledger_open(const char *state_dir, struct fault *why);
void ledger_close(struct ledger *g); /* NULL is fine */

/* For the journal's worker thread: rows in one transaction; a row that is there already is left as
 * it is, so that a replay changes nothing. ERR_STORAGE_FULL, ERR_IO. */
struct ledger_rows {
	const struct exchange_record *exchanges;
	size_t n_exchanges;
	const struct attempt_record *attempts;
	size_t n_attempts;
};
enum err ledger_write(struct ledger *g, const struct ledger_rows *rows, struct fault *why) MUST_USE;

/* What `llmb usage` asks, answered as JSON. */
struct usage_query {
	int64_t since_us, until_us; /* wall clock; 0: no bound */
	struct span by;             /* "app" "model" "provider" "day" "none" */
};
/* On a worker's thread. Appends {"rows":[{"key","requests","failed","unknown","input","cache_read",
 * "cache_write","output","reasoning","cost_nusd","unpriced"}...],"total":{...}}. */
enum err ledger_usage(struct ledger *g, const struct usage_query *q, struct buf *json,
	struct fault *why) MUST_USE;

#endif
