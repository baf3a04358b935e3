/* reply.c - a reply of this family: a sequence of blocks, which a whole reply brings as whole ones. */
#include "brokerd/dialect/alike.h"
#include "brokerd/dialect/anthropic/anthropic.h"
#include "brokerd/dialect/anthropic/verdict.h"
#include "brokerd/dialect/emulate.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

#define BLOCKS_MAX ((size_t)65536)

enum block_kind {
	BLOCK_TEXT,
	BLOCK_THINKING,
	BLOCK_TOOL_USE,
	BLOCK_OTHER, /* carried, not interpreted: server tools and their results, compaction, ... */
};

struct block {
	struct block *next;
	int64_t index;
	enum block_kind kind;
	bool is_over;
	struct outlet_call *call;
	struct span raw;      /* other: the block as it began; tool_use: its input as it began */
	const char *fills;    /* other: the member that deltas fill; NULL: nothing came */
	struct buf filled;    /* what they fill it with */
	struct buf signature; /* thinking */
	struct buf thinking;  /* its text, where nobody was told it */
	struct buf citations; /* text: JSON, a comma between them */
};

/* As the provider counts; the last word of each wins. -1: not said. */
struct counts {
	int64_t input, output, cache_read, cache_write, write_5m, write_1h, thinking;
};
#define COUNTS_UNKNOWN ((struct counts){-1, -1, -1, -1, -1, -1, -1})

/* The same of the calls that an answer took. */
struct calls {
	struct llm_usage
		aside;   /* of those that its counts leave out: a compaction of what went before */
	bool has_others; /* some were to another model, which has another price */
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	struct block *blocks, *last;
	size_t n_blocks;
	struct counts counts;
	struct calls calls;
	bool is_whole, has_message, has_reason, is_done;
	bool has_negative; /* among what was counted */
	struct alike
		alike;    /* the event before this one, where it brought a text and nothing else, */
	struct json text; /* as this one may do; absent: it does not */
};

struct decoder *anthropic_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){
		.notes = notes, .counts = COUNTS_UNKNOWN, .calls = {.aside = USAGE_UNKNOWN}};
	if (!outlet_init(&d->out, a, notes, env))
		return NULL;
	framing_init(&d->framing, head);
	alike_init(&d->alike);
	return d;
}

static void blocks_done(struct decoder *d)
{
	for (struct block *b = d->blocks; b; b = b->next) {
		buf_done(&b->filled);
		buf_done(&b->signature);
		buf_done(&b->thinking);
		buf_done(&b->citations);
	}
}

void anthropic_decoder_done(struct decoder *d)
{
	blocks_done(d);
	outlet_done(&d->out);
	framing_done(&d->framing);
	alike_done(&d->alike);
}

/* ---- usage ---- */

/* Takes over what is there. A host may first guess and later say 0: then the guess stands, unless all of
 * the input is said to be the cache's. */
static void take_counts(struct counts *c, struct json u)
{
	static const char *const names[] = {"input_tokens", "output_tokens",
		"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation",
		"output_tokens_details"};
	struct json m[COUNT_OF(names)];
	const int64_t input = c->input;
	int64_t read = 0, written = 0;
	PICK(u, names, m);
	if (usage_count(m[2], &read))
		c->cache_read = read;
	if (usage_count(m[3], &written))
		c->cache_write = written;
	usage_count(m[0], &c->input);
	if (c->input == 0 && input > 0 && read == 0 && written == 0)
		c->input = input;
	usage_count(m[1], &c->output);
	usage_member(m[4], "ephemeral_5m_input_tokens", NULL, &c->write_5m);
	usage_member(m[4], "ephemeral_1h_input_tokens", NULL, &c->write_1h);
	usage_member(m[5], "thinking_tokens", NULL, &c->thinking);
}

