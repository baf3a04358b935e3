/* step_follow.c - what was kept: what a request goes on from, what it asks for, and what it will be. */
#include <assert.h>

#include "brokerd/exchange/kept.h"
#include "brokerd/exchange/steps.h"
#include "brokerd/log/log.h"
#include "protocol/limits.h"

/* The caller speaks an API that has such answers. */
static bool has_kept(const struct exchange *x)
{
	return x->is_relayed && !mishap_err(&x->refused) && x->relay.surface &&
	       x->relay.surface->has_kept_answers;
}

/* ---- what it goes on from ---- */

static enum state lay_out(struct exchange *x, const struct response *list, size_t n)
{
	const struct kept_past past = {list, n, x->named, x->n_named};
	struct flight *f = x->flight;
	struct fault why = FAULT_NONE;
	struct json body;
	enum err err = json_scan(buf_view(&f->body), JSON_STRICT, &body, &why);
	if (!err && json_kind(body) == JSON_OBJECT)
		kept_lay_out(body, &past, &x->laid_out);
	if (!err)
		err = buf_error(&x->laid_out);
	if (err == ERR_TOO_BIG)
		fault_param(&why, err, "previous_response_id",
			"with all that was said before the request is longer than %zu bytes",
			LIMIT_BODY_BYTES);
	x->organs->body_bytes += x->laid_out.n;
	if (!err)
		err = exchange_bodies_fit(x, 0, &why);
	return err ? exchange_fail_with(x, err, &why) : ADMIT;
}

/* ---- items that it names ---- */

/* Which answer an item was in is kept beside the answers. */
#define ITEM_BYTES_MAX ((size_t)512)

static struct span item_key(struct span id, struct buf *room)
{
	buf_text(room, "item:");
	buf_span(room, span_first(id, ITEM_BYTES_MAX));
	return buf_view(room);
}

static struct kept_item *next_named(struct exchange *x)
{
	for (size_t i = 0; i < x->n_named; i++) {
		if (!span_is_set(x->named[i].json))
			return &x->named[i];
	}
	return NULL;
}

static enum state refuse_item(struct exchange *x, const struct kept_item *item)
{
	struct fault why = FAULT_NONE;
	fault_param(&why, ERR_INVALID_REQUEST, "input",
		"no item is kept under \"%.*s\": it may be another user's, or was removed, or is "
		"too "
		"old",
		SPAN_ARG(span_first(item->id, 100)));
	fault_text(why.code, sizeof why.code, SPAN("item_not_found"));
	return exchange_fail_with(x, why.err, &why);
}

/* Reads the answer that the next item was in; once all are there, what the request goes on from. */
static enum state follow_on(struct exchange *x);

static enum state read_named(struct exchange *x, const struct kept_item *item)
{
	OWNED(buf_done) struct buf key = BUF_INIT(1 * KIB);
	OWNED(buf_done) struct buf answer = BUF_INIT(1 * KIB);
	struct items *items = x->organs->items;
	struct fault why = FAULT_NONE;
	if (items)
		buf_span(&answer,
			items_get(items, x->owner, item_key(item->id, &key), exchange_now_s(x)));
	if (answer.n == 0)
		return refuse_item(x, item);
	const enum err err = responses_get(x->organs->responses, x->owner, buf_view(&answer), false,
		exchange_now_s(x), &x->kept, &why);
	return err ? exchange_fail_with(x, err, &why) : FOLLOW;
}

static enum state on_named(
	struct exchange *x, const struct response *list, size_t n, const struct fault *said)
{
	struct kept_item *item = next_named(x);
	struct fault why = FAULT_NONE;
	if (said->err && said->err != ERR_NOT_FOUND)
		return exchange_fail_with(x, said->err, said);
	if (n > 0 && kept_find(&list[0], x->named, x->n_named, &x->flight->arena))
		return exchange_fail_with(x, ERR_NO_MEMORY, &why);
	return span_is_set(item->json) ? follow_on(x) : refuse_item(x, item);
}

static enum state refuse_previous(struct exchange *x, const struct fault *said)
{
	struct fault why = *said;
	if (said->err == ERR_NOT_FOUND) {
		fault_param(&why, ERR_INVALID_REQUEST, "previous_response_id",
			"%s: it may be another user's, or was removed, or is too old",
			said->message);
		fault_text(why.code, sizeof why.code, SPAN("previous_response_not_found"));
	}
	return exchange_fail_with(x, why.err, &why);
}

/* ---- what it asks for ---- */

