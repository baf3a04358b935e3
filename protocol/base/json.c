/* json.c - one pass that checks, then walks that trust it; no tree, no recursion, no conversion. */
#include "protocol/base/json.h"

#include <assert.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "protocol/base/mem.h"
#include "protocol/base/num.h"
#include "protocol/base/table.h"
#include "protocol/base/utf8.h"

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
static const unsigned char class_of[256] = {
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

static bool is(const char *p, unsigned classes)
{
	return (class_of[(unsigned char)*p] & classes) != 0;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is(p, SPACE))
		p++;
	return p;
}

/* What the letter after a backslash means, and the letter that writes a byte; 0: none. */
static const char meaning_of[256] = {
	['"'] = '"',
	['\\'] = '\\',
	['/'] = '/',
	['b'] = '\b',
	['f'] = '\f',
	['n'] = '\n',
	['r'] = '\r',
	['t'] = '\t',
};
static const char letter_of[256] = {
	['"'] = '"',
	['\\'] = '\\',
	['\b'] = 'b',
	['\f'] = 'f',
	['\n'] = 'n',
	['\r'] = 'r',
	['\t'] = 't',
};

/* The first byte of p..end that does not stand for itself in a string: a quote, a backslash or a
 * control. Text is mostly of the others, so this is where the time goes. */
static const char *skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);
	for (; end - p >= 16; p += 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		const __m128i hit = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
			_mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
		const int mask = _mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	while (p < end && !is(p, STOP))
		p++;
	return p;
}

/* Copies the bytes that skip_plain would pass over; `to` has room for all of p..end. */
static size_t copy_plain(char *to, const char *p, const char *end)
{
	const char *begin = p;
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);
	for (; end - p >= 16; p += 16, to += 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		const __m128i hit = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
			_mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
		_mm_storeu_si128(
			(__m128i *)(void *)to, v); /* what is behind a hit is written anew */
		const int mask = _mm_movemask_epi8(hit);
		if (mask)
			return (size_t)(p - begin) + (size_t)__builtin_ctz((unsigned)mask);
	}
#endif
	while (p < end && !is(p, STOP))
		*to++ = *p++;
	return (size_t)(p - begin);
}

/* ---- the names of the objects that are open ----
 * Each is a SipHash of its depth and its folded text, under a key drawn for this one scan: equal
 * hashes are taken for equal names, and nobody can aim at the 1 in 2^64 that they are not. Names
 * leave in the reverse order of their coming, so that emptying a slot breaks no chain of probes. */

struct seen {
	uint64_t hash;
	uint32_t slot;
	uint32_t depth;
};

struct names {
	unsigned char key[16];
	struct seen *seen; /* in order of coming */
	uint32_t *slots;   /* index in `seen`, plus one; 0: empty */
	uint32_t n, room;  /* of `seen`; twice as many slots, a power of two */
	struct buf folded; /* scratch */
};

static void names_done(struct names *t)
{
	mem_free(t->seen);
	mem_free(t->slots);
	buf_done(&t->folded);
}

/* The slot of that hash, or the empty one where it belongs. */
static uint32_t names_slot(const struct names *t, uint64_t hash)
{
	const uint32_t mask = t->room * 2 - 1;
	uint32_t i = (uint32_t)hash & mask;
	while (t->slots[i] && t->seen[t->slots[i] - 1].hash != hash)
		i = (i + 1) & mask;
	return i;
}

static bool names_grow(struct names *t)
{
	const uint32_t room = t->room ? t->room * 2 : 64;
	if (room > UINT32_MAX / 4)
		return false;
	struct seen *seen = mem_resize(t->seen, room * sizeof *seen);
	if (!seen)
		return false;
	t->seen = seen;
	uint32_t *slots = mem_zeroed((size_t)room * 2 * sizeof *slots);
	if (!slots)
		return false;
	mem_free(t->slots);
	t->slots = slots;
	t->room = room;
	for (uint32_t i = 0; i < t->n; i++) {
		seen[i].slot = names_slot(t, seen[i].hash);
		slots[seen[i].slot] = i + 1;
	}
	return true;
}

/* Drops the names of the objects deeper than `depth`. */
static void names_leave(struct names *t, size_t depth)
{
	while (t->n > 0 && t->seen[t->n - 1].depth > depth)
		t->slots[t->seen[--t->n].slot] = 0;
}

static struct span next_piece(struct span *raw, char room[4]);

/* Behind the first `from` bytes. */
static void drop_underscores(struct buf *name, size_t from)
{
	size_t n = from;
	for (size_t i = from; i < name->n; i++) {
		if (name->p[i] != '_')
			name->p[n++] = name->p[i];
	}
	buf_cut(name, n);
}

