/* objects.h - is a failure about what the request names at its provider, and not about the provider?
 * A file, a former answer, a conversation, a cached prompt, a server of tools: that one is gone, or another's, is so for
 * whoever names it, and says nothing of the model to anybody else. No clock, no I/O. */
#ifndef BROKERD_EXCHANGE_OBJECTS_H
#define BROKERD_EXCHANGE_OBJECTS_H
#include "protocol/base/err.h"
#include "protocol/request.h"

/* May it be? Only what is not there, is not allowed, or is a dependency that failed; where the provider has a code for the
 * model or the account, it is not. What cannot be told apart may be. A walk over the request, where it comes to that. */
bool objects_may_be_meant(const struct llm_request *r, const struct fault *why);

#endif
