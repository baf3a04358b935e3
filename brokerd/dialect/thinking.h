/* thinking.h - how much may a Claude think, whoever hosts it?
 * What `reasoning` and `max_tokens` come to for models that think by a budget of tokens or by effort,
 * and the member that says so. */
#ifndef BROKERD_DIALECT_THINKING_H
#define BROKERD_DIALECT_THINKING_H
#include "brokerd/dialect/scribe.h"

struct thinking {
	enum {
		THINKING_SILENT, /* nothing is said of it */
		THINKING_DISABLED,
		THINKING_ENABLED,  /* so many tokens of it */
		THINKING_ADAPTIVE, /* as much as the effort suggests */
	} kind;
	int64_t max_tokens; /* as asked, or the most that the model writes; room for the budget is in it */
	int64_t budget;     /* of THINKING_ENABLED */
	struct span effort; /* of THINKING_ADAPTIVE; absent: none */
};

/* max_tokens alone, no more than the model writes; 0 where nobody knows. */
enum err thinking_fit_max_tokens(struct scribe *s, struct thinking *t) MUST_USE;

/* What the target's quirks make of the request, max_tokens first. The request is refused where it reasons and the model
 * does not, or the other way round. */
enum err thinking_choose(struct scribe *s, struct thinking *t) MUST_USE;

/* What max_tokens comes to where it thinks by a budget; *out as it is without. For bound_output. */
void thinking_bound_output(
	const struct llm_request *r, const struct target *t, struct output_bound *out);

/* Does it think when this goes out? */
bool thinking_is_on(const struct thinking *t);

/* The member "thinking", or nothing. `below` is where its extra members are: "thinking.". */
enum err thinking_put(struct scribe *s, const struct thinking *t, const char *below) MUST_USE;

#endif
