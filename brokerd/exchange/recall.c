/* recall.c - what is kept for a call is JSON:
 *
 *     {"provider":S, "before":LIST, "call":OPAQUE, "after":LIST}
 *     LIST     {"ink":N, "sum":N, "items":[{OPAQUE.., "at":N, "text":S}]}
 *     OPAQUE   {"family":S, "model":S, "data":JSON}
 *
 * `provider` is who made it, as maker.h has it. `before` is what came since the answer's former call, `call` the
 * call's own item, `after` what came behind it, when it was the last. `ink` and `sum` are of all that could be seen
 * there, `at` is how much of it came before the item; `text` is the reasoning that it signs. Before there were
 * places, an array was kept, which is passed over. */
#include "brokerd/exchange/recall.h"

#include "brokerd/exchange/maker.h"
#include "protocol/base/json.h"

#define HELD_BYTES (1 * MIB)

void recall_init(struct recall *r)
{
	*r = (struct recall){
		.id = BUF_INIT(HELD_BYTES),
		.kept = BUF_INIT(2 * HELD_BYTES),
		.held = BUF_INIT(HELD_BYTES),
		.thought = BUF_INIT(HELD_BYTES),
		.seen = INK_NONE,
	};
}

void recall_done(struct recall *r)
{
	buf_done(&r->id);
	buf_done(&r->kept);
	buf_done(&r->held);
	buf_done(&r->thought);
}

void recall_rewind(struct recall *r)
{
	/* also where it had grown over its bound: then nothing of that answer was kept */
	recall_done(r);
	recall_init(r);
}

/* ---- holding ---- */

static void put_opaque(struct json_out *out, const struct opaque *o)
{
	json_pair_str(out, "family", o->family);
	json_pair_str(out, "model", o->model);
	json_pair_raw(out, "data", o->data);
}

/* `text`: the reasoning that the item is the signature of; absent: it is a thing of its own. */
static void hold(struct recall *r, const struct opaque *o, struct span text)
{
	struct json_out out = json_to(&r->held);
	out.has_value = r->held.n > 0;
	json_open(&out, '{');
	put_opaque(&out, o);
	json_pair_i64(&out, "at", r->seen.n);
	json_pair_str(&out, "text", text);
	json_close(&out, '}');
	r->is_lost = r->is_lost || buf_error(&r->held);
}

static void think(struct recall *r, struct span text)
{
	if (!r->is_thinking)
		r->thought_from = r->thought.n;
	r->is_thinking = true;
	buf_span(&r->thought, text);
}

/* An item right behind reasoning is the signature of that run alone. One that comes later is of all
 * that has none: hosts that gather it give it at their answer's end. */
static void sign(struct recall *r, const struct opaque *o)
{
	const size_t from = r->is_thinking ? r->thought_from : 0;
	r->is_lost = r->is_lost || buf_error(&r->thought);
	hold(r, o, span_skip(buf_view(&r->thought), from));
	buf_cut(&r->thought, from);
	r->is_thinking = false;
}

static void note_part(struct recall *r, const struct llm_event *e)
{
	if (e->part.type == PART_OPAQUE)
		hold(r, &e->part.opaque, SPAN_NONE);
	else if (!e->has_more)
		ink_part(&r->seen, &e->part);
}

/* ---- keeping ---- */

/* What is held, as a member of the object that is open; nothing is held any more. */
static void put_list(struct json_out *out, const char *name, struct recall *r)
{
	if (r->held.n > 0) {
		json_key(out, name);
		json_open(out, '{');
		json_pair_i64(out, "ink", r->seen.n);
		json_pair_i64(out, "sum", r->seen.sum);
		json_key(out, "items");
		json_open(out, '[');
		json_put_raw(out, buf_view(&r->held));
		json_close(out, ']');
		json_close(out, '}');
	}
	buf_clear(&r->held);
	r->seen = INK_NONE;
}

static void keep_call(struct recall *r, struct items *store, uint64_t owner, const struct target *t,
	const struct llm_event *e, int64_t now_s)
{
	const struct opaque *o = &e->call.opaque;
	const bool has_any = r->held.n > 0 || r->is_lost || span_is_set(o->family);
	/* two calls of one id in one answer: the second does not take the first one's away */
	const bool is_again = r->id.n > 0 && span_eq(buf_view(&r->id), e->call.id);
	struct json_out out = json_to(&r->kept);
	char maker[MAKER_BYTES];
	buf_clear(&r->kept);
	if (has_any) {
		json_open(&out, '{');
		json_pair_str(&out, "provider", maker_name(t, maker));
		put_list(&out, "before", r);
	}
	if (span_is_set(o->family)) {
		json_key(&out, "call");
		json_open(&out, '{');
		put_opaque(&out, o);
		json_close(&out, '}');
	}
	if (has_any)
		json_close(&out, '}');
	r->is_lost = r->is_lost || buf_error(&r->kept);
	if (r->is_lost)
		buf_clear(&r->kept);
	if (has_any || !is_again)
		items_put(store, owner, e->call.id, buf_view(&r->kept), now_s);
	buf_clear(&r->id);
	if (!r->is_lost)
		buf_span(&r->id, e->call.id);
	buf_clear(&r->held);
	r->seen = INK_NONE;
	r->is_lost = false;
}

/* What came behind the last call. */
static void keep_rest(struct recall *r, struct items *store, uint64_t owner, const struct target *t,
	int64_t now_s)
{
	struct json_out out = json_to(&r->kept);
	char maker[MAKER_BYTES];
	if (r->id.n == 0 || r->held.n == 0 || r->is_lost)
		return;
	if (r->kept.n == 0) {
		json_open(&out, '{');
		json_pair_str(&out, "provider", maker_name(t, maker));
	} else {
		buf_cut(&r->kept, r->kept.n - 1); /* its bracket: the object goes on */
		out.has_value = true;
	}
	put_list(&out, "after", r);
	json_close(&out, '}');
	if (!buf_error(&r->kept))
		items_put(store, owner, buf_view(&r->id), buf_view(&r->kept), now_s);
}

void recall_note(struct recall *r, struct items *store, uint64_t owner, const struct target *t,
	const struct llm_event *e, int64_t now_s)
{
	if (e->choice != 0 || !store)
		return;
	switch (e->type) {
	case EV_REASONING:
		think(r, e->text);
		return;
	case EV_OPAQUE:
		sign(r, &e->opaque);
		return;
	case EV_TEXT:
	case EV_REFUSAL:
		ink_text(&r->seen, e->text);
		break;
	case EV_PART:
		note_part(r, e);
		break;
	case EV_TOOL_START:
		keep_call(r, store, owner, t, e, now_s);
		break;
	case EV_FINISH:
		keep_rest(r, store, owner, t, now_s);
		break;
	case EV_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
	case EV_LOGPROBS:
	case EV_USAGE:
	case EV_WARNING:
	case EV_STATUS:
	case EV_RAW:
	case EV_HEAD:
	case EV_END:
	case EV_FAULT:
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		return;
	}
	r->is_thinking = false;
}
