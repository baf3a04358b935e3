/* json.c - walks that trust what was scanned. */
#include "protocol/base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/json_inside.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"

const unsigned char json_kind_of[256] = {
	['{'] = JSON_OBJECT,
	['['] = JSON_ARRAY,
	['"'] = JSON_STRING,
	['t'] = JSON_TRUE,
	['f'] = JSON_FALSE,
	['n'] = JSON_NULL,
};

/* Behind the closing quote of the string that begins at `p`, in a text that was scanned. */
static inline const char *string_end(const char *p, const char *end)
{
	p++;
#ifdef __SSE2__
	while (end - p >= 16) {
		const unsigned mask = json_string_marks(json_load(p));
		if (!mask) {
			p += 16;
			continue;
		}
		p += __builtin_ctz(mask);
		if (*p == '"')
			return p + 1;
		p += 2; /* a backslash, and what it escapes */
	}
#endif
	while (p < end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	assert(p < end);
	return p + 1;
}

/* The next quote or bracket from `p` on, which there is. */
static inline const char *next_structure(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		const unsigned mask = json_structure(json_load(p));
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (*p != '"' && *p != '[' && *p != ']' && *p != '{' && *p != '}')
		p++;
	return p;
}

/* Behind the object or array that begins at `p`. */
static const char *container_end(const char *p, const char *end)
{
	size_t depth = 1;
	for (p++;;) {
		p = next_structure(p, end);
		if (*p == '"') {
			p = string_end(p, end);
			continue;
		}
		depth += *p == '[' || *p == '{' ? 1 : (size_t)-1;
		p++;
		if (depth == 0)
			return p;
	}
}

static inline const char *value_end(const char *p, const char *end)
{
	if (*p == '"')
		return string_end(p, end);
	if (*p == '[' || *p == '{')
		return container_end(p, end);
	while (p < end && !json_byte_is(p, SPACE | CLOSER))
		p++;
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
	while (p < w->end && (*p == ',' || json_byte_is(p, SPACE)))
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
		p = json_skip_space(p, w->end) + 1; /* the colon */
		p = json_skip_space(p, w->end);
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

struct span json_next_piece(struct span *raw, char room[4])
{
	const char *p = raw->p;
	if (*p != '\\') {
		const struct span run = span_first(*raw, span_index(*raw, '\\'));
		*raw = span_skip(*raw, run.n);
		return run;
	}
	if (p[1] != 'u') {
		room[0] = json_meaning_of[(unsigned char)p[1]];
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

static bool is_escaped_text(struct span raw, struct span want)
{
	char room[4];
	while (raw.n > 0) {
		const struct span piece = json_next_piece(&raw, room);
		if (!span_starts(want, piece))
			return false;
		want = span_skip(want, piece.n);
	}
	return want.n == 0;
}

bool json_name_is_all(struct span raw, const char *text)
{
	const struct span want = span_str(text);
	/* an escape is longer than what it means */
	if (raw.n < want.n)
		return false;
	if (span_index(raw, '\\') < raw.n)
		return is_escaped_text(raw, want);
	return span_eq(raw, want);
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
	for (; p < end && (*p == '.' || json_byte_is(p, DIGIT)); p++) {
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
		const size_t run = json_copy_plain(at, p, end);
		at += run;
		p += run;
		if (p == end)
			break;
		if (*p != '\\') { /* a lenient text */
			*at++ = *p++;
		} else if (p[1] != 'u') {
			*at++ = json_meaning_of[(unsigned char)p[1]];
			p += 2;
		} else {
			struct span rest = span_of(p, (size_t)(end - p));
			const struct span c = json_next_piece(&rest, room);
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
		buf_span(out, json_next_piece(&raw, room));
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
