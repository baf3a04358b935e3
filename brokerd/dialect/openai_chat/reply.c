/* reply.c - a reply of this family, streamed or whole: a whole one is a chunk that brings it all. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/openai_chat/details.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/openai_chat/thought.h"
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
	struct buf citations; /* elements, a comma between them */
	struct think think;   /* where thoughts come in the text */
	bool is_text_begun;
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct openai_chat_kin *kin;
	const struct notes *notes;
	struct extra_of_choice *extras;   /* as many as choices */
	struct span sources;              /* a list of citations for the whole reply */
	int64_t cached_tokens;            /* as the reply's headers say; -1: they do not */
	struct buf raw, thoughts, answer; /* scratch */
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
	usage_count((struct json){http_head_get(head, "fireworks-cached-prompt-tokens")},
		&d->cached_tokens);
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
	outlet_done(&d->out);
	framing_done(&d->framing);
}

/* ---- usage ---- */

static enum err take_usage(struct decoder *d, struct json u)
{
	struct llm_usage usage;
	if (json_kind(u) != JSON_OBJECT)
		return OK;
	const bool fits = openai_usage(u, d->cached_tokens, &usage);
	outlet_usage(&d->out, &usage);
	return fits ? OK : outlet_warn(&d->out, "repaired_response", "usage", OPENAI_USAGE_CUT);
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

/* Which call a delta goes on with; NULL: it begins a new one. */
static struct outlet_call *call_for(
	const struct outlet_choice *c, int64_t index, struct span id, struct span name)
{
	struct outlet_call *call = c->last_call;
	if (index != INDEX_NONE) {
		call = call_by_index(c, index);
		const bool is_other =
			call && call->id.n > 0 && id.n > 0 && !span_eq(buf_view(&call->id), id);
		return is_other ? NULL : call;
	}
	if (!call)
		return NULL;
	if (id.n > 0)
		return span_eq(buf_view(&call->id), id) ? call : NULL;
	return name.n > 0 && call->extent.is_complete ? NULL : call;
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

static enum err take_call(struct decoder *d, uint32_t choice, int64_t index, struct json entry)
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
	struct outlet_call *call =
		call_for(&o->choices[choice], index, buf_view(&id), buf_view(&name));
	if (!call) {
		err = outlet_call_new(o, choice, &call);
		if (err)
			return err;
		call->index = index;
		call->is_custom = is_custom;
	}
	if (call->id.n == 0)
		buf_span(&call->id, buf_view(&id));
	if (json_kind(m[5]) == JSON_OBJECT && !span_is_set(call->opaque.family)) {
		call->opaque = (struct opaque){SPAN(OPENAI_CHAT_FAMILY), o->model, SPAN_NONE};
		err = outlet_keep(o, m[5].text, &call->opaque.data); /* a signature of Google's */
		if (err)
			return err;
	}
	take_name(call, buf_view(&name));
	err = outlet_check(&call->id);
	if (!err)
		err = outlet_check(&call->name);
	if (err)
		return err;
	buf_clear(&o->piece);
	if (!json_text_to(args, &o->piece) && !json_is_nil(args))
		buf_span(&o->piece, args.text); /* an object where a string is due */
	err = outlet_check(&o->piece);
	if (!err)
		err = outlet_call_args(o, call, buf_view(&o->piece));
	return err ? err : outlet_calls_settle(o, choice, call);
}

static enum err take_calls(struct decoder *d, uint32_t choice, struct json calls, struct json old)
{
	enum err err = OK;
	if (json_kind(calls) == JSON_ARRAY) {
		for (struct json_walk w = json_each(calls); !err && json_next(&w);) {
			if (json_kind(w.value) != JSON_OBJECT)
				continue;
			err = end_thought(d, choice);
			if (!err)
				err = take_call(d, choice, INDEX_NONE, w.value);
		}
	}
	if (!err && json_kind(old) == JSON_OBJECT)
		err = take_call(d, choice, INDEX_FUNCTION, old);
	return err;
}

/* ---- texts ---- */

static bool is_text(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.n > 2;
}

static enum err take_citation(struct decoder *d, uint32_t choice, struct json one)
{
	struct buf *to = &d->extras[choice].citations;
	if (to->n > 0)
		buf_byte(to, ',');
	buf_span(to, one.text);
	return outlet_check(to);
}

static enum err take_parts(
	struct decoder *d, uint32_t choice, enum outlet_text kind, struct json array);

/* Thinking is a text, or a list of parts again. */
static enum err take_thinking(
	struct decoder *d, uint32_t choice, struct json chunk, struct json thinking)
{
	if (json_kind(thinking) == JSON_STRING)
		return outlet_json(&d->out, choice, OUTLET_REASONING, thinking);
	const enum err err = take_parts(d, choice, OUTLET_REASONING, thinking);
	return err || !d->kin->has_chunks ? err : thought_add(&d->extras[choice].thought, chunk);
}

/* The text members of a list of parts. */
static enum err take_parts(
	struct decoder *d, uint32_t choice, enum outlet_text kind, struct json array)
{
	enum err err = OK;
	if (json_kind(array) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(array); !err && json_next(&w);) {
		static const char *const names[] = {"type", "thinking", "text", "refusal"};
		struct json m[COUNT_OF(names)];
		PICK(w.value, names, m);
		if (json_kind(m[1]) == JSON_ARRAY || json_kind(m[1]) == JSON_STRING) {
			err = take_thinking(d, choice, w.value, m[1]);
			continue;
		}
		if (kind == OUTLET_TEXT && is_text(m[2]))
			err = end_thought(d, choice);
		if (!err && d->kin->has_chunks && json_is(m[0], "reference"))
			err = take_citation(d, choice, w.value);
		else if (!err && json_is(m[0], "refusal"))
			err = outlet_json(&d->out, choice, OUTLET_REFUSAL, m[3]);
		else if (!err)
			err = outlet_json(&d->out, choice, kind, m[2]);
	}
	return err;
}

static enum err take_reasoning(struct decoder *d, uint32_t choice, struct json content,
	struct json plain, struct json details)
{
	enum err err = OK;
	if (is_text(content))
		err = outlet_json(&d->out, choice, OUTLET_REASONING, content);
	if (!err && is_text(plain) && !span_eq(plain.text, content.text))
		err = outlet_json(&d->out, choice, OUTLET_REASONING, plain);
	if (!err && !is_text(content) && !is_text(plain) && json_kind(details) == JSON_ARRAY) {
		for (struct json_walk w = json_each(details); !err && json_next(&w);) {
			err = outlet_json(
				&d->out, choice, OUTLET_REASONING, json_member(w.value, "text"));
			if (!err)
				err = outlet_json(&d->out, choice, OUTLET_REASONING,
					json_member(w.value, "summary"));
		}
	}
	return err ? err : details_add(&d->extras[choice].details, details);
}

/* A piece of the answer. */
static enum err give_text(struct decoder *d, uint32_t choice, struct span text)
{
	struct extra_of_choice *x = &d->extras[choice];
	if (d->notes->has_blank_start && !x->is_text_begun &&
		d->out.choices[choice].has_reasoning) {
		while (text.n > 0 && strchr(" \t\r\n", text.p[0]) && text.p[0] != '\0')
			text = span_skip(text, 1);
	}
	x->is_text_begun = x->is_text_begun || text.n > 0;
	return outlet_text(&d->out, choice, OUTLET_TEXT, text);
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

static enum err take_text(struct decoder *d, uint32_t choice, struct json content)
{
	buf_clear(&d->raw);
	if (!json_text_to(content, &d->raw))
		return OK;
	const enum err err = outlet_check(&d->raw);
	if (err)
		return err;
	if (!d->notes->has_think_tags)
		return give_text(d, choice, buf_view(&d->raw));
	buf_clear(&d->thoughts);
	buf_clear(&d->answer);
	think_add(&d->extras[choice].think, buf_view(&d->raw), &d->thoughts, &d->answer);
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

static enum err take_content(struct decoder *d, uint32_t choice, struct json content)
{
	if (json_kind(content) == JSON_ARRAY)
		return take_parts(d, choice, OUTLET_TEXT, content);
	const enum err err = is_text(content) ? end_thought(d, choice) : OK;
	if (err)
		return err;
	return d->is_whole && d->notes->has_json_words && !d->notes->has_think_tags
		       ? outlet_unfenced(&d->out, choice, content)
		       : take_text(d, choice, content);
}

/* ---- images, audio, citations ---- */

static enum err take_images(struct decoder *d, uint32_t choice, struct json images)
{
	enum err err = OK;
	if (json_kind(images) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(images); !err && json_next(&w);) {
		struct part part = {.type = PART_IMAGE};
		struct json url = json_member(json_member(w.value, "image_url"), "url");
		if (!is_text(url))
			url = json_member(w.value, "image_url");
		if (!is_text(url))
			continue;
		err = json_utf8(url, d->out.arena, &part.media.url);
		if (!err)
			err = media_resolve(d->out.arena, &part.media);
		if (err == ERR_INVALID_REQUEST)
			err = OK; /* the address is no data after all: it goes out as it is */
		if (!err)
			err = outlet_part(&d->out, choice, &part);
	}
	return err;
}

static enum err take_audio(struct decoder *d, uint32_t choice, struct json audio)
{
	struct extra_of_choice *x = &d->extras[choice];
	const struct json data = json_member(audio, "data"), id = json_member(audio, "id");
	json_text_to(json_member(audio, "transcript"), &x->transcript);
	if (is_text(data)) {
		buf_clear(&d->out.piece);
		json_text_to(data, &d->out.piece);
		if (!base64_decode(buf_view(&d->out.piece), &x->audio) &&
			!outlet_check(&x->audio) && !outlet_check(&d->out.piece))
			return outlet_warn(&d->out, "repaired_response", NULL,
				"the provider sent audio that is no base64; it was left out");
	}
	if (x->audio_id.n == 0 && is_text(id))
		return json_utf8(id, d->out.arena, &x->audio_id);
	enum err err = outlet_check(&d->out.piece);
	if (!err)
		err = outlet_check(&x->audio);
	return err ? err : outlet_check(&x->transcript);
}

static enum err take_citations(struct decoder *d, uint32_t choice, struct json annotations)
{
	enum err err = OK;
	for (struct json_walk w = json_each(annotations); !err && json_next(&w);)
		err = take_citation(d, choice, w.value);
	return err;
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
	if (!err && (x->citations.n > 0 || (choice == 0 && d->sources.n > 0))) {
		struct part part = {.type = PART_TEXT, .text = SPAN("")};
		buf_clear(&json);
		if (x->citations.n > 0) {
			buf_byte(&json, '[');
			buf_span(&json, buf_view(&x->citations));
			buf_byte(&json, ']');
			part.citations = buf_view(&json);
		} else {
			part.citations = d->sources;
		}
		err = outlet_check(&json);
		if (!err)
			err = outlet_keep(&d->out, part.citations, &part.citations);
		if (!err)
			err = outlet_part(&d->out, choice, &part);
	}
	return err;
}

/* ---- finish ---- */

static enum err take_finish(
	struct decoder *d, uint32_t choice, struct json reason, struct json stop, struct fault *why)
{
	struct span word, matched = SPAN_NONE;
	if (!is_text(reason))
		return OK;
	enum err err = json_utf8(reason, d->out.arena, &word);
	if (!err && is_text(stop))
		err = json_utf8(stop, d->out.arena, &matched);
	if (err)
		return err;
	enum finish finish;
	err = openai_finish(word, &finish, why);
	return err ? err : outlet_finish(&d->out, choice, finish, word, matched);
}

/* ---- chunks ---- */

static enum err take_delta(struct decoder *d, uint32_t choice, struct json delta)
{
	static const char *const names[] = {"content", "reasoning_content", "reasoning",
		"reasoning_details", "refusal", "tool_calls", "function_call", "audio", "images",
		"annotations"};
	struct json m[COUNT_OF(names)];
	PICK(delta, names, m);
	enum err err = take_reasoning(d, choice, m[1], m[2], m[3]);
	if (!err)
		err = take_content(d, choice, m[0]);
	if (!err)
		err = outlet_json(&d->out, choice, OUTLET_REFUSAL, m[4]);
	if (!err)
		err = take_audio(d, choice, m[7]);
	if (!err)
		err = take_images(d, choice, m[8]);
	if (!err)
		err = take_calls(d, choice, m[5], m[6]);
	if (!err && json_kind(m[9]) == JSON_ARRAY)
		err = take_citations(d, choice, m[9]);
	return err;
}

static enum err take_choice(struct decoder *d, struct json choice, struct fault *why)
{
	static const char *const names[] = {
		"index", "delta", "message", "finish_reason", "logprobs", "usage", "stop_reason"};
	struct json m[COUNT_OF(names)];
	int64_t index = 0;
	PICK(choice, names, m);
	json_i64(m[0], &index);
	if (index < 0 || index >= (int64_t)d->out.n_choices)
		return outlet_warn(&d->out, "repaired_response", "choices",
			"the provider sent more answers than were asked for; they were left out");
	const uint32_t i = (uint32_t)index;
	d->has_choice = d->out.choices[i].is_seen = true;
	enum err err = take_usage(d, m[5]);
	/* some hosts send both, the one that is not meant empty */
	const struct json first = d->is_whole ? m[2] : m[1], second = d->is_whole ? m[1] : m[2];
	if (!err)
		err = take_delta(d, i, json_is_nil(first) ? second : first);
	if (!err && json_kind(json_member(m[4], "content")) == JSON_ARRAY)
		err = outlet_logprobs(&d->out, i, m[4].text);
	return err ? err : take_finish(d, i, m[3], m[6], why);
}

/* An error that is worth the name; some hosts send it along empty. */
static bool is_error(struct json v)
{
	return json_kind(v) == JSON_OBJECT || is_text(v);
}

/* MiniMax says in every reply how it went. */
static bool is_bad_status(struct json base_resp)
{
	int64_t code;
	return json_i64(json_member(base_resp, "status_code"), &code) && code != 0;
}

static enum err take_error(struct decoder *d, struct json chunk, struct fault *why)
{
	struct error_body body;
	error_read_json(chunk, &body);
	return error_inside_of(d->notes->errors, &body, d->kin->errors, why);
}

static enum err take_chunk(struct decoder *d, struct json chunk, struct fault *why)
{
	static const char *const names[] = {"id", "model", "created", "choices", "usage", "error",
		"x_groq", "citations", "search_results", "base_resp", "object", "service_tier"};
	struct json m[COUNT_OF(names)];
	int64_t created_s = 0;
	struct outlet *o = &d->out;
	PICK(chunk, names, m);
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	OWNED(buf_done) struct buf model = BUF_INIT(LIMIT_REPLY_BYTES);
	if (!o->is_started) {
		double v;
		if (json_f64(m[2], &v) && v > 0 && v < 1e15)
			created_s = (int64_t)v;
		json_text_to(m[0], &id);
		json_text_to(m[1], &model);
	}
	enum err err = outlet_check(&id);
	if (!err)
		err = outlet_check(&model);
	if (!err)
		err = outlet_about(o, buf_view(&id), buf_view(&model), created_s);
	if (!err)
		err = outlet_tier(o, m[11]);
	if (!err)
		err = take_usage(d, json_is_nil(m[4]) ? json_member(m[6], "usage") : m[4]);
	if (err)
		return err;
	if (is_error(m[5]) || is_bad_status(m[9]) || json_is(m[10], "error") ||
		(d->is_whole && json_kind(m[3]) != JSON_ARRAY))
		return take_error(d, chunk, why);
	const struct json sources = json_is_nil(m[8]) ? m[7] : m[8];
	if (d->sources.n == 0 && json_kind(sources) == JSON_ARRAY && sources.text.n > 2)
		err = arena_dup(o->arena, sources.text, &d->sources);
	if (json_kind(m[3]) == JSON_ARRAY) {
		for (struct json_walk w = json_each(m[3]); !err && json_next(&w);) {
			if (json_kind(w.value) == JSON_OBJECT)
				err = take_choice(d, w.value, why);
		}
	}
	return err;
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
	if (!d->has_choice) {
		(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
		fault_text(why->code, sizeof why->code, SPAN("empty_response"));
		return ERR_SERVER_ERROR;
	}
	if (!o->has_usage && d->cached_tokens >= 0) { /* all that is known */
		struct llm_usage usage = USAGE_UNKNOWN;
		usage.cache_read = d->cached_tokens;
		outlet_usage(o, &usage);
	}
	for (uint32_t i = 0; !err && i < o->n_choices; i++) {
		struct outlet_choice *c = &o->choices[i];
		if (!c->is_seen)
			continue;
		if (!c->is_finished) {
			if (!d->is_whole && (!d->is_done || !says_something(c)))
				return fault_set(why, ERR_STREAM_INCOMPLETE,
					"the provider's answer broke off before its end");
			err = outlet_finish(o, i, FINISH_STOP, SPAN_NONE, SPAN_NONE);
			if (!err)
				err = outlet_warn(o, "missing_finish", NULL,
					"the provider did not say why its answer ended");
		}
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
	const enum err err = framing_object(&d->framing, data, &chunk, why);
	if (err || !span_is_set(chunk.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	if (span_is(name, "error") && !is_error(json_member(chunk, "error")))
		return take_error(d, chunk, why);
	return take_chunk(d, chunk, why);
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = true;
	const enum err err = framing_document(body, &v, why);
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
