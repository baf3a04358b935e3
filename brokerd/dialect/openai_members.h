/* openai_members.h - how are the members written that chat and completions have alike? */
#ifndef BROKERD_DIALECT_OPENAI_MEMBERS_H
#define BROKERD_DIALECT_OPENAI_MEMBERS_H
#include "brokerd/dialect/scribe.h"

/* `stop`, each sequence once; at OpenAI the first four, with a warning. */
enum err openai_put_stops(struct scribe *s) MUST_USE;

/* Holds the two penalties within what the target takes, where it takes any. */
enum err openai_hold_penalties(
	struct scribe *s, struct opt_f64 *presence, struct opt_f64 *frequency) MUST_USE;

/* `logit_bias`: a token's id -> a number, held within -100..100, with a warning. */
enum err openai_put_logit_bias(struct scribe *s) MUST_USE;

/* `n`, where several answers are asked for and the target gives them; the notes say how many. */
enum err openai_put_n(struct scribe *s) MUST_USE;

/* `stream`, and that a stream is to tell its usage, where the target knows how. Extra members below
 * "stream_options." go there. */
enum err openai_put_stream(struct scribe *s) MUST_USE;

#endif
