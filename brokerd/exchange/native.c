/* native.c - an address, the headers that may go, and an ear. */
#include "brokerd/exchange/native.h"

#include "brokerd/dialect/registry.h"
#include "protocol/limits.h"

/* ---- which endpoints can be listened to ---- */

struct endpoint {
	const char *end; /* of the path */
	const struct dialect *dialect;
	enum llm_op op;
};

static const struct endpoint endpoints[] = {
	{"/chat/completions",      &dialect_openai_chat,        LLM_OP_CHAT    },
	{"/completions",           &dialect_openai_completions, LLM_OP_COMPLETE},
	{"/responses",             &dialect_openai_responses,   LLM_OP_CHAT    },
	{"/embeddings",            &dialect_openai_chat,        LLM_OP_EMBED   },
	{"/messages",              &dialect_anthropic,          LLM_OP_CHAT    },
	{":generateContent",       &dialect_gemini,             LLM_OP_CHAT    },
	{":streamGenerateContent", &dialect_gemini,             LLM_OP_CHAT    },
};

static const struct endpoint *endpoint_of(struct span path)
{
	for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
		const size_t n = strlen(endpoints[i].end);
		if (path.n >= n && memcmp(path.p + path.n - n, endpoints[i].end, n) == 0)
			return &endpoints[i];
	}
	return NULL;
}

struct span native_model(const struct surface_call *call, struct span body, struct arena *a)
{
	struct json v;
	struct span model = SPAN_NONE;
	if (!endpoint_of(call->path) || json_scan(body, JSON_LENIENT, &v, NULL) ||
		json_utf8(json_member(v, "model"), a, &model))
		return SPAN_NONE;
	return model;
}

/* ---- the request ---- */

