/* recall_restore.c - where among what a caller sends do the items of its calls come to stand?
 * What is kept for a call, recall.c tells. A run of the assistant's messages is filled segment by
 * segment, each up to a call. */
#include "brokerd/exchange/recall.h"

#include "brokerd/exchange/maker.h"
#include "protocol/base/buf.h"
#include "protocol/base/json.h"
#include "protocol/base/table.h"
#include "protocol/limits.h"

#define AT_END INT64_MAX

/* ---- finding ---- */

/* An id of the request that has got what is kept for it. */
struct served {
	TABLE_LINK;
	struct span id;
};

struct restorer {
	struct items *store;
	uint64_t owner;
	const struct target *t;
	struct arena *a;
	int64_t now_s;
	struct span begins; /* as what its maker has made begins, where it is kept */
	struct served *served;
};

struct kept_item {
	struct part part;
	int64_t at; /* behind so much ink of its segment */
};

/* The parts of a run up to a call, or behind the last, and what is to come among them. */
struct segment {
	struct kept_item *items;
	size_t n;
	struct opaque call; /* the call's own; absent: none */
};

/* Messages of the assistant's that follow one another: one turn, to the provider. */
struct run {
	struct message *messages;
	size_t n, n_parts, n_calls, n_items;
	struct segment *segments; /* one more than calls */
	struct ink thought;       /* reasoning that goes back with the items */
	bool has_call_item;
};

static enum err read_opaque(
	const struct restorer *s, struct json v, struct opaque *out, bool *is_ours)
{
	enum err err = json_utf8(json_member(v, "family"), s->a, &out->family);
	if (!err)
		err = json_utf8(json_member(v, "model"), s->a, &out->model);
	out->data = json_member(v, "data").text;
	*is_ours = !err && span_eq(out->family, s->t->family) && span_is_set(out->data);
	return err;
}

/* The item's place in a segment of the caller's: where it was, if all that can be seen is the same;
 * else before it all or behind it. */
static int64_t place_of(struct json item, bool is_same)
{
	int64_t at;
	if (!json_i64(json_member(item, "at"), &at))
		return AT_END;
	return at == 0 || is_same ? at : AT_END;
}

/* `seen`: what the caller sent where the list's items were. */
static enum err read_list(const struct restorer *s, struct json list, struct ink seen,
	struct run *run, struct segment *to)
{
	struct ink kept = INK_NONE;
	size_t n = 0;
	const bool is_same = json_i64(json_member(list, "ink"), &kept.n) &&
			     json_i64(json_member(list, "sum"), &kept.sum) && ink_eq(kept, seen);
	const struct json items = json_member(list, "items");
	for (struct json_walk w = json_each(items); json_next(&w);)
		n++;
	to->items = arena_array(s->a, n, sizeof *to->items);
	if (!to->items)
		return ERR_NO_MEMORY;
	for (struct json_walk w = json_each(items); json_next(&w);) {
		struct kept_item *item = &to->items[to->n];
		bool is_ours;
		*item = (struct kept_item){.at = place_of(w.value, is_same)};
		enum err err = read_opaque(s, w.value, &item->part.opaque, &is_ours);
		if (!err)
			err = json_utf8(json_member(w.value, "text"), s->a, &item->part.text);
		if (err)
			return err;
		const bool is_signature = span_is_set(item->part.text);
		item->part.type = is_signature ? PART_REASONING : PART_OPAQUE;
		if (!is_ours)
			continue;
		ink_text(&run->thought, item->part.text);
		run->n_items++;
		to->n++;
	}
	return OK;
}

/* What is kept for a call, unless a later one had its id; absent: nothing for this target. */
static enum err find(struct restorer *s, struct span id, struct json *out)
{
	struct served *served = NULL;
	struct span value, maker;
	*out = JSON_NONE;
	if (id.n > 0)
		TABLE_FIND(s->served, served, id.p, id.n);
	value = id.n > 0 && !served ? items_get(s->store, s->owner, id, s->now_s) : SPAN_NONE;
	if (!span_is_set(value))
		return OK;
	served = arena_alloc(s->a, sizeof *served);
	if (!served)
		return ERR_NO_MEMORY;
	*served = (struct served){.id = id};
	TABLE_ADD(s->served, served, served->id.p, served->id.n);
	if (!span_starts(value, s->begins))
		return OK;
	enum err err = arena_dup(s->a, value, &value);
	struct json v;
	if (err || json_scan(value, JSON_STRICT, &v, NULL) != OK)
		return err;
	err = json_utf8(json_member(v, "provider"), s->a, &maker);
	if (!err && span_is_set(maker) && maker_is(maker, s->t))
		*out = v;
	return err;
}

