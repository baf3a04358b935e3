/* ledger.h - what was asked, by whom, and what did it cost?
 * SQLite in state_dir/ledger.db, WAL, for people to query. Tables `exchange` and `attempt`, with the
 * columns that record.c names, and `schema` with the version that migrations go by. What is not
 * known is NULL. Once jobs run, it is touched by those of LEDGER_LANE alone, one after another; its
 * reader by those of LEDGER_READ_LANE, so that a long question keeps nobody from writing. */
#ifndef BROKERD_LEDGER_LEDGER_H
#define BROKERD_LEDGER_LEDGER_H
#include <stdatomic.h>

#include "brokerd/ledger/record.h"
#include "brokerd/loop/worker.h"

#define LEDGER_LANE      1 /* of workers_submit */
#define LEDGER_READ_LANE 4

struct ledger;

/* Opens or makes the database and brings it to this version's schema. Blocks: at start, before
 * jobs run. NULL: *why. ERR_VERSION: a newer schema than ours; ERR_STORAGE_FULL; ERR_IO: it cannot
 * be used, or is damaged, or is not ours. Whatever is there is left alone. */
struct ledger *ledger_open(const char *state_dir, struct fault *why);
void ledger_close(struct ledger *g); /* NULL is fine */

/* Closes the files, so that nothing keeps their file system busy: what is asked of it then fails with ERR_IO, whatever it is.
 * Its reader's are closed by ledger_reader_let_go, on the reader's lane. */
void ledger_let_go(struct ledger *g);
void ledger_reader_let_go(struct ledger *reader);

/* Opens them anew, in place: what is there now, or a new ledger, where there is none. The faults of ledger_open; it is let go then.
 * The reader follows at its next question. */
enum err ledger_come_back(struct ledger *g, struct fault *why) MUST_USE;

/* Did what failed last fail for the file system, that cannot be written or read? One that is full, a ledger that is locked or
 * damaged is no such thing. */
bool ledger_is_lost(const struct ledger *g);

/* A connection to ask questions on, that sees what was written when a question begins. The ledger's own: opened and
 * closed with it. */
struct ledger *ledger_reader(const struct ledger *g);

/* The reader's questions from now on end by ERR_CANCELLED as soon as that is true. NULL: they do not. */
void ledger_heed(struct ledger *reader, atomic_bool *is_unwanted);

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

#endif
