/* effort.h - how much may a model think, in a word or in tokens?
 * Pure functions. The words, lowest first: minimal low medium high xhigh max. */
#ifndef BROKERD_DIALECT_EFFORT_H
#define BROKERD_DIALECT_EFFORT_H
#include <stdint.h>

#include "protocol/base/span.h"

/* The one of `taken` (a list with commas; absent: all words) that is nearest to `wanted`: itself, else
 * the next lower, else the next higher. Absent where `taken` has no word but "none". */
struct span effort_nearest(struct span taken, struct span wanted);

/* The word that stands for a budget of tokens, and the tokens that stand for a word; of "max", and of
 * a word that is none of these, `most`. */
struct span effort_of_budget(int64_t tokens);
int64_t effort_budget(struct span effort, int64_t most);

#endif
