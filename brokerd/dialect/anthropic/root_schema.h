/* root_schema.h - how is a tool's schema said that is made of others at its root?
 * The provider takes no allOf, anyOf or oneOf there. JSON text in, JSON text out. No I/O. */
#ifndef BROKERD_DIALECT_ANTHROPIC_ROOT_SCHEMA_H
#define BROKERD_DIALECT_ANTHROPIC_ROOT_SCHEMA_H
#include "protocol/base/json.h"

/* The word that may not stand at the root, or NULL: the schema may go out as it is. */
const char *root_schema_word(struct json schema);

/* Writes an object's schema that means the same and has no such word. False: there is none, and what
 * was written is of no use. Failures stick to the buf. */
bool root_schema_put(struct json schema, struct json_out *o) MUST_USE;

#endif