/* Input and caches are counted apart here; thinking is a part of the output. False: as usage_split. */
static bool classes_of(const struct counts *c, struct llm_usage *out)
{
	struct llm_usage u = USAGE_UNKNOWN;
	u.cache_read = c->cache_read;
	u.reasoning = c->thinking;
	u.cache_write_5m = c->write_5m;
	u.cache_write_1h = c->write_1h;
	const int64_t told =
		(c->write_5m > 0 ? c->write_5m : 0) + (c->write_1h > 0 ? c->write_1h : 0);
	if (told == 0 && c->cache_write != 0)
		u.cache_write_5m = u.cache_write_1h = -1; /* a split that says nothing */
	if (c->cache_write > told || (c->write_5m < 0 && c->write_1h < 0))
		u.cache_write = c->cache_write - (c->cache_write > 0 ? told : 0);
	const bool fits = usage_split(&u, -1, c->output);
	u.input = c->input;
	*out = u;
	return fits;
}

/* The list of all calls, the answer's own among them, of which the counts are the sum. */
static void take_calls(struct calls *calls, struct json list)
{
	*calls = (struct calls){.aside = USAGE_UNKNOWN};
	for (struct json_walk w = json_each(list); json_next(&w);) {
		struct counts counts = COUNTS_UNKNOWN;
		struct llm_usage u;
		if (json_kind(w.value) != JSON_OBJECT ||
			json_is(json_member(w.value, "type"), "message"))
			continue;
		if (!json_is_nil(json_member(w.value, "model"))) {
			calls->has_others = true;
			continue;
		}
		take_counts(&counts, w.value);
		(void)classes_of(&counts, &u);
		usage_add(&calls->aside, &u);
	}
}

static void take_usage(struct decoder *d, struct json u)
{
	const struct json list = json_member(u, "iterations");
	take_counts(&d->counts, u);
	d->has_negative = d->has_negative || usage_has_negative(u) ||
			  usage_has_negative(json_member(u, "cache_creation")) ||
			  usage_has_negative(json_member(u, "output_tokens_details"));
	if (json_kind(list) == JSON_ARRAY)
		take_calls(&d->calls, list);
}

static enum err give_usage(struct decoder *d)
{
	struct llm_usage u, billed;
	const bool fits = classes_of(&d->counts, &u);
	billed = u;
	usage_add(&billed, &d->calls.aside);
	outlet_usage_billed(&d->out, &u, &billed);
	enum err err = OK;
	if (!fits)
		err = outlet_warn(&d->out, "repaired_response", "usage", USAGE_UNFIT);
	if (!err && d->has_negative)
		err = outlet_warn(&d->out, "repaired_response", "usage", USAGE_NEGATIVE);
	if (!err && d->calls.has_others)
		err = outlet_warn(&d->out, "unpriced_usage", "usage.iterations",
			"another model advised this one: what that costs is not in the cost");
	return err;
}

/* ---- blocks ---- */

static struct block *block_at(struct decoder *d, struct json index)
{
	int64_t i;
	struct block *found = NULL;
	if (!json_i64(index, &i))
		return d->last && !d->last->is_over ? d->last : NULL;
	for (struct block *b = d->last && d->last->index == i ? d->last : d->blocks; b;
		b = b->next) {
		if (b->index == i)
			found = b;
	}
	return found && !found->is_over ? found : NULL;
}

static enum err block_new(struct decoder *d, struct json index, struct block **out)
{
	struct block *b = d->n_blocks < BLOCKS_MAX ? arena_alloc(d->out.arena, sizeof *b) : NULL;
	if (!b)
		return d->n_blocks < BLOCKS_MAX ? ERR_NO_MEMORY : ERR_SERVER_ERROR;
	*b = (struct block){
		.index = (int64_t)d->n_blocks,
		.filled = BUF_INIT(LIMIT_REPLY_BYTES),
		.signature = BUF_INIT(LIMIT_REPLY_BYTES),
		.thinking = BUF_INIT(LIMIT_REPLY_BYTES),
		.citations = BUF_INIT(LIMIT_REPLY_BYTES),
	};
	json_i64(index, &b->index);
	d->n_blocks++;
	if (d->last)
		d->last->next = b;
	else
		d->blocks = b;
	d->last = b;
	*out = b;
	return OK;
}

