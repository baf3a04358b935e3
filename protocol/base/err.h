/* err.h - what went wrong, in one word for programs and one sentence for people?
 * The numbers are those on the wire; err.def is their one table. */
#ifndef PROTOCOL_BASE_ERR_H
#define PROTOCOL_BASE_ERR_H
#include <stdbool.h>
#include <stdint.h>

#include "protocol/base/owned.h"
#include "protocol/base/span.h"

enum err {
	OK = 0,
	ERR_MORE = 1, /* feed me: not a fault, and never on the wire */
#define FAULT(name, number, ...) ERR_##name = number,
#include "protocol/base/err.def"
#undef FAULT
};

/* A row of err.def. */
struct err_info {
	enum err err;
	const char *word;   /* "rate_limited" */
	const char *client; /* "LLM_E_RATE" */
	int exit_code;
	int http_status;
	const char *openai_type, *openai_code; /* code "" for null */
	int anthropic_status;
	const char *anthropic_type;
	const char *gemini_status;
	bool is_retryable; /* may the caller try again as is? */
	const char *sentence;
};

/* The row of `err`; an unknown number (a newer peer's) gives that of ERR_INTERNAL. Never NULL. */
const struct err_info *err_info(enum err err);

/* The number of a class's word, or ERR_INTERNAL for a word that is not ours. */
enum err err_from_word(struct span word);

/* All rows, for generated documents and tests. */
const struct err_info *err_table(size_t *n);

/* What a provider says about asking it again. */
enum retry_advice {
	RETRY_UNSAID,
	RETRY_ADVISED,
	RETRY_FORBIDDEN,
};

/* Something that a person, or the peer, is told. All texts are NUL-terminated, cut to fit at a
 * character boundary, and may be empty. Plain data: copy it by assignment, nothing to free. */
struct fault {
	enum err err;             /* OK: no fault */
	int http_status;          /* the provider's, 0 where it gave none */
	int64_t retry_after_ms;   /* -1: not said */
	bool is_partial;          /* content had been delivered before */
	enum retry_advice advice; /* the provider's; not on the wire */
	char code[64];   /* finer than the class, ours or the provider's: "unsupported_parameter" */
	char param[128]; /* the member that is wrong: "messages[3].content" */
	char provider[48];   /* who said it; "" for the broker itself */
	char request_id[64]; /* the broker's own, once a caller is told; till then the provider's */
	char message[1024];  /* what failed and what to do */
};

/* No fault. */
#define FAULT_NONE ((struct fault){.err = OK, .retry_after_ms = -1})

/* The same, where it is wanted for each piece of a stream: its texts are empty, their bytes are not cleared. */
static inline void fault_clear(struct fault *f)
{
	f->err = OK;
	f->http_status = 0;
	f->retry_after_ms = -1;
	f->is_partial = false;
	f->advice = RETRY_UNSAID;
	f->code[0] = f->param[0] = f->provider[0] = f->request_id[0] = f->message[0] = '\0';
}

/* The same, and where it has texts they are overwritten to their last byte. */
void fault_wipe(struct fault *f);

/* Fills *why (may be NULL) with a class and a sentence and returns the class, so that the place
 * that finds a fault is one line: return fault_set(why, ERR_TOO_BIG, "... %zu bytes ...", n);
 * All other members are reset. */
enum err fault_set(struct fault *why, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same, and names the member at fault: `param`, a plain text. */
enum err fault_param(struct fault *why, enum err err, const char *param, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* Copies a foreign text into one of a fault's fields: `field` of `size` bytes, 1 or
 * more; control characters become spaces, invalid bytes '?', too much is cut at a character. */
void fault_text(char *field, size_t size, struct span text);

#endif
