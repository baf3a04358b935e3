/* marked.c - line by line; of a format no more is read than where a key of the outermost level is. */
#include "libllmclient/cli/marked.h"

#include <stdint.h>
#include <string.h>

#define BEGIN "# >>> llm-broker: `llmb wire` has written this, and takes it out with --undo"
#define END   "# <<< llm-broker"
#define ASIDE "# llm-broker has put aside: "

#define BOM "\xef\xbb\xbf"

/* ---- lines ---- */

/* Hands it on, where there is one: no name begins with it. */
static struct span pass_bom(struct span text, struct buf *out)
{
	if (!span_starts(text, SPAN(BOM)))
		return text;
	buf_text(out, BOM);
	return span_skip(text, sizeof BOM - 1);
}

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
	if (out->n > 0 && out->p[out->n - 1] != '\n' && !span_is(buf_view(out), BOM))
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

enum err marked_take(struct span text, struct buf *out, struct fault *why)
{
	bool is_ours = false;
	text = pass_bom(text, out);
	while (text.n > 0) {
		const struct span line = next_line(&text), said = skip_blanks(line);
		const bool is_begin = span_starts(said, SPAN(BEGIN));
		if (is_begin && is_ours)
			break;
		is_ours = is_ours || is_begin;
		if (!is_ours)
			buf_span(out, span_starts(line, SPAN(ASIDE))
					      ? span_skip(line, sizeof ASIDE - 1)
					      : line);
		if (span_starts(said, SPAN(END)))
			is_ours = false;
	}
	if (is_ours)
		return fault_set(why, ERR_MALFORMED, "a line \"" END "\" is gone");
	return buf_error(out);
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

/* Ours are few: as many as there are models. */
bool marked_has_any(struct span ours, struct span text)
{
	while (ours.n > 0) {
		const struct span line = next_line(&ours), said = span_trim(line);
		if (said.n == 0 || said.p[0] == '#')
			continue;
		for (struct span rest = text; rest.n > 0;) {
			if (span_eq(span_trim(next_line(&rest)), said))
				return true;
		}
	}
	return false;
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

#define PATH_BYTES 256 /* what is longer is none of ours */

/* A key or a table's name: `a . "b"` is a.b, up to what ends it. A dot in quotes is another byte. */
static void read_path(struct span s, char to[PATH_BYTES], size_t at)
{
	char quote = '\0';
	for (; s.n > 0; s = span_skip(s, 1)) {
		const char c = s.p[0];
		const bool is_quote = quote ? c == quote : c == '"' || c == '\'';
		if (!quote && strchr("=]#\r\n", c))
			break;
		if (is_quote)
			quote = quote ? '\0' : c;
		else if ((quote || (c != ' ' && c != '\t')) && at + 1 < PATH_BYTES)
			to[at++] = quote && c == '.' ? '\1' : c;
	}
	to[at] = '\0';
}

/* Is it that, or inside of it? */
static bool is_within(const char *path, const char *of)
{
	const size_t n = strlen(of);
	return strncmp(path, of, n) == 0 && (path[n] == '\0' || path[n] == '.');
}

static bool is_within_any(const char *path, const char *const *keys)
{
	for (; *keys; keys++) {
		if (is_within(path, *keys))
			return true;
	}
	return false;
}

static bool is_one_of(const char *path, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strcmp(path, *keys) == 0)
			return true;
	}
	return false;
}

/* Where a line that begins something is, and what begins there: [table], [[list]] or key =. */
struct place {
	char table[PATH_BYTES]; /* "": outside of all */
	char path[PATH_BYTES];
	bool is_list, is_key;
};

static void read_place(struct place *at, struct span line)
{
	const struct span said = skip_blanks(line);
	const bool is_list = span_starts(said, SPAN("[["));
	at->is_key = said.p[0] != '[';
	at->is_list = is_list;
	if (at->is_key) {
		const size_t n = strlen(at->table);
		memcpy(at->path, at->table, n);
		if (n > 0 && n + 1 < PATH_BYTES)
			at->path[n] = '.';
		read_path(said, at->path, n > 0 && n + 1 < PATH_BYTES ? n + 1 : n);
		return;
	}
	read_path(span_skip(said, is_list ? 2 : 1), at->path, 0);
	memcpy(at->table, at->path, sizeof at->table);
}