bool json_name_is_clear(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		const struct span rest = span_skip(name, i);
		if (name.p[i] == '\0' ||
			(name.p[i] == '\xc5' && span_starts(rest, SPAN("\xc5\xbf"))) ||
			(name.p[i] == '\xe2' && span_starts(rest, SPAN("\xe2\x84\xaa"))))
			return false;
	}
	return true;
}

/* ERR_MALFORMED: the object at `depth` has that name already. ERR_INVALID_ARGUMENT: it is not clear. */
static enum err names_add(struct names *t, size_t depth, struct span raw, bool has_two_spellings)
{
	const uint32_t level = (uint32_t)depth;
	char room[4];
	buf_clear(&t->folded);
	buf_put(&t->folded, &level, sizeof level);
	while (raw.n > 0)
		buf_span(&t->folded, next_piece(&raw, room));
	if (buf_error(&t->folded) || (t->n == t->room && !names_grow(t)))
		return ERR_NO_MEMORY;
	for (size_t i = sizeof level; i < t->folded.n; i++)
		t->folded.p[i] = span_lower(t->folded.p[i]);
	if (!json_name_is_clear(span_skip(buf_view(&t->folded), sizeof level)))
		return ERR_INVALID_ARGUMENT;
	if (has_two_spellings)
		drop_underscores(&t->folded, sizeof level);
	const uint64_t hash = siphash(t->key, t->folded.p, t->folded.n);
	const uint32_t slot = names_slot(t, hash);
	if (t->slots[slot])
		return ERR_MALFORMED;
	t->seen[t->n] = (struct seen){hash, slot, level};
	t->slots[slot] = ++t->n;
	return OK;
}

/* ---- marks ----
 * One for each value of MARK_BYTES or more, in the order of their beginnings. So those inside of a value
 * stand right behind its own, and a shorter one has none inside. */

#define MARK_BYTES 64

struct json_mark {
	uint32_t start, length; /* of the value, from the text's first byte on */
	uint32_t inside;        /* how many of those that follow are inside of it */
};

/* While the text is scanned, the length of a container that is open is the place of the one around it. */
struct marks {
	struct buf list; /* of struct json_mark */
	uint32_t open;   /* the innermost container that is open */
	bool is_on;
};

static struct json_mark *mark_at(struct marks *m, uint32_t place)
{
	return (struct json_mark *)(void *)m->list.p + place;
}

static uint32_t marks_count(const struct marks *m)
{
	return (uint32_t)(m->list.n / sizeof(struct json_mark));
}

/* Marks are no need: where there is no room for one, there are none. */
static void mark_put(struct marks *m, size_t start, size_t length)
{
	const struct json_mark mark = {.start = (uint32_t)start, .length = (uint32_t)length};
	buf_put(&m->list, &mark, sizeof mark);
	m->is_on = buf_error(&m->list) == OK;
}

static void mark_open(struct marks *m, size_t start)
{
	if (!m->is_on)
		return;
	const uint32_t place = marks_count(m);
	mark_put(m, start, m->open);
	m->open = place;
}

static void mark_close(struct marks *m, size_t end)
{
	if (!m->is_on)
		return;
	const uint32_t place = m->open;
	struct json_mark *mark = mark_at(m, place);
	m->open = mark->length;
	mark->length = (uint32_t)end - mark->start;
	mark->inside = marks_count(m) - place - 1;
	if (mark->length < MARK_BYTES)
		buf_cut(&m->list, place * sizeof *mark);
}

/* ---- checking ----
 * Each scan_ function takes where a thing begins and returns where it ends; or NULL, and s->err is
 * set. */

struct scan {
	const char *begin, *end;
	struct json_rules rules;
	size_t depth;
	size_t free_depth; /* of the member inside which names are free; SIZE_MAX: of none */
	uint64_t is_object[JSON_DEPTH_MAX / 64 + 1]; /* one bit for each open container */
	struct names names;
	size_t n_names; /* compared so far */
	struct marks marks;
	enum err err;
	struct fault *why;
};

static const char *expected(struct scan *s, const char *at, const char *what)
{
	s->err = fault_set(s->why, ERR_MALFORMED, "the JSON text %s at byte %zu: expected %s",
		at == s->end ? "ends too early," : "is wrong", (size_t)(at - s->begin), what);
	return NULL;
}

static bool in_object(const struct scan *s)
{
	return (s->is_object[s->depth / 64] >> (s->depth % 64) & 1) != 0;
}

/* Behind the opening bracket. */
static const char *enter(struct scan *s, const char *p)
{
	if (s->depth == s->rules.max_depth) {
		s->err = fault_set(s->why, ERR_TOO_BIG,
			"the JSON text is nested too deeply at byte %zu: at most %zu arrays and "
			"objects may be inside one another",
			(size_t)(p - s->begin), s->rules.max_depth);
		return NULL;
	}
	s->depth++;
	const uint64_t bit = UINT64_C(1) << (s->depth % 64);
	if (*p == '{')
		s->is_object[s->depth / 64] |= bit;
	else
		s->is_object[s->depth / 64] &= ~bit;
	mark_open(&s->marks, (size_t)(p - s->begin));
	return p + 1;
}

