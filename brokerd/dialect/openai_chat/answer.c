/* answer.c - what happens in a choice, as far as it makes sense in its order, for one of two voices. */
#include "brokerd/dialect/openai_chat/answer.h"

#include "brokerd/dialect/cited.h"
#include "brokerd/dialect/made_id.h"
#include "brokerd/dialect/openai_chat/carried.h"
#include "brokerd/dialect/openai_chat/logprobs.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/said.h"
#include "protocol/limits.h"

const char *const answer_text_names[ANSWER_TEXTS] = {
	[ANSWER_CONTENT] = "content",
	[ANSWER_REASONING] = "reasoning_content",
	[ANSWER_REFUSAL] = "refusal",
};

const char *const answer_list_names[ANSWER_LISTS] = {
	[ANSWER_DETAILS] = "reasoning_details",
	[ANSWER_ANNOTATIONS] = "annotations",
	[ANSWER_IMAGES] = "images",
	[ANSWER_LOGPROBS] = "content",
	[ANSWER_REFUSAL_LOGPROBS] = "refusal",
};

/* Gives the elements that were written to the scratch. */
static void give_list(struct encoder *e, struct answer_choice *c, enum answer_list which)
{
	const struct span elements = openai_scratch_view(&e->answer);
	if (elements.n > 0)
		e->voice->list(e, c, which, elements);
}

/* ---- texts ---- */

static size_t count_chars(struct span text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++)
		n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	return n;
}

static void say(
	struct encoder *e, struct answer_choice *c, enum answer_text which, struct span text)
{
	if (text.n == 0)
		return;
	if (which == ANSWER_CONTENT) {
		c->content_bytes += text.n;
		c->content_chars += count_chars(text);
	} else if (which == ANSWER_REASONING) {
		c->unsealed_bytes += text.n;
	}
	e->voice->text(e, c, which, text);
}

/* ---- calls ---- */

static struct answer_call *call_of(const struct answer_choice *c, uint32_t tool)
{
	struct answer_call *call = c->last_call;
	if (call && call->tool == tool)
		return call;
	for (call = c->calls; call && call->tool != tool;)
		call = call->next;
	return call;
}

/* The value of extra_content; absent: nothing must come back with the call. */
static struct span extra_of(struct openai_answer *a, const struct opaque *item)
{
	struct json v;
	struct span kept = SPAN_NONE;
	if (!span_is_set(item->family))
		return SPAN_NONE;
	if (!span_is(item->family, OPENAI_CHAT_FAMILY)) {
		struct json_out o = openai_scratch(a);
		carried_put_of_call(&o, item);
		return openai_scratch_keep(a);
	}
	if (json_scan(item->data, JSON_STRICT, &v, NULL) == OK && json_kind(v) == JSON_OBJECT)
		openai_answer_fail(a, arena_dup(a->arena, v.text, &kept));
	return kept;
}

static struct span id_of(struct openai_answer *a, struct span id)
{
	struct buf *to = openai_scratch(a).to;
	if (id.n > 0)
		buf_span(to, id);
	else
		made_id(to, "call_", &a->seed);
	return openai_scratch_keep(a);
}

static void begin_call(struct encoder *e, struct answer_choice *c, const struct llm_event *ev)
{
	struct openai_answer *a = &e->answer;
	struct answer_call *call = arena_alloc(a->arena, sizeof *call);
	if (!call) {
		openai_answer_fail(a, ERR_NO_MEMORY);
		return;
	}
	*call = (struct answer_call){.tool = ev->tool,
		.index = c->n_calls++,
		.is_custom = ev->call.is_custom,
		.id = id_of(a, ev->call.id),
		.extra = extra_of(a, &ev->call.opaque),
		.args = BUF_INIT(LIMIT_BODY_BYTES)};
	openai_answer_fail(a, arena_dup(a->arena, ev->call.name, &call->name));
	if (c->last_call)
		c->last_call->next = call;
	else
		c->calls = call;
	c->last_call = call;
	c->base.has_calls = true;
	if (!a->err)
		e->voice->call(e, c, call);
}

