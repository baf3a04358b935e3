/* known.h - what was found out of a model at a provider, for the next call that asks for it?
 * All that a configuration and the catalogue say of one is found by patterns and names, each time the same: what was found last
 * is remembered, a few dozen of them. It goes with its configuration. Where the catalogue has come to another day, or there is another
 * one, it is found anew. Belongs to the loop's thread. */
#ifndef BROKERD_CONFIG_KNOWN_H
#define BROKERD_CONFIG_KNOWN_H
#include "brokerd/config/config.h"

/* NULL: out of memory. */
struct known *known_new(void);
void known_free(struct known *k);   /* NULL is fine */
void known_forget(struct known *k); /* all of it; NULL is fine */

/* False: it is not remembered. `alias` NULL: none. */
bool known_find(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, struct target *out);
/* In the place of what was there. A long name is not remembered. */
void known_keep(const struct config *c, const struct provider *p, const struct model *alias,
	const struct target *t);

#endif
