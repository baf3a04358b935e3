/* foreign.h - what of earlier turns does only another family know?
 * Items that a provider's own tools left in a conversation are carried unread. Nobody else can be told of
 * them: they go with a warning, but for those that may be somebody's words. */
#ifndef BROKERD_DIALECT_FOREIGN_H
#define BROKERD_DIALECT_FOREIGN_H
#include "brokerd/value/notes.h"
#include "brokerd/value/target.h"

/* Takes out of *r, a copy, the assistant's items of families other than the target's, with a warning for
 * each, and the turns that had nothing else. What stands for reasoning stays: its own dialect tells of
 * that. ERR_INVALID_REQUEST where an item refers to what was said, or the caller wants no warnings;
 * ERR_NO_MEMORY. */
enum err foreign_leave_out(struct llm_request *r, const struct target *target, struct notes *notes,
	struct fault *why) MUST_USE;

#endif
