/* counts.c - a number, under one of its names. */
#include "brokerd/dialect/counts.h"

#include "brokerd/dialect/usage.h"
#include "brokerd/dialect/whole.h"
#include "protocol/limits.h"

static bool find_count(struct json body, int64_t *out)
{
	if (usage_member(body, "input_tokens", "inputTokens", out) ||
		usage_member(body, "totalTokens", "total_tokens", out) ||
		usage_member(body, "count", NULL, out))
		return true;
	const struct json tokens = json_member(body, "tokens");
	if (json_kind(tokens) != JSON_ARRAY)
		return usage_count(tokens, out);
	*out = (int64_t)whole_length(tokens);
	return true;
}

static enum err read_count(struct whole *w, struct json body, struct fault *why)
{
	if (!whole_room(w, 1))
		return ERR_NO_MEMORY;
	w->n = 1;
	w->results[0].type = EV_COUNT;
	w->results[0].count.is_estimate = w->notes->is_count_estimated;
	if (!find_count(body, &w->results[0].count.input_tokens))
		return whole_refuse(why, "a count without its number");
	return OK;
}

struct decoder *counts_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	(void)head;
	return whole_new(a, notes, env, read_count);
}

static bool is_kept(const char *const *keep, struct span name)
{
	for (; *keep; keep++) {
		if (span_is(name, *keep))
			return true;
	}
	return false;
}

enum err counts_members(struct scribe *s, struct span chat, const char *const *keep)
{
	struct json asked;
	const enum err err = json_scan(chat, JSON_STRICT, &asked, s->why);
	for (struct json_walk w = json_each(asked); !err && json_next(&w);) {
		if (keep && !is_kept(keep, w.name)) /* our names are plain */
			continue;
		json_key_raw(&s->o, w.name);
		json_put_raw(&s->o, w.value.text);
	}
	return err;
}

enum err counts_body(struct scribe *s, struct span chat, const char *const *keep, struct span *out)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	s->o = json_to(&body);
	json_open(&s->o, '{');
	enum err err = counts_members(s, chat, keep);
	json_close(&s->o, '}');
	if (!err)
		err = buf_error(&body);
	s->o = json_to(NULL);
	return err ? err : arena_dup(s->notes->arena, buf_view(&body), out);
}

enum err counts_request(struct scribe *s, const struct http_request *chat, const char *const *keep,
	const struct place *place, struct http_request *out)
{
	s->notes->is_reply_streamed = false;
	enum err err = counts_body(s, chat->body, keep, &out->body);
	if (!err)
		err = scribe_address(s, place, out);
	for (size_t i = 0; !err && i < chat->n_headers; i++) {
		const struct http_header *h = &chat->headers[i];
		if (!span_is(h->name, "content-type") && !span_is(h->name, "accept") &&
			!http_request_header(out, h->name, h->value))
			err = ERR_INTERNAL;
	}
	return err;
}

void counts_plain(struct llm_request *r, struct notes *notes)
{
	r->is_stream = false;
	notes->form = ANSWER_WHOLE;
}
