/* passage.c - events are found by the empty line behind them, elements by their brackets; nothing inside is
 * changed. */
#include "brokerd/dialect/passage.h"

#include "brokerd/dialect/sse.h"
#include "protocol/limits.h"

static bool is_event_stream(const struct http_head *head)
{
	return span_starts(http_head_get(head, "content-type"), SPAN("text/event-stream"));
}

void passage_init(struct passage *p, const struct forwarded *what, const struct http_head *head)
{
	*p = (struct passage){.is_stream = what->request->is_stream};
	p->is_sse = p->is_stream && is_event_stream(head);
	p->is_list = p->is_stream && !p->is_sse && what->form == ANSWER_LIST;
	p->hides_counts = p->is_sse && !what->wants_usage_event;
	buf_init(&p->held, LIMIT_SSE_TOTAL_BYTES);
}

void passage_done(struct passage *p)
{
	buf_done(&p->held);
}

static enum err check_held(const struct passage *p, struct fault *why)
{
	const enum err err = buf_error(&p->held);
	return err == ERR_TOO_BIG ? fault_set(why, ERR_SERVER_ERROR,
					    "the provider's reply is longer than %zu bytes",
					    LIMIT_SSE_TOTAL_BYTES)
				  : err;
}

/* OpenAI's event at the end of a stream that has the counts and nothing else. */
static bool is_counts(struct span event)
{
	struct json v;
	if (span_find(event, SPAN("prompt_tokens")) == event.n)
		return false; /* as nearly all */
	struct span data = span_skip(event, span_find(event, SPAN("data:")));
	data = span_trim(span_skip(data, data.n < 5 ? data.n : 5));
	if (json_scan(data, JSON_LENIENT, &v, NULL))
		return false;
	const struct json choices = json_member(v, "choices");
	struct json_walk w = json_each(choices);
	return json_kind(choices) == JSON_ARRAY && !json_next(&w) &&
	       json_kind(json_member(v, "usage")) == JSON_OBJECT;
}

static enum err take_event(
	struct passage *p, struct span event, const struct passage_sink *sink, struct fault *why)
{
	const enum err err = sink->decode(sink->context, event, why);
	if (err || (p->hides_counts && is_counts(event)))
		return err;
	return sink->pass_on(sink->context, event);
}

static enum err take_events(
	struct passage *p, struct span bytes, const struct passage_sink *sink, struct fault *why)
{
	size_t end;
	enum err err = OK;
	if (p->held.n > 0) { /* the event that was cut; its empty line may be, too */
		const size_t from = p->held.n < 3 ? 0 : p->held.n - 3;
		const size_t before = p->held.n;
		buf_span(&p->held, bytes);
		err = check_held(p, why);
		end = err ? 0 : sse_event_end(buf_view(&p->held), from);
		if (end == 0)
			return err;
		err = take_event(p, span_first(buf_view(&p->held), end), sink, why);
		bytes = span_skip(bytes, end - before);
		buf_clear(&p->held);
	}
	while (!err && (end = sse_event_end(bytes, 0)) > 0) {
		err = take_event(p, span_first(bytes, end), sink, why);
		bytes = span_skip(bytes, end);
	}
	if (!err)
		buf_span(&p->held, bytes);
	return err ? err : check_held(p, why);
}

/* An element with what stands before it. Where there is no array, it goes on as it comes. */
static enum err take_elements(
	struct passage *p, struct span bytes, const struct passage_sink *sink, struct fault *why)
{
	enum err err = OK;
	while (!err && bytes.n > 0) {
		bool has_end = false;
		size_t n = elements_lead(&p->elements, bytes);
		p->is_list = p->elements.is_begun || n == bytes.n;
		n = p->is_list ? n + elements_body(&p->elements, span_skip(bytes, n), &has_end)
			       : bytes.n;
		buf_span(&p->held, span_first(bytes, n));
		bytes = span_skip(bytes, n);
		err = check_held(p, why);
		if (err || (p->is_list && !has_end))
			continue;
		err = take_event(p, buf_view(&p->held), sink, why);
		buf_clear(&p->held);
	}
	return err;
}

enum err passage_take(
	struct passage *p, struct span bytes, const struct passage_sink *sink, struct fault *why)
{
	if (p->is_sse)
		return take_events(p, bytes, sink, why);
	if (p->is_list)
		return take_elements(p, bytes, sink, why);
	enum err err = sink->decode(sink->context, bytes, why);
	if (err)
		return err;
	if (p->is_stream)
		return sink->pass_on(sink->context, bytes);
	buf_span(&p->held, bytes);
	return check_held(p, why);
}

enum err passage_end(struct passage *p, const struct passage_sink *sink, struct fault *why)
{
	return (p->is_sse || p->is_list) && p->held.n > 0
		       ? sink->decode(sink->context, buf_view(&p->held), why)
		       : OK;
}

enum err passage_flush(struct passage *p, const struct passage_sink *sink)
{
	const struct span rest = buf_view(&p->held);
	if (rest.n == 0 || (p->hides_counts && is_counts(rest)))
		return OK;
	return sink->pass_on(sink->context, rest);
}
