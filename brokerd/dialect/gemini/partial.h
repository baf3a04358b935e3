/* partial.h - which object do these pieces of arguments make?
 * A call's arguments may come as values with their JSON paths, strings in several pieces. They are
 * gathered as a tree and written once, in the order of coming; numbers stay as they were written. */
#ifndef BROKERD_DIALECT_GEMINI_PARTIAL_H
#define BROKERD_DIALECT_GEMINI_PARTIAL_H
#include "protocol/base/json.h"

struct partial_node;

struct partial {
	struct arena *arena;
	struct partial_node *root, *all; /* `all`: by which their texts are freed */
	size_t n;
	bool has_odd; /* a piece had no path that could be followed */
};

/* Empty; nodes come from the arena. */
void partial_init(struct partial *p, struct arena *a);
void partial_done(struct partial *p);

/* Takes one piece, {"jsonPath", "stringValue" | "numberValue" | "boolValue" | "nullValue",
 * "willContinue"}. ERR_NO_MEMORY; ERR_SERVER_ERROR for more than can be held. */
enum err partial_add(struct partial *p, struct json piece) MUST_USE;

/* Writes the object; {} where nothing came. */
void partial_write(const struct partial *p, struct json_out *o);

#endif
