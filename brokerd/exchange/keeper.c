/* keeper.c - events that have a response object are looked into; all others go by. */
#include "brokerd/exchange/keeper.h"

#include "brokerd/dialect/splice.h"
#include "brokerd/dialect/sse.h"
#include "protocol/limits.h"

void keeper_init(struct keeper *k, bool is_stream, struct span id, struct span previous)
{
	*k = (struct keeper){.is_stream = is_stream, .id = id, .previous = previous};
	buf_init(&k->held, LIMIT_SSE_TOTAL_BYTES);
	buf_init(&k->last, LIMIT_SSE_TOTAL_BYTES);
	buf_init(&k->object, LIMIT_BODY_BYTES);
}

void keeper_done(struct keeper *k)
{
	buf_done(&k->held);
	buf_done(&k->last);
	buf_done(&k->object);
}

enum err keeper_error(const struct keeper *k)
{
	const enum err err = buf_error(&k->held) ? buf_error(&k->held) : buf_error(&k->last);
	return err ? err : buf_error(&k->object);
}

enum kind {
	PIECE, /* nothing of it is ours */
	STATE, /* it has the response object */
	LAST,  /* the same, and nothing comes after it */
};

static const struct {
	const char *type;
	enum kind kind;
} kinds[] = {
	{"response.created",     STATE},
	{"response.queued",      STATE},
	{"response.in_progress", STATE},
	{"response.completed",   LAST },
	{"response.incomplete",  LAST },
	{"response.failed",      LAST },
};

static enum kind kind_of(struct json data)
{
	const struct json type = json_member(data, "type");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (json_is(type, kinds[i].type))
			return kinds[i].kind;
	}
	return PIECE;
}

/* The data of an event that may have the object: its type stands at the beginning or at the end. Nearly all
 * others are pieces, which are not read. */
static struct span data_of(struct span event)
{
	const struct span start = span_first(event, 128);
	const struct span end = span_skip(event, event.n > 128 ? event.n - 128 : 0);
	const size_t at = span_find(event, SPAN("data:"));
	bool has_any = false;
	for (size_t i = 0; i < COUNT_OF(kinds) && !has_any; i++)
		has_any = span_find(start, span_str(kinds[i].type)) < start.n ||
			  span_find(end, span_str(kinds[i].type)) < end.n;
	if (!has_any || at == event.n)
		return SPAN_NONE;
	struct span data = span_skip(event, at + 5);
	return span_trim(span_first(data, span_index(data, '\n')));
}

/* What is the broker's in a response object. */
static void put_right(struct keeper *k, struct json whole, bool is_event, struct buf *out)
{
	const struct splice inside[] = {
		{"response.id",                   k->id       },
		{"response.store",                SPAN("true")},
		{"response.previous_response_id", k->previous },
	};
	const struct splice own[] = {
		{"id",                   k->id       },
		{"store",                SPAN("true")},
		{"previous_response_id", k->previous },
	};
	splice_put(whole, is_event ? inside : own, COUNT_OF(own), out);
}

static void take_event(struct keeper *k, struct span event, struct buf *out)
{
	struct json v;
	const struct span data = data_of(event);
	if (k->last.n > 0) { /* some hosts end with a word of their own */
		buf_span(&k->last, event);
		return;
	}
	enum kind kind = PIECE;
	if (span_is_set(data) && json_scan(data, JSON_LENIENT, &v, NULL) == OK &&
		json_kind(json_member(v, "response")) == JSON_OBJECT)
		kind = kind_of(v);
	if (kind == PIECE) {
		buf_span(out, event);
		return;
	}
	struct buf *to = kind == LAST ? &k->last : out;
	buf_put(to, event.p, (size_t)(v.text.p - event.p));
	const size_t from = to->n;
	put_right(k, v, true, to);
	const size_t end = to->n;
	buf_span(to, span_skip(event, (size_t)(v.text.p + v.text.n - event.p)));
	if (to != &k->last || buf_error(to) ||
		json_scan(span_of(to->p + from, end - from), JSON_LENIENT, &v, NULL))
		return;
	buf_clear(&k->object);
	buf_span(&k->object, json_member(v, "response").text);
}

void keeper_take(struct keeper *k, struct span bytes, struct buf *out)
{
	size_t end;
	const size_t from = k->held.n < 3 ? 0 : k->held.n - 3;
	buf_span(&k->held, bytes);
	if (!k->is_stream)
		return;
	struct span rest = buf_view(&k->held);
	size_t at = from;
	while ((end = sse_event_end(rest, at)) > 0) {
		take_event(k, span_first(rest, end), out);
		rest = span_skip(rest, end);
		at = 0;
	}
	buf_drop(&k->held, k->held.n - rest.n);
}

struct json keeper_end(struct keeper *k)
{
	struct json v;
	if (k->is_stream) {
		buf_span(&k->last, buf_view(&k->held));
		return k->object.n > 0 ? json_of(buf_view(&k->object)) : JSON_NONE;
	}
	if (json_scan(buf_view(&k->held), JSON_LENIENT, &v, NULL) || json_kind(v) != JSON_OBJECT) {
		buf_span(&k->last, buf_view(&k->held));
		return JSON_NONE;
	}
	put_right(k, v, false, &k->last);
	buf_span(&k->object, buf_view(&k->last));
	return json_of(buf_view(&k->object));
}

struct span keeper_rest(const struct keeper *k)
{
	return buf_view(&k->last);
}
