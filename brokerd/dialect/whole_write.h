/* whole_write.h - how is the answer to an operation beside chat written?
 * It is one JSON object, never a stream: its results are written as they come, into memory of their
 * own, and it is given out at its end, so that nothing is seen of an answer that fails. What a language
 * has for results is a struct of functions; the members of dialect_op but encoder_new are the same for
 * all. No I/O. */
#ifndef BROKERD_DIALECT_WHOLE_WRITE_H
#define BROKERD_DIALECT_WHOLE_WRITE_H
#include "brokerd/dialect/dialect.h"
#include "protocol/base/json.h"

struct whole_answer {
	struct arena *arena;
	const struct answer_plan *plan;
	struct json_out o;      /* the object, which is open; failures stick to its buf */
	size_t n;               /* results that were put */
	struct span id, model;  /* as the provider says; absent: it does not */
	struct llm_usage usage; /* the closing account; known at the end */
	void *own;              /* the language's; NULL where it keeps nothing */
};

/* How one language says it. */
struct whole_language {
	enum event_type result;               /* all others are passed over */
	void (*begin)(struct whole_answer *); /* what stands before the results; NULL: nothing */
	bool (*wants)(const struct whole_answer *, const struct llm_event *result); /* NULL: all */
	void (*put)(struct whole_answer *, const struct llm_event *result);
	/* what stands behind them; NULL: nothing. A result other than OK is what `encode` returns */
	enum err (*end)(struct whole_answer *);
};

/* NULL: out of memory. `language` outlives it. */
struct encoder *whole_writer_new(
	struct arena *, const struct answer_plan *, const struct whole_language *language);

enum err whole_encode(struct encoder *, const struct llm_event *, struct buf *out);
void whole_encoder_done(struct encoder *);

/* The rest of what a row of a family's table has towards a caller. */
#define WHOLE_ANSWER .encode = whole_encode, .encoder_done = whole_encoder_done

/* Members `id`: the provider's, or one that is made up and begins with `prefix`; and `model`: the
 * provider's word, or the caller's. */
void whole_put_id(struct whole_answer *w, const char *prefix);
void whole_put_model(struct whole_answer *w);

/* Member `usage` {"prompt_tokens", "total_tokens"}. */
void whole_put_usage(struct whole_answer *w, int64_t tokens);

#endif
