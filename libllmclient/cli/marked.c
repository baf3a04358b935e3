/* marked.c - line by line; of a format no more is read than where a key of the outermost level is. */
#include "libllmclient/cli/marked.h"

#include <string.h>

#define BEGIN "# >>> llm-broker: `llmb wire` has written this, and takes it out with --undo"
#define END   "# <<< llm-broker"
#define ASIDE "# llm-broker has put aside: "

#define BOM "\xef\xbb\xbf"

/* ---- lines ---- */

/* With its line end; `rest` goes on behind it. */
static struct span next_line(struct span *rest)
{
	const size_t end = span_index(*rest, '\n');
	const struct span line = span_first(*rest, end < rest->n ? end + 1 : rest->n);
	*rest = span_skip(*rest, line.n);
	return line;
}

static struct span skip_blanks(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	return s;
}

/* Nothing, or a comment. */
static bool is_empty(struct span line)
{
	const struct span all = span_trim(line);
	return all.n == 0 || all.p[0] == '#';
}

static const char *line_end_of(struct span text)
{
	return span_find(text, SPAN("\r\n")) < text.n ? "\r\n" : "\n";
}

/* Each of the lines behind so many spaces, between the marks. */
static void put_block(struct buf *out, struct span lines, size_t indent, const char *line_end)
{
	buf_print(out, "%*s" BEGIN "%s", (int)indent, "", line_end);
	while (lines.n > 0) {
		const struct span line = span_cut(&lines, '\n');
		buf_print(out, "%*s%.*s%s", (int)indent, "", SPAN_ARG(line), line_end);
	}
	buf_print(out, "%*s" END "%s", (int)indent, "", line_end);
}

static void put_aside(struct buf *out, struct span line)
{
	buf_text(out, ASIDE);
	buf_span(out, line);
}

/* A line of ours shall not become part of the last one. */
static void end_line(struct buf *out, const char *line_end)
{
	if (out->n > 0 && out->p[out->n - 1] != '\n')
		buf_text(out, line_end);
}

/* "NAME", in quotes or not, before `mark`. */
static bool has_key(struct span line, const char *key, char mark)
{
	struct span s = skip_blanks(line);
	const size_t n = strlen(key);
	const bool is_quoted = s.n > 0 && (s.p[0] == '"' || s.p[0] == '\'');
	const char quote = is_quoted ? s.p[0] : '\0';
	s = span_skip(s, is_quoted);
	if (!span_starts(s, span_str(key)))
		return false;
	s = span_skip(s, n);
	if (is_quoted && (s.n == 0 || s.p[0] != quote))
		return false;
	s = skip_blanks(span_skip(s, is_quoted));
	return s.n > 0 && s.p[0] == mark;
}

static bool has_any_key(struct span line, const char *const *keys, char mark)
{
	for (; *keys; keys++) {
		if (has_key(line, *keys, mark))
			return true;
	}
	return false;
}

/* ---- out again ---- */

void marked_take(struct span text, struct buf *out)
{
	bool is_ours = false;
	if (span_starts(text, SPAN(BOM))) {
		buf_text(out, BOM);
		text = span_skip(text, sizeof BOM - 1);
	}
	while (text.n > 0) {
		const struct span line = next_line(&text), said = skip_blanks(line);
		if (span_starts(said, SPAN(BEGIN)))
			is_ours = true;
		if (!is_ours)
			buf_span(out, span_starts(line, SPAN(ASIDE))
					      ? span_skip(line, sizeof ASIDE - 1)
					      : line);
		if (span_starts(said, SPAN(END)))
			is_ours = false;
	}
}

void marked_ours(struct span text, struct buf *out)
{
	bool is_ours = false;
	if (span_starts(text, SPAN(BOM)))
		text = span_skip(text, sizeof BOM - 1);
	while (text.n > 0) {
		const struct span line = next_line(&text), said = skip_blanks(line);
		is_ours = is_ours || span_starts(said, SPAN(BEGIN));
		if (is_ours || span_starts(line, SPAN(ASIDE)))
			buf_span(out, line);
		if (span_starts(said, SPAN(END)))
			is_ours = false;
	}
}

/* ---- TOML ---- */

/* What is open at the end of a line. */
struct toml {
	const char *quotes; /* of a text over several lines; NULL: none */
	int depth;          /* of brackets */
};

/* Behind a string that begins there; one of three quotes may go on on the next line. */
static struct span skip_string(struct toml *t, struct span s)
{
	static const char *const threes[] = {"\"\"\"", "'''"};
	const char quote = s.p[0];
	const char *three = threes[quote == '\''];
	if (span_starts(s, span_str(three))) {
		t->quotes = three;
		return span_skip(s, 3);
	}
	size_t i = 1;
	while (i < s.n && s.p[i] != quote && s.p[i] != '\n')
		i += quote == '"' && s.p[i] == '\\' ? 2 : 1;
	return span_skip(s, i < s.n ? i + 1 : s.n);
}

