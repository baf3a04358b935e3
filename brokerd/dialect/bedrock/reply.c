/* reply.c - a reply of this family: a sequence of blocks, which a whole reply brings as whole ones. A
 * stream opens a block by its first delta, and ends with the input: what it counted comes last. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/bedrock/bedrock.h"
#include "brokerd/dialect/emulate.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

#define BLOCKS_MAX ((size_t)65536)

/* One block in the making. What it is, its first piece says; most are text. */
struct block {
	struct block *next;
	int64_t index;
	bool is_over;
	struct outlet_call *call; /* toolUse */
	struct span raw;          /* carried, not interpreted: the block as it began */
	struct buf filled;        /* carried: its input as text, or its content as JSON */
	struct buf signature, thinking, redacted; /* reasoningContent; `redacted` is bytes */
	struct buf citations;                     /* JSON, a comma between them */
	struct buf image;                         /* bytes */
	struct span image_type;
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	struct block *blocks, *last;
	size_t n_blocks;
	bool is_whole, has_message, has_stop;
};

static enum err on_message(void *context, const struct event_message *m, struct fault *why);

struct decoder *bedrock_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.notes = notes};
	/* the body has no name for itself */
	if (!outlet_init(&d->out, a, notes, env) ||
		outlet_about(&d->out, http_head_get(head, "x-amzn-requestid"), SPAN_NONE, 0))
		return NULL;
	framing_init(&d->framing, head);
	d->framing.on_message = on_message;
	return d;
}

void bedrock_decoder_done(struct decoder *d)
{
	for (struct block *b = d->blocks; b; b = b->next) {
		buf_done(&b->filled);
		buf_done(&b->signature);
		buf_done(&b->thinking);
		buf_done(&b->redacted);
		buf_done(&b->citations);
		buf_done(&b->image);
	}
	outlet_done(&d->out);
	framing_done(&d->framing);
}

/* ---- usage ---- */

/* Input and caches are counted apart here; reasoning is not told from other output. `of` is the reply or
 * the event that has it. */
static enum err take_usage(struct decoder *d, struct json of)
{
	const struct json v = json_member(of, "usage");
	struct llm_usage u = USAGE_UNKNOWN;
	int64_t written = -1, told = 0;
	if (json_kind(v) != JSON_OBJECT)
		return OK;
	usage_member(v, "inputTokens", NULL, &u.input);
	usage_member(v, "outputTokens", NULL, &u.output);
	usage_member(v, "cacheReadInputTokens", "cacheReadInputTokenCount", &u.cache_read);
	usage_member(v, "cacheWriteInputTokens", "cacheWriteInputTokenCount", &written);
	for (struct json_walk w = json_each(json_member(v, "cacheDetails")); json_next(&w);) {
		const struct json ttl = json_member(w.value, "ttl");
		int64_t n;
		if (!usage_member(w.value, "inputTokens", NULL, &n))
			continue;
		if (json_is(ttl, "5m"))
			u.cache_write_5m = n;
		else if (json_is(ttl, "1h"))
			u.cache_write_1h = n;
		else
			continue;
		told += n;
	}
	if (told == 0 && written > 0)
		u.cache_write_5m = u.cache_write_1h = -1; /* a split that says nothing */
	if (written > told || (u.cache_write_5m < 0 && u.cache_write_1h < 0))
		u.cache_write = written - (written > 0 ? told : 0);
	outlet_usage(&d->out, &u);
	if (usage_has_negative(v)) {
		const enum err err =
			outlet_warn(&d->out, "repaired_response", "usage", USAGE_NEGATIVE);
		if (err)
			return err;
	}
	return outlet_tier(&d->out, json_member(json_member(of, "serviceTier"), "type"));
}

/* ---- blocks ---- */

static enum err block_new(struct decoder *d, int64_t index, struct block **out)
{
	struct block *b = d->n_blocks < BLOCKS_MAX ? arena_alloc(d->out.arena, sizeof *b) : NULL;
	if (!b)
		return d->n_blocks < BLOCKS_MAX ? ERR_NO_MEMORY : ERR_SERVER_ERROR;
	*b = (struct block){
		.index = index,
		.filled = BUF_INIT(LIMIT_REPLY_BYTES),
		.signature = BUF_INIT(LIMIT_REPLY_BYTES),
		.thinking = BUF_INIT(LIMIT_REPLY_BYTES),
		.redacted = BUF_INIT(LIMIT_REPLY_BYTES),
		.citations = BUF_INIT(LIMIT_REPLY_BYTES),
		.image = BUF_INIT(LIMIT_REPLY_BYTES),
	};
	d->n_blocks++;
	if (d->last)
		d->last->next = b;
	else
		d->blocks = b;
	d->last = b;
	*out = b;
	return OK;
}

