/* tokens.h - what proves a request to this target, and if it has to be fetched, when is it there?
 * A key of the vault, or a token that it gets; once that is refused, what may take its place. Tokens are kept in guarded memory until they end, the
 * vault is locked or a key changes; never on disk. One fetch at a time for each, for which all who need
 * it wait; one that nears its end is fetched anew while it still serves. */
#ifndef BROKERD_EXCHANGE_TOKENS_H
#define BROKERD_EXCHANGE_TOKENS_H
#include "brokerd/exchange/organs.h"

struct tokens;

/* NULL: out of memory. `o` has its loop and transport whenever something is asked. */
struct tokens *tokens_new(struct organs *o);
/* Nobody waits any more; before the transport goes. NULL is fine. */
void tokens_free(struct tokens *t);

/* Who waits. Embedded and zeroed; `home` is set while it waits. */
struct token_wait {
	struct token_wait *prev, *next, **home;
	bool is_again; /* what was given for this target before was refused: something else, if there is */
	/* `token` is borrowed, or NULL: *why says what failed. Once, never from inside tokens_prove. It
	 * may ask again, and others may leave. */
	void (*on_token)(struct token_wait *w, struct secret *token, const struct fault *why);
};

/* What proves a request to `target` (its spans are the configuration's `c`), by the key of that label
 * (absent: the default). OK: *out is one reference. ERR_MORE: `w` will be told. ERR_NO_KEY, ERR_LOCKED,
 * ERR_VAULT_DAMAGED; ERR_DENIED (the key is for another endpoint); as transport_start. */
enum err tokens_prove(struct tokens *t, struct config *c, const struct target *target,
	struct span label, struct token_wait *w, struct secret **out, struct fault *why) MUST_USE;
void tokens_leave(struct token_wait *w); /* harmless where it does not wait */

/* What may take the place of what the target refused (`refused` NULL: it never came to that), in words
 * for who waits; NULL: nothing. A token may have ended before its time; a key may have been rotated
 * before its provider knew. */
const char *tokens_renewal(const struct tokens *t, const struct target *target, struct span label,
	const struct secret *refused, const struct fault *why);

/* The provider takes this one no more: it is not given out again. Harmless for a key. */
void tokens_refused(struct tokens *t, const struct secret *token);

/* Forgets all tokens, and the keys that got them; who waits is still told. NULL is fine. */
void tokens_forget(struct tokens *t);

#endif
