/* form_field.c - from boundary to boundary. */
#include "brokerd/exchange/form_field.h"

#include <stdio.h>
#include <string.h>

#define BOUNDARY_MAX  ((size_t)70)
#define DELIMITER_MAX (BOUNDARY_MAX + 8)

/* The value of a parameter of a header, whose name comes in lower case; without its quotes, and without escapes in them.
 * False: there is none. */
static bool parameter(struct span header, const char *name, struct span *value)
{
	(void)span_cut(&header, ';');
	while (span_is_set(header)) {
		const struct span key = span_trim(span_cut(&header, '='));
		header = span_is_set(header) ? span_trim(header) : header;
		const bool is_quoted = header.n > 0 && header.p[0] == '"';
		if (is_quoted)
			header = span_skip(header, 1);
		*value = is_quoted ? span_cut(&header, '"') : span_trim(span_cut(&header, ';'));
		if (is_quoted && span_is_set(header))
			(void)span_cut(&header, ';');
		if (span_is_nocase(key, name))
			return true;
	}
	return false;
}

/* Does the head of a part say that it is the field? */
static bool names_field(struct span head, const char *name)
{
	struct span said, file;
	while (span_is_set(head)) {
		struct span line = span_cut(&head, '\n');
		const struct span key = span_trim(span_first(line, span_index(line, ':')));
		if (span_is_nocase(key, "content-disposition"))
			return parameter(line, "name", &said) && span_is(said, name) &&
			       !parameter(line, "filename", &file);
	}
	return false;
}

bool form_field(struct span content_type, struct span body, const char *name, struct span *value)
{
	struct span boundary;
	char text[DELIMITER_MAX];
	size_t found = 0;
	const struct span type = span_trim(span_first(content_type, span_index(content_type, ';')));
	if (!span_is_nocase(type, "multipart/form-data") ||
		!parameter(content_type, "boundary", &boundary) || boundary.n == 0 ||
		boundary.n > BOUNDARY_MAX)
		return false;
	(void)snprintf(text, sizeof text, "\r\n--%.*s", SPAN_ARG(boundary));
	const struct span delimiter = span_str(text), first = span_skip(delimiter, 2);
	const size_t before = span_starts(body, first) ? 0 : span_find(body, delimiter) + 2;
	body = span_skip(
		body, before < body.n ? before : body.n); /* what comes before is nobody's */
	while (span_starts(body, first)) {
		body = span_skip(body, first.n);
		const size_t n = span_find(body, delimiter);
		if (n == body.n) /* the last, or it was cut */
			break;
		const struct span part = span_first(body, n);
		const size_t head = span_find(part, SPAN("\r\n\r\n"));
		body = span_skip(body, n + 2);
		if (head == part.n || !names_field(span_first(part, head), name))
			continue;
		*value = span_skip(part, head + 4);
		found++;
	}
	return found == 1;
}
