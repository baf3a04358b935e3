/* errors.c - many shapes in, one fault out; the tables are the whole of the judgement. */
#include "brokerd/dialect/errors.h"

#include <stdio.h>

#include "protocol/base/num.h"
#include "protocol/limits.h"

/* ---- reading ---- */

/* A string as it is, a number as its digits; anything else leaves the field alone. */
static void read_field(struct json v, char *field, size_t size)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_SSE_LINE_BYTES);
	if (json_kind(v) == JSON_NUMBER)
		buf_span(&text, v.text);
	else if (!json_text_to(v, &text))
		return;
	if (text.n > 0 && field[0] == '\0')
		fault_text(field, size, buf_view(&text));
}

#define READ(v, field) read_field((v), (field), sizeof(field))

static void read_status(struct json v, struct error_body *out)
{
	char digits[32] = "";
	int64_t status = 0;
	READ(v, digits);
	if (out->status != 0)
		return;
	for (const char *c = digits; *c >= '0' && *c <= '9' && status < 1000; c++)
		status = status * 10 + (*c - '0');
	if (status >= 400 && status <= 599 && strlen(digits) == 3)
		out->status = status;
}

/* A string that begins with a capital letter, as the names of google.rpc.Code do. */
static bool is_word(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.p[1] >= 'A' && v.text.p[1] <= 'Z';
}

/* google.rpc.ErrorInfo, one of a list of details. */
static void read_reasons(struct json details, struct error_body *out)
{
	if (json_kind(details) != JSON_ARRAY)
		return;
	for (struct json_walk w = json_each(details); json_next(&w);)
		READ(json_member(w.value, "reason"), out->inner_code);
}

/* The members that an error object has under one name or another. */
static void read_object(struct json v, struct error_body *out)
{
	struct json_walk w = json_each(v);
	while (json_next(&w)) {
		if (json_name_is(w.name, "message") || json_name_is(w.name, "Message") ||
			json_name_is(w.name, "msg")) {
			if (json_kind(w.value) == JSON_OBJECT)
				read_object(w.value, out);
			else
				READ(w.value, out->message);
		} else if (json_name_is(w.name, "type") || json_name_is(w.name, "__type")) {
			if (!json_is(w.value, "error"))
				READ(w.value, out->type);
		} else if (json_name_is(w.name, "code")) {
			READ(w.value, out->code);
			read_status(w.value, out);
		} else if (json_name_is(w.name, "param")) {
			READ(w.value, out->param);
		} else if (json_name_is(w.name, "status_code") ||
			   json_name_is(w.name, "http_code") || json_name_is(w.name, "status")) {
			read_status(w.value, out);
			if (is_word(w.value)) /* google.rpc: "INVALID_ARGUMENT" */
				READ(w.value, out->type);
		} else if (json_name_is(w.name, "innererror")) {
			READ(json_member(w.value, "code"), out->inner_code);
		} else if (json_name_is(w.name, "details")) {
			READ(json_member(w.value, "error_code"), out->inner_code);
			read_reasons(w.value, out);
		} else if (json_name_is(w.name, "metadata")) {
			READ(json_member(w.value, "error_type"), out->inner_code);
		} else if (json_name_is(w.name, "request_id")) {
			READ(w.value, out->request_id);
		}
	}
}

static struct json first_of(struct json array)
{
	struct json_walk w = json_each(array);
	return json_kind(array) == JSON_ARRAY && json_next(&w) ? w.value : JSON_NONE;
}

/* "detail" is a sentence, or a list of what is wrong where. */
static void read_detail(struct json detail, struct error_body *out)
{
	const struct json first = first_of(detail);
	READ(detail, out->message);
	READ(json_member(first, "msg"), out->message);
	read_object(json_kind(detail) == JSON_OBJECT ? detail : first, out);
}

