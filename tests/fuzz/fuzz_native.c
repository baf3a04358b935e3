/* fuzz_native.c - any bytes as the path, the query and the headers of a native call: is the provider's host
 * still where it goes, and does nothing go along that is the broker's to say?
 * Other readers than ours say which host that is: libcurl's, which sends it, and one that ends a host's name
 * at the first thing that any reader ends it at. The first byte picks a base address; lines are the method,
 * the path, the query and the content type, and then a name and a value for each header. */
#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <strings.h>

#include "brokerd/exchange/native.h"
#include "protocol/limits.h"
#include "protocol/surface.h"
#include "tests/lib/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 4

static const char *const bases[] = {
	"https://host.example",
	"https://host.example/",
	"https://host.example:8443/openai/v1",
	"https://host.example/v1/?api-version=1&x=y",
	"https://[2606:4700::1111]:443/v1",
	"https://HOST.example:443/a/b/",
};

static struct place {
	struct config *config;
	struct target target;
	char origin[128];
} places[COUNT_OF(bases)];

static void find_places(void)
{
	static struct arena a;
	arena_init(&a, LIMIT_CONFIG_BYTES);
	for (size_t i = 0; i < COUNT_OF(bases); i++) {
		OWNED(buf_done) struct buf origin = BUF_INIT(sizeof places[i].origin);
		char text[256];
		struct fault why;
		(void)snprintf(text, sizeof text,
			"{\"base_url\":\"%s\",\"header\":\"openai-beta: ours\"}", bases[i]);
		struct host_wish wish = {.family = SPAN("openai-chat"),
			.provider = SPAN("somebody"),
			.model = SPAN("m"),
			.path = SPAN("/v1/chat/completions")};
		assert(json_scan(span_str(text), JSON_STRICT, &wish.more, &why) == OK);
		places[i].config = host_target(&wish, &a, &places[i].target, &why);
		assert(places[i].config);
		assert(http_origin(span_str(bases[i]), &origin, &why) == OK);
		(void)snprintf(places[i].origin, sizeof places[i].origin, "%.*s",
			SPAN_ARG(buf_view(&origin)));
	}
}

/* ---- where it goes ---- */

static void check_origin(const struct place *p, struct span url)
{
	OWNED(buf_done) struct buf origin = BUF_INIT(1 * KIB);
	struct fault why;
	assert(http_origin(url, &origin, &why) == OK);
	assert(span_is(buf_view(&origin), p->origin));
}

/* "https://", and then the same host and port up to a slash, whatever somebody takes for one. */
static void check_authority(const struct place *p, struct span url)
{
	static const char ends[] = "/\\?#@;&%\t\r\n ";
	OWNED(buf_done) struct buf begin = BUF_INIT(1 * KIB);
	struct fault why;
	const struct span host = span_skip(url, strlen("https://"));
	size_t n = 0;
	while (n < host.n && host.p[n] != '\0' && !strchr(ends, host.p[n]))
		n++;
	assert(n < host.n && host.p[n] == '/');
	assert(http_origin(span_first(url, strlen("https://") + n), &begin, &why) == OK);
	assert(span_is(buf_view(&begin), p->origin));
}

static void check_part(CURLU *u, CURLUPart part, const char *want)
{
	char *found = NULL;
	const CURLUcode failed = curl_url_get(u, part, &found, CURLU_DEFAULT_PORT);
	if (want)
		assert(!failed && strcasecmp(found, want) == 0);
	else
		assert(failed && !found);
	curl_free(found);
}

/* As libcurl reads it, or refuses to. */
static void check_curl(const struct place *p, struct span url)
{
	char text[64 * 1024 + 1], host[128], port[8];
	CURLU *u = curl_url();
	const char *colon = strrchr(p->origin, ':');
	(void)snprintf(text, sizeof text, "%.*s", SPAN_ARG(url));
	(void)snprintf(host, sizeof host, "%.*s", (int)(colon - p->origin) - 8, p->origin + 8);
	(void)snprintf(port, sizeof port, "%s", colon + 1);
	assert(u);
	if (curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK) {
		check_part(u, CURLUPART_SCHEME, "https");
		check_part(u, CURLUPART_HOST, host);
		check_part(u, CURLUPART_PORT, port);
		check_part(u, CURLUPART_USER, NULL);
		check_part(u, CURLUPART_PASSWORD, NULL);
		check_part(u, CURLUPART_FRAGMENT, NULL);
	}
	curl_url_cleanup(u);
}

/* ---- what goes along ---- */

