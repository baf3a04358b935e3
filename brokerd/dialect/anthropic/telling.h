/* telling.h - how is one block of an answer told to a caller who speaks this family?
 * As the events of a stream, or as an object among the content of a message. Which block comes when is
 * blocks.h's. No I/O. */
#ifndef BROKERD_DIALECT_ANTHROPIC_TELLING_H
#define BROKERD_DIALECT_ANTHROPIC_TELLING_H
#include "brokerd/dialect/blocks.h"
#include "protocol/base/json.h"

struct telling {
	struct buf *out;    /* of a stream: where to, at the event at hand */
	struct buf content; /* of a message: the blocks so far, a comma between them */
	/* the block that is open */
	struct buf text; /* all of it; in a stream of a call what does not begin an object so far */
	struct buf lead; /* in a stream: what each of its deltas begins with */
	struct buf citations; /* JSON, a comma between them */
	bool is_told;         /* a piece of it came */
	bool is_object;       /* in a stream: a call's arguments begin as an object does */
};
void telling_init(struct telling *t);
void telling_done(struct telling *t);

/* The steps that blocks.h takes, in either form. The sink borrows `t`. */
struct block_sink telling_as_events(struct telling *t);
struct block_sink telling_as_objects(struct telling *t);

/* Has the language a place for a part that comes whole? Media, what other families' servers did, and
 * what they cite have none in an answer. */
bool telling_has_place(const struct part *part);

/* One event of the stream: its object is open, and has its type. */
struct told_event {
	struct json_out o;
	size_t mark;
};
struct told_event telling_begin(struct buf *out, const char *type) MUST_USE;
void telling_end(struct told_event *e);

#endif
