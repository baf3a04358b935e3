/* order.c - messages for hosts that are particular: one system text, user and assistant in turn, no
 * tools. */
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

#define CONTINUES "(conversation continues)"

struct order {
	struct scribe *s;
	struct message *out;
	size_t n;
	struct buf pending;  /* system text on its way into the next words of the user */
	bool is_under_way;   /* somebody other than the system has spoken */
	bool has_calls_told; /* calls became text */
};

static bool is_system(const struct message *m)
{
	return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

static bool has_calls(const struct message *m)
{
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type == PART_TOOL_CALL)
			return true;
	}
	return m->role == ROLE_TOOL;
}

/* One text part, copied. */
static enum err text_part(struct order *o, struct span text, struct part **out)
{
	struct arena *a = o->s->notes->arena;
	*out = arena_array(a, 1, sizeof **out);
	if (!*out)
		return ERR_NO_MEMORY;
	(*out)->type = PART_TEXT;
	return arena_dup(a, text, &(*out)->text);
}

static enum err add_text(struct order *o, enum role role, struct span text)
{
	struct message m = {.role = role, .n_parts = 1};
	const enum err err = text_part(o, text, &m.parts);
	if (!err)
		o->out[o->n++] = m;
	return err;
}

/* The parts of `m` behind those of *to. */
static enum err append(struct order *o, struct message *to, const struct part *parts, size_t n)
{
	struct part *all = arena_array(o->s->notes->arena, to->n_parts + n, sizeof *all);
	if (!all)
		return ERR_NO_MEMORY;
	for (size_t k = 0; k < to->n_parts; k++)
		all[k] = to->parts[k];
	for (size_t k = 0; k < n; k++)
		all[to->n_parts + k] = parts[k];
	to->parts = all;
	to->n_parts += n;
	return OK;
}

/* What waits for the user's next words goes before them. */
static enum err prepend_pending(struct order *o, struct message *m)
{
	struct message whole = *m;
	if (o->pending.n == 0)
		return OK;
	enum err err = buf_error(&o->pending) ? ERR_NO_MEMORY
					      : text_part(o, buf_view(&o->pending), &whole.parts);
	whole.n_parts = 1;
	if (!err)
		err = append(o, &whole, m->parts, m->n_parts);
	buf_clear(&o->pending);
	*m = whole;
	return err;
}

static enum err add_system(struct order *o, const struct message *m)
{
	const struct quirks *q = &o->s->target->quirks;
	const bool is_one = q->is_system_single || q->is_order_strict;
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	if (q->has_system && (!is_one || (!o->is_under_way && o->n == 0))) {
		o->out[o->n++] = *m;
		return OK;
	}
	if (q->has_system && !o->is_under_way) { /* joined to the first, a blank line between */
		said_text(&o->out[0], "\n", &text);
		buf_text(&text, "\n\n");
		said_text(m, "\n", &text);
		o->out[0].n_parts = 1;
		return buf_error(&text) ? ERR_NO_MEMORY
					: text_part(o, buf_view(&text), &o->out[0].parts);
	}
	buf_text(&o->pending, q->has_system ? "<system>\n" : "");
	said_text(m, "\n", &o->pending);
	buf_text(&o->pending, q->has_system ? "\n</system>\n\n" : "\n\n");
	return scribe_warn_once(o->s, "rewritten_message", "messages",
		"system text went into words of the user's: the provider takes it nowhere else");
}

/* A call, and its result, as words. */
static enum err tell_calls(struct order *o, const struct message *m, struct message *out)
{
	enum err err = OK;
	*out = *m;
	if (m->role == ROLE_TOOL) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		said_text(m, "\n", &text);
		if (m->is_error)
			said_error(&text);
		*out = (struct message){.role = ROLE_USER, .n_parts = 1};
		return buf_error(&text)
			       ? ERR_NO_MEMORY
			       : text_part(o, text.n > 0 ? buf_view(&text) : SPAN("(empty)"),
					 &out->parts);
	}
	out->parts = arena_array(o->s->notes->arena, m->n_parts, sizeof *out->parts);
	if (!out->parts)
		return ERR_NO_MEMORY;
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		const struct tool_call *call = &m->parts[k].call;
		struct part *told = NULL;
		out->parts[k] = m->parts[k];
		if (m->parts[k].type != PART_TOOL_CALL)
			continue;
		buf_text(&text, k > 0 ? "\n[called " : "[called ");
		buf_span(&text, call->name);
		buf_byte(&text, '(');
		buf_span(&text, span_trim(call->arguments).n > 0 ? call->arguments : SPAN("{}"));
		buf_text(&text, ")]");
		err = buf_error(&text) ? ERR_NO_MEMORY : text_part(o, buf_view(&text), &told);
		if (!err)
			out->parts[k] = *told;
	}
	return err;
}

