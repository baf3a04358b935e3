/* part_join.h - which part do the pieces make up whose medium comes in several?
 * All but the last have has_more, and the first has all that is said of it beside the bytes. One choice;
 * no I/O. */
#ifndef BROKERD_DIALECT_PART_JOIN_H
#define BROKERD_DIALECT_PART_JOIN_H
#include "protocol/base/buf.h"
#include "protocol/event.h"

struct part_join {
	struct buf medium; /* the bytes so far */
	struct part part;  /* what is said of them */
	struct arena arena;
	bool is_open; /* pieces have come, and the last has not */
};
void part_join_init(struct part_join *j);
void part_join_done(struct part_join *j);

/* Takes the next EV_PART. *whole is the part once it is all there, till the next one is taken or the event
 * goes; NULL: it goes on. ERR_NO_MEMORY, ERR_TOO_BIG. */
enum err part_join_take(
	struct part_join *j, const struct llm_event *e, const struct part **whole) MUST_USE;

/* Makes the texts of a part, or of an opaque item, the arena's; but not a medium's bytes. */
enum err part_dup(struct arena *a, struct part *p) MUST_USE;
enum err opaque_dup(struct arena *a, struct opaque *o) MUST_USE;

#endif
