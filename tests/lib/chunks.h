/* chunks.h - does a stream of chunks keep to OpenAI's grammar?
 * Of chat or of completions. Reads what an answer's encoder wrote, as strictly as the strictest client. */
#ifndef TESTS_LIB_CHUNKS_H
#define TESTS_LIB_CHUNKS_H
#include "protocol/base/json.h"

/* Appends a line for each chunk: "0 begins", "0 {DELTA}", "0 {DELTA} stop", "usage", "error CODE", "done";
 * with logprobs behind the delta where it has some. Returns what is wrong, or NULL. The memory of what is
 * wrong is static. */
const char *chunks_read(struct span stream, struct buf *lines);

#endif
