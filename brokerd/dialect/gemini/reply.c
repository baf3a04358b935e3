/* reply.c - a reply of this family: chunks of one shape, of which a whole reply is the only one. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/partial.h"
#include "brokerd/dialect/gemini/verdict.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

/* What a choice is about, beside what the outlet keeps of it. */
struct candidate {
	struct outlet_call *call;      /* that is not over; NULL: all are */
	struct span args;              /* its arguments as it has them whole; absent: it does not */
	struct partial pieces;         /* and those that come in pieces */
	struct buf citations;          /* JSON, a comma between them */
	struct span grounding, sought; /* groundingMetadata, urlContextMetadata: the last of each */
	bool is_seen, has_reason;
	bool has_content; /* text, media or a call */
};

/* What is no event's but lies in the stream: an error may come bare. */
struct stray {
	struct buf bytes;
	bool is_inside_line, is_found;
};

struct decoder {
	struct outlet out;
	struct framing framing;
	struct stray stray;
	const struct notes *notes;
	struct candidate *candidates;
	struct gemini_counts counts;
	struct span token; /* by which an answer that was cut can be gone on with: JSON */
	bool is_whole;     /* the reply is one document with one answer */
	bool has_candidate;
};

struct decoder *gemini_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.notes = notes,
		.counts = GEMINI_COUNTS_UNKNOWN,
		.stray.bytes = BUF_INIT(LIMIT_ERROR_REPLY_BYTES)};
	if (!outlet_init(&d->out, a, notes, env))
		return NULL;
	d->candidates = arena_array(a, d->out.n_choices, sizeof *d->candidates);
	if (!d->candidates)
		return NULL;
	for (size_t i = 0; i < d->out.n_choices; i++) {
		partial_init(&d->candidates[i].pieces, a);
		buf_init(&d->candidates[i].citations, LIMIT_REPLY_BYTES);
	}
	framing_init(&d->framing, head);
	d->framing.has_elements = true;
	return d;
}

void gemini_decoder_done(struct decoder *d)
{
	for (size_t i = 0; i < d->out.n_choices; i++) {
		partial_done(&d->candidates[i].pieces);
		buf_done(&d->candidates[i].citations);
	}
	buf_done(&d->stray.bytes);
	outlet_done(&d->out);
	framing_done(&d->framing);
}

static bool is_text(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.n > 2;
}

/* ---- signatures and what is only carried ---- */

/* A block that nobody here interprets, as one part of this family. */
static enum err give_carried(struct decoder *d, uint32_t i, struct span json)
{
	struct part part = {.type = PART_OPAQUE};
	part.opaque = (struct opaque){SPAN(GEMINI_FAMILY), d->out.model, SPAN_NONE};
	const enum err err = outlet_keep(&d->out, json, &part.opaque.data);
	return err ? err : outlet_part(&d->out, i, &part);
}

/* {"thoughtSignature":"..."} in the arena: behind the part that it seals, or with an empty text of
 * its own. */
static enum err seal(
	struct decoder *d, struct json signature, const char *before, struct opaque *out)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	buf_text(&json, before);
	buf_text(&json, "\"" GEMINI_SIGNATURE "\":");
	buf_span(&json, signature.text);
	buf_byte(&json, '}');
	const enum err err = outlet_check(&json);
	*out = (struct opaque){SPAN(GEMINI_FAMILY), d->out.model, SPAN_NONE};
	return err ? err : outlet_keep(&d->out, buf_view(&json), &out->data);
}

static enum err give_seal(struct decoder *d, uint32_t i, struct json signature, const char *before)
{
	struct part part = {.type = PART_OPAQUE};
	if (!is_text(signature))
		return OK;
	const enum err err = seal(d, signature, before, &part.opaque);
	return err ? err : outlet_part(&d->out, i, &part);
}

/* ---- calls ---- */

/* Has this object a member of that name? */
static bool has_member(struct json object, struct span raw_name)
{
	for (struct json_walk w = json_each(object); json_next(&w);) {
		if (span_eq(w.name, raw_name))
			return true;
	}
	return false;
}

