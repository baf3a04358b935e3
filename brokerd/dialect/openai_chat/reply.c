/* reply.c - a reply of this family, streamed or whole: a whole one is a chunk that brings it all. A
 * stream may end with the whole message once more, of which only what did not come yet is taken. */
#include "brokerd/dialect/alike.h"
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/openai_chat/details.h"
#include "brokerd/dialect/openai_chat/logprobs.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/openai_chat/thought.h"
#include "brokerd/dialect/openai_reply.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "brokerd/dialect/think.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

#define INDEX_NONE     INT64_C(-1)
#define INDEX_FUNCTION INT64_C(-2) /* of the one call of the older form */

/* What is gathered of a choice beside its events. */
struct extra_of_choice {
	struct details details;
	struct thought thought;
	struct buf audio, transcript;
	struct span audio_id;
	struct buf citations;             /* elements, a comma between them */
	struct think think;               /* where thoughts come in the text */
	struct repeat said[OUTLET_TEXTS]; /* what came of each text */
	bool has_text_begun, has_delta, has_images, has_logprobs;
};

/* What of a choice is being read. */
enum piece {
	PIECE_DELTA,  /* a part of a choice: it goes on with what came before */
	PIECE_WHOLE,  /* all of a choice */
	PIECE_REPEAT, /* all of a choice of which something came already */
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct openai_chat_kin *kin;
	const struct notes *notes;
	struct extra_of_choice *extras;   /* as many as choices */
	struct span sources, pictures;    /* lists of citations for the whole reply */
	int64_t cached_tokens;            /* as the reply's headers say; -1: they do not */
	struct buf raw, thoughts, answer; /* scratch */
	enum piece piece;                 /* what is being read */
	struct alike alike;               /* the last event that brought a text and nothing else, */
	struct json text;     /* as the one that is being read may do; absent: it does not */
	uint32_t text_choice; /* of this choice */
	bool is_whole, is_done, has_choice;
};

struct decoder *openai_chat_decoder_new_for(const struct openai_chat_kin *kin, struct arena *a,
	const struct notes *notes, const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.kin = kin, .notes = notes, .cached_tokens = -1};
	if (!outlet_init(&d->out, a, notes, env))
		return NULL;
	d->extras = arena_array(a, d->out.n_choices, sizeof *d->extras);
	if (!d->extras)
		return NULL;
	for (size_t i = 0; i < d->out.n_choices; i++) {
		struct extra_of_choice *x = &d->extras[i];
		details_init(&x->details, a);
		thought_init(&x->thought);
		buf_init(&x->audio, LIMIT_REPLY_BYTES);
		buf_init(&x->transcript, LIMIT_REPLY_BYTES);
		buf_init(&x->citations, LIMIT_REPLY_BYTES);
		think_init(&x->think, notes->is_think_open);
	}
	buf_init(&d->raw, LIMIT_SSE_TOTAL_BYTES);
	buf_init(&d->thoughts, LIMIT_SSE_TOTAL_BYTES);
	buf_init(&d->answer, LIMIT_SSE_TOTAL_BYTES);
	framing_init(&d->framing, head);
	alike_init(&d->alike);
	usage_count(
		json_of(http_head_get(head, "fireworks-cached-prompt-tokens")), &d->cached_tokens);
	return d;
}

struct decoder *openai_chat_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	static const struct openai_chat_kin ourselves = {OPENAI_CHAT_FAMILY, openai_errors, false};
	return openai_chat_decoder_new_for(&ourselves, a, notes, env, head);
}

void openai_chat_decoder_done(struct decoder *d)
{
	for (size_t i = 0; i < d->out.n_choices; i++) {
		details_done(&d->extras[i].details);
		thought_done(&d->extras[i].thought);
		buf_done(&d->extras[i].audio);
		buf_done(&d->extras[i].transcript);
		buf_done(&d->extras[i].citations);
		think_done(&d->extras[i].think);
	}
	buf_done(&d->raw);
	buf_done(&d->thoughts);
	buf_done(&d->answer);
	alike_done(&d->alike);
	outlet_done(&d->out);
	framing_done(&d->framing);
}