/* The block of that index, the last one where none is said; opened where it is not. */
static enum err block_at(struct decoder *d, struct json index, struct block **out)
{
	int64_t i;
	if (!json_i64(index, &i)) {
		*out = d->last;
		return d->last && !d->last->is_over ? OK : block_new(d, (int64_t)d->n_blocks, out);
	}
	for (struct block *b = d->last && d->last->index == i ? d->last : d->blocks; b;
		b = b->next) {
		if (b->index == i && !b->is_over) {
			*out = b;
			return OK;
		}
	}
	return block_new(d, i, out);
}

static enum err begin_call(struct decoder *d, struct block *b, struct json use)
{
	static const char *const names[] = {"toolUseId", "name"};
	struct json m[COUNT_OF(names)];
	PICK(use, names, m);
	enum err err = b->call ? OK : outlet_call_new(&d->out, 0, &b->call);
	if (err)
		return err;
	json_text_to(m[0], &b->call->id);
	json_text_to(m[1], &b->call->name);
	b->call->is_text = emulate_is_answer(d->notes, buf_view(&b->call->name));
	err = outlet_check(&b->call->id);
	return err ? err : outlet_check(&b->call->name);
}

static bool is_of_server(struct json use)
{
	return json_is(json_member(use, "type"), "server_tool_use");
}

static enum err take_thinking(struct decoder *d, struct block *b, struct json text)
{
	if (!d->notes->wants_reasoning_text)
		json_text_to(text, &b->thinking);
	const enum err err = outlet_check(&b->thinking);
	return err ? err : outlet_json(&d->out, 0, OUTLET_REASONING, text);
}

/* Bytes in base64; what is none is left out with a word. */
static enum err take_bytes(struct decoder *d, struct json v, struct buf *to)
{
	const size_t before = to->n;
	buf_clear(&d->out.piece);
	if (!json_text_to(v, &d->out.piece))
		return OK;
	enum err err = outlet_check(&d->out.piece);
	if (err || base64_decode(buf_view(&d->out.piece), to))
		return err ? err : outlet_check(to);
	err = outlet_check(to);
	if (err)
		return err;
	buf_cut(to, before);
	return outlet_warn(&d->out, "repaired_response", NULL,
		"bytes in the provider's reply were no base64; they were left out");
}

static enum err take_reasoning(struct decoder *d, struct block *b, struct json v)
{
	static const char *const names[] = {"text", "signature", "redactedContent"};
	struct json m[COUNT_OF(names)];
	PICK(v, names, m);
	json_text_to(m[1], &b->signature);
	enum err err = outlet_check(&b->signature);
	if (!err)
		err = take_bytes(d, m[2], &b->redacted);
	return err ? err : take_thinking(d, b, m[0]);
}

static enum err take_whole_reasoning(struct decoder *d, struct block *b, struct json v)
{
	const struct json text = json_member(v, "reasoningText");
	const enum err err = take_reasoning(d, b, v);
	return err || json_kind(text) != JSON_OBJECT ? err : take_reasoning(d, b, text);
}

static enum err take_citation(struct block *b, struct json v)
{
	if (json_kind(v) != JSON_OBJECT)
		return OK;
	if (b->citations.n > 0)
		buf_byte(&b->citations, ',');
	buf_span(&b->citations, v.text);
	return outlet_check(&b->citations);
}

static enum err take_image(struct decoder *d, struct block *b, struct json v)
{
	struct span format;
	enum err err = json_utf8(json_member(v, "format"), d->out.arena, &format);
	if (!err && span_is_set(format)) /* which may still lie in the input */
		err = arena_dup(d->out.arena, format, &b->image_type);
	return err ? err : take_bytes(d, json_member(json_member(v, "source"), "bytes"), &b->image);
}

/* ---- a stream's pieces ---- */

