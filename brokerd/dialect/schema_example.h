/* schema_example.h - what is the smallest value that fits this JSON Schema?
 * For answers made without a model. Knows the common keywords; a `pattern` it cannot meet. */
#ifndef BROKERD_DIALECT_SCHEMA_EXAMPLE_H
#define BROKERD_DIALECT_SCHEMA_EXAMPLE_H
#include "protocol/base/json.h"

/* Writes one value. `a` is scratch. Always writes something, whatever the schema says. */
void schema_example(struct json schema, struct arena *a, struct json_out *out);

#endif
