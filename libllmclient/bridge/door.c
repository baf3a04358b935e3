/* door.c - names are compared without their port, and never looked up. */
#include "libllmclient/bridge/door.h"

/* Without the port, and the brackets of an address of version 6. */
static struct span name_of(struct span host)
{
	if (host.n > 0 && host.p[0] == '[') {
		const size_t end = span_index(host, ']');
		return end < host.n ? span_first(span_skip(host, 1), end - 1) : SPAN("");
	}
	return span_first(host, span_index(host, ':'));
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
	static const char *const usual[] = {"localhost", "127.0.0.1", "::1"};
	const struct span name = name_of(host);
	if (!span_is_set(host)) /* HTTP/1.0, which no browser speaks */
		return OK;
	if (is_among(name, usual, COUNT_OF(usual)) || is_among(name, d->hosts, d->n_hosts))
		return OK;
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
