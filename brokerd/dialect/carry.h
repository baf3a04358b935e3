/* carry.h - how does another family's opaque item travel in a caller's own slot for such things?
 * A caller who speaks one family gets an answer of another's: its signature or encrypted reasoning goes
 * where the caller's language has a place for a text that comes back as it was. The text is base64, as
 * some of those places want it, and is known by its first eight letters. Pure. */
#ifndef BROKERD_DIALECT_CARRY_H
#define BROKERD_DIALECT_CARRY_H
#include "protocol/base/json.h"
#include "protocol/request.h"

/* Whose the seal is of reasoning that no provider sealed. It has one all the same: by that it is known as no
 * provider's when it comes back, and some clients bring nothing back that has none. */
#define CARRY_UNSEALED "broker"
extern const struct opaque carry_unsealed;

/* Appends the JSON string of such a text, quotes and all. */
void carry_put(const struct opaque *o, struct json_out *to);

/* Is the text one, and of what? The item's texts are the arena's. False, and *out left alone: it is none,
 * or one that was changed. ERR_NO_MEMORY counts as none. */
bool carry_read(struct span text, struct arena *a, struct opaque *out);

/* May such a text be in this body? Nobody but the broker can read it, so the body does not go on as it is. */
bool carry_is_in(struct span body);

#endif
