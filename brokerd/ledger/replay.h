/* replay.h - what did a former process leave in its journal?
 * Reads the halves and brings what they hold into the ledger; changes nothing in them. */
#ifndef BROKERD_LEDGER_REPLAY_H
#define BROKERD_LEDGER_REPLAY_H
#include "brokerd/ledger/ledger.h"

struct replayed {
	uint64_t sequence; /* the latest that was seen; 0: none */
	size_t rows;       /* given to the ledger, be they new to it or not */
	size_t unknown;    /* exchanges whose end nobody knows */
	size_t torn;       /* ends that were not whole, as a power cut leaves them */
	size_t unreadable; /* records that are not ours to read, and places that are damaged */
	struct fault why;  /* about the last of those */
};

/* All that ended is in the ledger afterwards, durably, and what had not ended as unknown. Doing it
 * again changes nothing. Fails with what ledger_write says. */
enum err replay_halves(const struct span halves[2], struct ledger *ledger, struct replayed *out,
	struct fault *why) MUST_USE;

#endif
