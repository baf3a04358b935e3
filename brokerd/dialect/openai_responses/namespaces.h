/* namespaces.h - what are the functions of a namespace called where there are none?
 * Callers of this family have tools {"type":"namespace","name":"agents","tools":[...]}, and call a function
 * in one by its name and the namespace's. To this family they go as they are. To others the functions go
 * one by one, each by a name that no other tool has: its own, or, where that is taken, both. */
#ifndef BROKERD_DIALECT_OPENAI_RESPONSES_NAMESPACES_H
#define BROKERD_DIALECT_OPENAI_RESPONSES_NAMESPACES_H
#include "brokerd/value/notes.h"
#include "brokerd/value/target.h"
#include "protocol/base/json.h"

struct namespaced {
	struct span space, name;
	struct span called;
	struct json tool;
	size_t at; /* which of the request's tools the namespace is */
};

struct namespaces {
	struct namespaced *list; /* in the order of the request */
	size_t n;
	size_t n_spaces; /* those without a function, too */
};

/* Finds them among the request's tools. ERR_TOO_BIG: there are more tools than LIMIT_TOOLS;
 * ERR_NO_MEMORY. */
enum err namespaces_read(
	const struct llm_request *r, struct arena *a, struct namespaces *out) MUST_USE;

/* The function that was called so; NULL: it is in no namespace. */
const struct namespaced *namespaces_find(const struct namespaces *s, struct span called);

/* Puts into *r, a copy, the functions in the place of their namespaces, with a warning for each of those,
 * and gives the calls of earlier turns the names that they have there. Nothing where the target is of this
 * family. ERR_INVALID_REQUEST: a tool is wrong, or there are too many, or the caller wants no warnings;
 * ERR_NO_MEMORY. */
enum err namespaces_unfold(struct llm_request *r, const struct target *target, struct notes *notes,
	struct fault *why) MUST_USE;

#endif
