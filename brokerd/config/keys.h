/* keys.h - which keys are there, what may each be, and what is it when nobody says?
 * One table, from which values are read, defaults are made and the manual is written. */
#ifndef BROKERD_CONFIG_KEYS_H
#define BROKERD_CONFIG_KEYS_H
#include "brokerd/config/config.h"

enum key_kind {
	KEY_WORD,     /* struct span: one of `words` */
	KEY_NAME,     /* struct span: letters, digits, dots, hyphens, underscores */
	KEY_TEXT,     /* struct span: what a header can carry */
	KEY_PATH,     /* struct span: absolute */
	KEY_URL,      /* struct span: http or https */
	KEY_BOOL,     /* bool */
	KEY_COUNT,    /* int64_t */
	KEY_DURATION, /* int64_t, microseconds; "never" is 0, where `min` is 0 or `words` has it */
	KEY_PRICE,    /* int64_t, nano-dollars per million tokens, from dollars */
	KEY_AUTH,     /* struct provider's auth and auth_header */
	KEY_DIALECT,  /* struct provider's dialects, a list */
	KEY_TARGET,   /* struct model's targets, a list */
	KEY_FALLBACK, /* struct target_rules, a list of names */
	KEY_LABEL,    /* struct provider's keys, a list */
	KEY_HEDGE,    /* int64_t: a time, "p95" (HEDGE_P95) or "never" (0) */
	KEY_MIN_RATE, /* int64_t: a second; "never" is 0 */
	KEY_HEADER,   /* struct provider's headers, a list */
	KEY_MONEY,    /* int64_t, nano-dollars, from dollars */
	KEY_BITS,     /* uint32_t: a bit for each of `words` that is given, a list */
	KEY_RANK,     /* an enum: the number of the word of `words` */
	KEY_PATTERNS, /* struct words, a list */
	KEY_USERS,    /* struct words, a list of numbers */
	KEY_NATIVE,   /* struct policy_rule's natives, a list */
	KEY_SOURCE,   /* struct key_source */
	KEY_EITHER,   /* bool: is it the second of the two `words`? */
	KEY_RATE,     /* struct rate_rule */
	KEY_BUDGET,   /* struct limit_rule's hard budgets, a list */
	KEY_SOFT,     /* and its soft ones */
	KEY_ZONE,     /* struct limit_rule's zone */
	KEY_MODEL,    /* struct span: an alias, or PROVIDER/MODEL */
	KEY_COSINE, /* int64_t, ten-thousandths, from a number above 0 and at most 1; "never" is 0 */
};

struct key {
	const char *section, *name;
	enum key_kind kind;
	size_t at;          /* where in the section's struct */
	int64_t min, max;   /* KEY_COUNT, KEY_DURATION */
	const char *words;  /* KEY_WORD: "error|warn" */
	const char *preset; /* as one would write it; "" none */
	const char *help;   /* a sentence or two */
};

const struct key *keys_table(size_t *n);

/* A section's word, as in the table. */
struct section {
	const char *word;
	const char *name; /* what stands between its quotes, for the manual; NULL: it has none */
	const char *help;
};
const struct section *keys_sections(size_t *n);
const struct section *keys_section(struct span word);

/* The key, or NULL. */
const struct key *keys_find(const char *section, struct span name);

/* The nearest known word to one that is not, where one is near; else NULL. `section` NULL: among the
 * sections. */
const char *keys_nearest(const char *section, struct span word);
/* How many letters must be changed, added or left out; more than `most` is most + 1. */
size_t keys_distance(struct span a, struct span b, size_t most);

/* Is it about how an alias goes about its targets? Then a [model] section without any cannot have it. */
bool keys_is_of_route(const struct key *k);

/* Is it a list, whose key may be given again? */
bool keys_is_list(const struct key *k);
/* Empties it, in the section's struct. */
void keys_empty(const struct key *k, void *to);

/* Reads one value into `to`, the section's struct (struct config, provider, model, policy_rule or limit_rule). Lists grow; the
 * caller has emptied them where they begin anew. Texts are copied into `a`. *why is a sentence. */
enum err keys_read(const struct key *k, struct span value, void *to, struct arena *a,
	struct fault *why) MUST_USE;

/* Sets all of a section's presets. */
enum err keys_preset(const char *section, void *to, struct arena *a, struct fault *why) MUST_USE;

#endif
