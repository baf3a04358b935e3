/* csv_reader.c - a byte, a state. Only the first line is read twice, for what separates its fields. */
#include "libllmclient/cli/csv_reader.h"

#include <inttypes.h>
#include <stdlib.h>

void csv_reader_init(struct csv_reader *c, const struct csv_sink *sink)
{
	*c = (struct csv_reader){.sink = *sink, .line = 1, .column = 1, .state = CSV_AT_BEGIN};
	buf_init(&c->head, CSV_RECORD_BYTES);
	buf_init(&c->text, CSV_RECORD_BYTES);
}

void csv_reader_done(struct csv_reader *c)
{
	buf_done(&c->head);
	buf_done(&c->text);
	free(c->fields);
	c->fields = NULL;
	c->n = c->size = 0;
}

static enum err refuse(const struct csv_reader *c, struct fault *why, const char *what)
{
	return fault_set(why, ERR_MALFORMED, "line %" PRId64 ", column %" PRId64 ": %s", c->line,
		c->column, what);
}

static enum err refuse_size(const struct csv_reader *c, struct fault *why, enum err err)
{
	if (err == ERR_NO_MEMORY)
		return fault_set(why, err, "out of memory");
	return fault_set(why, ERR_TOO_BIG,
		"line %" PRId64 ", column %" PRId64 ": the record is longer than %zu bytes or %zu "
		"fields: a quote may be missing before it",
		c->line, c->column, CSV_RECORD_BYTES, CSV_FIELDS_MAX);
}

/* ---- fields and records ---- */

static enum err field_begin(struct csv_reader *c, struct fault *why)
{
	if (c->n == CSV_FIELDS_MAX)
		return refuse_size(c, why, ERR_TOO_BIG);
	if (c->n == c->size) {
		const size_t size = c->size > 0 ? c->size * 2 : 32;
		struct csv_field *grown = realloc(c->fields, size * sizeof *grown);
		if (!grown)
			return refuse_size(c, why, ERR_NO_MEMORY);
		c->fields = grown;
		c->size = size;
	}
	c->fields[c->n++] =
		(struct csv_field){.line = c->line, .column = c->column, .at = c->text.n};
	return OK;
}

/* The text may have moved while it grew: fields get their places when it is whole. */
static enum err record_end(struct csv_reader *c, struct fault *why)
{
	const bool is_blank = c->n == 1 && c->text.n == 0 && !c->is_quoted;
	enum err err = buf_error(&c->text);
	if (err)
		return refuse_size(c, why, err);
	for (size_t i = 0; i < c->n; i++) {
		const size_t end = i + 1 < c->n ? c->fields[i + 1].at : c->text.n;
		c->fields[i].text =
			span_of(buf_view(&c->text).p + c->fields[i].at, end - c->fields[i].at);
	}
	if (!is_blank)
		err = c->sink.on_record(
			c->sink.context, &(struct csv_record){.fields = c->fields, .n = c->n}, why);
	c->n = 0;
	c->is_quoted = false;
	buf_clear(&c->text);
	return err;
}

static bool is_line_end(char b)
{
	return b == '\n' || b == '\r';
}

static enum err take(struct csv_reader *c, char b, struct fault *why)
{
	enum err err = OK;
	if (c->state == CSV_AT_BEGIN && c->n == 0)
		err = field_begin(c, why);
	if (err)
		return err;
	if (c->state == CSV_IN_QUOTES) {
		if (b == '"')
			c->state = CSV_AT_QUOTE;
		else
			buf_byte(&c->text, b);
		return buf_error(&c->text) ? refuse_size(c, why, buf_error(&c->text)) : OK;
	}
	if (is_line_end(b)) {
		c->state = CSV_AT_BEGIN;
		return record_end(c, why);
	}
	if (b == c->separator) {
		/* the next one begins behind it */
		c->column++;
		err = field_begin(c, why);
		c->column--;
		c->state = CSV_AT_BEGIN;
		return err;
	}
	if (c->state == CSV_AT_QUOTE) {
		if (b != '"')
			return refuse(c, why,
				"there is text behind the quotes that end a field: quotes inside "
				"one are written twice");
		buf_byte(&c->text, b);
		c->state = CSV_IN_QUOTES;
		return OK;
	}
	if (b == '"' && c->state == CSV_AT_BEGIN) {
		c->state = CSV_IN_QUOTES;
		c->is_quoted = true;
		c->quote_line = c->line;
		c->quote_column = c->column;
		return OK;
	}
	if (b == '"')
		return refuse(c, why,
			"there are quotes inside a field that does not begin with any: such a "
			"field is put in quotes, and those inside are written twice");
	c->state = CSV_IN_PLAIN;
	buf_byte(&c->text, b);
	return buf_error(&c->text) ? refuse_size(c, why, buf_error(&c->text)) : OK;
}

