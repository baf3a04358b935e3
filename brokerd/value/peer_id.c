/* peer_id.c - three lists of words, in the order of their enums. */
#include "brokerd/value/peer_id.h"

#include "protocol/base/owned.h"

static const char *const kinds[] = {
	"unknown", "host", "service", "app", "flatpak", "snap", "container", "sandbox"};
static const char *const confidences[] = {"unknown", "uid", "proc", "cgroup", "label", "listener"};
static const char *const sockets[] = {"main", "sandbox", "app", "handed"};

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
