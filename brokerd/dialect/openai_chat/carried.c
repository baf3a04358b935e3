/* carried.c - {"type":"reasoning.encrypted","id":"llmb.INDEX.REASONING.CONTENT.CALLS",...}, the numbers
 * being those of struct carried_place: OpenRouter's readers keep no member that they do not know, and the
 * id says which entries are the same. REASONING is "-" for a part. */
#include "brokerd/dialect/openai_chat/carried.h"

#include <stdio.h>

#include "brokerd/dialect/carry.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define ID_MARK       "llmb"
#define MEMBER        "llm_broker"
#define GOOGLE        "google"
#define GOOGLE_SIGNED "thought_signature"

/* ---- out ---- */

void carried_put(struct json_out *to, const struct opaque *item, uint32_t index,
	const struct carried_place *place)
{
	char id[128], reasoning[24] = "-";
	if (!place->is_part)
		(void)snprintf(reasoning, sizeof reasoning, "%zu", place->reasoning);
	(void)snprintf(id, sizeof id, ID_MARK ".%u.%s.%zu.%zu", (unsigned)index, reasoning,
		place->content, place->calls);
	json_open(to, '{');
	json_pair_str(to, "type", SPAN("reasoning.encrypted"));
	json_pair_str(to, "id", span_str(id));
	json_pair_str(
		to, "format", SPAN("unknown")); /* one of those that OpenRouter's readers know */
	json_pair_i64(to, "index", index);
	json_key(to, "data");
	carry_put(item, to);
	json_close(to, '}');
}

void carried_put_of_call(struct json_out *to, const struct opaque *item)
{
	struct json v = JSON_NONE;
	json_open(to, '{');
	json_key(to, MEMBER);
	carry_put(item, to);
	if (span_is(item->family, "gemini") && json_scan(item->data, JSON_STRICT, &v, NULL) == OK)
		v = json_member(v, "thoughtSignature");
	if (json_kind(v) == JSON_STRING) {
		json_key(to, GOOGLE);
		json_open(to, '{');
		json_pair_raw(to, GOOGLE_SIGNED, v.text);
		json_close(to, '}');
	}
	json_close(to, '}');
}

/* ---- in ---- */

struct carried_item {
	struct opaque opaque;
	struct carried_place place;
};

static bool read_carry(struct json v, struct arena *a, struct opaque *out)
{
	struct span text;
	return json_text(v, a, &text) == OK && carry_read(text, a, out);
}

bool carried_read_of_call(struct json extra_content, struct arena *a, struct opaque *out)
{
	return read_carry(json_member(extra_content, MEMBER), a, out);
}

static bool read_count(struct span *rest, size_t *out)
{
	int64_t n;
	if (!num_i64(span_cut(rest, '.'), &n) || n < 0)
		return false;
	*out = (size_t)n;
	return true;
}

/* False: the id is none of ours, or was changed. */
static bool read_place(struct span id, struct carried_place *out)
{
	size_t index;
	*out = (struct carried_place){.is_part = false};
	if (!span_is(span_cut(&id, '.'), ID_MARK) || !read_count(&id, &index))
		return false;
	out->is_part = span_starts(id, SPAN("-."));
	if (out->is_part)
		id = span_skip(id, 2);
	else if (!read_count(&id, &out->reasoning))
		return false;
	return read_count(&id, &out->content) && read_count(&id, &out->calls);
}

/* Is the entry an item that is carried? */
static bool read_item(struct json entry, struct arena *a, struct carried_item *out)
{
	struct span id = SPAN_NONE;
	if (json_kind(entry) != JSON_OBJECT ||
		!read_carry(json_member(entry, "data"), a, &out->opaque))
		return false;
	if (json_text(json_member(entry, "id"), a, &id) != OK || !read_place(id, &out->place))
		out->place = (struct carried_place){.reasoning = SIZE_MAX}; /* of all there is */
	return true;
}

