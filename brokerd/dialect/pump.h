/* pump.h - how do the bytes of a reply become a family's events?
 * The same for all: pieces go through the framing to what the family makes of an event or a document,
 * and what fails is told by the outlet's rules. No I/O. */
#ifndef BROKERD_DIALECT_PUMP_H
#define BROKERD_DIALECT_PUMP_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/framing.h"
#include "brokerd/dialect/outlet.h"

/* A family's decoder, and what it does; on_event and on_document get the decoder as their context. */
struct pump {
	struct decoder *decoder;
	struct framing *framing;
	struct outlet *out;
	enum err (*on_event)(void *context, struct span name, struct span data, struct fault *why);
	enum err (*on_document)(void *context, struct span body, struct fault *why);
	/* The input is over, and the outlet not flushed yet: the last events, or why that cannot have
	 * been all. */
	enum err (*conclude)(struct decoder *, struct fault *why);
};

/* dialect_op's decode and decode_end. */
enum err pump_feed(const struct pump *p, struct span bytes, const struct event_sink *to,
	struct fault *why) MUST_USE;
enum err pump_end(const struct pump *p, const struct event_sink *to, struct fault *why) MUST_USE;

#endif
