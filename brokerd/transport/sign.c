/* sign.c - header lines in one guarded region of equal slots; a line too long for a slot gets a
 * guarded allocation of its own. Guarded allocations take pages and mappings each, so that one for
 * every request would be slow, and run into the kernel's limit of mappings. */
#include "brokerd/transport/sign.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "brokerd/auth/credential.h"
#include "brokerd/auth/sigv4.h"
#include "brokerd/value/secret_open.h"
#include "protocol/base/list.h"

#define SLOT_BYTES ((size_t)512)
#define SLOTS      64

/* AUTH_SIGV4: proved anew for each request, and no secret. */
struct request_lines {
	char authorization[sizeof "Authorization: " + sizeof(struct sigv4_proof)];
	char date[sizeof "x-amz-date: " + sizeof(struct sigv4_proof)];
};

struct signature {
	struct signature *prev, *next; /* of those that are shared */
	struct signer *signer;
	struct secret *secret;
	struct request_lines *own; /* or NULL: there is `line` */
	struct signature *token;   /* AUTH_SIGV4: the session token's line, or NULL */
	enum auth_scheme scheme;
	unsigned refs;
	size_t name_bytes; /* of the header */
	char *line;        /* guarded */
	size_t line_bytes, key_at;
	struct span escaped; /* the key as http_escape has it, behind the line; empty: no other */
	int slot;            /* -1: an allocation of its own */
};

struct signer {
	char *region; /* guarded: SLOTS of SLOT_BYTES */
	bool is_used[SLOTS];
	struct signature *live;
};

struct signer *signer_new(struct fault *why)
{
	struct signer *s = calloc(1, sizeof *s);
	if (s)
		s->region = sodium_malloc(SLOTS * SLOT_BYTES);
	if (!s || !s->region) {
		free(s);
		fault_set(why, ERR_NO_MEMORY, "no guarded memory to sign requests in");
		return NULL;
	}
	sodium_memzero(s->region, SLOTS * SLOT_BYTES);
	return s;
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	assert(!s->live);
	sodium_free(s->region);
	free(s);
}

/* Finds `n` bytes for a line. */
static bool line_alloc(struct signature *g, size_t n)
{
	struct signer *s = g->signer;
	g->slot = -1;
	if (n <= SLOT_BYTES) {
		for (int i = 0; i < SLOTS; i++) {
			if (s->is_used[i])
				continue;
			s->is_used[i] = true;
			g->slot = i;
			g->line = s->region + (size_t)i * SLOT_BYTES;
			return true;
		}
	}
	g->line = sodium_malloc(n);
	return g->line != NULL;
}

static void line_free(struct signature *g)
{
	if (g->slot < 0) {
		sodium_free(g->line); /* wipes; NULL is fine */
		return;
	}
	sodium_memzero(g->line, SLOT_BYTES);
	g->signer->is_used[g->slot] = false;
}

static void put(struct signature *g, struct span text)
{
	if (text.n > 0)
		memcpy(g->line + g->line_bytes, text.p, text.n);
	g->line_bytes += text.n;
}

/* Writes the line around the key, which is open. */
static enum err line_write(
	struct signature *g, struct span name, struct span key, struct fault *why)
{
	const struct span before = g->scheme == AUTH_BEARER ? SPAN("Bearer ") : SPAN("");
	if (key.n == 0 || !http_header_is_sound(name, key))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the key, or the header \"%.*s\" that is to carry it, holds bytes that "
			"cannot "
			"stand in a header: add the key again, without line ends or control "
			"characters",
			SPAN_ARG(span_first(name, 64)));
	const size_t escaped_bytes = http_escaped_bytes(key);
	const size_t more_bytes = escaped_bytes > key.n ? escaped_bytes : 0;
	if (!line_alloc(g, name.n + 2 + before.n + key.n + 1 + more_bytes))
		return fault_set(why, ERR_NO_MEMORY, "no guarded memory to sign a request in");
	put(g, name);
	put(g, SPAN(": "));
	put(g, before);
	g->key_at = g->line_bytes;
	put(g, key);
	g->line[g->line_bytes] = '\0';
	g->escaped = span_of(g->line + g->line_bytes + 1, more_bytes);
	if (more_bytes > 0)
		http_escape_at(key, g->line + g->line_bytes + 1);
	g->name_bytes = name.n;
	return OK;
}

static struct signature *find_live(
	struct signer *s, const struct secret *secret, enum auth_scheme scheme, struct span name)
{
	struct signature *g;
	LIST_EACH(s->live, g) {
		/* the header's name comes first in the line and is no secret */
		if (g->secret == secret && g->scheme == scheme &&
			span_eq(span_of(g->line, g->name_bytes), name))
			return g;
	}
	return NULL;
}

/* Finds or makes the line with `key`, the secret's bytes or a part of them, which are open. */
static enum err line_share(struct signer *s, struct secret *secret, enum auth_scheme scheme,
	struct span name, struct span key, struct signature **out, struct fault *why)
{
	*out = find_live(s, secret, scheme, name);
	if (*out) {
		(*out)->refs++;
		return OK;
	}
	struct signature *g = calloc(1, sizeof *g);
	if (!g)
		return fault_set(why, ERR_NO_MEMORY, "no memory to sign a request");
	*g = (struct signature){.signer = s, .scheme = scheme, .refs = 1, .slot = -1};
	const enum err err = line_write(g, name, key, why);
	if (err) {
		free(g);
		return err;
	}
	g->secret = secret_ref(secret);
	LIST_PUSH(s->live, g);
	*out = g;
	return OK;
}

/* ---- AWS ---- */

static bool is_signed(struct span name)
{
	return span_is_nocase(name, "content-type") ||
	       (name.n > 6 && span_is_nocase(span_first(name, 6), "x-amz-"));
}

