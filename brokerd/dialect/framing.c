/* framing.c - decides once, then gathers or streams. */
#include "brokerd/dialect/framing.h"

#include "brokerd/dialect/errors.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

void framing_init(struct framing *f, const struct http_head *head)
{
	struct span type = http_head_get(head, "content-type");
	type = span_trim(span_cut(&type, ';'));
	*f = (struct framing){.document = BUF_INIT(LIMIT_REPLY_BYTES)};
	sse_init(&f->sse);
	ndjson_init(&f->lines);
	event_stream_init(&f->messages);
	if (span_is_nocase(type, "text/event-stream"))
		f->kind = FRAMING_EVENTS;
	else if (span_is_nocase(type, "application/json"))
		f->kind = FRAMING_DOCUMENT;
	else if (span_is_nocase(type, "application/vnd.amazon.eventstream"))
		f->kind = FRAMING_MESSAGES;
	else if (span_is_nocase(type, "application/x-ndjson") ||
		 span_is_nocase(type, "application/ndjson") ||
		 span_is_nocase(type, "application/jsonl"))
		f->kind = FRAMING_LINES;
}

void framing_done(struct framing *f)
{
	sse_done(&f->sse);
	ndjson_done(&f->lines);
	event_stream_done(&f->messages);
	buf_done(&f->document);
}

/* Some senders name the one and send the other, but a document never begins as a field's name does,
 * nor a stream with a bracket; a binary message begins with its length, of which the highest byte is
 * 0 or 1. */
static enum framing_kind decide(const struct framing *f, char first)
{
	const enum framing_kind named = f->kind;
	if (f->on_message && (first == '\0' || first == '\1'))
		return FRAMING_MESSAGES;
	if (first == '\0')
		return named == FRAMING_EVENTS ? named : FRAMING_DOCUMENT;
	if (f->has_elements && first == '[')
		return FRAMING_ELEMENTS;
	if (strchr("{[", first)) /* lines and a document begin alike */
		return named == FRAMING_LINES ? named : FRAMING_DOCUMENT;
	if (named == FRAMING_MESSAGES)
		return f->on_message ? named : FRAMING_DOCUMENT;
	if (strchr(":deir", first))
		return FRAMING_EVENTS;
	return named == FRAMING_UNKNOWN ? FRAMING_DOCUMENT : named;
}

/* Passes over what may stand before a reply: a byte order mark, however it is cut, and white space,
 * which only says that its sender lives. */
static struct span skip_lead(struct framing *f, struct span bytes)
{
	while (bytes.n > 0) {
		const char c = bytes.p[0];
		if (f->bom_n < sizeof UTF8_BOM - 1 && c == UTF8_BOM[f->bom_n])
			f->bom_n++;
		else if (c == '\0' || !strchr(" \t\r\n", c))
			break;
		bytes = span_skip(bytes, 1);
	}
	return bytes;
}

static enum err gather(struct framing *f, struct span bytes, struct fault *why)
{
	buf_span(&f->document, bytes);
	const enum err err = buf_error(&f->document);
	if (err == ERR_TOO_BIG)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's reply is longer than %zu MiB", LIMIT_REPLY_BYTES / MIB);
	return err ? fault_set(why, err, "no memory for the provider's reply") : OK;
}

static enum err pass_elements(
	struct framing *f, struct span bytes, const struct framing_sink *sink, struct fault *why)
{
	enum err err = OK;
	f->elements_bytes += bytes.n;
	if (f->elements_bytes > LIMIT_SSE_TOTAL_BYTES)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider's stream is longer than %zu MiB",
			LIMIT_SSE_TOTAL_BYTES / MIB);
	while (!err && bytes.n > 0) {
		bool has_end;
		bytes = span_skip(bytes, elements_lead(&f->elements, bytes));
		const size_t n = elements_body(&f->elements, bytes, &has_end);
		err = gather(f, span_first(bytes, n), why);
		bytes = span_skip(bytes, n);
		if (err || !has_end)
			continue;
		err = sink->event.on_event(
			sink->event.context, SPAN_NONE, buf_view(&f->document), why);
		buf_clear(&f->document);
	}
	return err;
}

