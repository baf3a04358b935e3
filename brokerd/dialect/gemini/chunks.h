/* chunks.h - how does one chunk of an answer stand in what a caller who speaks this family reads?
 * An event of a stream, an element of a list that is written as it comes, or, where the answer is one
 * object, that: each is a whole reply, of which the candidates are this file's users' to write. No I/O. */
#ifndef BROKERD_DIALECT_GEMINI_CHUNKS_H
#define BROKERD_DIALECT_GEMINI_CHUNKS_H
#include "brokerd/value/notes.h"
#include "protocol/base/json.h"
#include "protocol/event.h"

struct chunks {
	struct buf *out; /* where to, at the event at hand */
	enum answer_form form;
	struct span id, model;  /* of the answer; fixed once a chunk went out */
	struct llm_usage usage; /* known so far, as chunks_count has it */
	bool is_counted;
	struct span
		token; /* by which an answer that was cut can be gone on with: JSON; absent: none */
	size_t n;      /* that went out */
	size_t mark;
	struct buf tail; /* what each ends with */
};
void chunks_init(struct chunks *c, enum answer_form form);
void chunks_done(struct chunks *c);

/* What is counted so far; what counts nothing is passed over. */
void chunks_count(struct chunks *c, const struct llm_usage *u);

/* Begins one: the list of its candidates is open. */
struct json_out chunks_open(struct chunks *c);
/* Ends it, with what is known of the whole answer. */
void chunks_close(struct chunks *c);

/* Begins one with a single candidate that has a single part, which is due next; and ends it. `end` is the
 * same for all parts of a candidate: chunks_write_end writes it once. */
struct json_out chunks_open_part(struct chunks *c);
void chunks_write_end(uint32_t index, struct buf *end);
void chunks_close_part(struct chunks *c, struct span end);

/* The answer failed: a chunk of another shape. An object that was to come whole does not come. */
void chunks_fail(struct chunks *c, const struct fault *f);
/* Nothing follows. */
void chunks_end(struct chunks *c);

#endif