static enum err find_call(struct restorer *s, struct run *run, size_t k, struct span id,
	struct ink seen, struct json *kept)
{
	struct segment *to = &run->segments[k];
	bool is_ours;
	enum err err = find(s, id, kept);
	if (!err)
		err = read_list(s, json_member(*kept, "before"), seen, run, to);
	if (!err)
		err = read_opaque(s, json_member(*kept, "call"), &to->call, &is_ours);
	if (err)
		return err;
	if (!is_ours)
		to->call = (struct opaque){.family = SPAN_NONE};
	run->has_call_item = run->has_call_item || is_ours;
	return OK;
}

/* Fills the run's segments. */
static enum err find_all(struct restorer *s, struct run *run)
{
	struct ink seen = INK_NONE;
	struct json kept = JSON_NONE;
	size_t calls = 0;
	enum err err = OK;
	run->segments = arena_array(s->a, run->n_calls + 1, sizeof *run->segments);
	if (!run->segments)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < run->n; i++) {
		const struct message *m = &run->messages[i];
		for (size_t k = 0; !err && k < m->n_parts; k++) {
			ink_part(&seen, &m->parts[k]);
			if (m->parts[k].type != PART_TOOL_CALL)
				continue;
			err = find_call(s, run, calls++, m->parts[k].call.id, seen, &kept);
			seen = INK_NONE;
		}
	}
	return err ? err
		   : read_list(s, json_member(kept, "after"), seen, run, &run->segments[calls]);
}

/* ---- putting back ---- */

struct filling {
	struct part *out;
	size_t n;
	const struct segment *segment;
	size_t next;  /* of its items */
	int64_t seen; /* ink of the segment so far */
};

/* The items that stand before ink `until`. */
static void put_items(struct filling *f, int64_t until)
{
	for (; f->next < f->segment->n && f->segment->items[f->next].at < until; f->next++)
		f->out[f->n++] = f->segment->items[f->next].part;
}

/* A part of the caller's, in pieces where items stand inside of it. */
static void put_part(struct filling *f, struct part p)
{
	struct ink ink = INK_NONE;
	ink_part(&ink, &p);
	const int64_t end = f->seen + ink.n;
	put_items(f, f->seen + 1);
	while (f->next < f->segment->n && f->segment->items[f->next].at < end) {
		const int64_t at = f->segment->items[f->next].at;
		const size_t cut = ink_end(p.text, at - f->seen);
		struct part head = p;
		head.text = span_first(p.text, cut);
		head.cache = SPAN_NONE; /* it stands behind the whole */
		f->out[f->n++] = head;
		p = (struct part){.type = p.type, .text = span_skip(p.text, cut), .cache = p.cache};
		f->seen = at;
		put_items(f, at + 1);
	}
	f->seen = end;
	f->out[f->n++] = p;
}

/* The segment is over. */
static void end_segment(struct filling *f)
{
	for (; f->next < f->segment->n; f->next++)
		f->out[f->n++] = f->segment->items[f->next].part;
	f->segment++;
	f->next = 0;
	f->seen = 0;
}

static bool is_plain_thought(const struct part *p)
{
	return p->type == PART_REASONING && !span_is_set(p->opaque.family);
}

/* Does the caller send the very reasoning that goes back with its signature? */
static bool tells_thought(const struct run *run)
{
	struct ink told = INK_NONE;
	for (size_t i = 0; i < run->n; i++) {
		const struct message *m = &run->messages[i];
		for (size_t k = 0; k < m->n_parts; k++) {
			if (is_plain_thought(&m->parts[k]))
				ink_text(&told, m->parts[k].text);
		}
	}
	return told.n > 0 && ink_eq(told, run->thought);
}

