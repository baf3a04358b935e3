/* http.c - headers checked, waits read, addresses joined and taken apart. */
#include "brokerd/value/http.h"

#include <assert.h>

#include "protocol/base/num.h"

#define MS_PER_S INT64_C(1000)

/* RFC 9110's token. */
static bool is_token(struct span s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!is_letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(others, c)))
			return false;
	}
	return s.n > 0;
}

bool http_header_is_sound(struct span name, struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		const unsigned char c = (unsigned char)value.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return is_token(name);
}

bool http_request_header(struct http_request *r, struct span name, struct span value)
{
	if (r->n_headers == COUNT_OF(r->headers) || !http_header_is_sound(name, value))
		return false;
	r->headers[r->n_headers++] = (struct http_header){name, value};
	return true;
}

struct span http_head_get(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		if (span_is(h->headers[i].name, name))
			return h->headers[i].value;
	}
	return SPAN_NONE;
}

struct span http_head_request_id(const struct http_head *h)
{
	/* one's own before those of who only passes it on */
	static const char *const names[] = {"x-request-id", "request-id", "apim-request-id",
		"x-generation-id", "x-amzn-requestid", "x-github-request-id",
		"mistral-correlation-id", "x-goog-request-id", "nvcf-reqid", "msh-request-id",
		"x-ds-trace-id", "cf-ray"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct span id = http_head_get(h, names[i]);
		if (id.n > 0)
			return id;
	}
	return SPAN_NONE;
}

/* ---- waits ---- */

