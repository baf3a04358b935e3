/* splice.h - how do a caller's bytes go on with a few members changed?
 * All that is not changed stays as it was written: order, white space, numbers, escapes. Pure. */
#ifndef BROKERD_DIALECT_SPLICE_H
#define BROKERD_DIALECT_SPLICE_H
#include "protocol/base/json.h"

/* One member of the whole object, by its plain name; "outer.inner" is one of the object that its member
 * `outer` is, which is made where there is none. */
struct splice {
	const char *name;
	struct span json; /* its value, checked JSON; absent: the member goes */
};

/* The member of that name, or "outer.inner" of one that is an object; absent: there is none. */
struct json splice_member(struct json object, const char *name);

/* Would the edits change anything? Two values are the same where their bytes are. */
bool splice_changes(struct json object, const struct splice *edits, size_t n);

/* Appends the object with the edits. What it has no member for is added behind all others. Each name
 * comes once in `edits`, and no member of the object twice. Failures stick to the buf. */
void splice_put(struct json object, const struct splice *edits, size_t n, struct buf *out);

#endif