/* Behind the closing bracket. */
static const char *leave(struct scan *s, const char *p)
{
	s->depth--;
	if (s->depth < s->free_depth)
		s->free_depth = SIZE_MAX;
	names_leave(&s->names, s->depth);
	mark_close(&s->marks, (size_t)(p + 1 - s->begin));
	return p + 1;
}

static const char *scan_escape(struct scan *s, const char *p)
{
	p++;
	if (p == s->end || (*p != 'u' && !meaning_of[(unsigned char)*p]))
		return expected(s, p, "one of \" \\ / b f n r t u after a backslash");
	if (*p++ != 'u')
		return p;
	for (int i = 0; i < 4; i++, p++) {
		if (p == s->end || !is(p, HEX))
			return expected(s, p, "four hexadecimal digits after \\u");
	}
	return p;
}

static const char *scan_string(struct scan *s, const char *p)
{
	p++;
	for (;;) {
		p = skip_plain(p, s->end);
		if (p == s->end)
			return expected(s, p, "the closing quote of a string");
		if (*p == '"')
			return p + 1;
		if (*p == '\\') {
			p = scan_escape(s, p);
			if (!p)
				return NULL;
		} else if (s->rules.is_lenient) {
			p++;
		} else {
			return expected(s, p, "the control characters of a string to be escaped");
		}
	}
}

static const char *scan_digits(struct scan *s, const char *p, const char *what)
{
	const char *first = p;
	while (p < s->end && is(p, DIGIT))
		p++;
	return p > first ? p : expected(s, p, what);
}

static const char *scan_number(struct scan *s, const char *p)
{
	if (*p == '-')
		p++;
	if (p < s->end && *p == '0')
		p++;
	else
		p = scan_digits(s, p, "a digit");
	if (p && p < s->end && *p == '.')
		p = scan_digits(s, p + 1, "a digit after the decimal point");
	if (p && p < s->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		p = scan_digits(s, p, "a digit in the exponent");
	}
	return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word)
{
	for (const char *c = word; *c; c++, p++) {
		if (p == s->end || *p != *c)
			return expected(s, p, word);
	}
	return p;
}

/* Always false. */
static bool refuse_name(struct scan *s, struct span name, enum err err)
{
	const size_t at = (size_t)(name.p - s->begin) - 1;
	const int n = (int)span_first(name, 100).n;
	s->err = err == ERR_NO_MEMORY ? err : ERR_MALFORMED;
	if (err == ERR_NO_MEMORY)
		fault_set(s->why, err, "no memory to compare the names of a JSON text");
	else if (err == ERR_INVALID_ARGUMENT)
		fault_set(s->why, s->err,
			"the JSON text has the member \"%.*s\" at byte %zu, whose name some "
			"readers "
			"take for another one",
			n, name.p, at);
	else
		fault_set(s->why, s->err,
			"the JSON text has the member \"%.*s\" twice in one object, again at byte "
			"%zu: names must differ, and not by case alone",
			n, name.p, at);
	if (s->why && err != ERR_NO_MEMORY)
		fault_text(s->why->param, sizeof s->why->param, name);
	return false;
}

/* False: the name is there already, is no good or one too many, or there was no memory to tell. */
static bool check_name(struct scan *s, struct span name)
{
	if (s->depth > s->free_depth)
		return true;
	s->free_depth = SIZE_MAX;
	for (const char *const *inside = s->rules.free_inside; inside && *inside; inside++) {
		if (json_name_is(name, *inside))
			s->free_depth = s->depth;
	}
	if (s->n_names++ == JSON_NAMES_MAX) {
		s->err = fault_set(s->why, ERR_TOO_BIG, "the JSON text has more than %zu members",
			JSON_NAMES_MAX);
		return false;
	}
	const enum err err = names_add(&s->names, s->depth, name, s->rules.has_two_spellings);
	return err ? refuse_name(s, name, err) : true;
}

/* A member's name and its colon. */
static const char *scan_name(struct scan *s, const char *p)
{
	const char *quote = p;
	p = scan_string(s, p);
	if (!p)
		return NULL;
	if (s->rules.has_unique_names &&
		!check_name(s, span_of(quote + 1, (size_t)(p - quote) - 2)))
		return NULL;
	p = skip_space(p, s->end);
	if (p == s->end || *p != ':')
		return expected(s, p, "':' after a member's name");
	return p + 1;
}