static enum state show(struct exchange *x, const struct response *list, const struct fault *said)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct fault why = *said;
	enum err err = why.err;
	if (err == ERR_NOT_FOUND)
		fault_text(why.code, sizeof why.code, SPAN("response_not_found"));
	if (!err)
		err = kept_show(x->wish, &x->relay.call, &list[0], &x->flight->arena, &json, &why);
	if (!err)
		err = buf_error(&json);
	if (err)
		return exchange_fail_with(x, err, &why);
	relay_answer(&x->relay, buf_view(&json));
	x->outcome = OUTCOME_OK;
	return SETTLE;
}

static void on_read(
	struct responses_wait *w, const struct response *list, size_t n, const struct fault *why)
{
	struct exchange *x = container_of(w, struct exchange, kept);
	if (x->state != FOLLOW)
		return; /* its time was over */
	if (x->wish != KEPT_NOTHING)
		exchange_go_on(x, show(x, list, why));
	else if (next_named(x))
		exchange_go_on(x, on_named(x, list, n, why));
	else if (why->err)
		exchange_go_on(x, refuse_previous(x, why));
	else
		exchange_go_on(x, lay_out(x, list, n));
}

static enum state follow(struct exchange *x, enum err err, const struct fault *why)
{
	return err ? exchange_fail_with(x, err, why) : FOLLOW;
}

static enum state follow_on(struct exchange *x)
{
	const struct kept_item *item = next_named(x);
	struct fault why = FAULT_NONE;
	if (item)
		return read_named(x, item);
	if (x->kept_id.n == 0)
		return x->n_named > 0 ? lay_out(x, NULL, 0) : ADMIT;
	return follow(x,
		responses_get(x->organs->responses, x->owner, x->kept_id, true, exchange_now_s(x),
			&x->kept, &why),
		&why);
}

enum state step_follow(struct exchange *x)
{
	struct responses *store = x->organs->responses;
	const struct surface_call *call = &x->relay.call;
	struct fault why;
	fault_clear(&why);
	if (x->kept.work)
		return FOLLOW;
	if (!has_kept(x))
		return ADMIT;
	enum err err = kept_wish(call, &x->wish, &x->kept_id, &why);
	if (!err && x->wish == KEPT_NOTHING)
		err = kept_previous(buf_view(&x->flight->body), &x->flight->arena, &x->kept_id);
	if (!err && x->wish == KEPT_NOTHING)
		err = kept_references(
			buf_view(&x->flight->body), &x->flight->arena, &x->named, &x->n_named);
	if (err == ERR_TOO_BIG)
		fault_param(&why, ERR_INVALID_REQUEST, "input",
			"more than %zu items are named by their ids alone: send the items "
			"themselves",
			KEPT_ITEMS_MAX);
	if (err)
		return exchange_fail_with(x, why.err ? why.err : err, &why);
	if (x->wish == KEPT_NOTHING && x->kept_id.n == 0 && x->n_named == 0)
		return ADMIT;
	if (!store)
		return exchange_fail_with(x, ERR_UNSUPPORTED, &why);
	x->kept.on_done = on_read;
	if (x->wish == KEPT_REMOVE)
		return follow(
			x, responses_remove(store, x->owner, x->kept_id, &x->kept, &why), &why);
	if (x->wish == KEPT_NOTHING)
		return follow_on(x);
	return follow(x,
		responses_get(
			store, x->owner, x->kept_id, false, exchange_now_s(x), &x->kept, &why),
		&why);
}

/* ---- what it will be ---- */

/* The broker keeps it: nobody else is asked to, whatever they would call it. */
static void take_store_away(struct extra *e)
{
	for (size_t i = 0; i < e->n; i++) {
		if (!span_is(e->members[i].name, "store"))
			continue;
		memmove(&e->members[i], &e->members[i + 1], (e->n - i - 1) * sizeof *e->members);
		e->n--;
		return;
	}
}

/* Does anything of it still stand for what only a provider would know? Names may be written with escapes,
 * which are not looked through before. */
static enum err refuse_unfollowed(const struct exchange *x, struct fault *why)
{
	const struct llm_request *r = &x->flight->request;
	for (size_t i = 0; i < r->extra.n; i++) {
		if (span_is(r->extra.members[i].name, "previous_response_id") &&
			!span_is(r->extra.members[i].json, "null"))
			return fault_param(why, ERR_INVALID_REQUEST, "previous_response_id",
				"this name is to be written without escapes");
	}
	for (size_t m = 0; m < r->n_messages; m++) {
		for (size_t k = 0; k < r->messages[m].n_parts; k++) {
			const struct part *p = &r->messages[m].parts[k];
			if (p->type == PART_OPAQUE &&
				json_is(json_member(json_of(p->opaque.data), "type"),
					"item_reference"))
				return fault_param(why, ERR_INVALID_REQUEST, "input",
					"an item is named by its id alone, which nobody here "
					"knows");
		}
	}
	return OK;
}

