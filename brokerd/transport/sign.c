/* sign.c - header lines in one guarded region of equal slots; a line too long for a slot gets a
 * guarded allocation of its own. Guarded allocations take pages and mappings each, so that one for
 * every request would be slow, and run into the kernel's limit of mappings. */
#include "brokerd/transport/sign.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "brokerd/value/secret_open.h"
#include "protocol/base/list.h"

#define SLOT_BYTES ((size_t)512)
#define SLOTS      64

struct signature {
	struct signature *prev, *next;
	struct signer *signer;
	struct secret *secret;
	enum auth_scheme scheme;
	unsigned refs;
	size_t name_bytes; /* of the header */
	char *line;        /* guarded */
	size_t line_bytes, key_at;
	int slot; /* -1: an allocation of its own */
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
	if (!line_alloc(g, name.n + 2 + before.n + key.n + 1))
		return fault_set(why, ERR_NO_MEMORY, "no guarded memory to sign a request in");
	put(g, name);
	put(g, SPAN(": "));
	put(g, before);
	g->key_at = g->line_bytes;
	put(g, key);
	g->line[g->line_bytes] = '\0';
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

/* The name of the header, where the scheme is one key in one header. */
static enum err header_name(const struct target *target, struct span *name, struct fault *why)
{
	switch (target->auth) {
	case AUTH_NONE:
		*name = SPAN_NONE;
		return OK;
	case AUTH_BEARER:
		*name = SPAN("Authorization");
		return OK;
	case AUTH_HEADER:
		*name = target->auth_header;
		if (name->n > 0)
			return OK;
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"provider %.*s has a key in a header, but no name for the header",
			SPAN_ARG(target->provider));
	case AUTH_SIGV4:
	case AUTH_GOOGLE:
	case AUTH_ENTRA:
		break;
	}
	return fault_set(why, ERR_UNSUPPORTED,
		"provider %.*s signs its requests in a way that this version cannot: give it a key "
		"in "
		"a header (auth = bearer, or auth = header)",
		SPAN_ARG(target->provider));
}

enum err sign(struct signer *s, struct span origin, const struct target *target,
	struct secret *secret, struct signature **out, struct fault *why)
{
	struct span name = SPAN_NONE;
	*out = NULL;
	enum err err = header_name(target, &name, why);
	if (err || !span_is_set(name))
		return err;
	if (!secret)
		return fault_set(why, ERR_NO_KEY, "provider %.*s needs a key: llmb key add %.*s",
			SPAN_ARG(target->provider), SPAN_ARG(target->provider));
	if (!span_eq(origin, secret_origin(secret)))
		return fault_set(why, ERR_DENIED,
			"the key of %.*s belongs to %.*s and is not sent to %.*s: if the provider "
			"has moved, add the key again for the new address",
			SPAN_ARG(target->provider), SPAN_ARG(secret_origin(secret)),
			SPAN_ARG(origin));
	*out = find_live(s, secret, target->auth, name);
	if (*out) {
		(*out)->refs++;
		return OK;
	}
	struct signature *g = calloc(1, sizeof *g);
	if (!g)
		return fault_set(why, ERR_NO_MEMORY, "no memory to sign a request");
	*g = (struct signature){.signer = s, .scheme = target->auth, .refs = 1, .slot = -1};
	err = line_write(g, name, secret_open(secret), why);
	secret_close(secret);
	if (err) {
		free(g);
		return err;
	}
	g->secret = secret_ref(secret);
	LIST_PUSH(s->live, g);
	*out = g;
	return OK;
}

void signature_unref(struct signature *g)
{
	if (!g)
		return;
	assert(g->refs > 0);
	if (--g->refs > 0)
		return;
	LIST_REMOVE(g->signer->live, g);
	line_free(g);
	secret_unref(g->secret);
	free(g);
}

char *signature_line(struct signature *g)
{
	return g->line;
}

struct span signature_key(const struct signature *g)
{
	return span_of(g->line + g->key_at, g->line_bytes - g->key_at);
}
