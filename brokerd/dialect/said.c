/* said.c - texts put together. */
#include "brokerd/dialect/said.h"

#include "protocol/base/utf8.h"

#define NAME_BYTES 512

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
	const size_t begin = out->n;
	if (!m->is_error) {
		said_text(m, "\n", out);
		return;
	}
	buf_text(out, "Error: ");
	said_text(m, "\n", out);
	const size_t mark = strlen("Error: ");
	const struct span text = span_skip(buf_view(out), begin);
	if (buf_error(out) || text.n < mark + 5 || strncasecmp(text.p + mark, "error", 5) != 0)
		return;
	memmove(out->p + begin, out->p + begin + mark, text.n - mark);
	buf_cut(out, out->n - mark);
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
