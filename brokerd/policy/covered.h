/* covered.h - which rules can never hold, for one before them fits whoever they fit?
 * Nothing of it is wrong, and yet nobody means it: the first rule that fits holds, and files are read by their names.
 * What is said in other ways and comes to the same is not seen. Pure. */
#ifndef BROKERD_POLICY_COVERED_H
#define BROKERD_POLICY_COVERED_H
#include "brokerd/config/config.h"
#include "protocol/base/buf.h"

/* The first rule before the i-th that fits whoever that one fits; NULL: none does. */
const struct policy_rule *policy_covering(const struct config *c, size_t i);

/* Appends a line for each rule of the files that is covered so, with where both stand. */
void policy_say_covered(const struct config *c, struct buf *to);

#endif
