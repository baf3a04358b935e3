/* maker.c - a provider's name has no slash. */
#include "brokerd/exchange/maker.h"

#include <stdio.h>

struct span maker_name(const struct target *t, char to[MAKER_BYTES])
{
	const int n = snprintf(to, MAKER_BYTES, "%.*s%s%.*s",
		SPAN_ARG(span_first(t->provider, LIMIT_LABEL_BYTES)), t->key.n > 0 ? "/" : "",
		SPAN_ARG(span_first(t->key, LIMIT_LABEL_BYTES)));
	return span_of(to, (size_t)n);
}

bool maker_is(struct span maker, const struct target *t)
{
	char own[MAKER_BYTES];
	return span_eq(maker, maker_name(t, own));
}