/* The members of an object but those that the other has too. True: there were such. */
static bool put_members_but(struct json_out *o, struct json object, struct json other)
{
	bool has_any = false;
	for (struct json_walk w = json_each(object); json_next(&w);) {
		if (has_member(other, w.name)) {
			has_any = true;
			continue;
		}
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
	return has_any;
}

/* The arguments of a call that has some whole and some in pieces, as one object. */
static enum err put_both(
	struct decoder *d, struct json_out *o, struct json whole, struct json pieces)
{
	json_open(o, '{');
	const bool is_twice = put_members_but(o, whole, pieces);
	put_members_but(o, pieces, JSON_NONE);
	json_close(o, '}');
	return is_twice ? outlet_warn(&d->out, "repaired_response", NULL,
				  "an argument of a tool call came whole and in pieces: the pieces "
				  "were taken")
			: OK;
}

/* A call's arguments as it has them: whole, in pieces, or both. Nothing: it has none. */
static enum err put_args(struct decoder *d, const struct candidate *c, struct json_out *o)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json_out pieces_out = json_to(&text);
	struct json whole, pieces;
	if (!c->pieces.root) {
		buf_span(o->to, c->args);
		return OK;
	}
	partial_write(&c->pieces, &pieces_out);
	enum err err = outlet_check(&text);
	if (!err && json_scan(c->args, JSON_LENIENT, &whole, NULL) == OK &&
		json_kind(whole) == JSON_OBJECT &&
		json_scan(buf_view(&text), JSON_LENIENT, &pieces, NULL) == OK)
		return put_both(d, o, whole, pieces);
	buf_span(o->to, buf_view(&text));
	return err;
}

/* The call is all there. */
static enum err end_call(struct decoder *d, struct candidate *c)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct outlet_call *call = c->call;
	struct json_out o = json_to(&json);
	if (!call)
		return OK;
	enum err err = put_args(d, c, &o);
	if (!err && c->pieces.has_odd)
		err = outlet_warn(&d->out, "repaired_response", NULL,
			"a piece of a tool call's arguments had no place among them; it was left "
			"out");
	c->call = NULL;
	c->args = SPAN_NONE;
	partial_done(&c->pieces);
	if (!err)
		err = outlet_check(&json);
	if (!err)
		err = outlet_call_args(&d->out, call, buf_view(&json));
	return err ? err : outlet_call_end(&d->out, call);
}

static enum err take_pieces(struct candidate *c, struct json pieces)
{
	enum err err = OK;
	if (json_kind(pieces) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(pieces); !err && json_next(&w);)
		err = partial_add(&c->pieces, w.value);
	return err;
}

static enum err begin_call(struct decoder *d, uint32_t i, struct json id, struct json name)
{
	struct candidate *c = &d->candidates[i];
	enum err err = end_call(d, c);
	if (!err)
		err = outlet_call_new(&d->out, i, &c->call);
	if (err)
		return err;
	c->has_content = true;
	json_text_to(id, &c->call->id);
	json_text_to(name, &c->call->name);
	err = outlet_check(&c->call->id);
	return err ? err : outlet_check(&c->call->name);
}

/* {} is the end of a call, and where none goes on it is nothing. */
static bool is_something(struct json id, struct json args, struct json pieces)
{
	struct json_walk w = json_each(args), p = json_each(pieces);
	return is_text(id) || (json_kind(args) == JSON_OBJECT && json_next(&w)) ||
	       (json_kind(pieces) == JSON_ARRAY && json_next(&p));
}

