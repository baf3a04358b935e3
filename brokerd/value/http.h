/* http.h - what is sent to a provider, and what comes back, as plain values?
 * No I/O. Spans are borrowed, mostly from the arena of the flight that made them. */
#ifndef BROKERD_VALUE_HTTP_H
#define BROKERD_VALUE_HTTP_H
#include "protocol/request.h"

/* How a request proves itself. The dialect or the provider's row says which; transport/sign.c does
 * it. */
enum auth_scheme {
	AUTH_NONE,
	AUTH_BEARER, /* Authorization: Bearer KEY */
	AUTH_HEADER, /* NAME: KEY */
	AUTH_SIGV4,  /* each request is signed by itself: auth/sigv4.h */
	AUTH_GOOGLE, /* Authorization: Bearer TOKEN, got by a key: auth/token.h */
	AUTH_ENTRA,
};

struct http_header {
	struct span name, value; /* no CR, LF, NUL or other control byte: http_header_is_sound */
};

struct http_request {
	struct span method;
	struct span url; /* base URL and path; never holds a credential */
	struct http_header headers[16];
	size_t n_headers;
	struct span body; /* lives until the transfer is over */
	bool is_stream;   /* pieces are awaited: the timers differ */
};

/* False where the table is full (a bug of the dialect's) or the header is not sound. */
bool http_request_header(struct http_request *r, struct span name, struct span value) MUST_USE;

/* Token characters in the name; in the value no control byte but tab. */
bool http_header_is_sound(struct span name, struct span value);

struct http_head {
	int status;
	struct http_header *headers; /* names in lower case, as many as LIMIT_HEADERS_BYTES holds */
	size_t n_headers;
};

/* The value of the first header of that (lower-case) name, or an absent span. */
struct span http_head_get(const struct http_head *h, const char *name);
/* What the provider, or who stands before it, calls the request; absent: it does not. */
struct span http_head_request_id(const struct http_head *h);

/* An error reply, whole: at most LIMIT_ERROR_REPLY_BYTES of its body. */
struct http_reply {
	struct http_head head;
	struct span body;
};

/* The wait that the headers ask for (retry-after-ms, Retry-After in seconds or as a date against
 * the reply's own Date), in milliseconds, or -1. */
int64_t http_retry_after_ms(const struct http_head *h);

/* When the reply was made, by its own clock: the header Date, in seconds since 1970. False: it has
 * none that can be read. */
bool http_head_date(const struct http_head *h, int64_t *out);
/* "2026-11-25T10:00:00.5Z", or with an offset, in milliseconds since 1970; false for anything else. */
bool http_rfc3339_ms(struct span text, int64_t *out);

/* Joins base URL and path without doubling or losing a slash; a query of the base goes last. A path that
 * begins with two slashes is below the host, whatever path the base has; one that begins with "../"
 * takes the place of the base's last segment. */
void http_join_url(struct span base_url, struct span path, struct buf *out);

/* Appends a value as a query or a form has it: all but letters, digits and -._~ as %XX. The others say
 * how long that is, and write it where there is room for so much. */
void http_escape(struct span value, struct buf *out);
size_t http_escaped_bytes(struct span value);
void http_escape_at(struct span value, char *to);
/* Appends what such a text stands for: any bytes. False: a % in it begins nothing, and stayed. */
bool http_unescape(struct span text, struct buf *out);

/* Takes an absolute URL apart: "https://host:port" in lower case with its port written out.
 * ERR_INVALID_ARGUMENT names what is wrong: no scheme, user info, no host, a bad port. */
enum err http_origin(struct span url, struct buf *out, struct fault *why) MUST_USE;

#endif
