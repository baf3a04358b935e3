/* last_turn.c - the words are taken out of the request as it was read, and out of the body that it was read from, where each
 * text that is left out must be the very one that was read. */
#include "brokerd/cache/last_turn.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "protocol/base/num.h"
#include "protocol/limits.h"

#define DEEPEST 2 /* a turn's parts are in a list of it */

/* ---- the request ---- */

bool last_turn_words(const struct llm_request *r, struct buf *out)
{
	const struct message *m = r->n_messages > 0 ? &r->messages[r->n_messages - 1] : NULL;
	size_t n = 0;
	if (!m || m->role != ROLE_USER)
		return false;
	for (size_t i = 0; i < m->n_parts; i++) {
		if (m->parts[i].type != PART_TEXT)
			return false;
		n += m->parts[i].text.n;
	}
	if (n == 0 || n > LAST_TURN_BYTES)
		return false;
	for (size_t i = 0; i < m->n_parts; i++) {
		if (i > 0)
			buf_byte(out, '\n');
		buf_span(out, m->parts[i].text);
	}
	return !buf_error(out);
}

/* A copy of it without them; all else is shared. */
static enum err without_words(const struct llm_request *r, struct arena *a, struct llm_request *out)
{
	assert(r->n_messages > 0);
	const struct message *last = &r->messages[r->n_messages - 1];
	struct message *messages = arena_array(a, r->n_messages, sizeof *messages);
	struct part *parts = arena_array(a, last->n_parts, sizeof *parts);
	if (!messages || !parts)
		return ERR_NO_MEMORY;
	memcpy(messages, r->messages, r->n_messages * sizeof *messages);
	memcpy(parts, last->parts, last->n_parts * sizeof *parts);
	for (size_t i = 0; i < last->n_parts; i++)
		parts[i].text = SPAN("");
	messages[r->n_messages - 1].parts = parts;
	*out = *r;
	out->messages = messages;
	return OK;
}

/* ---- the body ---- */

struct cutting {
	const struct message *words;
	size_t n; /* of its parts, that were found */
	struct buf text;
	struct buf *out;
};

/* False: it is another text than was read there. */
static bool cut_text(struct cutting *c, struct json text)
{
	buf_clear(&c->text);
	if (c->n == c->words->n_parts || !json_text_to(text, &c->text) ||
		!span_eq(buf_view(&c->text), c->words->parts[c->n].text))
		return false;
	c->n++;
	buf_text(c->out, "\"\"");
	return true;
}

static bool is_words(struct span name)
{
	return json_name_is(name, "content") || json_name_is(name, "text");
}

static bool is_parts(struct span name)
{
	return json_name_is(name, "content") || json_name_is(name, "parts");
}

static void put_name(struct buf *out, bool is_first, struct span raw_name)
{
	buf_text(out, is_first ? "\"" : ",\"");
	buf_span(out, raw_name);
	buf_text(out, "\":");
}

static bool cut_turn(struct cutting *c, struct json turn, int depth);

static bool cut_parts(struct cutting *c, struct json parts, int depth)
{
	bool is_first = true, is_cut = true;
	buf_byte(c->out, '[');
	for (struct json_walk w = json_each(parts); is_cut && json_next(&w); is_first = false) {
		if (!is_first)
			buf_byte(c->out, ',');
		is_cut = json_kind(w.value) == JSON_OBJECT && cut_turn(c, w.value, depth + 1);
	}
	buf_byte(c->out, ']');
	return is_cut;
}

/* A turn, or a part of one: its words are the text of its own, or of its parts. */
static bool cut_turn(struct cutting *c, struct json turn, int depth)
{
	bool is_first = true, is_cut = true;
	buf_byte(c->out, '{');
	for (struct json_walk w = json_each(turn); is_cut && json_next(&w); is_first = false) {
		const enum json_kind kind = json_kind(w.value);
		put_name(c->out, is_first, w.name);
		if (kind == JSON_STRING && is_words(w.name))
			is_cut = cut_text(c, w.value);
		else if (kind == JSON_ARRAY && is_parts(w.name) && depth + 1 < DEEPEST)
			is_cut = cut_parts(c, w.value, depth);
		else
			buf_span(c->out, w.value.text);
	}
	buf_byte(c->out, '}');
	return is_cut;
}

/* The turns of all APIs stand in a list, but where the only one is a text. */
static bool cut_last(struct cutting *c, struct json turns)
{
	struct json last = JSON_NONE;
	if (json_kind(turns) == JSON_STRING)
		return cut_text(c, turns);
	if (json_kind(turns) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_each(turns); json_next(&w);)
		last = w.value;
	if (json_kind(last) != JSON_OBJECT)
		return false;
	buf_put(c->out, turns.text.p, (size_t)(last.text.p - turns.text.p));
	if (!cut_turn(c, last, 0))
		return false;
	buf_byte(c->out, ']');
	return true;
}

static bool is_turns(struct span name)
{
	return json_name_is(name, "messages") || json_name_is(name, "input") ||
	       json_name_is(name, "contents");
}

/* Appends the body without them. */
static bool cut_body(struct cutting *c, struct json body)
{
	bool has_turns = false;
	buf_byte(c->out, '{');
	for (struct json_walk w = json_each(body); json_next(&w);) {
		put_name(c->out, c->out->n == 1, w.name);
		if (has_turns || !is_turns(w.name)) {
			buf_span(c->out, w.value.text);
			continue;
		}
		has_turns = true;
		if (!cut_last(c, w.value))
			return false;
	}
	buf_byte(c->out, '}');
	return c->n == c->words->n_parts;
}

/* ---- the key ---- */

enum err last_turn_core(const unsigned char secret[CACHE_SECRET_BYTES], const struct cache_ask *ask,
	struct arena *a, struct cache_core *out)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(2 * LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf body = BUF_INIT(2 * LIMIT_BODY_BYTES);
	struct llm_request rest;
	struct cache_ask less = *ask;
	less.request = &rest;
	enum err err = without_words(ask->request, a, &rest);
	if (!err && span_is_set(ask->surface)) {
		struct cutting c = {.words = &ask->request->messages[rest.n_messages - 1],
			.text = BUF_INIT(LIMIT_BODY_BYTES),
			.out = &body};
		const bool is_cut = cut_body(&c, ask->body);
		buf_done(&c.text);
		less.body = json_of(buf_view(&body));
		err = is_cut ? buf_error(&body) : ERR_UNSUPPORTED;
	}
	return err ? err : cache_core(secret, &less, &scratch, out);
}

static void add(crypto_generichash_state *h, struct span text)
{
	unsigned char length[8];
	num_put_le(length, text.n, sizeof length);
	crypto_generichash_update(h, length, sizeof length);
	crypto_generichash_update(h, (const unsigned char *)text.p, text.n);
}

void last_turn_space(const unsigned char secret[CACHE_SECRET_BYTES], struct span provider,
	struct span model, size_t dimensions, struct cache_core *core)
{
	crypto_generichash_state h;
	unsigned char n[8];
	num_put_le(n, dimensions, sizeof n);
	crypto_generichash_init(&h, secret, CACHE_SECRET_BYTES, sizeof core->bytes);
	add(&h, SPAN("space"));
	crypto_generichash_update(&h, core->bytes, sizeof core->bytes);
	crypto_generichash_update(&h, n, sizeof n);
	add(&h, provider);
	add(&h, model);
	crypto_generichash_final(&h, core->bytes, sizeof core->bytes);
}