/* A call comes whole; or its name first, its arguments in pieces, and nothing at the end. */
static enum err take_call(struct decoder *d, uint32_t i, struct json call, struct json signature)
{
	static const char *const names[] = {"id", "name", "args", "partialArgs", "willContinue"};
	struct candidate *c = &d->candidates[i];
	struct json m[COUNT_OF(names)];
	enum err err = OK;
	PICK(call, names, m);
	/* one without a name is told of at its end */
	if (is_text(m[1]) || (!c->call && is_something(m[0], m[2], m[3])))
		err = begin_call(d, i, m[0], m[1]);
	if (err || !c->call)
		return err;
	if (is_text(signature) && !span_is_set(c->call->opaque.family))
		err = seal(d, signature, "{", &c->call->opaque);
	if (!err && !json_is_nil(m[2]))
		err = arena_dup(d->out.arena, m[2].text, &c->args);
	if (!err)
		err = take_pieces(c, m[3]);
	return err || json_is_true(m[4]) ? err : end_call(d, c);
}

/* ---- parts ---- */

static enum err take_text(struct decoder *d, uint32_t i, struct json text, struct json signature)
{
	enum err err = d->is_whole && d->notes->has_json_words
			       ? outlet_unfenced(&d->out, i, text)
			       : outlet_json(&d->out, i, OUTLET_TEXT, text);
	d->candidates[i].has_content = d->candidates[i].has_content || is_text(text);
	return err ? err : give_seal(d, i, signature, is_text(text) ? "{" : "{\"text\":\"\",");
}

static enum err take_thought(struct decoder *d, uint32_t i, struct json text, struct json signature)
{
	struct opaque opaque;
	enum err err = outlet_json(&d->out, i, OUTLET_REASONING, text);
	if (err || !is_text(signature))
		return err;
	err = seal(d, signature, "{", &opaque);
	return err ? err : outlet_opaque(&d->out, i, &opaque);
}

static enum part_type type_of(struct span mime)
{
	if (span_starts(mime, SPAN("image/")))
		return PART_IMAGE;
	if (span_starts(mime, SPAN("audio/")))
		return PART_AUDIO;
	if (span_starts(mime, SPAN("video/")))
		return PART_VIDEO;
	return PART_FILE;
}

static enum err take_media(struct decoder *d, uint32_t i, struct json media, struct json signature)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_REPLY_BYTES);
	struct part part = {.type = PART_FILE};
	enum err err = json_utf8(json_member(media, "mimeType"), d->out.arena, &part.media.mime);
	buf_clear(&d->out.piece);
	json_text_to(json_member(media, "data"), &d->out.piece);
	if (!err)
		err = outlet_check(&d->out.piece);
	if (err)
		return err;
	if (!base64_decode(buf_view(&d->out.piece), &bytes)) {
		err = outlet_check(&bytes);
		return err ? err
			   : outlet_warn(&d->out, "repaired_response", NULL,
				     "the provider sent a file that is no base64; it was left out");
	}
	part.type = type_of(part.media.mime);
	part.media.data = buf_view(&bytes);
	d->candidates[i].has_content = true;
	err = outlet_part(&d->out, i, &part);
	return err ? err : give_seal(d, i, signature, "{");
}

static enum err take_part(struct decoder *d, uint32_t i, struct json part)
{
	static const char *const names[] = {
		"text", "thought", GEMINI_SIGNATURE, "functionCall", "inlineData"};
	struct json m[COUNT_OF(names)];
	struct json_walk w = json_each(part);
	bool has_any = false;
	PICK(part, names, m);
	if (json_kind(m[3]) == JSON_OBJECT)
		return take_call(d, i, m[3], m[2]);
	if (json_kind(m[0]) == JSON_STRING && json_is_true(m[1]))
		return take_thought(d, i, m[0], m[2]);
	if (json_kind(m[0]) == JSON_STRING)
		return take_text(d, i, m[0], m[2]);
	if (json_kind(m[4]) == JSON_OBJECT && !json_is_true(m[1]))
		return take_media(d, i, m[4], m[2]);
	while (json_kind(part) == JSON_OBJECT && json_next(&w))
		has_any = has_any ||
			  (!json_is_nil(w.value) && !json_name_is(w.name, GEMINI_SIGNATURE));
	if (!has_any)
		return give_seal(d, i, m[2], "{\"text\":\"\",");
	d->candidates[i].has_content = true;
	return give_carried(d, i, part.text);
}

