/* pump.c - bytes in, events out. */
#include "brokerd/dialect/pump.h"

static struct framing_sink sink_of(const struct pump *p)
{
	return (struct framing_sink){
		.event = {p->on_event, p->decoder},
		.on_document = p->on_document,
	};
}

enum err pump_feed(
	const struct pump *p, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct framing_sink sink = sink_of(p);
	struct fault fault;
	fault_clear(&fault);
	p->out->sink = to;
	const enum err err = framing_feed(p->framing, bytes, &sink, &fault);
	return err ? outlet_fail(p->out, err, &fault, why) : OK;
}

enum err pump_end(const struct pump *p, const struct event_sink *to, struct fault *why)
{
	const struct framing_sink sink = sink_of(p);
	struct fault fault = FAULT_NONE;
	p->out->sink = to;
	enum err err = framing_end(p->framing, &sink, &fault);
	if (!err && !p->out->is_flushed)
		err = p->conclude(p->decoder, &fault);
	return err ? outlet_fail(p->out, err, &fault, why) : OK;
}
