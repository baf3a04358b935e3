/* bounds.h - how much of what is asked does the target take?
 * Its quirks and what is known of the model hold numbers and lists, and the caller hears of it. No I/O. */
#ifndef BROKERD_DIALECT_BOUNDS_H
#define BROKERD_DIALECT_BOUNDS_H
#include "brokerd/dialect/scribe.h"

/* Hold a number within what the target takes, with a warning where that changes it. */
enum err bounds_temperature(struct scribe *s, struct opt_f64 *v) MUST_USE;
enum err bounds_top_p(struct scribe *s, struct opt_f64 *v) MUST_USE;
enum err bounds_penalty(struct scribe *s, const char *name, struct opt_f64 *v) MUST_USE;
enum err bounds_top_logprobs(struct scribe *s, struct opt_i64 *v) MUST_USE;

/* The bound on the answer, within what is known of the model; 0: none was asked for. Refused below 1. */
enum err bounds_max_tokens(struct scribe *s, int64_t *n) MUST_USE;

/* How much of an answer is asked for as it goes out: bound_output of the operation, or what that is without one. */
void bounds_output(const struct dialect_op *op, const struct llm_request *r, const struct target *t,
	struct output_bound *out);

/* An array of the stop sequences, each once and at most `most` (0: any number), with a warning where
 * there are more. Nothing where there are none. */
enum err bounds_put_stops(struct scribe *s, const char *name, size_t most) MUST_USE;

#endif