/* ---- candidates ---- */

/* The newest says it all. */
static enum err keep_last(struct decoder *d, struct json v, struct span *to)
{
	return json_kind(v) == JSON_OBJECT ? outlet_keep(&d->out, v.text, to) : OK;
}

static void take_citations(struct candidate *c, struct json list)
{
	for (struct json_walk w = json_each(list);
		json_kind(list) == JSON_ARRAY && json_next(&w);) {
		if (c->citations.n > 0)
			buf_byte(&c->citations, ',');
		buf_span(&c->citations, w.value.text);
	}
}

static enum err take_sources(struct decoder *d, struct candidate *c, struct json cited,
	struct json grounding, struct json sought)
{
	take_citations(c, json_member(cited, "citations"));
	take_citations(c, json_member(cited, "citationSources")); /* by its older name */
	enum err err = outlet_check(&c->citations);
	if (!err)
		err = keep_last(d, grounding, &c->grounding);
	return err ? err : keep_last(d, sought, &c->sought);
}

static void put_source(struct candidate *c, const char *name, struct span json)
{
	if (!span_is_set(json))
		return;
	if (c->citations.n > 0)
		buf_byte(&c->citations, ',');
	buf_print(&c->citations, "{\"%s\":", name);
	buf_span(&c->citations, json);
	buf_byte(&c->citations, '}');
}

/* What the text of a choice rests on: citations, then what was searched and read. */
static enum err give_sources(struct decoder *d, uint32_t i)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct candidate *c = &d->candidates[i];
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	put_source(c, "groundingMetadata", c->grounding);
	put_source(c, "urlContextMetadata", c->sought);
	c->grounding = c->sought = SPAN_NONE;
	if (c->citations.n == 0)
		return outlet_check(&c->citations);
	buf_byte(&json, '[');
	buf_span(&json, buf_view(&c->citations));
	buf_byte(&json, ']');
	enum err err = outlet_check(&c->citations);
	buf_clear(&c->citations);
	if (!err)
		err = outlet_check(&json);
	if (!err)
		err = outlet_keep(&d->out, buf_view(&json), &part.citations);
	return err ? err : outlet_part(&d->out, i, &part);
}

/* The end of a choice that said why it ended. */
static enum err take_finish(
	struct decoder *d, uint32_t i, struct json reason, struct json message, struct fault *why)
{
	struct candidate *c = &d->candidates[i];
	struct span word, told;
	enum finish finish;
	enum err err = json_utf8(reason, d->out.arena, &word);
	if (!err)
		err = json_utf8(message, d->out.arena, &told);
	if (!err)
		err = end_call(d, c);
	if (err)
		return err;
	c->has_reason = true;
	if (!verdict_finish(word, &finish) && !c->has_content) {
		(void)fault_set(why, ERR_SERVER_ERROR, "the model made an invalid tool call%s%.*s",
			told.n > 0 ? ": " : "", SPAN_ARG(span_first(told, 500)));
		fault_text(why->code, sizeof why->code, word);
		return ERR_SERVER_ERROR;
	}
	if (finish == FINISH_CONTENT_FILTER && told.n > 0) {
		const char *text = arena_str(d->out.arena, told);
		err = text ? outlet_warn(&d->out, "content_filtered", NULL, text) : ERR_NO_MEMORY;
	}
	return err ? err : outlet_finish(&d->out, i, finish, word, SPAN_NONE);
}

static enum err take_logprobs(struct decoder *d, uint32_t i, struct json result)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	if (!verdict_logprobs(result, &json))
		return OK;
	const enum err err = outlet_check(&json);
	return err ? err : outlet_logprobs(&d->out, i, buf_view(&json));
}