static enum err end_elements(const struct framing *f, struct fault *why)
{
	if (!f->elements.is_over)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's reply broke off after %zu bytes", f->elements_bytes);
	return f->elements.has_rest ? fault_set(why, ERR_SERVER_ERROR,
					      "the provider's reply goes on behind its end")
				    : OK;
}

static enum err pass_on(
	struct framing *f, struct span bytes, const struct framing_sink *sink, struct fault *why)
{
	if (f->kind == FRAMING_MESSAGES)
		return event_stream_feed(&f->messages, bytes,
			&(struct event_stream_sink){f->on_message, sink->event.context}, why);
	if (f->kind == FRAMING_EVENTS)
		return sse_feed(&f->sse, bytes, &sink->event, why);
	if (f->kind == FRAMING_LINES)
		return ndjson_feed(&f->lines, bytes, &sink->event, why);
	if (f->kind == FRAMING_ELEMENTS)
		return pass_elements(f, bytes, sink, why);
	return gather(f, bytes, why);
}

enum err framing_feed(
	struct framing *f, struct span bytes, const struct framing_sink *sink, struct fault *why)
{
	if (f->is_begun)
		return pass_on(f, bytes, sink, why);
	bytes = skip_lead(f, bytes);
	if (bytes.n == 0)
		return OK;
	f->is_begun = true;
	f->kind = decide(f, bytes.p[0]);
	return pass_on(f, bytes, sink, why);
}

enum err framing_end(struct framing *f, const struct framing_sink *sink, struct fault *why)
{
	f->is_ending = true;
	if (f->kind == FRAMING_EVENTS)
		return sse_end(&f->sse, &sink->event, why);
	if (f->kind == FRAMING_LINES)
		return ndjson_end(&f->lines, &sink->event, why);
	if (f->kind == FRAMING_MESSAGES)
		return event_stream_end(&f->messages, why);
	if (f->kind == FRAMING_ELEMENTS)
		return end_elements(f, why);
	if (f->document.n == 0)
		return OK;
	return sink->on_document(sink->event.context, buf_view(&f->document), why);
}

static enum err too_deep(struct fault *why)
{
	return fault_set(why, ERR_SERVER_ERROR,
		"the provider's reply is nested more deeply than can be read");
}

enum err framing_document(
	struct span body, struct arena *marks, struct json *out, struct fault *why)
{
	struct json_rules rules = JSON_LENIENT;
	struct json_extent extent = {.depth = 0};
	struct error_body words;
	body = utf8_past_bom(body);
	rules.marks = marks;
	const enum err err = json_scan(body, rules, out, NULL);
	if (err == ERR_TOO_BIG)
		return too_deep(why);
	if (err != ERR_MALFORMED)
		return err;
	json_extent_add(&extent, body);
	if ((body.p[0] == '{' || body.p[0] == '[') && !extent.is_complete)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's reply broke off after %zu bytes", body.n);
	error_read(body, &words);
	return fault_set(why, ERR_SERVER_ERROR, "the provider's reply is no JSON: %.200s",
		words.message[0] ? words.message : "(nothing that can be shown)");
}

enum err framing_object(struct framing *f, struct span data, struct json *out, struct fault *why)
{
	const enum err err = json_scan(data, JSON_LENIENT, out, NULL);
	if (!err && json_kind(*out) == JSON_OBJECT)
		return OK;
	*out = JSON_NONE;
	if (err == ERR_TOO_BIG)
		return too_deep(why);
	if (err && err != ERR_MALFORMED)
		return err;
	if (f->is_ending)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off in the middle of an event");
	if (f->n_bad++ > 0)
		return fault_set(
			why, ERR_SERVER_ERROR, "the provider's event stream holds what is no JSON");
	return OK;
}
