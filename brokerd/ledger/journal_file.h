/* journal_file.h - is there a file to write to, ours, whole, and with its space really there?
 * A page that says what it is, then two halves, mapped. Blocks: at start. */
#ifndef BROKERD_LEDGER_JOURNAL_FILE_H
#define BROKERD_LEDGER_JOURNAL_FILE_H
#include <stdint.h>

#include "protocol/base/err.h"

#define JOURNAL_PAGE_BYTES   ((size_t)4096)
#define JOURNAL_HALF_BYTES   ((size_t)11 * 1024 * 1024) /* of a new file; an old one keeps its own, */
#define JOURNAL_FORMER_BYTES ((size_t)8 * 1024 * 1024) /* but of that size it is made longer */

struct journal_file {
	int fd;
	unsigned char *map;
	unsigned char *halves[2];
	size_t half_bytes;
	uint64_t sequence; /* as it was last noted: no later one was in use, or a record has it */
};

/* Where it is. `dir` is a descriptor of the folder, `state_dir` its name for sentences. */
struct journal_place {
	int dir;
	const char *state_dir;
};

/* Opens DIR/journal, or makes it, locked against other processes. A file that is no journal, or
 * another version's, is set aside first. ERR_STORAGE_FULL, ERR_IO: *why says what to do, and there
 * is nothing to close. */
enum err journal_file_open(
	struct journal_file *f, const struct journal_place *at, struct fault *why) MUST_USE;
void journal_file_close(struct journal_file *f);

/* Does the disk take what is written to it? Writes the page, and the beginning of each half, as they are, and syncs that. */
enum err journal_file_prove(
	const struct journal_file *f, const struct journal_place *at, struct fault *why) MUST_USE;

/* Copies the records of a half to the `half_bytes` at `to`, which are zero: what lies behind them is of former rounds, and
 * may be left out. A page that cannot be read is ERR_IO here, and would be a SIGBUS in the map. */
enum err journal_file_read(const struct journal_file *f, const struct journal_place *at,
	unsigned half, unsigned char *to, struct fault *why) MUST_USE;

/* Keeps the file as journal.old-N, says so in the log, and opens a new one in its place. */
enum err journal_file_replace(struct journal_file *f, const struct journal_place *at,
	const char *reason, struct fault *why) MUST_USE;

/* Makes an empty file of JOURNAL_FORMER_BYTES as long as a new one. Without the space it stays as it is,
 * and the log says so; only what cannot be used any more is a fault. */
enum err journal_file_grow(
	struct journal_file *f, const struct journal_place *at, struct fault *why) MUST_USE;

/* Stores that are whole or not at all, whatever ends the process. */
void journal_file_note(struct journal_file *f, uint64_t sequence);
void journal_store(unsigned char *at, uint64_t word); /* `at` is a multiple of 8 */

#endif
