/* cache_key.c - a keyed hash over the packed request, or the members of a body, each part behind its length. */
#include "brokerd/cache/cache_key.h"

#include <sodium.h>
#include <string.h>

#include "protocol/base/num.h"

#define VERSION 1 /* of what is hashed: another one shares nothing with this */

/* What goes into a hash, gathered, for a call of it costs more than a few bytes do. */
struct sink {
	crypto_generichash_state state;
	size_t n;
	unsigned char held[256];
};

static void put(struct sink *to, const void *bytes, size_t n)
{
	if (n > sizeof to->held - to->n) {
		crypto_generichash_update(&to->state, to->held, to->n);
		to->n = 0;
	}
	if (n > sizeof to->held) {
		crypto_generichash_update(&to->state, bytes, n);
	} else if (n > 0) {
		memcpy(to->held + to->n, bytes, n);
		to->n += n;
	}
}

static void add_number(struct sink *to, uint64_t n)
{
	unsigned char bytes[8];
	num_put_le(bytes, n, sizeof bytes);
	put(to, bytes, sizeof bytes);
}

static void add(struct sink *to, struct span text)
{
	add_number(to, span_is_set(text) ? text.n : UINT64_MAX); /* absent is not empty */
	put(to, text.p, text.n);
}

static void begin(struct sink *to, const unsigned char *secret, const char *what, size_t bytes)
{
	crypto_generichash_init(&to->state, secret, CACHE_SECRET_BYTES, bytes);
	to->n = 0;
	add(to, span_str(what));
	add_number(to, VERSION);
}

static void end(struct sink *to, unsigned char *out, size_t bytes)
{
	crypto_generichash_update(&to->state, to->held, to->n);
	crypto_generichash_final(&to->state, out, bytes);
}

static bool is_inert(struct span header)
{
	return span_is(header, "idempotency-key") || span_is(header, "accept") ||
	       span_is(header, "accept-language");
}

static bool is_inert_member(struct span name)
{
	static const char *const names[] = {"model", "stream", "stream_options", "user", "metadata",
		"prompt_cache_key", "safety_identifier"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (json_name_is(name, names[i]))
			return true;
	}
	return false;
}

/* Of the request only what has been changed since it was read from there. */
static void add_body(struct sink *h, const struct cache_ask *ask)
{
	struct json_walk w = json_each(ask->body);
	const struct opt_i64 max = ask->request->max_tokens;
	add(h, ask->surface);
	add_number(h, max.is_set);
	add_number(h, (uint64_t)max.v);
	while (json_next(&w)) {
		if (is_inert_member(w.name))
			continue;
		add(h, w.name);
		add(h, w.value.text);
	}
}

/* The whole of it but for what is inert. */
static enum err add_request(struct sink *h, const struct llm_request *request, struct buf *scratch)
{
	struct llm_request r = *request;
	r.model = SPAN_NONE;
	r.is_stream = false;
	r.user = SPAN_NONE;
	r.metadata = NULL;
	r.n_metadata = 0;
	r.cache_key = r.cache_ttl = SPAN_NONE;
	buf_clear(scratch);
	request_pack(&r, scratch);
	add_number(h, r.reasoning.is_wish);
	add(h, buf_view(scratch));
	return buf_error(scratch);
}

enum err cache_core(const unsigned char secret[CACHE_SECRET_BYTES], const struct cache_ask *ask,
	struct buf *scratch, struct cache_core *out)
{
	struct sink h;
	const bool is_body = span_is_set(ask->surface);
	begin(&h, secret, is_body ? "body" : "core", sizeof out->bytes);
	add_number(&h, (uint64_t)ask->op);
	if (is_body)
		add_body(&h, ask);
	const enum err err = is_body ? OK : add_request(&h, ask->request, scratch);
	if (err)
		return err;
	for (size_t i = 0; i < ask->n_headers; i++) {
		if (is_inert(ask->headers[i].key))
			continue;
		add(&h, ask->headers[i].key);
		add(&h, ask->headers[i].value);
	}
	end(&h, out->bytes, sizeof out->bytes);
	return OK;
}

enum err cache_core_sent(const unsigned char secret[CACHE_SECRET_BYTES],
	const struct llm_request *sent, struct buf *scratch, struct cache_core *core)
{
	struct sink h;
	begin(&h, secret, "sent", sizeof core->bytes);
	put(&h, core->bytes, sizeof core->bytes);
	const enum err err = add_request(&h, sent, scratch);
	if (!err)
		end(&h, core->bytes, sizeof core->bytes);
	return err;
}

void cache_key(const unsigned char secret[CACHE_SECRET_BYTES], const struct cache_core *core,
	const struct cache_place *place, struct cache_key *out)
{
	struct sink h;
	begin(&h, secret, "key", sizeof out->bytes);
	put(&h, core->bytes, sizeof core->bytes);
	add(&h, place->scope);
	add(&h, place->name_space);
	add(&h, place->provider);
	add(&h, place->base_url);
	add(&h, place->path);
	add(&h, place->family);
	add(&h, place->model);
	for (size_t i = 0; i < place->n_headers; i++) {
		add(&h, place->headers[i].name);
		add(&h, place->headers[i].value);
	}
	end(&h, out->bytes, sizeof out->bytes);
}

/* ---- what may be answered by what was answered before ---- */

static bool is_elsewhere(const struct part *p)
{
	return span_is_set(p->media.url) || span_is_set(p->media.file_id);
}

static bool has_elsewhere(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_inputs; i++) {
		if (is_elsewhere(&r->inputs[i]))
			return true;
	}
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t j = 0; j < r->messages[i].n_parts; j++) {
			if (is_elsewhere(&r->messages[i].parts[j]))
				return true;
		}
	}
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_PROVIDER)
			return true;
	}
	return false;
}

bool cache_is_repeatable(enum llm_op op, const struct llm_request *r)
{
	if (has_elsewhere(r))
		return false;
	if (op == LLM_OP_EMBED)
		return true;
	return (op == LLM_OP_CHAT || op == LLM_OP_COMPLETE) &&
	       (r->seed.is_set || (r->temperature.is_set && r->temperature.v == 0));
}
