/* json.h - what does this JSON text say, and how is one written?
 * json_scan checks a whole text once; after that it is walked where it lies, and every value is its
 * exact bytes, so that numbers, escapes and order survive being passed on. There is no tree. */
#ifndef PROTOCOL_BASE_JSON_H
#define PROTOCOL_BASE_JSON_H
#include <stdint.h>

#include "protocol/base/arena.h"
#include "protocol/base/buf.h"

enum json_kind {
	JSON_ABSENT, /* no such member */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_mark;

/* A value inside a scanned text, without the white space around it; absent: text.p is NULL.
 * Borrowed: it lives as long as the text. */
struct json {
	struct span text;
	const struct json_mark *mark; /* where it ends, for a walk; NULL: not known */
};

#define JSON_NONE ((struct json){.text = SPAN_NONE})

/* A value by its text alone, which was scanned before. */
static inline struct json json_of(struct span text)
{
	return (struct json){.text = text};
}

struct json_rules {
	size_t max_depth; /* arrays and objects inside one another; 1..JSON_DEPTH_MAX */
	bool is_lenient; /* a provider's text: invalid UTF-8 and raw control bytes may be in strings */
	bool has_unique_names; /* refuse an object that has a name twice, compared unescaped and with
	                          ASCII case folded, or one that is not clear (json_name_is_clear) */
	bool has_two_spellings;         /* and with underscores left out: max_tokens is maxTokens */
	const char *const *free_inside; /* but not inside members of these names, such as a schema,
	                                   that are passed on and never read; ends with NULL; may be NULL */
	/* where the ends of long values are kept, so that a walk, which reads its way over each value
	 * otherwise, passes over them at once; it lives as long as the values; NULL: nowhere */
	struct arena *marks;
};

#define JSON_DEPTH_MAX 512
#define JSON_NAMES_MAX ((size_t)1 << 20) /* that are compared: each takes time and memory */
#define JSON_STRICT    ((struct json_rules){.max_depth = JSON_DEPTH_MAX})
#define JSON_LENIENT   ((struct json_rules){.max_depth = JSON_DEPTH_MAX, .is_lenient = true})

/* Checks that `text` is one JSON value and nothing after it (RFC 8259), and hands it out. Linear in
 * the text; with has_unique_names it takes memory for the names of the objects open at one time.
 * ERR_MALFORMED (with the byte where it fails, counted from 0; for a name that is refused with the raw
 * name as why->param), ERR_TOO_BIG (too deep, or too many names), ERR_NO_MEMORY; ERR_INTERNAL where the kernel
 * gives no random bytes. *out is absent then. */
enum err json_scan(
	struct span text, struct json_rules rules, struct json *out, struct fault *why) MUST_USE;

/* Do all readers take a member's name, a plain text, for the same? Not with a NUL in it, where texts of C
 * end, nor with U+017F or U+212A, an s and a k but for their case in Unicode. */
bool json_name_is_clear(struct span name);

/* ---- reading; all take scanned values only ---- */

/* By a value's first byte; JSON_ABSENT: it is a number. */
extern const unsigned char json_kind_of[256];
static inline enum json_kind json_kind(struct json v)
{
	if (v.text.n == 0)
		return JSON_ABSENT;
	const unsigned char kind = json_kind_of[(unsigned char)v.text.p[0]];
	return kind == JSON_ABSENT ? JSON_NUMBER : (enum json_kind)kind;
}

/* Walks an object or an array. Begin with json_each(v); a value that is neither is empty. A step
 * passes over a whole member, so walking all levels of a text reads its inside once for each, but for
 * what was marked. */
struct json_walk {
	const char *at, *end;
	struct span name; /* of the member: raw, as between its quotes, escapes and all */
	struct json value;
	const struct json_mark *mark, *marks_end; /* of the long values that are still to come */
	const char *begin;                        /* of the text that they count from */
};
struct json_walk json_each(struct json container);
bool json_next(struct json_walk *w); /* false: no more */

bool json_name_is_all(struct span raw_name, const char *text);
/* Is the raw name of a member, once unescaped, this text? Most differ in their first byte. */
static inline bool json_name_is(struct span raw_name, const char *text)
{
	const bool differs = raw_name.n > 0 && raw_name.p[0] != text[0] && raw_name.p[0] != '\\';
	return !differs && json_name_is_all(raw_name, text);
}

/* The member of that name (the last, where there are several), or an absent value. Linear: where
 * several are wanted, walk. */
struct json json_member(struct json object, const char *name);

/* Absent or null. */
bool json_is_nil(struct json v);

bool json_is_true(struct json v);

/* The exact integer of a number that has one (12, 12.0, 1.2e1); false for any other value, a
 * fraction or what does not fit. */
bool json_i64(struct json v, int64_t *out);

/* The nearest double of a number, in any locale; false for another kind and for what is not
 * finite. */
bool json_f64(struct json v, double *out);

/* A string's text, unescaped. Without escapes it is a span of the text itself, else a copy in the
 * arena. Lone surrogate escapes come out as three bytes, and bytes that are not UTF-8 (lenient) as
 * they are: pass it through utf8_repair before it goes to a caller. A value that is no string gives
 * an absent span. ERR_NO_MEMORY. */
enum err json_text(struct json v, struct arena *a, struct span *out) MUST_USE;

/* The same, appended to a buf. False where `v` is no string. */
bool json_text_to(struct json v, struct buf *out);

/* A string's text, repaired to valid UTF-8 where it was not. */
enum err json_utf8(struct json v, struct arena *a, struct span *out) MUST_USE;

/* Is `v` a string with just this text? */
bool json_is(struct json v, const char *text);

/* ---- writing ---- */

/* Appends to a buf; commas and colons come by themselves. Failures stick to the buf. */
struct json_out {
	struct buf *to;
	bool has_value; /* a comma is due before the next one */
};
struct json_out json_to(struct buf *to);

void json_open(struct json_out *o, char bracket);  /* '{' or '[' */
void json_close(struct json_out *o, char bracket); /* '}' or ']' */
void json_key(struct json_out *o, const char *name);
void json_key_text(struct json_out *o, struct span name); /* valid UTF-8 */
void json_key_raw(struct json_out *o, struct span name);  /* already escaped, without its quotes */
void json_put_str(struct json_out *o, struct span text);  /* valid UTF-8; absent: "" */
void json_put_i64(struct json_out *o, int64_t v);
/* The shortest that reads back the same, in any locale. A v that is not finite fails the buf with
 * ERR_INVALID_ARGUMENT. */
void json_put_f64(struct json_out *o, double v);
void json_put_bool(struct json_out *o, bool v);
void json_put_null(struct json_out *o);
void json_put_raw(struct json_out *o, struct span json); /* a checked value; absent: null */
/* A text as it stands between the quotes of a string, for one that is written in pieces; valid UTF-8, each
 * piece on its own. */
void json_escape(struct buf *to, struct span text);
/* One string: `prefix` as json_put_str would write it, then the bytes in base64, with padding. */
void json_put_base64(struct json_out *o, struct span prefix, struct span bytes);

/* key and value in one, for what is there; the absent is left out */
void json_pair_str(struct json_out *o, const char *name, struct span text);
void json_pair_i64(struct json_out *o, const char *name, int64_t v);
void json_pair_bool(struct json_out *o, const char *name, bool v);
void json_pair_raw(struct json_out *o, const char *name, struct span json);

#endif
