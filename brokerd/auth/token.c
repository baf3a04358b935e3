/* token.c - OAuth 2.0 by form: an assertion, a refresh token, or a client's secret. */
#include "brokerd/auth/token.h"

#include "brokerd/auth/credential.h"
#include "brokerd/auth/google.h"
#include "brokerd/auth/redact.h"
#include "brokerd/value/secret_open.h"
#include "protocol/base/json.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define BODY_BYTES  (4 * LIMIT_SECRET_BYTES) /* a key, escaped, and some words */
#define LIFE_UNSAID INT64_C(3600)
#define LIFE_MAX    INT64_C(86400)
#define SAID_BYTES  300

bool token_is_needed(enum auth_scheme auth)
{
	return auth == AUTH_GOOGLE || auth == AUTH_ENTRA;
}

/* Does the target ask for what the key is? */
static bool is_fitting(enum auth_scheme auth, const struct credential *c)
{
	if (auth == AUTH_ENTRA)
		return c->kind == CREDENTIAL_ENTRA;
	return auth == AUTH_GOOGLE &&
	       (c->kind == CREDENTIAL_SERVICE_ACCOUNT || c->kind == CREDENTIAL_AUTHORIZED_USER);
}

/* ---- the request ---- */

/* NAME=VALUE, escaped, behind what is there. */
static void put_field(struct buf *out, const char *name, struct span value)
{
	if (out->n > 0)
		buf_byte(out, '&');
	buf_text(out, name);
	buf_byte(out, '=');
	http_escape(value, out);
}

/* The endpoint's address, with the tenant in it where that has a place. */
static enum err put_url(
	const struct token_source *source, const struct credential *c, struct buf *out)
{
	const struct span mark = SPAN("{tenant}");
	const struct span tenant = span_is_set(source->tenant) ? source->tenant : c->tenant;
	const size_t at = span_find(source->url, mark);
	if (at == source->url.n) {
		buf_span(out, source->url);
		return buf_error(out);
	}
	if (!credential_is_tenant(tenant))
		return ERR_INVALID_ARGUMENT;
	buf_span(out, span_first(source->url, at));
	buf_span(out, tenant);
	buf_span(out, span_skip(source->url, at + mark.n));
	return buf_error(out);
}

static enum err put_body(const struct target *t, const struct credential *c, int64_t now_s,
	struct span url, struct buf *out, size_t *assertion_bytes)
{
	OWNED(buf_wipe) struct buf assertion = BUF_INIT(LIMIT_SECRET_BYTES);
	enum err err = OK;
	switch (c->kind) {
	case CREDENTIAL_SERVICE_ACCOUNT:
		if (buf_reserve(&assertion, LIMIT_SECRET_BYTES))
			err = google_assertion(c, url, t->token.scope, now_s, &assertion);
		put_field(out, "grant_type", SPAN("urn:ietf:params:oauth:grant-type:jwt-bearer"));
		put_field(out, "assertion", buf_view(&assertion));
		*assertion_bytes = assertion.n; /* it needs no escapes */
		return err ? err : buf_error(&assertion);
	case CREDENTIAL_AUTHORIZED_USER:
		put_field(out, "grant_type", SPAN("refresh_token"));
		put_field(out, "client_id", c->id);
		put_field(out, "client_secret", c->secret);
		put_field(out, "refresh_token", c->refresh_token);
		return OK;
	case CREDENTIAL_ENTRA:
		put_field(out, "grant_type", SPAN("client_credentials"));
		put_field(out, "client_id", c->id);
		put_field(out, "client_secret", c->secret);
		put_field(out, "scope", t->token.scope);
		return OK;
	case CREDENTIAL_PLAIN:
	case CREDENTIAL_AWS:
		break;
	}
	return ERR_INTERNAL;
}

/* The key is open. */
static enum err write_request(const struct target *t, struct span line, int64_t now_s,
	struct token_request *out, struct fault *why)
{
	struct credential c;
	credential_parse(line, &c);
	if (!is_fitting(t->auth, &c))
		return credential_misfits(t->provider, why);
	enum err err = put_url(&t->token, &c, &out->url);
	if (!err)
		err = put_body(
			t, &c, now_s, buf_view(&out->url), &out->body, &out->assertion_bytes);
	if (!err)
		err = buf_error(&out->body);
	if (err == ERR_INVALID_ARGUMENT)
		return credential_misfits(t->provider, why);
	return err;
}

enum err token_request(const struct target *target, struct secret *key, int64_t now_s,
	struct token_request *out, struct fault *why)
{
	OWNED(buf_done) struct buf origin = BUF_INIT(4 * KIB);
	const struct token_source *source = &target->token;
	*out = (struct token_request){
		.target = {.provider = target->provider,
			   .model = SPAN("token"),
			   .base_url = source->url,
			   .origin = source->origin,
			   .auth = AUTH_NONE,
			   .ca_file = source->ca_file,
			   .is_local = source->is_local},
	};
	buf_init(&out->url, 4 * KIB);
	buf_init(&out->body, BODY_BYTES);
	if (!buf_reserve(&out->body, BODY_BYTES))
		return ERR_NO_MEMORY;
	enum err err = http_origin(source->url, &origin, why);
	if (err)
		return err;
	if (!span_eq(buf_view(&origin), secret_origin(key)))
		return fault_set(why, ERR_DENIED,
			"the key of %.*s was added for the tokens of %.*s and is not shown to "
			"%.*s: if "
			"that is meant, add the key again",
			SPAN_ARG(target->provider), SPAN_ARG(secret_origin(key)),
			SPAN_ARG(buf_view(&origin)));
	err = write_request(target, secret_open(key), now_s, out, why);
	secret_close(key);
	if (err)
		return err;
	out->http = (struct http_request){
		.method = SPAN("POST"), .url = buf_view(&out->url), .body = buf_view(&out->body)};
	if (!http_request_header(
		    &out->http, SPAN("content-type"), SPAN("application/x-www-form-urlencoded")) ||
		!http_request_header(&out->http, SPAN("accept"), SPAN("application/json")))
		return ERR_INTERNAL;
	return OK;
}

