/* ini.c - a line at a time, refused as a whole before it is looked into. */
#include "brokerd/config/ini.h"

#include "protocol/base/utf8.h"

void ini_init(struct ini *i, struct span text)
{
	const struct span mark = SPAN("\xef\xbb\xbf");
	*i = (struct ini){.rest = span_starts(text, mark) ? span_skip(text, mark.n) : text};
}

/* The column of the character at `at` in its line. */
static unsigned column_of(struct span line, const char *at)
{
	unsigned column = 1;
	for (const char *p = line.p; p < at; p++)
		column += ((unsigned char)*p & 0xc0) != 0x80;
	return column;
}

static enum err wrong(struct ini_item *item, struct span line, const char *at, struct fault *why,
	const char *sentence)
{
	item->column = column_of(line, at);
	return fault_set(why, ERR_MISCONFIGURED, "%s", sentence);
}

static enum err check_line(struct ini_item *item, struct span line, struct fault *why)
{
	struct span s = line;
	if (line.n > INI_LINE_BYTES)
		return wrong(item, line, line.p, why, "this line is longer than 4096 bytes");
	while (s.n > 0) {
		const unsigned char c = (unsigned char)s.p[0];
		const int length = utf8_length(s);
		if (length <= 0)
			return wrong(item, line, s.p, why, "this is not UTF-8");
		if (c == '\0')
			return wrong(item, line, s.p, why, "there is a NUL byte here");
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return wrong(item, line, s.p, why, "there is a control character here");
		s = span_skip(s, (size_t)length);
	}
	return OK;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Takes a word off the front of *s; it may be empty. */
static struct span take_word(struct span *s)
{
	size_t n = 0;
	while (n < s->n && is_word_byte(s->p[n]))
		n++;
	const struct span word = span_first(*s, n);
	*s = span_skip(*s, n);
	return word;
}

static struct span skip_blanks(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	return s;
}

/* `s` is the trimmed line, from its bracket. */
static enum err read_section(
	struct span s, struct ini_item *out, struct span line, struct fault *why)
{
	s = skip_blanks(span_skip(s, 1));
	out->word = take_word(&s);
	out->column = out->value_column = column_of(line, out->word.p);
	if (out->word.n == 0)
		return wrong(out, line, s.p, why,
			"a section is written [word] or [word \"NAME\"], the word in small "
			"letters");
	s = skip_blanks(s);
	if (s.n > 0 && s.p[0] == '"') {
		s = span_skip(s, 1);
		const size_t n = span_index(s, '"');
		out->name = span_first(s, n);
		out->value_column = column_of(line, s.p);
		if (n == s.n)
			return wrong(out, line, s.p, why, "this name has no closing quote");
		if (n == 0)
			return wrong(out, line, s.p, why, "this name is empty");
		if (n > INI_NAME_BYTES)
			return wrong(out, line, s.p, why, "this name is longer than 128 bytes");
		const size_t slash = span_index(out->name, '\\');
		if (slash < n)
			return wrong(out, line, s.p + slash, why, "a name cannot hold a backslash");
		s = skip_blanks(span_skip(s, n + 1));
	}
	if (s.n == 0 || s.p[0] != ']')
		return wrong(out, line, s.p, why, "a closing bracket is missing here");
	s = skip_blanks(span_skip(s, 1));
	if (s.n > 0)
		return wrong(out, line, s.p, why,
			"nothing may follow a section on its line; a comment has a line of its "
			"own");
	out->kind = INI_SECTION;
	return OK;
}

static enum err check_value(struct ini_item *out, struct span line, struct fault *why)
{
	const struct span v = out->value;
	if (v.n == 0)
		return wrong(out, line, v.p, why, "there is no value behind the = sign");
	if (v.p[0] == '"' || v.p[0] == '\'')
		return wrong(out, line, v.p, why, "values are written without quotes");
	for (size_t i = 0; i < v.n; i++) {
		const bool is_mark = v.p[i] == '#' || v.p[i] == ';';
		if (is_mark && (i == 0 || v.p[i - 1] == ' ' || v.p[i - 1] == '\t'))
			return wrong(out, line, v.p + i, why,
				"a comment has a line of its own; here it would be a part of the "
				"value");
	}
	return OK;
}

static enum err read_pair(struct span s, struct ini_item *out, struct span line, struct fault *why)
{
	out->word = take_word(&s);
	out->column = column_of(line, out->word.p);
	s = skip_blanks(s);
	if (out->word.n == 0 || s.n == 0 || s.p[0] != '=')
		return wrong(out, line, s.p, why,
			"this is no \"key = value\", with the key in small letters");
	out->value = skip_blanks(span_skip(s, 1));
	out->value_column = column_of(line, out->value.p);
	out->kind = INI_PAIR;
	return check_value(out, line, why);
}

enum err ini_next(struct ini *i, struct ini_item *out, struct fault *why)
{
	while (span_is_set(i->rest) && i->rest.n > 0) {
		const struct span line = span_cut(&i->rest, '\n');
		const struct span s = span_trim(line);
		*out = (struct ini_item){.kind = INI_END, .line = ++i->line, .column = 1};
		/* the carriage return of a CR LF is no part of the line */
		const bool has_cr = line.n > 0 && line.p[line.n - 1] == '\r';
		enum err err = check_line(out, span_first(line, line.n - has_cr), why);
		if (err)
			return err;
		if (s.n == 0 || s.p[0] == '#' || s.p[0] == ';')
			continue;
		if (s.p[0] == '[') {
			i->is_in_section = true;
			return read_section(s, out, line, why);
		}
		err = read_pair(s, out, line, why);
		if (!err && !i->is_in_section)
			return wrong(out, line, s.p, why,
				"this stands before any section: begin with [broker], or the like");
		return err;
	}
	*out = (struct ini_item){.kind = INI_END, .line = i->line, .column = 1};
	return OK;
}
