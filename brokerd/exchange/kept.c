/* kept.c - {"input":[items],"response":{...}} is what is kept. */
#include "brokerd/exchange/kept.h"

#include <sodium.h>
#include <stdio.h>

#include "brokerd/dialect/splice.h"
#include "protocol/base/num.h"
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

/* ---- wishes ---- */

/* What stands behind "/responses/" in the path; empty: nothing. */
static struct span rest_of(struct span path)
{
	const struct span folder = SPAN("/responses/");
	const size_t at = span_find(path, folder);
	return at < path.n ? span_skip(path, at + folder.n) : SPAN("");
}

enum err kept_wish(const struct surface_call *call, struct arena *a, enum kept_wish *out,
	struct span *id, struct fault *why)
{
	struct span rest = rest_of(call->path);
	const struct span name = span_cut(&rest, '/');
	const bool is_post = !span_is_set(call->method) || span_is(call->method, "POST");
	(void)a;
	*id = name;
	*out = KEPT_NOTHING;
	if (is_post && (name.n == 0 || span_is(name, "input_tokens")) && rest.n == 0)
		return OK;
	if (name.n > 0 && rest.n == 0 && span_is(call->method, "GET"))
		*out = KEPT_READ;
	else if (name.n > 0 && rest.n == 0 && span_is(call->method, "DELETE"))
		*out = KEPT_REMOVE;
	else if (name.n > 0 && span_is(rest, "input_items") && span_is(call->method, "GET"))
		*out = KEPT_INPUT;
	if (*out != KEPT_NOTHING)
		return OK;
	return fault_param(why, ERR_UNSUPPORTED, "surface.path",
		"%.*s %.*s is not served: answers are made while their caller waits, so none can "
		"be "
		"cancelled or compacted by its id",
		SPAN_ARG(span_first(call->method, 16)), SPAN_ARG(span_first(call->path, 100)));
}

/* ---- what is shown ---- */

/* A value of the query; absent: it has none of that name. */
static struct span asked(struct span query, const char *name)
{
	while (query.n > 0) {
		struct span value = span_cut(&query, '&');
		if (span_is(span_cut(&value, '='), name))
			return value;
	}
	return SPAN_NONE;
}

/* An id for an item whose caller gave it none: always the same. */
static void put_id(const struct response *r, size_t i, struct json_out *o)
{
	unsigned char hash[16];
	char hex[33], id[40];
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, sizeof hash);
	crypto_generichash_update(&state, (const unsigned char *)r->id.p, r->id.n);
	crypto_generichash_update(&state, (const unsigned char *)&i, sizeof i);
	crypto_generichash_final(&state, hash, sizeof hash);
	sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
	(void)snprintf(id, sizeof id, "msg_%s", hex);
	json_put_str(o, span_str(id));
}

/* A short form of a message, as a caller may write it, is listed in its long one. */
static void put_listed(struct json item, struct span id, struct buf *out)
{
	OWNED(buf_done) struct buf content = BUF_INIT(LIMIT_BODY_BYTES);
	const bool is_short = json_is_nil(json_member(item, "type"));
	const struct json text = json_member(item, "content");
	struct splice edits[4] = {
		{"id", id}
        };
	size_t n = 1;
	if (is_short) {
		edits[n++] = (struct splice){"type", SPAN("\"message\"")};
		if (json_is_nil(json_member(item, "status")))
			edits[n++] = (struct splice){"status", SPAN("\"completed\"")};
	}
	if (is_short && json_kind(text) == JSON_STRING) {
		const bool is_answer = json_is(json_member(item, "role"), "assistant");
		buf_text(&content,
			is_answer ? "[{\"type\":\"output_text\",\"annotations\":[],\"text\":"
				  : "[{\"type\":\"input_text\",\"text\":");
		buf_span(&content, text.text);
		buf_text(&content, "}]");
		edits[n++] = (struct splice){"content", buf_view(&content)};
	}
	splice_put(item, edits, n, out);
	if (buf_error(&content) && !out->err)
		out->err = buf_error(&content);
}

struct listed {
	struct buf json; /* the item, with an id */
	struct span id;
};

struct listing {
	struct listed *items;
	size_t n;
};