static int digit(char c)
{
	const char lower = span_lower(c);
	return c >= '0' && c <= '9'           ? c - '0'
	       : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
					      : -1;
}

/* A name of the query, as one who reads it would have it; what is longer is none that we look for. */
static void read_name(struct span raw, char *to, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < raw.n && n + 1 < size; n++) {
		const bool is_escape = raw.p[i] == '%' && i + 2 < raw.n &&
				       digit(raw.p[i + 1]) >= 0 && digit(raw.p[i + 2]) >= 0;
		to[n] = is_escape ? (char)(digit(raw.p[i + 1]) << 4 | digit(raw.p[i + 2]))
				  : raw.p[i];
		i += is_escape ? 3 : 1;
	}
	to[n] = '\0';
}

static void check_query(struct span url)
{
	static const char *const never[] = {
		"key", "access_token", "api_key", "api-key", "apikey", "x-goog-api-key"};
	struct span query = span_skip(url, span_index(url, '?'));
	char name[64];
	query = query.n > 0 ? span_skip(query, 1) : query;
	while (query.n > 0) {
		struct span pair = span_cut(&query, '&');
		read_name(span_cut(&pair, '='), name, sizeof name);
		for (size_t i = 0; i < COUNT_OF(never); i++)
			assert(strcasecmp(name, never[i]) != 0);
	}
}

/* Credentials, the message's frame, who the caller is, and what the configuration says. */
static void check_headers(const struct http_request *http)
{
	static const char *const never[] = {"authorization", "x-api-key", "api-key",
		"x-goog-api-key", "cookie", "host", "content-length", "transfer-encoding",
		"connection", "upgrade", "expect", "te", "trailer", "accept-encoding", "forwarded",
		"via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "openai-organization",
		"openai-project", "x-amz-security-token", "x-amz-date", "x-http-method-override"};
	size_t n_beta = 0;
	for (size_t i = 0; i < http->n_headers; i++) {
		const struct http_header *h = &http->headers[i];
		for (size_t k = 0; k < COUNT_OF(never); k++)
			assert(!span_is_nocase(h->name, never[k]));
		assert(h->name.n < 6 || strncasecmp(h->name.p, "proxy-", 6) != 0);
		assert(http_header_is_sound(h->name, h->value));
		n_beta += span_is_nocase(h->name, "openai-beta");
		assert(!span_is_nocase(h->name, "openai-beta") || span_is(h->value, "ours"));
	}
	assert(n_beta == 1);
}

static void check(const struct place *p, const struct http_request *http)
{
	for (size_t i = 0; i < http->url.n; i++)
		assert((unsigned char)http->url.p[i] > 0x20 && http->url.p[i] != 0x7f &&
			http->url.p[i] != '#');
	check_origin(p, http->url);
	check_authority(p, http->url);
	check_curl(p, http->url);
	check_query(http->url);
	check_headers(http);
}

/* ---- one call ---- */

/* As the wire lets it pass: false where it does not. */
static bool read_call(struct span input, struct surface_call *out, struct arena *a)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_FRAME_BYTES);
	struct string_pair headers[HEADERS];
	struct surface_call call = {.provider = SPAN("somebody"), .headers = headers};
	struct fault why;
	struct span copy;
	call.method = span_cut(&input, '\n');
	call.path = span_cut(&input, '\n');
	call.query = span_cut(&input, '\n');
	call.content_type = span_cut(&input, '\n');
	while (input.n > 0 && call.n_headers < HEADERS) {
		headers[call.n_headers].key = span_cut(&input, '\n');
		headers[call.n_headers].value = span_cut(&input, '\n');
		if (!span_is_set(headers[call.n_headers].value))
			headers[call.n_headers].value = SPAN("");
		call.n_headers++;
	}
	surface_pack(&call, &packed);
	if (buf_error(&packed) || arena_dup(a, buf_view(&packed), &copy))
		return false;
	return surface_unpack(pack_from(copy), a, out, &why) == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct surface_call call;
	struct http_request http = {.method = SPAN("POST")};
	struct fault why = FAULT_NONE;
	OWNED(arena_done) struct arena a;
	arena_init(&a, 4 * MIB);
	if (!places[0].config)
		find_places();
	if (size < 1)
		return 0;
	const struct place *p = &places[data[0] % COUNT_OF(places)];
	struct notes notes = {.arena = &a};
	if (!read_call(span_of((const char *)data + 1, size - 1), &call, &a))
		return 0;
	const struct forwarded what = {.call = &call};
	if (native_op.forward(&what, &p->target, &notes, &http, &why) == OK)
		check(p, &http);
	return 0;
}
