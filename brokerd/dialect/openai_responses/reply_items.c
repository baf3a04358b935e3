/* reply_items.c - what becomes of an item that is over? What of it was not told is, and what must come back
 * is given whole. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/openai_responses/reply.h"
#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"

/* The phase of a message has to come back with it: it stands before its text, as an extra member that
 * the text will have. */
enum err responses_take_phase(struct decoder *d, struct item *i, struct json item)
{
	const struct json phase = json_member(item, "phase");
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	struct extra_member member = {.name = SPAN("item.phase")};
	if (i->has_phase || !openai_is_text(phase))
		return OK;
	i->has_phase = true;
	if (responses_has_come(&i->content))
		return outlet_warn(&d->out, "repaired_response", NULL,
			"the provider said the phase of a message behind its text; it was left "
			"out");
	const enum err err = outlet_keep(&d->out, phase.text, &member.json);
	part.extra = (struct extra){SPAN(OPENAI_RESPONSES_FAMILY), &member, 1};
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* The content of a message, but what came already. */
static enum err end_message(struct decoder *d, struct item *i, struct json item)
{
	static const char *const names[] = {"type", "text", "refusal", "annotations", "logprobs"};
	const struct json content = json_member(item, "content");
	int64_t k = 0;
	enum err err = responses_take_phase(d, i, item);
	if (!err && json_kind(content) == JSON_STRING)
		err = responses_say(d, i, 0, OUTLET_TEXT, content, true);
	for (struct json_walk w = json_each(content); !err && json_next(&w); k++) {
		struct json m[COUNT_OF(names)];
		PICK(w.value, names, m);
		const bool is_refusal = json_is(m[0], "refusal");
		err = is_refusal ? responses_say(d, i, k, OUTLET_REFUSAL, m[2], true)
				 : responses_say(d, i, k, OUTLET_TEXT, m[1], true);
		if (!err && !i->has_logprobs)
			err = responses_say_logprobs(d, i, m[4]);
		if (!err)
			err = responses_say_citations(d, i, m[3]);
	}
	return err ? err : responses_give_cited(d, i);
}

/* What it thought, by its summary or else in its own words, but what came already. */
static enum err end_thoughts(struct decoder *d, struct item *i, struct json item)
{
	const struct json summary = json_member(item, "summary");
	const struct json content = json_member(item, "content");
	const bool is_summed_up =
		responses_has_come(&i->summary) || !responses_has_come(&i->content);
	int64_t k = 0;
	enum err err = OK;
	for (struct json_walk w = json_each(summary); !err && is_summed_up && json_next(&w); k++)
		err = responses_say_summary(d, i, k, json_member(w.value, "text"), true);
	const bool has_summary = responses_has_come(&i->summary);
	k = 0;
	for (struct json_walk w = json_each(content); !err && !has_summary && json_next(&w); k++)
		err = responses_say(d, i, k, OUTLET_REASONING, json_member(w.value, "text"), true);
	return err;
}

/* Is an item sealed otherwise than it was given? Notes how it is sealed now. */
static enum err seal(struct decoder *d, struct item *i, struct json item, bool *is_new)
{
	struct buf *text = &d->out.piece;
	buf_clear(text);
	json_text_to(json_member(item, "encrypted_content"), text);
	struct repeat now = {.n = 0};
	repeat_add(&now, buf_view(text));
	*is_new = now.n > 0 && !repeat_eq(&now, &i->sealed);
	i->sealed = now.n > 0 ? now : i->sealed;
	return outlet_check(text);
}

/* The item itself is to be sent back whole. */
static enum err end_reasoning(struct decoder *d, struct item *i, struct json item)
{
	const struct opaque opaque = {SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, item.text};
	bool is_new;
	enum err err = end_thoughts(d, i, item);
	if (!err)
		err = seal(d, i, item, &is_new);
	return err ? err : outlet_opaque(&d->out, 0, &opaque);
}

/* The last word on reasoning that was given already, where it belongs, before what it led to: it takes
 * the place of the one with its id. */
static enum err replace_reasoning(struct decoder *d, struct item *i, struct json item)
{
	const struct opaque opaque = {SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, item.text};
	bool is_new;
	const enum err err = seal(d, i, item, &is_new);
	return err || !is_new ? err : outlet_opaque(&d->out, 0, &opaque);
}

static enum err say_image(struct decoder *d, struct json item)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_REPLY_BYTES);
	struct part part = {.type = PART_IMAGE};
	buf_clear(&d->out.piece);
	if (!json_text_to(json_member(item, "result"), &d->out.piece))
		return OK;
	enum err err = outlet_check(&d->out.piece);
	if (err)
		return err;
	if (!base64_decode(buf_view(&d->out.piece), &bytes) && !outlet_check(&bytes))
		return outlet_warn(&d->out, "repaired_response", NULL,
			"the provider sent an image that is no base64; it was left out");
	err = outlet_check(&bytes);
	part.media.data = buf_view(&bytes);
	part.media.mime = media_type_of(part.media.data);
	return err || bytes.n == 0 ? err : outlet_part(&d->out, 0, &part);
}

/* What the provider did by itself, or wants done in a way of its own: carried in its place. */
static enum err end_other(struct decoder *d, struct json item)
{
	struct part part = {.type = PART_OPAQUE};
	enum err err = OK;
	if (json_is(json_member(item, "type"), "image_generation_call"))
		err = say_image(d, item);
	part.opaque = (struct opaque){SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, SPAN_NONE};
	if (!err)
		err = outlet_keep(&d->out, item.text, &part.opaque.data);
	return err ? err : outlet_part(&d->out, 0, &part);
}

enum err responses_end_item(struct decoder *d, struct item *i, struct json item)
{
	const struct json type = json_member(item, "type");
	if (i->is_over)
		return json_is(type, "reasoning") ? replace_reasoning(d, i, item) : OK;
	i->is_over = true;
	if (json_is(type, "message"))
		return end_message(d, i, item);
	if (json_is(type, "reasoning"))
		return end_reasoning(d, i, item);
	if (responses_is_call(type))
		return responses_end_call(d, i, item, type);
	if (json_is_nil(type))
		return end_message(d, i, item);
	return end_other(d, item);
}