void error_read_json(struct json v, struct error_body *out)
{
	*out = (struct error_body){.is_json = true};
	if (json_kind(v) == JSON_ARRAY)
		v = first_of(v);
	const struct json error = json_member(v, "error");
	if (json_kind(error) == JSON_OBJECT) {
		read_object(error, out);
		READ(json_member(v, "request_id"), out->request_id);
		read_status(json_member(v, "status_code"), out);
		return;
	}
	READ(error, out->message);
	read_object(v, out);
	read_detail(json_member(v, "detail"), out);
	read_object(first_of(json_member(v, "errors")), out);
	READ(json_member(v, "title"), out->message);
	READ(json_member(json_member(v, "fault"), "faultstring"), out->message);
	READ(json_member(json_member(v, "base_resp"), "status_msg"), out->message);
	read_status(json_member(v, "statusCode"), out);
	if (json_kind(error) == JSON_STRING && out->type[0] == '\0')
		memcpy(out->type, out->code, sizeof out->type);
}

/* Where `word` begins, without case; or NULL. */
static const char *find_nocase(struct span in, const char *word)
{
	const size_t n = strlen(word);
	for (size_t i = 0; i + n <= in.n; i++) {
		if (strncasecmp(in.p + i, word, n) == 0)
			return in.p + i;
	}
	return NULL;
}

static void read_html(struct span body, struct error_body *out)
{
	const char *open = find_nocase(body, "<title");
	struct span title = open ? span_of(open, (size_t)(body.p + body.n - open)) : SPAN("");
	out->is_html = true;
	span_cut(&title, '>');
	fault_text(out->message, sizeof out->message,
		span_trim(span_first(title, span_index(title, '<'))));
}

void error_read(struct span body, struct error_body *out)
{
	struct json v;
	body = span_trim(body);
	if (json_scan(body, JSON_LENIENT, &v, NULL) == OK && json_kind(v) >= JSON_STRING) {
		error_read_json(v, out);
		if (json_kind(v) == JSON_STRING)
			READ(v, out->message);
		return;
	}
	*out = (struct error_body){.is_json = false};
	if (body.n > 0 && body.p[0] == '<')
		read_html(body, out);
	else
		fault_text(out->message, sizeof out->message, body);
}

/* ---- keys in sentences ---- */

static bool is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '*' || c == '+' || c == '/' || c == '=';
}

/* How keys begin, and the words before one. */
static const char *const key_prefixes[] = {"sk-", "sk_", "pk-", "rk-", "gsk_", "xai-", "AIza",
	"ya29.", "nvapi-", "hf_", "r8_", "ghp_", "gho_", "github_pat_", "csk-", "pplx-", "fw_",
	"tgp_", "AKIA", "ASIA", "eyJ", "sess-"};
static const char *const key_words[] = {"key provided: ", "api key: ", "api_key: ", "api-key: ",
	"x-api-key: ", "bearer ", "token: "};

/* How much of a token of this length may be read: its prefix, or all of it where it is no key. */
static size_t readable(struct span before, struct span token)
{
	for (size_t i = 0; i < COUNT_OF(key_prefixes); i++) {
		const size_t n = strlen(key_prefixes[i]);
		if (token.n >= 8 && span_starts(token, span_str(key_prefixes[i])))
			return n;
	}
	for (size_t i = 0; i < COUNT_OF(key_words); i++) {
		const size_t n = strlen(key_words[i]);
		if (before.n >= n && token.n >= 8 && token.p[0] != '*' &&
			strncasecmp(before.p + before.n - n, key_words[i], n) == 0)
			return 0;
	}
	return token.n;
}

void error_redact(char *field, size_t size, struct span text)
{
	OWNED(buf_done) struct buf clean = BUF_INIT(LIMIT_SSE_LINE_BYTES);
	size_t at = 0;
	while (at < text.n) {
		size_t end = at;
		while (end < text.n && is_key_byte(text.p[end]))
			end++;
		if (end == at) {
			buf_byte(&clean, text.p[at++]);
			continue;
		}
		struct span token = span_of(text.p + at, end - at);
		while (token.n > 1 && token.p[token.n - 1] == '.')
			token.n--; /* the sentence's */
		const size_t n = readable(span_first(text, at), token);
		buf_put(&clean, token.p, n);
		if (n < token.n)
			buf_text(&clean, "***");
		at += token.n;
	}
	fault_text(field, size, buf_view(&clean));
}

/* ---- judging ---- */

/* Wording that decides where no table does. A second word, where there is one, must be there too. */
struct wording {
	const char *one, *other;
};

static const struct wording rate_words[] = {
	{"rate limit",          NULL},
	{"too many requests",   NULL},
	{"quota",               NULL},
	{"tokens per minute",   NULL},
	{"requests per minute", NULL},
	{"per day",             NULL},
	{NULL,		  NULL},
};

