/* keys.h - which keys are there, what do they take, and where do they go?
 * The one table: reading, defaults and the manual come from it. */
#ifndef BROKERD_CONFIG_KEYS_H
#define BROKERD_CONFIG_KEYS_H
#include "brokerd/config/config.h"

/* What a key's reader may use. */
struct key_context {
	struct arena *arena;
	bool is_first; /* of its name in this section: a list begins anew */
};

struct key {
	const char *section; /* its kind */
	const char *name;
	/* Reads `value` into the field; false: it is not what `type` says, or, with *why filled, what
	 * that says. */
	bool (*read)(struct key_context *c, struct span value, void *field, struct fault *why);
	size_t offset;                    /* in struct config, struct provider or struct model */
	bool is_list;                     /* may be there several times */
	const char *type, *preset, *help; /* for the manual */
};

/* The row of a key in sections of that kind; NULL: there is none. */
const struct key *key_find(struct span section, struct span name);

/* The name in that kind of section that is nearest to a wrong one, or NULL where none is near. */
const char *key_nearest(struct span section, struct span name);

const struct key *key_table(size_t *n);

/* Does a kind of section take a name? False for kinds that are not known. */
bool section_is_known(struct span kind, bool *takes_name);

#endif