static enum err begin_call(struct decoder *d, struct block *b, struct json block)
{
	static const char *const names[] = {"id", "name", "input"};
	struct json m[COUNT_OF(names)];
	PICK(block, names, m);
	enum err err = outlet_call_new(&d->out, 0, &b->call);
	if (err)
		return err;
	b->kind = BLOCK_TOOL_USE;
	json_text_to(m[0], &b->call->id);
	json_text_to(m[1], &b->call->name);
	b->call->is_text = emulate_is_answer(d->notes, buf_view(&b->call->name));
	err = outlet_check(&b->call->id);
	if (!err)
		err = outlet_check(&b->call->name);
	struct json_walk w = json_each(m[2]);
	if (!err && json_kind(m[2]) == JSON_OBJECT && json_next(&w))
		err = arena_dup(d->out.arena, m[2].text, &b->raw);
	return err;
}

static enum err take_thinking(struct decoder *d, struct block *b, struct json text)
{
	if (!d->notes->wants_reasoning_text)
		json_text_to(text, &b->thinking);
	const enum err err = outlet_check(&b->thinking);
	return err ? err : outlet_json(&d->out, 0, OUTLET_REASONING, text);
}

static void take_citation(struct block *b, struct json citation)
{
	if (json_kind(citation) != JSON_OBJECT)
		return;
	if (b->citations.n > 0)
		buf_byte(&b->citations, ',');
	buf_span(&b->citations, citation.text);
}

static enum err begin_block(struct decoder *d, struct json index, struct json block)
{
	struct block *b;
	const struct json type = json_member(block, "type");
	enum err err = block_new(d, index, &b);
	if (err)
		return err;
	if (json_is(type, "text")) {
		b->kind = BLOCK_TEXT;
		for (struct json_walk w = json_each(json_member(block, "citations"));
			json_next(&w);)
			take_citation(b, w.value);
		err = outlet_check(&b->citations);
		if (err)
			return err;
		const struct json text = json_member(block, "text");
		return d->is_whole && d->notes->has_json_words
			       ? outlet_unfenced(&d->out, 0, text)
			       : outlet_json(&d->out, 0, OUTLET_TEXT, text);
	}
	if (json_is(type, "thinking")) {
		b->kind = BLOCK_THINKING;
		json_text_to(json_member(block, "signature"), &b->signature);
		err = outlet_check(&b->signature);
		return err ? err : take_thinking(d, b, json_member(block, "thinking"));
	}
	if (json_is(type, "tool_use"))
		return begin_call(d, b, block);
	b->kind = BLOCK_OTHER;
	return arena_dup(d->out.arena, block.text, &b->raw);
}

/* A delta of a block that is only carried: fills one of its members. A text goes on from what the block
 * began with, an input that comes in pieces wins over it. */
static enum err fill(struct decoder *d, struct block *b, const char *member, struct json text)
{
	if (json_kind(text) != JSON_STRING || text.text.n == 2)
		return OK;
	if (b->fills && strcmp(b->fills, member) != 0)
		return outlet_warn(&d->out, "repaired_response", NULL,
			"a block of the provider's that is not known here came in pieces of more "
			"than one kind; those of the first were kept");
	if (!b->fills && strcmp(member, "input") != 0)
		json_text_to(json_member(json_of(b->raw), member), &b->filled);
	b->fills = member;
	json_text_to(text, &b->filled);
	return outlet_check(&b->filled);
}

/* A piece of such a block says by its type what it fills; others are of a later version. */
static enum err fill_other(struct decoder *d, struct block *b, struct json delta)
{
	static const struct {
		const char *type, *from, *member;
	} rows[] = {
		{"input_json_delta", "partial_json", "input"   },
		{"compaction_delta", "content",      "content" },
		{"text_delta",       "text",         "text"    },
		{"thinking_delta",   "thinking",     "thinking"},
	};
	const struct json type = json_member(delta, "type");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (json_is(type, rows[i].type))
			return fill(d, b, rows[i].member, json_member(delta, rows[i].from));
	}
	return OK;
}