static void end_call(struct encoder *e, struct answer_choice *c, struct answer_call *call)
{
	call->is_over = true;
	e->voice->called(e, c, call);
}

/* The older form has a place for one call alone. */
static void take_call(struct encoder *e, struct answer_choice *c, const struct llm_event *ev)
{
	struct answer_call *call = call_of(c, ev->tool);
	const bool has_place = !e->is_older || !c->calls;
	if (!call && ev->type == EV_TOOL_START && has_place)
		begin_call(e, c, ev);
	if (!call || call->is_over)
		return;
	if (ev->type == EV_TOOL_END)
		end_call(e, c, call);
	else if (ev->type == EV_TOOL_ARGS && ev->text.n > 0)
		e->voice->args(e, c, call, ev->text);
}

void answer_put_call(const struct encoder *e, const struct answer_call *call, struct span args,
	struct json_out *o)
{
	const bool is_custom = call->is_custom && !e->is_older;
	if (!e->is_older) {
		json_pair_str(o, "id", call->id);
		json_pair_str(o, "type", is_custom ? SPAN("custom") : SPAN("function"));
		json_key(o, is_custom ? "custom" : "function");
		json_open(o, '{');
	}
	json_key(o, "name");
	json_put_str(o, call->name);
	json_key(o, is_custom ? "input" : "arguments");
	json_put_str(o, args);
	if (e->is_older)
		return;
	json_close(o, '}');
	json_pair_raw(o, "extra_content", call->extra);
}

/* ---- opaque items ---- */

/* The elements of an array, without its brackets; absent: it is none. */
static struct span elements_of(struct json v)
{
	return json_kind(v) == JSON_ARRAY ? span_trim(span_of(v.text.p + 1, v.text.n - 2))
					  : SPAN_NONE;
}

/* What this family's decoder gives is the list itself. */
static bool is_own_list(const struct opaque *item, struct json *list)
{
	return span_is(item->family, OPENAI_CHAT_FAMILY) &&
	       json_scan(item->data, JSON_STRICT, list, NULL) == OK &&
	       json_kind(*list) == JSON_ARRAY;
}

static bool has_words(struct json list)
{
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (json_member(w.value, "text").text.n > 2 ||
			json_member(w.value, "summary").text.n > 2)
			return true;
	}
	return false;
}

/* Have the entries the indexes that come next? */
static bool goes_on(struct json list, uint32_t next)
{
	for (struct json_walk w = json_each(list); json_next(&w); next++) {
		int64_t index;
		if (!json_i64(json_member(w.value, "index"), &index) || index != next)
			return false;
	}
	return true;
}

/* The words of an own list have been said; behind them in a stream, a reader would take the list's for
 * more, and it puts entries of one index together, or fails where there is none. There such a list is
 * carried like another family's. */
static void take_opaque(
	struct encoder *e, struct answer_choice *c, const struct opaque *item, bool is_part)
{
	const struct carried_place place = {
		is_part, c->unsealed_bytes, c->content_bytes, c->n_calls};
	struct json_out o = openai_scratch(&e->answer);
	struct json list;
	if (!span_is_set(item->family))
		return;
	if (!is_part)
		c->unsealed_bytes = 0;
	if (is_own_list(item, &list) &&
		(!e->answer.is_stream || (!has_words(list) && goes_on(list, c->n_details)))) {
		buf_span(&e->answer.scratch, elements_of(list));
		c->n_details += (uint32_t)intake_count(list);
	} else {
		carried_put(&o, item, c->n_details++, &place);
	}
	give_list(e, c, ANSWER_DETAILS);
}

/* ---- parts ---- */

struct citing {
	struct json_out o;
	int64_t here; /* characters of the text so far */
	uint32_t *
		index; /* of the next in a stream, whose readers put lists together by it; NULL: whole */
};