/* ---- calls ---- */

static struct outlet_call *call_by_index(const struct outlet_choice *c, int64_t index)
{
	struct outlet_call *found = NULL;
	for (struct outlet_call *call = c->calls; call; call = call->next) {
		if (call->index == index)
			found = call; /* the last: an index may be used again */
	}
	return found;
}

/* The call that an id names, unless its name is another. */
static struct outlet_call *call_by_id(
	const struct outlet_choice *c, struct span id, struct span name)
{
	struct outlet_call *found = NULL;
	for (struct outlet_call *call = c->calls; call; call = call->next) {
		if (span_eq(buf_view(&call->id), id) &&
			(name.n == 0 || span_eq(buf_view(&call->name), name)))
			found = call;
	}
	return found;
}

/* Which call a delta goes on with; NULL: it begins a new one. */
static struct outlet_call *call_for(
	const struct outlet_choice *c, int64_t index, struct span id, struct span name)
{
	struct outlet_call *call = index == INDEX_NONE ? c->last_call : call_by_index(c, index);
	if (!call || (index == INDEX_NONE && id.n == 0))
		return call && name.n > 0 && call->extent.is_complete ? NULL : call;
	if (id.n == 0 || span_eq(buf_view(&call->id), id) ||
		(index != INDEX_NONE && call->id.n == 0))
		return call;
	struct outlet_call *named = call_by_id(c, id, name);
	if (named)
		return named;
	/* some hosts give every piece of a call an id of its own */
	return name.n == 0 && call->name.n > 0 && !call->extent.is_complete ? call : NULL;
}

/* Which call the `k`th of a message that repeats them is; NULL: it did not come yet. */
static struct outlet_call *call_repeated(
	const struct outlet_choice *c, size_t k, struct span id, struct span name)
{
	struct outlet_call *call = id.n > 0 ? call_by_id(c, id, name) : NULL;
	if (call)
		return call;
	for (call = c->calls; call && k > 0; k--)
		call = call->next;
	const bool is_same = call && (id.n == 0 || call->id.n == 0) &&
			     (name.n == 0 || span_eq(buf_view(&call->name), name));
	return is_same ? call : NULL;
}

/* A name comes once, or again the same, or (from some old hosts) in pieces. */
static void take_name(struct outlet_call *call, struct span name)
{
	const bool is_open = !call->is_begun && !call->extent.is_begun;
	if (call->name.n == 0 || (is_open && name.n > 0 && !span_eq(buf_view(&call->name), name)))
		buf_span(&call->name, name);
}

/* Something that is no thinking comes. */
static enum err end_thought(struct decoder *d, uint32_t choice)
{
	return thought_end(&d->extras[choice].thought, &d->out, choice, d->kin->family);
}

/* What must come back with a call: a signature of Google's. */
static enum err keep_opaque(struct outlet *o, struct outlet_call *call, struct json v)
{
	if (json_kind(v) != JSON_OBJECT || span_is_set(call->opaque.family))
		return OK;
	if (call->is_begun)
		return outlet_warn(o, "repaired_response", NULL,
			"the provider sent the signature of a tool call after its beginning; it "
			"was left "
			"out");
	call->opaque = (struct opaque){SPAN(OPENAI_CHAT_FAMILY), o->model, SPAN_NONE};
	return outlet_keep(o, v.text, &call->opaque.data);
}

static enum err take_args(
	struct decoder *d, uint32_t choice, struct outlet_call *call, struct json args)
{
	struct outlet *o = &d->out;
	buf_clear(&o->piece);
	if (!json_text_to(args, &o->piece) && !json_is_nil(args))
		buf_span(&o->piece, args.text); /* an object where a string is due */
	enum err err = outlet_check(&o->piece);
	if (!err)
		err = d->piece == PIECE_DELTA ? outlet_call_args(o, call, buf_view(&o->piece))
					      : outlet_call_whole(o, call, buf_view(&o->piece));
	if (err)
		return err;
	return d->piece == PIECE_DELTA ? outlet_calls_settle(o, choice, call)
				       : outlet_call_end(o, call);
}