/* What only a provider who keeps answers can do, and for one of whom they are. */
static enum err refuse_elsewhere(const struct exchange *x, struct fault *why)
{
	const struct json body = x->relay.asked;
	if (json_is_true(json_member(body, "background")))
		return fault_param(why, ERR_INVALID_REQUEST, "background",
			"answers are made while their caller waits: none goes on in the "
			"background");
	if (!json_is_nil(json_member(body, "conversation")))
		return fault_param(why, ERR_INVALID_REQUEST, "conversation",
			"conversations are the provider's, for all its users: go on from an answer "
			"by its previous_response_id");
	return refuse_unfollowed(x, why);
}

static enum err warn_not_kept(struct exchange *x)
{
	struct llm_event e = {.type = EV_WARNING};
	e.warning.code = SPAN("not_kept");
	e.warning.param = SPAN("store");
	e.warning.message =
		SPAN("this broker keeps no answers: its vault is not open, or keep_responses "
		     "says so");
	return flight_put(x->flight, &e);
}

enum err exchange_may_keep(struct exchange *x, struct fault *why)
{
	struct relay *r = &x->relay;
	const struct responses *store = x->organs->responses;
	OWNED(buf_done) struct buf id = BUF_INIT(64);
	struct span kept;
	if (!has_kept(x) || x->relay.op != LLM_OP_CHAT)
		return OK;
	const enum err err = refuse_elsewhere(x, why);
	const struct json store_member = json_member(r->asked, "store");
	const struct json previous = json_member(r->asked, "previous_response_id");
	if (err || json_kind(store_member) == JSON_FALSE)
		return err;
	if (!store || !responses_keeps(store))
		return json_is_true(store_member) ? warn_not_kept(x) : OK;
	buf_print(&id, "\"resp_%s\"", x->id + strlen("req_"));
	if (buf_error(&id) || arena_dup(&x->flight->arena, buf_view(&id), &kept))
		return ERR_NO_MEMORY;
	assert(!x->memo.asked); /* whose members are others', too: of what is relayed there is none */
	take_store_away(&x->flight->request.extra);
	relay_keep(r, kept, json_is_nil(previous) ? SPAN("null") : previous.text);
	return OK;
}

static void on_kept(
	struct responses_wait *w, const struct response *list, size_t n, const struct fault *why)
{
	struct exchange *x = container_of(w, struct exchange, kept);
	char said[sizeof why->message * 2];
	(void)list;
	(void)n;
	if (why->err) /* the answer was paid for: its caller gets it all the same */
		log_error("response.not_kept", "id=%s why=%s", x->id,
			log_quote(said, sizeof said, span_str(why->message)));
	relay_kept(&x->relay, why);
	x->caller.on_ready(x->caller.context);
}

/* Which answer an item is in, for requests that name it alone. */
struct whereabouts {
	struct exchange *x;
	struct span answer;
};

static void note_item(void *context, struct span id)
{
	const struct whereabouts *w = context;
	OWNED(buf_done) struct buf key = BUF_INIT(1 * KIB);
	items_put(w->x->organs->items, w->x->owner, item_key(id, &key), w->answer,
		exchange_now_s(w->x));
}

void exchange_keep(struct exchange *x)
{
	struct relay *r = &x->relay;
	OWNED(buf_done) struct buf record = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf id = BUF_INIT(1 * KIB), previous = BUF_INIT(1 * KIB);
	const struct json object = relay_to_keep(r);
	struct fault why = FAULT_NONE;
	if (x->kept.work || json_kind(object) != JSON_OBJECT)
		return;
	json_text_to(json_member(object, "id"), &id);
	json_text_to(json_member(r->asked, "previous_response_id"), &previous);
	const struct kept_past past = {.items = x->named, .n_items = x->n_named};
	enum err err = kept_record(r->asked, &past, object, &record, &why);
	const struct response what = {
		.id = buf_view(&id),
		.previous = previous.n > 0 ? buf_view(&previous) : SPAN_NONE,
		.json = buf_view(&record),
		.at_s = exchange_now_s(x),
	};
	struct whereabouts where = {x, what.id};
	if (x->organs->items)
		kept_each_id(object, &x->flight->arena, note_item, &where);
	x->kept.on_done = on_kept;
	if (!err)
		err = buf_error(&id);
	if (!err)
		err = responses_put(x->organs->responses, x->owner, &what, &x->kept, &why);
	if (err) {
		if (!why.err)
			fault_set(&why, err, "%s", err_info(err)->sentence);
		on_kept(&x->kept, NULL, 0, &why);
	}
}
