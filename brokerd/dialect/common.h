/* common.h - which members that nobody here interprets mean the same in more than one family?
 * Chat and Responses of one host share some, and are not to lose them to each other. */
#ifndef BROKERD_DIALECT_COMMON_H
#define BROKERD_DIALECT_COMMON_H
#include "protocol/base/span.h"

/* Does a member of a request of the family `from` mean the same to `to`? */
bool common_is_known(struct span name, struct span from, struct span to);

#endif