/* The `k`th call of a message, or of a delta. */
static enum err take_call(
	struct decoder *d, uint32_t choice, int64_t index, size_t k, struct json entry)
{
	static const char *const names[] = {
		"index", "id", "function", "custom", "type", "extra_content"};
	struct json m[COUNT_OF(names)];
	struct outlet *o = &d->out;
	PICK(entry, names, m);
	int64_t given;
	if (index == INDEX_NONE && json_i64(m[0], &given) && given >= 0)
		index = given;
	const bool is_custom =
		json_is(m[4], "custom") || (json_is_nil(m[2]) && json_kind(m[3]) == JSON_OBJECT);
	const struct json body = is_custom ? m[3] : index == INDEX_FUNCTION ? entry : m[2];
	const struct json args = json_member(body, is_custom ? "input" : "arguments");
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	OWNED(buf_done) struct buf name = BUF_INIT(LIMIT_REPLY_BYTES);
	if (!json_is(m[1], "null")) /* some hosts' word for none */
		json_text_to(m[1], &id);
	json_text_to(json_member(body, "name"), &name);
	enum err err = outlet_check(&id);
	if (!err)
		err = outlet_check(&name);
	if (err)
		return err;
	const struct outlet_choice *c = &o->choices[choice];
	struct outlet_call *call = NULL; /* in a whole message, each entry is a call */
	if (d->piece == PIECE_DELTA)
		call = call_for(c, index, buf_view(&id), buf_view(&name));
	else if (d->piece == PIECE_REPEAT)
		call = call_repeated(c, k, buf_view(&id), buf_view(&name));
	if (!call) {
		err = outlet_call_new(o, choice, &call);
		if (err)
			return err;
		call->index = index;
		call->is_custom = is_custom;
	}
	if (call->id.n == 0)
		buf_span(&call->id, buf_view(&id));
	take_name(call, buf_view(&name));
	err = outlet_check(&call->id);
	if (!err)
		err = outlet_check(&call->name);
	if (!err)
		err = keep_opaque(o, call, m[5]);
	return err ? err : take_args(d, choice, call, args);
}

static enum err end_text(struct decoder *d, uint32_t choice);

/* Text stands before calls: what is held of it goes out first. */
static enum err begin_calls(struct decoder *d, uint32_t choice)
{
	const enum err err = end_text(d, choice);
	return err ? err : end_thought(d, choice);
}

static enum err take_calls(struct decoder *d, uint32_t choice, struct json calls, struct json old)
{
	enum err err = OK;
	size_t k = 0;
	if (openai_is_filled(calls)) { /* one where a list is due */
		err = begin_calls(d, choice);
		if (!err)
			err = take_call(d, choice, INDEX_NONE, k++, calls);
	}
	if (json_kind(calls) == JSON_ARRAY) {
		for (struct json_walk w = json_each(calls); !err && json_next(&w);) {
			if (json_kind(w.value) != JSON_OBJECT)
				continue;
			err = begin_calls(d, choice);
			if (!err)
				err = take_call(d, choice, INDEX_NONE, k++, w.value);
		}
	}
	if (!err && openai_is_filled(old)) {
		err = begin_calls(d, choice);
		if (!err)
			err = take_call(d, choice, INDEX_FUNCTION, k, old);
	}
	return err;
}

/* ---- texts ---- */

static enum err take_citation(struct decoder *d, uint32_t choice, struct json one)
{
	struct buf *to = &d->extras[choice].citations;
	if (to->n > 0)
		buf_byte(to, ',');
	buf_span(to, one.text);
	return outlet_check(to);
}