static enum err prove(const struct signing *what, const struct credential *c,
	struct sigv4_proof *proof, struct fault *why)
{
	const struct http_request *r = what->request;
	struct http_header headers[COUNT_OF(r->headers)];
	struct sigv4_request q = {
		.method = r->method,
		.url = r->url,
		.headers = headers,
		.region = what->target->region,
		.service = what->target->service,
		.now_s = what->now_s,
	};
	for (size_t i = 0; i < r->n_headers; i++) {
		if (is_signed(r->headers[i].name))
			headers[q.n_headers++] = r->headers[i];
	}
	sigv4_hash(r->body, q.body_hash);
	const struct sigv4_credential by = {c->id, c->secret, c->session_token};
	return sigv4_sign(&q, &by, proof, why);
}

/* The secret is open, and its parts are `c`. */
static enum err sign_for_aws(struct signer *s, const struct signing *what, struct secret *secret,
	const struct credential *c, struct signature **out, struct fault *why)
{
	struct sigv4_proof proof;
	struct signature *token = NULL;
	enum err err = prove(what, c, &proof, why);
	if (!err && span_is_set(c->session_token))
		err = line_share(s, secret, AUTH_SIGV4, SPAN("x-amz-security-token"),
			c->session_token, &token, why);
	if (err)
		return err;
	struct signature *g = calloc(1, sizeof *g);
	struct request_lines *own = malloc(sizeof *own);
	if (!g || !own) {
		free(g);
		free(own);
		signature_unref(token);
		return fault_set(why, ERR_NO_MEMORY, "no memory to sign a request");
	}
	(void)snprintf(own->authorization, sizeof own->authorization, "Authorization: %s",
		proof.authorization);
	(void)snprintf(own->date, sizeof own->date, "x-amz-date: %s", proof.date);
	*g = (struct signature){.signer = s,
		.scheme = AUTH_SIGV4,
		.refs = 1,
		.slot = -1,
		.own = own,
		.token = token};
	*out = g;
	return OK;
}

/* ---- the whole ---- */

/* The name of the header, where the scheme is one key in one header. */
static enum err header_name(const struct target *target, struct span *name, struct fault *why)
{
	*name = target->auth == AUTH_HEADER ? target->auth_header : SPAN("Authorization");
	if (name->n > 0)
		return OK;
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"provider %.*s has a key in a header, but no name for the header",
		SPAN_ARG(target->provider));
}

/* The secret is open. */
static enum err sign_by(struct signer *s, const struct signing *what, struct secret *secret,
	struct span key, struct signature **out, struct fault *why)
{
	struct credential c;
	struct span name;
	credential_parse(key, &c);
	if ((what->target->auth == AUTH_SIGV4) != (c.kind == CREDENTIAL_AWS) ||
		(c.kind != CREDENTIAL_AWS && c.kind != CREDENTIAL_PLAIN))
		return credential_misfits(what->target->provider, why);
	if (c.kind == CREDENTIAL_AWS)
		return sign_for_aws(s, what, secret, &c, out, why);
	const enum err err = header_name(what->target, &name, why);
	if (err)
		return err;
	/* a token is borne as a key is */
	const enum auth_scheme scheme =
		what->target->auth == AUTH_HEADER ? AUTH_HEADER : AUTH_BEARER;
	return line_share(s, secret, scheme, name, key, out, why);
}

enum err sign(struct signer *s, const struct signing *what, struct secret *secret,
	struct signature **out, struct fault *why)
{
	const struct target *target = what->target;
	*out = NULL;
	if (target->auth == AUTH_NONE)
		return OK;
	if (!secret)
		return fault_set(why, ERR_NO_KEY, "provider %.*s needs a key: llmb key add %.*s",
			SPAN_ARG(target->provider), SPAN_ARG(target->provider));
	if (!span_eq(what->origin, secret_origin(secret)))
		return fault_set(why, ERR_DENIED,
			"the key of %.*s belongs to %.*s and is not sent to %.*s: if the provider "
			"has moved, add the key again for the new address",
			SPAN_ARG(target->provider), SPAN_ARG(secret_origin(secret)),
			SPAN_ARG(what->origin));
	const enum err err = sign_by(s, what, secret, secret_open(secret), out, why);
	secret_close(secret);
	return err;
}

void signature_unref(struct signature *g)
{
	if (!g)
		return;
	assert(g->refs > 0);
	if (--g->refs > 0)
		return;
	if (g->own) {
		free(g->own);
		signature_unref(g->token);
	} else {
		LIST_REMOVE(g->signer->live, g);
		line_free(g);
		secret_unref(g->secret);
	}
	free(g);
}

char *signature_line(struct signature *g, size_t i)
{
	if (!g->own)
		return i == 0 ? g->line : NULL;
	switch (i) {
	case 0:
		return g->own->authorization;
	case 1:
		return g->own->date;
	case 2:
		return g->token ? g->token->line : NULL;
	default:
		return NULL;
	}
}

bool signature_writes(struct signature *g, struct span name)
{
	const char *line;
	for (size_t i = 0; (line = signature_line(g, i)) != NULL; i++) {
		const size_t n = strcspn(line, ":");
		if (n == name.n && strncasecmp(name.p, line, n) == 0)
			return true;
	}
	return false;
}

struct span signature_key(const struct signature *g)
{
	if (g->own)
		return g->token ? signature_key(g->token) : SPAN("");
	return span_of(g->line + g->key_at, g->line_bytes - g->key_at);
}

struct span signature_key_escaped(const struct signature *g)
{
	if (g->own)
		return g->token ? signature_key_escaped(g->token) : SPAN("");
	return g->escaped;
}
