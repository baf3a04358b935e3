/* framing.h - is this reply a stream of events or one JSON document?
 * Both occur whatever was asked for. The content type decides, else the first byte that is neither
 * white space nor of a byte order mark. Pieces come cut anywhere; a whole document is gathered. A family that is streamed in binary
 * messages (event_stream.h) says so by its on_message, one whose stream may be a JSON array (elements.h) by
 * has_elements. Lines of JSON (ndjson.h) are what their content type names; each is an event without a name,
 * and so is an element. No I/O. */
#ifndef BROKERD_DIALECT_FRAMING_H
#define BROKERD_DIALECT_FRAMING_H
#include "brokerd/dialect/elements.h"
#include "brokerd/dialect/event_stream.h"
#include "brokerd/dialect/ndjson.h"
#include "brokerd/dialect/sse.h"
#include "brokerd/value/http.h"
#include "protocol/base/json.h"

enum framing_kind {
	FRAMING_UNKNOWN,
	FRAMING_EVENTS,
	FRAMING_DOCUMENT,
	FRAMING_MESSAGES,
	FRAMING_LINES,
	FRAMING_ELEMENTS,
};

/* What a family makes of an event, and of a whole document (at the end of the input). */
struct framing_sink {
	struct sse_sink event;
	enum err (*on_document)(void *context, struct span body, struct fault *why);
};

struct framing {
	enum framing_kind kind;
	struct sse sse;
	struct ndjson lines;
	/* What the family makes of a binary message, with the sink's context; set after framing_init.
	 * NULL: it knows none, and such a stream is no JSON to it. */
	enum err (*on_message)(void *context, const struct event_message *m, struct fault *why);
	struct event_stream messages;
	bool has_elements; /* an array is a stream of its elements; set after framing_init */
	struct elements elements;
	size_t elements_bytes; /* of the array so far */
	struct buf document;   /* or the element that is open */
	uint8_t bom_n;         /* bytes of a byte order mark seen so far, before all else */
	bool is_begun;         /* the first byte that counts has come */
	bool is_ending;        /* what comes now was not ended by its sender */
	unsigned n_bad;        /* events that were no JSON */
};

void framing_init(struct framing *f, const struct http_head *head);
void framing_done(struct framing *f);

/* ERR_SERVER_ERROR (over a limit), ERR_NO_MEMORY, or the sink's. */
enum err framing_feed(struct framing *f, struct span bytes, const struct framing_sink *sink,
	struct fault *why) MUST_USE;

/* The input is over: gives the document, or an event that lacks its end. An input of white
 * space alone gives nothing. */
enum err framing_end(
	struct framing *f, const struct framing_sink *sink, struct fault *why) MUST_USE;

/* Scans a document, and marks what is long in it in the arena. ERR_STREAM_INCOMPLETE: its end is missing;
 * ERR_SERVER_ERROR: it is no JSON, or nested too deeply; ERR_NO_MEMORY. */
enum err framing_document(
	struct span body, struct arena *marks, struct json *out, struct fault *why) MUST_USE;

/* Scans an event's data, which is to be an object. OK and an absent value: it is none, and may be
 * passed over, for once. ERR_STREAM_INCOMPLETE: the input ends inside it; the rest as above. */
enum err framing_object(
	struct framing *f, struct span data, struct json *out, struct fault *why) MUST_USE;

#endif