static enum err add(struct order *o, const struct message *m)
{
	const struct part gap = {.type = PART_TEXT, .text = SPAN("\n\n")};
	const struct quirks *q = &o->s->target->quirks;
	struct message said = *m;
	enum err err = OK;
	if (is_system(m))
		return add_system(o, m);
	if (!q->has_tools && has_calls(m)) {
		o->has_calls_told = true;
		err = tell_calls(o, m, &said);
	}
	if (!err && q->is_order_strict && said.role == ROLE_ASSISTANT && !o->is_under_way) {
		err = add_text(o, ROLE_USER, SPAN(CONTINUES));
		if (!err)
			err = prepend_pending(o, &o->out[o->n - 1]);
		if (!err)
			err = scribe_change(o->s, "rewritten_message", "messages",
				"words of the user's were put before the assistant's first: %.*s "
				"wants them so",
				SPAN_ARG(o->s->target->provider));
	}
	if (!err && said.role == ROLE_USER)
		err = prepend_pending(o, &said);
	if (err)
		return err;
	struct message *last = o->n > 0 ? &o->out[o->n - 1] : NULL;
	o->is_under_way = true;
	if (q->is_order_strict && last && last->role == said.role && said.role != ROLE_TOOL &&
		!has_calls(last)) {
		/* the texts of an assistant become one string */
		if (said.role == ROLE_ASSISTANT)
			err = append(o, last, &gap, 1);
		return err ? err : append(o, last, said.parts, said.n_parts);
	}
	o->out[o->n++] = said;
	return OK;
}

/* The last words are the user's, too, where nothing is gone on with that an assistant began. */
static enum err end_with_user(struct order *o)
{
	const struct message *last = o->n > 0 ? &o->out[o->n - 1] : NULL;
	if (!last || last->role != ROLE_ASSISTANT || o->s->target->quirks.prefill != PREFILL_NO)
		return OK;
	const enum err err = add_text(o, ROLE_USER, SPAN(CONTINUES));
	return err ? err
		   : scribe_change(o->s, "rewritten_message", "messages",
			     "words of the user's were put behind the assistant's last: %.*s wants "
			     "them so",
			     SPAN_ARG(o->s->target->provider));
}

/* System text behind the user's last words goes to their end. */
static enum err end(struct order *o)
{
	struct message *last = o->n > 0 ? &o->out[o->n - 1] : NULL;
	struct part *part;
	enum err err = OK;
	if (o->pending.n > 0) {
		err = buf_error(&o->pending)
			      ? ERR_NO_MEMORY
			      : text_part(o, span_trim(buf_view(&o->pending)), &part);
		if (!err && last && last->role == ROLE_USER)
			err = append(o, last, part, 1);
		else if (!err)
			o->out[o->n++] = (struct message){ROLE_USER, .parts = part, .n_parts = 1};
	}
	if (!err && o->s->target->quirks.is_order_strict)
		err = end_with_user(o);
	if (!err && o->has_calls_told)
		err = scribe_change(o->s, "rewritten_message", "messages",
			"earlier calls of tools and their results went out as text: %.*s takes no "
			"tools",
			SPAN_ARG(o->s->target->provider));
	return err;
}

static bool is_particular(const struct scribe *s)
{
	const struct quirks *q = &s->target->quirks;
	bool has_any_calls = false;
	for (size_t i = 0; i < s->r->n_messages; i++)
		has_any_calls = has_any_calls || has_calls(&s->r->messages[i]);
	return !q->has_system || q->is_system_single || q->is_order_strict ||
	       (!q->has_tools && has_any_calls);
}

enum err openai_chat_order(
	struct scribe *s, struct openai_chat_plan *plan, struct llm_request *room)
{
	struct order o = {.s = s, .pending = BUF_INIT(LIMIT_BODY_BYTES)};
	struct part texts[] = {
		{.type = PART_TEXT, .text = plan->lead},
		{.type = PART_TEXT, .text = plan->tail},
	};
	const struct message lead = {ROLE_SYSTEM, .parts = &texts[0], .n_parts = 1};
	const struct message tail = {ROLE_SYSTEM, .parts = &texts[1], .n_parts = 1};
	enum err err = OK;
	if (!is_particular(s))
		return OK;
	o.out = arena_array(s->notes->arena, s->r->n_messages + 4, sizeof *o.out);
	if (!o.out)
		return ERR_NO_MEMORY;
	if (span_is_set(plan->lead))
		err = add(&o, &lead);
	for (size_t i = 0; !err && i < s->r->n_messages; i++)
		err = add(&o, &s->r->messages[i]);
	if (!err && span_is_set(plan->tail))
		err = add(&o, &tail);
	if (!err)
		err = end(&o);
	buf_done(&o.pending);
	/* the parts of texts that were copied as messages must outlive this function */
	for (size_t i = 0; !err && i < o.n; i++) {
		if (o.out[i].parts == &texts[0] || o.out[i].parts == &texts[1])
			err = text_part(&o, o.out[i].parts->text, &o.out[i].parts);
	}
	plan->lead = plan->tail = SPAN_NONE;
	*room = *s->r;
	room->messages = o.out;
	room->n_messages = o.n;
	s->r = room;
	return err;
}