static enum err take_candidate(struct decoder *d, struct json v, struct fault *why)
{
	static const char *const names[] = {"index", "content", "finishReason", "finishMessage",
		"citationMetadata", "groundingMetadata", "urlContextMetadata", "logprobsResult"};
	struct json m[COUNT_OF(names)];
	int64_t index = 0;
	PICK(v, names, m);
	json_i64(m[0], &index);
	if (index < 0 || (size_t)index >= d->out.n_choices)
		return outlet_warn(&d->out, "repaired_response", NULL,
			"the provider gave more answers than were asked for; they were left out");
	const uint32_t i = (uint32_t)index;
	d->candidates[i].is_seen = d->out.choices[i].is_seen = d->has_candidate = true;
	const struct json parts = json_member(m[1], "parts");
	enum err err = take_sources(d, &d->candidates[i], m[4], m[5], m[6]);
	for (struct json_walk w = json_each(parts);
		!err && json_kind(parts) == JSON_ARRAY && json_next(&w);)
		err = take_part(d, i, w.value);
	if (!err && json_kind(m[7]) == JSON_OBJECT)
		err = take_logprobs(d, i, m[7]);
	return err || !is_text(m[2]) ? err : take_finish(d, i, m[2], m[3], why);
}

/* ---- chunks ---- */

static enum err take_error(struct decoder *d, struct json v, struct fault *why)
{
	return gemini_error_inside(v, d->out.wall_s, why);
}

/* The prompt was refused: nothing was generated, and the reply says so with status 200. */
static enum err take_block(
	struct decoder *d, struct json reason, struct json message, struct fault *why)
{
	struct span word, told;
	enum err err = json_utf8(reason, d->out.arena, &word);
	if (!err)
		err = json_utf8(message, d->out.arena, &told);
	if (err)
		return err;
	(void)fault_set(why, ERR_CONTENT_FILTERED, "the provider refused the prompt (%.*s)%s%.*s",
		SPAN_ARG(span_first(word, 64)), told.n > 0 ? ": " : "",
		SPAN_ARG(span_first(told, 500)));
	fault_text(why->code, sizeof why->code, word);
	return ERR_CONTENT_FILTERED;
}

static enum err take_counts(struct decoder *d)
{
	struct llm_usage usage;
	bool fits = true;
	if (verdict_usage(&d->counts, &usage, &fits))
		outlet_usage(&d->out, &usage);
	return fits ? OK : outlet_warn(&d->out, "repaired_response", "usage", USAGE_UNFIT);
}

static enum err take_nothing(struct decoder *d)
{
	verdict_count_nothing(&d->counts);
	return take_counts(d);
}

static enum err take_chunk(struct decoder *d, struct json v, struct fault *why)
{
	static const char *const names[] = {"error", "candidates", "promptFeedback",
		"usageMetadata", "modelVersion", "responseId", GEMINI_TOKEN};
	struct json m[COUNT_OF(names)];
	struct span id, model;
	PICK(v, names, m);
	if (!json_is_nil(m[0]))
		return take_error(d, v, why);
	enum err err = json_text(m[5], d->out.arena, &id);
	if (!err)
		err = json_text(m[4], d->out.arena, &model);
	if (!err)
		err = outlet_about(&d->out, id, model, 0);
	if (!err && is_text(m[6]))
		err = arena_dup(d->out.arena, m[6].text, &d->token);
	if (err)
		return err;
	verdict_count(m[3], &d->counts);
	err = outlet_tier_word(&d->out, verdict_tier(m[3]));
	if (!err)
		err = take_counts(d);
	if (!err && usage_has_negative(m[3]))
		err = outlet_warn(&d->out, "repaired_response", "usage", USAGE_NEGATIVE);
	struct json_walk w = json_each(m[1]);
	const bool has_any = json_kind(m[1]) == JSON_ARRAY && json_next(&w);
	const struct json reason = json_member(m[2], "blockReason");
	const bool is_blocked = !has_any && is_text(reason);
	if (!err && is_blocked)
		err = take_nothing(d);
	if (!err && is_blocked)
		return take_block(d, reason, json_member(m[2], "blockReasonMessage"), why);
	for (w = json_each(m[1]); !err && has_any && json_next(&w);)
		err = take_candidate(d, w.value, why);
	return err;
}