/* No more can be added then: it is defined twice, or closed. */
static enum err check_place(const struct place *at, const char *const *keys, const char *table,
	struct span line, struct fault *why)
{
	if (is_within(at->path, table))
		return fault_set(why, ERR_MALFORMED, "there is a [%s] already", table);
	const bool is_closed = (at->is_key || at->is_list) && is_within(table, at->path);
	if (is_closed || (is_within_any(at->path, keys) && !is_one_of(at->path, keys)) ||
		(!at->is_key && is_one_of(at->path, keys)))
		return fault_set(why, ERR_MALFORMED,
			"there is \"%.*s\", to which nothing can be added",
			SPAN_ARG(span_trim(line)));
	return OK;
}

enum err marked_put_toml(struct span text, const char *const *keys, struct span top,
	const char *table, struct span end, struct buf *out, struct fault *why)
{
	const char *line_end = line_end_of(text);
	struct toml t = {.depth = 0};
	struct place at = {.table = ""};
	text = pass_bom(text, out);
	put_block(out, top, 0, line_end);
	while (text.n > 0) {
		const struct span line = next_line(&text);
		bool is_aside = false;
		if (!is_open(&t) && !is_empty(line)) {
			read_place(&at, line);
			const enum err err = check_place(&at, keys, table, line, why);
			if (err)
				return err;
			is_aside = at.is_key && is_one_of(at.path, keys);
		}
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

/* What of a value is open at the end of a line. */
struct yaml {
	char quote;          /* of a text; '\0': none */
	int depth;           /* of brackets */
	size_t block_indent; /* of the line whose value is a text of lines, with | or >; SIZE_MAX: none */
};

/* Behind the quote that ends it, on this line or a later one. */
static struct span skip_quoted(struct yaml *y, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (y->quote == '"' && s.p[i] == '\\')
			i++;
		else if (y->quote == '\'' && span_starts(span_skip(s, i), SPAN("''")))
			i++;
		else if (s.p[i] == y->quote) {
			y->quote = '\0';
			return span_skip(s, i + 1);
		}
	}
	return SPAN("");
}

/* Of a value that began with a quote or a bracket; another one has no end but its line's. */
static void read_value(struct yaml *y, struct span s)
{
	char before = ' ';
	while (s.n > 0 && (y->quote || y->depth > 0)) {
		if (y->quote) {
			s = skip_quoted(y, s);
			before = '"';
			continue;
		}
		const char c = s.p[0];
		const bool is_begin = strchr(" \t[{,:", before) != NULL;
		if (c == '#' && (before == ' ' || before == '\t'))
			return;
		y->depth += (c == '[' || c == '{') - (c == ']' || c == '}');
		if (is_begin && (c == '"' || c == '\''))
			y->quote = c;
		before = c;
		s = span_skip(s, 1);
	}
}

/* Behind the name and the kind that a value may have in front. */
static struct span skip_properties(struct span s)
{
	while (s.n > 0 && (s.p[0] == '&' || s.p[0] == '!'))
		s = skip_blanks(span_skip(s, span_index(s, ' ')));
	return s;
}

/* Behind the dashes of a list, and a key. */
static struct span value_in(struct span line)
{
	struct span s = skip_blanks(line);
	while (span_starts(s, SPAN("- ")))
		s = skip_blanks(span_skip(s, 2));
	if (s.n > 0 && strchr("\"'[{", s.p[0])) {
		struct yaml key = {.quote = '\0'};
		key.quote = s.p[0] == '"' || s.p[0] == '\'' ? s.p[0] : '\0';
		const struct span rest =
			key.quote ? skip_blanks(skip_quoted(&key, span_skip(s, 1))) : SPAN("");
		return rest.n > 0 && rest.p[0] == ':' ? skip_blanks(span_skip(rest, 1)) : s;
	}
	const size_t colon = span_find(s, SPAN(": "));
	return colon < s.n ? skip_blanks(span_skip(s, colon + 2)) : s;
}

static void yaml_line(struct yaml *y, struct span line)
{
	const size_t indent = line.n - skip_blanks(line).n;
	if (y->quote || y->depth > 0) {
		read_value(y, line);
		return;
	}
	if (is_empty(line) || (y->block_indent != SIZE_MAX && indent > y->block_indent))
		return;
	const struct span value = skip_properties(value_in(line));
	const char c = value.n > 0 ? value.p[0] : '\0';
	y->block_indent = c == '|' || c == '>' ? indent : SIZE_MAX;
	if (c == '"' || c == '\'')
		y->quote = c;
	else if (c == '[' || c == '{')
		y->depth = 1;
	else
		return;
	read_value(y, span_skip(value, 1));
}

/* One document, of plain lines: no braces around all of it, and nothing that goes on at the begin of a line, where a key
 * of ours would be looked for. */
static enum err check_yaml(struct span text, bool is_list, struct fault *why)
{
	const struct span all = text;
	struct yaml y = {.block_indent = SIZE_MAX};
	bool is_first = true, has_begun = false;
	while (text.n > 0) {
		const struct span line = next_line(&text);
		const bool is_inside = y.quote || y.depth > 0;
		if (is_inside && !strchr(y.quote ? " \t\r\n" : " \t\r\n]}#", line.p[0]))
			return fault_set(why, ERR_MALFORMED,
				"\"%.*s\" may belong to what began above it",
				SPAN_ARG(span_trim(line)));
		yaml_line(&y, line);
		if (is_inside || is_empty(line) || line.p[0] == '%')
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
	if (y.quote || y.depth > 0)
		return fault_set(why, ERR_MALFORMED, "a string or a bracket is never closed");
	if (y.block_indent != SIZE_MAX && all.p[all.n - 1] != '\n')
		return fault_set(why, ERR_MALFORMED,
			"its last text of lines has no line end, and one would be part of it");
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
	text = pass_bom(text, out);
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

/* How far the first item behind there is from the left; `otherwise` where no value is there. */
static enum err indent_of_items(
	struct span text, size_t otherwise, size_t *indent, struct fault *why)
{
	*indent = otherwise;
	while (text.n > 0) {
		const struct span line = next_line(&text), said = skip_blanks(line);
		if (is_empty(line))
			continue;
		const bool is_item = said.p[0] == '-' && !span_starts(line, SPAN("---"));
		if (is_item)
			*indent = line.n - said.n;
		else if (said.n < line.n)
			return fault_set(why, ERR_MALFORMED,
				"\"%.*s\" is no list of lines that begin with -",
				SPAN_ARG(span_trim(line)));
		return OK;
	}
	return OK;
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
		if (line.p[0] == ' ' || !has_key(line, key, ':')) {
			buf_span(out, line);
			continue;
		}
		if (is_done)
			return fault_set(why, ERR_MALFORMED, "\"%s\" is there twice", key);
		const struct span value = value_of(line);
		is_done = true;
		if (value.n == 0) {
			size_t indent;
			const enum err err = indent_of_items(text, 2, &indent, why);
			if (err)
				return err;
			buf_span(out, line);
			end_line(out, line_end);
			put_block(out, items, indent, line_end);
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

static bool is_begin(struct span line)
{
	return span_starts(line, SPAN("---")) && span_trim(line).n == 3;
}

/* No line but comments, and the mark of a document's begin; one that says so in YAML, "[]", is put aside. */
static bool has_nothing(struct span text)
{
	while (text.n > 0) {
		const struct span line = next_line(&text);
		if (!is_empty(line) && !is_begin(line) && !span_is(span_trim(line), "[]"))
			return false;
	}
	return true;
}

enum err marked_put_yaml_items(struct span text, const char *key, struct span items,
	struct span head, struct buf *out, struct fault *why)
{
	const char *line_end = line_end_of(text);
	text = pass_bom(text, out);
	if (has_nothing(text)) {
		OWNED(buf_done) struct buf all = BUF_INIT(items.n * 2 + head.n + 4096);
		buf_span(&all, head);
		if (key)
			buf_print(&all, "%s:\n", key);
		put_indented(&all, items, key ? 2 : 0);
		while (text.n > 0) {
			const struct span line = next_line(&text);
			if (is_empty(line) || is_begin(line))
				buf_span(out, line);
			else
				put_aside(out, line);
		}
		end_line(out, line_end);
		put_block(out, buf_view(&all), 0, line_end);
		return buf_error(out) ? buf_error(out) : buf_error(&all);
	}
	enum err err = check_yaml(text, key == NULL, why);
	if (err)
		return err;
	if (key)
		return put_under(text, key, items, out, why);
	size_t indent;
	err = indent_of_items(text, 0, &indent, why);
	if (err)
		return err;
	buf_span(out, text);
	end_line(out, line_end);
	put_block(out, items, indent, line_end);
	return buf_error(out);
}

/* ---- variables ---- */

void marked_put_variables(
	struct span text, const char *const *keys, struct span lines, struct buf *out)
{
	const char *line_end = line_end_of(text);
	text = pass_bom(text, out);
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
