/* surfaces.h - which public API does a caller speak, and what does it ask of it?
 * One row a surface: its name on the wire, and the family that reads its requests, writes its answers and
 * phrases its faults. Pure. */
#ifndef BROKERD_DIALECT_SURFACES_H
#define BROKERD_DIALECT_SURFACES_H
#include "brokerd/dialect/dialect.h"

struct surface {
	const char *name; /* "openai.chat" */
	const struct dialect *dialect;
	enum llm_op op;       /* where the path says nothing else */
	const char *count;    /* the end of a path that asks to count tokens instead; NULL: none */
	const char *embed[2]; /* ends of paths that ask for vectors instead; NULL: none */
	bool tells_input_first; /* a stream begins with the tokens of the request */
	bool lists_models;      /* by GET */
	bool has_kept_answers;  /* get, delete and list are about answers that were kept */
};

/* NULL: there is none of that name. */
const struct surface *surface_find(struct span name);
/* All of them, for documents and tests. */
const struct surface *surface_table(size_t *n);

/* The operation that a call on the surface is, by its path. ERR_UNSUPPORTED: one that nobody translates;
 * ERR_INVALID_REQUEST: none. */
enum err surface_operation(const struct surface *s, const struct surface_call *call,
	enum llm_op *out, struct fault *why) MUST_USE;

#endif
