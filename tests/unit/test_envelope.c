/* test_envelope.c - what does a program that knows a public API read of each class of fault? */
#include "brokerd/dialect/envelope.h"

#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* A body as it was phrased, scanned. */
struct told {
	struct buf body;
	struct json json;
	int status;
};

typedef void phrase(const struct fault *f, struct buf *out, int *http_status);

static void tell(phrase *as, const struct fault *f, struct told *t)
{
	t->status = 0;
	buf_init(&t->body, 64 * KIB);
	as(f, &t->body, &t->status);
	is_err(buf_error(&t->body), OK, "%s: it is written", err_info(f->err)->word);
	is_err(json_scan(buf_view(&t->body), JSON_STRICT, &t->json, NULL), OK, "%s: as JSON",
		err_info(f->err)->word);
}

/* The names of an object's members are these, in this order, and no more. */
static void has_names(struct json object, const char *names, const char *of)
{
	OWNED(buf_done) struct buf found = BUF_INIT(4 * KIB);
	for (struct json_walk w = json_each(object); json_next(&w);) {
		buf_text(&found, found.n > 0 ? " " : "");
		buf_span(&found, w.name);
	}
	is_mem(found.p, found.n, names, strlen(names), "%s: its members", of);
}

static void is_text(struct json v, const char *want, const char *name)
{
	OWNED(buf_done) struct buf text = BUF_INIT(64 * KIB);
	json_text_to(v, &text);
	is_mem(text.p, text.n, want, strlen(want), "%s", name);
}

static void is_text_or_null(struct json v, const char *want, const char *name)
{
	if (*want)
		is_text(v, want, name);
	else
		is_int(json_kind(v), JSON_NULL, "%s is null", name);
}

/* ---- every class ---- */

static void test_openai(const struct err_info *row, const struct fault *f)
{
	struct told t;
	tell(envelope_openai, f, &t);
	const struct json error = json_member(t.json, "error");
	is_int(t.status, row->http_status, "%s: OpenAI's status", row->word);
	has_names(t.json, "error", row->word);
	has_names(error, "message type param code", row->word);
	is_text(json_member(error, "message"), f->message[0] ? f->message : row->sentence,
		row->word);
	is_text(json_member(error, "type"), row->openai_type, row->word);
	is_text_or_null(json_member(error, "param"), f->param, row->word);
	is_text_or_null(json_member(error, "code"), row->openai_code, row->word);
	buf_done(&t.body);
}

static void test_anthropic(const struct err_info *row, const struct fault *f)
{
	struct told t;
	tell(envelope_anthropic, f, &t);
	const struct json error = json_member(t.json, "error");
	is_int(t.status, row->anthropic_status, "%s: Anthropic's status", row->word);
	has_names(t.json, "type error request_id", row->word);
	has_names(error, "type message", row->word);
	is_text(json_member(t.json, "type"), "error", row->word);
	is_text(json_member(error, "type"), row->anthropic_type, row->word);
	is_text_or_null(json_member(t.json, "request_id"), f->request_id, row->word);
	buf_done(&t.body);
}

static void test_gemini(const struct err_info *row, const struct fault *f)
{
	struct told t;
	int64_t code = 0;
	tell(envelope_gemini, f, &t);
	const struct json error = json_member(t.json, "error");
	struct json_walk details = json_each(json_member(error, "details"));
	is_int(t.status, row->http_status, "%s: Gemini's status", row->word);
	has_names(t.json, "error", row->word);
	has_names(error, "code message status details", row->word);
	ok(json_i64(json_member(error, "code"), &code) && code == t.status,
		"%s: the code is the status", row->word);
	is_text(json_member(error, "status"), row->gemini_status, row->word);
	ok(json_next(&details), "%s: details", row->word);
	has_names(details.value, "@type reason domain", row->word);
	is_text(json_member(details.value, "reason"), row->word, row->word);
	is_int(json_next(&details), f->retry_after_ms >= 0, "%s: and a wait where there is one",
		row->word);
	buf_done(&t.body);
}

static void test_class(const struct err_info *row)
{
	struct fault bare = FAULT_NONE, full = FAULT_NONE;
	bare.err = row->err;
	fault_param(&full, row->err, "messages[0].content", "\"quoted\", \\ and \xe2\x82\xac");
	full.retry_after_ms = 1500;
	fault_text(full.request_id, sizeof full.request_id, SPAN("req_1"));
	const struct fault *const faults[] = {&bare, &full};
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		test_openai(row, faults[i]);
		test_anthropic(row, faults[i]);
		test_gemini(row, faults[i]);
	}
}

/* ---- what the words may be ---- */

