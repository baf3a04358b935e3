/* test_incoming.c - callers' requests that no file should hold: too long, too many, cut anywhere. */
#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/tap.h"

struct asked {
	struct arena a;
	struct notes notes;
	struct llm_request r;
	struct fault why;
};

static enum err ask(struct asked *q, const char *family, struct span body)
{
	const struct dialect *d = dialect_find(span_str(family));
	const struct surface_call call = {.method = SPAN("POST")};
	arena_init(&q->a, LIMIT_REQUEST_ARENA);
	notes_init(&q->notes, &q->a);
	q->why = FAULT_NONE;
	return d->ops[LLM_OP_CHAT]->decode_request(&call, body, &q->a, &q->r, &q->notes, &q->why);
}

static void put_messages(struct buf *out, size_t n, size_t length)
{
	buf_text(out, "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[");
	for (size_t i = 0; i < n; i++) {
		buf_text(out, i > 0 ? ",{\"role\":\"user\",\"content\":\""
				    : "{\"role\":\"user\",\"content\":\"");
		for (size_t k = 0; k < length; k++)
			buf_byte(out, 'x');
		buf_text(out, "\"}");
	}
	buf_text(out, "]}");
}

/* E20 */
static void test_too_many(const char *family)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct asked q;
	put_messages(&body, LIMIT_MESSAGES + 1, 1);
	is_err(ask(&q, family, buf_view(&body)), ERR_INVALID_REQUEST, "%s: too many messages",
		family);
	is_str(q.why.param, "messages", "%s: which is said", family);
	is_str(q.why.code, "request_too_large", "%s: by its code", family);
	arena_done(&q.a);
}

static void test_too_long(void)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	const struct host_wish wish = {.family = SPAN("anthropic")};
	struct http_request http = {.n_headers = 0};
	struct target target;
	struct asked q;
	put_messages(&body, 33, 1 << 20);
	is_err(ask(&q, "anthropic", buf_view(&body)), OK, "33 MiB can be read");
	struct config *config = host_target(&wish, &q.a, &target, &q.why);
	ok(config != NULL, "there is a target");
	is_err(dialect_find(SPAN("anthropic"))
			->ops[LLM_OP_CHAT]
			->encode_request(&q.r, &target, &FEED_ENV, &q.notes, &http, &q.why),
		ERR_INVALID_REQUEST, "and are more than the provider takes");
	is_str(q.why.code, "request_too_large", "by its code");
	config_unref(config);
	arena_done(&q.a);
}

/* A body that ends early is no JSON, wherever it ends. */
static void test_cut(const char *family)
{
	const struct span whole =
		SPAN("{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\","
		     "\"content\":[{\"type\":\"text\",\"text\":\"\\u00e4\\ud83d\\ude00\"}]}],"
		     "\"tools\":[],\"later\":{\"a\":[1e400]}}");
	struct asked q;
	size_t wrong = 0;
	for (size_t n = 0; n < whole.n; n++) {
		wrong += ask(&q, family, span_first(whole, n)) != ERR_INVALID_REQUEST;
		arena_done(&q.a);
	}
	is_uint(wrong, 0, "%s: a body cut anywhere is refused", family);
	is_err(ask(&q, family, whole), OK, "%s: the whole one is taken", family);
	is_uint(q.r.extra.n, 1, "%s: with what is not known", family);
	arena_done(&q.a);
}

/* Memory that one request may not have is refused, not taken. */
static void test_no_memory(const char *family)
{
	const struct dialect *d = dialect_find(span_str(family));
	const struct surface_call call = {.method = SPAN("POST")};
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct arena a;
	struct notes notes;
	struct llm_request r;
	struct fault why = FAULT_NONE;
	put_messages(&body, 10000, 1);
	arena_init(&a, 64 * KIB);
	notes_init(&notes, &a);
	is_err(d->ops[LLM_OP_CHAT]->decode_request(&call, buf_view(&body), &a, &r, &notes, &why),
		ERR_NO_MEMORY, "%s: out of memory", family);
	arena_done(&a);
}

