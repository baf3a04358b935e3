/* golden.h - what do the golden cases and the replay of recordings share? */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H
#include "brokerd/dialect/dialect.h"

/* A pure function's world: the same in all tests. */
#define GOLDEN_ENV ((struct dialect_env){.wall_s = 1795305600, .seed = 7})

/* Decodes a reply that comes in pieces of `step` bytes (0: whole): a status of 400 or more is
 * explained. What fails is in *why, which is FAULT_NONE otherwise. */
enum err golden_decode(const struct dialect *d, const struct notes *notes,
	const struct http_reply *reply, const struct target *target, size_t step,
	const struct event_sink *sink, struct fault *why);

/* Prints what the records of a file decode to, one JSON object a line. Returns main's status. */
int replay(const char *family, const char *path, size_t step);

/* Decodes one reply from stdin: `dialect decode FAMILY [--status N] [--header 'k: v'] [--step N]`. */
int decode_stdin(int argc, char **argv);

/* A whole file. Ends the run where it cannot be read. */
void golden_read(const char *path, struct buf *out);

#endif