enum want {
	WANT_VALUE,
	WANT_VALUE_OR_END, /* after '[' */
	WANT_NAME,
	WANT_NAME_OR_END, /* after '{' */
	WANT_NEXT,        /* after a value */
};

static const char *scan_text_value(struct scan *s, const char *p)
{
	const char *end = scan_string(s, p);
	if (end && end - p >= MARK_BYTES && s->marks.is_on)
		mark_put(&s->marks, (size_t)(p - s->begin), (size_t)(end - p));
	return end;
}

/* A whole scalar, or the opening bracket of a container. */
static const char *scan_value(struct scan *s, const char *p, enum want *want)
{
	*want = WANT_NEXT;
	switch (p < s->end ? *p : '\0') {
	case '"':
		return scan_text_value(s, p);
	case '{':
		*want = WANT_NAME_OR_END;
		return enter(s, p);
	case '[':
		*want = WANT_VALUE_OR_END;
		return enter(s, p);
	case 't':
		return scan_word(s, p, "true");
	case 'f':
		return scan_word(s, p, "false");
	case 'n':
		return scan_word(s, p, "null");
	default:
		if (p < s->end && (*p == '-' || is(p, DIGIT)))
			return scan_number(s, p);
		return expected(s, p, "a value");
	}
}

/* What stands between values, and the end of a container. */
static const char *scan_next(struct scan *s, const char *p, enum want *want)
{
	const bool is_object = in_object(s);
	if (p < s->end && *p == ',') {
		*want = is_object ? WANT_NAME : WANT_VALUE;
		return p + 1;
	}
	if (p < s->end && *p == (is_object ? '}' : ']'))
		return leave(s, p);
	return expected(s, p, is_object ? "',' or '}'" : "',' or ']'");
}

static const char *scan_text(struct scan *s, const char *p)
{
	enum want want = WANT_VALUE;
	do {
		p = skip_space(p, s->end);
		switch (want) {
		case WANT_NAME_OR_END:
			if (p < s->end && *p == '}') {
				p = leave(s, p);
				want = WANT_NEXT;
				break;
			}
			/* fallthrough */
		case WANT_NAME:
			if (p == s->end || *p != '"')
				return expected(s, p,
					want == WANT_NAME ? "a member's name in quotes"
							  : "a member's name in quotes, or '}'");
			p = scan_name(s, p);
			want = WANT_VALUE;
			break;
		case WANT_VALUE_OR_END:
			if (p < s->end && *p == ']') {
				p = leave(s, p);
				want = WANT_NEXT;
				break;
			}
			/* fallthrough */
		case WANT_VALUE:
			p = scan_value(s, p, &want);
			break;
		case WANT_NEXT:
			p = scan_next(s, p, &want);
			break;
		}
	} while (p && (want != WANT_NEXT || s->depth > 0));
	return p;
}

/* The value with its marks, which are moved to the arena. */
static struct json marked(const struct scan *s, struct span value)
{
	const struct span list = buf_view(&s->marks.list);
	struct json v = json_of(value);
	struct json_mark *kept =
		s->marks.is_on && list.n > 0 ? arena_bytes(s->rules.marks, list.n) : NULL;
	if (kept) {
		memcpy(kept, list.p, list.n);
		v.mark = kept; /* the first is of what is around all others */
	}
	return v;
}

enum err json_scan(struct span text, struct json_rules rules, struct json *out, struct fault *why)
{
	assert(rules.max_depth >= 1 && rules.max_depth <= JSON_DEPTH_MAX);
	*out = JSON_NONE;
	if (text.n == 0)
		text = SPAN("");
	struct scan s = {
		.begin = text.p,
		.end = text.p + text.n,
		.rules = rules,
		.free_depth = SIZE_MAX,
		.why = why,
	};
	if (span_starts(text, SPAN("\xef\xbb\xbf"))) {
		expected(&s, s.begin, "a value, not a byte order mark");
		return s.err;
	}
	if (rules.has_unique_names) {
		buf_init(&s.names.folded, text.n + sizeof(uint32_t));
		if (getrandom(s.names.key, sizeof s.names.key, 0) != (ssize_t)sizeof s.names.key)
			return fault_set(why, ERR_INTERNAL, "the kernel gives no random bytes");
	}
	if (rules.marks && text.n <= UINT32_MAX)
		s.marks = (struct marks){.list = BUF_INIT(text.n / 4 + 1024), .is_on = true};
	const char *first = skip_space(s.begin, s.end);
	const char *end = scan_text(&s, first);
	const char *rest = end ? skip_space(end, s.end) : NULL;
	if (rest && rest < s.end)
		expected(&s, rest, "nothing after the value");
	else if (rest && !rules.is_lenient && utf8_valid_bytes(text) < text.n)
		expected(&s, s.begin + utf8_valid_bytes(text), "valid UTF-8");
	else if (rest)
		*out = marked(&s, span_of(first, (size_t)(end - first)));
	names_done(&s.names);
	buf_done(&s.marks.list);
	return s.err;
}

