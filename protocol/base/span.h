/* span.h - which bytes are meant? A pointer and a length that never own.
 * May be empty; an absent span has p == NULL, an empty text has p != NULL and n == 0. */
#ifndef PROTOCOL_BASE_SPAN_H
#define PROTOCOL_BASE_SPAN_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN_NONE     ((struct span){NULL, 0})
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})

/* printf("%.*s", SPAN_ARG(s)): for texts known to be short. */
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct span span_of(const char *p, size_t n)
{
	return (struct span){p, n};
}

/* `s` may be NULL: the absent span. */
static inline struct span span_str(const char *s)
{
	return s ? (struct span){s, strlen(s)} : SPAN_NONE;
}

static inline bool span_is_set(struct span s)
{
	return s.p != NULL;
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
	if (a.n > 0 && text && a.p[0] != text[0])
		return false; /* as most, in a list of words */
	return span_eq(a, span_str(text));
}

/* An ASCII letter in lower case, any other byte as it is; no locale has a say. */
static inline char span_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* ASCII letters compare without case. */
static inline bool span_is_nocase(struct span a, const char *text)
{
	if (a.n != strlen(text))
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (span_lower(a.p[i]) != span_lower(text[i]))
			return false;
	}
	return true;
}

static inline bool span_starts(struct span a, struct span prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

static inline bool span_ends(struct span a, struct span suffix)
{
	return a.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(a.p + a.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* What is left after the first `n` bytes; `n` is at most the span's. */
static inline struct span span_skip(struct span a, size_t n)
{
	return n == 0 ? a : (struct span){a.p + n, a.n - n};
}

static inline struct span span_first(struct span a, size_t n)
{
	return (struct span){a.p, n < a.n ? n : a.n};
}

/* Where `needle` begins in `a`, or a.n. An empty needle is found at 0. */
static inline size_t span_find(struct span a, struct span needle)
{
	if (needle.n == 0)
		return 0;
	const char *at = a.n == 0 ? NULL : memmem(a.p, a.n, needle.p, needle.n);
	return at ? (size_t)(at - a.p) : a.n;
}

/* Where byte `c` first is in `a`, or a.n. */
static inline size_t span_index(struct span a, char c)
{
	const char *at = a.n == 0 ? NULL : memchr(a.p, c, a.n);
	return at ? (size_t)(at - a.p) : a.n;
}

/* Is there one of ASCII's control bytes in it? */
static inline bool span_has_control(struct span a)
{
	for (size_t i = 0; i < a.n; i++) {
		if ((unsigned char)a.p[i] < 0x20 || a.p[i] == 0x7f)
			return true;
	}
	return false;
}

static inline bool span_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without the space, tab, CR and LF at both ends. */
static inline struct span span_trim(struct span a)
{
	while (a.n > 0 && span_is_space(a.p[0]))
		a = span_skip(a, 1);
	while (a.n > 0 && span_is_space(a.p[a.n - 1]))
		a.n--;
	return a;
}

/* Takes the text before the first `c` off the front of *rest; the `c` goes too. With no `c` in
 * *rest it takes all and leaves *rest absent. */
static inline struct span span_cut(struct span *rest, char c)
{
	const size_t at = span_index(*rest, c);
	const struct span head = span_first(*rest, at);
	*rest = at < rest->n ? span_skip(*rest, at + 1) : SPAN_NONE;
	return head;
}

#endif