static enum err take_image(struct decoder *d, uint32_t choice, struct json image)
{
	struct part part = {.type = PART_IMAGE};
	struct json url = json_member(json_member(image, "image_url"), "url");
	if (!openai_is_text(url))
		url = json_member(image, "image_url");
	if (!openai_is_text(url))
		return OK;
	d->extras[choice].has_images = true;
	enum err err = json_utf8(url, d->out.arena, &part.media.url);
	if (!err)
		err = media_resolve(d->out.arena, &part.media);
	if (err == ERR_INVALID_REQUEST)
		err = OK; /* the address is no data after all: it goes out as it is */
	return err ? err : outlet_part(&d->out, choice, &part);
}

/* A piece of the answer. */
static enum err give_text(struct decoder *d, uint32_t choice, struct span text)
{
	struct extra_of_choice *x = &d->extras[choice];
	if (d->notes->has_blank_start && !x->has_text_begun &&
		d->out.choices[choice].has_reasoning) {
		while (text.n > 0 && strchr(" \t\r\n", text.p[0]) && text.p[0] != '\0')
			text = span_skip(text, 1);
	}
	x->has_text_begun = x->has_text_begun || text.n > 0;
	return d->is_whole && d->notes->has_json_words
		       ? outlet_unfenced_text(&d->out, choice, text)
		       : outlet_text(&d->out, choice, OUTLET_TEXT, text);
}

/* What the tags have told apart. */
static enum err give_both(struct decoder *d, uint32_t choice)
{
	enum err err = outlet_check(&d->extras[choice].think.held);
	if (!err)
		err = outlet_check(&d->thoughts);
	if (!err)
		err = outlet_check(&d->answer);
	if (!err)
		err = outlet_text(&d->out, choice, OUTLET_REASONING, buf_view(&d->thoughts));
	return err ? err : give_text(d, choice, buf_view(&d->answer));
}

static enum err take_text(struct decoder *d, uint32_t choice, struct span text)
{
	struct think *think = &d->extras[choice].think;
	if (!d->notes->has_think_tags)
		return give_text(d, choice, text);
	buf_clear(&d->thoughts);
	buf_clear(&d->answer);
	think_add(think, text, &d->thoughts, &d->answer);
	if (d->is_whole) /* nothing is to come that could complete a tag */
		think_end(think, &d->thoughts, &d->answer);
	return give_both(d, choice);
}

/* The text is over: what might have become a tag did not. */
static enum err end_text(struct decoder *d, uint32_t choice)
{
	if (!d->notes->has_think_tags)
		return OK;
	buf_clear(&d->thoughts);
	buf_clear(&d->answer);
	think_end(&d->extras[choice].think, &d->thoughts, &d->answer);
	return give_both(d, choice);
}

/* A text of a choice, or a piece of it. */
static enum err say(struct decoder *d, uint32_t choice, enum outlet_text kind, struct json v)
{
	struct repeat *said = &d->extras[choice].said[kind];
	struct buf *raw = &d->raw;
	buf_clear(raw);
	if (!json_text_to(v, raw))
		return OK;
	const enum err err = outlet_check(raw);
	const struct span text =
		d->piece == PIECE_REPEAT ? repeat_rest(said, buf_view(raw)) : buf_view(raw);
	if (err || text.n == 0)
		return err;
	repeat_add(said, text);
	return kind == OUTLET_TEXT ? take_text(d, choice, text)
				   : outlet_text(&d->out, choice, kind, text);
}

static enum err take_parts(
	struct decoder *d, uint32_t choice, enum outlet_text kind, struct json array);

/* Thinking is a text, or a list of parts again. */
static enum err take_thinking(
	struct decoder *d, uint32_t choice, struct json chunk, struct json thinking)
{
	if (json_kind(thinking) == JSON_STRING)
		return say(d, choice, OUTLET_REASONING, thinking);
	const enum err err = take_parts(d, choice, OUTLET_REASONING, thinking);
	return err || !d->kin->has_chunks ? err : thought_add(&d->extras[choice].thought, chunk);
}

