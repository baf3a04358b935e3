/* pick.h - which of these members does an object have, in one walk over it? */
#ifndef BROKERD_DIALECT_PICK_H
#define BROKERD_DIALECT_PICK_H
#include "protocol/base/json.h"

/* Fills found[i] with the member names[i], the last of that name, or an absent value. What is no
 * object has none. */
void pick(struct json object, const char *const *names, struct json *found, size_t n);

#define PICK(object, names, found) pick(object, names, found, COUNT_OF(names))

#endif
