/* writer.h - how do records come to be on the disk, and how does the log go on after a crash?
 * The half that a worker runs, one job at a time. The file is read once, before the first write: what a crash
 * has torn off its end is cut away, and a record says so; what was changed in the middle is kept under
 * another name. A write that fails has written nothing. Where the disk fails the log is let go of, so that it can be
 * unmounted, and looked for anew with the next write: it goes on in the file that it was in, or in a new one. */
#ifndef BROKERD_AUDIT_WRITER_H
#define BROKERD_AUDIT_WRITER_H
#include "brokerd/audit/chain.h"
#include "brokerd/audit/files.h"
#include "brokerd/value/guarded.h"

struct writer;

/* What is written at once. */
struct batch {
	struct span records; /* members of each, with a newline behind it */
	struct guarded
		*epoch; /* a struct epoch that begins behind them; NULL: none does. The first batch
	                           of all has one, and it begins before them */
	int64_t at_us;  /* of the records of the log's own */
	bool is_last;   /* the broker ends in good order */
};

/* The latest record that is on the disk. */
struct written {
	uint64_t seq;
	unsigned char head[CHAIN_HASH_BYTES];
};

/* Touches no file yet. NULL: out of memory. */
struct writer *writer_new(const char *state_dir, const struct audit_limits *limits);
void writer_free(struct writer *w);

/* Appends the records of a batch, sealed, and waits for the disk. ERR_STORAGE_FULL, ERR_IO (another broker
 * has the log, among others), ERR_NO_MEMORY: nothing was written, and the same batch may come again. */
enum err writer_write(struct writer *w, const struct batch *b, struct fault *why) MUST_USE;

/* Closes what it has open, as after a write that the disk failed. */
void writer_let_go(struct writer *w);

struct written writer_last(struct writer *w);

#endif
