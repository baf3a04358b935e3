/* kept_show.c - the path says what is wanted, the query how. */
#include "brokerd/exchange/kept_show.h"

#include <sodium.h>
#include <stdio.h>

#include "brokerd/dialect/splice.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

/* ---- wishes ---- */

/* What stands behind "/responses/" in the path; empty: nothing. */
static struct span rest_of(struct span path)
{
	const struct span folder = SPAN("/responses/");
	const size_t at = span_find(path, folder);
	return at < path.n ? span_skip(path, at + folder.n) : SPAN("");
}

enum err kept_wish(
	const struct surface_call *call, enum kept_wish *out, struct span *id, struct fault *why)
{
	struct span rest = rest_of(call->path);
	const struct span name = span_cut(&rest, '/');
	const bool is_post = !span_is_set(call->method) || span_is(call->method, "POST");
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
