/* pins.c - the id of a pin is "pin:" and what only its maker could have written. */
#include "brokerd/exchange/pins.h"

#include <sodium.h>

#include "brokerd/exchange/maker.h"
#include "protocol/base/json.h"

#define PIN_BYTES 20 /* "pin:" and a hash */

/* What only its maker could have written: callers give items back with other members in another order. */
static struct json secret_of(struct json item)
{
	static const char *const names[] = {"signature", "encrypted_content", "thoughtSignature",
		"thought_signature", "data", "redactedContent"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct json v = json_member(item, names[i]);
		if (json_kind(v) == JSON_STRING && v.text.n > 2)
			return v;
	}
	for (struct json_walk w = json_each(item); json_next(&w);) {
		const struct json inner =
			json_kind(w.value) == JSON_OBJECT || json_kind(w.value) == JSON_ARRAY
				? secret_of(w.value)
				: JSON_NONE;
		if (json_kind(inner) == JSON_STRING)
			return inner;
	}
	return JSON_NONE;
}

/* False: there is nothing in it that would tell one maker from another. */
static bool pin_of(const struct opaque *o, unsigned char pin[PIN_BYTES])
{
	struct json v;
	if (!span_is_set(o->family) || json_scan(o->data, JSON_LENIENT, &v, NULL))
		return false;
	const struct json secret = secret_of(v);
	if (json_kind(secret) != JSON_STRING)
		return false;
	memcpy(pin, "pin:", 4);
	crypto_generichash(pin + 4, PIN_BYTES - 4, (const unsigned char *)secret.text.p,
		secret.text.n, NULL, 0);
	return true;
}

static const struct opaque *opaque_of(const struct llm_event *e)
{
	if (e->type == EV_OPAQUE)
		return &e->opaque;
	if (e->type == EV_TOOL_START)
		return &e->call.opaque;
	return e->type == EV_PART && e->part.type == PART_OPAQUE ? &e->part.opaque : NULL;
}

void pins_note(struct items *store, uint64_t owner, const struct target *t,
	const struct llm_event *e, int64_t now_s)
{
	const struct opaque *o = opaque_of(e);
	unsigned char pin[PIN_BYTES];
	char maker[MAKER_BYTES];
	if (store && o && pin_of(o, pin))
		items_put(store, owner, span_of((const char *)pin, sizeof pin),
			maker_name(t, maker), now_s);
}

/* Who made it; absent: nobody knows. */
static struct span maker_of(
	struct items *store, uint64_t owner, const struct opaque *o, int64_t now_s)
{
	unsigned char pin[PIN_BYTES];
	return pin_of(o, pin)
		       ? items_get(store, owner, span_of((const char *)pin, sizeof pin), now_s)
		       : SPAN_NONE;
}

/* The items of a message stand in its parts. */
static const struct part *part_at(const struct llm_request *r, size_t m, size_t k)
{
	return &r->messages[m].parts[k];
}

static void bring_forward(struct route *route, size_t i)
{
	struct target first = route->targets[i];
	first.list =
		TARGETS_USUAL; /* whichever list it is of: the others follow it as they would the first */
	memmove(&route->targets[1], &route->targets[0], i * sizeof first);
	route->targets[0] = first;
}

void pins_order(struct items *store, uint64_t owner, const struct llm_request *r,
	struct route *route, int64_t now_s)
{
	if (!store || route->n < 2)
		return;
	for (size_t m = r->n_messages; m > 0; m--) {
		for (size_t k = r->messages[m - 1].n_parts; k > 0; k--) {
			const struct part *p = part_at(r, m - 1, k - 1);
			const struct span maker = maker_of(store, owner, &p->opaque, now_s);
			for (size_t i = 0; maker.n > 0 && i < route->n; i++) {
				if (maker_is(maker, &route->targets[i])) {
					bring_forward(route, i);
					return;
				}
			}
		}
	}
}

static bool is_elsewhere(struct items *store, uint64_t owner, const struct target *t,
	const struct part *p, int64_t now_s)
{
	if (!span_eq(p->opaque.family, t->family))
		return false; /* whoever made it, it is left out already */
	const struct span maker = maker_of(store, owner, &p->opaque, now_s);
	return maker.n > 0 && !maker_is(maker, t);
}

/* The parts of one message that may go to `t`, in memory of their own. */
static enum err copy_message(struct items *store, uint64_t owner, const struct target *t,
	struct arena *a, const struct message *from, int64_t now_s, struct message *to)
{
	*to = *from;
	to->n_parts = 0;
	to->parts = arena_array(a, from->n_parts, sizeof *to->parts);
	if (!to->parts)
		return ERR_NO_MEMORY;
	for (size_t k = 0; k < from->n_parts; k++) {
		struct part p = from->parts[k];
		if (is_elsewhere(store, owner, t, &p, now_s)) {
			if (p.type == PART_OPAQUE)
				continue;
			p.opaque = (struct opaque){.family = SPAN_NONE};
		}
		to->parts[to->n_parts++] = p;
	}
	return OK;
}

static bool has_any_elsewhere(struct items *store, uint64_t owner, const struct target *t,
	const struct llm_request *r, int64_t now_s)
{
	for (size_t m = 0; m < r->n_messages; m++) {
		for (size_t k = 0; k < r->messages[m].n_parts; k++) {
			if (is_elsewhere(store, owner, t, part_at(r, m, k), now_s))
				return true;
		}
	}
	return false;
}

enum err pins_leave_out(struct items *store, uint64_t owner, const struct target *t,
	struct arena *a, const struct llm_request *r, int64_t now_s, const struct llm_request **out)
{
	*out = r;
	if (!store || !has_any_elsewhere(store, owner, t, r, now_s))
		return OK;
	struct llm_request *without = arena_alloc(a, sizeof *without);
	struct message *messages = arena_array(a, r->n_messages, sizeof *messages);
	enum err err = without && messages ? OK : ERR_NO_MEMORY;
	for (size_t m = 0; !err && m < r->n_messages; m++)
		err = copy_message(store, owner, t, a, &r->messages[m], now_s, &messages[m]);
	if (err)
		return err;
	*without = *r;
	without->messages = messages;
	*out = without;
	return OK;
}
