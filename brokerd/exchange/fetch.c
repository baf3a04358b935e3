/* fetch.c - a transfer whose whole reply is kept, up to a bound. */
#include "brokerd/exchange/fetch.h"

#include <stdlib.h>

#include "brokerd/dialect/dialect.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/route/route.h"
#include "brokerd/value/ops.h"
#include "protocol/limits.h"

#define FETCH_BYTES (4 * MIB)
#define FETCH_US    INT64_C(15000000)

struct fetch {
	struct organs *organs;
	struct config *config;
	struct fetch_reply reply;
	struct arena arena;
	struct target target;
	const struct dialect *dialect;
	struct http_request http;
	struct buf url, body;
	int status;
	struct token_wait token;
	struct secret *secret;
	struct transfer *transfer;
};

static void fetch_free(struct fetch *f)
{
	tokens_leave(&f->token);
	secret_unref(f->secret);
	buf_done(&f->url);
	buf_done(&f->body);
	arena_done(&f->arena);
	config_unref(f->config);
	free(f);
}

static void on_head(void *context, const struct http_head *head)
{
	struct fetch *f = context;
	f->status = head->status;
}

static void on_body(void *context, struct span bytes)
{
	struct fetch *f = context;
	buf_span(&f->body, bytes); /* too much is found at the end */
}

static void on_end(void *context, const struct transfer_end *end)
{
	struct fetch *f = context;
	struct fault why = end->why;
	struct span *ids = NULL;
	size_t n = 0;
	f->transfer = NULL;
	if (f->status == 401)
		tokens_refused(f->organs->tokens, f->secret); /* the next one gets another */
	if (f->status >= 400) {
		const struct http_reply reply = {{.status = f->status}, buf_view(&f->body)};
		f->dialect->explain(&reply, &f->target, &why);
	} else if (!end->err) {
		why = FAULT_NONE;
		enum err err = buf_error(&f->body);
		if (err)
			fault_set(&why, ERR_SERVER_ERROR, "the list of models is over %zu bytes",
				FETCH_BYTES);
		else if (f->status >= 300)
			fault_set(&why, ERR_INVALID_REQUEST,
				"%.*s answers with status %d: its base URL is probably wrong",
				SPAN_ARG(f->target.base_url), f->status);
		else
			err = f->dialect->decode_models(
				buf_view(&f->body), &f->arena, &ids, &n, &why);
		if (err && !why.err)
			fault_set(&why, err, "%s", err_info(err)->sentence);
	}
	f->reply.on_done(f->reply.context, ids, why.err ? 0 : n, end->total_us, &why);
	fetch_free(f);
}

static enum err fetch_send(struct fetch *f, struct fault *why)
{
	const struct target *t = &f->target;
	struct span path;
	if (!ops_serve(t->quirks.ops, SPAN("models"), &path))
		return fault_set(
			why, ERR_UNSUPPORTED, "%.*s has no list of models", SPAN_ARG(t->provider));
	http_join_url(
		t->base_url, span_is_set(path) ? path : span_str(f->dialect->models_path), &f->url);
	f->http.method = SPAN("GET");
	f->http.url = buf_view(&f->url);
	enum err err = buf_error(&f->url);
	if (!err && !http_request_header(&f->http, SPAN("accept"), SPAN("application/json")))
		err = ERR_INTERNAL;
	if (!err && span_is_set(t->quirks.api_version) &&
		!http_request_header(&f->http, SPAN("anthropic-version"), t->quirks.api_version))
		err = ERR_INTERNAL;
	for (size_t i = 0; !err && i < t->n_headers; i++) {
		if (!http_request_header(&f->http, t->headers[i].name, t->headers[i].value))
			err = ERR_INTERNAL;
	}
	const struct transfer_limits limits = {f->config->connect_us, FETCH_US, FETCH_US, FETCH_US};
	const struct transfer_events events = {on_head, on_body, on_end, f};
	if (!err)
		err = transport_start(f->organs->transport, &f->http, t, f->secret, &limits,
			&events, &f->transfer, why);
	return err;
}

static void on_token(struct token_wait *w, struct secret *token, const struct fault *why)
{
	struct fetch *f = container_of(w, struct fetch, token);
	struct fault own = *why;
	enum err err = own.err;
	f->secret = token ? secret_ref(token) : NULL;
	if (token)
		err = fetch_send(f, &own);
	if (!err)
		return;
	if (!own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	f->reply.on_done(f->reply.context, NULL, 0, 0, &own);
	fetch_free(f);
}

static enum err fetch_begin(struct fetch *f, struct span label, struct fault *why)
{
	f->token.on_token = on_token;
	if (f->target.auth == AUTH_NONE)
		return fetch_send(f, why);
	const enum err err = tokens_prove(
		f->organs->tokens, f->config, &f->target, label, &f->token, &f->secret, why);
	if (err == ERR_MORE)
		return OK;
	return err ? err : fetch_send(f, why);
}

enum err fetch_models(struct organs *o, struct span provider, struct span label,
	const struct fetch_reply *reply, struct fetch **out, struct fault *why)
{
	struct fetch *f = calloc(1, sizeof *f);
	*out = NULL;
	if (!f)
		return ERR_NO_MEMORY;
	f->organs = o;
	f->config = config_ref(o->config);
	f->reply = *reply;
	arena_init(&f->arena, LIMIT_REQUEST_ARENA);
	buf_init(&f->url, LIMIT_HEADERS_BYTES);
	buf_init(&f->body, FETCH_BYTES);
	enum err err = route_target(f->config, provider, SPAN("models"), &f->target, why);
	if (!err) {
		f->dialect = dialect_find(f->target.family);
		if (!f->dialect || !f->dialect->models_path)
			err = fault_set(why, ERR_UNSUPPORTED, "%.*s has no list of models",
				SPAN_ARG(f->target.provider));
	}
	if (!err)
		err = fetch_begin(f, label, why);
	if (err) {
		fetch_free(f);
		return err;
	}
	*out = f;
	return OK;
}

void fetch_cancel(struct fetch *f)
{
	if (!f)
		return;
	if (f->transfer)
		transfer_cancel(f->transfer, NULL);
	fetch_free(f);
}
