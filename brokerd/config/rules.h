/* rules.h - what is known of models by their names?
 * Data: names change by the month. Of the rules of one scope that fit a name, the one with the longest
 * pattern holds, alone. A scope is a family, or the name that a provider's trait `rules` has: its rule
 * is laid over the family's. */
#ifndef BROKERD_CONFIG_RULES_H
#define BROKERD_CONFIG_RULES_H
#include <stddef.h>

struct rule {
	const char *scope;
	const char *pattern; /* * at its beginning or end stands for any text */
	const char *traits;  /* as in builtin.h */
};

const struct rule *rules_rows(size_t *n);

#endif
