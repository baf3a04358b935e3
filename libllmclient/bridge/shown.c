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

/* The next byte of a part of a query, escaped or not. */
static char next_byte(struct span *raw)
{
	const struct span r = *raw;
	const bool is_escaped =
		r.n > 2 && r.p[0] == '%' && digit(r.p[1]) >= 0 && digit(r.p[2]) >= 0;
	*raw = span_skip(r, is_escaped ? 3 : 1);
	return is_escaped ? (char)(digit(r.p[1]) * 16 + digit(r.p[2])) : r.p[0];
}

/* Is a name of the query that one, in whichever case? */
static bool is_name(struct span raw, struct span want)
{
	size_t n = 0;
	for (; raw.n > 0; n++) {
		const char c = next_byte(&raw);
		if (n == want.n || span_lower(c) != want.p[n])
			return false;
	}
	return n == want.n;
}

static bool is_sound(struct span token)
{
	if (token.n != TOKEN_BYTES)
		return false;
	for (size_t i = sizeof PREFIX - 1; i < token.n; i++) {
		if (digit(token.p[i]) < 0 || token.p[i] != span_lower(token.p[i]))
			return false;
	}
	return true;
}

/* One that is ours ends the search. */
static enum shown_kind look_at(struct span text, char to[SHOWN_BYTES])
{
	if (!span_is_set(text) || !is_ours(text))
		return SHOWN_NOTHING;
	if (!is_sound(text))
		return SHOWN_UNSOUND;
	memcpy(to, text.p, text.n);
	to[text.n] = '\0';
	return SHOWN_TOKEN;
}

/* The same, of a value of the query. */
static enum shown_kind look_at_escaped(struct span raw, char to[SHOWN_BYTES])
{
	char text[TOKEN_BYTES + 1]; /* one more, by which it is seen to be too long */
	size_t n = 0;
	while (raw.n > 0 && n < sizeof text)
		text[n++] = next_byte(&raw);
	const enum shown_kind kind = look_at(span_of(text, n), to);
	explicit_bzero(text, sizeof text);
	return kind;
}

enum shown_kind shown_token(const struct shown *s, char to[SHOWN_BYTES])
{
	struct span rest = span_is_set(s->query) ? s->query : SPAN("");
	const struct span bearer =
		span_is_nocase(span_first(s->authorization, SCHEME_BYTES), "bearer ")
			? span_trim(span_skip(s->authorization, SCHEME_BYTES))
			: SPAN_NONE;
	const struct span all[] = {bearer, span_trim(s->x_api_key), span_trim(s->x_goog_api_key)};
	enum shown_kind kind = SHOWN_NOTHING;
	for (size_t i = 0; i < COUNT_OF(all) && kind == SHOWN_NOTHING; i++)
		kind = look_at(all[i], to);
	while (rest.n > 0 && kind == SHOWN_NOTHING) {
		struct span value = span_cut(&rest, '&');
		const struct span name = span_cut(&value, '=');
		if (span_is_set(value) && is_name(name, SPAN("key")))
			kind = look_at_escaped(value, to);
	}
	return kind;
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