static const struct wording context_words[] = {
	{"context length",				 NULL     },
	{"context_length",				 NULL     },
	{"context window",				 NULL     },
	{"maximum context",				NULL     },
	{"max context",				    NULL     },
	{"prompt is too long",                             NULL     },
	{"prompt too long",				NULL     },
	{"input is too long",			      NULL     },
	{"input length",				   "exceed" },
	{"input token count",			      "exceed" },
	{"too many input tokens",                          NULL     },
	{"maximum prompt length",                          NULL     },
	{"reduce the length of the messages",              NULL     },
	{"reduce the length of the prompt",                NULL     },
	{"exceeds the available context size",             NULL     },
	{"exceed_context_size",                            NULL     },
	{"exceeded model token limit",                     NULL     },
	{"too large for model with",                       NULL     },
	{"range of input length should be",                NULL     },
	{"maximum model length",                           NULL     },
	{"max_model_len",				  NULL     },
	{"inputs tokens + max_new_tokens must be",         NULL     },
	{"total number of tokens",                         "exceeds"},
	{"tokens in request more than max tokens allowed", NULL     },
	{"prompt exceeds max length",                      NULL     },
	{"context size has been exceeded",                 NULL     },
	{"total length of all messages is too long",       NULL     },
	{NULL,					     NULL     },
};

static const struct wording filter_words[] = {
	{"content_filter",            NULL},
	{"content policy",            NULL},
	{"content management policy", NULL},
	{"content filtering policy",  NULL},
	{"safety",		    NULL},
	{"moderation",                NULL},
	{"data_inspection_failed",    NULL},
	{"inappropriate content",     NULL},
	{"flagged",                   NULL},
	{"high risk",                 NULL},
	{"sensitive",                 NULL},
	{NULL,			NULL},
};

static const struct wording quota_words[] = {
	{"insufficient_quota",          NULL     },
	{"insufficient balance",        NULL     },
	{"insufficient credit",         NULL     },
	{"credit balance",              NULL     },
	{"exceeded your current quota", NULL     },
	{"spending limit",              NULL     },
	{"spend limit",                 NULL     },
	{"billing",		     NULL     },
	{"payment",		     NULL     },
	{"arrear",		      NULL     },
	{"out of credits",              NULL     },
	{"used all available credits",  NULL     },
	{"monthly",		     NULL     },
	{"free quota",                  NULL     },
	{"free tier",                   "exhaust"},
	{"limit: 0",                    NULL     },
	{NULL,			  NULL     },
};

static bool says(const struct error_body *b, const struct wording *words)
{
	const struct span texts[] = {span_str(b->message), span_str(b->code), span_str(b->type),
		span_str(b->inner_code)};
	for (; words->one; words++) {
		for (size_t i = 0; i < COUNT_OF(texts); i++) {
			if (find_nocase(texts[i], words->one) &&
				(!words->other || find_nocase(texts[i], words->other)))
				return true;
		}
	}
	return false;
}

static bool is_one_of(int64_t status, const int *list)
{
	for (; *list; list++) {
		if (*list == status)
			return true;
	}
	return false;
}

static enum err class_by_words(const struct error_body *b, int64_t status)
{
	if (is_one_of(status, (const int[]){400, 413, 422, 500, 0}) && !says(b, rate_words) &&
		says(b, context_words))
		return ERR_CONTEXT_LENGTH;
	if (is_one_of(status, (const int[]){400, 403, 422, 0}) && says(b, filter_words))
		return ERR_CONTENT_FILTERED;
	if (is_one_of(status, (const int[]){400, 402, 403, 429, 0}) && says(b, quota_words))
		return ERR_QUOTA_EXHAUSTED;
	return OK;
}

