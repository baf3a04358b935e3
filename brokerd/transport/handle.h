/* handle.h - how is a curl easy handle made safe, and kept for the next request of its kind?
 * Every option that protects is set once, when a handle is made. Handles are kept apart by origin,
 * way of proving and CA file; what belongs to one request is set for it and taken off after it. */
#ifndef BROKERD_TRANSPORT_HANDLE_H
#define BROKERD_TRANSPORT_HANDLE_H
#include <curl/curl.h>

#include "brokerd/value/target.h"

struct handles;

struct handle {
	struct handle *next; /* of those kept */
	struct handle_kind *kind;
	CURL *curl;  /* its CURLOPT_PRIVATE is the handle */
	void *owner; /* NULL while kept */
	char *url;   /* that was set last */
	char error[CURL_ERROR_SIZE];
};

/* Called by curl with the handle (whose owner is the request), close_socket with the multi; see
 * CURLOPT_*FUNCTION of that name. */
struct handle_calls {
	size_t (*on_header)(char *bytes, size_t size, size_t n, void *handle);
	size_t (*on_write)(char *bytes, size_t size, size_t n, void *handle);
	size_t (*on_read)(char *to, size_t size, size_t n, void *handle);
	int (*on_prereq)(void *handle, char *, char *, int, int);
	curl_socket_t (*open_socket)(void *handle, curlsocktype purpose, struct curl_sockaddr *a);
	int (*close_socket)(void *multi, curl_socket_t fd);
};

/* `calls` must outlive the result. NULL: out of memory. */
struct handles *handles_new(const struct handle_calls *calls, struct fault *why);
void handles_free(struct handles *h); /* none is out; NULL is fine */
void handles_trim(struct handles *h); /* frees those that are kept */

/* A handle for requests to `origin` ("https://host:port"). ERR_INVALID_ARGUMENT: plain HTTP to
 * anything but a local target on this host. ERR_MISCONFIGURED: no CA certificates are found.
 * ERR_NO_MEMORY. */
enum err handle_get(struct handles *h, struct span origin, const struct target *target,
	struct handle **out, struct fault *why) MUST_USE;

/* Takes off all that belonged to the request, and keeps the handle; or frees it, where what it last
 * did is in doubt. */
void handle_put(struct handles *h, struct handle *e);
void handle_drop(struct handles *h, struct handle *e);

/* What is one request's. `lines` is the caller's until handle_put. */
struct handle_aim {
	struct span url;
	struct span method; /* "GET" "POST" "PUT" "PATCH" "DELETE" */
	size_t body_bytes;
	bool is_stream; /* its reply comes in small pieces, over a long time */
	struct curl_slist *lines;
	void *owner;
};
enum err handle_aim(struct handle *e, const struct handle_aim *aim, struct fault *why) MUST_USE;

/* All of its request was given to the connection: what curl wrote it from goes, however long the reply takes. From inside
 * its own callbacks. */
void handle_has_sent(struct handle *e);

/* Which multi it is about to run in, the addresses to tell that one (may be NULL; the caller's until handle_put), and how
 * long a new connection is waited for before the other family of addresses is tried beside it. ERR_NO_MEMORY. */
enum err handle_place(
	struct handle *e, void *multi, struct curl_slist *resolve, long head_start_ms) MUST_USE;

/* Does the origin name this host, without a lookup that could say otherwise? */
bool handle_origin_is_loopback(struct span origin);

#endif
