/* json_inside.h - what do the files behind json.h share?
 * json_scan.c checks, json.c reads what was checked, json_write.c writes. For these three alone. */
#ifndef PROTOCOL_BASE_JSON_INSIDE_H
#define PROTOCOL_BASE_JSON_INSIDE_H
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "protocol/base/json.h"

/* What a byte can be; a byte may be several. */
enum {
	SPACE = 1,  /* white space between tokens */
	DIGIT = 2,  /* 0-9 */
	HEX = 4,    /* 0-9 a-f A-F */
	STOP = 8,   /* does not stand for itself in a string: a quote, a backslash, a control */
	CLOSER = 16 /* ends a number or a word, as white space does: , ] } */
};

#define W (STOP | SPACE)
#define D (DIGIT | HEX)
/* clang-format off */
static const unsigned char json_class_of[256] = {
	8, 8, 8, 8, 8, 8, 8, 8, 8, W, W, 8, 8, W, 8, 8, /* 00 */
	8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, /* 10 */
	1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0,16, 0, 0, 0, /* 20: a space, a quote, a comma */
	D, D, D, D, D, D, D, D, D, D, 0, 0, 0, 0, 0, 0, /* 30 */
	0, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 40 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8,16, 0, 0, /* 50: a backslash, a bracket */
	0, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 60 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,16, 0, 0, /* 70: a brace; from 80 on, nothing */
};
/* clang-format on */
#undef W
#undef D

static inline bool json_byte_is(const char *p, unsigned classes)
{
	return (json_class_of[(unsigned char)*p] & classes) != 0;
}

static inline const char *json_skip_space(const char *p, const char *end)
{
	while (p < end && json_byte_is(p, SPACE))
		p++;
	return p;
}

/* What the letter after a backslash means; 0: nothing. */
static const char json_meaning_of[256] = {
	['"'] = '"',
	['\\'] = '\\',
	['/'] = '/',
	['b'] = '\b',
	['f'] = '\f',
	['n'] = '\n',
	['r'] = '\r',
	['t'] = '\t',
};

#ifdef __SSE2__
static inline __m128i json_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* A bit for each of sixteen bytes that is a quote or a backslash. */
static inline unsigned json_string_marks(__m128i v)
{
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(
		_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
}

/* A bit for each that is a quote, a bracket or a brace; of the latter two, one bit makes the one of the other. */
static inline unsigned json_structure(__m128i v)
{
	const __m128i brace = _mm_or_si128(v, _mm_set1_epi8('{' ^ '['));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
		_mm_or_si128(_mm_cmpeq_epi8(brace, _mm_set1_epi8('{')),
			_mm_cmpeq_epi8(brace, _mm_set1_epi8('}')))));
}

/* A bit for each of sixteen bytes that does not stand for itself in a string. */
static inline unsigned json_stops(__m128i v)
{
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);
	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
			_mm_cmpeq_epi8(_mm_min_epu8(v, control), v)));
}
#endif

/* Copies the bytes of a string up to the first that does not stand for itself, and says how many these are;
 * `to` has room for all of p..end. */
static inline size_t json_copy_plain(char *to, const char *p, const char *end)
{
	const char *begin = p;
#ifdef __SSE2__
	for (; end - p >= 16; p += 16, to += 16) {
		const __m128i v = json_load(p);
		/* what is behind a hit is written anew */
		_mm_storeu_si128((__m128i *)(void *)to, v);
		const unsigned mask = json_stops(v);
		if (mask)
			return (size_t)(p - begin) + (size_t)__builtin_ctz(mask);
	}
#endif
	while (p < end && !json_byte_is(p, STOP))
		*to++ = *p++;
	return (size_t)(p - begin);
}

/* Takes what one escape means, or all up to the next one, off a raw text that is not empty. */
struct span json_next_piece(struct span *raw, char room[4]);

/* A mark is of a value of JSON_MARK_BYTES or more; they are in the order of their beginnings. So those
 * inside of a value stand right behind its own, and a shorter one has none inside. */
#define JSON_MARK_BYTES 64

struct json_mark {
	uint32_t start, length; /* of the value, from the text's first byte on */
	uint32_t inside;        /* how many of those that follow are inside of it */
};

#endif
