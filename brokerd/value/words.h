/* words.h - is this word in that list?
 * Lists are texts with commas between their words, as the configuration and its tables have them:
 * "low,medium,high". */
#ifndef BROKERD_VALUE_WORDS_H
#define BROKERD_VALUE_WORDS_H
#include "protocol/base/span.h"

/* An absent list has no word. */
static inline bool words_have(struct span list, struct span word)
{
	while (span_is_set(list)) {
		if (span_eq(span_trim(span_cut(&list, ',')), word))
			return true;
	}
	return false;
}

#endif
