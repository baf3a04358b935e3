/* json_edit.c - a copy in which comments are spaces is scanned; what is found there is at the same place in the text. */
#include "libllmclient/cli/json_edit.h"

#include <string.h>

#define VALUE_BYTES ((size_t)1 << 20)

/* ---- without comments ---- */

static void blank(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n' && p[i] != '\r')
			p[i] = ' ';
	}
}

static size_t string_end(const char *p, size_t at, size_t n)
{
	for (at++; at < n && p[at] != '"'; at++)
		at += p[at] == '\\';
	return at < n ? at + 1 : n;
}

/* Of one that begins there; `at`: none does. */
static size_t comment_end(const char *p, size_t at, size_t n)
{
	if (at + 1 >= n || p[at] != '/' || (p[at + 1] != '/' && p[at + 1] != '*'))
		return at;
	const struct span rest = span_of(p + at + 2, n - at - 2);
	const size_t end =
		p[at + 1] == '/' ? span_index(rest, '\n') : span_find(rest, SPAN("*/")) + 2;
	return end < rest.n ? at + 2 + end : n;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Comments, and commas behind the last one, become spaces. */
static void make_plain(char *p, size_t n)
{
	size_t comma = n; /* the last thing that was no space; n: it was no comma behind a value */
	char last = '\0';
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		blank(p, 3);
	for (size_t i = 0; i < n;) {
		const size_t end = comment_end(p, i, n);
		if (end > i) {
			blank(p + i, end - i);
			i = end;
			continue;
		}
		if (is_space(p[i])) {
			i++;
			continue;
		}
		if ((p[i] == '}' || p[i] == ']') && comma < n)
			p[comma] = ' ';
		comma = p[i] == ',' && last != '{' && last != '[' && last != ',' ? i : n;
		last = p[i];
		i = p[i] == '"' ? string_end(p, i, n) : i + 1;
	}
}

enum err json_document_open(struct json_document *d, struct span text, struct fault *why)
{
	*d = (struct json_document){.text = text, .root = JSON_NONE};
	buf_init(&d->plain, text.n + 1);
	buf_span(&d->plain, text);
	buf_byte(&d->plain, '\0');
	if (buf_error(&d->plain))
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	d->plain.n--;
	make_plain(d->plain.p, d->plain.n);
	if (span_trim(buf_view(&d->plain)).n == 0)
		return OK;
	const enum err err = json_scan(buf_view(&d->plain), JSON_STRICT, &d->root, why);
	if (!err && json_kind(d->root) != JSON_OBJECT)
		return fault_set(why, ERR_MALFORMED, "it is no JSON object");
	return err;
}

void json_document_done(struct json_document *d)
{
	buf_done(&d->plain);
}

/* ---- finding ---- */

static size_t offset(const struct json_document *d, const char *p)
{
	return (size_t)(p - d->plain.p);
}

static struct span between(const struct json_document *d, size_t begin, size_t end)
{
	return span_of(d->text.p + begin, end - begin);
}

static size_t depth_of(const struct json_path *path)
{
	size_t n = 0;
	while (n < JSON_PATH_MAX && path->name[n])
		n++;
	return n;
}

/* As deep as it is there: the innermost value, and how many names led to it. */
static struct json follow(
	const struct json_document *d, const struct json_path *path, size_t most, size_t *n)
{
	struct json v = d->root;
	for (*n = 0; *n < most && json_kind(v) == JSON_OBJECT; (*n)++) {
		const struct json next = json_member(v, path->name[*n]);
		if (json_kind(next) == JSON_ABSENT)
			break;
		v = next;
	}
	return v;
}

struct span json_document_at(const struct json_document *d, const struct json_path *path)
{
	size_t n;
	const struct json v = follow(d, path, depth_of(path), &n);
	if (json_kind(v) == JSON_ABSENT || n < depth_of(path))
		return SPAN_NONE;
	const size_t at = offset(d, v.text.p);
	return between(d, at, at + v.text.n);
}

static size_t skip_spaces(struct span s, size_t at)
{
	while (at < s.n && is_space(s.p[at]))
		at++;
	return at;
}

bool json_is_same_text(struct span a, struct span b)
{
	bool is_inside = false;
	for (size_t i = 0, j = 0;;) {
		if (!is_inside) {
			i = skip_spaces(a, i);
			j = skip_spaces(b, j);
		}
		if (i == a.n || j == b.n)
			return i == a.n && j == b.n;
		if (a.p[i] != b.p[j])
			return false;
		if (is_inside && a.p[i] == '\\' && i + 1 < a.n && j + 1 < b.n &&
			a.p[i + 1] == b.p[j + 1]) {
			i += 2;
			j += 2;
			continue;
		}
		if (a.p[i] == '"')
			is_inside = !is_inside;
		i++;
		j++;
	}
}

/* ---- laying out ---- */

struct layout {
	const char *line_end;
	struct span unit; /* one step of indentation */
};

/* The spaces that the line of that place begins with. */
static struct span indent_at(const struct json_document *d, size_t at)
{
	size_t begin = at, end;
	while (begin > 0 && d->text.p[begin - 1] != '\n')
		begin--;
	for (end = begin; end < d->text.n && (d->text.p[end] == ' ' || d->text.p[end] == '\t');)
		end++;
	return between(d, begin, end);
}

/* Does only indentation stand before it on its line? */
static bool begins_line(const struct json_document *d, size_t at)
{
	const struct span indent = indent_at(d, at);
	return indent.p + indent.n == d->text.p + at && indent.p > d->text.p;
}

static struct layout layout_of(const struct json_document *d)
{
	struct layout l = {"\n", SPAN("  ")};
	struct json_walk w = json_each(d->root);
	if (span_find(d->text, SPAN("\r\n")) < d->text.n)
		l.line_end = "\r\n";
	if (json_kind(d->root) == JSON_OBJECT && json_next(&w)) {
		const size_t at = offset(d, w.name.p - 1);
		const struct span indent = indent_at(d, at);
		if (begins_line(d, at) && indent.n > 0)
			l.unit = indent;
	}
	return l;
}

/* Begins a line. */
static void put_indent(struct buf *out, const struct layout *l, struct span base, size_t depth)
{
	buf_text(out, l->line_end);
	buf_span(out, base);
	while (depth-- > 0)
		buf_span(out, l->unit);
}

static void put_pretty(
	struct buf *out, const struct layout *l, struct span base, size_t depth, struct json v)
{
	struct json_walk w = json_each(v);
	const bool is_object = json_kind(v) == JSON_OBJECT;
	bool is_first = true;
	if (!is_object && json_kind(v) != JSON_ARRAY) {
		buf_span(out, v.text);
		return;
	}
	buf_byte(out, is_object ? '{' : '[');
	while (json_next(&w)) {
		if (!is_first)
			buf_byte(out, ',');
		is_first = false;
		put_indent(out, l, base, depth + 1);
		if (is_object)
			buf_print(out, "\"%.*s\": ", SPAN_ARG(w.name));
		put_pretty(out, l, base, depth + 1, w.value);
	}
	if (!is_first)
		put_indent(out, l, base, depth);
	buf_byte(out, is_object ? '}' : ']');
}

/* ---- changing ---- */

/* The member that is to be, and in it what is missing on the way to the value. */
static enum err make_member(
	const struct json_path *path, size_t from, struct span value, struct buf *out)
{
	const size_t n = depth_of(path);
	struct json_out o = json_to(out);
	json_open(&o, '{');
	for (size_t i = from; i < n; i++) {
		json_key(&o, path->name[i]);
		if (i + 1 < n)
			json_open(&o, '{');
	}
	json_put_raw(&o, value);
	for (size_t i = from; i < n; i++)
		json_close(&o, '}');
	return buf_error(out);
}

/* `member` is an object with one, which becomes the first one of that at `at`. */
static void insert_first(
	const struct json_document *d, struct json object, struct json member, struct buf *out)
{
	const struct layout l = layout_of(d);
	struct json_walk w = json_each(object), one = json_each(member);
	const size_t open = offset(d, object.text.p) + 1, close = open + object.text.n - 2;
	const struct span inside = between(d, open, close);
	(void)json_next(&one);
	if (json_next(&w)) {
		const size_t at = offset(d, w.name.p - 1);
		const struct span indent = indent_at(d, at);
		const bool is_on_lines = begins_line(d, at);
		buf_span(out, between(d, 0, at));
		buf_print(out, "\"%.*s\": ", SPAN_ARG(one.name));
		if (is_on_lines)
			put_pretty(out, &l, indent, 0, one.value);
		else
			buf_span(out, one.value.text);
		buf_byte(out, ',');
		if (is_on_lines)
			put_indent(out, &l, indent, 0);
		else
			buf_byte(out, ' ');
		buf_span(out, between(d, at, d->text.n));
		return;
	}
	const struct span indent = indent_at(d, open);
	const bool is_empty = span_trim(inside).n == 0;
	buf_span(out, between(d, 0, open));
	put_indent(out, &l, indent, 1);
	buf_print(out, "\"%.*s\": ", SPAN_ARG(one.name));
	put_pretty(out, &l, indent, 1, one.value);
	if (!is_empty)
		buf_span(out, inside);
	if (is_empty || span_index(inside, '\n') == inside.n)
		put_indent(out, &l, indent, 0);
	buf_span(out, between(d, close, d->text.n));
}

/* A text without an object gets one, behind its comments. */
static void begin_document(const struct json_document *d, struct json object, struct buf *out)
{
	const struct layout l = layout_of(d);
	buf_span(out, d->text);
	if (d->text.n > 0 && d->text.p[d->text.n - 1] != '\n')
		buf_text(out, l.line_end);
	put_pretty(out, &l, SPAN(""), 0, object);
	buf_text(out, l.line_end);
}

static void replace(
	const struct json_document *d, struct json old, struct json value, struct buf *out)
{
	const struct layout l = layout_of(d);
	const size_t at = offset(d, old.text.p);
	buf_span(out, between(d, 0, at));
	put_pretty(out, &l, indent_at(d, at), 0, value);
	buf_span(out, between(d, at + old.text.n, d->text.n));
}

enum err json_document_put(const struct json_document *d, const struct json_path *path,
	struct span value, struct buf *out, struct fault *why)
{
	OWNED(buf_done) struct buf made = BUF_INIT(VALUE_BYTES);
	struct json scanned;
	size_t n;
	const struct json at = follow(d, path, depth_of(path), &n);
	const bool is_there = n == depth_of(path);
	enum err err = is_there ? OK : make_member(path, n, value, &made);
	if (!err)
		err = json_scan(is_there ? value : buf_view(&made), JSON_STRICT, &scanned, why);
	if (err)
		return err;
	if (is_there)
		replace(d, at, scanned, out);
	else if (json_kind(at) == JSON_ABSENT)
		begin_document(d, scanned, out);
	else if (json_kind(at) != JSON_OBJECT)
		return fault_set(
			why, ERR_MALFORMED, "\"%s\" is no object there", path->name[n - 1]);
	else
		insert_first(d, at, scanned, out);
	return buf_error(out);
}

enum err json_document_splice(const struct json_document *d, const struct json_path *path,
	struct span text, struct buf *out)
{
	const struct span old = json_document_at(d, path);
	const size_t at = (size_t)(old.p - d->text.p);
	buf_span(out, between(d, 0, at));
	buf_span(out, text);
	buf_span(out, between(d, at + old.n, d->text.n));
	return buf_error(out);
}

/* Behind spaces and comments. */
static size_t next_token(struct span s, size_t at)
{
	for (;;) {
		const size_t next = comment_end(s.p, skip_spaces(s, at), s.n);
		if (next == at)
			return at;
		at = next;
	}
}

void json_document_take(
	const struct json_document *d, const struct json_path *path, struct buf *out)
{
	const size_t depth = depth_of(path);
	size_t n, begin = 0, end = 0, former = 0;
	bool is_found = false, is_last = true;
	const struct json object = follow(d, path, depth - 1, &n);
	struct json_walk w = json_each(object);
	while (n == depth - 1 && json_next(&w)) {
		if (is_found) {
			is_last = false;
			break;
		}
		if (json_name_is(w.name, path->name[depth - 1])) {
			is_found = true;
			begin = offset(d, w.name.p - 1);
			end = offset(d, w.value.text.p) + w.value.text.n;
		} else {
			former = offset(d, w.value.text.p) + w.value.text.n;
		}
	}
	if (!is_found) {
		buf_span(out, d->text);
		return;
	}
	/* its comma goes with it, and the spaces before another one; a comment before the comma stays */
	size_t after = next_token(d->text, end), next = end;
	const bool has_comma = after < d->text.n && d->text.p[after] == ',';
	if (has_comma)
		next = is_last ? after + 1 : skip_spaces(d->text, after + 1);
	else
		after = end;
	if (is_last) { /* the spaces before it are its own */
		while (begin > 0 && is_space(d->text.p[begin - 1]))
			begin--;
	}
	if (is_last && former == 0 && after == end) { /* nothing is left */
		const size_t close = skip_spaces(d->text, next);
		if (d->text.p[begin - 1] == '{' && d->text.p[close] == '}')
			next = after = close;
		end = after;
	}
	size_t comma = begin;
	if (is_last && former > 0 && !has_comma) { /* the comma of the one before it too */
		comma = former;
		while (comma < begin && d->plain.p[comma] != ',') /* not one in a comment */
			comma++;
	}
	buf_span(out, between(d, 0, comma));
	if (comma < begin)
		buf_span(out, between(d, comma + 1, begin));
	buf_span(out, between(d, end, after));
	buf_span(out, between(d, next, d->text.n));
}
