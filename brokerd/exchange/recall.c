/* recall.c - kept as JSON: [{"family":..,"provider":..,"model":..,"data":..,"text":..,"on_call":bool}] */
#include "brokerd/exchange/recall.h"

#include "protocol/base/json.h"

#define HELD_BYTES (1 * MIB)

void recall_init(struct recall *r)
{
	r->is_lost = false;
	buf_init(&r->held, HELD_BYTES);
	buf_init(&r->text, HELD_BYTES);
}

void recall_done(struct recall *r)
{
	buf_done(&r->held);
	buf_done(&r->text);
}

void recall_rewind(struct recall *r)
{
	/* also where it had grown over its bound: then nothing of that answer was kept */
	recall_done(r);
	recall_init(r);
}

static void hold(struct recall *r, const struct target *t, const struct opaque *o, bool is_on_call)
{
	struct json_out out = json_to(&r->held);
	out.has_value = r->held.n > 0;
	json_open(&out, '{');
	json_pair_str(&out, "family", o->family);
	json_pair_str(&out, "provider", t->provider);
	json_pair_str(&out, "model", o->model);
	json_pair_raw(&out, "data", o->data);
	if (r->text.n > 0)
		json_pair_str(&out, "text", buf_view(&r->text));
	json_pair_bool(&out, "on_call", is_on_call);
	json_close(&out, '}');
	r->is_lost = r->is_lost || buf_error(&r->text) || buf_error(&r->held);
	buf_clear(&r->text);
}

/* The opaque item that an event brings, or NULL. */
static const struct opaque *opaque_of(const struct llm_event *e)
{
	if (e->type == EV_OPAQUE)
		return &e->opaque;
	if (e->type == EV_PART && e->part.type == PART_OPAQUE)
		return &e->part.opaque;
	return NULL;
}

void recall_note(struct recall *r, struct items *store, uid_t uid, const struct target *t,
	const struct llm_event *e, int64_t now_s)
{
	const struct opaque *o = opaque_of(e);
	if (e->choice != 0 || !store)
		return;
	if (e->type == EV_REASONING)
		buf_span(&r->text, e->text);
	if (o) {
		hold(r, t, o, false);
		return;
	}
	if (e->type != EV_TOOL_START)
		return;
	if (span_is_set(e->call.opaque.family))
		hold(r, t, &e->call.opaque, true);
	if (r->held.n > 0 && !r->is_lost) {
		OWNED(buf_done) struct buf value = BUF_INIT(HELD_BYTES + 2);
		buf_byte(&value, '[');
		buf_span(&value, buf_view(&r->held));
		buf_byte(&value, ']');
		if (!buf_error(&value))
			items_put(store, uid, e->call.id, buf_view(&value), now_s);
	}
	recall_rewind(r);
}

/* ---- putting back ---- */

/* Does the caller carry this family's items itself? Then it is the one to say where they belong. */
static bool carries_own(const struct message *m, struct span family)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (span_eq(m->parts[i].opaque.family, family))
			return true;
	}
	return false;
}

/* An item that was kept, if it is of this target. */
static bool read_item(
	struct json v, const struct target *t, struct arena *a, struct part *out, bool *is_on_call)
{
	struct opaque *o = &out->opaque;
	struct span provider;
	*out = (struct part){.type = PART_OPAQUE};
	if (json_utf8(json_member(v, "family"), a, &o->family) ||
		json_utf8(json_member(v, "provider"), a, &provider) ||
		json_utf8(json_member(v, "model"), a, &o->model) ||
		json_utf8(json_member(v, "text"), a, &out->text))
		return false;
	if (span_is_set(out->text))
		out->type = PART_REASONING;
	o->data = json_member(v, "data").text;
	*is_on_call = json_is_true(json_member(v, "on_call"));
	return span_eq(o->family, t->family) && span_eq(provider, t->provider) &&
	       span_is_set(o->data);
}

/* What was kept for a call, as a scanned array of the arena's; absent: nothing. */
static struct json kept_of(
	struct items *store, uid_t uid, struct span id, struct arena *a, int64_t now_s)
{
	struct span value = items_get(store, uid, id, now_s), copy;
	struct json v;
	if (!span_is_set(value) || arena_dup(a, value, &copy) ||
		json_scan(copy, JSON_STRICT, &v, NULL))
		return JSON_NONE;
	return v;
}

static size_t count(struct json array)
{
	size_t n = 0;
	for (struct json_walk w = json_each(array); json_next(&w);)
		n++;
	return n;
}

/* A message whose calls get back what stood before them. */
static enum err restore_message(struct items *store, uid_t uid, const struct target *t,
	struct arena *a, struct message *m, int64_t now_s, bool *is_changed)
{
	struct json *kept = arena_array(a, m->n_parts, sizeof *kept);
	size_t most = m->n_parts, n = 0;
	if (!kept)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < m->n_parts; i++) {
		const struct part *p = &m->parts[i];
		kept[i] = p->type == PART_TOOL_CALL && p->call.id.n > 0
				  ? kept_of(store, uid, p->call.id, a, now_s)
				  : JSON_NONE;
		most += count(kept[i]);
	}
	if (most == m->n_parts)
		return OK;
	struct part *parts = arena_array(a, most, sizeof *parts);
	if (!parts)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < m->n_parts; i++) {
		struct part call = m->parts[i];
		for (struct json_walk w = json_each(kept[i]); json_next(&w);) {
			struct part item;
			bool is_on_call;
			if (!read_item(w.value, t, a, &item, &is_on_call))
				continue;
			*is_changed = true;
			if (is_on_call)
				call.opaque = item.opaque;
			else
				parts[n++] = item;
		}
		parts[n++] = call;
	}
	m->parts = parts;
	m->n_parts = n;
	return OK;
}

static bool has_calls(const struct message *m)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].type == PART_TOOL_CALL)
			return true;
	}
	return false;
}

enum err recall_restore(struct items *store, uid_t uid, const struct target *t, struct arena *a,
	const struct llm_request *request, int64_t now_s, const struct llm_request **out)
{
	struct message *messages = NULL;
	bool is_changed = false;
	size_t bytes;
	*out = request;
	if (!store || items_count(store, &bytes) == 0)
		return OK;
	for (size_t i = 0; i < request->n_messages; i++) {
		const struct message *m = &request->messages[i];
		if (m->role != ROLE_ASSISTANT || !has_calls(m) || carries_own(m, t->family))
			continue;
		if (!messages) {
			messages = arena_array(a, request->n_messages, sizeof *messages);
			if (!messages)
				return ERR_NO_MEMORY;
			memcpy(messages, request->messages, request->n_messages * sizeof *messages);
		}
		const enum err err =
			restore_message(store, uid, t, a, &messages[i], now_s, &is_changed);
		if (err)
			return err;
	}
	if (!is_changed)
		return OK;
	struct llm_request *restored = arena_alloc(a, sizeof *restored);
	if (!restored)
		return ERR_NO_MEMORY;
	*restored = *request;
	restored->messages = messages;
	*out = restored;
	return OK;
}
