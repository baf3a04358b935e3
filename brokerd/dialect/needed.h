/* needed.h - which members of another family's request may not be left out?
 * What is for safety, and what is a part of the question: a warning would come too late. */
#ifndef BROKERD_DIALECT_NEEDED_H
#define BROKERD_DIALECT_NEEDED_H
#include "protocol/base/json.h"

/* What a member of a request, by its name and its JSON, is needed for, in words that end "..., which is
 * for"; NULL: it may go. A member that says "off" is not needed. */
const char *needed_for(struct span name, struct span json);

#endif
