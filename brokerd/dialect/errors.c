/* errors.c - many shapes in, one fault out; the tables are the whole of the judgement. */
#include "brokerd/dialect/errors.h"

#include <stdio.h>

#include "brokerd/dialect/host_errors.h"
#include "brokerd/dialect/limits.h"
#include "protocol/base/utf8.h"
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

static void add_more(struct error_body *out, const char *text)
{
	const size_t n = strlen(out->more);
	(void)snprintf(out->more + n, sizeof out->more - n, "%s ", text);
}

/* Keeps what else a body says, for rows that look for a word in it. */
static void read_more(struct json v, struct error_body *out)
{
	char text[sizeof out->more] = "";
	if (json_kind(v) == JSON_OBJECT || json_kind(v) == JSON_ARRAY)
		fault_text(text, sizeof text, v.text);
	else
		READ(v, text);
	add_more(out, text);
}

/* An object, or Google's list: the wait is in one of its entries, a finer word in another. */
static void read_details(struct json details, struct error_body *out)
{
	READ(json_member(details, "error_code"), out->inner_code);
	if (json_kind(details) != JSON_ARRAY)
		return;
	read_more(details, out);
	for (struct json_walk w = json_each(details); json_next(&w);) {
		char delay[32] = "";
		READ(json_member(w.value, "reason"), out->inner_code); /* google.rpc.ErrorInfo */
		READ(json_member(w.value, "retryDelay"), delay);
		if (delay[0] && out->wait_ms < 0)
			out->wait_ms = limits_duration_ms(span_str(delay));
	}
}

/* OpenRouter's, of the provider behind it; the headers that it would have sent are in it too. */
static void read_metadata(struct json metadata, struct error_body *out)
{
	const struct json headers = json_member(metadata, "headers");
	if (json_is(json_member(headers, "X-RateLimit-Remaining"), "0"))
		READ(json_member(headers, "X-RateLimit-Reset"), out->reset);
	READ(json_member(metadata, "error_type"), out->inner_code);
	READ(json_member(metadata, "limit_source"), out->source);
	read_more(metadata, out);
}

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

static void read_detail(struct json detail, struct error_body *out);