/* What a caller's tools are called, no family of providers can be told twice. */
static void test_two_of_one_name(const struct dialect *d)
{
	const struct span body = SPAN(
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":["
		"{\"type\":\"function\",\"function\":{\"name\":\"f\"}},"
		"{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}");
	const struct host_wish wish = {.family = span_str(d->family)};
	struct http_request http = {.n_headers = 0};
	struct target target;
	struct asked q;
	is_err(ask(&q, "openai-chat", body), OK, "%s: two tools can be read", d->family);
	struct config *config = host_target(&wish, &q.a, &target, &q.why);
	ok(config != NULL, "%s: there is a target", d->family);
	is_err(d->ops[LLM_OP_CHAT]->encode_request(
		       &q.r, &target, &FEED_ENV, &q.notes, &http, &q.why),
		ERR_INVALID_REQUEST, "%s: but not of one name", d->family);
	is_str(q.why.param, "tools[1].name", "%s: which is said", d->family);
	config_unref(config);
	arena_done(&q.a);
}

/* A tool of the Responses API that says nothing of `strict` has lost nothing elsewhere. */
static void test_strict_unsaid(const struct dialect *d)
{
	const struct span body = SPAN("{\"model\":\"m\",\"input\":\"x\",\"tools\":["
				      "{\"type\":\"function\",\"name\":\"f\"}]}");
	const struct host_wish wish = {.family = span_str(d->family)};
	struct http_request http = {.n_headers = 0};
	struct target target;
	struct asked q;
	is_err(ask(&q, "openai-responses", body), OK, "%s: a tool can be read", d->family);
	struct config *config = host_target(&wish, &q.a, &target, &q.why);
	ok(config != NULL, "%s: there is a target", d->family);
	is_err(d->ops[LLM_OP_CHAT]->encode_request(
		       &q.r, &target, &FEED_ENV, &q.notes, &http, &q.why),
		OK, "%s: and be sent", d->family);
	is_uint(q.notes.n_warnings, 0, "%s: without a warning", d->family);
	config_unref(config);
	arena_done(&q.a);
}

#define THINKS(how)                                                             \
	"{\"model\":\"m\",\"max_tokens\":4096,\"thinking\":{\"type\":" how "}," \
	"\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"

/* To a model that does not reason, one that may is no other question, and one that must is. */
static enum err ask_of_dull(struct asked *q, const struct dialect *d, struct span body)
{
	struct host_wish wish = {.family = span_str(d->family)};
	struct http_request http = {.n_headers = 0};
	struct target target;
	is_err(ask(q, "anthropic", body), OK, "%s: thinking can be read", d->family);
	if (json_scan(SPAN("{\"traits\":{\"reasons\":\"never\",\"efforts\":\"none\"}}"),
		    JSON_STRICT, &wish.more, NULL))
		bail("no JSON");
	struct config *config = host_target(&wish, &q->a, &target, &q->why);
	ok(config != NULL, "%s: there is a target", d->family);
	const enum err err = d->ops[LLM_OP_CHAT]->encode_request(
		&q->r, &target, &FEED_ENV, &q->notes, &http, &q->why);
	ok(span_find(http.body, SPAN("reasoning")) == http.body.n &&
			span_find(http.body, SPAN("think")) == http.body.n,
		"%s: nothing of it is sent", d->family);
	config_unref(config);
	return err;
}

static void test_thinks_if_it_can(const struct dialect *d)
{
	struct asked q;
	is_err(ask_of_dull(&q, d, SPAN(THINKS("\"adaptive\""))), OK,
		"%s: it need not be able to think", d->family);
	is_uint(q.notes.n_warnings, 1, "%s: which is told", d->family);
	ok(q.notes.n_warnings > 0 && span_is(q.notes.warnings[0].code, "dropped_parameter") &&
			span_is(q.notes.warnings[0].param, "reasoning.effort"),
		"%s: by its name", d->family);
	arena_done(&q.a);
	is_err(ask_of_dull(&q, d, SPAN(THINKS("\"enabled\",\"budget_tokens\":1024"))),
		ERR_INVALID_REQUEST, "%s: unless it is to", d->family);
	arena_done(&q.a);
}

int main(void)
{
	static const char *const families[] = {"openai-chat", "anthropic"};
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		test_too_many(families[i]);
		test_cut(families[i]);
		test_no_memory(families[i]);
	}
	test_too_long();
	for (const struct dialect *const *d = dialect_all(); *d; d++) {
		const struct span family = span_str((*d)->family);
		if (span_is(family, "openai-completions") || span_is(family, "offline"))
			continue;
		test_two_of_one_name(*d);
		test_strict_unsaid(*d);
		test_thinks_if_it_can(*d);
	}
	return tap_done();
}