/* ---- what lies between the events ---- */

/* Once a line begins as no event's does, all that follows is looked at when the input is over. */
static void watch(struct decoder *d, struct span bytes)
{
	struct stray *s = &d->stray;
	while (bytes.n > 0 && d->framing.kind == FRAMING_EVENTS) {
		s->is_found = s->is_found || (!s->is_inside_line && strchr("{[", bytes.p[0]) &&
						     bytes.p[0] != '\0');
		if (s->is_found) {
			buf_span(&s->bytes, bytes);
			return;
		}
		const size_t end = span_index(bytes, '\n');
		s->is_inside_line = end == bytes.n;
		bytes = span_skip(bytes, s->is_inside_line ? end : end + 1);
	}
}

static enum err take_stray(struct decoder *d, struct fault *why)
{
	struct json v;
	if (!d->stray.is_found || buf_error(&d->stray.bytes) ||
		json_scan(span_trim(buf_view(&d->stray.bytes)), JSON_LENIENT, &v, NULL) != OK)
		return OK;
	struct json_walk w = json_each(v);
	const struct json one = json_kind(v) == JSON_ARRAY && json_next(&w) ? w.value : v;
	return json_is_nil(json_member(one, "error")) ? OK : take_error(d, one, why);
}

/* ---- the end ---- */

static enum err end_candidate(struct decoder *d, uint32_t i, struct fault *why)
{
	struct candidate *c = &d->candidates[i];
	enum err err = OK;
	if (!c->is_seen)
		return OK;
	if (!c->has_reason && !d->is_whole)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	if (!c->has_reason) {
		err = end_call(d, c);
		if (!err)
			err = outlet_finish(&d->out, i, FINISH_STOP, SPAN_NONE, SPAN_NONE);
		if (!err)
			err = outlet_warn(&d->out, "missing_finish", NULL,
				"the provider did not say why its answer ended");
	}
	return err ? err : give_sources(d, i);
}

/* The token is of no use but to the same family, and then to the turn that goes on. */
static enum err give_token(struct decoder *d)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	if (!span_is_set(d->token))
		return OK;
	buf_text(&json, "{\"" GEMINI_TOKEN "\":");
	buf_span(&json, d->token);
	buf_byte(&json, '}');
	const enum err err = outlet_check(&json);
	return err ? err : give_carried(d, 0, buf_view(&json));
}

static enum err conclude(struct decoder *d, struct fault *why)
{
	enum err err = take_stray(d, why);
	if (!err && !d->has_candidate) {
		(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
		fault_text(why->code, sizeof why->code, SPAN("empty_response"));
		return ERR_SERVER_ERROR;
	}
	for (uint32_t i = 0; !err && i < d->out.n_choices; i++)
		err = end_candidate(d, i, why);
	if (!err && !d->out.has_content)
		err = take_nothing(d);
	if (!err)
		err = give_token(d);
	return err ? err : outlet_flush(&d->out);
}

static enum err take_list(struct decoder *d, struct json list, struct fault *why)
{
	enum err err = OK;
	for (struct json_walk w = json_each(list); !err && json_next(&w);)
		err = take_chunk(d, w.value, why);
	return err;
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	(void)name;
	data = span_trim(data);
	if (data.n == 0 || span_starts(data, SPAN("[DONE]")))
		return OK;
	if (data.p[0] == '[' && json_scan(data, JSON_LENIENT, &v, NULL) == OK)
		return take_list(d, v, why);
	const enum err err = framing_object(&d->framing, data, &v, why);
	if (err || !span_is_set(v.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	return take_chunk(d, v, why);
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	d->is_whole = true;
	return err ? err : take_chunk(d, v, why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err gemini_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	const enum err err = pump_feed(&pump, bytes, to, why);
	watch(d, bytes);
	return err;
}

enum err gemini_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