static const struct {
	int64_t first, last;
	enum err class;
} by_status[] = {
	{300, 399, ERR_INVALID_REQUEST},
	{401, 401, ERR_AUTH           },
	{402, 402, ERR_QUOTA_EXHAUSTED},
	{403, 403, ERR_PERMISSION     },
	{404, 404, ERR_NOT_FOUND      },
	{408, 408, ERR_TIMEOUT        },
	{409, 409, ERR_SERVER_ERROR   },
	{410, 410, ERR_NOT_FOUND      },
	{423, 425, ERR_SERVER_ERROR   },
	{429, 429, ERR_RATE_LIMITED   },
	{451, 451, ERR_PERMISSION     },
	{498, 498, ERR_OVERLOADED     },
	{499, 499, ERR_CONNECTION     },
	{400, 499, ERR_INVALID_REQUEST},
	{503, 503, ERR_OVERLOADED     },
	{504, 504, ERR_TIMEOUT        },
	{522, 522, ERR_TIMEOUT        },
	{524, 524, ERR_TIMEOUT        },
	{529, 529, ERR_OVERLOADED     },
};

static enum err class_by_status(int64_t status)
{
	for (size_t i = 0; i < COUNT_OF(by_status); i++) {
		if (status >= by_status[i].first && status <= by_status[i].last)
			return by_status[i].class;
	}
	return ERR_SERVER_ERROR;
}

static bool fits(const struct error_rule *r, const struct error_body *b, int64_t status)
{
	if (r->status && r->status != status)
		return false;
	if (r->code && strcasecmp(r->code, b->code) != 0 && strcasecmp(r->code, b->inner_code) != 0)
		return false;
	if (r->type && strcasecmp(r->type, b->type) != 0)
		return false;
	return !r->message || find_nocase(span_str(b->message), r->message);
}

/* The finest word there is; the status once more says nothing. */
static const char *best_code(const struct error_body *b, int64_t status)
{
	char digits[24];
	(void)snprintf(digits, sizeof digits, "%lld", (long long)status);
	if (b->code[0] && strcmp(b->code, digits) != 0)
		return b->code;
	return b->inner_code[0] ? b->inner_code : b->type;
}

/* Fills class, code, param and message; leaves the rest alone. */
static void judge(const struct error_body *b, int64_t status, const struct error_rule *rules,
	struct fault *out)
{
	const char *sub = NULL;
	out->err = OK;
	for (const struct error_rule *r = rules; !out->err && r->class; r++) {
		if (fits(r, b, status)) {
			out->err = r->class;
			sub = r->sub;
		}
	}
	if (!out->err)
		out->err = class_by_words(b, status);
	if (!out->err)
		out->err = class_by_status(status);
	if (!sub && out->err == ERR_NOT_FOUND && !b->is_json)
		sub = "endpoint"; /* the address is wrong, not the model */
	if (!sub)
		sub = best_code(b, status);
	fault_text(out->code, sizeof out->code, span_str(sub));
	fault_text(out->param, sizeof out->param, span_str(b->param));
	if (b->message[0])
		error_redact(out->message, sizeof out->message, span_str(b->message));
}

/* ---- waits ---- */

/* A unit's milliseconds; "sec", "minutes" and the like go by their first letter. 0: no unit. */
static int64_t unit_ms(struct span letters)
{
	if (letters.n == 0)
		return 1000;
	if (span_is(letters, "ms") || span_starts(letters, SPAN("milli")))
		return 1;
	switch (letters.p[0]) {
	case 's':
		return 1000;
	case 'm':
		return 60000;
	case 'h':
		return 3600000;
	case 'd':
		return 86400000;
	default:
		return 0;
	}
}

/* Takes a number off the front, in thousandths; false: there is none, or it is too long. */
static bool take_number(struct span *text, int64_t *out)
{
	int64_t v = 0;
	size_t n = 0, places = 0;
	bool has_point = false;
	for (; n < text->n && n < 15; n++) {
		const char c = text->p[n];
		if (c == '.' && !has_point && n > 0) {
			has_point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (has_point && places == 3)
			continue;
		places += has_point;
		v = v * 10 + (c - '0');
	}
	for (; places < 3; places++)
		v *= 10;
	*text = span_skip(*text, n);
	*out = v;
	return n > 0 && n < 15;
}

int64_t error_wait_ms(struct span text)
{
	int64_t total = -1, v;
	while (take_number(&text, &v)) {
		size_t n = 0;
		if (text.n > 0 && text.p[0] == ' ')
			text = span_skip(text, 1);
		while (n < text.n && text.p[n] >= 'a' && text.p[n] <= 'z')
			n++;
		const int64_t ms = unit_ms(span_first(text, n));
		total = num_add_sat(total < 0 ? 0 : total, num_mul_div(v, ms ? ms : 1000, 1000));
		if (ms == 0)
			break;
		text = span_skip(text, n);
	}
	return total;
}

static int64_t wait_in_message(const char *message)
{
	static const char *const before[] = {"try again in ", "retry after ", "retry in ", "wait "};
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		const char *at = find_nocase(span_str(message), before[i]);
		const int64_t ms = at ? error_wait_ms(span_str(at + strlen(before[i]))) : -1;
		if (ms >= 0)
			return ms;
	}
	return -1;
}