static enum err list_items(
	const struct response *r, struct json items, struct arena *a, struct listing *out)
{
	size_t n = 0;
	for (struct json_walk w = json_each(items); json_next(&w);)
		n++;
	out->items = arena_array(a, n, sizeof *out->items);
	if (!out->items)
		return ERR_NO_MEMORY;
	for (struct json_walk w = json_each(items); json_next(&w); out->n++) {
		struct listed *l = &out->items[out->n];
		OWNED(buf_done) struct buf id = BUF_INIT(1 * KIB);
		struct json_out o = json_to(&id);
		const struct json own = json_member(w.value, "id");
		buf_init(&l->json, LIMIT_BODY_BYTES);
		if (json_kind(own) == JSON_STRING)
			json_put_raw(&o, own.text);
		else
			put_id(r, out->n, &o);
		if (json_kind(w.value) == JSON_OBJECT)
			put_listed(w.value, buf_view(&id), &l->json);
		if (buf_error(&id) || buf_error(&l->json) ||
			json_text(json_of(buf_view(&id)), a, &l->id))
			return ERR_NO_MEMORY;
		if (arena_dup(a, l->id, &l->id))
			return ERR_NO_MEMORY;
	}
	return OK;
}

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		buf_done(&l->items[i].json);
}

/* The i-th in the order that is asked for. */
static const struct listed *item_at(const struct listing *l, size_t i, bool is_rising)
{
	return &l->items[is_rising ? i : l->n - 1 - i];
}

static enum err show_input(const struct surface_call *call, const struct response *r,
	struct json items, struct arena *a, struct buf *out, struct fault *why)
{
	const struct span order = asked(call->query, "order"), after = asked(call->query, "after");
	const struct span limit = asked(call->query, "limit");
	const bool is_rising = span_is(order, "asc");
	OWNED(listing_done) struct listing all = {.n = 0};
	int64_t most = 20;
	size_t from = 0;
	if (limit.n > 0 && (!num_i64(limit, &most) || most < 1 || most > 100))
		return fault_param(why, ERR_INVALID_REQUEST, "limit", "a limit is 1 to 100");
	if (order.n > 0 && !is_rising && !span_is(order, "desc"))
		return fault_param(why, ERR_INVALID_REQUEST, "order", "an order is asc or desc");
	if (list_items(r, items, a, &all))
		return fault_set(why, ERR_NO_MEMORY, "no memory for the list");
	while (after.n > 0 && from < all.n && !span_eq(item_at(&all, from, is_rising)->id, after))
		from++;
	if (after.n > 0 && from == all.n)
		return fault_param(why, ERR_INVALID_REQUEST, "after", "there is no such item");
	from += after.n > 0;
	const size_t n = all.n - from < (size_t)most ? all.n - from : (size_t)most;
	struct json_out o = json_to(out);
	json_open(&o, '{');
	json_pair_str(&o, "object", SPAN("list"));
	json_key(&o, "data");
	json_open(&o, '[');
	for (size_t i = 0; i < n; i++)
		json_put_raw(&o, buf_view(&item_at(&all, from + i, is_rising)->json));
	json_close(&o, ']');
	json_key(&o, "first_id");
	if (n > 0)
		json_put_str(&o, item_at(&all, from, is_rising)->id);
	else
		json_put_null(&o);
	json_key(&o, "last_id");
	if (n > 0)
		json_put_str(&o, item_at(&all, from + n - 1, is_rising)->id);
	else
		json_put_null(&o);
	json_pair_bool(&o, "has_more", from + n < all.n);
	json_close(&o, '}');
	return OK;
}

enum err kept_show(enum kept_wish wish, const struct surface_call *call, const struct response *r,
	struct arena *a, struct buf *out, struct fault *why)
{
	struct json record;
	struct json_out o = json_to(out);
	if (wish == KEPT_REMOVE) {
		json_open(&o, '{');
		json_pair_str(&o, "id", r->id);
		json_pair_str(&o, "object", SPAN("response"));
		json_pair_bool(&o, "deleted", true);
		json_close(&o, '}');
		return OK;
	}
	if (json_scan(r->json, JSON_LENIENT, &record, NULL))
		return fault_set(why, ERR_INTERNAL, "what is kept of the answer is damaged");
	if (wish == KEPT_INPUT)
		return show_input(call, r, json_member(record, "input"), a, out, why);
	if (span_is(asked(call->query, "stream"), "true"))
		return fault_param(why, ERR_INVALID_REQUEST, "stream",
			"an answer that is kept is over: it is read whole");
	json_put_raw(&o, json_member(record, "response").text);
	return OK;
}