/* The members that an error object has under one name or another. */
static void read_object(struct json v, struct error_body *out)
{
	struct json_walk w = json_each(v);
	while (json_next(&w)) {
		if (json_name_is(w.name, "message") || json_name_is(w.name, "Message") ||
			json_name_is(w.name, "msg")) {
			if (json_kind(w.value) == JSON_OBJECT) {
				read_object(w.value, out);
				read_detail(json_member(w.value, "detail"), out);
			} else {
				READ(w.value, out->message);
			}
		} else if (json_name_is(w.name, "type") || json_name_is(w.name, "__type") ||
			   json_name_is(w.name, "error_type")) {
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
			read_details(w.value, out);
		} else if (json_name_is(w.name, "metadata")) {
			read_metadata(w.value, out);
		} else if (json_name_is(w.name, "error_type")) {
			READ(w.value, out->inner_code);
		} else if (json_name_is(w.name, "estimated_time")) {
			char seconds[32] = "";
			READ(w.value, seconds);
			out->wait_ms = limits_duration_ms(span_str(seconds));
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

/* AWS names a type behind its namespace: "com.amazon.coral.service#ThrottlingException". */
static void cut_namespace(char *type)
{
	const char *hash = strrchr(type, '#');
	if (hash)
		memmove(type, hash + 1, strlen(hash));
}

void error_read_json(struct json v, struct error_body *out)
{
	*out = (struct error_body){.is_json = true, .wait_ms = -1};
	if (json_kind(v) == JSON_ARRAY)
		v = first_of(v);
	const struct json error = json_member(v, "error");
	if (json_kind(error) == JSON_OBJECT) {
		read_object(error, out);
		READ(json_member(v, "request_id"), out->request_id);
		read_status(json_member(v, "status_code"), out);
		cut_namespace(out->type);
		return;
	}
	READ(error, out->message);
	read_object(v, out);
	read_detail(json_member(v, "detail"), out);
	read_object(first_of(json_member(v, "errors")), out);
	READ(json_member(v, "title"), out->message);
	READ(json_member(v, "data"), out->message);
	READ(json_member(json_member(v, "fault"), "faultstring"), out->message);
	READ(json_member(json_member(v, "base_resp"), "status_msg"), out->message);
	READ(json_member(json_member(v, "base_resp"), "status_code"), out->code);
	read_status(json_member(v, "statusCode"), out);
	cut_namespace(out->type);
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
	body = span_trim(utf8_past_bom(body));
	if (json_scan(body, JSON_LENIENT, &v, NULL) == OK && json_kind(v) >= JSON_STRING) {
		error_read_json(v, out);
		if (json_kind(v) == JSON_STRING)
			READ(v, out->message);
		return;
	}
	*out = (struct error_body){.is_json = false, .wait_ms = -1};
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
	{"context length",				 NULL                    },
	{"context_length",				 NULL                    },
	{"context window",				 NULL                    },
	{"maximum context",				NULL                    },
	{"max context",				    NULL                    },
	{"prompt is too long",                             NULL                    },
	{"prompt too long",				NULL                    },
	{"input is too long",			      NULL                    },
	{"input length",				   "exceed"                },
	{"input token count",			      "exceed"                },
	{"too many input tokens",                          NULL                    },
	{"maximum prompt length",                          NULL                    },
	{"reduce the length of the messages",              NULL                    },
	{"reduce the length of the prompt",                NULL                    },
	{"exceeds the available context size",             NULL                    },
	{"exceed_context_size",                            NULL                    },
	{"exceeded model token limit",                     NULL                    },
	{"too large for model with",                       NULL                    },
	{"range of input length should be",                NULL                    },
	{"maximum model length",                           NULL                    },
	{"max_model_len",				  NULL                    },
	{"inputs tokens + max_new_tokens must be",         NULL                    },
	{"total number of tokens",                         "exceeds"               },
	{"the number of tokens",                           "exceeds the maximum of"},
	{"tokens in request more than max tokens allowed", NULL                    },
	{"prompt exceeds max length",                      NULL                    },
	{"context size has been exceeded",                 NULL                    },
	{"total length of all messages is too long",       NULL                    },
	{NULL,					     NULL		    },
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

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A sentence less what stands in quotes: there are names and values of the caller's own. An apostrophe
 * inside a word is no quote, nor is one that nothing closes. */
static void leave_quoted_out(const char *text, char *out)
{
	for (const char *at = text; *at;) {
		const bool is_mark = *at == '\'' || *at == '`';
		const char *end =
			is_mark && !(at > text && is_letter(at[-1])) ? strchr(at + 1, *at) : NULL;
		while (end && *end == '\'' && is_letter(end[1]))
			end = strchr(end + 1, *at);
		*out++ = *at;
		at = end ? end : at + 1;
	}
	*out = '\0';
}

static bool says(const struct error_body *b, const struct wording *words)
{
	char sentence[sizeof b->message];
	leave_quoted_out(b->message, sentence);
	const struct span texts[] = {
		span_str(sentence), span_str(b->code), span_str(b->type), span_str(b->inner_code)};
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

static bool is_too_long(const struct error_body *b, int64_t status)
{
	return is_one_of(status, (const int[]){400, 413, 422, 500, 0}) && !says(b, rate_words) &&
	       says(b, context_words);
}

static enum err class_by_words(const struct error_body *b, int64_t status)
{
	if (is_too_long(b, status))
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

/* Is `word` the one of a row? A * at its end stands for any text. */
static bool is_like(const char *pattern, const char *word)
{
	const size_t n = strlen(pattern);
	if (n > 0 && pattern[n - 1] == '*')
		return strncasecmp(pattern, word, n - 1) == 0;
	return strcasecmp(pattern, word) == 0;
}

static bool fits_host(const struct host_error *r, const struct error_body *b, int64_t status)
{
	if (r->status && r->status != status)
		return false;
	if (r->code && !is_like(r->code, b->code) && !is_like(r->code, b->inner_code) &&
		!is_like(r->code, b->type) && !is_like(r->code, b->source))
		return false;
	return !r->message || find_nocase(span_str(b->message), r->message) ||
	       find_nocase(span_str(b->more), r->message);
}

/* The row of the host that fits, or NULL. */
static const struct host_error *find_host(
	const struct error_body *b, int64_t status, struct span host)
{
	size_t n;
	const struct host_error *rows = host_errors(&n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(host, rows[i].host) && fits_host(&rows[i], b, status))
			return &rows[i];
	}
	return NULL;
}

static bool fits(const struct error_rule *r, const struct error_body *b, int64_t status)
{
	if (r->status && r->status != status)
		return false;
	if (r->code && !is_like(r->code, b->code) && !is_like(r->code, b->inner_code))
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

/* Fills class, code, param, message and advice; leaves the rest alone. `own` is the host's row; NULL:
 * none fits. */
static void judge(const struct error_body *b, int64_t status, const struct host_error *own,
	const struct error_rule *rules, struct fault *out)
{
	const char *sub = own ? own->sub : NULL;
	out->err = own ? own->class : OK;
	out->advice = own ? own->advice : RETRY_UNSAID;
	for (const struct error_rule *r = rules; !out->err && r->class; r++) {
		if (fits(r, b, status)) {
			out->err = r->class;
			sub = r->sub;
			/* that the request is wrong is the least that a row can say: that it is too
			 * long is more */
			if (r->class == ERR_INVALID_REQUEST && !sub && is_too_long(b, status))
				out->err = ERR_CONTEXT_LENGTH;
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

static int64_t wait_in_message(const char *message)
{
	static const char *const before[] = {
		"try again in ", "try again after ", "retry after ", "retry in ", "wait "};
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		const char *at = find_nocase(span_str(message), before[i]);
		const int64_t ms = at ? limits_duration_ms(span_str(at + strlen(before[i]))) : -1;
		if (ms >= 0)
			return ms;
	}
	return -1;
}

/* May the class be mended by waiting? */
static bool is_timely(enum err class)
{
	return class == ERR_RATE_LIMITED || class == ERR_OVERLOADED || class == ERR_QUOTA_EXHAUSTED;
}

/* How long a bound of the body's lasts, told by the date of the reply. */
static int64_t wait_of_body(const struct error_body *b, const struct http_head *head)
{
	struct http_header made[] = {
		{SPAN("x-ratelimit-remaining"), SPAN("0")},
		{            SPAN("x-ratelimit-reset"),           span_str(b->reset)         },
		{ SPAN("date"),          head ? http_head_get(head,                   "date") : SPAN_NONE},
	};
	struct rates rates;
	if (b->wait_ms >= 0 || b->reset[0] == '\0' || !span_is_set(made[2].value))
		return b->wait_ms;
	limits_read(&(struct http_head){head->status, made, COUNT_OF(made)}, SPAN("openrouter"),
		&rates);
	return limits_wait_ms(&rates);
}

/* The first that names a wait: the headers, the body, its message, a bound of which nothing is left, and
 * what is known of the host. */
static int64_t find_wait(const struct error_body *b, const struct http_head *head,
	const struct rates *rates, const struct fault *f, int64_t usual_ms)
{
	const int64_t told = head ? http_retry_after_ms(head) : -1;
	const int64_t usual = usual_ms > 0 ? usual_ms : -1;
	if (told >= 0)
		return told;
	if (!is_timely(f->err))
		return usual;
	const int64_t waits[] = {wait_of_body(b, head), wait_in_message(b->message),
		rates ? limits_wait_ms(rates) : -1, usual};
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		if (waits[i] >= 0)
			return waits[i];
	}
	return -1;
}

/* AWS says what an error is in a header too, before an address. */
static void read_aws_type(const struct http_head *head, struct error_body *out)
{
	struct span type = http_head_get(head, "x-amzn-errortype");
	if (!span_is_set(type))
		return;
	fault_text(out->type, sizeof out->type, span_cut(&type, ':'));
	cut_namespace(out->type);
}

/* ---- the two doors ---- */

void error_explain(const struct http_reply *reply, const struct target *target,
	const struct error_rule *rules, struct fault *out)
{
	struct error_body body;
	struct rates rates;
	const struct quirks none = {.errors = SPAN_NONE};
	const struct quirks *q = target ? &target->quirks : &none;
	const struct span provider = target ? target->provider : SPAN_NONE;
	*out = FAULT_NONE;
	error_read(reply->body, &body);
	read_aws_type(&reply->head, &body);
	limits_read(&reply->head, span_is_set(q->limits) ? q->limits : provider, &rates);
	if (rates.is_day_spent)
		add_more(&body, HOST_ERROR_SPENT_DAY);
	if (http_retry_after_ms(&reply->head) >= 0)
		add_more(&body, HOST_ERROR_TOLD_WAIT);
	const struct host_error *own =
		find_host(&body, reply->head.status, span_is_set(q->errors) ? q->errors : provider);
	judge(&body, reply->head.status, own, rules, out);
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
	out->retry_after_ms = find_wait(&body, &reply->head, &rates, out, own ? own->wait_ms : 0);
	const struct span should = span_trim(http_head_get(&reply->head, "x-should-retry"));
	if (span_is_nocase(should, "true") || span_is_nocase(should, "false"))
		out->advice = span_is_nocase(should, "true") ? RETRY_ADVISED : RETRY_FORBIDDEN;
	if (target)
		fault_text(out->provider, sizeof out->provider, target->provider);
	fault_text(out->request_id, sizeof out->request_id, http_head_request_id(&reply->head));
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
	return error_inside_of(SPAN_NONE, body, rules, out);
}

enum err error_inside_of(struct span host, const struct error_body *body,
	const struct error_rule *rules, struct fault *out)
{
	struct fault f = FAULT_NONE;
	const int64_t status = body->status ? body->status : status_of_type(body);
	const struct host_error *own = find_host(body, status, host);
	judge(body, status, own, rules, &f);
	f.http_status = (int)status;
	fault_text(f.request_id, sizeof f.request_id, span_str(body->request_id));
	f.retry_after_ms = find_wait(body, NULL, NULL, &f, own ? own->wait_ms : 0);
	if (f.message[0] == '\0')
		fault_text(f.message, sizeof f.message,
			SPAN("the provider sent an error inside its reply, and no sentence that "
			     "says why"));
	if (out)
		*out = f;
	return f.err;
}
