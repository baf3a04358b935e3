/* guarded.h - where do bytes lie that nobody else may see?
 * In pages of their own between guard pages: locked, left out of dumps, unreadable but while open, and
 * wiped when freed. One owner at a time and one thread at a time: a job takes its blocks along.
 * Each block costs several pages: for keys, not for traffic. */
#ifndef BROKERD_VALUE_GUARDED_H
#define BROKERD_VALUE_GUARDED_H
#include "protocol/base/err.h"
#include "protocol/base/span.h"

struct guarded;

/* `n` zeroed bytes (1 or more), closed. ERR_NO_MEMORY. */
enum err guarded_new(size_t n, struct guarded **out) MUST_USE;
enum err guarded_copy(
	struct span bytes, struct guarded **out) MUST_USE; /* the caller wipes its own */
void guarded_free(struct guarded *g);                      /* wipes, open or not; NULL is fine */

size_t guarded_size(const struct guarded *g);

/* Each opens the block until its guarded_close; calls nest. What was opened for reading may be opened
 * for writing inside, and stays writable until all are closed. */
struct span guarded_read(struct guarded *g);
unsigned char *guarded_write(struct guarded *g);
void guarded_close(struct guarded *g);

/* For OWNED(guarded_drop) struct guarded *g = NULL; */
void guarded_drop(struct guarded **g);

#endif
