/* strict_schema.h - may a provider hold its model to this schema, as OpenAI's strict mode does?
 * Pure functions. */
#ifndef BROKERD_DIALECT_STRICT_SCHEMA_H
#define BROKERD_DIALECT_STRICT_SCHEMA_H
#include "protocol/base/json.h"

/* Every object in it must require all of its properties and allow no others. False: one does not, and
 * `path` (of `size` bytes) says where: "properties.address.required". */
bool strict_schema_is_legal(struct json schema, char *path, size_t size);

#endif
