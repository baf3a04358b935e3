/* free_form.h - what becomes of a custom tool where there are only functions?
 * The model writes its input as it likes, without JSON. Families that know no such tools are told of a
 * function whose one member is that text, and its calls are read back as calls of the custom tool. */
#ifndef BROKERD_DIALECT_FREE_FORM_H
#define BROKERD_DIALECT_FREE_FORM_H
#include "brokerd/value/notes.h"
#include "brokerd/value/target.h"
#include "protocol/base/buf.h"

/* Makes functions of the custom tools of *r, a copy, with a warning for each, and calls of functions of
 * the calls of such; the notes have their names then. Nothing where the target knows custom tools.
 * ERR_INVALID_REQUEST: the caller wants no warnings; ERR_NO_MEMORY. */
enum err free_form_emulate(struct llm_request *r, const struct target *target, struct notes *notes,
	struct fault *why) MUST_USE;

/* Does that name, the caller's, stand for a custom tool? */
bool free_form_is(const struct notes *notes, struct span name);

/* Appends the input that such a function was called with, which may be no UTF-8. False: the arguments are
 * no object with that text; then they are appended themselves. */
bool free_form_input(struct span arguments, struct buf *out);

#endif
