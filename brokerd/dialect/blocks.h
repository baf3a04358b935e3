/* blocks.h - what is told first to a caller whose answers are one block after the other?
 * Pieces of several calls, or of a call and a text, may come by turns; in most languages a block is
 * over before the next one begins. What comes meanwhile waits, in its order, for its turn. One choice;
 * no I/O. Whoever writes an answer by it cannot leave a block open or open two. */
#ifndef BROKERD_DIALECT_BLOCKS_H
#define BROKERD_DIALECT_BLOCKS_H
#include "brokerd/dialect/part_join.h"

enum block_type {
	BLOCK_TEXT,
	BLOCK_REASONING,
	BLOCK_REFUSAL,
	BLOCK_CALL,
};

/* Lives until it is closed. */
struct block {
	enum block_type type;
	uint32_t index; /* of all blocks, and of what comes whole, from 0 */
	uint32_t tool;  /* call: its index among the calls */
	struct span id, name;
	bool is_custom;
	struct opaque opaque; /* call: what must come back with it; absent family: nothing */
};

/* What the writer does at each step; a result other than OK stops it and is passed up. */
struct block_sink {
	enum err (*on_open)(void *context, const struct block *b);
	/* a piece of it, never empty */
	enum err (*on_piece)(void *context, const struct block *b, struct span text);
	/* text: a part without words, with citations of what came so far */
	enum err (*on_note)(void *context, const struct block *b, const struct part *note);
	/* `seal` is what must come back with a reasoning block; absent family: nothing */
	enum err (*on_close)(void *context, const struct block *b, const struct opaque *seal);
	/* between two blocks: an EV_PART, its medium whole, or an EV_OPAQUE behind no reasoning */
	enum err (*on_whole)(void *context, uint32_t index, const struct llm_event *e);
	void *context;
};

struct blocks {
	struct block_sink sink;
	struct block open;
	bool is_open;
	struct buf id, name, opaque; /* of the open call */
	struct part_join join;
	struct waiting *first, *last; /* in the order of coming */
	size_t held_bytes;
	uint32_t n; /* blocks so far */
};

void blocks_init(struct blocks *b, const struct block_sink *sink);
void blocks_done(struct blocks *b);

/* Takes one event of an answer: texts, calls, parts and opaque items; all others, and all choices but
 * the first, are passed over. ERR_NO_MEMORY, ERR_TOO_BIG (more waits than can be held), or the sink's. */
enum err blocks_take(struct blocks *b, const struct llm_event *e) MUST_USE;

/* The answer is over: what waits is given, what is open is closed. */
enum err blocks_end(struct blocks *b) MUST_USE;

#endif
