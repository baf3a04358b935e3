/* candidate.c - blocks.h says which part is next; here it is written. */
#include "brokerd/dialect/gemini/candidate.h"

#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/verdict.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/limits.h"

/* ---- where parts go ---- */

static bool is_one_object(const struct candidate *c)
{
	return c->chunks->form == ANSWER_WHOLE;
}

/* A part is due next. */
static struct json_out part_open(struct candidate *c)
{
	if (!is_one_object(c))
		return chunks_open_part(c->chunks);
	struct json_out o = json_to(&c->parts);
	o.has_value = c->parts.n > 0;
	c->can_be_sealed = false;
	return o;
}

static void part_close(struct candidate *c)
{
	if (!is_one_object(c))
		chunks_close_part(c->chunks, buf_view(&c->end));
}

/* ---- seals and own parts ---- */

/* The object of this family that an item holds, or an absent value. */
static struct json own_object(const struct opaque *item)
{
	struct json v;
	if (!span_is(item->family, GEMINI_FAMILY) ||
		json_scan(item->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT)
		return JSON_NONE;
	return v;
}

/* The member of that name, where it is the only one. */
static struct json only(struct json object, const char *name)
{
	struct json_walk w = json_each(object);
	if (json_kind(object) != JSON_OBJECT || !json_next(&w) || !json_name_is(w.name, name))
		return JSON_NONE;
	const struct json found = w.value;
	return json_next(&w) ? JSON_NONE : found;
}

/* What must come back with a part: our own signature as it was, another family's item in its place. */
static void put_seal(struct json_out *o, const struct opaque *seal)
{
	if (!span_is_set(seal->family))
		return;
	const struct json own = json_member(own_object(seal), GEMINI_SIGNATURE);
	json_key(o, GEMINI_SIGNATURE);
	if (json_kind(own) == JSON_STRING)
		json_put_raw(o, own.text);
	else
		carry_put(seal, o);
}

/* Nearly all that goes out goes out here. */
static void put_words(
	struct candidate *c, struct span text, bool is_thought, const struct opaque *seal)
{
	struct json_out o = part_open(c);
	json_open(&o, '{');
	buf_span(o.to, SPAN("\"text\":"));
	json_put_str(&o, text);
	if (is_thought)
		buf_text(o.to, ",\"thought\":true");
	put_seal(&o, seal);
	json_close(&o, '}');
	part_close(c);
}

/* The seal of the part before it, which in a stream has gone. */
static void put_late_seal(struct candidate *c, const struct opaque *seal)
{
	if (!c->can_be_sealed) {
		put_words(c, SPAN(""), false, seal);
		return;
	}
	struct json_out o = json_to(&c->parts);
	o.has_value = true;
	buf_cut(&c->parts, c->parts.n - 1); /* its bracket: the object goes on */
	put_seal(&o, seal);
	json_close(&o, '}');
	c->can_be_sealed = false;
}

/* ---- blocks ---- */

static const struct opaque unsealed = {
	.family = {NULL, 0}
};

static enum err on_open(void *context, const struct block *b)
{
	struct candidate *c = context;
	(void)b;
	buf_clear(&c->text);
	return OK;
}

static enum err on_piece(void *context, const struct block *b, struct span text)
{
	struct candidate *c = context;
	if (!is_one_object(c) && b->type != BLOCK_CALL) {
		put_words(c, text, b->type == BLOCK_REASONING, &unsealed);
		return OK;
	}
	buf_span(&c->text, text);
	return buf_error(&c->text);
}

static void put_call(struct candidate *c, const struct block *b)
{
	struct json_out o = part_open(c);
	json_open(&o, '{');
	json_key(&o, "functionCall");
	json_open(&o, '{');
	json_pair_str(&o, "id", b->id);
	json_pair_str(&o, "name", b->name);
	json_key(&o, "args");
	(void)tool_args_put_object(&o, buf_view(&c->text));
	json_close(&o, '}');
	put_seal(&o, &b->opaque);
	json_close(&o, '}');
	part_close(c);
}

/* In a stream a text has gone by now, but not the seal of a thought. */
static enum err on_close(void *context, const struct block *b, const struct opaque *seal)
{
	struct candidate *c = context;
	const bool is_thought = b->type == BLOCK_REASONING;
	if (b->type == BLOCK_CALL) {
		put_call(c, b);
	} else if (is_one_object(c)) {
		put_words(c, buf_view(&c->text), is_thought, seal);
		c->can_be_sealed = !is_thought;
	} else if (span_is_set(seal->family)) {
		put_words(c, SPAN(""), is_thought, seal);
	}
	return OK;
}

static void put_medium(struct candidate *c, const struct media *m)
{
	struct json_out o = part_open(c);
	struct span mime = m->mime.n > 0 ? m->mime : media_type_of(m->data);
	if (mime.n == 0)
		mime = SPAN("application/octet-stream");
	json_open(&o, '{');
	json_key(&o, m->data.n > 0 ? "inlineData" : "fileData");
	json_open(&o, '{');
	json_pair_str(&o, "mimeType", mime);
	if (m->data.n > 0) {
		json_key(&o, "data");
		json_put_base64(&o, SPAN_NONE, m->data);
	} else {
		json_pair_str(&o, "fileUri", m->url);
	}
	json_close(&o, '}');
	json_close(&o, '}');
	part_close(c);
	c->can_be_sealed = is_one_object(c);
}

/* A part of our own, which may only say what seals the one before it. */
static void put_own(struct candidate *c, const struct opaque *item)
{
	const struct json v = own_object(item);
	if (span_is_set(only(v, GEMINI_SIGNATURE).text)) {
		put_late_seal(c, item);
		return;
	}
	struct json_out o = part_open(c);
	json_put_raw(&o, v.text);
	part_close(c);
}

/* Items that seal no words seal thoughts that were not told; one of another family is no thought here. */
static enum err on_whole(void *context, uint32_t index, const struct llm_event *e)
{
	struct candidate *c = context;
	(void)index;
	if (e->type == EV_OPAQUE)
		put_words(c, SPAN(""), span_is_set(own_object(&e->opaque).text), &e->opaque);
	else if (e->part.type == PART_OPAQUE && span_is_set(own_object(&e->part.opaque).text))
		put_own(c, &e->part.opaque);
	else if (e->part.type == PART_OPAQUE)
		put_words(c, SPAN(""), false, &e->part.opaque);
	else if (e->part.media.data.n > 0 || e->part.media.url.n > 0)
		put_medium(c, &e->part.media);
	return OK;
}

/* ---- the candidate ---- */

void candidate_init(struct candidate *c, struct chunks *chunks, uint32_t index)
{
	const struct block_sink sink = {
		.on_open = on_open,
		.on_piece = on_piece,
		.on_note = NULL, /* what a text cites is the candidate's */
		.on_close = on_close,
		.on_whole = on_whole,
		.context = c,
	};
	*c = (struct candidate){
		.chunks = chunks,
		.index = index,
		.text = BUF_INIT(LIMIT_BODY_BYTES),
		.parts = BUF_INIT(LIMIT_BODY_BYTES),
		.citations = BUF_INIT(LIMIT_BODY_BYTES),
		.grounding = BUF_INIT(LIMIT_BODY_BYTES),
		.sought = BUF_INIT(LIMIT_BODY_BYTES),
		.chosen = BUF_INIT(LIMIT_BODY_BYTES),
		.top = BUF_INIT(LIMIT_BODY_BYTES),
		.end = BUF_INIT(LIMIT_LABEL_BYTES),
	};
	chunks_write_end(index, &c->end);
	blocks_init(&c->blocks, &sink);
}

void candidate_done(struct candidate *c)
{
	struct buf *const bufs[] = {&c->text, &c->parts, &c->citations, &c->grounding, &c->sought,
		&c->chosen, &c->top, &c->end};
	for (size_t i = 0; i < COUNT_OF(bufs); i++)
		buf_done(bufs[i]);
	blocks_done(&c->blocks);
}

/* ---- what it rests on ---- */

/* Ours have no type, and a place in the text or an address by our names. */
static bool is_own_citation(struct json v)
{
	return json_kind(v) == JSON_OBJECT && json_is_nil(json_member(v, "type")) &&
	       (!json_is_nil(json_member(v, "uri")) || !json_is_nil(json_member(v, "startIndex")) ||
		       !json_is_nil(json_member(v, "endIndex")));
}

/* True: it was that, and is kept in the place of the one before it. */
static bool keep_last(struct json v, const char *name, struct buf *to)
{
	const struct json inside = only(v, name);
	if (json_kind(inside) != JSON_OBJECT)
		return false;
	buf_clear(to);
	buf_span(to, inside.text);
	return true;
}

static enum err take_cited(struct candidate *c, struct span citations)
{
	struct json list;
	if (json_scan(citations, JSON_STRICT, &list, NULL) != OK || json_kind(list) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (keep_last(w.value, "groundingMetadata", &c->grounding) ||
			keep_last(w.value, "urlContextMetadata", &c->sought) ||
			!is_own_citation(w.value))
			continue;
		if (c->citations.n > 0)
			buf_byte(&c->citations, ',');
		buf_span(&c->citations, w.value.text);
	}
	const enum err errors[] = {
		buf_error(&c->citations), buf_error(&c->grounding), buf_error(&c->sought)};
	return errors[0] ? errors[0] : errors[1] ? errors[1] : errors[2];
}

static enum err take_logprobs(struct candidate *c, struct span logprobs)
{
	struct json v;
	if (json_scan(logprobs, JSON_STRICT, &v, NULL) != OK)
		return OK;
	verdict_add_logprobs(v, &c->chosen, &c->top);
	return buf_error(&c->chosen) ? buf_error(&c->chosen) : buf_error(&c->top);
}

/* ---- events ---- */

/* Is it a thought without words, of whatever family? */
static bool is_thought(const struct opaque *item)
{
	static const char *const types[] = {"redacted_thinking", "thinking", "reasoning"};
	struct json v;
	if (json_scan(item->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT)
		return false;
	const struct json type = json_member(v, "type");
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (json_is(type, types[i]))
			return true;
	}
	return !json_is_nil(json_member(v, "reasoningContent"));
}

/* What other families' servers did has no place here; what they thought is carried. */
static enum err take_part(struct candidate *c, const struct llm_event *e)
{
	const struct part *p = &e->part;
	if (p->type == PART_TEXT)
		return span_is_set(p->citations) ? take_cited(c, p->citations) : OK;
	if (p->type == PART_OPAQUE && !span_is_set(own_object(&p->opaque).text) &&
		!is_thought(&p->opaque))
		return OK;
	return blocks_take(&c->blocks, e);
}

/* Its own blocks know of one choice alone. */
static enum err take_as_first(struct candidate *c, const struct llm_event *e)
{
	struct llm_event first = *e;
	first.choice = 0;
	return e->type == EV_PART ? take_part(c, &first) : blocks_take(&c->blocks, &first);
}

enum err candidate_take(struct candidate *c, const struct llm_event *e)
{
	enum err err;
	c->is_seen = true;
	if (e->type == EV_LOGPROBS)
		err = take_logprobs(c, e->text);
	else if (e->choice > 0)
		err = take_as_first(c, e);
	else
		err = e->type == EV_PART ? take_part(c, e) : blocks_take(&c->blocks, e);
	return err ? err : buf_error(&c->parts);
}

enum err candidate_end(struct candidate *c)
{
	enum err err = blocks_end(&c->blocks);
	if (!err)
		err = buf_error(&c->end);
	return err ? err : buf_error(&c->parts);
}

/* ---- the last word ---- */

static void put_list(struct json_out *o, const char *name, const struct buf *list)
{
	json_key(o, name);
	json_open(o, '[');
	if (list->n > 0)
		json_put_raw(o, buf_view(list));
	json_close(o, ']');
}

static void put_sources(struct candidate *c, struct json_out *o)
{
	if (c->citations.n > 0) {
		json_key(o, "citationMetadata");
		json_open(o, '{');
		put_list(o, "citations", &c->citations);
		json_close(o, '}');
	}
	if (c->grounding.n > 0)
		json_pair_raw(o, "groundingMetadata", buf_view(&c->grounding));
	if (c->sought.n > 0)
		json_pair_raw(o, "urlContextMetadata", buf_view(&c->sought));
	if (c->chosen.n > 0) {
		json_key(o, "logprobsResult");
		json_open(o, '{');
		put_list(o, "topCandidates", &c->top);
		put_list(o, "chosenCandidates", &c->chosen);
		json_close(o, '}');
	}
}

/* Readers take the first part for granted: an empty text stands where there is none. */
enum err candidate_put_last(struct candidate *c, struct json_out *o)
{
	const enum finish finish = c->finish ? c->finish : FINISH_STOP;
	json_open(o, '{');
	json_key(o, "content");
	json_open(o, '{');
	json_key(o, "parts");
	json_open(o, '[');
	json_put_raw(o, c->parts.n > 0 ? buf_view(&c->parts) : SPAN("{\"text\":\"\"}"));
	json_close(o, ']');
	json_pair_str(o, "role", SPAN("model"));
	json_close(o, '}');
	json_pair_str(o, "finishReason", span_str(verdict_word(finish, c->native)));
	put_sources(c, o);
	json_pair_i64(o, "index", c->index);
	json_close(o, '}');
	return buf_error(o->to);
}
