/* files.h - which files are the log, and in what order?
 * audit.log is written to; audit.log.N were, the higher the later, and the lowest go when there are too
 * many. Blocks: for workers. */
#ifndef BROKERD_AUDIT_FILES_H
#define BROKERD_AUDIT_FILES_H
#include <stdint.h>

#include "protocol/base/buf.h"

#define FILES_CURRENT    "audit.log"
#define FILES_NAME_BYTES 32
#define FILES_MAX        256                        /* that are looked at, the latest */
#define FILES_READ_BYTES ((size_t)64 * 1024 * 1024) /* of one: none of ours comes to that */

/* How much is kept. */
struct audit_limits {
	size_t file_bytes; /* a file that has grown to that is written to no more */
	uint64_t files;    /* of those, how many are kept */
};

/* Those that were written to, the oldest first. */
struct files {
	uint64_t numbers[FILES_MAX];
	size_t n;
};

/* Opens the state folder. -1: errno. */
int files_folder(const char *state_dir);

/* False: the folder cannot be read. */
bool files_list(int folder, struct files *out) MUST_USE;

/* The first of them that must be there by the last one's number; 0: none need be. */
uint64_t files_expected(const struct files *f, const struct audit_limits *limits);

/* `number` 0: the one that is written to. */
const char *files_name(char to[FILES_NAME_BYTES], uint64_t number);

/* Appends all of a file. 0, or an errno; ENOENT: there is none. */
int files_read(int folder, const char *name, struct buf *out) MUST_USE;

/* audit.log is audit.log.NUMBER from now on, and what is too old goes. 0, or an errno. */
int files_rotate(int folder, uint64_t number, const struct audit_limits *limits) MUST_USE;

#endif