static enum err take_part(
	struct decoder *d, uint32_t choice, enum outlet_text kind, struct json part)
{
	static const char *const names[] = {"type", "thinking", "text", "refusal"};
	struct json m[COUNT_OF(names)];
	enum err err = OK;
	PICK(part, names, m);
	if (json_kind(part) == JSON_STRING)
		m[2] = part;
	if (json_kind(m[1]) == JSON_ARRAY || json_kind(m[1]) == JSON_STRING)
		return take_thinking(d, choice, part, m[1]);
	if (kind == OUTLET_TEXT && openai_is_text(m[2]))
		err = end_thought(d, choice);
	if (err)
		return err;
	if (d->kin->has_chunks && json_is(m[0], "reference"))
		return take_citation(d, choice, part);
	if (json_is(m[0], "refusal"))
		return say(d, choice, OUTLET_REFUSAL, m[3]);
	if (json_is(m[0], "image_url"))
		return take_image(d, choice, part);
	return say(d, choice, kind, m[2]);
}

/* A list of parts. Where some of it came in pieces, its texts cannot be told from those. */
static enum err take_parts(
	struct decoder *d, uint32_t choice, enum outlet_text kind, struct json array)
{
	enum err err = OK;
	if (json_kind(array) == JSON_OBJECT) /* one where a list is due */
		return take_part(d, choice, kind, array);
	if (json_kind(array) != JSON_ARRAY ||
		(d->piece == PIECE_REPEAT && d->extras[choice].said[kind].n > 0))
		return OK;
	const enum piece piece = d->piece;
	d->piece = piece == PIECE_REPEAT ? PIECE_WHOLE : piece;
	for (struct json_walk w = json_each(array); !err && json_next(&w);)
		err = take_part(d, choice, kind, w.value);
	d->piece = piece;
	return err;
}

static enum err take_reasoning(struct decoder *d, uint32_t choice, struct json content,
	struct json plain, struct json details)
{
	struct extra_of_choice *x = &d->extras[choice];
	enum err err = OK;
	const bool is_said = openai_is_text(content) || openai_is_text(plain) ||
			     (d->piece == PIECE_REPEAT && x->said[OUTLET_REASONING].n > 0);
	if (openai_is_text(content))
		err = say(d, choice, OUTLET_REASONING, content);
	if (!err && openai_is_text(plain) && !span_eq(plain.text, content.text))
		err = say(d, choice, OUTLET_REASONING, plain);
	if (!err && !is_said && json_kind(details) == JSON_ARRAY) {
		for (struct json_walk w = json_each(details); !err && json_next(&w);) {
			err = say(d, choice, OUTLET_REASONING, json_member(w.value, "text"));
			if (!err)
				err = say(d, choice, OUTLET_REASONING,
					json_member(w.value, "summary"));
		}
	}
	return err || (d->piece == PIECE_REPEAT && x->details.first)
		       ? err
		       : details_add(&x->details, details);
}

static enum err take_content(struct decoder *d, uint32_t choice, struct json content)
{
	if (json_kind(content) != JSON_STRING)
		return take_parts(d, choice, OUTLET_TEXT, content);
	const enum err err = openai_is_text(content) ? end_thought(d, choice) : OK;
	return err ? err : say(d, choice, OUTLET_TEXT, content);
}

/* ---- images, audio, citations ---- */

static enum err take_images(struct decoder *d, uint32_t choice, struct json images)
{
	struct extra_of_choice *x = &d->extras[choice];
	enum err err = OK;
	if (json_kind(images) != JSON_ARRAY || (d->piece == PIECE_REPEAT && x->has_images))
		return OK;
	for (struct json_walk w = json_each(images); !err && json_next(&w);)
		err = take_image(d, choice, w.value);
	return err;
}

