/* utf8.c - one classifier, and a repair that holds back at most one character and a half. */
#include "protocol/base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

int utf8_length(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	const unsigned char c = p[0];
	unsigned char low = 0x80, high = 0xbf;
	size_t need;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		need = 2;
	else if (c >= 0xe0 && c <= 0xef)
		need = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		need = 4;
	else
		return 0;
	/* the second byte's range is where overlong forms, surrogates and the top are told apart */
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < need; i++) {
		if (i == s.n)
			return -1;
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return (int)need;
}

/* How many bytes at the start of `s` are plain ASCII: eight at a time. */
static size_t ascii_run(struct span s)
{
	size_t n = 0;
	for (; n + 8 <= s.n; n += 8) {
		uint64_t eight;
		memcpy(&eight, s.p + n, 8);
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (n < s.n && (s.p[n] & 0x80) == 0)
		n++;
	return n;
}

bool utf8_is_valid(struct span s)
{
	while (s.n > 0) {
		const size_t plain = ascii_run(s);
		s = span_skip(s, plain);
		if (s.n == 0)
			break;
		const int length = utf8_length(s);
		if (length <= 0)
			return false;
		s = span_skip(s, (size_t)length);
	}
	return true;
}

size_t utf8_encode(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | (c >> 6));
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | (c >> 12));
		to[1] = (char)(0x80 | ((c >> 6) & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | (c >> 18));
	to[1] = (char)(0x80 | ((c >> 12) & 0x3f));
	to[2] = (char)(0x80 | ((c >> 6) & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The surrogate whose three bytes begin `s`, or 0; -1 where `s` may be the beginning of one. */
static int32_t surrogate_at(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	if (p[0] != 0xed)
		return 0;
	if (s.n < 2)
		return -1;
	if (p[1] < 0xa0 || p[1] > 0xbf)
		return 0;
	if (s.n < 3)
		return -1;
	if ((p[2] & 0xc0) != 0x80)
		return 0;
	return 0xd000 | (int32_t)(p[1] & 0x3f) << 6 | (int32_t)(p[2] & 0x3f);
}

/* Takes one unit off `s` and appends what it means. 0: more bytes are needed to know. */
static size_t repair_unit(struct utf8_repair *r, struct span s, struct buf *out)
{
	const int32_t first = surrogate_at(s);
	if (first < 0)
		return 0;
	if (first >= 0xd800 && first <= 0xdbff) {
		const struct span rest = span_skip(s, 3);
		const int32_t second = rest.n > 0 ? surrogate_at(rest) : -1;
		if (second < 0)
			return 0;
		if (second >= 0xdc00 && second <= 0xdfff) {
			char joined[4];
			const uint32_t c = 0x10000 + ((uint32_t)(first - 0xd800) << 10) +
					   (uint32_t)(second - 0xdc00);
			buf_put(out, joined, utf8_encode(c, joined));
			return 6;
		}
	}
	const int length = first ? 0 : utf8_length(s);
	if (length < 0)
		return 0;
	if (length > 0) {
		buf_put(out, s.p, (size_t)length);
		return (size_t)length;
	}
	buf_text(out, REPLACEMENT);
	r->has_replaced = true;
	return first ? 3 : 1;
}

void utf8_repair(struct utf8_repair *r, struct span piece, struct buf *out)
{
	/* the held bytes first, with as much of the piece as a unit can need */
	while (r->n > 0 && piece.n > 0) {
		char joint[sizeof r->held + 1];
		memcpy(joint, r->held, r->n);
		joint[r->n] = piece.p[0];
		piece = span_skip(piece, 1);
		struct span s = span_of(joint, (size_t)r->n + 1);
		size_t used;
		while (s.n > 0 && (used = repair_unit(r, s, out)) > 0)
			s = span_skip(s, used);
		memmove(r->held, s.p, s.n);
		r->n = (uint8_t)s.n;
	}
	while (piece.n > 0) {
		const size_t plain = ascii_run(piece);
		buf_put(out, piece.p, plain);
		piece = span_skip(piece, plain);
		if (piece.n == 0)
			break;
		const size_t used = repair_unit(r, piece, out);
		if (used == 0) {
			/* a unit is at most six bytes, so what is not yet certain fits */
			memcpy(r->held, piece.p, piece.n);
			r->n = (uint8_t)piece.n;
			break;
		}
		piece = span_skip(piece, used);
	}
}

void utf8_repair_end(struct utf8_repair *r, struct buf *out)
{
	struct span s = span_of(r->held, r->n);
	while (s.n > 0) {
		size_t used = repair_unit(r, s, out);
		if (used == 0) {
			/* cut off: a lone surrogate is three bytes, anything else all that is left */
			buf_text(out, REPLACEMENT);
			r->has_replaced = true;
			used = surrogate_at(s) > 0 ? 3 : s.n;
		}
		s = span_skip(s, used);
	}
	r->n = 0;
}