/* One that does not say what it is for stands behind the text that it came behind. */
static void put_annotation(void *context, const struct cited *c)
{
	struct citing *citing = context;
	struct json_out *o = &citing->o;
	const bool is_placed = c->start >= 0 && c->end <= citing->here;
	json_open(o, '{');
	if (citing->index)
		json_pair_i64(o, "index", (*citing->index)++);
	json_pair_str(o, "type", SPAN("url_citation"));
	json_key(o, "url_citation");
	json_open(o, '{');
	json_pair_i64(o, "start_index", is_placed ? c->start : citing->here);
	json_pair_i64(o, "end_index", is_placed ? c->end : citing->here);
	json_pair_raw(o, "url", c->url.text);
	json_pair_raw(o, "title", span_is_set(c->title.text) ? c->title.text : c->url.text);
	json_close(o, '}');
	json_close(o, '}');
}

static void take_citations(struct encoder *e, struct answer_choice *c, struct span citations)
{
	struct citing citing = {openai_scratch(&e->answer), (int64_t)c->content_chars,
		e->answer.is_stream ? &c->n_annotations : NULL};
	struct json list;
	if (!span_is_set(citations) || json_scan(citations, JSON_STRICT, &list, NULL) != OK)
		return;
	cited_each(list, put_annotation, &citing);
	give_list(e, c, ANSWER_ANNOTATIONS);
}

static void take_image(struct encoder *e, struct answer_choice *c, const struct media *m)
{
	struct json_out o = openai_scratch(&e->answer);
	if (m->data.n == 0 && m->url.n == 0)
		return;
	json_open(&o, '{');
	json_pair_str(&o, "type", SPAN("image_url"));
	json_key(&o, "image_url");
	json_open(&o, '{');
	json_key(&o, "url");
	said_put_url(&o, m, "image/png");
	json_close(&o, '}');
	json_pair_i64(&o, "index", c->n_images++);
	json_close(&o, '}');
	give_list(e, c, ANSWER_IMAGES);
}

/* Nobody here keeps audio: one without a name of its provider's gets one that nothing knows. How long the
 * other is kept, its provider alone knows: not beyond now, for all that is certain. */
static void take_audio(struct encoder *e, struct answer_choice *c, const struct part *p)
{
	struct openai_answer *a = &e->answer;
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = openai_scratch(a);
	if (p->media.file_id.n > 0)
		buf_span(&id, p->media.file_id);
	else
		made_id(&id, "audio_", &a->seed);
	json_open(&o, '{');
	json_pair_str(&o, "id", buf_view(&id));
	json_key(&o, "data");
	json_put_base64(&o, SPAN_NONE, p->media.data);
	json_pair_i64(&o, "expires_at", a->plan->env->wall_s);
	json_key(&o, "transcript");
	json_put_str(&o, p->text);
	json_close(&o, '}');
	openai_answer_fail(a, buf_error(&id));
	const struct span object = openai_scratch_view(a);
	if (span_is_set(object))
		e->voice->audio(e, c, object);
}

static void take_part(struct encoder *e, struct answer_choice *c, const struct llm_event *ev)
{
	const struct part *p;
	openai_answer_fail(&e->answer, part_join_take(&c->join, ev, &p));
	if (e->answer.err || !p)
		return;
	switch (p->type) {
	case PART_TEXT:
		say(e, c, ANSWER_CONTENT, p->text);
		take_citations(e, c, p->citations);
		return;
	case PART_REFUSAL:
		say(e, c, ANSWER_REFUSAL, p->text);
		return;
	case PART_REASONING:
		say(e, c, ANSWER_REASONING, p->text);
		take_opaque(e, c, &p->opaque, false);
		return;
	case PART_OPAQUE:
		take_opaque(e, c, &p->opaque, true);
		return;
	case PART_IMAGE:
		take_image(e, c, &p->media);
		return;
	case PART_AUDIO:
		take_audio(e, c, p);
		return;
	case PART_FILE:
	case PART_VIDEO:
	case PART_TOOL_CALL:
		return; /* there is no place for it */
	}
}

/* ---- logprobs ---- */

static void take_logprobs(struct encoder *e, struct answer_choice *c, struct span json)
{
	struct json v;
	if (json_scan(json, JSON_STRICT, &v, NULL))
		return;
	for (enum answer_list which = ANSWER_LOGPROBS; which < ANSWER_LISTS; which++) {
		const struct span elements = elements_of(json_member(v, answer_list_names[which]));
		if (elements.n > 0)
			e->voice->list(e, c, which, elements);
	}
	struct json_out o = openai_scratch(&e->answer);
	logprobs_put_parallel(&o, v);
	give_list(e, c, ANSWER_LOGPROBS);
}

