/* error.h - how does a fault become what a program is told?
 * A code for its switch, and the fault with its sentence for its user. No allocation, no I/O. */
#ifndef LIBLLMCLIENT_SRC_ERROR_H
#define LIBLLMCLIENT_SRC_ERROR_H
#include "llmclient.h"
#include "protocol/base/err.h"

struct llm_error {
	int code; /* enum llm_code */
	struct fault fault;
};

#define ERROR_NONE ((struct llm_error){LLM_OK, FAULT_NONE})

/* The code of a class of err.def. */
int code_of(enum err err);

/* Sets the error from a fault, and returns its code. */
int error_set(struct llm_error *e, const struct fault *why);

/* The one error that is the same everywhere: this object was made in another process. */
extern const struct llm_error error_forked;

#endif
