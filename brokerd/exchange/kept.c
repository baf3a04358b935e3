/* kept.c - {"input":[items],"response":{...}} is what is kept. */
#include "brokerd/exchange/kept.h"

#include "brokerd/dialect/splice.h"
#include "protocol/limits.h"

enum err kept_previous(struct span body, struct arena *a, struct span *out)
{
	struct json v;
	*out = SPAN_NONE;
	/* nearly all go on from nothing, and need not be scanned for it; names may be written with escapes */
	if (span_find(body, SPAN("response_id")) == body.n &&
		span_find(body, SPAN("\\u")) == body.n)
		return OK;
	if (json_scan(body, JSON_STRICT, &v, NULL))
		return OK;
	return json_text(json_member(v, "previous_response_id"), a, out);
}

static bool is_reference(struct json item)
{
	return json_is(json_member(item, "type"), "item_reference");
}

static struct kept_item *item_of(struct kept_item *items, size_t n, struct span id)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(items[i].id, id))
			return &items[i];
	}
	return NULL;
}

enum err kept_references(struct span body, struct arena *a, struct kept_item **out, size_t *n)
{
	struct json v;
	size_t most = 0;
	*n = 0;
	if (span_find(body, SPAN("item_reference")) == body.n ||
		json_scan(body, JSON_STRICT, &v, NULL))
		return OK;
	const struct json input = json_member(v, "input");
	if (json_kind(input) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(input); json_next(&w);)
		most += is_reference(w.value);
	if (most > KEPT_ITEMS_MAX)
		return ERR_TOO_BIG;
	if (most == 0)
		return OK;
	*out = arena_array(a, most, sizeof **out);
	if (!*out)
		return ERR_NO_MEMORY;
	for (struct json_walk w = json_each(input); json_next(&w);) {
		struct span id;
		if (!is_reference(w.value))
			continue;
		if (json_text(json_member(w.value, "id"), a, &id))
			return ERR_NO_MEMORY;
		if (span_is_set(id) && !item_of(*out, *n, id))
			(*out)[(*n)++] = (struct kept_item){.id = id};
	}
	return OK;
}

enum err kept_find(const struct response *r, struct kept_item *items, size_t n, struct arena *a)
{
	struct json record;
	if (json_scan(r->json, JSON_LENIENT, &record, NULL))
		return OK; /* we wrote it: it was scanned then */
	const struct json output = json_member(json_member(record, "response"), "output");
	for (struct json_walk w = json_each(output); json_next(&w);) {
		struct span id;
		if (json_text(json_member(w.value, "id"), a, &id))
			return ERR_NO_MEMORY;
		struct kept_item *item = span_is_set(id) ? item_of(items, n, id) : NULL;
		if (item && arena_dup(a, w.value.text, &item->json))
			return ERR_NO_MEMORY;
	}
	return OK;
}

void kept_each_id(struct json response, struct arena *a,
	void (*tell)(void *context, struct span id), void *context)
{
	for (struct json_walk w = json_each(json_member(response, "output")); json_next(&w);) {
		struct span id;
		if (json_text(json_member(w.value, "id"), a, &id) == OK && id.n > 0)
			tell(context, id);
	}
}

/* ---- items ---- */

/* Of these, only the one who keeps an item knows it by its id; of all others it is a part. */
static bool has_foreign_id(struct json item)
{
	static const char *const types[] = {"message", "function_call", "function_call_output",
		"custom_tool_call", "custom_tool_call_output"};
	const struct json type = json_member(item, "type");
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (json_is(type, types[i]))
			return true;
	}
	return json_is_nil(type); /* a message */
}

/* Reasoning that is not sealed says nothing to anybody. */
static bool is_empty_thought(struct json item)
{
	return json_is(json_member(item, "type"), "reasoning") &&
	       json_is_nil(json_member(item, "encrypted_content"));
}

static void put_item(struct json item, struct json_out *o)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct splice without = {"id", SPAN_NONE};
	if (json_kind(item) != JSON_OBJECT || !has_foreign_id(item)) {
		json_put_raw(o, item.text);
		return;
	}
	splice_put(item, &without, 1, &text);
	if (buf_error(&text) && !o->to->err)
		o->to->err = buf_error(&text);
	json_put_raw(o, buf_view(&text));
}

static void put_message(struct json text, struct json_out *o)
{
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("message"));
	json_pair_str(o, "role", SPAN("user"));
	json_key(o, "content");
	json_open(o, '[');
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("input_text"));
	json_pair_raw(o, "text", text.text);
	json_close(o, '}');
	json_close(o, ']');
	json_close(o, '}');
}

/* The item that a reference stands for; the reference itself where nobody knows it. */
static struct json meant(struct json item, const struct kept_past *past)
{
	OWNED(buf_done) struct buf id = BUF_INIT(64 * KIB);
	if (!past || past->n_items == 0 || !is_reference(item))
		return item;
	json_text_to(json_member(item, "id"), &id);
	for (size_t i = 0; i < past->n_items; i++) {
		if (span_eq(buf_view(&id), past->items[i].id) && span_is_set(past->items[i].json))
			return json_of(past->items[i].json);
	}
	return item;
}

/* What a request asks: a text is one message of the user's. */
static void put_input(struct json input, const struct kept_past *past, struct json_out *o)
{
	if (json_kind(input) == JSON_STRING)
		put_message(input, o);
	for (struct json_walk w = json_each(input); json_next(&w);) {
		const struct json item = meant(w.value, past);
		if (item.text.p == w.value.text.p)
			json_put_raw(o, item.text);
		else if (!is_empty_thought(item))
			put_item(item, o);
	}
}

static void put_earlier(const struct response *r, struct json_out *o)
{
	struct json record;
	if (json_scan(r->json, JSON_LENIENT, &record, NULL))
		return; /* we wrote it: it was scanned then */
	for (struct json_walk w = json_each(json_member(record, "input")); json_next(&w);)
		put_item(w.value, o);
	const struct json output = json_member(json_member(record, "response"), "output");
	for (struct json_walk w = json_each(output); json_next(&w);) {
		if (!is_empty_thought(w.value))
			put_item(w.value, o);
	}
}

void kept_lay_out(struct json body, const struct kept_past *past, struct buf *out)
{
	OWNED(buf_done) struct buf input = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&input);
	json_open(&o, '[');
	for (size_t i = past->n; i > 0; i--)
		put_earlier(&past->list[i - 1], &o);
	put_input(json_member(body, "input"), past, &o);
	json_close(&o, ']');
	const struct splice edits[] = {
		{"input",                buf_view(&input)},
		{"previous_response_id", SPAN_NONE       },
	};
	if (buf_error(&input)) {
		out->err = out->err ? out->err : buf_error(&input);
		return;
	}
	splice_put(body, edits, COUNT_OF(edits), out);
}

enum err kept_record(struct json body, const struct kept_past *past, struct json response,
	struct buf *out, struct fault *why)
{
	struct json_out o = json_to(out);
	struct json strict;
	if (json_scan(response.text, JSON_STRICT, &strict, NULL))
		return fault_set(why, ERR_SERVER_ERROR,
			"what the provider sent is no JSON that could be given back to it");
	json_open(&o, '{');
	json_key(&o, "input");
	json_open(&o, '[');
	put_input(json_member(body, "input"), past, &o);
	json_close(&o, ']');
	json_pair_raw(&o, "response", response.text);
	json_close(&o, '}');
	return buf_error(out);
}
