/* framing.c - decides once, then gathers or streams. */
#include "brokerd/dialect/framing.h"

#include "protocol/limits.h"

void framing_init(struct framing *f, const struct http_head *head)
{
	struct span type = http_head_get(head, "content-type");
	type = span_trim(span_cut(&type, ';'));
	*f = (struct framing){.document = BUF_INIT(LIMIT_REPLY_BYTES)};
	sse_init(&f->sse);
	if (span_is_nocase(type, "text/event-stream"))
		f->kind = FRAMING_EVENTS;
	else if (span_is_nocase(type, "application/json"))
		f->kind = FRAMING_DOCUMENT;
}

void framing_done(struct framing *f)
{
	sse_done(&f->sse);
	buf_done(&f->document);
}

/* Some senders name the one and send the other, but a document never begins as a field's name does,
 * nor an event stream with a bracket. `first` is no NUL. */
static enum framing_kind decide(enum framing_kind named, char first)
{
	if (strchr("{[", first))
		return FRAMING_DOCUMENT;
	if (strchr(":deir", first))
		return FRAMING_EVENTS;
	if (named == FRAMING_UNKNOWN)
		return first == '\xef' ? FRAMING_EVENTS : FRAMING_DOCUMENT;
	return named;
}

enum err framing_feed(
	struct framing *f, struct span bytes, const struct framing_sink *sink, struct fault *why)
{
	if (f->document.n == 0 && f->sse.total == 0) {
		/* white space before a document only says that its sender lives */
		while (bytes.n > 0 && strchr(" \t\r\n", bytes.p[0]) && bytes.p[0] != '\0')
			bytes = span_skip(bytes, 1);
		if (bytes.n == 0)
			return OK;
		if (bytes.p[0] != '\0')
			f->kind = decide(f->kind, bytes.p[0]);
	}
	if (f->kind == FRAMING_EVENTS)
		return sse_feed(&f->sse, bytes, &sink->event, why);
	buf_span(&f->document, bytes);
	const enum err err = buf_error(&f->document);
	if (err == ERR_TOO_BIG)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's reply is longer than %zu MiB", LIMIT_REPLY_BYTES / MIB);
	return err ? fault_set(why, err, "no memory for the provider's reply") : OK;
}

enum err framing_end(struct framing *f, const struct framing_sink *sink, struct fault *why)
{
	f->is_ending = true;
	if (f->kind == FRAMING_EVENTS)
		return sse_end(&f->sse, &sink->event, why);
	if (f->document.n == 0)
		return OK;
	return sink->on_document(sink->event.context, buf_view(&f->document), why);
}
