/* ini.c - line by line; nothing is guessed and nothing is cut. */
#include "brokerd/config/ini.h"

#include "protocol/base/utf8.h"

struct place {
	const char *file;
	unsigned line;
};

static enum err refuse(const struct place *at, unsigned column, struct fault *why, const char *what)
{
	return fault_set(
		why, ERR_INVALID_ARGUMENT, "%s:%u:%u: %s", at->file, at->line, column, what);
}

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
			return false;
	}
	return s.n > 0;
}

/* [kind] or [kind "NAME"] */
static enum err read_section(struct span line, const struct place *at, unsigned column,
	struct ini_entry *e, struct fault *why)
{
	if (line.p[line.n - 1] != ']')
		return refuse(at, column + (unsigned)line.n, why, "a section ends with \"]\"");
	struct span inside = span_trim(span_of(line.p + 1, line.n - 2));
	const size_t space = span_index(inside, ' ');
	*e = (struct ini_entry){
		.kind = span_first(inside, space), .line = at->line, .column = column};
	if (!is_word(e->kind))
		return refuse(at, column + 1, why,
			"a section is [kind] or [kind \"NAME\"], its kind in small letters");
	if (space == inside.n)
		return OK;
	const struct span name = span_trim(span_skip(inside, space));
	if (name.n < 3 || name.p[0] != '"' || name.p[name.n - 1] != '"')
		return refuse(
			at, column + 1, why, "a section's name stands in quotes: [kind \"NAME\"]");
	e->name = span_of(name.p + 1, name.n - 2);
	if (span_index(e->name, '"') < e->name.n)
		return refuse(at, column + 1, why, "a section's name has no quotes inside");
	return OK;
}

static enum err read_pair(struct span line, const struct place *at, unsigned column,
	struct ini_entry *e, struct fault *why)
{
	const size_t equals = span_index(line, '=');
	if (equals == line.n)
		return refuse(
			at, column, why, "this is no section, no `key = value` and no comment");
	e->key = span_trim(span_first(line, equals));
	e->value = span_trim(span_skip(line, equals + 1));
	e->line = at->line;
	e->column = column;
	if (!is_word(e->key))
		return refuse(at, column, why, "a key is made of small letters, digits and \"_\"");
	if (!span_is_set(e->kind))
		return refuse(at, column, why, "a key before the first section");
	return OK;
}

static enum err check_line(struct span line, const struct place *at, struct fault *why)
{
	for (size_t i = 0; i < line.n; i++) {
		const unsigned char c = (unsigned char)line.p[i];
		if (c < 0x20 && c != '\t')
			return refuse(at, (unsigned)i + 1, why, "a control byte");
	}
	return utf8_is_valid(line) ? OK : refuse(at, 1, why, "this line is no UTF-8");
}

enum err ini_read(struct span text, const char *file,
	enum err (*on_entry)(void *context, const struct ini_entry *e, struct fault *why),
	void *context, struct fault *why)
{
	struct place at = {file, 0};
	struct ini_entry e = {0};
	while (text.n > 0) {
		struct span line = span_cut(&text, '\n');
		at.line++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		enum err err = check_line(line, &at, why);
		if (err)
			return err;
		const struct span said = span_trim(line);
		if (said.n == 0 || said.p[0] == '#' || said.p[0] == ';')
			continue;
		const unsigned column = (unsigned)(said.p - line.p) + 1;
		e.key = e.value = SPAN_NONE;
		if (said.p[0] == '[')
			err = read_section(said, &at, column, &e, why);
		else
			err = read_pair(said, &at, column, &e, why);
		if (!err)
			err = on_entry(context, &e, why);
		if (err)
			return err;
	}
	return OK;
}