/* ---- reading ---- */

const unsigned char json_kind_of[256] = {
	['{'] = JSON_OBJECT,
	['['] = JSON_ARRAY,
	['"'] = JSON_STRING,
	['t'] = JSON_TRUE,
	['f'] = JSON_FALSE,
	['n'] = JSON_NULL,
};

/* The first quote from `p` on; most are near. */
static const char *find_quote(const char *p, const char *end)
{
#ifdef __SSE2__
	if (end - p >= 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		const int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	return memchr(p, '"', (size_t)(end - p));
}

/* Behind the closing quote of the string that begins at `p`. */
static const char *string_end(const char *p, const char *end)
{
	for (p++;; p++) {
		p = find_quote(p, end);
		assert(p); /* the text was scanned */
		const char *slash = p;
		while (slash[-1] == '\\')
			slash--;
		if ((p - slash) % 2 == 0)
			return p + 1;
	}
}

static const char *value_end(const char *p, const char *end)
{
	size_t depth = 0;
	if (*p != '"' && *p != '[' && *p != '{') {
		while (p < end && !is(p, SPACE | CLOSER))
			p++;
		return p;
	}
	do {
		const char c = *p;
		if (c == '"') {
			p = string_end(p, end);
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		else if (c == ']' || c == '}')
			depth--;
		p++;
	} while (depth > 0);
	return p;
}

struct json_walk json_each(struct json container)
{
	const enum json_kind kind = json_kind(container);
	if (kind != JSON_ARRAY && kind != JSON_OBJECT)
		return (struct json_walk){.at = NULL};
	struct json_walk w = {
		.at = container.text.p + 1,
		.end = container.text.p + container.text.n - 1, /* the closing bracket */
	};
	const struct json_mark *own = container.mark;
	if (own) {
		w.begin = container.text.p - own->start;
		w.mark = own + 1;
		w.marks_end = own + 1 + own->inside;
	}
	return w;
}

/* Behind the value at `p`, which becomes the walk's. */
static const char *walk_value(struct json_walk *w, const char *p)
{
	const struct json_mark *mark = w->mark;
	const char *end;
	w->value.mark = NULL;
	if (mark < w->marks_end && w->begin + mark->start == p) {
		w->value.mark = mark;
		w->mark += 1 + mark->inside;
		end = p + mark->length;
	} else {
		end = value_end(p, w->end);
	}
	w->value.text = span_of(p, (size_t)(end - p));
	return end;
}

bool json_next(struct json_walk *w)
{
	const char *p = w->at;
	while (p < w->end && (*p == ',' || is(p, SPACE)))
		p++;
	w->name = SPAN_NONE;
	w->value = JSON_NONE;
	if (p == w->end) {
		w->at = p;
		return false;
	}
	if (*w->end == '}') {
		const char *first = p + 1;
		p = string_end(p, w->end);
		w->name = span_of(first, (size_t)(p - first) - 1);
		p = skip_space(p, w->end) + 1; /* the colon */
		p = skip_space(p, w->end);
	}
	w->at = walk_value(w, p);
	return true;
}

/* The number that four hexadecimal digits mean. */
static uint32_t hex4(const char *p)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) {
		const unsigned char c = (unsigned char)p[i];
		v = v << 4 | (c <= '9' ? c - 0x30u : (c | 0x20u) - 'a' + 10u);
	}
	return v;
}

/* Takes what one escape means, or all up to the next one, off a raw text that is not empty. */
static struct span next_piece(struct span *raw, char room[4])
{
	const char *p = raw->p;
	if (*p != '\\') {
		const struct span run = span_first(*raw, span_index(*raw, '\\'));
		*raw = span_skip(*raw, run.n);
		return run;
	}
	if (p[1] != 'u') {
		room[0] = meaning_of[(unsigned char)p[1]];
		*raw = span_skip(*raw, 2);
		return span_of(room, 1);
	}
	uint32_t c = hex4(p + 2);
	size_t used = 6;
	if (c >= 0xd800 && c <= 0xdbff && raw->n >= 12 && p[6] == '\\' && p[7] == 'u') {
		const uint32_t low = hex4(p + 8);
		if (low >= 0xdc00 && low <= 0xdfff) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			used = 12;
		}
	}
	*raw = span_skip(*raw, used);
	return span_of(room, utf8_encode(c, room));
}

static struct span inside_quotes(struct json string)
{
	return span_of(string.text.p + 1, string.text.n - 2);
}

