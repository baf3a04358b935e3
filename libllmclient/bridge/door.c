/* door.c - names are compared without their port, and never looked up. */
#include "libllmclient/bridge/door.h"

#include <arpa/inet.h>

/* Without the port, and the brackets of an address of version 6; absent where it is no host and port. */
static struct span name_of(struct span host)
{
	const bool is_v6 = host.n > 0 && host.p[0] == '[';
	const size_t end = span_index(host, is_v6 ? ']' : ':');
	if (is_v6 && end == host.n)
		return SPAN_NONE;
	const struct span after = span_skip(host, is_v6 ? end + 1 : end);
	if (after.n > 0 && after.p[0] != ':')
		return SPAN_NONE;
	for (size_t i = 1; i < after.n; i++) {
		if (after.p[i] < '0' || after.p[i] > '9')
			return SPAN_NONE;
	}
	return is_v6 ? span_first(span_skip(host, 1), end - 1) : span_first(host, end);
}

/* An address leads where it says: no other name stands for it. */
static bool is_loopback(struct span name)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;
	if (name.n >= sizeof text || !span_is_set(name) || memchr(name.p, '\0', name.n))
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool is_among(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is_nocase(name, list[i]))
			return true;
	}
	return false;
}

enum err door_host(const struct door *d, struct span host, struct fault *why)
{
	static const char *const usual[] = {"localhost", "::1"};
	struct span name;
	if (!span_is_set(host)) /* HTTP/1.0, which no browser speaks */
		return OK;
	name = name_of(host);
	if (is_loopback(name) || is_among(name, usual, COUNT_OF(usual)) ||
		is_among(name, d->hosts, d->n_hosts))
		return OK;
	if (!span_is_set(name))
		name = host;
	return fault_set(why, ERR_DENIED,
		"this is no host called \"%.*s\": ask http://127.0.0.1, or start llm-broker-bridge "
		"with "
		"--allow-host %.*s",
		SPAN_ARG(span_first(name, 200)), SPAN_ARG(span_first(name, 200)));
}

enum err door_origin(const struct door *d, struct span origin, struct fault *why)
{
	if (!span_is_set(origin) || is_among(origin, d->origins, d->n_origins))
		return OK;
	return fault_set(why, ERR_DENIED,
		"a web page of %.*s may not use the language models of this host: if it is yours, "
		"start "
		"llm-broker-bridge with --allow-origin %.*s",
		SPAN_ARG(span_first(origin, 200)), SPAN_ARG(span_first(origin, 200)));
}

enum err door_site(struct span site, struct fault *why)
{
	if (!span_is_set(site) || span_is_nocase(site, "none") ||
		span_is_nocase(site, "same-origin"))
		return OK;
	return fault_set(why, ERR_DENIED,
		"a web page may not load what is here as a part of itself: its scripts may ask, "
		"where llm-broker-bridge was started with --allow-origin");
}
