/* shown.c - by the beginning that all our tokens have. */
#include "libllmclient/bridge/shown.h"

#define PREFIX       "llmb_"
#define TOKEN_BYTES  (sizeof PREFIX - 1 + 64)
#define SCHEME_BYTES 7

static bool is_ours(struct span text)
{
	return span_starts(text, SPAN(PREFIX));
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is a name of the query that one, escaped or not, in whichever case? */
static bool is_name(struct span raw, struct span want)
{
	size_t n = 0;
	for (size_t i = 0; i < raw.n; i++, n++) {
		char c = raw.p[i];
		if (c == '%' && i + 2 < raw.n && digit(raw.p[i + 1]) >= 0 &&
			digit(raw.p[i + 2]) >= 0) {
			c = (char)(digit(raw.p[i + 1]) * 16 + digit(raw.p[i + 2]));
			i += 2;
		}
		if (n == want.n || span_lower(c) != want.p[n])
			return false;
	}
	return n == want.n;
}

struct span shown_token(const struct shown *s)
{
	struct span rest = span_is_set(s->query) ? s->query : SPAN("");
	const struct span bearer =
		span_is_nocase(span_first(s->authorization, SCHEME_BYTES), "bearer ")
			? span_trim(span_skip(s->authorization, SCHEME_BYTES))
			: SPAN_NONE;
	const struct span all[] = {bearer, span_trim(s->x_api_key), span_trim(s->x_goog_api_key)};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (span_is_set(all[i]) && is_ours(all[i]))
			return all[i];
	}
	while (rest.n > 0) {
		struct span value = span_cut(&rest, '&');
		const struct span name = span_cut(&value, '=');
		if (span_is_set(value) && is_name(name, SPAN("key")) && is_ours(value))
			return value;
	}
	return SPAN_NONE;
}

bool shown_is_sound(struct span token)
{
	if (token.n != TOKEN_BYTES || !is_ours(token))
		return false;
	for (size_t i = sizeof PREFIX - 1; i < token.n; i++) {
		if (digit(token.p[i]) < 0 || token.p[i] != span_lower(token.p[i]))
			return false;
	}
	return true;
}

void shown_leave_out(struct span query, struct buf *to)
{
	const size_t begin = to->n;
	while (query.n > 0) {
		const struct span pair = span_cut(&query, '&');
		if (is_name(span_first(pair, span_index(pair, '=')), SPAN("key")))
			continue;
		if (to->n > begin)
			buf_byte(to, '&');
		buf_span(to, pair);
	}
}
