/* drops.h - what of a request does its target refuse outright?
 * The trait `drops` names parameters that may go with a warning: sampling, hints and the like. */
#ifndef BROKERD_DIALECT_DROPS_H
#define BROKERD_DIALECT_DROPS_H
#include "brokerd/value/notes.h"
#include "brokerd/value/target.h"
#include "protocol/request.h"

/* Takes out of *r, a copy, what the target refuses, with a warning for each. ERR_INVALID_REQUEST where
 * the caller wants no warnings, but to be refused; ERR_NO_MEMORY. */
enum err drops_apply(struct llm_request *r, const struct target *target, struct notes *notes,
	struct fault *why) MUST_USE;

/* May this member of a provider's wire be left out with a warning? A bound on the answer may not, but
 * goes by two names. */
bool drops_may(struct span param);

#endif
