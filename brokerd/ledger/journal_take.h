/* journal_take.h - how does a process come by its journal: at its start, and again after it had to let go of it?
 * Blocks: at start, or on LEDGER_LANE. The file is one that journal_file_open opened. */
#ifndef BROKERD_LEDGER_JOURNAL_TAKE_H
#define BROKERD_LEDGER_JOURNAL_TAKE_H
#include "brokerd/ledger/journal_file.h"
#include "brokerd/ledger/replay.h"
#include "brokerd/value/mounted.h"

/* Brings what the file holds, and memory, into the ledger. A file with records that cannot be read is set aside, and *f is a
 * new one then. f->sequence is none that any of it has a later one of. Nothing is taken out of the file. */
enum err journal_take(struct journal_file *f, const struct journal_place *at,
	const struct replay_source *memory, struct ledger *ledger, struct replayed *out,
	struct fault *why) MUST_USE;

/* The file is unmapped and closed, and the ledger let go: nothing of them keeps the file system busy. */
void journal_let_go(struct journal_file *f, struct ledger *ledger);

struct journal_back {
	/* in */
	const char *state_dir;
	const struct mounted *where; /* its disk has to be */
	struct replay_source memory; /* its `file` is not looked at */
	size_t need_bytes;           /* of a half, to go on with; what `was.ended` needs is added */
	/* out */
	struct journal_file file; /* guarded; its records are in the ledger */
	struct replayed was;      /* `ended` is the caller's to free, whatever became of it */
	unsigned
		kept; /* the half that has to stay while the other is begun: it tells, as far as the disk does, what is
	                  under way */
};

/* Takes journal and ledger back after journal_let_go, be they as they were, others, or none. Where that cannot be, they
 * stay let go: ERR_IO, ERR_STORAGE_FULL, and what else journal_open and ledger_open say. */
enum err journal_take_back(
	struct journal_back *b, struct ledger *ledger, struct fault *why) MUST_USE;

/* Says that the file's halves are too short. */
enum err journal_too_small(const struct journal_back *b, struct fault *why);

#endif
