/* sigv4.c - the canonical request is never a text in memory: it goes into its hash piece by piece, as
 * a session token is a part of it. */
#include "brokerd/auth/sigv4.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "protocol/limits.h"

#define HEADERS_MAX  32
#define PARAMS_MAX   64
#define NAMES_BYTES  512
#define SECRET_BYTES ((size_t)256) /* AWS gives 40 */
#define WORD_BYTES   ((size_t)128) /* an access key id, a region, a service */
#define STACK_BYTES  4096

/* What a URL is made of. */
struct parts {
	struct span host, path, query;
};

/* A member of a query, its name and value encoded. */
struct param {
	struct span name, value;
};

void sigv4_hash(struct span body, unsigned char out[SIGV4_HASH_BYTES])
{
	const unsigned char *bytes = (const unsigned char *)(body.n > 0 ? body.p : "");
	/* bodies can be large and the loop waits: OpenSSL's is five times as fast as libsodium's */
	if (EVP_Digest(bytes, body.n, out, NULL, EVP_sha256(), NULL) != 1)
		crypto_hash_sha256(out, bytes, body.n);
}

static void feed(crypto_hash_sha256_state *h, struct span s)
{
	if (s.n > 0)
		crypto_hash_sha256_update(h, (const unsigned char *)s.p, s.n);
}

static void hex(char out[2 * SIGV4_HASH_BYTES + 1], const unsigned char bytes[SIGV4_HASH_BYTES])
{
	sodium_bin2hex(out, 2 * SIGV4_HASH_BYTES + 1, bytes, SIGV4_HASH_BYTES);
}

/* ---- the address ---- */