/* "12", "12.5": thousandths of the unit, what is finer than that cut off. */
static bool thousandths(struct span text, int64_t *out)
{
	struct span fraction = span_trim(text);
	const struct span whole = span_cut(&fraction, '.');
	int64_t v = 0;
	if (whole.n == 0 || whole.n > 15)
		return false;
	for (size_t i = 0; i < whole.n + 3; i++) {
		const size_t behind = i - whole.n;
		int c = '0';
		if (i < whole.n)
			c = whole.p[i];
		else if (behind < fraction.n)
			c = fraction.p[behind];
		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*out = v;
	return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = month <= 2 ? year - 1 : year; /* years begin in March */
	const int64_t era = y / 400, of_era = y % 400;
	const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool digits(struct span text, size_t at, size_t n, int64_t *out)
{
	return at + n <= text.n && text.p[at] != '-' && text.p[at] != '+' &&
	       num_i64(span_of(text.p + at, n), out);
}

/* "Wed, 25 Nov 2026 10:00:00 GMT", in seconds since 1970. */
static bool http_date(struct span text, int64_t *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day, year, hour, minute, second;
	text = span_trim(text);
	if (text.n != 29 || text.p[3] != ',' || !span_ends(text, SPAN(" GMT")))
		return false;
	const size_t month = span_find(span_str(months), span_of(text.p + 8, 3));
	if (month % 3 != 0 || month >= sizeof months - 1 || text.p[19] != ':' ||
		text.p[22] != ':' || !digits(text, 5, 2, &day) || !digits(text, 12, 4, &year) ||
		!digits(text, 17, 2, &hour) || !digits(text, 20, 2, &minute) ||
		!digits(text, 23, 2, &second) || year < 1970 || day < 1 || day > 31 || hour > 23 ||
		minute > 59 || second > 60)
		return false;
	*out = days_from_date(year, (int64_t)month / 3 + 1, day) * 86400 + hour * 3600 +
	       minute * 60 + second;
	return true;
}

bool http_head_date(const struct http_head *h, int64_t *out)
{
	return http_date(http_head_get(h, "date"), out);
}

/* "Z", "+02:00": minutes to take away. */
static bool zone(struct span text, int64_t *out)
{
	int64_t hour, minute;
	*out = 0;
	if (span_is(text, "Z") || span_is(text, "z"))
		return true;
	if (text.n != 6 || !strchr("+-", text.p[0]) || text.p[3] != ':' ||
		!digits(text, 1, 2, &hour) || !digits(text, 4, 2, &minute))
		return false;
	*out = (hour * 60 + minute) * (text.p[0] == '-' ? -1 : 1);
	return true;
}

bool http_rfc3339_ms(struct span text, int64_t *out)
{
	int64_t year, month, day, hour, minute, second, off, fraction = 0;
	text = span_trim(text);
	if (text.n < 20 || text.p[4] != '-' || text.p[7] != '-' || !strchr("Tt ", text.p[10]) ||
		text.p[13] != ':' || text.p[16] != ':' || !digits(text, 0, 4, &year) ||
		!digits(text, 5, 2, &month) || !digits(text, 8, 2, &day) ||
		!digits(text, 11, 2, &hour) || !digits(text, 14, 2, &minute) ||
		!digits(text, 17, 2, &second) || year < 1970 || month < 1 || month > 12 ||
		day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
		return false;
	struct span rest = span_skip(text, 19);
	if (rest.n > 0 && rest.p[0] == '.') {
		size_t n = 1;
		for (int64_t unit = 100; n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9'; n++) {
			fraction += (rest.p[n] - '0') * unit;
			unit /= 10;
		}
		rest = span_skip(rest, n);
	}
	if (!zone(rest, &off))
		return false;
	*out = ((days_from_date(year, month, day) * 24 + hour) * 60 + minute - off) * 60 *
		       MS_PER_S +
	       second * MS_PER_S + fraction;
	return true;
}

int64_t http_retry_after_ms(const struct http_head *h)
{
	int64_t v, until_s, now_s;
	/* milliseconds have thousandths of their own; a wait is never shortened. Some hosts round
	 * them down to a 0 that says nothing beside their seconds. */
	const bool has_ms = thousandths(http_head_get(h, "retry-after-ms"), &v);
	if (has_ms && v > 0)
		return (v + MS_PER_S - 1) / MS_PER_S;
	const struct span wait = http_head_get(h, "retry-after");
	if (thousandths(wait, &v))
		return v;
	if (http_date(wait, &until_s) && http_head_date(h, &now_s))
		return until_s > now_s ? (until_s - now_s) * MS_PER_S : 0;
	return has_ms ? 0 : -1;
}

/* ---- addresses ---- */

/* A base URL without the last segment of its path, where it has one. */
static struct span without_last(struct span base)
{
	const size_t scheme = span_find(base, SPAN("://"));
	const size_t host = scheme < base.n ? scheme + 3 : 0;
	size_t n = base.n;
	while (n > host && base.p[n - 1] == '/')
		n--;
	while (n > host && base.p[n - 1] != '/')
		n--;
	return span_first(base, n > host ? n - 1 : base.n);
}

static bool is_unreserved(char c)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";
	return c != '\0' && strchr(plain, c);
}

size_t http_escaped_bytes(struct span value)
{
	size_t n = 0;
	for (size_t i = 0; i < value.n; i++)
		n += is_unreserved(value.p[i]) ? 1 : 3;
	return n;
}

void http_escape_at(struct span value, char *to)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < value.n; i++) {
		const unsigned char c = (unsigned char)value.p[i];
		if (is_unreserved(value.p[i])) {
			*to++ = value.p[i];
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
}

void http_escape(struct span value, struct buf *out)
{
	const size_t n = http_escaped_bytes(value);
	char *to = buf_reserve(out, n);
	if (!to)
		return;
	http_escape_at(value, to);
	buf_commit(out, n);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_unescape(struct span text, struct buf *out)
{
	bool is_sound = true;
	for (size_t i = 0; i < text.n; i++) {
		const int high = text.p[i] == '%' && i + 2 < text.n ? hex_value(text.p[i + 1]) : -1;
		const int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
		is_sound = is_sound && (low >= 0 || text.p[i] != '%');
		buf_byte(out, (char)(low < 0 ? text.p[i] : high << 4 | low));
		i += low < 0 ? 0 : 2;
	}
	return is_sound;
}

void http_join_url(struct span base_url, struct span path, struct buf *out)
{
	struct span base_query = base_url, path_query = path;
	struct span base = span_cut(&base_query, '?');
	struct span rest = span_cut(&path_query, '?');
	if (span_starts(rest, SPAN("//"))) { /* below the host */
		const size_t host = span_find(base, SPAN("://")) + 3;
		if (host < base.n)
			base = span_first(base, host + span_index(span_skip(base, host), '/'));
	} else if (span_starts(rest, SPAN("../"))) {
		rest = span_skip(rest, strlen("../"));
		base = without_last(base);
	}
	while (rest.n > 0 && base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	while (rest.n > 0 && rest.p[0] == '/')
		rest = span_skip(rest, 1);
	buf_span(out, base);
	if (rest.n > 0)
		buf_byte(out, '/');
	buf_span(out, rest);
	if (path_query.n > 0) {
		buf_byte(out, '?');
		buf_span(out, path_query);
	}
	if (base_query.n > 0) {
		buf_byte(out, path_query.n > 0 ? '&' : '?');
		buf_span(out, base_query);
	}
}

static void put_lower(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		const char c = text.p[i];
		buf_byte(out, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
	}
}

/* Splits "host", "host:port", "[v6]:port"; *port is absent where there is none. */
static bool split_authority(struct span authority, struct span *host, struct span *port)
{
	const bool is_v6 = authority.n > 0 && authority.p[0] == '[';
	static const char in_host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";
	static const char in_v6[] = "0123456789abcdefABCDEF:.";
	size_t n = span_index(authority, is_v6 ? ']' : ':');
	if (is_v6 && n < authority.n)
		n++;
	*host = span_first(authority, n);
	*port = SPAN_NONE;
	if (n < authority.n) {
		if (authority.p[n] != ':')
			return false;
		*port = span_skip(authority, n + 1);
	}
	struct span inside = *host;
	if (is_v6) {
		if (inside.n < 4 || inside.p[inside.n - 1] != ']')
			return false;
		inside = span_of(inside.p + 1, inside.n - 2);
	}
	for (size_t i = 0; i < inside.n; i++) {
		if (inside.p[i] == '\0' || !strchr(is_v6 ? in_v6 : in_host, inside.p[i]))
			return false;
	}
	return inside.n > 0;
}

enum err http_origin(struct span url, struct buf *out, struct fault *why)
{
	struct span host, port;
	int64_t number;
	const size_t colon = span_find(url, SPAN("://"));
	const struct span scheme = span_first(url, colon);
	const bool is_plain = span_is_nocase(scheme, "http");
	if (colon == url.n || (!is_plain && !span_is_nocase(scheme, "https")))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"\"%.*s\" is no address of a provider: it must begin with https:// or "
			"http://",
			SPAN_ARG(span_first(url, 200)));
	struct span authority = span_skip(url, colon + 3);
	authority = span_first(authority, span_index(authority, '/'));
	authority = span_first(authority, span_index(authority, '?'));
	authority = span_first(authority, span_index(authority, '#'));
	if (span_index(authority, '@') < authority.n)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the address of a provider must hold no user name or password: keys are "
			"added with `llmb key add`");
	if (!split_authority(authority, &host, &port))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"\"%.*s\" names no host that can be used", SPAN_ARG(span_first(url, 200)));
	number = is_plain ? 80 : 443;
	if (span_is_set(port) &&
		(!digits(port, 0, port.n, &number) || port.n == 0 || number < 1 || number > 65535))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"\"%.*s\" has a port that is not 1 to 65535",
			SPAN_ARG(span_first(url, 200)));
	buf_text(out, is_plain ? "http://" : "https://");
	put_lower(out, host);
	buf_byte(out, ':');
	buf_i64(out, number);
	const enum err err = buf_error(out);
	return err ? fault_set(why, err, "the address of a provider is too long") : OK;
}
