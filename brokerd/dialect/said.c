/* said.c - texts put together. */
#include "brokerd/dialect/said.h"

#include "protocol/base/utf8.h"

#define NAME_BYTES 512
#define ERROR_MARK "Error: "

void said_text(const struct message *m, const char *between, struct buf *out)
{
	bool is_first = true;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (p->type != PART_TEXT && p->type != PART_REFUSAL)
			continue;
		if (!is_first)
			buf_text(out, between);
		buf_span(out, p->text);
		is_first = false;
	}
}

void said_result(const struct message *m, struct buf *out)
{
	said_text(m, "\n", out);
	if (m->is_error)
		said_error(out);
}

void said_error(struct buf *text)
{
	const size_t n = strlen(ERROR_MARK);
	if (text->n >= 5 && strncasecmp(text->p, "error", 5) == 0)
		return;
	buf_text(text, ERROR_MARK); /* for the room */
	if (buf_error(text))
		return;
	memmove(text->p + n, text->p, text->n - n);
	memcpy(text->p, ERROR_MARK, n);
}

enum err said_file(struct scribe *s, const struct media *m, const char *path, struct buf *out)
{
	if (!utf8_is_valid(m->data))
		return scribe_refuse(s, path, "a text file that is no UTF-8 cannot be sent");
	buf_text(out, "<file");
	if (m->filename.n > 0 && m->filename.n < NAME_BYTES &&
		span_index(m->filename, '"') == m->filename.n) {
		buf_text(out, " name=\"");
		buf_span(out, m->filename);
		buf_byte(out, '"');
	}
	buf_text(out, ">\n");
	buf_span(out, m->data);
	buf_text(out, "\n</file>");
	if (buf_error(out))
		return ERR_NO_MEMORY;
	return scribe_change(s, "emulated", path, "the text file went out as text of the message");
}

bool said_is_media(enum part_type type)
{
	return type == PART_IMAGE || type == PART_AUDIO || type == PART_FILE || type == PART_VIDEO;
}

bool said_has_media(const struct message *m)
{
	for (size_t k = 0; m && k < m->n_parts; k++) {
		if (said_is_media(m->parts[k].type))
			return true;
	}
	return false;
}
