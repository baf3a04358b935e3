/* sse.c - lines, then fields, then events; a line that lies whole in the input is never copied. */
#include "brokerd/dialect/sse.h"

#include "protocol/base/utf8.h"
#include "protocol/limits.h"

void sse_init(struct sse *s)
{
	*s = (struct sse){
		.line = BUF_INIT(LIMIT_SSE_LINE_BYTES),
		.data = BUF_INIT(LIMIT_SSE_TOTAL_BYTES),
		.name = BUF_INIT(LIMIT_SSE_LINE_BYTES),
	};
}

void sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->data);
	buf_done(&s->name);
}

static enum err too_long(struct fault *why)
{
	return fault_set(why, ERR_SERVER_ERROR,
		"the provider sent a line of more than %zu MiB in its event stream",
		LIMIT_SSE_LINE_BYTES / MIB);
}

static enum err check(const struct sse *s, struct fault *why)
{
	enum err err = buf_error(&s->line);
	if (!err)
		err = buf_error(&s->data);
	if (!err)
		err = buf_error(&s->name);
	if (err == ERR_TOO_BIG)
		return too_long(why);
	return err ? fault_set(why, err, "no memory for the provider's event stream") : OK;
}

/* What `only` points to goes away: takes it over. */
static void keep(struct sse *s)
{
	if (span_is_set(s->only))
		buf_span(&s->data, s->only);
	s->only = SPAN_NONE;
}

static enum err dispatch(struct sse *s, const struct sse_sink *sink, struct fault *why)
{
	enum err err = check(s, why); /* before what failed is forgotten */
	if (!err && s->has_data)
		err = sink->on_event(sink->context, s->has_name ? buf_view(&s->name) : SPAN_NONE,
			span_is_set(s->only) ? s->only : buf_view(&s->data), why);
	buf_clear(&s->data);
	buf_clear(&s->name);
	s->only = SPAN_NONE;
	s->has_data = s->has_name = false;
	return err;
}

static enum err take_line(
	struct sse *s, struct span line, const struct sse_sink *sink, struct fault *why)
{
	if (line.n == 0)
		return dispatch(s, sink, why);
	if (line.n > LIMIT_SSE_LINE_BYTES)
		return too_long(why);
	/* a comment is a field without a name: unknown, and so passed over */
	struct span value = line;
	const struct span field = span_cut(&value, ':');
	if (value.n > 0 && value.p[0] == ' ')
		value = span_skip(value, 1);
	if (span_is(field, "error")) { /* llama.cpp's own: an event, its name and its data in one */
		buf_clear(&s->name);
		buf_text(&s->name, "error");
		s->has_name = true;
	}
	const bool is_data = span_is(field, "data") || span_is(field, "error");
	if (span_is(field, "event")) {
		buf_clear(&s->name);
		buf_span(&s->name, value);
		s->has_name = value.n > 0;
	} else if (is_data && !s->has_data) {
		s->only = span_is_set(value) ? value : SPAN("");
		s->has_data = true;
	} else if (is_data) {
		keep(s);
		buf_byte(&s->data, '\n');
		buf_span(&s->data, value);
	}
	return check(s, why);
}

/* Drops a byte order mark at the very start, however it is cut. */
static struct span skip_bom(struct sse *s, struct span bytes)
{
	while (!s->is_begun && bytes.n > 0) {
		if (bytes.p[0] != UTF8_BOM[s->bom_n]) {
			buf_put(&s->line, UTF8_BOM, s->bom_n); /* it was none */
			s->is_begun = true;
			break;
		}
		bytes = span_skip(bytes, 1);
		s->is_begun = ++s->bom_n == sizeof UTF8_BOM - 1;
	}
	return bytes;
}

enum err sse_feed(struct sse *s, struct span bytes, const struct sse_sink *sink, struct fault *why)
{
	enum err err = OK;
	if (bytes.n > LIMIT_SSE_TOTAL_BYTES - s->total)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's event stream is longer than %zu MiB",
			LIMIT_SSE_TOTAL_BYTES / MIB);
	s->total += bytes.n;
	bytes = skip_bom(s, bytes);
	size_t lf =
		0; /* bytes before the next LF; looked for once, also where CRs come before it */
	for (bool is_lf_known = false; !err && bytes.n > 0;) {
		if (s->is_after_cr && bytes.p[0] == '\n') {
			s->is_after_cr = is_lf_known = false;
			bytes = span_skip(bytes, 1);
			continue;
		}
		s->is_after_cr = false;
		if (!is_lf_known)
			lf = span_index(bytes, '\n');
		const size_t n = span_index(span_first(bytes, lf), '\r');
		const struct span piece = span_first(bytes, n);
		if (n == bytes.n) {
			buf_span(&s->line, piece);
			err = check(s, why);
			break;
		}
		s->is_after_cr = bytes.p[n] == '\r';
		is_lf_known = n < lf;
		lf -= is_lf_known ? n + 1 : 0;
		bytes = span_skip(bytes, n + 1);
		if (s->line.n == 0) {
			err = take_line(s, piece, sink, why);
			continue;
		}
		buf_span(&s->line, piece);
		err = check(s, why);
		if (!err)
			err = take_line(s, buf_view(&s->line), sink, why);
		keep(s);
		buf_clear(&s->line);
	}
	keep(s);
	return err ? err : check(s, why);
}

enum err sse_end(struct sse *s, const struct sse_sink *sink, struct fault *why)
{
	enum err err = OK;
	if (s->line.n > 0)
		err = take_line(s, buf_view(&s->line), sink, why);
	if (!err)
		err = dispatch(s, sink, why);
	buf_clear(&s->line);
	return err;
}

size_t sse_event_end(struct span text, size_t at)
{
	while (at < text.n) {
		const char *end = memchr(text.p + at, '\n', text.n - at);
		if (!end)
			return 0;
		at = (size_t)(end - text.p) + 1;
		if (at < text.n && text.p[at] == '\n')
			return at + 1;
		if (at + 1 < text.n && text.p[at] == '\r' && text.p[at + 1] == '\n')
			return at + 2;
	}
	return 0;
}
