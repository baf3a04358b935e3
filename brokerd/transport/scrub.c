/* scrub.c - the held bytes and the piece are looked at as one text that is nowhere joined. */
#include "brokerd/transport/scrub.h"

/* The byte at `i` of the held bytes followed by the piece begins a match of `n` bytes of the needle,
 * or of as many as there are. */
static bool matches_at(const struct scrub *s, struct span needle, struct span piece, size_t i)
{
	size_t left = s->held + piece.n - i;
	struct span want = span_first(needle, left);
	if (i < s->held) {
		const size_t inside = s->held - i < want.n ? s->held - i : want.n;
		if (memcmp(needle.p + i, want.p, inside) != 0)
			return false;
		want = span_skip(want, inside);
		i = s->held;
	}
	return want.n == 0 || memcmp(piece.p + (i - s->held), want.p, want.n) == 0;
}

/* The first place at or after `i` where the needle is, whole or cut off by the end of the piece;
 * the end where there is none. */
static size_t find(const struct scrub *s, struct span needle, struct span piece, size_t i)
{
	const size_t end = s->held + piece.n;
	for (; i < s->held; i++) {
		if (matches_at(s, needle, piece, i))
			return i;
	}
	while (i < end) {
		const struct span rest = span_skip(piece, i - s->held);
		if (rest.n >= needle.n) {
			/* whole ones by the library's quick search, which leaves only the tail */
			const size_t at = span_find(rest, needle);
			if (at < rest.n)
				return i + at;
			i = end - (needle.n - 1);
			continue;
		}
		const size_t at = span_index(rest, needle.p[0]);
		i += at;
		if (at < rest.n && matches_at(s, needle, piece, i))
			return i;
		if (at < rest.n)
			i++;
	}
	return end;
}

/* Appends the bytes from..to of the held bytes followed by the piece. */
static void put(const struct scrub *s, struct span needle, struct span piece, size_t from,
	size_t to, struct buf *room)
{
	if (from < s->held) {
		const size_t inside = to < s->held ? to : s->held;
		buf_put(room, needle.p + from, inside - from);
		from = inside;
	}
	if (from < to)
		buf_put(room, piece.p + (from - s->held), to - from);
}

struct span scrub_feed(struct scrub *s, struct span needle, struct span piece, struct buf *room)
{
	if (needle.n == 0 || piece.n == 0)
		return piece;
	const size_t end = s->held + piece.n;
	size_t at = find(s, needle, piece, 0);
	if (s->held == 0 && end - at < needle.n) {
		/* the usual case: nothing in it, and at most its tail is kept */
		s->held = end - at;
		return span_first(piece, at);
	}
	size_t done = 0;
	buf_clear(room);
	while (end - at >= needle.n) {
		put(s, needle, piece, done, at, room);
		for (size_t i = 0; i < needle.n; i++)
			buf_byte(room, '*');
		s->n_found++;
		done = at + needle.n;
		at = find(s, needle, piece, done);
	}
	put(s, needle, piece, done, at, room);
	s->held = end - at;
	if (buf_error(room))
		return span_of("", 0);
	return buf_view(room);
}

struct span scrub_end(struct scrub *s, struct span needle)
{
	const struct span rest = span_first(needle, s->held);
	s->held = 0;
	return rest;
}

struct span scrub_text(struct span needle, struct span text, struct buf *room, size_t *n_found)
{
	struct scrub s = {0};
	const struct span out = scrub_feed(&s, needle, text, room);
	*n_found = s.n_found;
	if (s.n_found == 0)
		return text;
	buf_span(room, scrub_end(&s, needle));
	return buf_error(room) ? span_first(out, 0) : buf_view(room);
}
