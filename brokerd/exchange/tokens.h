/* tokens.h - what proves a request to this target, and if it has to be fetched, when is it there?
 * A key, of the vault or of where its provider's section says, or a token that it gets; once that is
 * refused, what may take its place. Keys of elsewhere are asked for and forgotten here. Tokens are kept in guarded memory until they end, the
 * vault is locked or a key changes; never on disk. One fetch at a time for each, for which all who need
 * it wait; one that nears its end is fetched anew while it still serves. */
#ifndef BROKERD_EXCHANGE_TOKENS_H
#define BROKERD_EXCHANGE_TOKENS_H
#include "brokerd/exchange/organs.h"
#include "brokerd/vault/source.h"

struct tokens;

/* NULL: out of memory. `o` has its loop and transport whenever something is asked. `credentials` is the
 * folder of what a service manager handed over, borrowed; NULL: none. */
struct tokens *tokens_new(struct organs *o, const char *credentials);
/* Nobody waits any more; before the transport goes. NULL is fine. */
void tokens_free(struct tokens *t);

/* Who waits. Embedded and zeroed; `home` is set while it waits. */
struct token_wait {
	struct token_wait *prev, *next, **home;
	bool is_again; /* what was given for this target before was refused: something else, if there is */
	/* `token` is borrowed, or NULL: *why says what failed. Once, never from inside tokens_prove. It
	 * may ask again, and others may leave. */
	void (*on_token)(struct token_wait *w, struct secret *token, const struct fault *why);
	/* while a key of elsewhere is waited for: what it is for */
	struct source_wait source;
	struct tokens *tokens;
	struct config *config;
	const struct target *target;
};
bool token_is_awaited(const struct token_wait *w);

/* Has the provider, one of `c`, a key that could be used? */
bool tokens_have(const struct tokens *t, const struct config *c, struct span provider);
/* Which: the label of its i-th, from 0, "" for one that has none. False: there are no more. */
bool tokens_key_at(const struct tokens *t, const struct config *c, struct span provider, size_t i,
	struct span *label);
bool tokens_key_of(const struct tokens *t, const struct provider *p, size_t i, struct span *label);
/* Where its key is, if not in the vault; NULL: it is there. */
const struct key_source *tokens_source(const struct provider *p);
/* When that was read; 0: it is not kept. */
int64_t tokens_source_read_s(const struct tokens *t, const struct provider *p);
/* Starts what runs commands, where `c` has one: early, before anything keeps the broker from it. */
void tokens_prepare(struct tokens *t, const struct config *c);

/* What proves a request to `target` (its spans are the configuration's `c`, and it stays while `w`
 * waits), by the key of that label (absent: the one that the configuration says). OK: *out is one reference. ERR_MORE: `w` will be told. ERR_NO_KEY, ERR_LOCKED,
 * ERR_VAULT_DAMAGED; ERR_DENIED (the key is for another endpoint); as transport_start. */
enum err tokens_prove(struct tokens *t, struct config *c, const struct target *target,
	struct span label, struct token_wait *w, struct secret **out, struct fault *why) MUST_USE;
void tokens_leave(struct token_wait *w); /* harmless where it does not wait */

/* What may take the place of what the target refused (`refused` NULL: it never came to that), in words
 * for who waits; NULL: nothing. A token may have ended before its time; a key may have been rotated
 * before its provider knew. */
const char *tokens_renewal(const struct tokens *t, const struct config *c,
	const struct target *target, struct span label, const struct secret *refused,
	const struct fault *why);

/* The provider takes this one no more: it is not given out again. Harmless for a key of the vault. */
void tokens_refused(struct tokens *t, const struct secret *token);

/* Forgets all tokens, the keys that got them, and those of elsewhere; who waits is still told. NULL is fine. */
void tokens_forget(struct tokens *t);

#endif