static enum err take_block_start(struct decoder *d, struct json v)
{
	static const char *const names[] = {"contentBlockIndex", "start"};
	struct json m[COUNT_OF(names)];
	struct block *b;
	PICK(v, names, m);
	struct json_walk w = json_each(m[1]);
	if (json_kind(m[1]) != JSON_OBJECT || !json_next(&w))
		return OK; /* its first delta says what it is */
	enum err err = block_at(d, m[0], &b);
	if (err)
		return err;
	const struct json use = json_member(m[1], "toolUse");
	if (json_kind(use) == JSON_OBJECT && !is_of_server(use))
		return begin_call(d, b, use);
	if (json_name_is(w.name, "image"))
		return take_image(d, b, w.value);
	if (json_name_is(w.name, "text")) /* often empty, and followed by its deltas */
		return outlet_json(&d->out, 0, OUTLET_TEXT, w.value);
	if (json_name_is(w.name, "reasoningContent"))
		return take_whole_reasoning(d, b, w.value);
	return arena_dup(d->out.arena, m[1].text, &b->raw);
}

/* A piece of a call's arguments, or of the input of a tool that the provider runs itself. */
static enum err take_input(struct decoder *d, struct block *b, struct json input)
{
	buf_clear(&d->out.piece);
	if (!json_text_to(input, &d->out.piece) && json_kind(input) == JSON_OBJECT)
		buf_span(&d->out.piece, input.text);
	enum err err = outlet_check(&d->out.piece);
	if (!err && span_is_set(b->raw)) {
		buf_span(&b->filled, buf_view(&d->out.piece));
		return outlet_check(&b->filled);
	}
	if (!err && !b->call)
		err = begin_call(d, b, JSON_NONE);
	return err ? err : outlet_call_args(&d->out, b->call, buf_view(&d->out.piece));
}

/* Pieces of the content of such a tool's result. */
static enum err take_result(struct block *b, struct json list)
{
	for (struct json_walk w = json_each(list);
		json_kind(list) == JSON_ARRAY && json_next(&w);) {
		if (b->filled.n > 0)
			buf_byte(&b->filled, ',');
		buf_span(&b->filled, w.value.text);
	}
	return outlet_check(&b->filled);
}

static enum err take_delta(struct decoder *d, struct json v)
{
	static const char *const names[] = {"contentBlockIndex", "delta"};
	static const char *const kinds[] = {
		"text", "toolUse", "reasoningContent", "citation", "toolResult", "image"};
	struct json m[COUNT_OF(names)], k[COUNT_OF(kinds)];
	struct block *b;
	PICK(v, names, m);
	PICK(m[1], kinds, k);
	enum err err = block_at(d, m[0], &b);
	if (!err && json_kind(k[2]) == JSON_OBJECT)
		err = take_reasoning(d, b, k[2]);
	if (!err)
		err = outlet_json(&d->out, 0, OUTLET_TEXT, k[0]);
	if (!err && json_kind(k[1]) == JSON_OBJECT)
		err = take_input(d, b, json_member(k[1], "input"));
	if (!err)
		err = take_citation(b, k[3]);
	if (!err)
		err = take_result(b, k[4]);
	return err ? err : take_image(d, b, k[5]);
}

/* ---- the end of a block ---- */

/* A block of this family, as a part of the answer. */
static enum err give_carried(struct decoder *d, const struct buf *json)
{
	struct part part = {.type = PART_OPAQUE};
	part.opaque = (struct opaque){SPAN(BEDROCK_FAMILY), SPAN_NONE, SPAN_NONE};
	enum err err = outlet_check(json);
	if (!err)
		err = outlet_keep(&d->out, buf_view(json), &part.opaque.data);
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* The signature, without which its thinking cannot be sent back; and the thinking itself, where the
 * caller did not get to see it. */
static enum err end_thinking(struct decoder *d, const struct block *b)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&json);
	if (b->signature.n == 0)
		return OK;
	json_open(&o, '{');
	json_key(&o, "reasoningContent");
	json_open(&o, '{');
	json_key(&o, "reasoningText");
	json_open(&o, '{');
	if (b->thinking.n > 0)
		json_pair_str(&o, "text", buf_view(&b->thinking));
	json_pair_str(&o, "signature", buf_view(&b->signature));
	json_close(&o, '}');
	json_close(&o, '}');
	json_close(&o, '}');
	const struct opaque opaque = {SPAN(BEDROCK_FAMILY), SPAN_NONE, buf_view(&json)};
	const enum err err = outlet_check(&json);
	return err ? err : outlet_opaque(&d->out, 0, &opaque);
}