static enum err step(struct csv_reader *c, char b, struct fault *why)
{
	if (b == '\0')
		return refuse(c, why, "there is a zero byte, so this is no text in UTF-8");
	const bool is_second = b == '\n' && c->has_cr; /* of CR LF */
	c->has_cr = b == '\r';
	if (is_second && c->state != CSV_IN_QUOTES)
		return OK;
	const enum err err = take(c, b, why);
	c->column++;
	if (b == '\n' ? !is_second : b == '\r') {
		c->line++;
		c->column = 1;
	} else if (is_second) {
		c->column = 1;
	}
	return err;
}

/* ---- the first line ---- */

/* What stands most often between the fields of a line; a comma where nothing does. */
static char separator_of(struct span line)
{
	static const char all[] = {',', ';', '\t'};
	size_t counts[sizeof all] = {0}, best = 0;
	bool is_quoted = false;
	for (size_t i = 0; i < line.n; i++) {
		is_quoted ^= line.p[i] == '"';
		for (size_t k = 0; !is_quoted && k < sizeof all; k++)
			counts[k] += line.p[i] == all[k];
	}
	for (size_t k = 1; k < sizeof all; k++) {
		if (counts[k] > counts[best])
			best = k;
	}
	return all[best];
}

static enum err head_end(struct csv_reader *c, struct fault *why)
{
	const struct span line = buf_view(&c->head);
	enum err err = OK;
	c->separator = separator_of(line);
	for (size_t i = 0; !err && i < line.n; i++)
		err = step(c, line.p[i], why);
	buf_done(&c->head);
	return err;
}

/* Is the line that gathers one with something in it, and whole? */
static enum err head_take(struct csv_reader *c, char b, struct fault *why)
{
	c->is_head_quoted ^= b == '"';
	buf_byte(&c->head, b);
	if (buf_error(&c->head))
		return refuse_size(c, why, buf_error(&c->head));
	if (b == '\0')
		return head_end(c, why); /* which says where */
	if (!is_line_end(b) || c->is_head_quoted || span_trim(buf_view(&c->head)).n == 0)
		return OK;
	return head_end(c, why);
}

/* ---- the file ---- */

/* What the first bytes say of the encoding. */
static bool is_mark(const struct csv_reader *c, char b)
{
	static const char mark[] = "\xef\xbb\xbf";
	return c->n_begun < 3 && b == mark[c->n_begun];
}

enum err csv_reader_feed(struct csv_reader *c, struct span bytes, struct fault *why)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < bytes.n; i++) {
		const char b = bytes.p[i];
		if (c->n_begun == 0 && (b == '\xff' || b == '\xfe'))
			return refuse(c, why,
				"the file is in UTF-16: save it as CSV in UTF-8 and try again");
		if (is_mark(c, b)) {
			c->n_begun++;
			continue;
		}
		c->n_begun = 3;
		err = c->separator ? step(c, b, why) : head_take(c, b, why);
	}
	return err;
}

enum err csv_reader_end(struct csv_reader *c, struct fault *why)
{
	enum err err = OK;
	if (!c->separator)
		err = head_end(c, why);
	if (err)
		return err;
	if (c->state == CSV_IN_QUOTES)
		return fault_set(why, ERR_MALFORMED,
			"line %" PRId64 ", column %" PRId64
			": the quotes that begin here are never closed",
			c->quote_line, c->quote_column);
	c->state = CSV_AT_BEGIN;
	return c->n > 0 ? record_end(c, why) : OK;
}