static enum err take_audio(struct decoder *d, uint32_t choice, struct json audio)
{
	struct extra_of_choice *x = &d->extras[choice];
	const struct json data = json_member(audio, "data"), id = json_member(audio, "id");
	const bool is_repeated = d->piece == PIECE_REPEAT;
	if (!is_repeated || x->transcript.n == 0)
		json_text_to(json_member(audio, "transcript"), &x->transcript);
	if (openai_is_text(data) && (!is_repeated || x->audio.n == 0)) {
		buf_clear(&d->out.piece);
		json_text_to(data, &d->out.piece);
		if (!base64_decode(buf_view(&d->out.piece), &x->audio) &&
			!outlet_check(&x->audio) && !outlet_check(&d->out.piece))
			return outlet_warn(&d->out, "repaired_response", NULL,
				"the provider sent audio that is no base64; it was left out");
	}
	enum err err = outlet_check(&d->out.piece);
	if (!err)
		err = outlet_check(&x->audio);
	if (!err)
		err = outlet_check(&x->transcript);
	if (!err && x->audio_id.n == 0 && openai_is_text(id)) {
		buf_clear(&d->out.piece);
		json_text_to(id, &d->out.piece);
		err = outlet_check(&d->out.piece);
		if (!err) /* the event goes away long before the part is given */
			err = outlet_keep(&d->out, buf_view(&d->out.piece), &x->audio_id);
	}
	return err;
}

static enum err take_citations(struct decoder *d, uint32_t choice, struct json annotations)
{
	enum err err = OK;
	if (json_kind(annotations) != JSON_ARRAY ||
		(d->piece == PIECE_REPEAT && d->extras[choice].citations.n > 0))
		return OK;
	for (struct json_walk w = json_each(annotations); !err && json_next(&w);)
		err = take_citation(d, choice, w.value);
	return err;
}

/* Those of the choice, and behind the first choice's those of the whole reply. */
static enum err end_citations(struct decoder *d, uint32_t choice)
{
	struct extra_of_choice *x = &d->extras[choice];
	const struct span lists[] = {d->sources, d->pictures};
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	enum err err = OK;
	for (size_t i = 0; choice == 0 && i < COUNT_OF(lists); i++) {
		struct json_walk w = json_each(json_of(lists[i]));
		while (!err && json_next(&w))
			err = take_citation(d, choice, w.value);
	}
	if (err || x->citations.n == 0)
		return err;
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	buf_byte(&json, '[');
	buf_span(&json, buf_view(&x->citations));
	buf_byte(&json, ']');
	err = outlet_check(&json);
	if (!err)
		err = outlet_keep(&d->out, buf_view(&json), &part.citations);
	return err ? err : outlet_part(&d->out, choice, &part);
}

/* What could not go out before its choice was over. */
static enum err end_extras(struct decoder *d, uint32_t choice)
{
	struct extra_of_choice *x = &d->extras[choice];
	enum err err = end_thought(d, choice);
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	if (!err && details_write(&x->details, &json)) {
		const struct opaque opaque = {
			span_str(d->kin->family), d->out.model, buf_view(&json)};
		err = outlet_check(&json);
		if (!err)
			err = outlet_opaque(&d->out, choice, &opaque);
	}
	if (!err && (x->audio.n > 0 || x->transcript.n > 0)) {
		struct part part = {.type = PART_AUDIO};
		if (x->transcript.n > 0)
			err = outlet_keep(&d->out, buf_view(&x->transcript), &part.text);
		part.media.data = x->audio.n > 0 ? buf_view(&x->audio) : SPAN_NONE;
		part.media.file_id = x->audio_id;
		part.media.mime = media_type_of(part.media.data);
		if (!err)
			err = outlet_part(&d->out, choice, &part);
	}
	return err ? err : end_citations(d, choice);
}

/* ---- chunks ---- */

/* Members of which nothing comes. */
static bool has_none(const struct json *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!json_is_nil(m[i]))
			return false;
	}
	return true;
}

