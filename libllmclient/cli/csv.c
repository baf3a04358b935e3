/* csv.c - quotes where they must be. */
#include "libllmclient/cli/csv.h"

static void next_cell(struct csv *c)
{
	if (c->has_cell)
		buf_byte(c->to, ',');
	c->has_cell = true;
}

static bool is_formula(struct span text)
{
	return text.n > 0 && memchr("=+-@\t\r", text.p[0], 6) != NULL;
}

static bool is_special(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		const char b = text.p[i];
		if (b == ',' || b == '"' || b == '\n' || b == '\r')
			return true;
	}
	return false;
}

void csv_text(struct csv *c, struct span text)
{
	const bool is_quoted = is_special(text);
	next_cell(c);
	if (is_quoted)
		buf_byte(c->to, '"');
	if (is_formula(text))
		buf_byte(c->to, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"')
			buf_byte(c->to, '"');
		buf_byte(c->to, text.p[i]);
	}
	if (is_quoted)
		buf_byte(c->to, '"');
}

void csv_number(struct csv *c, struct span number)
{
	next_cell(c);
	buf_span(c->to, number);
}

void csv_value(struct csv *c, struct json v)
{
	OWNED(buf_done) struct buf text = BUF_INIT(c->to->max);
	if (json_kind(v) == JSON_STRING && json_text_to(v, &text)) {
		csv_text(c, text.n > 0 ? buf_view(&text) : SPAN(""));
		return;
	}
	csv_number(c, json_kind(v) == JSON_NUMBER ? v.text : SPAN_NONE);
}

void csv_end(struct csv *c)
{
	buf_text(c->to, "\r\n");
	c->has_cell = false;
}