bool json_name_is_all(struct span raw, const char *text)
{
	struct span want = span_str(text);
	char room[4];
	/* an escape is longer than what it means */
	if (raw.n <= want.n || span_index(raw, '\\') == raw.n)
		return span_eq(raw, want) && span_index(raw, '\\') == raw.n;
	while (raw.n > 0) {
		const struct span piece = next_piece(&raw, room);
		if (!span_starts(want, piece))
			return false;
		want = span_skip(want, piece.n);
	}
	return want.n == 0;
}

struct json json_member(struct json object, const char *name)
{
	struct json found = JSON_NONE;
	if (json_kind(object) != JSON_OBJECT)
		return found;
	struct json_walk w = json_each(object);
	while (json_next(&w)) {
		if (json_name_is(w.name, name))
			found = w.value;
	}
	return found;
}

bool json_is_nil(struct json v)
{
	const enum json_kind kind = json_kind(v);
	return kind == JSON_ABSENT || kind == JSON_NULL;
}

bool json_is_true(struct json v)
{
	return json_kind(v) == JSON_TRUE;
}

/* A number taken apart: its significant digits, from the first to the last that is not zero, with
 * maybe a point among them, mean an integer; times 10^exponent. */
struct number {
	bool is_negative;
	struct span digits; /* empty: zero */
	size_t count;       /* of digits, without the point */
	int64_t exponent;
};

/* More than a text can have digits, and far from overflow. */
#define EXPONENT_MAX (INT64_MAX / 4)

static struct number number_of(struct span text)
{
	struct number x = {.digits = SPAN_NONE};
	const char *p = text.p, *end = text.p + text.n;
	const char *first = NULL, *last = NULL, *point = NULL;
	if (*p == '-') {
		x.is_negative = true;
		p++;
	}
	for (; p < end && (*p == '.' || is(p, DIGIT)); p++) {
		if (*p == '.') {
			point = p;
		} else if (*p != '0') {
			first = first ? first : p;
			last = p;
		}
	}
	if (!first)
		return x;
	x.digits = span_of(first, (size_t)(last - first) + 1);
	const char *behind = point ? point : p; /* the units' place ends here */
	x.count = x.digits.n - (point && first < point && point < last);
	x.exponent = last < behind ? behind - last - 1 : behind - last;
	if (p < end) {
		int64_t given = 0;
		p++;
		const bool is_down = *p == '-';
		if (*p == '-' || *p == '+')
			p++;
		for (; p < end; p++) {
			if (given < EXPONENT_MAX / 10)
				given = given * 10 + (*p - '0');
		}
		x.exponent += is_down ? -given : given;
	}
	return x;
}

bool json_i64(struct json v, int64_t *out)
{
	if (json_kind(v) != JSON_NUMBER)
		return false;
	const struct number x = number_of(v.text);
	int64_t sum = 0;
	if (x.count > 0 && (x.exponent < 0 || x.exponent > 18 || x.count > 19))
		return false;
	for (size_t i = 0; i < x.digits.n; i++) {
		const char c = x.digits.p[i];
		/* downwards, where the range is one longer */
		if (c != '.' && (!num_mul(sum, 10, &sum) || !num_add(sum, '0' - c, &sum)))
			return false;
	}
	for (int64_t i = 0; x.count > 0 && i < x.exponent; i++) {
		if (!num_mul(sum, 10, &sum))
			return false;
	}
	if (!x.is_negative && sum == INT64_MIN)
		return false;
	*out = x.is_negative ? sum : -sum;
	return true;
}

/* Fifteen digits are an integer that a double holds, and so is a power of ten up to the 22nd: of the
 * two one product or quotient is rounded once, and so the nearest. */
static bool short_f64(const struct number *x, double *out)
{
	static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	const int64_t most = COUNT_OF(powers) - 1;
	double v = 0;
	if (x->count > 15 || x->exponent < -most || x->exponent > most)
		return false;
	for (size_t i = 0; i < x->digits.n; i++) {
		if (x->digits.p[i] != '.')
			v = v * 10 + (x->digits.p[i] - '0');
	}
	v = x->exponent < 0 ? v / powers[-x->exponent] : v * powers[x->exponent];
	*out = x->is_negative ? -v : v;
	return true;
}

bool json_f64(struct json v, double *out)
{
	/* 767 digits decide any double; one more says that there were others. Without a point, so
	 * that no locale matters. */
	enum { DECIDING = 768 };
	char text[DECIDING + 32];
	size_t n = 0, taken = 0;
	if (json_kind(v) != JSON_NUMBER)
		return false;
	const struct number x = number_of(v.text);
	int64_t exponent = x.exponent;
	if (short_f64(&x, out))
		return true;
	if (x.is_negative)
		text[n++] = '-';
	for (size_t i = 0; i < x.digits.n && taken < DECIDING; i++) {
		if (x.digits.p[i] != '.') {
			text[n++] = x.digits.p[i];
			taken++;
		}
	}
	exponent += (int64_t)(x.count - taken);
	if (taken == 0)
		text[n++] = '0';
	else if (x.count > taken) {
		text[n++] = '1';
		exponent--;
	}
	/* far out, all exponents mean the same */
	exponent = exponent > 9999 ? 9999 : exponent < -9999 ? -9999 : exponent;
	(void)snprintf(text + n, sizeof text - n, "e%d", (int)exponent);
	const double nearest = strtod(text, NULL);
	if (!isfinite(nearest))
		return false;
	*out = nearest;
	return true;
}

