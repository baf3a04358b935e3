/* think.h - which of a text's pieces are thoughts, and which are the answer?
 * For hosts that send both in one text, the thoughts first and in <think> tags. What may still become a
 * tag is held back. No I/O. */
#ifndef BROKERD_DIALECT_THINK_H
#define BROKERD_DIALECT_THINK_H
#include "protocol/base/buf.h"

struct think {
	enum {
		THINK_START, /* only white space so far */
		THINK_INSIDE,
		THINK_AFTER, /* the tag is closed: a line break behind it goes with it */
		THINK_TEXT,
	} state;
	struct buf held; /* that may yet be part of a tag */
	size_t n_breaks; /* line breaks that went with the tag */
};

/* `is_open`: the text begins inside the thoughts, for the opening tag is in the prompt. */
void think_init(struct think *t, bool is_open);
void think_done(struct think *t);

/* Adds a piece. Appends to `thoughts` and `answer` what is certain of each; the thoughts are first.
 * Failures stick to t->held and the two. */
void think_add(struct think *t, struct span piece, struct buf *thoughts, struct buf *answer);

/* The text is over: what is held. */
void think_end(struct think *t, struct buf *thoughts, struct buf *answer);

#endif
