/* sse_write.h - how does an event stream say one JSON value?
 * For those who write answers to callers. Failures stick to the buf. */
#ifndef BROKERD_DIALECT_SSE_WRITE_H
#define BROKERD_DIALECT_SSE_WRITE_H
#include "protocol/base/json.h"

/* Begins an event, of that name (NULL: it has none), whose data is written next, to the same buf. Returns
 * the mark that ends it. */
size_t sse_begin(struct buf *out, const char *name) MUST_USE;

/* Ends it. Line ends in between, which are white space of JSON that is carried, become spaces. */
void sse_finish(struct buf *out, size_t mark);

#endif