/* Inside one of three quotes. */
static struct span skip_long_string(struct toml *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (t->quotes[0] == '"' && s.p[i] == '\\') {
			i++;
			continue;
		}
		if (!span_starts(span_skip(s, i), span_str(t->quotes)))
			continue;
		i += 3;
		while (i < s.n && s.p[i] == t->quotes[0]) /* up to two more are its own */
			i++;
		t->quotes = NULL;
		return span_skip(s, i);
	}
	return SPAN("");
}

static void toml_line(struct toml *t, struct span s)
{
	while (s.n > 0) {
		if (t->quotes) {
			s = skip_long_string(t, s);
			continue;
		}
		const char c = s.p[0];
		if (c == '#')
			return;
		if (c == '"' || c == '\'') {
			s = skip_string(t, s);
			continue;
		}
		t->depth += (c == '[' || c == '{') - (c == ']' || c == '}');
		s = span_skip(s, 1);
	}
}

static bool is_open(const struct toml *t)
{
	return t->quotes || t->depth != 0;
}

/* "[ a . "b" ]" is [a.b]. */
static bool is_table(struct span line, const char *table)
{
	struct span s = skip_blanks(line);
	size_t n = 0;
	if (s.n == 0 || s.p[0] != '[')
		return false;
	for (s = span_skip(s, 1); s.n > 0 && s.p[0] != ']'; s = span_skip(s, 1)) {
		if (strchr(" \t\"'", s.p[0]))
			continue;
		if (n == strlen(table) || s.p[0] != table[n])
			return false;
		n++;
	}
	return table[n] == '\0' && s.n > 0;
}

/* Is the table's first part defined otherwise, so that no more can be added? */
static bool is_in_the_way(struct span line, const char *table)
{
	char first[64];
	const size_t n = strcspn(table, ".");
	if (n >= sizeof first)
		return false;
	memcpy(first, table, n);
	first[n] = '\0';
	return has_key(line, first, '=');
}

enum err marked_put_toml(struct span text, const char *const *keys, struct span top,
	const char *table, struct span end, struct buf *out, struct fault *why)
{
	const char *line_end = line_end_of(text);
	struct toml t = {.depth = 0};
	bool is_outside = true; /* of all tables */
	if (span_starts(text, SPAN(BOM))) {
		buf_text(out, BOM);
		text = span_skip(text, sizeof BOM - 1);
	}
	put_block(out, top, 0, line_end);
	while (text.n > 0) {
		const struct span line = next_line(&text), said = skip_blanks(line);
		const bool is_begin = !is_open(&t);
		if (is_begin && said.n > 0 && said.p[0] == '[')
			is_outside = false;
		if (is_begin && is_table(line, table))
			return fault_set(why, ERR_MALFORMED, "there is a [%s] already", table);
		if (is_begin && is_outside && is_in_the_way(line, table))
			return fault_set(why, ERR_MALFORMED,
				"there is \"%.*s\", to which nothing can be added",
				SPAN_ARG(span_trim(line)));
		const bool is_aside = is_begin && is_outside && has_any_key(line, keys, '=');
		toml_line(&t, line);
		if (is_aside && is_open(&t))
			return fault_set(why, ERR_MALFORMED, "\"%.*s\" goes on on the next line",
				SPAN_ARG(span_trim(line)));
		if (is_aside)
			put_aside(out, line);
		else
			buf_span(out, line);
	}
	if (is_open(&t))
		return fault_set(why, ERR_MALFORMED, "a string or a bracket is never closed");
	end_line(out, line_end);
	put_block(out, end, 0, line_end);
	return buf_error(out);
}

/* ---- YAML ---- */

/* One document, of plain lines: no braces around all of it. */
static enum err check_yaml(struct span text, bool is_list, struct fault *why)
{
	bool is_first = true, has_begun = false;
	while (text.n > 0) {
		const struct span line = next_line(&text);
		if (is_empty(line) || line.p[0] == '%')
			continue;
		const bool is_mark = span_starts(line, SPAN("---"));
		if (span_starts(line, SPAN("...")) ||
			(is_mark && (has_begun || span_trim(line).n > 3)))
			return fault_set(why, ERR_MALFORMED, "it is more than one document");
		has_begun = true;
		if (is_mark)
			continue;
		const struct span said = skip_blanks(line);
		const bool is_item =
			said.p[0] == '-' && (said.n == 1 || strchr(" \t\r\n", said.p[1]));
		if (is_first &&
			(is_list ? !is_item
				 : said.n != line.n || is_item || strchr("{[\"'&*!|>?", said.p[0])))
			return fault_set(why, ERR_MALFORMED,
				is_list ? "it is no list of lines that begin with -"
					: "it is no mapping of plain lines");
		is_first = false;
	}
	return OK;
}

/* Does the value of what was before go on there? */
static bool goes_on(struct span line)
{
	return !is_empty(line) && (line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '-');
}