static enum err fill(struct arena *a, struct run *run)
{
	/* each item may part a text */
	struct filling f = {.segment = run->segments};
	const bool is_told_twice = tells_thought(run);
	f.out = arena_array(a, run->n_parts + 2 * run->n_items, sizeof *f.out);
	if (!f.out)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < run->n; i++) {
		struct message *m = &run->messages[i];
		const size_t begin = f.n;
		for (size_t k = 0; k < m->n_parts; k++) {
			struct part p = m->parts[k];
			if (is_told_twice && is_plain_thought(&p))
				continue;
			if (p.type != PART_TOOL_CALL) {
				put_part(&f, p);
				continue;
			}
			if (span_is_set(f.segment->call.family))
				p.opaque = f.segment->call;
			end_segment(&f);
			f.out[f.n++] = p;
		}
		if (i + 1 == run->n)
			end_segment(&f);
		m->parts = &f.out[begin];
		m->n_parts = f.n - begin;
	}
	return OK;
}

/* Does the caller carry this family's items itself? Then it is the one to say where they belong. */
static bool carries_own(const struct run *run, struct span family)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct message *m = &run->messages[i];
		for (size_t k = 0; k < m->n_parts; k++) {
			if (span_eq(m->parts[k].opaque.family, family))
				return true;
		}
	}
	return false;
}

static void count_parts(struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct message *m = &run->messages[i];
		run->n_parts += m->n_parts;
		for (size_t k = 0; k < m->n_parts; k++)
			run->n_calls += m->parts[k].type == PART_TOOL_CALL;
	}
}

/* Is there anything of this maker's for one of its calls? */
static bool has_kept(const struct restorer *s, const struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct message *m = &run->messages[i];
		for (size_t k = 0; k < m->n_parts; k++) {
			const struct part *p = &m->parts[k];
			if (p->type == PART_TOOL_CALL && p->call.id.n > 0 &&
				span_starts(items_get(s->store, s->owner, p->call.id, s->now_s),
					s->begins))
				return true;
		}
	}
	return false;
}

static enum err restore_run(struct restorer *s, struct run *run, bool *is_changed)
{
	count_parts(run);
	if (run->n_calls == 0 || !has_kept(s, run) || carries_own(run, s->t->family))
		return OK;
	const enum err err = find_all(s, run);
	if (err || (run->n_items == 0 && !run->has_call_item))
		return err;
	*is_changed = true;
	return fill(s->a, run);
}

/* From the last to the first, for the latest call of an id is the one that has its items. */
static enum err restore_all(
	struct restorer *s, struct message *messages, size_t n, bool *is_changed)
{
	enum err err = OK;
	while (!err && n > 0) {
		struct run run = {.n = 0};
		for (; n > 0 && messages[n - 1].role == ROLE_ASSISTANT; n--)
			run.n++;
		run.messages = &messages[n];
		if (run.n > 0)
			err = restore_run(s, &run, is_changed);
		else
			n--;
	}
	return err;
}

enum err recall_restore(struct items *store, uint64_t owner, const struct target *t,
	struct arena *a, const struct llm_request *request, int64_t now_s,
	const struct llm_request **out)
{
	OWNED(buf_done) struct buf begins = BUF_INIT(2 * MAKER_BYTES + KIB);
	char maker[MAKER_BYTES];
	struct json_out o = json_to(&begins);
	json_open(&o, '{');
	json_pair_str(&o, "provider", maker_name(t, maker));
	struct restorer s = {.store = store,
		.owner = owner,
		.t = t,
		.a = a,
		.now_s = now_s,
		.begins = buf_view(&begins)};
	struct served *each, *after;
	bool is_changed = false;
	size_t bytes;
	*out = request;
	if (!store || items_count(store, &bytes) == 0 || request->n_messages == 0)
		return OK;
	if (buf_error(&begins))
		return ERR_NO_MEMORY;
	struct message *messages = arena_array(a, request->n_messages, sizeof *messages);
	if (!messages)
		return ERR_NO_MEMORY;
	memcpy(messages, request->messages, request->n_messages * sizeof *messages);
	const enum err err = restore_all(&s, messages, request->n_messages, &is_changed);
	TABLE_EACH(s.served, each, after)
		TABLE_REMOVE(s.served, each);
	if (err || !is_changed)
		return err;
	struct llm_request *restored = arena_alloc(a, sizeof *restored);
	if (!restored)
		return ERR_NO_MEMORY;
	*restored = *request;
	restored->messages = messages;
	*out = restored;
	return OK;
}
