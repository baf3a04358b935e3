/* ledger_parts.h - what do the files that read and write the ledger share?
 * Its struct, and the words for what SQLite says. On the thread that may touch it. */
#ifndef BROKERD_LEDGER_LEDGER_PARTS_H
#define BROKERD_LEDGER_LEDGER_PARTS_H
#include <limits.h>
#include <sqlite3.h>

#include "brokerd/ledger/ledger.h"

struct ledger {
	sqlite3 *db;
	char path[PATH_MAX];
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *insert_exchange, *insert_attempt;
	struct ledger *reader; /* of the one that writes */
};

/* How many tokens of input an attempt had, of all classes; 0: not reported. */
#define REPORTED_INPUT                                                                         \
	"(coalesce(input, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0) + "       \
	"coalesce(cache_write_1h, 0) + coalesce(cache_write, 0) + coalesce(audio_input, 0) + " \
	"coalesce(image_input, 0))"

/* What was being done ("reading") failed so: always a fault. */
enum err ledger_fault(struct ledger *g, int rc, const char *doing, struct fault *why);

#endif