enum err marked_put_yaml(struct span text, const char *const *keys, struct span lines,
	struct buf *out, struct fault *why)
{
	const char *line_end = line_end_of(text);
	enum err err = check_yaml(text, false, why);
	bool is_aside = false;
	if (err)
		return err;
	while (text.n > 0) {
		const struct span line = next_line(&text);
		if (is_aside && goes_on(line))
			return fault_set(why, ERR_MALFORMED,
				"\"%.*s\" belongs to a line that would be put aside",
				SPAN_ARG(span_trim(line)));
		if (!is_empty(line))
			is_aside = skip_blanks(line).n == line.n && has_any_key(line, keys, ':');
		if (is_aside && !is_empty(line))
			put_aside(out, line);
		else
			buf_span(out, line);
	}
	end_line(out, line_end);
	put_block(out, lines, 0, line_end);
	return buf_error(out);
}

/* How far the first item behind there is from the left. */
static size_t indent_of_items(struct span text, size_t otherwise)
{
	while (text.n > 0) {
		const struct span line = next_line(&text), said = skip_blanks(line);
		if (!is_empty(line))
			return said.p[0] == '-' && !span_starts(line, SPAN("---")) ? line.n - said.n
										   : otherwise;
	}
	return otherwise;
}

/* What is behind the colon, without a comment. */
static struct span value_of(struct span line)
{
	struct span v = span_trim(span_skip(line, span_index(line, ':') + 1));
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '#' && (i == 0 || v.p[i - 1] == ' ' || v.p[i - 1] == '\t'))
			v = span_trim(span_first(v, i));
	}
	return v;
}

static void put_indented(struct buf *out, struct span lines, size_t indent)
{
	while (lines.n > 0) {
		const struct span line = span_cut(&lines, '\n');
		buf_print(out, "%*s%.*s\n", (int)indent, "", SPAN_ARG(line));
	}
}

static enum err put_under(
	struct span text, const char *key, struct span items, struct buf *out, struct fault *why)
{
	const char *line_end = line_end_of(text);
	OWNED(buf_done) struct buf with_key = BUF_INIT(items.n * 2 + 4096);
	bool is_done = false;
	buf_print(&with_key, "%s:\n", key);
	put_indented(&with_key, items, 2);
	while (text.n > 0) {
		const struct span line = next_line(&text);
		if (is_done || line.p[0] == ' ' || !has_key(line, key, ':')) {
			buf_span(out, line);
			continue;
		}
		const struct span value = value_of(line);
		is_done = true;
		if (value.n == 0) {
			buf_span(out, line);
			end_line(out, line_end);
			put_block(out, items, indent_of_items(text, 2), line_end);
		} else if (span_is(value, "[]")) {
			put_aside(out, line);
			end_line(out, line_end);
			put_block(out, buf_view(&with_key), 0, line_end);
		} else {
			return fault_set(why, ERR_MALFORMED,
				"\"%.*s\" is no list of lines that begin with -",
				SPAN_ARG(span_trim(line)));
		}
	}
	if (!is_done) {
		end_line(out, line_end);
		put_block(out, buf_view(&with_key), 0, line_end);
	}
	return buf_error(out) ? buf_error(out) : buf_error(&with_key);
}

/* No line but comments; one that says so in YAML, "[]", is put aside. */
static bool has_nothing(struct span text)
{
	while (text.n > 0) {
		const struct span line = next_line(&text);
		if (!is_empty(line) && !span_is(span_trim(line), "[]"))
			return false;
	}
	return true;
}

enum err marked_put_yaml_items(struct span text, const char *key, struct span items,
	struct span head, struct buf *out, struct fault *why)
{
	const char *line_end = line_end_of(text);
	if (has_nothing(text)) {
		OWNED(buf_done) struct buf all = BUF_INIT(items.n * 2 + head.n + 4096);
		buf_span(&all, head);
		if (key)
			buf_print(&all, "%s:\n", key);
		put_indented(&all, items, key ? 2 : 0);
		while (text.n > 0) {
			const struct span line = next_line(&text);
			if (is_empty(line))
				buf_span(out, line);
			else
				put_aside(out, line);
		}
		end_line(out, line_end);
		put_block(out, buf_view(&all), 0, line_end);
		return buf_error(out) ? buf_error(out) : buf_error(&all);
	}
	const enum err err = check_yaml(text, key == NULL, why);
	if (err)
		return err;
	if (key)
		return put_under(text, key, items, out, why);
	buf_span(out, text);
	end_line(out, line_end);
	put_block(out, items, indent_of_items(text, 0), line_end);
	return buf_error(out);
}

/* ---- variables ---- */

void marked_put_variables(
	struct span text, const char *const *keys, struct span lines, struct buf *out)
{
	const char *line_end = line_end_of(text);
	while (text.n > 0) {
		const struct span line = next_line(&text);
		struct span said = skip_blanks(line);
		if (span_starts(said, SPAN("export ")))
			said = span_skip(said, sizeof "export " - 1);
		if (has_any_key(said, keys, '='))
			put_aside(out, line);
		else
			buf_span(out, line);
	}
	end_line(out, line_end);
	put_block(out, lines, 0, line_end);
}
