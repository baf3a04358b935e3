/* ledger_parts.h - what do the files that read and write the ledger share?
 * Its struct, and the words for what SQLite says. On the thread that may touch it. */
#ifndef BROKERD_LEDGER_LEDGER_PARTS_H
#define BROKERD_LEDGER_LEDGER_PARTS_H
#include <limits.h>
#include <sqlite3.h>

#include "brokerd/ledger/ledger.h"

struct ledger {
	sqlite3 *db; /* NULL: it is let go; ledger_ready says more */
	char path[PATH_MAX];
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *insert_exchange, *insert_attempt;
	bool is_lost;             /* the last that failed did so for want of the file system */
	struct ledger *reader;    /* of the one that writes */
	atomic_uint turns;        /* of that one: odd while it is let go */
	struct ledger *writer;    /* of the one that reads, and */
	unsigned turn;            /* which of its turns the connection is of */
	atomic_bool *is_unwanted; /* what it asks; NULL: it is wanted */
};

/* How many tokens of input an attempt had, of all classes; 0: not reported. */
#define REPORTED_INPUT                                                                         \
	"(coalesce(input, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0) + "       \
	"coalesce(cache_write_1h, 0) + coalesce(cache_write, 0) + coalesce(audio_input, 0) + " \
	"coalesce(image_input, 0))"

/* Is there a connection? That of a reader is opened where there is none, and closed where the writer's is another since.
 * ERR_IO: it is let go. */
enum err ledger_ready(struct ledger *g, struct fault *why) MUST_USE;

/* What was being done ("reading") failed so: always a fault. */
enum err ledger_fault(struct ledger *g, int rc, const char *doing, struct fault *why);

#endif
