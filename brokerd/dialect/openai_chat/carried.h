/* carried.h - how do other families' opaque items travel in a message of this one?
 * Signatures and encrypted reasoning of another family go out as entries of `reasoning_details`, those of
 * a call in its `extra_content`, where OpenRouter and Google have their own: callers who know the one or
 * the other send both back as they were. This family knows one text of reasoning, one of the answer and
 * then the calls; where among them an item stood is in its entry's id, so that the other family gets its
 * turn back in the order that it had. What is this family's own travels so only where its own place would
 * tell it twice. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_CARRIED_H
#define BROKERD_DIALECT_OPENAI_CHAT_CARRIED_H
#include "brokerd/dialect/intake.h"

/* Where an item stood in its answer. */
struct carried_place {
	bool is_part;     /* a thing of its own, that no reasoning goes with */
	size_t reasoning; /* bytes of reasoning that it is the seal of: those since the one before it */
	size_t content; /* bytes of text before it */
	size_t calls;   /* calls that had begun */
};

/* ---- out ---- */

/* Appends the entry, the `index`th of its choice. */
void carried_put(struct json_out *to, const struct opaque *item, uint32_t index,
	const struct carried_place *place);

/* Writes the value of `extra_content`; a signature of Google's there is in Google's words, too. */
void carried_put_of_call(struct json_out *to, const struct opaque *item);

/* ---- in ---- */

/* Has the `extra_content` of a call an item of another family's? Then it is *out. */
bool carried_read_of_call(struct json extra_content, struct arena *a, struct opaque *out);

struct carried {
	struct carried_item *items; /* in the order of the list */
	size_t n;
	struct json
		own; /* the list without them: itself where it has none, absent where it has only them */
};

/* Finds what is carried in a message's `reasoning_details`. ERR_NO_MEMORY, with the intake's fault. */
enum err carried_read(struct intake *in, struct json details, struct carried *out) MUST_USE;

/* Puts each item among the parts of its message, which are the reasoning, if there is any, then what was
 * said, then the calls. Reasoning goes with the items that are its seals, unless it goes with entries of
 * this family's own. Texts that are not as they were told do no harm: an item stands as near to its place
 * as there is text for. ERR_NO_MEMORY, with the intake's fault. */
enum err carried_settle(struct intake *in, const struct carried *c, struct message *m) MUST_USE;

#endif
