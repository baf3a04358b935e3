/* peer_id.c - three lists of words, in the order of their enums, and a text of two of them. */
#include "brokerd/value/peer_id.h"

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "protocol/base/err.h"

static const char *const kinds[] = {
	"unknown", "host", "service", "app", "flatpak", "snap", "container", "sandbox", "token"};
static const char *const confidences[] = {"unknown", "uid", "proc", "cgroup", "label", "listener"};
static const char *const sockets[] = {"main", "sandbox", "app", "handed"};

/* All of it, but what is behind the last member, which is nobody's: a member that came behind that would let one pass for another. */
static_assert(sizeof(struct peer_id) - offsetof(struct peer_id, via) -
			      sizeof((const struct peer_id *)0)->via <
		      alignof(struct peer_id),
	"what says who calls goes on behind via");

bool peer_is_same(const struct peer_id *a, const struct peer_id *b)
{
	return memcmp(a, b, offsetof(struct peer_id, via) + sizeof a->via) == 0;
}

const char *peer_kind_name(enum peer_kind k)
{
	return kinds[k];
}

const char *peer_confidence_name(enum peer_confidence c)
{
	return confidences[c];
}

const char *peer_socket_name(enum peer_socket s)
{
	return sockets[s];
}

static bool find(struct span word, const char *const *words, size_t n, size_t *out)
{
	for (size_t i = 0; i < n; i++) {
		if (!span_is(word, words[i]))
			continue;
		*out = i;
		return true;
	}
	return false;
}

bool peer_kind_from(struct span word, enum peer_kind *out)
{
	size_t i;
	const bool is_one = find(word, kinds, COUNT_OF(kinds), &i);
	if (is_one)
		*out = (enum peer_kind)i;
	return is_one;
}

bool peer_confidence_from(struct span word, enum peer_confidence *out)
{
	size_t i;
	const bool is_one = find(word, confidences, COUNT_OF(confidences), &i);
	if (is_one)
		*out = (enum peer_confidence)i;
	return is_one;
}

bool peer_socket_from(struct span word, enum peer_socket *out)
{
	size_t i;
	const bool is_one = find(word, sockets, COUNT_OF(sockets), &i);
	if (is_one)
		*out = (enum peer_socket)i;
	return is_one;
}

/* A kind, and a name behind it where there is one. By hand: each request asks for it. */
static void join(char to[PEER_TEXT_BYTES], const char *kind, const char *name)
{
	const size_t n_kind = strlen(kind), n_name = strlen(name);
	size_t n = n_kind;
	static_assert(
		PEER_TEXT_BYTES >= PEER_NAME_BYTES + sizeof "container:", "no kind is longer");
	memcpy(to, kind, n_kind);
	if (n_name > 0) {
		to[n++] = ':';
		memcpy(to + n, name, n_name);
		n += n_name;
	}
	to[n] = '\0';
}

void peer_text(const struct peer_id *p, char to[PEER_TEXT_BYTES])
{
	join(to, peer_kind_name(p->kind), p->name);
}

void peer_grant_text(const struct peer_id *p, char to[PEER_TEXT_BYTES])
{
	join(to, peer_kind_name(p->kind), p->is_claim ? "" : p->name);
}

bool peer_is_plain(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		const char c = name.p[i];
		const bool is_one = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				    (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
		if (!is_one)
			return false;
	}
	return true;
}

bool peer_is_open(const struct peer_id *p)
{
	return p->kind == PEER_KIND_HOST && p->socket == PEER_SOCKET_MAIN && p->profile[0] == '\0';
}

void peer_account(const struct peer_id *p, char to[PEER_ACCOUNT_BYTES])
{
	char who[PEER_TEXT_BYTES];
	if (p->kind != PEER_KIND_HOST && p->kind != PEER_KIND_UNKNOWN) {
		if (p->is_claim && p->name[0]) /* its own word, and shown as such */
			(void)snprintf(who, sizeof who, "%s:?%s", peer_kind_name(p->kind), p->name);
		else
			peer_text(p, who);
		fault_text(to, PEER_ACCOUNT_BYTES, span_str(who));
		return;
	}
	fault_text(to, PEER_ACCOUNT_BYTES, span_str(p->app));
	for (char *c = to; *c; c++) {
		if (*c == ':')
			*c = '_';
	}
}

bool peer_from_text(struct span text, struct peer_id *out)
{
	struct span name = text;
	const struct span kind = span_cut(&name, ':');
	*out = (struct peer_id){.pid = -1};
	if (!peer_kind_from(kind, &out->kind) || (span_is_set(name) && name.n == 0) ||
		name.n >= sizeof out->name)
		return false;
	if (span_is_set(name))
		fault_text(out->name, sizeof out->name, name);
	return true;
}
