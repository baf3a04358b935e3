/* packed.h - how does a test write msgpack so that a person can read it?
 * As JSON with ' for its quotes: "{'role': 'user', 'n': 1}". A string that begins with "bin:" becomes a
 * bin of the rest. Ends the run where the text is no JSON. */
#ifndef TESTS_LIB_PACKED_H
#define TESTS_LIB_PACKED_H
#include "protocol/base/buf.h"

/* Appends the value. */
void packed_json(struct buf *out, const char *json);

#endif
