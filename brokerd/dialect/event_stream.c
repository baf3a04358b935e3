/* event_stream.c - a prelude says how long a message is; then headers, a payload and a checksum.
 * All numbers are big-endian:
 *	u32 total, u32 headers, u32 checksum of these eight bytes; the headers; the payload; u32 checksum
 *	of all before it
 * A header is u8 length and name, u8 type, and a value whose length the type says. */
#include "brokerd/dialect/event_stream.h"

#include <assert.h>

#include "brokerd/dialect/crc32.h"
#include "protocol/limits.h"

#define PRELUDE_BYTES ((size_t)12)
#define SUM_BYTES     ((size_t)4)
#define LEAST_BYTES   (PRELUDE_BYTES + SUM_BYTES)

#define HEADER_BYTES 6
#define HEADER_TEXT  7

struct prelude {
	size_t total, headers;
};

void event_stream_init(struct event_stream *s)
{
	*s = (struct event_stream){.held = BUF_INIT(LIMIT_EVENT_MESSAGE_BYTES)};
}

void event_stream_done(struct event_stream *s)
{
	buf_done(&s->held);
}

static uint32_t u32_at(struct span s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Takes `n` bytes off the front; false: there are fewer. */
static bool take(struct span *rest, size_t n, struct span *out)
{
	if (rest->n < n)
		return false;
	*out = span_first(*rest, n);
	*rest = span_skip(*rest, n);
	return true;
}

/* A number of `n` bytes, 1 or 2, off the front. */
static bool take_number(struct span *rest, size_t n, size_t *out)
{
	struct span bytes;
	if (!take(rest, n, &bytes))
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out = *out << 8 | (unsigned char)bytes.p[i];
	return true;
}

/* ---- one message ---- */

static enum err read_prelude(struct span bytes, struct prelude *out, struct fault *why)
{
	if (crc32_of(0, bytes.p, 8) != u32_at(bytes, 8))
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's event stream is damaged, or is none: the checksum of a "
			"message's beginning is wrong");
	*out = (struct prelude){u32_at(bytes, 0), u32_at(bytes, 4)};
	if (out->total > LIMIT_EVENT_MESSAGE_BYTES)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider sent a message of more than %zu MiB in its event stream",
			LIMIT_EVENT_MESSAGE_BYTES / MIB);
	if (out->total < LEAST_BYTES || out->headers > out->total - LEAST_BYTES)
		return fault_set(why, ERR_SERVER_ERROR,
			"the lengths in the provider's event stream contradict each other");
	return OK;
}

/* Takes a header's value off the front; bytes and text have their length before them. */
static bool take_value(struct span *rest, size_t type, struct span *out)
{
	/* true, false, 8 to 64 bits, bytes, text, a time, a UUID */
	static const size_t sizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
	size_t n;
	if (type >= COUNT_OF(sizes))
		return false;
	n = sizes[type];
	if ((type == HEADER_BYTES || type == HEADER_TEXT) && !take_number(rest, 2, &n))
		return false;
	return take(rest, n, out);
}

static void keep_header(struct event_message *m, struct span name, struct span value)
{
	const struct {
		const char *name;
		struct span *to;
	} known[] = {
		{":message-type",   &m->type     },
		{":event-type",     &m->event    },
		{":exception-type", &m->exception},
		{":error-code",     &m->code     },
		{":error-message",  &m->text     },
	};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (span_is(name, known[i].name))
			*known[i].to = value;
	}
}

static enum err read_headers(struct span rest, struct event_message *m, struct fault *why)
{
	while (rest.n > 0) {
		struct span name, value;
		size_t n, type;
		if (!take_number(&rest, 1, &n) || !take(&rest, n, &name) ||
			!take_number(&rest, 1, &type) || !take_value(&rest, type, &value))
			return fault_set(why, ERR_SERVER_ERROR,
				"a header in the provider's event stream cannot be read");
		if (type == HEADER_TEXT)
			keep_header(m, name, value);
	}
	return OK;
}

static enum err give(struct span whole, const struct prelude *p,
	const struct event_stream_sink *sink, struct fault *why)
{
	struct event_message m = {
		.payload = span_of(
			whole.p + PRELUDE_BYTES + p->headers, p->total - p->headers - LEAST_BYTES),
	};
	const size_t summed = p->total - SUM_BYTES;
	if (crc32_of(0, whole.p, summed) != u32_at(whole, summed))
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's event stream is damaged: a message's checksum is wrong");
	const enum err err = read_headers(span_of(whole.p + PRELUDE_BYTES, p->headers), &m, why);
	return err ? err : sink->on_message(sink->context, &m, why);
}

/* ---- the stream ---- */

/* Moves bytes from the front of *bytes to what is held, until that has `n`. */
static enum err hold(struct event_stream *s, struct span *bytes, size_t n, struct fault *why)
{
	assert(s->held.n <= n);
	const struct span piece = span_first(*bytes, n - s->held.n);
	buf_span(&s->held, piece);
	*bytes = span_skip(*bytes, piece.n);
	return buf_error(&s->held)
		       ? fault_set(why, ERR_NO_MEMORY, "no memory for the provider's event stream")
		       : OK;
}

/* Goes on with the message that is held in part. */
static enum err feed_held(struct event_stream *s, struct span *bytes,
	const struct event_stream_sink *sink, struct fault *why)
{
	struct prelude p;
	enum err err = OK;
	if (s->held.n < PRELUDE_BYTES)
		err = hold(s, bytes, PRELUDE_BYTES, why);
	if (err || s->held.n < PRELUDE_BYTES)
		return err;
	err = read_prelude(buf_view(&s->held), &p, why);
	if (!err)
		err = hold(s, bytes, p.total, why);
	if (err || s->held.n < p.total)
		return err;
	err = give(buf_view(&s->held), &p, sink, why);
	buf_clear(&s->held);
	return err;
}

enum err event_stream_feed(struct event_stream *s, struct span bytes,
	const struct event_stream_sink *sink, struct fault *why)
{
	enum err err = OK;
	if (bytes.n > LIMIT_SSE_TOTAL_BYTES - s->total)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's event stream is longer than %zu MiB",
			LIMIT_SSE_TOTAL_BYTES / MIB);
	s->total += bytes.n;
	while (!err && bytes.n > 0) {
		struct prelude p;
		if (s->held.n > 0 || bytes.n < PRELUDE_BYTES) {
			err = feed_held(s, &bytes, sink, why);
			continue;
		}
		err = read_prelude(bytes, &p, why);
		if (!err && bytes.n < p.total)
			err = hold(s, &bytes, bytes.n, why);
		else if (!err)
			err = give(bytes, &p, sink, why);
		if (!err && bytes.n > 0)
			bytes = span_skip(bytes, p.total);
	}
	return err;
}

enum err event_stream_end(const struct event_stream *s, struct fault *why)
{
	return s->held.n == 0
		       ? OK
		       : fault_set(why, ERR_STREAM_INCOMPLETE,
				 "the provider's answer broke off in the middle of a message");
}
