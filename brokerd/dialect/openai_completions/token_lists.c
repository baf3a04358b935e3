/* token_lists.c - a token at a time, whatever shape it comes in. */
#include "brokerd/dialect/openai_completions/token_lists.h"

#include "protocol/base/owned.h"
#include "protocol/limits.h"

static const char *const names[TOKEN_LISTS] = {
	[TOKEN_TEXTS] = "tokens",
	[TOKEN_LOGPROBS] = "token_logprobs",
	[TOKEN_TOPS] = "top_logprobs",
	[TOKEN_OFFSETS] = "text_offset",
};

void token_lists_init(struct token_lists *p)
{
	*p = (struct token_lists){.scratch = BUF_INIT(LIMIT_BODY_BYTES)};
	for (size_t i = 0; i < TOKEN_LISTS; i++)
		buf_init(&p->lists[i], LIMIT_BODY_BYTES);
}

void token_lists_done(struct token_lists *p)
{
	for (size_t i = 0; i < TOKEN_LISTS; i++)
		buf_done(&p->lists[i]);
	buf_done(&p->scratch);
}

void token_lists_clear(struct token_lists *p)
{
	for (size_t i = 0; i < TOKEN_LISTS; i++)
		buf_clear(&p->lists[i]);
	p->has_tops = false;
}

bool token_lists_has_any(const struct token_lists *p)
{
	return p->lists[TOKEN_TEXTS].n > 0;
}

void token_lists_put(const struct token_lists *p, struct json_out *o)
{
	json_open(o, '{');
	for (size_t i = 0; i < TOKEN_LISTS; i++) {
		json_key(o, names[i]);
		if (i == TOKEN_TOPS && !p->has_tops) {
			json_put_null(o);
			continue;
		}
		json_open(o, '[');
		json_put_raw(o, buf_view(&p->lists[i]));
		json_close(o, ']');
	}
	json_close(o, '}');
}

/* ---- adding ---- */

static int64_t count_chars(struct token_lists *p, struct json text)
{
	int64_t n = 0;
	buf_clear(&p->scratch);
	json_text_to(text, &p->scratch);
	for (size_t i = 0; i < p->scratch.n; i++)
		n += ((unsigned char)p->scratch.p[i] & 0xc0) != 0x80;
	return n;
}

/* The alternatives as one object; those of a chat are a list. */
static void put_tops(struct json_out *o, struct json tops)
{
	if (json_kind(tops) != JSON_ARRAY) {
		json_put_raw(o, tops.text);
		return;
	}
	json_open(o, '{');
	for (struct json_walk w = json_each(tops); json_next(&w);) {
		const struct json token = json_member(w.value, "token");
		if (json_kind(token) != JSON_STRING)
			continue;
		json_key_raw(o, span_of(token.text.p + 1, token.text.n - 2));
		json_put_raw(o, json_member(w.value, "logprob").text);
	}
	json_close(o, '}');
}

static void add_token(struct token_lists *p, const struct json m[TOKEN_LISTS])
{
	struct json_out o[TOKEN_LISTS];
	int64_t offset;
	if (json_kind(m[TOKEN_TEXTS]) != JSON_STRING)
		return;
	for (size_t i = 0; i < TOKEN_LISTS; i++) {
		o[i] = json_to(&p->lists[i]);
		o[i].has_value = p->lists[i].n > 0;
	}
	json_put_raw(&o[TOKEN_TEXTS], m[TOKEN_TEXTS].text);
	json_put_raw(&o[TOKEN_LOGPROBS], m[TOKEN_LOGPROBS].text);
	put_tops(&o[TOKEN_TOPS], m[TOKEN_TOPS]);
	json_put_i64(&o[TOKEN_OFFSETS], json_i64(m[TOKEN_OFFSETS], &offset) ? offset : p->offset);
	p->has_tops = p->has_tops || !json_is_nil(m[TOKEN_TOPS]);
	p->offset += count_chars(p, m[TOKEN_TEXTS]);
}

static void add_lists(struct token_lists *p, struct json v)
{
	struct json_walk w[TOKEN_LISTS];
	for (size_t i = 0; i < TOKEN_LISTS; i++)
		w[i] = json_each(json_member(v, names[i]));
	while (json_next(&w[TOKEN_TEXTS])) {
		struct json m[TOKEN_LISTS] = {w[TOKEN_TEXTS].value};
		for (size_t i = TOKEN_TEXTS + 1; i < TOKEN_LISTS; i++)
			m[i] = json_next(&w[i]) ? w[i].value : JSON_NONE;
		add_token(p, m);
	}
}

static void add_objects(struct token_lists *p, struct json list)
{
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const struct json m[TOKEN_LISTS] = {
			[TOKEN_TEXTS] = json_member(w.value, "token"),
			[TOKEN_LOGPROBS] = json_member(w.value, "logprob"),
			[TOKEN_TOPS] = json_member(w.value, "top_logprobs"),
		};
		add_token(p, m);
	}
}

enum err token_lists_add(struct token_lists *p, struct json v)
{
	enum err err = OK;
	add_lists(p, v);
	add_objects(p, json_member(v, "content"));
	add_objects(p, json_member(v, "refusal"));
	for (size_t i = 0; !err && i < TOKEN_LISTS; i++)
		err = buf_error(&p->lists[i]);
	return err ? err : buf_error(&p->scratch);
}
