/* handle.c - the options of a handle, in one place. */
#include "brokerd/transport/handle.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "protocol/base/buf.h"
#include "protocol/base/table.h"
#include "protocol/limits.h"

#define KEPT_MAX 256 /* of a kind */

/* What is read of a reply at once, and held while it comes. A stream's pieces are small, and streams are many and long. */
#define WHOLE_BYTES  16384L
#define STREAM_BYTES 4096L
#define UPLOAD_BYTES 16384L /* curl has no smaller ones */

/* What handles that may serve the same requests have in common. */
struct handle_kind {
	TABLE_LINK;
	struct handle *kept;
	size_t n_kept, n_out;
	bool is_plain;
	char *ca_file;
	struct span key;
	char bytes[];
};

struct handles {
	const struct handle_calls *calls;
	struct handle_kind *kinds; /* a table */
	const char *bundle;        /* the system's CA certificates; NULL: none found */
	bool is_kept_clean;        /* libcurl leaves nothing of a request, its key, in a handle */
};

/* Where distributions keep them: Debian and its kin, Fedora and RHEL, SUSE, Alpine. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

struct handles *handles_new(const struct handle_calls *calls, struct fault *why)
{
	struct handles *h = calloc(1, sizeof *h);
	if (!h) {
		fault_set(why, ERR_NO_MEMORY, "no memory for connections to providers");
		return NULL;
	}
	h->calls = calls;
	/* from 8 on what was sent stays in the handle's buffers until it is freed */
	h->is_kept_clean = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
	for (size_t i = 0; i < COUNT_OF(bundles) && !h->bundle; i++) {
		if (access(bundles[i], R_OK) == 0)
			h->bundle = bundles[i];
	}
	return h;
}

static void handle_free(struct handle *e)
{
	curl_easy_cleanup(e->curl);
	free(e->url);
	free(e);
}

static void kind_trim(struct handle_kind *k)
{
	while (k->kept) {
		struct handle *e = k->kept;
		k->kept = e->next;
		handle_free(e);
	}
	k->n_kept = 0;
}

void handles_trim(struct handles *h)
{
	struct handle_kind *k, *after;
	TABLE_EACH(h->kinds, k, after) {
		kind_trim(k);
		if (k->n_out > 0)
			continue;
		TABLE_REMOVE(h->kinds, k);
		free(k->ca_file);
		free(k);
	}
}

void handles_free(struct handles *h)
{
	if (!h)
		return;
	handles_trim(h);
	assert(!h->kinds);
	free(h);
}

bool handle_origin_is_loopback(struct span origin)
{
	struct span host = span_skip(origin, span_find(origin, SPAN("://")));
	host = host.n > 3 ? span_skip(host, 3) : SPAN("");
	while (host.n > 0 && host.p[host.n - 1] != ':')
		host.n--;
	host.n -= host.n > 0;
	if (span_is(host, "localhost") || span_is(host, "[::1]"))
		return true;
	/* 127.x.y.z in digits, not a name that only begins so */
	size_t n_dots = 0;
	for (size_t i = 0; i < host.n; i++) {
		n_dots += host.p[i] == '.';
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
			return false;
	}
	return n_dots == 3 && span_starts(host, SPAN("127."));
}

/* Nothing is ever read a second time, so nothing can be sent a second time. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
	(void)context;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* ---- the options ---- */