void token_request_done(struct token_request *r)
{
	buf_done(&r->url);
	buf_wipe(&r->body);
}

/* ---- the reply ---- */

/* The end of the body, where it is a service account's. */
static struct span assertion_of(const struct token_request *r)
{
	return r->assertion_bytes > 0
		       ? span_skip(buf_view(&r->body), r->body.n - r->assertion_bytes)
		       : SPAN_NONE;
}

/* What the endpoint says, without what it got. */
static void explain(struct json reply, struct secret *key, const struct token_request *asked,
	char *to, size_t size)
{
	OWNED(buf_done) struct buf said = BUF_INIT(LIMIT_ERROR_REPLY_BYTES);
	const struct json error = json_member(reply, "error");
	(void)json_text_to(error, &said);
	if (said.n > 0)
		buf_text(&said, ": ");
	(void)json_text_to(json_member(reply, "error_description"), &said);
	if (json_kind(error) == JSON_OBJECT)
		(void)json_text_to(json_member(error, "message"), &said);
	buf_cut(&said, said.n < SAID_BYTES ? said.n : SAID_BYTES);
	redact_text(key, assertion_of(asked), said.p, said.n);
	fault_text(to, size, said.n > 0 ? buf_view(&said) : SPAN("no reason"));
}

static enum err refused(const struct target *t, struct secret *key,
	const struct token_request *asked, int status, struct json reply, struct fault *why)
{
	char said[SAID_BYTES + 1];
	enum err err;
	explain(reply, key, asked, said, sizeof said);
	if (status == 429)
		err = fault_set(why, ERR_RATE_LIMITED,
			"the token endpoint of %.*s has had too many requests: %s",
			SPAN_ARG(t->provider), said);
	else if (status >= 500)
		err = fault_set(why, ERR_SERVER_ERROR,
			"the token endpoint of %.*s failed with status %d: %s",
			SPAN_ARG(t->provider), status, said);
	else if (status == 404 || status < 400)
		err = fault_set(why, ERR_INVALID_REQUEST,
			"%.*s answers with status %d: it is no token endpoint (token_url)",
			SPAN_ARG(t->token.url), status);
	else
		err = fault_set(why, ERR_AUTH,
			"the token endpoint refuses the key of %.*s: `llmb key add %.*s` puts in a "
			"new "
			"one; look at this host's clock too (it says: %s)",
			SPAN_ARG(t->provider), SPAN_ARG(t->provider), said);
	if (why)
		why->http_status = status;
	return err;
}

static int64_t life_of(struct json reply)
{
	char text[24];
	int64_t life_s;
	struct json member = json_member(reply, "expires_in");
	OWNED(buf_done) struct buf digits = BUF_INIT(sizeof text);
	/* some write it as a string */
	const bool is_said = json_i64(member, &life_s) ||
			     (json_text_to(member, &digits) && num_i64(buf_view(&digits), &life_s));
	if (!is_said || life_s < 1)
		return LIFE_UNSAID;
	return life_s < LIFE_MAX ? life_s : LIFE_MAX;
}

/* The token's text as a secret for the provider's origin. */
static enum err take_token(const struct target *t, struct json reply, struct span origin,
	struct secret **token, struct fault *why)
{
	OWNED(buf_wipe) struct buf text = BUF_INIT(LIMIT_SECRET_BYTES);
	const struct json type = json_member(reply, "token_type");
	OWNED(buf_done) struct buf word = BUF_INIT(64);
	if (!buf_reserve(&text, LIMIT_SECRET_BYTES))
		return ERR_NO_MEMORY;
	const bool is_bearer =
		json_is_nil(type) ||
		(json_text_to(type, &word) && span_is_nocase(buf_view(&word), "bearer"));
	if (!is_bearer || !json_text_to(json_member(reply, "access_token"), &text) || text.n == 0 ||
		buf_error(&text) || !http_header_is_sound(SPAN("authorization"), buf_view(&text)))
		return fault_set(why, ERR_SERVER_ERROR,
			"the token endpoint of %.*s answered without a token that can be used",
			SPAN_ARG(t->provider));
	return secret_new(buf_view(&text), origin, token);
}

enum err token_reply(const struct target *target, struct secret *key,
	const struct token_request *asked, int status, struct span body, struct secret **token,
	int64_t *life_s, struct fault *why)
{
	struct json reply = JSON_NONE;
	struct credential c;
	*token = NULL;
	const bool is_json = json_scan(body, JSON_LENIENT, &reply, NULL) == OK &&
			     json_kind(reply) == JSON_OBJECT;
	credential_parse(secret_open(key), &c);
	enum err err;
	if (!is_fitting(target->auth, &c))
		err = credential_misfits(target->provider, why);
	else if (status != 200)
		err = refused(target, key, asked, status, is_json ? reply : JSON_NONE, why);
	else
		err = take_token(target, is_json ? reply : JSON_NONE, c.origin, token, why);
	secret_close(key);
	*life_s = life_of(is_json ? reply : JSON_NONE);
	return err;
}
