/* head.c - lines are kept by their places in one growing text, as that may move. */
#include "brokerd/transport/head.h"

#include <stdlib.h>

#include "protocol/base/num.h"
#include "protocol/limits.h"

/* What a provider's reply has, as a rule; more is made room for. */
#define LINES_USUAL ((size_t)32)
#define TEXT_USUAL  ((size_t)2 * KIB)

_Static_assert(LIMIT_HEADERS_BYTES <= UINT32_MAX, "places in the text are of 32 bits");

void head_init(struct head *h)
{
	*h = (struct head){.text = BUF_INIT(LIMIT_HEADERS_BYTES)};
}

void head_done(struct head *h)
{
	buf_done(&h->text);
	free(h->lines);
	h->lines = NULL;
	h->n_lines = h->cap_lines = 0;
}

static void forget_lines(struct head *h)
{
	buf_clear(&h->text);
	h->n_lines = 0;
	h->has_kept_last = false;
}

/* The digits behind "HTTP/1.1 ", or 0. */
static int status_of(struct span line)
{
	int status = 0;
	span_cut(&line, ' ');
	for (size_t i = 0; i < 3; i++) {
		if (i >= line.n || line.p[i] < '0' || line.p[i] > '9')
			return 0;
		status = status * 10 + (line.p[i] - '0');
	}
	return status;
}

/* Room for one line more; false where it is not to be kept. */
static bool has_room(struct head *h, size_t bytes)
{
	const size_t spent = h->text.n + h->n_lines * sizeof(struct http_header);
	return spent + bytes + sizeof(struct http_header) <= LIMIT_HEADERS_BYTES;
}

/* False: there is no memory. As many as most replies have, at first. */
static bool grow_lines(struct head *h)
{
	const size_t cap = h->cap_lines ? h->cap_lines * 2 : LINES_USUAL;
	struct head_field *more = realloc(h->lines, cap * sizeof *more);
	if (!more)
		return false;
	h->lines = more;
	h->cap_lines = cap;
	return h->text.p || buf_reserve(&h->text, TEXT_USUAL);
}

static enum err keep(struct head *h, struct span line)
{
	struct span value = line;
	const struct span name = span_trim(span_cut(&value, ':'));
	value = span_trim(value);
	h->has_kept_last = name.n > 0 && has_room(h, name.n + value.n);
	if (!h->has_kept_last)
		return OK;
	if (h->n_lines == h->cap_lines && !grow_lines(h))
		return ERR_NO_MEMORY;
	h->lines[h->n_lines++] =
		(struct head_field){(uint32_t)h->text.n, (uint32_t)name.n, (uint32_t)value.n};
	char *to = buf_reserve(&h->text, name.n + value.n);
	if (!to)
		return buf_error(&h->text);
	for (size_t i = 0; i < name.n; i++)
		to[i] = span_lower(name.p[i]);
	if (value.n > 0)
		memcpy(to + name.n, value.p, value.n);
	buf_commit(&h->text, name.n + value.n);
	return OK;
}

/* A line that begins with a space goes on where the one before ended (RFC 9112, 5.2). */
static enum err keep_folded(struct head *h, struct span line)
{
	line = span_trim(line);
	if (!h->has_kept_last || line.n == 0 || !has_room(h, line.n + 1))
		return OK;
	buf_byte(&h->text, ' ');
	buf_span(&h->text, line);
	h->lines[h->n_lines - 1].value_bytes += (uint32_t)line.n + 1;
	return buf_error(&h->text);
}

static struct span name_of(const struct head *h, size_t i)
{
	const struct head_field *f = &h->lines[i];
	return span_of(h->text.p + f->at, f->name_bytes);
}

static struct span value_of(const struct head *h, size_t i)
{
	const struct head_field *f = &h->lines[i];
	return span_of(h->text.p + f->at + f->name_bytes, f->value_bytes);
}

/* We ask for no transfer coding: one that comes all the same may be a bomb. */
static bool is_coding_fine(const struct head *h)
{
	for (size_t i = 0; i < h->n_lines; i++) {
		if (span_is(name_of(h, i), "transfer-encoding") &&
			!span_is_nocase(value_of(h, i), "chunked"))
			return false;
	}
	return true;
}

/* libcurl reads to the end of the connection where a length overflows it, and calls that whole. */
static bool is_length_fine(const struct head *h)
{
	int64_t length;
	for (size_t i = 0; i < h->n_lines; i++) {
		if (span_is(name_of(h, i), "content-length") &&
			(!num_i64(value_of(h, i), &length) || length < 0))
			return false;
	}
	return true;
}

static enum err end_of_head(struct head *h, struct fault *why)
{
	if (h->status >= 200) {
		h->is_whole = true;
		if (!is_coding_fine(h))
			return fault_set(why, ERR_SERVER_ERROR,
				"the reply comes in a transfer coding that was not asked for");
		if (!is_length_fine(h))
			return fault_set(
				why, ERR_SERVER_ERROR, "the reply has a length that none can have");
		return OK;
	}
	if (++h->n_1xx > HEAD_1XX_MAX)
		return fault_set(why, ERR_SERVER_ERROR,
			"more than %d interim replies came before the final one", HEAD_1XX_MAX);
	forget_lines(h);
	h->status = 0;
	return ERR_MORE;
}

enum err head_line(struct head *h, struct span line, struct fault *why)
{
	enum err err = OK;
	if (h->is_whole)
		return ERR_MORE;
	h->bytes += line.n;
	if (h->bytes > HEAD_BYTES_MAX)
		return fault_set(why, ERR_SERVER_ERROR,
			"the reply's headers are longer than %zu bytes", HEAD_BYTES_MAX);
	if (h->status == 0) {
		h->status = status_of(line);
		if (h->status < 100)
			return fault_set(why, ERR_SERVER_ERROR, "the reply is no HTTP");
		return ERR_MORE;
	}
	const bool is_folded = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
	if (is_folded && ++h->n_folds > HEAD_FOLDS_MAX)
		return fault_set(why, ERR_SERVER_ERROR,
			"the reply's headers go on over more than %d lines", HEAD_FOLDS_MAX);
	if (is_folded)
		err = keep_folded(h, line);
	else if (span_trim(line).n == 0)
		return end_of_head(h, why);
	else
		err = keep(h, line);
	return err ? fault_set(why, err, "no memory for a reply's headers") : ERR_MORE;
}

void head_view(const struct head *h, struct http_header *headers, struct http_head *out)
{
	for (size_t i = 0; i < h->n_lines; i++) {
		headers[i].name = name_of(h, i);
		headers[i].value = value_of(h, i);
	}
	*out = (struct http_head){h->status, headers, h->n_lines};
}