/* Whose turn is it to do something? A class that is new is the compiler's to miss here. */
enum turn {
	CALLERS,   /* the same request will never do */
	NOBODYS,   /* it may do once a person has done something: no program is to try again */
	WAIT,      /* it will, after a while */
	ELSEWHERE, /* the caller did nothing wrong */
};

static enum turn turn_of(enum err err)
{
	switch (err) {
	case ERR_NOT_FOUND:
	case ERR_INVALID_REQUEST:
	case ERR_CONTEXT_LENGTH:
	case ERR_CONTENT_FILTERED:
	case ERR_DENIED:
	case ERR_CONSENT:
	case ERR_CANCELLED:
	case ERR_WRONG_PASSPHRASE:
	case ERR_MALFORMED:
	case ERR_TOO_BIG:
	case ERR_VERSION:
	case ERR_PROTOCOL:
	case ERR_INVALID_ARGUMENT:
		return CALLERS;
	case ERR_AUTH:
	case ERR_PERMISSION:
	case ERR_OUTCOME_UNKNOWN:
	case ERR_NO_KEY:
	case ERR_UNSUPPORTED:
	case ERR_MISCONFIGURED:
	case ERR_VAULT_DAMAGED:
	case ERR_NOT_CACHED:
		return NOBODYS;
	case ERR_RATE_LIMITED:
	case ERR_QUOTA_EXHAUSTED:
	case ERR_BUDGET:
		return WAIT;
	case OK:
	case ERR_MORE:
	case ERR_OVERLOADED:
	case ERR_SERVER_ERROR:
	case ERR_TIMEOUT:
	case ERR_CONNECTION:
	case ERR_STREAM_INCOMPLETE:
	case ERR_LOCKED:
	case ERR_STORAGE_FULL:
	case ERR_SLOW_CONSUMER:
	case ERR_RESTARTING:
	case ERR_NO_MEMORY:
	case ERR_IO:
	case ERR_UNREACHABLE:
	case ERR_INTERNAL:
		break;
	}
	return ELSEWHERE;
}

/* No status says that the caller's own key is wrong: it has none. */
static void test_status(const struct err_info *row)
{
	const enum turn turn = turn_of(row->err);
	is_int(row->http_status >= 500, turn == ELSEWHERE, "%s: whose fault it is", row->word);
	is_int(row->anthropic_status >= 500, turn == ELSEWHERE, "%s: to Anthropic's, too",
		row->word);
	is_int(row->http_status == 429, turn == WAIT, "%s: who may wait", row->word);
	ok(row->http_status != 401 && row->anthropic_status != 401, "%s: no key is asked for",
		row->word);
}

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, list[i]) == 0)
			return true;
	}
	return false;
}

/* Words that the APIs' own clients have a class for. */
static void test_words(const struct err_info *row)
{
	static const char *const openai[] = {"invalid_request_error", "requests",
		"insufficient_quota", "server_error", "api_error"};
	static const char *const anthropic[] = {"invalid_request_error", "billing_error",
		"permission_error", "not_found_error", "request_too_large", "rate_limit_error",
		"api_error", "timeout_error", "overloaded_error"};
	static const char *const gemini[] = {"INVALID_ARGUMENT", "FAILED_PRECONDITION",
		"PERMISSION_DENIED", "NOT_FOUND", "RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED",
		"INTERNAL", "UNIMPLEMENTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"};
	ok(is_one_of(row->openai_type, openai, COUNT_OF(openai)), "%s: OpenAI's type", row->word);
	ok(is_one_of(row->anthropic_type, anthropic, COUNT_OF(anthropic)), "%s: Anthropic's type",
		row->word);
	ok(is_one_of(row->gemini_status, gemini, COUNT_OF(gemini)), "%s: Google's status",
		row->word);
}

/* ---- to the letter ---- */

