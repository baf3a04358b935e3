/* candidate.h - how is one candidate of an answer told to a caller who speaks this family?
 * Part by part as it comes, each in a chunk of its own; in an answer of one object all parts at the end.
 * What is said of the candidate as a whole goes with its last chunk. Calls go out when they are all
 * there. No I/O. */
#ifndef BROKERD_DIALECT_GEMINI_CANDIDATE_H
#define BROKERD_DIALECT_GEMINI_CANDIDATE_H
#include "brokerd/dialect/blocks.h"
#include "brokerd/dialect/gemini/chunks.h"

struct candidate {
	struct chunks *chunks;
	uint32_t index;
	struct blocks blocks;
	bool is_seen;
	enum finish finish; /* 0: not known */
	struct span native;
	struct buf text; /* of the block that is open: a call's arguments, in one object any text */
	struct buf parts;     /* in one object: so far, a comma between them */
	bool can_be_sealed;   /* in one object: the last of them is a text or a medium, and bare */
	struct buf citations; /* JSON, a comma between them */
	struct buf grounding, sought; /* groundingMetadata, urlContextMetadata: the last of each */
	struct buf end;               /* what a chunk of it ends with, behind its part */
	struct buf chosen, top;       /* logprobs: JSON, a comma between them */
};
void candidate_init(struct candidate *c, struct chunks *chunks, uint32_t index);
void candidate_done(struct candidate *c);

/* Takes an event of this candidate: texts, calls, opaque items, parts, logprobs. ERR_NO_MEMORY,
 * ERR_TOO_BIG. */
enum err candidate_take(struct candidate *c, const struct llm_event *e) MUST_USE;

/* The answer is over: gives what waits. */
enum err candidate_end(struct candidate *c) MUST_USE;

/* Then: writes the last, or only, object of the candidate, with its finish and what it rests on. */
enum err candidate_put_last(struct candidate *c, struct json_out *o) MUST_USE;

#endif
