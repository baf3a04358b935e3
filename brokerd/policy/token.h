/* token.h - which application is a program that shows this text?
 * App tokens: texts that a person has made for programs whose connections say nothing of them. The text is told once; kept
 * is a hash of it, in the file `tokens` of the state folder, a line each with a sum of its own. One that is not to
 * outlive a connection is kept in memory alone. What is said holds at once; a worker writes it down. Where the file cannot
 * be used no token is known, and all who show one are told why. */
#ifndef BROKERD_POLICY_TOKEN_H
#define BROKERD_POLICY_TOKEN_H
#include "brokerd/policy/grant.h"

#define APP_TOKENS_MAX 1024
/* "llmb_", by which it is told from others' keys, and 32 random bytes as hexadecimal digits; with the NUL */
#define APP_TOKEN_PREFIX     "llmb_"
#define APP_TOKEN_TEXT_BYTES (sizeof APP_TOKEN_PREFIX + 64)
#define APP_TOKEN_ID_BYTES   21 /* "tok_" and the beginning of its hash; with the NUL */
#define APP_TOKEN_HASH_BYTES 32

struct app_token {
	char id[APP_TOKEN_ID_BYTES]; /* no secret */
	uid_t uid;    /* whose it is: of who has made it, and nobody else may use it */
	char app[64]; /* "notes": it is token:notes */
	char models[GRANT_MODELS_BYTES]; /* patterns with spaces between; "": all */
	int64_t at_s, until_s;           /* since 1970; until 0: until it is revoked */
	int64_t used_s;                  /* last, since the broker began; 0: not */
	uint64_t connection;             /* it goes with that one; 0: it is kept */
	unsigned char hash[APP_TOKEN_HASH_BYTES];
};

struct app_tokens;

/* Reads them. NULL: out of memory. *why is set where the file is there and cannot be used. */
struct app_tokens *app_tokens_new(struct workers *w, const char *state_dir, struct fault *why);
void app_tokens_free(struct app_tokens *t); /* its jobs must have ended; NULL is fine */

/* The one with that text, while it holds; lives until the next change. NULL: *why is ERR_DENIED, with what to do. How long
 * it takes says nothing of a token's hash but its beginning, which is its id. */
const struct app_token *app_tokens_find(
	struct app_tokens *t, struct span text, int64_t now_s, struct fault *why);

/* Makes one for `like`, without id and hash. Its text is the caller's to tell, and to wipe; `reply` says whether it is on
 * the disk (at the end of the turn where it is not to be kept), and where it is not it is no more. *out lives until the
 * next change. ERR_INVALID_ARGUMENT: there are too many; or the file cannot be used. */
enum err app_tokens_make(struct app_tokens *t, const struct app_token *like,
	char text[APP_TOKEN_TEXT_BYTES], const struct app_token **out, struct grants_reply reply,
	struct fault *why) MUST_USE;

/* From now on nobody knows it. False: there is none of that id, and no reply. Where it cannot be written it holds until
 * the broker ends. */
bool app_tokens_revoke(struct app_tokens *t, struct span id, struct grants_reply reply);
/* Some that were known are no more: revoked, or their connection is over; not those that have expired, by which only nothing
 * more begins. One listener; nothing may be changed from inside. */
struct app_token_id {
	char text[APP_TOKEN_ID_BYTES];
};
typedef void app_tokens_gone(void *context, const struct app_token_id *ids, size_t n);
void app_tokens_on_gone(struct app_tokens *t, app_tokens_gone *on_gone, void *context);
/* The connection is over. */
void app_tokens_end(struct app_tokens *t, uint64_t connection);
/* Writes the file again, for it may be on another disk than it was. One that cannot be used is left alone. */
void app_tokens_write(struct app_tokens *t);

/* The i-th, in the order in which they were made; NULL: no more. */
const struct app_token *app_tokens_at(const struct app_tokens *t, size_t i);
/* Why none is known; OK: the file is good. */
const struct fault *app_tokens_fault(const struct app_tokens *t);

#endif
