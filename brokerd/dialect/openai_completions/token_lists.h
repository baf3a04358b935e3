/* token_lists.h - how are the probabilities of tokens told in parallel lists?
 * {"tokens", "token_logprobs", "top_logprobs", "text_offset"}, an element of each a token. No I/O. */
#ifndef BROKERD_DIALECT_OPENAI_COMPLETIONS_TOKEN_LISTS_H
#define BROKERD_DIALECT_OPENAI_COMPLETIONS_TOKEN_LISTS_H
#include "protocol/base/json.h"

/* The lists; an index. */
enum token_list {
	TOKEN_TEXTS,
	TOKEN_LOGPROBS,
	TOKEN_TOPS,
	TOKEN_OFFSETS,
	TOKEN_LISTS,
};

struct token_lists {
	struct buf lists[TOKEN_LISTS]; /* elements, a comma between them */
	struct buf scratch;
	bool has_tops;  /* an alternative was told of any of them */
	int64_t offset; /* characters in the tokens so far, those that were cleared too */
};
void token_lists_init(struct token_lists *p);
void token_lists_done(struct token_lists *p);

/* Adds those of a scanned value: such lists again, or those of a chat, where each token is an object. A value
 * that is neither adds nothing. ERR_NO_MEMORY, ERR_TOO_BIG. */
enum err token_lists_add(struct token_lists *p, struct json v) MUST_USE;

bool token_lists_has_any(const struct token_lists *p);
void token_lists_put(const struct token_lists *p, struct json_out *o);
void token_lists_clear(struct token_lists *p);

#endif