void answer_put_logprobs(struct span content, struct span refusal, struct json_out *o)
{
	const struct span elements[] = {content, refusal};
	json_open(o, '{');
	for (size_t i = 0; i < COUNT_OF(elements); i++) {
		json_key(o, answer_list_names[ANSWER_LOGPROBS + i]);
		if (elements[i].n == 0) {
			json_put_null(o);
			continue;
		}
		json_open(o, '[');
		json_put_raw(o, elements[i]);
		json_close(o, ']');
	}
	json_close(o, '}');
}

/* ---- the language ---- */

static struct openai_choice *choice_new(struct openai_answer *a)
{
	struct answer_choice *c = arena_alloc(a->arena, sizeof *c);
	if (!c)
		return NULL;
	for (size_t i = 0; i < ANSWER_TEXTS; i++)
		buf_init(&c->texts[i], LIMIT_BODY_BYTES);
	for (size_t i = 0; i < ANSWER_LISTS; i++)
		buf_init(&c->lists[i], 2 * LIMIT_BODY_BYTES);
	buf_init(&c->audio, 2 * LIMIT_BODY_BYTES);
	part_join_init(&c->join);
	return &c->base;
}

static void choice_done(struct answer_choice *c)
{
	for (struct answer_call *call = c->calls; call; call = call->next)
		buf_done(&call->args);
	for (size_t i = 0; i < ANSWER_TEXTS; i++)
		buf_done(&c->texts[i]);
	for (size_t i = 0; i < ANSWER_LISTS; i++)
		buf_done(&c->lists[i]);
	buf_done(&c->audio);
	part_join_done(&c->join);
}

static void on_event(
	struct openai_answer *a, struct openai_choice *choice, const struct llm_event *ev)
{
	struct answer_choice *c = container_of(choice, struct answer_choice, base);
	struct encoder *e = container_of(a, struct encoder, answer);
	if (ev->type == EV_TEXT)
		say(e, c, ANSWER_CONTENT, ev->text);
	else if (ev->type == EV_REASONING)
		say(e, c, ANSWER_REASONING, ev->text);
	else if (ev->type == EV_REFUSAL)
		say(e, c, ANSWER_REFUSAL, ev->text);
	else if (ev->type == EV_OPAQUE)
		take_opaque(e, c, &ev->opaque, false);
	else if (ev->type == EV_PART)
		take_part(e, c, ev);
	else if (ev->type == EV_LOGPROBS)
		take_logprobs(e, c, ev->text);
	else
		take_call(e, c, ev);
}

static const struct openai_language language = {
	.id_prefix = "chatcmpl-",
	.object = "chat.completion",
	.chunk = "chat.completion.chunk",
	.delta = ",\"delta\":{",
	.end = "}",
	.nothing = "",
	.called = "tool_calls",
	.choice_new = choice_new,
	.on_begin = answer_on_begin,
	.on_event = on_event,
	.on_finish = answer_on_finish,
	.put_choice = answer_put_choice,
};

struct encoder *openai_chat_encoder_new(struct arena *arena, const struct answer_plan *plan)
{
	struct encoder *e = arena_alloc(arena, sizeof *e);
	if (!e)
		return NULL;
	openai_answer_init(&e->answer, &language, arena, plan);
	e->voice = e->answer.is_stream ? &answer_stream : &answer_whole;
	e->is_older = plan->notes->is_older_call_form;
	if (e->is_older)
		e->answer.called = SPAN("function_call");
	return e;
}

enum err openai_chat_encode(struct encoder *e, const struct llm_event *ev, struct buf *out)
{
	return openai_answer_take(&e->answer, ev, out);
}

void openai_chat_encoder_done(struct encoder *e)
{
	for (struct openai_choice *c = e->answer.choices; c; c = c->next)
		choice_done(container_of(c, struct answer_choice, base));
	openai_answer_done(&e->answer);
}
