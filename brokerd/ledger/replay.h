/* replay.h - what is in a journal that is not yet in the ledger?
 * Reads what a former process left there, or this one before it had to let go of it, and brings it into the ledger;
 * changes nothing in it. */
#ifndef BROKERD_LEDGER_REPLAY_H
#define BROKERD_LEDGER_REPLAY_H
#include "brokerd/ledger/ledger.h"

struct reservation;

struct replay_source {
	struct span file[2];   /* its halves */
	struct span memory[2]; /* what this process has besides, later than the file; empty: none */
	struct reservation *under_way; /* a table: these have not ended, and are not unknown */
};

struct replayed {
	uint64_t sequence; /* the latest that was seen; 0: none */
	size_t rows;       /* given to the ledger, be they new to it or not */
	size_t unknown;    /* exchanges whose end nobody knows */
	size_t torn;       /* ends that were not whole, as a power cut leaves them */
	size_t unreadable; /* records that are not ours to read, and places that are damaged */
	struct fault why;  /* about the last of those */
	size_t found[2];   /* of those under way, in each half of the file */
	/* what memory ends that the file has open: until that is gone, the file has to be told. Whoever called frees it */
	struct exchange_record *ended;
	size_t n_ended;
};

/* All that ended is in the ledger afterwards, durably, and what had not ended as unknown. Doing it
 * again changes nothing. Fails with what ledger_write says. */
enum err replay(const struct replay_source *from, struct ledger *ledger, struct replayed *out,
	struct fault *why) MUST_USE;

#endif