/* Writes what a raw text means; `to` has room for the raw one, for an escape is longer than what it means.
 * Returns how many bytes that is. */
static size_t unescape(struct span raw, char *to)
{
	const char *p = raw.p, *end = p + raw.n;
	char *at = to, room[4];
	while (p < end) {
		const size_t run = copy_plain(at, p, end);
		at += run;
		p += run;
		if (p == end)
			break;
		if (*p != '\\') { /* a lenient text */
			*at++ = *p++;
		} else if (p[1] != 'u') {
			*at++ = meaning_of[(unsigned char)p[1]];
			p += 2;
		} else {
			struct span rest = span_of(p, (size_t)(end - p));
			const struct span c = next_piece(&rest, room);
			memcpy(at, c.p, c.n);
			at += c.n;
			p = rest.p;
		}
	}
	return (size_t)(at - to);
}

enum err json_text(struct json v, struct arena *a, struct span *out)
{
	*out = SPAN_NONE;
	if (json_kind(v) != JSON_STRING)
		return OK;
	struct span raw = inside_quotes(v);
	if (span_index(raw, '\\') == raw.n) {
		*out = raw;
		return OK;
	}
	char *copy = arena_bytes(a, raw.n);
	if (!copy)
		return ERR_NO_MEMORY;
	*out = span_of(copy, unescape(raw, copy));
	return OK;
}

bool json_text_to(struct json v, struct buf *out)
{
	if (json_kind(v) != JSON_STRING)
		return false;
	struct span raw = inside_quotes(v);
	char room[4];
	if (raw.n <= out->max - out->n) {
		char *to = buf_reserve(out, raw.n);
		if (to)
			buf_commit(out, unescape(raw, to));
		return true;
	}
	while (raw.n > 0) /* what it means may be short enough */
		buf_span(out, next_piece(&raw, room));
	return true;
}

enum err json_utf8(struct json v, struct arena *a, struct span *out)
{
	const enum err err = json_text(v, a, out);
	if (err || utf8_is_valid(*out))
		return err;
	OWNED(buf_done) struct buf whole = BUF_INIT(out->n > SIZE_MAX / 3 ? SIZE_MAX : out->n * 3);
	struct utf8_repair repair = {.n = 0};
	utf8_repair(&repair, *out, &whole);
	utf8_repair_end(&repair, &whole);
	*out = SPAN_NONE;
	return buf_error(&whole) ? ERR_NO_MEMORY : arena_dup(a, buf_view(&whole), out);
}

bool json_is(struct json v, const char *text)
{
	return json_kind(v) == JSON_STRING && json_name_is(inside_quotes(v), text);
}

/* ---- writing ---- */

struct json_out json_to(struct buf *to)
{
	return (struct json_out){.to = to};
}

static void comma(struct json_out *o)
{
	if (o->has_value)
		buf_byte(o->to, ',');
	o->has_value = true;
}

void json_open(struct json_out *o, char bracket)
{
	comma(o);
	buf_byte(o->to, bracket);
	o->has_value = false;
}

void json_close(struct json_out *o, char bracket)
{
	buf_byte(o->to, bracket);
	o->has_value = true;
}

