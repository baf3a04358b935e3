/* strict_schema.h - will OpenAI hold an answer to this schema?
 * A schema that is to be kept strictly may use a part of JSON Schema alone: every object closed and all
 * of its properties required, arrays with items, and none of the keywords that no grammar is made of.
 * What is not so is refused by the provider only once the request is there; here it is named. Pure. */
#ifndef BROKERD_DIALECT_STRICT_SCHEMA_H
#define BROKERD_DIALECT_STRICT_SCHEMA_H
#include "protocol/base/json.h"

/* The first place where `schema` (scanned) is not legal: its path below the schema, "properties.city",
 * "" for the schema itself, and what is wrong there as a sentence's end. False: it is legal, and `path`
 * and *what are left alone. */
bool strict_schema_breach(struct json schema, struct buf *path, const char **what);

#endif
