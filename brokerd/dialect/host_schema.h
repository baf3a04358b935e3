/* host_schema.h - how is a JSON Schema said to a host that takes a part of the language?
 * Rewrites only what means the same said otherwise, or what the host would not look at. */
#ifndef BROKERD_DIALECT_HOST_SCHEMA_H
#define BROKERD_DIALECT_HOST_SCHEMA_H
#include "brokerd/value/target.h"
#include "protocol/base/json.h"

/* Writes the schema in the host's way. False: that changes nothing, and it can go out as it is. */
bool host_schema_put(struct json_out *o, struct json schema, enum schemas way);

#endif
