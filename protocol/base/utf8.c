/* utf8.c - one classifier, and a repair that holds back at most one character and a half. */
#include "protocol/base/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define REPLACEMENT "\xef\xbf\xbd"

static bool is_more(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

int utf8_length(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	const unsigned char c = p[0];

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	if (s.n < 2)
		return -1;
	if (c < 0xe0)
		return is_more(p[1]) ? 2 : 0;
	/* the second byte's range is where overlong forms, surrogates and the top are told apart */
	const unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	const unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	if (s.n < 3)
		return -1;
	if (!is_more(p[2]))
		return 0;
	if (c < 0xf0)
		return 3;
	if (s.n < 4)
		return -1;
	return is_more(p[3]) ? 4 : 0;
}

/* A machine that takes a byte for a shift and nothing else: a state is the place of six bits in a
 * number, and the number of a byte's kind holds, at each state's place, the state that follows. */
enum state {
	REJECT = 0,
	START = 6,
	ONE = 12,
	TWO = 18,
	THREE = 24,
	E0 = 30,
	ED = 36,
	F0 = 42,
	F4 = 48
};

#define ON(state, next) ((uint64_t)(next) << (state))
#define MORE            (ON(ONE, START) | ON(TWO, ONE) | ON(THREE, TWO))
static const uint64_t steps[] = {
	ON(START, START),                 /* 0: ASCII */
	MORE | ON(ED, ONE) | ON(F4, TWO), /* 1: 80-8f */
	MORE | ON(ED, ONE) | ON(F0, TWO), /* 2: 90-9f */
	MORE | ON(E0, ONE) | ON(F0, TWO), /* 3: a0-bf */
	ON(START, ONE),                   /* 4: c2-df */
	ON(START, TWO),                   /* 5: e1-ec ee ef */
	ON(START, E0), ON(START, ED),     /* 6 7 */
	ON(START, F0), ON(START, F4),     /* 8 9 */
	ON(START, THREE),                 /* 10: f1-f3 */
	0,                                /* 11: never */
};
#undef ON
#undef MORE

/* clang-format off */
static const unsigned char kind_of[256] = { [0x80] =
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 80 */
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 90 */
	3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* a0 */
	3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* b0 */
	11,11,4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* c0 */
	4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* d0 */
	6, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 7, 5, 5, /* e0 */
	8,10,10,10, 9,11,11,11,11,11,11,11,11,11,11,11, /* f0 */
};
/* clang-format on */

/* How many bytes of whole sixties-and-four are ASCII from `p` on: most text is, for long stretches. */
static size_t skip_ascii(const unsigned char *p, size_t n)
{
	size_t at = 0;
#ifdef __SSE2__
	for (; n - at >= 64; at += 64) {
		const __m128i *v = (const __m128i *)(const void *)(p + at);
		const __m128i low = _mm_or_si128(_mm_loadu_si128(v), _mm_loadu_si128(v + 1));
		const __m128i high = _mm_or_si128(_mm_loadu_si128(v + 2), _mm_loadu_si128(v + 3));
		if (_mm_movemask_epi8(_mm_or_si128(low, high)))
			break;
	}
#else
	(void)p;
	(void)n;
#endif
	return at;
}

size_t utf8_valid_bytes(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint64_t state = START;
	size_t n = skip_ascii(p, s.n);
	for (; s.n - n >= 16; n += 16) {
		uint64_t halves[2];
		memcpy(halves, p + n, sizeof halves);
		if (state == START && !((halves[0] | halves[1]) & UINT64_C(0x8080808080808080)))
			continue;
		uint64_t next = state;
		for (size_t i = n; i < n + 16; i++)
			next = steps[kind_of[p[i]]] >> (next & 63);
		next &= 63;
		if (next == REJECT)
			break;
		state = next;
		if (state == START)
			n += skip_ascii(p + n + 16, s.n - n - 16);
	}
	/* the rest, or what is wrong in the next sixteen bytes: from a character's beginning */
	if (state != START) {
		do
			n--;
		while (is_more(p[n]));
	}
	while (n < s.n) {
		if (!(p[n] & 0x80)) {
			n++;
			continue;
		}
		const int length = utf8_length(span_skip(s, n));
		if (length <= 0)
			break;
		n += (size_t)length;
	}
	return n;
}

size_t utf8_ascii_bytes(struct span s)
{
	return skip_ascii((const unsigned char *)s.p, s.n);
}

bool utf8_is_valid(struct span s)
{
	return utf8_valid_bytes(s) == s.n;
}

struct span utf8_past_bom(struct span s)
{
	return span_starts(s, SPAN(UTF8_BOM)) ? span_skip(s, sizeof UTF8_BOM - 1) : s;
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
		const size_t valid = utf8_valid_bytes(piece);
		buf_put(out, piece.p, valid);
		piece = span_skip(piece, valid);
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