/* What may be said to a provider beside the credential, which is the broker's. */
static bool may_send(struct span name)
{
	static const char *const names[] = {"accept", "accept-language", "anthropic-beta",
		"anthropic-version", "idempotency-key", "if-match", "if-none-match", "openai-beta",
		"range", "x-goog-upload-command", "x-goog-upload-header-content-length",
		"x-goog-upload-header-content-type", "x-goog-upload-offset",
		"x-goog-upload-protocol"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

bool native_shows_header(struct span name)
{
	static const char *const names[] = {"content-disposition", "content-range", "etag",
		"last-modified", "location", "retry-after", "retry-after-ms",
		"x-goog-upload-chunk-granularity", "x-goog-upload-status", "x-goog-upload-url",
		"x-should-retry"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

/* However it is spelt: who reads a query takes the escapes out of its names, and may end them at a NUL. */
static bool is_credential(struct span pair)
{
	static const char *const names[] = {"key", "access_token", "api_key", "api-key", "apikey",
		"x-api-key", "x-goog-api-key", "subscription-key"};
	struct buf name = BUF_INIT(1 * KIB);
	bool is_one = false;
	(void)http_unescape(span_cut(&pair, '='), &name);
	const struct span read = span_first(buf_view(&name), span_index(buf_view(&name), '\0'));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		is_one = is_one || span_is_nocase(read, names[i]);
	buf_done(&name);
	return is_one;
}

/* A caller's own credential, which some put into the query, is nobody's business there. */
static void put_query(struct span query, struct buf *out)
{
	bool has_any = false;
	while (query.n > 0) {
		const struct span pair = span_cut(&query, '&');
		if (is_credential(pair))
			continue;
		buf_byte(out, has_any ? '&' : '?');
		buf_span(out, pair);
		has_any = true;
	}
}

/* Below the provider's host, whatever path its base URL has. */
static enum err put_url(const struct surface_call *call, const struct target *target,
	struct arena *a, struct span *out)
{
	OWNED(buf_done) struct buf path = BUF_INIT(64 * KIB);
	OWNED(buf_done) struct buf url = BUF_INIT(64 * KIB);
	buf_byte(&path, '/');
	buf_span(&path, call->path);
	put_query(call->query, &path);
	http_join_url(target->base_url, buf_view(&path), &url);
	const enum err err = buf_error(&path) ? buf_error(&path) : buf_error(&url);
	return err ? err : arena_dup(a, buf_view(&url), out);
}

/* What the configuration says of a header goes before what a caller says. */
static bool is_configured(const struct target *t, struct span name)
{
	for (size_t i = 0; i < t->n_headers; i++) {
		if (span_eq(t->headers[i].name, name))
			return true;
	}
	return false;
}

static enum err put_headers(const struct surface_call *call, const struct target *t,
	struct http_request *out, struct fault *why)
{
	bool is_fine = call->content_type.n == 0 ||
		       http_request_header(out, SPAN("content-type"), call->content_type);
	for (size_t i = 0; is_fine && i < call->n_headers; i++) {
		const struct string_pair *h = &call->headers[i];
		if (may_send(h->key) && !is_configured(t, h->key))
			is_fine = http_request_header(out, h->key, h->value);
	}
	for (size_t i = 0; is_fine && i < t->n_headers; i++)
		is_fine = http_request_header(out, t->headers[i].name, t->headers[i].value);
	return is_fine ? OK
		       : fault_param(why, ERR_INVALID_REQUEST, "surface.headers",
				 "there are more headers than can be sent, or one that cannot");
}

static enum err forward(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	const struct surface_call *call = what->call;
	size_t slashes = 0;
	while (slashes < call->path.n && call->path.p[slashes] == '/')
		slashes++;
	/* without a path the query would stand right behind the host */
	if (slashes == call->path.n)
		return fault_param(why, ERR_INVALID_REQUEST, "surface.path",
			"which endpoint of %.*s? Say its path, as in /v1/files",
			SPAN_ARG(target->provider));
	if (put_url(call, target, notes->arena, &out->url))
		return fault_param(why, ERR_TOO_BIG, "surface.path", "the address is too long");
	out->method = span_is_set(call->method) ? call->method : SPAN("POST");
	out->body = what->body.text;
	notes->native_path = call->path;
	out->is_stream = true; /* its bytes are awaited as they come */
	return put_headers(call, target, out, why);
}

/* ---- the reply ---- */

struct decoder {
	const struct dialect_op *op; /* NULL: nobody listens, or it was not understood */
	struct decoder *inner;
};

/* Made for each call of a decoder: which sink is told of the counts. */
struct ear {
	const struct event_sink *sink;
};

static enum err pass_counts(void *context, const struct llm_event *e)
{
	const struct ear *ear = context;
	return e->type == EV_USAGE ? event_emit(ear->sink, e) : OK;
}

static struct decoder *decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	const struct endpoint *heard = endpoint_of(notes->native_path);
	if (!d || !heard || head->status >= 300)
		return d;
	d->op = heard->dialect->ops[heard->op];
	d->inner = d->op->decoder_new(a, notes, env, head);
	if (!d->inner)
		d->op = NULL;
	return d;
}

/* What the ear does not understand is the caller's to understand. */
static void stop_listening(struct decoder *d)
{
	if (d->inner && d->op->decoder_done)
		d->op->decoder_done(d->inner);
	d->inner = NULL;
	d->op = NULL;
}

static enum err decode(
	struct decoder *d, struct span bytes, const struct event_sink *sink, struct fault *why)
{
	struct ear ear = {sink};
	struct fault own; /* which is nobody's */
	(void)why;
	if (d->inner &&
		d->op->decode(d->inner, bytes, &(struct event_sink){pass_counts, &ear}, &own))
		stop_listening(d);
	return OK;
}

static enum err decode_end(struct decoder *d, const struct event_sink *sink, struct fault *why)
{
	struct ear ear = {sink};
	struct fault own;
	(void)why;
	if (d->inner && d->op->decode_end(d->inner, &(struct event_sink){pass_counts, &ear}, &own))
		stop_listening(d);
	return OK;
}

static void decoder_done(struct decoder *d)
{
	stop_listening(d);
}

const struct dialect_op native_op = {
	.forward = forward,
	.decoder_new = decoder_new,
	.decode = decode,
	.decode_end = decode_end,
	.decoder_done = decoder_done,
};