static enum err end_redacted(struct decoder *d, const struct block *b)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&json);
	if (b->redacted.n == 0)
		return OK;
	json_open(&o, '{');
	json_key(&o, "reasoningContent");
	json_open(&o, '{');
	json_key(&o, "redactedContent");
	json_put_base64(&o, SPAN(""), buf_view(&b->redacted));
	json_close(&o, '}');
	json_close(&o, '}');
	return give_carried(d, &json);
}

/* What deltas filled, as the member of the block that it is; nothing came: as it began. */
static enum err put_input(
	struct decoder *d, struct json_out *o, const struct block *b, struct json began)
{
	json_key(o, "input");
	if (b->filled.n > 0)
		return outlet_put_input(&d->out, o, buf_view(&b->filled));
	json_put_raw(o, json_is_nil(began) ? SPAN("{}") : began.text);
	return OK;
}

static void put_content(struct json_out *o, const struct block *b, struct json began)
{
	json_key(o, "content");
	if (b->filled.n == 0 && !json_is_nil(began)) {
		json_put_raw(o, began.text);
		return;
	}
	json_open(o, '[');
	buf_span(o->to, buf_view(&b->filled));
	json_close(o, ']');
}

/* The inside of a block as it began, but for one member. */
static void put_members(struct json_out *o, struct json object, const char *but)
{
	for (struct json_walk w = json_each(object); json_next(&w);) {
		if (json_name_is(w.name, but))
			continue;
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
}

/* A tool that the provider ran, its result, or what is newer than this: as it would have been whole. */
static enum err end_other(struct decoder *d, const struct block *b)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&json);
	enum err err = OK;
	if (!span_is_set(b->raw))
		return OK;
	json_open(&o, '{');
	for (struct json_walk w = json_each(json_of(b->raw)); json_next(&w);) {
		const bool is_use = json_name_is(w.name, "toolUse");
		const bool is_object = json_kind(w.value) == JSON_OBJECT;
		json_key_raw(&o, w.name);
		if (d->is_whole || !is_object || (!is_use && !json_name_is(w.name, "toolResult"))) {
			json_put_raw(&o, w.value.text);
			continue;
		}
		json_open(&o, '{');
		put_members(&o, w.value, is_use ? "input" : "content");
		if (is_use && !err)
			err = put_input(d, &o, b, json_member(w.value, "input"));
		else if (!is_use)
			put_content(&o, b, json_member(w.value, "content"));
		json_close(&o, '}');
	}
	json_close(&o, '}');
	return err ? err : give_carried(d, &json);
}

static enum err end_citations(struct decoder *d, const struct block *b)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	if (b->citations.n == 0)
		return OK;
	buf_byte(&json, '[');
	buf_span(&json, buf_view(&b->citations));
	buf_byte(&json, ']');
	enum err err = outlet_check(&json);
	if (!err)
		err = outlet_keep(&d->out, buf_view(&json), &part.citations);
	return err ? err : outlet_part(&d->out, 0, &part);
}

static enum err end_image(struct decoder *d, const struct block *b)
{
	OWNED(buf_done) struct buf type = BUF_INIT(LIMIT_REPLY_BYTES);
	struct part part = {.type = PART_IMAGE};
	if (b->image.n == 0)
		return OK;
	buf_text(&type, "image/");
	buf_span(&type, b->image_type);
	enum err err = outlet_check(&type);
	if (!err)
		err = arena_dup(d->out.arena, buf_view(&type), &part.media.mime);
	if (!err)
		err = arena_dup(d->out.arena, buf_view(&b->image), &part.media.data);
	return err ? err : outlet_part(&d->out, 0, &part);
}

static enum err end_block(struct decoder *d, struct block *b)
{
	enum err err = OK;
	b->is_over = true;
	if (b->call)
		err = outlet_call_end(&d->out, b->call);
	if (!err)
		err = end_thinking(d, b);
	if (!err)
		err = end_redacted(d, b);
	if (!err)
		err = end_citations(d, b);
	if (!err)
		err = end_image(d, b);
	return err ? err : end_other(d, b);
}

static enum err take_block_stop(struct decoder *d, struct json v)
{
	int64_t i;
	const bool has_index = json_i64(json_member(v, "contentBlockIndex"), &i);
	for (struct block *b = d->blocks; b; b = b->next) {
		if (!b->is_over && (has_index ? b->index == i : b == d->last))
			return end_block(d, b);
	}
	return OK;
}

