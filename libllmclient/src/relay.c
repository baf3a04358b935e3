/* relay.c - how is a public API's own request put together? */
#include "libllmclient/src/request.h"

#include <inttypes.h>

#include "libllmclient/src/error.h"
#include "libllmclient/src/grow.h"
#include "protocol/limits.h"

static llm_request *relay_new(enum call_kind kind, const char *whose, const char *method,
	const char *path, const char *query)
{
	struct builder *b = builder_new(kind);
	if (!b)
		return NULL;
	struct surface_call *s = &b->surface;
	struct span *name = kind == CALL_NATIVE ? &s->provider : &s->surface;
	const char *what = kind == CALL_NATIVE ? "the provider" : "the surface";
	/* a failure sticks, and is what starting the request returns */
	(void)(builder_take(b, what, whose, name) &&
		builder_take(b, "the method", method ? method : "POST", &s->method) &&
		(!path || builder_take(b, "the path", path, &s->path)) &&
		(!query || builder_take(b, "the query", query, &s->query)));
	return &b->request;
}

llm_request *llm_relay_new(
	const char *surface, const char *method, const char *path, const char *query)
{
	return relay_new(CALL_RELAY, surface, method, path, query);
}

llm_request *llm_native_new(
	const char *provider, const char *method, const char *path, const char *query)
{
	return relay_new(CALL_NATIVE, provider, method, path, query);
}

/* The builder of a relayed request; NULL: it is not one, which sticks. */
static struct builder *relayed(llm_request *r)
{
	struct builder *b = builder_open(r);
	if (b->kind == CALL_RELAY || b->kind == CALL_NATIVE)
		return b;
	builder_fail(b, ERR_INVALID_ARGUMENT,
		"the request is not one of llm_relay_new() or llm_native_new()");
	return NULL;
}

int llm_relay_header(llm_request *r, const char *name, const char *value)
{
	struct string_pair header;
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = relayed(r);
	if (!b)
		return LLM_E_INVAL;
	if (!builder_take(b, "the header's name", name, &header.key) ||
		!builder_take(b, "the header's value", value, &header.value))
		return builder_code(b);
	char *lower = arena_str(&b->arena, header.key);
	if (!lower || !GROW(&b->arena, b->surface.headers, b->surface.n_headers))
		return builder_no_memory(b);
	for (size_t i = 0; i < header.key.n; i++) {
		if (lower[i] >= 'A' && lower[i] <= 'Z')
			lower[i] = (char)(lower[i] - 'A' + 'a');
	}
	header.key.p = lower;
	b->surface.headers[b->surface.n_headers++] = header;
	return LLM_OK;
}

int llm_relay_body(llm_request *r, const char *content_type, const void *data, size_t len)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = relayed(r);
	if (!b)
		return LLM_E_INVAL;
	if (!data && len > 0)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "the body is NULL");
	if (len > LIMIT_BODY_BYTES)
		return builder_fail(b, ERR_TOO_BIG, "a body of %zu bytes; the limit is %zu", len,
			LIMIT_BODY_BYTES);
	if (!builder_take(b, "the content type", content_type ? content_type : "application/json",
		    &b->surface.content_type) ||
		!builder_text(b, span_of(data ? data : "", len), &b->body))
		return builder_code(b);
	b->is_body_later = false;
	return LLM_OK;
}

int llm_relay_body_later(llm_request *r, const char *content_type, int64_t length)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = relayed(r);
	if (!b)
		return LLM_E_INVAL;
	if (length < -1)
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"a body of %" PRId64 " bytes: -1 says that its length is not known",
			length);
	if (length > (int64_t)LIMIT_BODY_BYTES)
		return builder_fail(b, ERR_TOO_BIG, "a body of %" PRId64 " bytes; the limit is %zu",
			length, LIMIT_BODY_BYTES);
	if (!builder_take(b, "the content type", content_type ? content_type : "application/json",
		    &b->surface.content_type))
		return builder_code(b);
	b->body = SPAN_NONE;
	b->is_body_later = true;
	b->later_bytes = length;
	return LLM_OK;
}
