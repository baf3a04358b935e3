/* json_scan.c - one pass that checks: no tree, no recursion, no conversion. */
#include "protocol/base/json_inside.h"

#include <assert.h>
#include <sys/random.h>

#include "protocol/base/mem.h"
#include "protocol/base/table.h"
#include "protocol/base/utf8.h"

/* The first byte of p..end that does not stand for itself in a string: a quote, a backslash or a
 * control. Text is mostly of the others, so this is where the time goes. */
static const char *skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		const unsigned mask = json_stops(json_load(p));
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && !json_byte_is(p, STOP))
		p++;
	return p;
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
		buf_span(&t->folded, json_next_piece(&raw, room));
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

/* ---- marks ---- */

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
	if (mark->length < JSON_MARK_BYTES)
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
	if (p == s->end || (*p != 'u' && !json_meaning_of[(unsigned char)*p]))
		return expected(s, p, "one of \" \\ / b f n r t u after a backslash");
	if (*p++ != 'u')
		return p;
	for (int i = 0; i < 4; i++, p++) {
		if (p == s->end || !json_byte_is(p, HEX))
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
	while (p < s->end && json_byte_is(p, DIGIT))
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

static inline const char *scan_word(struct scan *s, const char *p, const char *word)
{
	const size_t n = strlen(word); /* of a literal */
	if ((size_t)(s->end - p) >= n && memcmp(p, word, n) == 0)
		return p + n;
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
	p = json_skip_space(p, s->end);
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
	if (end && end - p >= JSON_MARK_BYTES && s->marks.is_on)
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
		if (p < s->end && (*p == '-' || json_byte_is(p, DIGIT)))
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
		p = json_skip_space(p, s->end);
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
	const char *first = json_skip_space(s.begin, s.end);
	const char *end = scan_text(&s, first);
	const char *rest = end ? json_skip_space(end, s.end) : NULL;
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
