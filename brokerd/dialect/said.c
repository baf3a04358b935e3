/* said.c - texts put together. */
#include "brokerd/dialect/said.h"

#include <stdio.h>

#include "brokerd/dialect/media.h"
#include "brokerd/value/words.h"
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

enum err said_later_system(
	struct scribe *s, const struct part *p, const char *path, struct buf *out)
{
	if (p->type != PART_TEXT)
		return scribe_refuse(s, path, "system messages are text only");
	if (span_trim(p->text).n == 0)
		return OK;
	buf_text(out, "<system>\n");
	buf_span(out, p->text);
	buf_text(out, "\n</system>");
	return buf_error(out) ? ERR_NO_MEMORY : OK;
}

enum err said_tell_later(struct scribe *s)
{
	static const char *const message =
		"a system message in the midst went out inside of a user's: the provider takes "
		"them only at the beginning";
	for (size_t i = 0; i < s->notes->n_warnings; i++) {
		if (span_is(s->notes->warnings[i].message, message))
			return OK;
	}
	return scribe_change(s, "rewritten_message", "messages", "%s", message);
}

bool said_is_text_file(const struct part *p)
{
	if (p->type != PART_FILE)
		return false;
	return span_is_set(p->media.data) ? span_starts(p->media.mime, SPAN("text/"))
					  : span_starts(p->media.url, SPAN("data:text/"));
}

bool said_has_media(const struct message *m)
{
	for (size_t k = 0; m && k < m->n_parts; k++) {
		if (said_is_media(m->parts[k].type) && !said_is_text_file(&m->parts[k]))
			return true;
	}
	return false;
}

enum err said_resolve(struct scribe *s, const struct part *p, const char *path, struct media *out)
{
	*out = p->media;
	const enum err err = media_resolve(s->notes->arena, out);
	return err == ERR_INVALID_REQUEST
		       ? fault_param(s->why, err, path, "the data: address is not sound")
		       : err;
}

enum err said_check_url(struct scribe *s, const struct media *m, const char *path)
{
	const struct span followed = s->target->quirks.urls;
	if (!span_is_set(m->url) ||
		words_have(followed, span_first(m->url, span_index(m->url, ':'))))
		return OK;
	if (!span_is_set(followed) || span_is(followed, "none"))
		return scribe_refuse_as(s, "unsupported_input", path,
			"%.*s follows no addresses: send the bytes", SPAN_ARG(s->target->provider));
	return scribe_refuse_as(s, "unsupported_input", path,
		"%.*s follows %.*s addresses only: send the bytes", SPAN_ARG(s->target->provider),
		SPAN_ARG(followed));
}

enum err said_drop_detail(struct scribe *s, const struct media *m, const char *path)
{
	return m->detail.n == 0 || span_is(m->detail, "auto")
		       ? OK
		       : scribe_warn_once(s, "dropped_parameter", path,
				 "how closely to look at images was left out");
}

enum err said_drop_filename(struct scribe *s, const struct media *m, const char *path)
{
	return m->filename.n > 0 ? scribe_warn_once(s, "dropped_parameter", path,
					   "the names of files were left out")
				 : OK;
}

void said_put_url(struct json_out *o, const struct media *m, const char *otherwise)
{
	char prefix[160];
	if (span_is_set(m->url)) {
		json_put_str(o, m->url);
		return;
	}
	(void)snprintf(prefix, sizeof prefix, "data:%.*s;base64,",
		SPAN_ARG(m->mime.n > 0 ? span_first(m->mime, 100) : span_str(otherwise)));
	json_put_base64(o, span_str(prefix), m->data);
}

enum err said_gather(
	struct scribe *s, const struct message *m, size_t at, const char *between, struct buf *out)
{
	bool is_first = true;
	enum err err = OK;
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		const bool is_file = said_is_text_file(p);
		char path[64];
		struct media media;
		if (p->type != PART_TEXT && p->type != PART_REFUSAL && !is_file)
			continue;
		if (!is_first)
			buf_text(out, between);
		is_first = false;
		if (!is_file) {
			buf_span(out, p->text);
			continue;
		}
		(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", at, k);
		err = said_resolve(s, p, path, &media);
		if (!err)
			err = said_file(s, &media, path, out);
	}
	return err ? err : buf_error(out) ? ERR_NO_MEMORY : OK;
}