/* ---- finish ---- */

static const struct {
	const char *word;
	enum finish finish;
} finishes[] = {
	{"end_turn",		      FINISH_STOP          },
	{"stop_sequence",                 FINISH_STOP          },
	{"max_tokens",                    FINISH_LENGTH        },
	{"model_context_window_exceeded", FINISH_LENGTH        },
	{"tool_use",		      FINISH_TOOL_CALLS    },
	{"guardrail_intervened",          FINISH_CONTENT_FILTER},
	{"content_filtered",              FINISH_CONTENT_FILTER},
};

/* An answer that its provider could not read itself is none. */
static enum err check_stop(struct json reason, struct fault *why)
{
	static const char *const bad[] = {"malformed_model_output", "malformed_tool_use"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (!json_is(reason, bad[i]))
			continue;
		(void)fault_set(why, ERR_SERVER_ERROR,
			"the model's answer could not be read by its provider: %s", bad[i]);
		fault_text(why->code, sizeof why->code, span_str(bad[i]));
		return ERR_SERVER_ERROR;
	}
	return OK;
}

/* Of a whole reply, or of messageStop. */
static enum err take_stop(struct decoder *d, struct json v, struct fault *why)
{
	static const char *const names[] = {"stopReason", "additionalModelResponseFields"};
	struct json m[COUNT_OF(names)];
	struct span word, matched;
	enum finish finish = FINISH_OTHER;
	PICK(v, names, m);
	if (json_kind(m[0]) != JSON_STRING || m[0].text.n == 2)
		return OK;
	struct json stop = json_member(m[1], "stop_sequence");
	if (json_is_nil(stop))
		stop = json_member(json_member(m[1], "delta"), "stop_sequence");
	enum err err = check_stop(m[0], why);
	if (!err)
		err = json_utf8(m[0], d->out.arena, &word);
	if (!err)
		err = json_utf8(stop, d->out.arena, &matched);
	if (err)
		return err;
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (span_is(word, finishes[i].word))
			finish = finishes[i].finish;
	}
	d->has_stop = true;
	return outlet_finish(&d->out, 0, finish, word, matched);
}

/* ---- a whole reply ---- */

/* The whole text of a reply that words asked to be JSON may come in a fence. */
static enum err take_text(struct decoder *d, struct json text)
{
	return d->notes->has_json_words ? outlet_unfenced(&d->out, 0, text)
					: outlet_json(&d->out, 0, OUTLET_TEXT, text);
}

static enum err take_cited(struct decoder *d, struct block *b, struct json v)
{
	enum err err = OK;
	for (struct json_walk w = json_each(json_member(v, "content")); !err && json_next(&w);)
		err = outlet_json(&d->out, 0, OUTLET_TEXT, json_member(w.value, "text"));
	for (struct json_walk w = json_each(json_member(v, "citations")); !err && json_next(&w);)
		err = take_citation(b, w.value);
	return err;
}

static enum err take_whole_call(struct decoder *d, struct block *b, struct json use)
{
	const struct json input = json_member(use, "input");
	const enum err err = begin_call(d, b, use);
	return err || json_is_nil(input) ? err : outlet_call_args(&d->out, b->call, input.text);
}

static enum err take_block(struct decoder *d, struct json v)
{
	static const char *const names[] = {
		"text", "toolUse", "reasoningContent", "citationsContent", "image"};
	struct json m[COUNT_OF(names)];
	struct block *b;
	PICK(v, names, m);
	enum err err = block_new(d, (int64_t)d->n_blocks, &b);
	if (err)
		return err;
	if (json_kind(m[0]) == JSON_STRING)
		err = take_text(d, m[0]);
	else if (json_kind(m[1]) == JSON_OBJECT && !is_of_server(m[1]))
		err = take_whole_call(d, b, m[1]);
	else if (json_kind(m[2]) == JSON_OBJECT)
		err = take_whole_reasoning(d, b, m[2]);
	else if (json_kind(m[3]) == JSON_OBJECT)
		err = take_cited(d, b, m[3]);
	else if (json_kind(m[4]) == JSON_OBJECT)
		err = take_image(d, b, m[4]);
	else
		err = arena_dup(d->out.arena, v.text, &b->raw);
	return err ? err : end_block(d, b);
}

