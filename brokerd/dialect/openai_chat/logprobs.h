/* logprobs.h - in what shape do the probabilities of a choice go out?
 * In OpenAI's: lists of tokens under `content` and `refusal`. Together sends parallel lists, as older
 * completions have them. No I/O. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_LOGPROBS_H
#define BROKERD_DIALECT_OPENAI_CHAT_LOGPROBS_H
#include "brokerd/dialect/outlet.h"

/* Gives the probabilities of a choice; what has none gives nothing. Errors as outlet.h has them. */
enum err logprobs_give(struct outlet *o, uint32_t choice, struct json logprobs) MUST_USE;

/* Writes what is in parallel lists, {"tokens": [...], "token_logprobs": [...]}, as elements of the list
 * that is open; nothing for any other value. */
void logprobs_put_parallel(struct json_out *o, struct json v);

#endif