static enum err take_delta(struct decoder *d, struct block *b, struct json delta)
{
	static const char *const names[] = {
		"type", "text", "thinking", "signature", "partial_json", "citation"};
	struct json m[COUNT_OF(names)];
	if (b->kind == BLOCK_OTHER)
		return fill_other(d, b, delta);
	PICK(delta, names, m);
	if (json_is(m[0], "text_delta")) {
		d->text = m[1];
		return outlet_json(&d->out, 0, OUTLET_TEXT, m[1]);
	}
	if (json_is(m[0], "thinking_delta"))
		return take_thinking(d, b, m[2]);
	if (json_is(m[0], "signature_delta")) {
		json_text_to(m[3], &b->signature);
		return outlet_check(&b->signature);
	}
	if (json_is(m[0], "citations_delta")) {
		take_citation(b, m[5]);
		return outlet_check(&b->citations);
	}
	if (!json_is(m[0], "input_json_delta") || b->kind != BLOCK_TOOL_USE)
		return OK; /* of a later version */
	if (json_kind(m[4]) == JSON_STRING && m[4].text.n > 2)
		b->raw = SPAN_NONE; /* what comes in pieces wins over what it began with */
	buf_clear(&d->out.piece);
	json_text_to(m[4], &d->out.piece);
	const enum err err = outlet_check(&d->out.piece);
	return err ? err : outlet_call_args(&d->out, b->call, buf_view(&d->out.piece));
}

/* A piece whose block was never begun, or is over, begins the one that it is of by its type. Its own
 * kind says nothing where it is of a later version: then there is none. */
static enum err begin_by_delta(
	struct decoder *d, struct json index, struct json delta, struct block **out)
{
	static const struct {
		const char *type;
		enum block_kind kind;
	} rows[] = {
		{"text_delta",       BLOCK_TEXT    },
		{"citations_delta",  BLOCK_TEXT    },
		{"thinking_delta",   BLOCK_THINKING},
		{"signature_delta",  BLOCK_THINKING},
		{"input_json_delta", BLOCK_TOOL_USE},
		{"compaction_delta", BLOCK_OTHER   },
	};
	const struct json type = json_member(delta, "type");
	*out = NULL;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!json_is(type, rows[i].type))
			continue;
		const enum err err = block_new(d, index, out);
		if (err || rows[i].kind == BLOCK_TOOL_USE)
			return err ? err : begin_call(d, *out, JSON_NONE);
		(*out)->kind = rows[i].kind;
		if (rows[i].kind == BLOCK_OTHER)
			(*out)->raw = SPAN("{\"type\":\"compaction\"}");
		return OK;
	}
	return OK;
}

/* The block with its filled member in place, as JSON. */
static enum err put_filled(struct decoder *d, const struct block *b, struct buf *out)
{
	struct json_out o = json_to(out);
	enum err err = OK;
	json_open(&o, '{');
	for (struct json_walk w = json_each(json_of(b->raw)); json_next(&w);) {
		if (b->fills && json_name_is(w.name, b->fills))
			continue;
		json_key_raw(&o, w.name);
		json_put_raw(&o, w.value.text);
	}
	if (b->fills) {
		json_key(&o, b->fills);
		if (strcmp(b->fills, "input") == 0)
			err = outlet_put_input(&d->out, &o, buf_view(&b->filled));
		else
			json_put_str(&o, buf_view(&b->filled));
	}
	json_close(&o, '}');
	return err ? err : outlet_check(out);
}

static enum err end_other(struct decoder *d, const struct block *b)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct part part = {.type = PART_OPAQUE};
	enum err err = put_filled(d, b, &json);
	part.opaque = (struct opaque){SPAN(ANTHROPIC_FAMILY), d->out.model, SPAN_NONE};
	if (!err)
		err = outlet_keep(&d->out, buf_view(&json), &part.opaque.data);
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
	json_pair_str(&o, "type", SPAN("thinking"));
	if (b->thinking.n > 0)
		json_pair_str(&o, "thinking", buf_view(&b->thinking));
	json_pair_str(&o, "signature", buf_view(&b->signature));
	json_close(&o, '}');
	const struct opaque opaque = {SPAN(ANTHROPIC_FAMILY), d->out.model, buf_view(&json)};
	const enum err err = outlet_check(&json);
	return err ? err : outlet_opaque(&d->out, 0, &opaque);
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

