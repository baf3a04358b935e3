/* result.h - what do the events of an answer add up to?
 * Texts as whole, tool calls as whole, and the parts in the order they came in, so that a next
 * request can say the answer back as it was. Grows by events, never shrinks; no I/O. */
#ifndef LIBLLMCLIENT_SRC_RESULT_H
#define LIBLLMCLIENT_SRC_RESULT_H
#include "libllmclient/src/event.h"
#include "libllmclient/src/results.h"

/* A stretch of the answer. Its text is in the result's buffer of that kind. */
struct result_part {
	enum part_type type;
	size_t at, n;         /* text, reasoning, refusal: where in the buffer */
	size_t tool;          /* tool_call: which */
	struct opaque opaque; /* reasoning, opaque */
	bool is_whole;        /* it came whole, as `part` */
	struct part part;     /* and of a text, the citations and the extra alone */
};

struct result_tool {
	const char *id, *name;
	struct buf args;
	bool is_custom, is_whole;
	struct opaque opaque;
};

struct llm_result {
	struct arena arena;
	struct buf text, reasoning, refusal; /* each with a NUL behind it */
	struct result_part *parts;
	size_t n_parts;
	struct result_tool *tools;
	size_t n_tools;
	const char *model, *provider, *request_id; /* NULL: not known */
	enum finish finish;                        /* 0: none yet */
	struct account account;
	struct results results; /* of an operation beside chat */
};

void result_init(struct llm_result *a);
void result_done(struct llm_result *a);

/* What is in `from` in a result of its own; `from` is empty then. NULL: no memory, and nothing has changed. */
struct llm_result *result_take(struct llm_result *from);

/* Adds what a step says, and gives the step what it adds up to. Raw bytes count as text where the
 * whole answer is one text. ERR_MALFORMED: the events are not in the order that is promised.
 * ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err result_add(
	struct llm_result *a, struct step *s, bool is_raw_text, struct fault *why) MUST_USE;

#endif
