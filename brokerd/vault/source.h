/* source.h - which key does another manager have for this provider, and is it still good?
 * What a command, a file or a credential says (key_source) is kept in locked memory and read anew when its
 * time is over, or when the provider refuses it; never on disk. One reading at a time for each, for which
 * all who need it wait; a key whose time is over serves until the next one is there. */
#ifndef BROKERD_VAULT_SOURCE_H
#define BROKERD_VAULT_SOURCE_H
#include "brokerd/config/config.h"
#include "brokerd/loop/worker.h"
#include "brokerd/value/secret.h"

struct sources;

/* `credentials` is the folder of what a service manager handed over, borrowed; NULL: none. NULL: out of
 * memory. */
struct sources *sources_new(struct loop *l, struct workers *w, const char *credentials);
/* Nobody waits any more; before the workers go. NULL is fine. */
void sources_free(struct sources *s);

/* Starts what runs commands, where `c` has one. ERR_IO: they cannot be run. */
enum err sources_prepare(struct sources *s, const struct config *c, struct fault *why) MUST_USE;

/* Who waits. Embedded and zeroed; `home` is set while it waits. */
struct source_wait {
	struct source_wait *prev, *next, **home;
	/* `key` is borrowed, or NULL: *why says what failed. Once, never from inside source_get. It may ask
	 * again, and others may leave. */
	void (*on_key)(struct source_wait *w, struct secret *key, const struct fault *why);
};

/* The key of `p`, a provider of `c` with a key_source, bound to where its key may go. OK: *out is one
 * reference. ERR_MORE: `w` will be told. ERR_NO_KEY: it is not to be had, and *why says why, with
 * the code "key_source" where a command was run for it. */
enum err source_get(struct sources *s, struct config *c, const struct provider *p,
	struct source_wait *w, struct secret **out, struct fault *why) MUST_USE;
void source_leave(struct source_wait *w); /* harmless where it does not wait */

/* Is it one of ours, and is it worth reading anew? Not again at once, where that gave the same. */
bool source_may_renew(const struct sources *s, const struct secret *key);
/* The provider takes this one no more: the next who asks waits for another. */
void source_refused(struct sources *s, const struct secret *key);

/* When the key of that provider, as it is kept now, was read, in seconds since 1970; 0: none is kept. */
int64_t source_read_s(const struct sources *s, struct span provider);

/* Forgets all keys; who waits is still told. */
void sources_forget(struct sources *s);

#endif