enum err carried_read(struct intake *in, struct json details, struct carried *out)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out own = json_to(&json);
	const size_t n = json_kind(details) == JSON_ARRAY ? intake_count(details) : 0;
	*out = (struct carried){.own = details};
	if (n == 0)
		return OK;
	out->items = arena_array(in->arena, n, sizeof *out->items);
	if (!out->items)
		return intake_no_memory(in);
	json_open(&own, '[');
	for (struct json_walk w = json_each(details); json_next(&w);) {
		if (read_item(w.value, in->arena, &out->items[out->n]))
			out->n++;
		else
			json_put_raw(&own, w.value.text);
	}
	json_close(&own, ']');
	if (out->n == 0)
		return OK;
	out->own = JSON_NONE;
	if (buf_error(&json) ||
		(out->n < n && arena_dup(in->arena, buf_view(&json), &out->own.text)))
		return intake_no_memory(in);
	return OK;
}

/* A message whose parts are laid out anew. */
struct layout {
	const struct part *said, *said_end; /* not given yet, of what is no call */
	const struct part *calls, *calls_end;
	size_t said_from;         /* how much of the first of `said` is given */
	struct span thought;      /* reasoning not given yet */
	size_t content, n_called; /* bytes of text, and calls, that are given */
	struct part *out;
	size_t n;
};

/* So many bytes, or a few more, so that no character is cut. */
static struct span first_of(struct span text, size_t n)
{
	while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n++;
	return span_first(text, n);
}

/* The rest of the text that comes next, or no more of it than is wanted. */
static void give_text(struct layout *l, size_t wanted)
{
	struct part p = *l->said;
	const struct span left = span_skip(p.text, l->said_from);
	p.text = p.extra.n > 0 ? left : first_of(left, wanted);
	l->content += p.text.n;
	l->said_from += p.text.n;
	if (p.text.n == left.n) {
		l->said++;
		l->said_from = 0;
	} else {
		p.cache = SPAN_NONE; /* it stands behind the whole */
	}
	l->out[l->n++] = p;
}

/* What was said, up to so many bytes of text. */
static void give_said(struct layout *l, size_t until)
{
	while (l->said < l->said_end && l->content < until) {
		if (l->said->type == PART_TEXT)
			give_text(l, until - l->content);
		else
			l->out[l->n++] = *l->said++;
	}
}

static void give_calls(struct layout *l, size_t until)
{
	for (; l->calls < l->calls_end && l->n_called < until; l->n_called++)
		l->out[l->n++] = *l->calls++;
}

static void give_item(struct layout *l, const struct carried_item *item)
{
	struct part *p = &l->out[l->n++];
	*p = (struct part){.type = item->place.is_part ? PART_OPAQUE : PART_REASONING};
	p->opaque = item->opaque;
	if (item->place.is_part)
		return;
	p->text = first_of(l->thought, item->place.reasoning);
	l->thought = span_skip(l->thought, p->text.n);
	if (!span_is_set(p->text))
		p->text = SPAN("");
}

/* The parts as they are before anything is given. */
static struct layout layout_of(const struct message *m, struct part *out)
{
	struct layout l = {.said = m->parts, .calls_end = m->parts + m->n_parts, .out = out};
	l.calls = l.calls_end;
	while (l.calls > l.said && l.calls[-1].type == PART_TOOL_CALL)
		l.calls--;
	l.said_end = l.calls;
	if (l.said == l.said_end || l.said->type != PART_REASONING)
		return l;
	if (span_is_set(l.said->opaque.family))
		l.out[l.n++] = *l.said;
	else
		l.thought = l.said->text;
	l.said++;
	return l;
}

enum err carried_settle(struct intake *in, const struct carried *c, struct message *m)
{
	if (c->n == 0)
		return OK;
	/* each item may part a text; and what remains of the reasoning */
	struct part *out = arena_array(in->arena, m->n_parts + 2 * c->n + 1, sizeof *out);
	if (!out)
		return intake_no_memory(in);
	struct layout l = layout_of(m, out);
	for (size_t i = 0; i < c->n; i++) {
		give_said(&l, c->items[i].place.content);
		give_calls(&l, c->items[i].place.calls);
		give_item(&l, &c->items[i]);
	}
	if (l.thought.n > 0)
		l.out[l.n++] = (struct part){.type = PART_REASONING, .text = l.thought};
	give_said(&l, SIZE_MAX);
	give_calls(&l, SIZE_MAX);
	m->parts = l.out;
	m->n_parts = l.n;
	return OK;
}