#define SET(option, value) \
	(failed = failed ? failed : curl_easy_setopt(c, CURLOPT_##option, (value)))

static bool set_where(CURL *c, const struct handle_kind *k)
{
	CURLcode failed = CURLE_OK;
	/* where to: what the request says, and nothing that the environment or a reply says */
	SET(PROTOCOLS_STR, k->is_plain ? "http" : "https");
	SET(REDIR_PROTOCOLS_STR, "https");
	SET(FOLLOWLOCATION, 0L);
	SET(MAXREDIRS, 0L);
	SET(UNRESTRICTED_AUTH, 0L);
	SET(PROXY, "");
	SET(NOPROXY, "*");
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	/* TLS. CAPATH unset is also what lets curl keep the parsed certificates */
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CAPATH, (char *)NULL);
	SET(CAINFO, k->ca_file);
	return !failed;
}

static bool set_how(CURL *c, const struct handles *h)
{
	CURLcode failed = CURLE_OK;
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(HTTP09_ALLOWED, 0L);
	SET(HTTP_CONTENT_DECODING, 0L);
	SET(TRANSFER_ENCODING, 0L);
	SET(NOSIGNAL, 1L);
	SET(QUICK_EXIT, 1L);
	SET(NOPROGRESS, 1L);
	SET(UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
	SET(TCP_NODELAY, 1L);
	SET(TCP_KEEPALIVE, 1L);
	SET(TCP_KEEPIDLE, 60L);
	SET(TCP_KEEPINTVL, 30L);
	SET(MAXLIFETIME_CONN, 900L);
	SET(MAXAGE_CONN, 60L);
	/* names come from our own resolver, and go when it says so */
	SET(DNS_CACHE_TIMEOUT, -1L);
	/* the limits of a transfer are timers of ours */
	SET(CONNECTTIMEOUT_MS, 86400000L);
	SET(TIMEOUT_MS, 0L);
	SET(HEADERFUNCTION, h->calls->on_header);
	SET(WRITEFUNCTION, h->calls->on_write);
	SET(READFUNCTION, h->calls->on_read);
	SET(PREREQFUNCTION, h->calls->on_prereq);
	SET(SEEKFUNCTION, on_seek);
	SET(OPENSOCKETFUNCTION, h->calls->open_socket);
	SET(CLOSESOCKETFUNCTION, h->calls->close_socket);
	return !failed;
}

static bool set_owner(CURL *c, struct handle *e)
{
	CURLcode failed = CURLE_OK;
	SET(HEADERDATA, e);
	SET(WRITEDATA, e);
	SET(READDATA, e);
	SET(PREREQDATA, e);
	SET(OPENSOCKETDATA, e);
	SET(PRIVATE, e);
	SET(ERRORBUFFER, e->error);
	return !failed;
}

/* ---- kinds ---- */

static struct handle_kind *kind_new(struct span key, bool is_plain, struct span ca_file)
{
	struct handle_kind *k = calloc(1, sizeof *k + key.n);
	if (!k)
		return NULL;
	k->ca_file = strndup(ca_file.n > 0 ? ca_file.p : "", ca_file.n);
	if (!k->ca_file) {
		free(k);
		return NULL;
	}
	k->is_plain = is_plain;
	memcpy(k->bytes, key.p, key.n);
	k->key = span_of(k->bytes, key.n);
	return k;
}

static struct handle_kind *kind_get(struct handles *h, struct span origin,
	const struct target *target, bool is_plain, struct span ca_file)
{
	OWNED(buf_done) struct buf key = BUF_INIT(64 * KIB);
	struct handle_kind *k;
	buf_span(&key, origin);
	buf_print(&key, "\n%d\n%d\n", (int)target->auth, (int)target->is_local);
	buf_span(&key, ca_file);
	if (buf_error(&key))
		return NULL;
	TABLE_FIND(h->kinds, k, key.p, (unsigned)key.n);
	if (k)
		return k;
	k = kind_new(buf_view(&key), is_plain, ca_file);
	if (k)
		TABLE_ADD(h->kinds, k, k->key.p, (unsigned)k->key.n);
	return k;
}

static struct handle *handle_new(const struct handles *h, struct handle_kind *k)
{
	struct handle *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->kind = k;
	e->curl = curl_easy_init();
	if (!e->curl || !set_where(e->curl, k) || !set_how(e->curl, h) || !set_owner(e->curl, e)) {
		handle_free(e);
		return NULL;
	}
	return e;
}

enum err handle_get(struct handles *h, struct span origin, const struct target *target,
	struct handle **out, struct fault *why)
{
	const bool is_plain = span_starts(origin, SPAN("http:"));
	*out = NULL;
	if (is_plain && !(target->is_local && handle_origin_is_loopback(origin)))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%.*s is plain http, where anybody on the way can read keys and texts: use "
			"https (plain http is for this host alone, with local = yes)",
			SPAN_ARG(origin));
	struct span ca_file = target->ca_file;
	if (ca_file.n == 0)
		ca_file = span_str(h->bundle);
	if (ca_file.n == 0 && !is_plain)
		return fault_set(why, ERR_MISCONFIGURED,
			"no CA certificates are found on this host: install the package "
			"ca-certificates, or name a file (ca_file)");
	struct handle_kind *k = kind_get(h, origin, target, is_plain, ca_file);
	struct handle *e = k ? k->kept : NULL;
	if (e) {
		k->kept = e->next;
		k->n_kept--;
	} else if (k) {
		e = handle_new(h, k);
	}
	if (!e)
		return fault_set(why, ERR_NO_MEMORY, "no memory for a request to a provider");
	e->next = NULL;
	e->error[0] = '\0';
	k->n_out++;
	*out = e;
	return OK;
}

void handle_put(struct handles *h, struct handle *e)
{
	CURL *c = e->curl;
	CURLcode failed = CURLE_OK;
	/* the lines hold the key, and what points to them must not outlive them */
	SET(HTTPHEADER, (struct curl_slist *)NULL);
	SET(RESOLVE, (struct curl_slist *)NULL);
	SET(CUSTOMREQUEST, (char *)NULL);
	e->owner = NULL;
	if (failed || !h->is_kept_clean || e->kind->n_kept >= KEPT_MAX) {
		handle_drop(h, e);
		return;
	}
	e->kind->n_out--;
	e->kind->n_kept++;
	e->next = e->kind->kept;
	e->kind->kept = e;
}

void handle_drop(struct handles *h, struct handle *e)
{
	(void)h;
	e->kind->n_out--;
	handle_free(e);
}

/* ---- one request ---- */

static bool set_url(struct handle *e, struct span url)
{
	if (e->url && span_is(url, e->url))
		return true;
	char *copy = strndup(url.p, url.n);
	if (!copy || curl_easy_setopt(e->curl, CURLOPT_URL, copy)) {
		free(copy);
		return false;
	}
	free(e->url);
	e->url = copy;
	return true;
}

enum err handle_aim(struct handle *e, const struct handle_aim *aim, struct fault *why)
{
	static const struct {
		const char *name, *custom;
		bool has_body;
	} methods[] = {
		{"POST",   NULL,     true },
		{"GET",    NULL,     false},
		{"PUT",    "PUT",    true },
		{"PATCH",  "PATCH",  true },
		{"DELETE", "DELETE", false},
	};
	CURL *c = e->curl;
	CURLcode failed = CURLE_OK;
	size_t i = 0;
	while (i < COUNT_OF(methods) && !span_is(aim->method, methods[i].name))
		i++;
	if (i == COUNT_OF(methods) ||
		(aim->body_bytes > 0 && !methods[i].has_body && !methods[i].custom))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"\"%.*s\" with a body of %zu bytes is no request that is sent here",
			SPAN_ARG(span_first(aim->method, 32)), aim->body_bytes);
	if (methods[i].has_body || aim->body_bytes > 0) {
		SET(POST, 1L);
		SET(POSTFIELDS, (char *)NULL);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)aim->body_bytes);
	} else {
		SET(HTTPGET, 1L);
	}
	SET(CUSTOMREQUEST, methods[i].custom);
	SET(HTTPHEADER, aim->lines);
	/* refused where its last request left it a buffer: then that one serves */
	(void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, aim->is_stream ? STREAM_BYTES : WHOLE_BYTES);
	e->owner = aim->owner;
	if (failed || !set_url(e, aim->url))
		return fault_set(why, ERR_NO_MEMORY, "no memory for a request to a provider");
	return OK;
}

void handle_has_sent(struct handle *e)
{
	/* whatever size it is given, curl lets go of the buffer that it has: it gets another when it needs one */
	(void)curl_easy_setopt(e->curl, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
}

enum err handle_place(struct handle *e, void *multi, struct curl_slist *resolve, long head_start_ms)
{
	CURL *c = e->curl;
	CURLcode failed = CURLE_OK;
	SET(RESOLVE, resolve);
	SET(HAPPY_EYEBALLS_TIMEOUT_MS, head_start_ms);
	SET(CLOSESOCKETDATA, multi);
	return failed ? ERR_NO_MEMORY : OK;
}
