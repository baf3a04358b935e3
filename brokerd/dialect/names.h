/* names.h - which name may this have at a provider? */
#ifndef BROKERD_DIALECT_NAMES_H
#define BROKERD_DIALECT_NAMES_H
#include "protocol/base/arena.h"

/* A name of 1..`max` (at least 16) letters, digits, `_` and `-`: the name itself where it is one,
 * else one made of it, the same for the same name and another for another. ERR_NO_MEMORY. */
enum err name_legal(struct arena *a, struct span name, size_t max, struct span *out) MUST_USE;

/* An id of nine letters and digits, on the same terms. */
enum err name_nine(struct arena *a, struct span name, struct span *out) MUST_USE;
/* What else a provider takes in a name. */
struct name_rules {
	size_t max;              /* at least 16 */
	const char *also;        /* bytes beside letters, digits, `_` and `-` */
	bool begins_with_letter; /* or with `_` */
};
enum err name_legal_by(struct arena *a, struct span name, const struct name_rules *rules,
	struct span *out) MUST_USE;

#endif
