/* hosted.h - what becomes of a tool that another family's hosts serve themselves?
 * Programs offer web searches and the like on every request, whoever answers. Nobody else has them: they are left out with a
 * warning, unless one of them is to be called. */
#ifndef BROKERD_DIALECT_HOSTED_H
#define BROKERD_DIALECT_HOSTED_H
#include "brokerd/value/notes.h"
#include "brokerd/value/target.h"

/* Takes out of *r, a copy, the tools of families other than the target's, with a warning for each. Where the choice was
 * among such alone and nothing need be called, nothing is. ERR_INVALID_REQUEST where one must be called, or the caller
 * wants no warnings; ERR_NO_MEMORY. */
enum err hosted_leave_out(struct llm_request *r, const struct target *target, struct notes *notes,
	struct fault *why) MUST_USE;

#endif