static enum err take_delta(struct decoder *d, uint32_t choice, struct json delta)
{
	static const char *const names[] = {"content", "reasoning_content", "reasoning",
		"reasoning_details", "refusal", "tool_calls", "function_call", "audio", "images",
		"annotations"};
	struct json m[COUNT_OF(names)];
	PICK(delta, names, m);
	d->text = has_none(m + 1, COUNT_OF(m) - 1) && json_kind(m[0]) == JSON_STRING ? m[0]
										     : JSON_NONE;
	d->text_choice = choice;
	enum err err = take_reasoning(d, choice, m[1], m[2], m[3]);
	if (!err)
		err = take_content(d, choice, m[0]);
	if (!err)
		err = say(d, choice, OUTLET_REFUSAL, m[4]);
	if (!err)
		err = take_audio(d, choice, m[7]);
	if (!err)
		err = take_images(d, choice, m[8]);
	if (!err)
		err = take_calls(d, choice, m[5], m[6]);
	return err ? err : take_citations(d, choice, m[9]);
}

static enum err take_piece(struct decoder *d, uint32_t choice, enum piece piece, struct json delta)
{
	d->piece = piece;
	d->extras[choice].has_delta = d->extras[choice].has_delta || piece == PIECE_DELTA;
	return take_delta(d, choice, delta);
}

/* A choice has a delta, or a message: all of it; in a stream, some hosts send deltas under that name.
 * Some send both, the one that is not meant empty, or all that came so far beside its last piece. */
static enum err take_said(
	struct decoder *d, uint32_t choice, struct json delta, struct json message, bool is_last)
{
	const bool has_delta = openai_is_filled(delta), has_message = openai_is_filled(message);
	enum err err = OK;
	if (d->is_whole)
		return take_piece(d, choice, PIECE_WHOLE, has_message ? message : delta);
	if (!has_delta && !is_last && !d->extras[choice].has_delta) {
		d->piece = PIECE_DELTA;
		return take_delta(d, choice, message);
	}
	if (has_delta)
		err = take_piece(d, choice, PIECE_DELTA, delta);
	if (!err && has_message && (is_last || !has_delta))
		err = take_piece(d, choice, PIECE_REPEAT, message);
	return err;
}

static enum err take_choice(
	struct decoder *d, struct json choice, bool is_completion, struct fault *why)
{
	static const char *const names[] = {"index", "delta", "message", "finish_reason",
		"logprobs", "usage", "stop_reason", "error"};
	struct json m[COUNT_OF(names)];
	int64_t index = 0;
	PICK(choice, names, m);
	json_i64(m[0], &index);
	d->text = JSON_NONE;
	if (index < 0 || index >= (int64_t)d->out.n_choices)
		return outlet_warn(&d->out, "repaired_response", "choices",
			"the provider sent more answers than were asked for; they were left out");
	const uint32_t i = (uint32_t)index;
	struct extra_of_choice *x = &d->extras[i];
	d->has_choice = d->out.choices[i].is_seen = true;
	enum err err = openai_counts(&d->out, m[5], d->cached_tokens);
	if (!err)
		err = take_said(d, i, m[1], m[2],
			is_completion || (openai_is_filled(m[1]) && openai_is_text(m[3])));
	if (!err && (d->piece != PIECE_REPEAT || !x->has_logprobs))
		err = logprobs_give(&d->out, i, m[4]);
	x->has_logprobs = x->has_logprobs || openai_is_filled(m[4]);
	if (!has_none(m + 2, COUNT_OF(m) - 2))
		d->text = JSON_NONE; /* not alone */
	if (!err && openai_is_error(m[7]))
		return openai_error(d->notes->errors, d->kin->errors, choice, why);
	return err ? err : openai_ending(&d->out, i, m[3], m[6], why);
}

/* MiniMax says in every reply how it went. */
static bool is_bad_status(struct json base_resp)
{
	int64_t code;
	return json_i64(json_member(base_resp, "status_code"), &code) && code != 0;
}

/* A list that holds for the whole reply, and may come with each chunk of it. */
static enum err keep_list(struct decoder *d, struct json list, struct span *out)
{
	const bool is_new = out->n == 0 && json_kind(list) == JSON_ARRAY && list.text.n > 2;
	return is_new ? arena_dup(d->out.arena, list.text, out) : OK;
}