/* The longest reset of a dimension of which nothing remains. */
static int64_t wait_for_reset(const struct http_head *head)
{
	static const char *const kinds[][2] = {
		{"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
		{"x-ratelimit-remaining-tokens",   "x-ratelimit-reset-tokens"  },
	};
	int64_t longest = -1;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (span_is(span_trim(http_head_get(head, kinds[i][0])), "0")) {
			const int64_t ms = error_wait_ms(span_trim(http_head_get(head, kinds[i][1])));
			longest = ms > longest ? ms : longest;
		}
	}
	return longest;
}

/* ---- the two doors ---- */

void error_explain(const struct http_reply *reply, const struct target *target,
	const struct error_rule *rules, struct fault *out)
{
	static const char *const ids[] = {"x-request-id", "request-id", "apim-request-id",
		"x-amzn-requestid", "x-github-request-id", "cf-ray"};
	struct error_body body;
	*out = FAULT_NONE;
	error_read(reply->body, &body);
	judge(&body, reply->head.status, rules, out);
	if (reply->head.status >= 300 && reply->head.status < 400)
		(void)snprintf(out->message, sizeof out->message,
			"the provider answered %d, a redirection: its base_url is wrong (a missing "
			"/v1, http for https, or a doubled slash)",
			reply->head.status);
	else if (out->message[0] == '\0')
		(void)snprintf(out->message, sizeof out->message, "the provider answered %d %s",
			reply->head.status,
			reply->body.n > 0 ? "and no sentence that says why" : "with nothing in it");
	out->http_status = reply->head.status;
	out->retry_after_ms = http_retry_after_ms(&reply->head);
	if (out->retry_after_ms < 0 &&
		(out->err == ERR_RATE_LIMITED || out->err == ERR_OVERLOADED ||
			out->err == ERR_QUOTA_EXHAUSTED)) {
		out->retry_after_ms = wait_in_message(body.message);
		if (out->retry_after_ms < 0)
			out->retry_after_ms = wait_for_reset(&reply->head);
	}
	if (target)
		fault_text(out->provider, sizeof out->provider, target->provider);
	for (size_t i = 0; i < COUNT_OF(ids) && out->request_id[0] == '\0'; i++)
		fault_text(out->request_id, sizeof out->request_id,
			http_head_get(&reply->head, ids[i]));
	if (out->request_id[0] == '\0')
		fault_text(out->request_id, sizeof out->request_id, span_str(body.request_id));
}

static int64_t status_of_type(const struct error_body *b)
{
	static const struct {
		const char *word;
		int64_t status;
	} types[] = {
		{"overloaded",         529},
		{"rate_limit",         429},
		{"throttling",         429},
		{"insufficient_quota", 402},
		{"billing",            402},
		{"timeout",            504},
		{"authentication",     401},
		{"permission",         403},
		{"not_found",          404},
		{"unavailable",        503},
		{"invalid_request",    400},
		{"validation",         400},
		{"api_error",          500},
		{"server_error",       500},
	};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (find_nocase(span_str(b->type), types[i].word) ||
			find_nocase(span_str(b->code), types[i].word))
			return types[i].status;
	}
	return 500;
}

enum err error_inside(
	const struct error_body *body, const struct error_rule *rules, struct fault *out)
{
	struct fault f = FAULT_NONE;
	const int64_t status = body->status ? body->status : status_of_type(body);
	judge(body, status, rules, &f);
	f.http_status = (int)status;
	fault_text(f.request_id, sizeof f.request_id, span_str(body->request_id));
	f.retry_after_ms = wait_in_message(body->message);
	if (f.message[0] == '\0')
		fault_text(f.message, sizeof f.message,
			SPAN("the provider sent an error inside its reply, and no sentence that "
			     "says why"));
	if (out)
		*out = f;
	return f.err;
}