static enum err end_block(struct decoder *d, struct block *b)
{
	enum err err = OK;
	b->is_over = true;
	switch (b->kind) {
	case BLOCK_TEXT:
		return end_citations(d, b);
	case BLOCK_THINKING:
		return end_thinking(d, b);
	case BLOCK_TOOL_USE:
		if (span_is_set(b->raw))
			err = outlet_call_args(&d->out, b->call, b->raw);
		return err ? err : outlet_call_end(&d->out, b->call);
	case BLOCK_OTHER:
		return end_other(d, b);
	}
	return OK;
}

/* ---- finish ---- */

/* Why the answer was refused: of which kind it is, and a sentence; either may be missing. */
static enum err tell_refusal(struct decoder *d, struct json details)
{
	static const char *const names[] = {"category", "explanation"};
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json m[COUNT_OF(names)];
	struct span told;
	PICK(details, names, m);
	const bool has_category = json_kind(m[0]) == JSON_STRING && m[0].text.n > 2;
	if (has_category) {
		buf_text(&text, "refused as ");
		json_text_to(m[0], &text);
	}
	if (has_category && json_kind(m[1]) == JSON_STRING && m[1].text.n > 2)
		buf_text(&text, ": ");
	json_text_to(m[1], &text);
	enum err err = outlet_check(&text);
	if (err || text.n == 0)
		return err;
	err = outlet_keep(&d->out, buf_view(&text), &told);
	const char *message = err ? NULL : arena_str(d->out.arena, told);
	if (!err && !message)
		err = ERR_NO_MEMORY;
	return err ? err : outlet_warn(&d->out, "content_filtered", NULL, message);
}

/* Of a whole message, or of its last delta. */
static enum err take_stop(struct decoder *d, struct json v)
{
	static const char *const names[] = {"stop_reason", "stop_sequence", "stop_details"};
	struct json m[COUNT_OF(names)];
	struct span word, matched;
	PICK(v, names, m);
	if (json_kind(m[0]) != JSON_STRING || m[0].text.n == 2)
		return OK;
	enum err err = json_utf8(m[0], d->out.arena, &word);
	if (!err)
		err = json_utf8(m[1], d->out.arena, &matched);
	if (err)
		return err;
	d->has_reason = true;
	err = tell_refusal(d, m[2]);
	return err ? err : outlet_finish(&d->out, 0, anthropic_read_stop(word), word, matched);
}

/* ---- events ---- */

static enum err take_error(struct json v, struct fault *why)
{
	struct error_body body;
	error_read_json(v, &body);
	return error_inside(&body, anthropic_errors, why);
}

/* A second beginning: the same again, or a host that started over. */
static enum err take_restart(struct decoder *d, struct span id, struct fault *why)
{
	if (span_eq(id, d->out.id))
		return OK;
	if (d->out.is_started)
		return fault_set(why, ERR_SERVER_ERROR,
			"the provider began its answer anew after a part of it was given");
	blocks_done(d);
	d->blocks = d->last = NULL;
	d->n_blocks = 0;
	d->has_reason = false;
	d->counts = COUNTS_UNKNOWN;
	d->calls = (struct calls){.aside = USAGE_UNKNOWN};
	outlet_reset(&d->out);
	return OK;
}

static enum err take_start(struct decoder *d, struct json message, struct fault *why)
{
	static const char *const names[] = {"id", "model", "usage"};
	struct json m[COUNT_OF(names)];
	struct span id, model;
	PICK(message, names, m);
	enum err err = json_text(m[0], d->out.arena, &id);
	if (!err)
		err = json_text(m[1], d->out.arena, &model);
	if (!err && d->has_message)
		err = take_restart(d, id, why);
	if (!err)
		err = outlet_about(&d->out, id, model, 0);
	if (err)
		return err;
	d->has_message = d->out.choices[0].is_seen = true;
	take_usage(d, m[2]);
	err = outlet_tier(&d->out, json_member(m[2], "service_tier"));
	if (err)
		return err;
	if (!d->is_whole)
		d->counts.output = -1; /* here it is only a placeholder */
	return give_usage(d);
}

