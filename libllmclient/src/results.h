/* results.h - what came of an operation that gives no text: vectors, ranks, a count, verdicts, models?
 * Lists that grow in the result's arena, one element an event; no I/O. */
#ifndef LIBLLMCLIENT_SRC_RESULTS_H
#define LIBLLMCLIENT_SRC_RESULTS_H
#include "protocol/event.h"

struct result_vector {
	const float *values;
	size_t n;
};

struct result_verdict {
	bool is_flagged;
	const char *categories, *scores; /* JSON text, or NULL */
};

struct result_model {
	const char *id, *owner; /* `owner` may be NULL */
	int64_t context_tokens, max_output_tokens;
};

struct results {
	struct result_vector *vectors;
	size_t n_vectors;
	struct rank *ranks;
	size_t n_ranks;
	struct result_verdict *verdicts;
	size_t n_verdicts;
	struct result_model *models;
	size_t n_models;
	struct token_count count;
	bool has_count;
};

/* Adds the element that an event brings; anything else is passed over. ERR_MALFORMED: not the one
 * whose turn it is. ERR_NO_MEMORY. */
enum err results_add(
	struct results *r, struct arena *a, const struct llm_event *e, struct fault *why) MUST_USE;

/* Which element the event brought, from 0. */
size_t results_index(const struct llm_event *e, const struct results *r);

#endif
