/* schema.h - how is this JSON Schema said where not all of JSON Schema is understood?
 * JSON text in, JSON text out: properties keep their order, numbers and texts their bytes. No I/O. */
#ifndef BROKERD_DIALECT_GEMINI_SCHEMA_H
#define BROKERD_DIALECT_GEMINI_SCHEMA_H
#include "protocol/base/json.h"

/* What a schema lost on the way. */
struct schema_losses {
	bool has_cut;     /* a reference that leads back into itself became "any object" */
	bool has_dropped; /* a condition that has no word there */
};

/* The schema below the root that "#/$defs/X" names, X with ~1 for a slash; `ref` has its quotes. Absent:
 * there is none. */
struct json schema_at(struct json root, struct span ref);

/* Writes the schema for parametersJsonSchema and responseJsonSchema: byte for byte, unless it has a
 * word that is refused there. What is all of several is one, what stands beside a reference goes
 * around it. Failures stick to the buf. */
void schema_put_json(struct json schema, struct json_out *o, struct schema_losses *losses);

/* Writes it in the form of OpenAPI 3.0, for `parameters` and `responseSchema`: references replaced by
 * what they stand for, unions with null as `nullable`, and so on. Failures stick to the buf. */
void schema_put_openapi(struct json schema, struct json_out *o, struct schema_losses *losses);

/* Writes a schema that came in the form of OpenAPI as JSON Schema: types in lower case, null as one of
 * them. Failures stick to the buf. */
void schema_put_from_openapi(struct json schema, struct json_out *o);

#endif