/* Writes what stands for one byte that cannot stand for itself. */
static size_t put_escape(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	if (letter_of[c]) {
		memcpy(to, (const char[]){'\\', letter_of[c]}, 2);
		return 2;
	}
	memcpy(to, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
	return 6;
}

void json_escape(struct buf *to, struct span text)
{
	enum { ESCAPE_BYTES = 6 };
	const char *p = text.p, *end = text.n ? text.p + text.n : p;
	while (p < end) {
		char *const begin = buf_reserve(to, (size_t)(end - p)), *at = begin;
		char escape[ESCAPE_BYTES];
		if (!begin)
			return;
		/* escapes take of what is there beyond that */
		const char *const room = begin + (to->cap - to->n);
		for (;;) {
			const size_t run = copy_plain(at, p, end);
			at += run;
			p += run;
			if (p == end || room - at < end - p + ESCAPE_BYTES - 1)
				break;
			at += put_escape(at, (unsigned char)*p++);
		}
		buf_commit(to, (size_t)(at - begin));
		if (p < end)
			buf_put(to, escape, put_escape(escape, (unsigned char)*p++));
	}
}

void json_key_raw(struct json_out *o, struct span name)
{
	comma(o);
	buf_byte(o->to, '"');
	buf_span(o->to, name);
	buf_put(o->to, "\":", 2);
	o->has_value = false;
}

void json_key_text(struct json_out *o, struct span name)
{
	json_put_str(o, name);
	buf_byte(o->to, ':');
	o->has_value = false;
}

void json_key(struct json_out *o, const char *name)
{
	json_key_text(o, span_str(name));
}

void json_put_str(struct json_out *o, struct span text)
{
	comma(o);
	buf_byte(o->to, '"');
	json_escape(o->to, text);
	buf_byte(o->to, '"');
}

void json_put_i64(struct json_out *o, int64_t v)
{
	comma(o);
	buf_i64(o->to, v);
}

/* The shortest of 15, 16 or 17 digits that reads back the same, as "-d.ddde+dd"; the point is the
 * locale's. */
static void shortest(double v, char *text, size_t size)
{
	for (int places = 14; places <= 16; places++) {
		(void)snprintf(text, size, "%.*e", places, v);
		if (strtod(text, NULL) == v)
			return;
	}
}

void json_put_f64(struct json_out *o, double v)
{
	char text[64], digits[24] = "0";
	size_t n = 0;
	comma(o);
	if (!isfinite(v)) {
		if (!o->to->err)
			o->to->err = ERR_INVALID_ARGUMENT;
		return;
	}
	shortest(v, text, sizeof text);
	const char *p = text;
	if (*p == '-')
		buf_byte(o->to, *p++);
	for (; *p != 'e'; p++) {
		if (is(p, DIGIT))
			digits[n++] = *p;
	}
	while (n > 1 && digits[n - 1] == '0')
		n--;
	const int power = (int)strtol(p + 1, NULL, 10); /* of the first digit */
	if (power >= -5 && power < 0) {
		buf_put(o->to, "0.0000", (size_t)(1 - power));
		buf_put(o->to, digits, n);
	} else if (power >= 0 && power <= 15) {
		const size_t whole = (size_t)power + 1;
		buf_put(o->to, digits, n < whole ? n : whole);
		for (size_t i = n; i < whole; i++)
			buf_byte(o->to, '0');
		if (n > whole) {
			buf_byte(o->to, '.');
			buf_put(o->to, digits + whole, n - whole);
		}
	} else {
		buf_byte(o->to, digits[0]);
		if (n > 1) {
			buf_byte(o->to, '.');
			buf_put(o->to, digits + 1, n - 1);
		}
		buf_print(o->to, "e%d", power);
	}
}

void json_put_bool(struct json_out *o, bool v)
{
	comma(o);
	buf_text(o->to, v ? "true" : "false");
}

void json_put_null(struct json_out *o)
{
	comma(o);
	buf_text(o->to, "null");
}

void json_put_raw(struct json_out *o, struct span json)
{
	comma(o);
	buf_span(o->to, json.n > 0 ? json : SPAN("null"));
}

void json_put_base64(struct json_out *o, struct span prefix, struct span bytes)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	const size_t groups = bytes.n / 3 + (bytes.n % 3 != 0);
	comma(o);
	buf_byte(o->to, '"');
	json_escape(o->to, prefix);
	char *to = groups ? buf_reserve(o->to, groups * 4) : NULL;
	if (to) {
		const unsigned char *p = (const unsigned char *)bytes.p;
		size_t left = bytes.n;
		for (; left > 0; to += 4) {
			const uint32_t v = (uint32_t)p[0] << 16 |
					   (left > 1 ? (uint32_t)p[1] << 8 : 0) |
					   (left > 2 ? p[2] : 0u);
			to[0] = alphabet[v >> 18];
			to[1] = alphabet[v >> 12 & 63];
			to[2] = alphabet[left > 1 ? v >> 6 & 63 : 64];
			to[3] = alphabet[left > 2 ? v & 63 : 64];
			p += left > 3 ? 3 : left;
			left -= left > 3 ? 3 : left;
		}
		buf_commit(o->to, groups * 4);
	}
	buf_byte(o->to, '"');
}

void json_pair_str(struct json_out *o, const char *name, struct span text)
{
	if (!span_is_set(text))
		return;
	json_key(o, name);
	json_put_str(o, text);
}

void json_pair_i64(struct json_out *o, const char *name, int64_t v)
{
	json_key(o, name);
	json_put_i64(o, v);
}

void json_pair_bool(struct json_out *o, const char *name, bool v)
{
	json_key(o, name);
	json_put_bool(o, v);
}

void json_pair_raw(struct json_out *o, const char *name, struct span json)
{
	if (!span_is_set(json))
		return;
	json_key(o, name);
	json_put_raw(o, json);
}