static enum err take_chunk(struct decoder *d, struct json chunk, struct fault *why)
{
	static const char *const names[] = {"id", "model", "created", "choices", "usage", "error",
		"x_groq", "citations", "search_results", "base_resp", "object", "images",
		"service_tier"};
	struct json m[COUNT_OF(names)];
	PICK(chunk, names, m);
	enum err err = openai_about(&d->out, m[0], m[1], m[2]);
	if (!err)
		err = outlet_tier(&d->out, m[12]);
	if (!err)
		err = openai_counts(&d->out, json_is_nil(m[4]) ? json_member(m[6], "usage") : m[4],
			d->cached_tokens);
	if (err)
		return err;
	if (openai_is_error(m[5]) || is_bad_status(m[9]) || json_is(m[10], "error") ||
		(d->is_whole && json_kind(m[3]) != JSON_ARRAY))
		return openai_error(d->notes->errors, d->kin->errors, chunk, why);
	err = keep_list(d, json_is_nil(m[8]) ? m[7] : m[8], &d->sources);
	if (!err)
		err = keep_list(d, m[11], &d->pictures);
	size_t n = 0;
	d->text = JSON_NONE;
	if (json_kind(m[3]) == JSON_ARRAY) {
		for (struct json_walk w = json_each(m[3]); !err && json_next(&w); n++) {
			if (json_kind(w.value) == JSON_OBJECT)
				err = take_choice(
					d, w.value, json_is(m[10], "chat.completion"), why);
		}
	}
	if (n != 1 || !has_none(m + 4, 6) || !json_is_nil(m[11]))
		d->text = JSON_NONE; /* not alone */
	return err;
}

/* The event is one that was read, but for its text. */
static enum err take_alike(struct decoder *d, struct json text)
{
	d->piece = PIECE_DELTA;
	return take_content(d, d->text_choice, text);
}

static bool says_something(const struct outlet_choice *c)
{
	bool has_call = false;
	for (const struct outlet_call *call = c->calls; call; call = call->next)
		has_call = has_call || call->name.n > 0;
	return has_call || c->has_text;
}

/* The last events, where the reply was whole. A choice that never said how it ended is believed
 * only if the reply did say that it is over. */
static enum err conclude(struct decoder *d, struct fault *why)
{
	struct outlet *o = &d->out;
	enum err err = OK;
	if (!d->has_choice)
		return openai_nothing(why);
	if (!o->has_usage && d->cached_tokens >= 0) { /* all that is known */
		struct llm_usage usage = USAGE_UNKNOWN;
		usage.cache_read = d->cached_tokens;
		outlet_usage(o, &usage);
	}
	for (uint32_t i = 0; !err && i < o->n_choices; i++) {
		struct outlet_choice *c = &o->choices[i];
		if (!c->is_seen) {
			err = outlet_warn(o, "repaired_response", "n", OPENAI_TOO_FEW);
			continue;
		}
		if (!c->is_finished)
			err = openai_unsaid_ending(
				o, i, d->is_whole || (d->is_done && says_something(c)), why);
		if (!err)
			err = end_text(d, i);
		if (!err)
			err = outlet_choice_end(o, i);
		if (!err)
			err = end_extras(d, i);
	}
	return err ? err : outlet_flush(o);
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json chunk;
	data = span_trim(data);
	if (d->is_done || data.n == 0)
		return OK;
	if (span_starts(data, SPAN("[DONE]"))) {
		d->is_done = true;
		return conclude(d, why);
	}
	const struct json text = name.n == 0 ? alike_text(&d->alike, data) : JSON_NONE;
	if (span_is_set(text.text))
		return take_alike(d, text);
	enum err err = framing_object(&d->framing, data, &chunk, why);
	if (err || !span_is_set(chunk.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	if (span_is(name, "error") && !openai_is_error(json_member(chunk, "error")))
		return openai_error(d->notes->errors, d->kin->errors, chunk, why);
	err = take_chunk(d, chunk, why);
	if (!err && name.n == 0 && json_kind(d->text) == JSON_STRING)
		alike_note(&d->alike, data, d->text);
	return err;
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = true;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	return err ? err : take_chunk(d, v, why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err openai_chat_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err openai_chat_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