/* An answer says so, or has a content, which may be null where there is nothing in it. */
static bool is_message(struct json v, struct json content)
{
	const struct json type = json_member(v, "type");
	if (json_is(type, "error") || !json_is_nil(json_member(v, "error")))
		return false;
	return json_kind(content) == JSON_ARRAY ||
	       (json_is_nil(content) && json_is(type, "message"));
}

static enum err take_document(struct decoder *d, struct json v, struct fault *why)
{
	const struct json content = json_member(v, "content");
	if (!is_message(v, content))
		return take_error(v, why);
	enum err err = take_start(d, v, why);
	for (struct json_walk w = json_each(content);
		!err && json_kind(content) == JSON_ARRAY && json_next(&w);) {
		if (json_kind(w.value) != JSON_OBJECT)
			continue;
		err = begin_block(d, JSON_NONE, w.value);
		if (!err)
			err = end_block(d, d->last);
	}
	return err ? err : take_stop(d, v);
}

static enum err conclude(struct decoder *d, struct fault *why);

static enum err take_event(struct decoder *d, struct span name, struct json v, struct fault *why)
{
	static const char *const names[] = {
		"type", "message", "index", "content_block", "delta", "usage", "error"};
	struct json m[COUNT_OF(names)];
	struct block *b;
	enum err err = OK;
	PICK(v, names, m);
	if (json_is(m[0], "error") || span_is(name, "error") || json_kind(m[6]) == JSON_OBJECT)
		return take_error(v, why);
	if (json_is(m[0], "message_start"))
		return take_start(d, m[1], why);
	if (json_is(m[0], "content_block_start"))
		return begin_block(d, m[2], m[3]);
	if (json_is(m[0], "content_block_delta")) {
		b = block_at(d, m[2]);
		if (!b)
			err = begin_by_delta(d, m[2], m[4], &b);
		return err || !b ? err : take_delta(d, b, m[4]);
	}
	if (json_is(m[0], "content_block_stop")) {
		b = block_at(d, m[2]);
		return b ? end_block(d, b) : OK;
	}
	if (json_is(m[0], "message_delta")) {
		take_usage(d, m[5]);
		err = give_usage(d);
		return err ? err : take_stop(d, m[4]);
	}
	if (json_is(m[0], "message_stop")) {
		d->is_done = true;
		return conclude(d, why);
	}
	return OK; /* a ping, or of a later version */
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
	if (!d->has_reason && !d->is_done && !d->is_whole)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	for (struct block *b = d->blocks; !err && b; b = b->next) {
		if (!b->is_over)
			err = end_block(d, b);
	}
	if (!err && !d->has_reason) {
		err = outlet_finish(&d->out, 0, FINISH_STOP, SPAN_NONE, SPAN_NONE);
		if (!err)
			err = outlet_warn(&d->out, "missing_finish", NULL,
				"the provider did not say why its answer ended");
	}
	return err ? err : outlet_flush(&d->out);
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	data = span_trim(data);
	if (d->is_done || data.n == 0 || span_starts(data, SPAN("[DONE]")))
		return OK;
	d->text = span_is(name, "error") ? JSON_NONE : alike_text(&d->alike, data);
	if (span_is_set(d->text.text))
		return outlet_json(&d->out, 0, OUTLET_TEXT, d->text);
	enum err err = framing_object(&d->framing, data, &v, why);
	if (err || !span_is_set(v.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	err = take_event(d, name, v, why);
	/* what comes in between may end the block that it goes on with */
	if (!err && json_kind(d->text) == JSON_STRING)
		alike_note(&d->alike, data, d->text);
	else
		alike_forget(&d->alike);
	return err;
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = true;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	return err ? err : take_document(d, v, why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err anthropic_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err anthropic_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