static enum err take_error(struct error_body *body, struct json v, struct fault *why)
{
	/* the word of the model behind the service, where that has none of its own */
	const struct json original = json_member(v, "originalMessage");
	OWNED(buf_done) struct buf words = BUF_INIT(LIMIT_REPLY_BYTES);
	int64_t status;
	if (body->message[0] == '\0' && json_text_to(original, &words))
		fault_text(body->message, sizeof body->message, buf_view(&words));
	if (json_i64(json_member(v, "originalStatusCode"), &status) && status >= 400 &&
		status <= 599)
		body->status = status;
	return error_inside(body, bedrock_errors, why);
}

static enum err take_document(struct decoder *d, struct json v, struct fault *why)
{
	static const char *const names[] = {"output", "stopReason"};
	struct json m[COUNT_OF(names)];
	struct error_body body;
	PICK(v, names, m);
	const struct json message = json_member(m[0], "message");
	if (json_kind(message) != JSON_OBJECT) {
		error_read_json(v, &body);
		return take_error(&body, v, why);
	}
	d->has_message = d->out.choices[0].is_seen = true;
	enum err err = take_usage(d, v);
	if (!err)
		err = check_stop(m[1], why);
	for (struct json_walk w = json_each(json_member(message, "content"));
		!err && json_next(&w);) {
		if (json_kind(w.value) == JSON_OBJECT)
			err = take_block(d, w.value);
	}
	return err ? err : take_stop(d, v, why);
}

/* ---- events ---- */

static enum err take_event(struct decoder *d, struct span name, struct json v, struct fault *why)
{
	if (span_is(name, "contentBlockDelta"))
		return take_delta(d, v);
	if (span_is(name, "contentBlockStart"))
		return take_block_start(d, v);
	if (span_is(name, "contentBlockStop"))
		return take_block_stop(d, v);
	if (span_is(name, "messageStop"))
		return take_stop(d, v, why);
	if (span_is(name, "metadata"))
		return take_usage(d, v);
	return OK; /* messageStart, which says nothing, or of a later version */
}

static bool is_event(struct span name)
{
	static const char *const names[] = {"messageStart", "contentBlockStart",
		"contentBlockDelta", "contentBlockStop", "messageStop", "metadata"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	data = span_trim(data);
	if (!is_event(name) || data.n == 0)
		return OK;
	d->has_message = d->out.choices[0].is_seen = true;
	const enum err err = framing_object(&d->framing, data, &v, why);
	if (err || !span_is_set(v.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	return take_event(d, name, v, why);
}

/* What went wrong after the answer began: an exception's payload says it, or an error's headers. */
static enum err on_message(void *context, const struct event_message *m, struct fault *why)
{
	struct error_body body;
	struct json v;
	if (span_is(m->type, "event"))
		return on_event(context, m->event, m->payload, why);
	if (!span_is(m->type, "exception") && !span_is(m->type, "error"))
		return OK; /* of a later version */
	error_read(m->payload, &body);
	if (span_is_set(m->text))
		fault_text(body.message, sizeof body.message, m->text);
	const struct span type = span_is_set(m->exception) ? m->exception : m->code;
	const size_t namespace = span_index(type, '#');
	fault_text(body.type, sizeof body.type,
		namespace < type.n ? span_skip(type, namespace + 1) : type);
	if (json_scan(m->payload, JSON_LENIENT, &v, NULL) != OK)
		v = JSON_NONE;
	return take_error(&body, v, why);
}

static enum err on_document(void *context, struct span bytes, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = true;
	const enum err err = framing_document(bytes, d->out.arena, &v, why);
	return err ? err : take_document(d, v, why);
}

/* ---- the end ---- */

static enum err conclude(struct decoder *d, struct fault *why)
{
	enum err err = OK;
	if (!d->has_message) {
		(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
		fault_text(why->code, sizeof why->code, SPAN("empty_response"));
		return ERR_SERVER_ERROR;
	}
	if (!d->has_stop && !d->is_whole)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	for (struct block *b = d->blocks; !err && b; b = b->next) {
		if (!b->is_over)
			err = end_block(d, b);
	}
	if (!err && !d->has_stop) {
		err = outlet_finish(&d->out, 0, FINISH_STOP, SPAN_NONE, SPAN_NONE);
		if (!err)
			err = outlet_warn(&d->out, "missing_finish", NULL,
				"the provider did not say why its answer ended");
	}
	return err ? err : outlet_flush(&d->out);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err bedrock_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err bedrock_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