static bool split(struct span url, struct parts *out)
{
	const size_t colon = span_find(url, SPAN("://"));
	if (colon == url.n)
		return false;
	const bool is_plain = span_is_nocase(span_first(url, colon), "http");
	struct span rest = span_skip(url, colon + 3);
	rest = span_first(rest, span_index(rest, '#'));
	const size_t query = span_index(rest, '?');
	out->query = query < rest.n ? span_skip(rest, query + 1) : SPAN("");
	rest = span_first(rest, query);
	const size_t slash = span_index(rest, '/');
	out->host = span_first(rest, slash);
	out->path = span_skip(rest, slash);
	/* as curl sends it: without the port that goes without saying */
	const struct span usual = is_plain ? SPAN(":80") : SPAN(":443");
	if (span_ends(out->host, usual))
		out->host.n -= usual.n;
	return out->host.n > 0;
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

static void put_encoded(struct buf *out, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	if (is_unreserved(c)) {
		buf_byte(out, c);
		return;
	}
	buf_byte(out, '%');
	buf_byte(out, digits[(unsigned char)c >> 4]);
	buf_byte(out, digits[(unsigned char)c & 15]);
}

/* Without ".", ".." and empty segments, and each of the others encoded. */
static void put_path(struct buf *out, struct span path)
{
	bool is_folder = true;
	while (span_is_set(path)) {
		const struct span segment = span_cut(&path, '/');
		is_folder = segment.n == 0 || span_is(segment, ".") || span_is(segment, "..");
		if (span_is(segment, "..")) {
			while (out->n > 0 && out->p[out->n - 1] != '/')
				buf_cut(out, out->n - 1);
			buf_cut(out, out->n > 0 ? out->n - 1 : 0);
		}
		if (is_folder)
			continue;
		buf_byte(out, '/');
		for (size_t i = 0; i < segment.n; i++)
			put_encoded(out, segment.p[i]);
	}
	if (is_folder)
		buf_byte(out, '/');
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Encoded once, whether it was encoded before or not. `out` has room: it does not move. */
static struct span put_once(struct buf *out, struct span text)
{
	const size_t before = out->n;
	for (size_t i = 0; i < text.n; i++) {
		const int high = i + 2 < text.n && text.p[i] == '%' ? digit_of(text.p[i + 1]) : -1;
		const int low = high >= 0 ? digit_of(text.p[i + 2]) : -1;
		put_encoded(out, low >= 0 ? (char)(high << 4 | low) : text.p[i]);
		i += low >= 0 ? 2 : 0;
	}
	return span_of(out->p + before, out->n - before);
}

static int compare(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

/* Feeds the query's members in the order of their bytes. */
static enum err feed_query(crypto_hash_sha256_state *h, struct span query)
{
	OWNED(buf_done) struct buf text = BUF_INIT(3 * LIMIT_HEADERS_BYTES);
	struct param params[PARAMS_MAX];
	size_t n = 0;
	if (!buf_reserve(&text, 3 * query.n + 1))
		return buf_error(&text);
	while (query.n > 0) {
		struct span value = span_cut(&query, '&');
		if (value.n == 0)
			continue;
		if (n == PARAMS_MAX)
			return ERR_TOO_BIG;
		const struct span name = span_cut(&value, '=');
		struct param p;
		p.name = put_once(&text, name);
		p.value = put_once(&text, value);
		size_t at = n++;
		for (; at > 0; at--) {
			const struct param *q = &params[at - 1];
			const int order = compare(q->name, p.name);
			if (order < 0 || (order == 0 && compare(q->value, p.value) <= 0))
				break;
			params[at] = *q;
		}
		params[at] = p;
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			feed(h, SPAN("&"));
		feed(h, params[i].name);
		feed(h, SPAN("="));
		feed(h, params[i].value);
	}
	return buf_error(&text);
}

/* ---- the headers ---- */

static int compare_names(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	for (size_t i = 0; i < n; i++) {
		const int order = (int)(unsigned char)span_lower(a.p[i]) -
				  (int)(unsigned char)span_lower(b.p[i]);
		if (order != 0)
			return order;
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* Puts one in its place; those of the same name stay in their order. */
static enum err add_header(struct http_header *list, size_t *n, struct span name, struct span value)
{
	if (*n == HEADERS_MAX)
		return ERR_TOO_BIG;
	size_t at = (*n)++;
	for (; at > 0 && compare_names(list[at - 1].name, name) > 0; at--)
		list[at] = list[at - 1];
	list[at] = (struct http_header){name, value};
	return OK;
}

/* Without space at its ends, and with one space where there are several. */
static void feed_value(crypto_hash_sha256_state *h, struct span value)
{
	value = span_trim(value);
	while (value.n > 0) {
		const size_t at = span_find(value, SPAN("  "));
		feed(h, span_first(value, at));
		value = span_skip(value, at);
		if (value.n > 0)
			feed(h, SPAN(" "));
		while (value.n > 0 && value.p[0] == ' ')
			value = span_skip(value, 1);
	}
}

/* Feeds the headers and writes their names, "a;b;c". */
static enum err feed_headers(crypto_hash_sha256_state *h, const struct http_header *list, size_t n,
	char names[NAMES_BYTES])
{
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		const struct span name = list[i].name;
		if (i > 0 && compare_names(list[i - 1].name, name) == 0) {
			feed(h, SPAN(","));
			feed_value(h, list[i].value);
			continue;
		}
		if (i > 0)
			feed(h, SPAN("\n"));
		if (used + name.n + 2 > NAMES_BYTES)
			return ERR_TOO_BIG;
		if (used > 0)
			names[used++] = ';';
		for (size_t j = 0; j < name.n; j++)
			names[used + j] = span_lower(name.p[j]);
		feed(h, span_of(names + used, name.n));
		feed(h, SPAN(":"));
		feed_value(h, list[i].value);
		used += name.n;
	}
	names[used] = '\0';
	feed(h, SPAN("\n"));
	return OK;
}

/* ---- the whole ---- */

static enum err hash_request(const struct sigv4_request *r, const struct sigv4_credential *c,
	const char *date, char names[NAMES_BYTES], unsigned char out[SIGV4_HASH_BYTES])
{
	OWNED(buf_done) struct buf path = BUF_INIT(3 * LIMIT_HEADERS_BYTES);
	struct http_header list[HEADERS_MAX];
	struct parts parts;
	size_t n = 0;
	if (!split(r->url, &parts))
		return ERR_INVALID_ARGUMENT;
	enum err err = add_header(list, &n, SPAN("host"), parts.host);
	if (!err)
		err = add_header(list, &n, SPAN("x-amz-date"), span_str(date));
	if (!err && span_is_set(c->session_token))
		err = add_header(list, &n, SPAN("x-amz-security-token"), c->session_token);
	for (size_t i = 0; !err && i < r->n_headers; i++)
		err = add_header(list, &n, r->headers[i].name, r->headers[i].value);
	put_path(&path, parts.path);
	if (!err)
		err = buf_error(&path);
	if (err)
		return err;

	crypto_hash_sha256_state h;
	char body[2 * SIGV4_HASH_BYTES + 1];
	crypto_hash_sha256_init(&h);
	feed(&h, r->method);
	feed(&h, SPAN("\n"));
	feed(&h, buf_view(&path));
	feed(&h, SPAN("\n"));
	err = feed_query(&h, parts.query);
	feed(&h, SPAN("\n"));
	if (!err)
		err = feed_headers(&h, list, n, names);
	if (!err) {
		feed(&h, SPAN("\n"));
		feed(&h, span_str(names));
		feed(&h, SPAN("\n"));
		hex(body, r->body_hash);
		feed(&h, span_str(body));
	}
	crypto_hash_sha256_final(&h, out);
	sodium_memzero(&h, sizeof h);
	return err;
}

/* out = HMAC(key, text); `out` may be the key. */
static void hmac(unsigned char out[SIGV4_HASH_BYTES], const void *key, size_t n, struct span text)
{
	crypto_auth_hmacsha256_state s;
	crypto_auth_hmacsha256_init(&s, key, n);
	crypto_auth_hmacsha256_update(&s, (const unsigned char *)text.p, text.n);
	crypto_auth_hmacsha256_final(&s, out);
	sodium_memzero(&s, sizeof s);
}

/* The key for one day, region and service; wiped by the caller. */
static void derive(const struct sigv4_request *r, struct span secret_key, struct span day,
	unsigned char key[SIGV4_HASH_BYTES])
{
	char first[4 + SECRET_BYTES];
	memcpy(first, "AWS4", 4);
	memcpy(first + 4, secret_key.p, secret_key.n);
	hmac(key, first, 4 + secret_key.n, day);
	sodium_memzero(first, sizeof first);
	hmac(key, key, SIGV4_HASH_BYTES, r->region);
	hmac(key, key, SIGV4_HASH_BYTES, r->service);
	hmac(key, key, SIGV4_HASH_BYTES, SPAN("aws4_request"));
}

static bool is_word(struct span s)
{
	return s.n > 0 && s.n <= WORD_BYTES;
}

enum err sigv4_sign(const struct sigv4_request *r, const struct sigv4_credential *c,
	struct sigv4_proof *out, struct fault *why)
{
	unsigned char hash[SIGV4_HASH_BYTES], key[SIGV4_HASH_BYTES];
	char names[NAMES_BYTES], scope[3 * WORD_BYTES + 32], text[sizeof scope + 128];
	char digest[2 * SIGV4_HASH_BYTES + 1];
	const time_t now = (time_t)r->now_s;
	struct tm utc;
	if (!is_word(c->access_key_id) || !is_word(r->region) || !is_word(r->service) ||
		c->secret_key.n == 0 || c->secret_key.n > SECRET_BYTES)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"an access key id, its secret, a region and a service are needed to sign "
			"for AWS");
	if (!gmtime_r(&now, &utc) ||
		strftime(out->date, sizeof out->date, "%Y%m%dT%H%M%SZ", &utc) == 0)
		return fault_set(why, ERR_INVALID_ARGUMENT, "the clock is at no date of ours");
	const enum err err = hash_request(r, c, out->date, names, hash);
	if (err)
		return fault_set(why, err, "the request cannot be signed for AWS: %s",
			err == ERR_TOO_BIG ? "it has too many headers or query members"
					   : err_info(err)->sentence);
	(void)snprintf(scope, sizeof scope, "%.8s/%.*s/%.*s/aws4_request", out->date,
		SPAN_ARG(r->region), SPAN_ARG(r->service));
	hex(digest, hash);
	(void)snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", out->date, scope, digest);
	derive(r, c->secret_key, span_of(out->date, 8), key);
	hmac(hash, key, sizeof key, span_str(text));
	sodium_memzero(key, sizeof key);
	sodium_stackzero(STACK_BYTES);
	hex(digest, hash);
	(void)snprintf(out->authorization, sizeof out->authorization,
		"AWS4-HMAC-SHA256 Credential=%.*s/%s, SignedHeaders=%s, Signature=%s",
		SPAN_ARG(c->access_key_id), scope, names, digest);
	return OK;
}