/* clang-format off */
static const struct letter {
	const char *name;
	phrase *as;
	struct fault fault;
	int status;
	const char *body; /* with ' for " */
} letters[] = {
	{"a rate limit at OpenAI", envelope_openai,
		{.err = ERR_RATE_LIMITED, .retry_after_ms = 2000, .message = "Slow down."}, 429,
		"{'error':{'message':'Slow down.','type':'requests','param':null,"
		"'code':'rate_limit_exceeded'}}"},
	{"at Anthropic", envelope_anthropic,
		{.err = ERR_RATE_LIMITED, .message = "Slow down.", .request_id = "req_1"}, 429,
		"{'type':'error','error':{'type':'rate_limit_error','message':'Slow down.'},"
		"'request_id':'req_1'}"},
	{"at Google, with the wait", envelope_gemini,
		{.err = ERR_RATE_LIMITED, .retry_after_ms = 2050, .message = "Slow down."}, 429,
		"{'error':{'code':429,'message':'Slow down.','status':'RESOURCE_EXHAUSTED','details':["
		"{'@type':'type.googleapis.com/google.rpc.ErrorInfo','reason':'rate_limited',"
		"'domain':'llm-broker'},"
		"{'@type':'type.googleapis.com/google.rpc.RetryInfo','retryDelay':'2.050s'}]}}"},
	{"our code at Anthropic", envelope_anthropic,
		{.err = ERR_INVALID_REQUEST, .code = "thread_unsupported_request", .message = "No."},
		400,
		"{'type':'error','error':{'type':'invalid_request_error','message':'No.','details':"
		"{'error_code':'thread_unsupported_request'}},'request_id':null}"},
	{"a provider's code at Anthropic", envelope_anthropic,
		{.err = ERR_INVALID_REQUEST, .provider = "openai", .code = "invalid_value",
			.message = "No."},
		400,
		"{'type':'error','error':{'type':'invalid_request_error','message':'No.'},"
		"'request_id':null}"},
	{"no capacity, Anthropic's own status", envelope_anthropic,
		{.err = ERR_OVERLOADED, .retry_after_ms = -1}, 529,
		"{'type':'error','error':{'type':'overloaded_error','message':'no capacity just now'},"
		"'request_id':null}"},
	{"the vault is locked: its sentence says what to do", envelope_openai,
		{.err = ERR_LOCKED, .retry_after_ms = -1}, 503,
		"{'error':{'message':'the vault is locked: run `llmb vault unlock`',"
		"'type':'invalid_request_error','param':null,'code':'locked'}}"},
	{"at Google", envelope_gemini, {.err = ERR_LOCKED, .retry_after_ms = -1}, 503,
		"{'error':{'code':503,'message':'the vault is locked: run `llmb vault unlock`',"
		"'status':'FAILED_PRECONDITION','details':["
		"{'@type':'type.googleapis.com/google.rpc.ErrorInfo','reason':'locked',"
		"'domain':'llm-broker'}]}}"},
	{"the budget is spent", envelope_openai, {.err = ERR_BUDGET, .retry_after_ms = -1}, 429,
		"{'error':{'message':'the budget is spent','type':'insufficient_quota','param':null,"
		"'code':'insufficient_quota'}}"},
	{"which Anthropic has a status for", envelope_anthropic,
		{.err = ERR_BUDGET, .retry_after_ms = -1}, 402,
		"{'type':'error','error':{'type':'billing_error','message':'the budget is spent'},"
		"'request_id':null}"},
	{"too long for the model, by the code that clients look for", envelope_openai,
		{.err = ERR_CONTEXT_LENGTH, .retry_after_ms = -1, .message = "130000 tokens",
		.provider = "groq", .code = "their_own"}, 400,
		"{'error':{'message':'130000 tokens','type':'invalid_request_error','param':null,"
		"'code':'context_length_exceeded'}}"},
	{"what we found ourselves, by the finer one", envelope_openai,
		{.err = ERR_INVALID_REQUEST, .retry_after_ms = -1, .message = "no tools",
		.code = "unsupported_parameter", .param = "tools"}, 400,
		"{'error':{'message':'no tools','type':'invalid_request_error','param':'tools',"
		"'code':'unsupported_parameter'}}"},
	{"Anthropic has no place for the member, but its sentence", envelope_anthropic,
		{.err = ERR_INVALID_REQUEST, .retry_after_ms = -1, .message = "wanted", .param = "tools[0].name"},
		400,
		"{'type':'error','error':{'type':'invalid_request_error',"
		"'message':'tools[0].name: wanted'},'request_id':null}"},
	{"which may name it already", envelope_anthropic,
		{.err = ERR_TOO_BIG, .retry_after_ms = -1, .message = "messages: too long",
		.param = "messages"}, 413,
		"{'type':'error','error':{'type':'request_too_large','message':'messages: too long'},"
		"'request_id':null}"},
};
/* clang-format on */

static void test_letter(const struct letter *l)
{
	struct told t;
	OWNED(buf_done) struct buf want = BUF_INIT(4 * KIB);
	for (const char *c = l->body; *c; c++)
		buf_byte(&want, *c == '\'' ? '"' : *c);
	tell(l->as, &l->fault, &t);
	is_int(t.status, l->status, "%s: its status", l->name);
	is_mem(t.body.p, t.body.n, want.p, want.n, "%s", l->name);
	buf_done(&t.body);
}

int main(void)
{
	size_t n;
	const struct err_info *rows = err_table(&n);
	for (size_t i = 0; i < n; i++) {
		test_class(&rows[i]);
		test_status(&rows[i]);
		test_words(&rows[i]);
	}
	for (size_t i = 0; i < COUNT_OF(letters); i++)
		test_letter(&letters[i]);
	return tap_done();
}
