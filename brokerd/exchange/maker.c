/* maker.c - a provider's name has no slash. */
#include "brokerd/exchange/maker.h"

struct span maker_name(const struct target *t, char to[MAKER_BYTES])
{
	const struct span provider = span_first(t->provider, LIMIT_LABEL_BYTES);
	const struct span key = span_first(t->key, LIMIT_LABEL_BYTES);
	size_t n = provider.n;
	if (n > 0)
		memcpy(to, provider.p, n);
	if (key.n > 0) {
		to[n++] = '/';
		memcpy(to + n, key.p, key.n);
		n += key.n;
	}
	to[n] = '\0';
	return span_of(to, n);
}

bool maker_is(struct span maker, const struct target *t)
{
	char own[MAKER_BYTES];
	return span_eq(maker, maker_name(t, own));
}
