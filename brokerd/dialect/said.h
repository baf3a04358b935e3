/* said.h - what does a message say, as one text?
 * For families that take a string where others take parts. No I/O. */
#ifndef BROKERD_DIALECT_SAID_H
#define BROKERD_DIALECT_SAID_H
#include "brokerd/dialect/scribe.h"

/* Appends the texts and refusals of a message, with `between` after each but the last. */
void said_text(const struct message *m, const char *between, struct buf *out);

/* The same of a tool's result, a line each: one that failed says so where its text does not. */
void said_result(const struct message *m, struct buf *out);

/* Appends a text file as words of a message, with its name around it. ERR_INVALID_REQUEST: it is no
 * UTF-8. */
enum err said_file(
	struct scribe *s, const struct media *m, const char *path, struct buf *out) MUST_USE;

bool said_is_media(enum part_type type);
bool said_has_media(const struct message *m); /* `m` may be NULL */

#endif
