/* transport.c - a transfer waits for its name, then for curl, runs, and ends once. What its owner
 * asks for while curl is on the stack is noted and done after. */
#include "brokerd/transport/transport.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "brokerd/transport/address.h"
#include "brokerd/transport/handle.h"
#include "brokerd/transport/head.h"
#include "brokerd/transport/multi.h"
#include "brokerd/transport/resolver.h"
#include "brokerd/transport/scrub.h"
#include "brokerd/transport/sign.h"
#include "brokerd/transport/stage.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

/* curl's work for one transfer grows with the open connections of its multi handle. */
#define SHARD_TRANSFERS   128
#define SHARD_CONNECTIONS 160L
#define SWEEP_US          INT64_C(30000000)
#define IDLE_US           INT64_C(60000000) /* a shard without a transfer is closed after that */

/* Where a host has addresses of both families, the second is tried as well after so long, which is curl's own choice. Where
 * it has not, curl would look all the same, at all transfers that began together in one go. */
#define HEAD_START_MS 200L
#define NO_OTHER_MS   86400000L

/* Room to change a piece of a reply in: curl hands out at most CURL_MAX_WRITE_SIZE at once. */
#define SCRUB_BYTES (256 * KIB)

static const char no_scrub_memory[] = "no memory to take the key out of the reply";

/* What a multi handle was told of a name. */
struct told {
	struct told *prev, *next;
	uint64_t serial;
	char host_port[];
};

struct shard {
	struct shard *prev, *next;
	struct transport *transport;
	struct multi *multi;
	struct told *told;
	size_t active;
	int64_t idle_since_us;
	bool is_retired; /* takes no more transfers, and goes with the last of them */
};

struct transport {
	struct loop *loop;
	struct resolver *resolver;
	struct signer *signer;
	struct handles *handles;
	struct shard *shards;
	struct transfer *transfers; /* all but the dead */
	struct transfer *ready;     /* wait for `work` to give them to curl */
	struct transfer *dead;      /* cancelled inside curl: wait for `work` to be let go */
	struct transfer *resumed;   /* wait for `work` to be unpaused */
	struct loop_task work;
	struct loop_timer sweep;
	struct buf scrub_room, escaped_room;
	size_t n_active;
};

enum place {
	AT_NAME,  /* its name is being looked up */
	AT_READY, /* `todo` gives it to curl */
	AT_CURL,
	AT_HELD, /* over, but its last bytes wait for a resume */
};

struct transfer {
	struct transfer *prev, *next;
	struct transport *transport;
	struct shard *shard; /* while at curl */
	struct handle *handle;
	enum place at;
	bool is_dead;    /* cancelled: nobody is told anything, and the owner's memory is gone */
	bool is_calling; /* its owner is being called, outside of curl */
	bool is_paused;  /* says the owner */
	bool is_stopped; /* and curl was told so */
	struct loop_task todo; /* starts, unpauses, buries: what curl on the stack forbids */
	struct lookup lookup;
	struct stages stages;
	struct transfer_events events;
	const struct target *target;

	/* the request */
	struct span body;
	size_t read_bytes; /* of the body, by curl */
	unsigned n_requests;
	bool may_repeat; /* a GET: asking twice is no harm */
	bool was_repeated;
	bool has_refused; /* an address that is not to be connected to */
	int socket_errno; /* why the kernel gave no socket */
	curl_socket_t
		last_socket;    /* that was made for it; may be closed since, and be another's: */
	uint64_t socket_cookie; /* by which the kernel knows it; 0: it does not say */
	struct buf origin;
	struct buf lines_text;
	struct curl_slist
		lines[COUNT_OF(((struct http_request *)NULL)->headers) + SIGNATURE_LINES + 3];
	struct signature *signature;
	struct buf missing; /* why its name has no address, where that is known from the start */
	struct buf resolve_text;
	struct curl_slist resolve;
	uint64_t serial; /* of the addresses in `resolve` */
	bool is_dual;    /* these are of both families */

	/* the reply */
	struct head head;
	struct scrub scrub, escaped_scrub; /* for the key, and for what it is when escaped */
	bool has_warned;
	int64_t received_bytes;

	/* the end */
	bool has_cut;             /* we ended it ourselves: `end` says why */
	struct transfer_end *end; /* NULL: it is not over */
};

static void sweep_later(struct transport *t);

/* ---- what became of it ---- */

static struct span origin_of(const struct transfer *x)
{
	return buf_view(&x->origin);
}

/* Of the body, to the connection: curl has nothing of that in hand any more. */
static size_t uploaded(const struct transfer *x)
{
	curl_off_t n = 0;
	curl_easy_getinfo(x->handle->curl, CURLINFO_SIZE_UPLOAD_T, &n);
	return (size_t)n;
}

/* How much of the request was given to the connection. Asked while the handle is still ours. */
static void measure(const struct transfer *x, struct transfer_end *end)
{
	long asked = 0;
	end->received_bytes = x->received_bytes;
	end->connect_us = x->stages.connect_us;
	end->first_byte_us = x->stages.first_byte_us;
	end->total_us = loop_now_us(x->transport->loop) - x->stages.began_us;
	if (x->at != AT_CURL || !x->handle)
		return;
	curl_easy_getinfo(x->handle->curl, CURLINFO_REQUEST_SIZE, &asked);
	const size_t sent = uploaded(x);
	end->sent_bytes = (int64_t)sent;
	if (x->n_requests == 0)
		end->has_sent_body = false;
	else if (x->body.n == 0)
		end->has_sent_body = asked > 0;
	else
		end->has_sent_body = sent >= x->body.n;
	/* a repetition that was stopped, or that found no connection, may have cleared the count, but not
	 * what happened */
	if (x->was_repeated && x->read_bytes == x->body.n)
		end->has_sent_body = true;
}

/* What became of it, from its end on. */
static struct transfer_end *end_of(struct transfer *x)
{
	if (x->end)
		return x->end;
	x->end = malloc(sizeof *x->end);
	if (!x->end)
		abort(); /* a small struct of ours */
	x->end->err = OK;
	x->end->has_sent_body = false;
	x->end->sent_bytes = 0;
	fault_clear(&x->end->why);
	measure(x, x->end);
	return x->end;
}

/* No two sockets have the same; 0: none. */
static uint64_t cookie_of(curl_socket_t socket)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof cookie;
	return getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0 ? cookie : 0;
}

/* Has TCP got there? curl itself tells only when TLS has too. */
static bool is_past_tcp(const struct transfer *x)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	return x->last_socket >= 0 && cookie_of(x->last_socket) == x->socket_cookie &&
	       getpeername(x->last_socket, (struct sockaddr *)&a, &n) == 0;
}

static bool stages_past_tcp(struct stages *s)
{
	return is_past_tcp(container_of(s, struct transfer, stages));
}

/* The stage as a word, for fault.code: connect, tls, send, first_byte, body. (Others: address, certificate.) */
static const char *stage_word(const struct transfer *x)
{
	switch (x->stages.at) {
	case STAGE_CONNECT:
		return is_past_tcp(x) ? "tls" : "connect";
	case STAGE_TLS:
		return "tls";
	case STAGE_SEND:
		return "send";
	case STAGE_WAIT:
		return "first_byte";
	case STAGE_BODY:
	case STAGE_OVER:
		break;
	}
	return "body";
}

/* Fills x->end for a transfer that did not come to its own end. `code` "": the stage it was in. */
static void set_cut(struct transfer *x, enum cut cut, const char *code, const char *format, ...)
	PRINTF_LIKE(4, 5);
static void set_cut(struct transfer *x, enum cut cut, const char *code, const char *format, ...)
{
	char text[600];
	va_list args;
	const char *stage = code[0] ? code : stage_word(x);
	struct transfer_end *end = end_of(x);
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	measure(x, end);
	const bool is_unknown = end->has_sent_body && !x->head.is_whole && cut != CUT_REPLY;
	end->err = cut_verdict(cut, end->has_sent_body, x->head.is_whole);
	fault_set(&end->why, end->err, "%.*s: %s%s", SPAN_ARG(origin_of(x)), text,
		is_unknown ? "; the request had left, so it may have been served and billed" : "");
	fault_text(end->why.code, sizeof end->why.code, span_str(stage));
	fault_text(end->why.provider, sizeof end->why.provider, x->target->provider);
}

/* Ends a transfer from inside curl: what its callbacks return makes curl say so, later. */
static void cut_inside(struct transfer *x, enum cut cut, const char *reason)
{
	if (x->has_cut)
		return;
	x->has_cut = true;
	set_cut(x, cut, "", "%s", reason);
}

/* ---- letting go ---- */

static void leave_shard(struct transfer *x)
{
	struct shard *s = x->shard;
	if (!s)
		return;
	x->shard = NULL;
	s->active--;
	if (s->active > 0)
		return;
	s->idle_since_us = loop_now_us(x->transport->loop);
	if (s->is_retired)
		loop_later(x->transport->loop, &x->transport->work);
}

/* Gives back what only a running transfer needs. The handle is out of its multi. */
static void stop_running(struct transfer *x, bool is_in_doubt)
{
	struct handles *handles = x->transport->handles;
	stages_stop(&x->stages);
	lookup_stop(&x->lookup);
	loop_task_stop(&x->todo);
	leave_shard(x);
	if (x->handle && is_in_doubt)
		handle_drop(handles, x->handle);
	else if (x->handle)
		handle_put(handles, x->handle);
	x->handle = NULL;
}

/* All but its memory. */
static void transfer_close(struct transfer *x)
{
	struct transport *t = x->transport;
	stop_running(x, true);
	signature_unref(x->signature);
	head_done(&x->head);
	buf_done(&x->lines_text);
	buf_done(&x->resolve_text);
	buf_done(&x->missing);
	buf_done(&x->origin);
	LIST_REMOVE(t->transfers, x);
	if (!x->is_dead)
		t->n_active--;
}

static void transfer_free(struct transfer *x)
{
	transfer_close(x);
	free(x->end);
	free(x);
}

/* The last word: x is gone for all others before it is said. */
static void tell_end(struct transfer *x)
{
	transfer_close(x);
	x->events.on_end(x->events.context, x->end);
	free(x->end);
	free(x);
}

/* ---- the key, where it comes back ---- */

static struct span key_of(const struct transfer *x)
{
	return x->signature ? signature_key(x->signature) : SPAN("");
}

static struct span escaped_of(const struct transfer *x)
{
	return x->signature ? signature_key_escaped(x->signature) : SPAN("");
}

static void warn_echo(struct transfer *x)
{
	char provider[80];
	if (x->has_warned)
		return;
	x->has_warned = true;
	log_warn("transport.key_echo", "provider=%s status=%d",
		log_quote(provider, sizeof provider, x->target->provider), x->head.status);
}

/* Memory was lacking: what came must not go on. */
static bool is_scrub_broken(const struct transport *t)
{
	return buf_error(&t->scrub_room) || buf_error(&t->escaped_room);
}

/* What may go on of a piece of the body; valid until the next call for any transfer. */
static struct span scrub_piece(struct transfer *x, struct span piece)
{
	struct transport *t = x->transport;
	buf_clear(&t->scrub_room);
	buf_clear(&t->escaped_room);
	const struct span clean = scrub_feed(&x->scrub, key_of(x), piece, &t->scrub_room);
	const struct span out =
		scrub_feed(&x->escaped_scrub, escaped_of(x), clean, &t->escaped_room);
	if (x->scrub.n_found + x->escaped_scrub.n_found > 0)
		warn_echo(x);
	return out;
}

/* What was held back when no more comes. */
static struct span scrub_rest(struct transfer *x)
{
	struct transport *t = x->transport;
	buf_clear(&t->scrub_room);
	buf_clear(&t->escaped_room);
	buf_span(&t->scrub_room, scrub_feed(&x->escaped_scrub, escaped_of(x),
					 scrub_end(&x->scrub, key_of(x)), &t->escaped_room));
	buf_span(&t->scrub_room, scrub_end(&x->escaped_scrub, escaped_of(x)));
	return buf_view(&t->scrub_room);
}

static struct span scrub_line(struct transfer *x, struct span line)
{
	struct transport *t = x->transport;
	size_t n_found = 0, n_escaped = 0;
	buf_clear(&t->scrub_room);
	buf_clear(&t->escaped_room);
	if (!x->signature)
		return line;
	const struct span clean = scrub_text(key_of(x), line, &t->scrub_room, &n_found);
	const struct span out = scrub_text(escaped_of(x), clean, &t->escaped_room, &n_escaped);
	if (n_found + n_escaped > 0)
		warn_echo(x);
	return out;
}

/* Bytes that looked like the key's beginning go out now that no more come; then the end. */
static void flush_and_end(struct transfer *x)
{
	if (x->scrub.held + x->escaped_scrub.held > 0) {
		if (x->is_paused)
			return; /* a resume comes here again */
		const struct span rest = scrub_rest(x);
		x->is_calling = true;
		if (is_scrub_broken(x->transport))
			set_cut(x, CUT_CONNECTION, "", "%s", no_scrub_memory);
		else
			x->events.on_body(x->events.context, rest);
		x->is_calling = false;
		if (x->is_dead) {
			transfer_free(x);
			return;
		}
	}
	tell_end(x);
}

/* x->end is there and the handle is out of its multi. */
static void finish(struct transfer *x, bool is_in_doubt)
{
	stop_running(x, is_in_doubt);
	if (x->is_dead) {
		transfer_free(x);
		return;
	}
	x->at = AT_HELD;
	flush_and_end(x);
}

/* ---- curl's callbacks: the handle's owner is the transfer ---- */

static struct transfer *owner_of(void *handle)
{
	return ((struct handle *)handle)->owner;
}

/* Hands out the head that is whole now. */
static bool give_head(struct transfer *x)
{
	struct http_head head;
	struct http_header *fields = malloc((x->head.n_lines + 1) * sizeof *fields);
	if (!fields) {
		cut_inside(x, CUT_CONNECTION, "no memory for the reply's headers");
		return false;
	}
	head_view(&x->head, fields, &head);
	stages_enter(&x->stages, STAGE_BODY);
	x->events.on_head(x->events.context, &head);
	free(fields);
	head_done(&x->head); /* a stream may be long, and nobody asks again */
	return !x->is_dead;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *handle)
{
	struct transfer *x = owner_of(handle);
	struct fault why;
	if (x->is_dead || x->has_cut)
		return 0;
	fault_clear(&why);
	n *= size;
	multi_moved(x->shard->multi);
	stages_moved(&x->stages);
	const struct span line = scrub_line(x, span_of(bytes, n));
	if (is_scrub_broken(x->transport)) {
		cut_inside(x, CUT_CONNECTION, no_scrub_memory);
		return 0;
	}
	const enum err err = head_line(&x->head, line, &why);
	if (err == ERR_MORE)
		return n;
	if (err == OK)
		return give_head(x) ? n : 0;
	cut_inside(x, err == ERR_SERVER_ERROR ? CUT_REPLY : CUT_CONNECTION, why.message);
	return 0;
}

static size_t on_write(char *bytes, size_t size, size_t n, void *handle)
{
	struct transfer *x = owner_of(handle);
	if (x->is_dead || x->has_cut)
		return CURL_WRITEFUNC_ERROR;
	multi_moved(x->shard->multi);
	stages_moved(&x->stages);
	if (x->is_paused) {
		x->is_stopped = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	n *= size;
	if (x->received_bytes + (int64_t)n > (int64_t)LIMIT_SSE_TOTAL_BYTES) {
		cut_inside(x, CUT_REPLY, "the reply is longer than any that is read here");
		return CURL_WRITEFUNC_ERROR;
	}
	x->received_bytes += (int64_t)n;
	const struct span clean = scrub_piece(x, span_of(bytes, n));
	if (is_scrub_broken(x->transport)) {
		cut_inside(x, CUT_CONNECTION, no_scrub_memory);
		return CURL_WRITEFUNC_ERROR;
	}
	if (clean.n > 0)
		x->events.on_body(x->events.context, clean);
	return x->is_dead ? CURL_WRITEFUNC_ERROR : n;
}

static size_t on_read(char *to, size_t size, size_t n, void *handle)
{
	struct transfer *x = owner_of(handle);
	if (x->is_dead)
		return CURL_READFUNC_ABORT;
	const struct span piece = span_first(span_skip(x->body, x->read_bytes), size * n);
	if (piece.n > 0)
		memcpy(to, piece.p, piece.n);
	x->read_bytes += piece.n;
	multi_moved(x->shard->multi);
	stages_moved(&x->stages);
	if (x->read_bytes == x->body.n)
		stages_enter(&x->stages, STAGE_WAIT);
	return piece.n;
}

static void remember_told(struct shard *s, struct transfer *x);

/* A connection is there and the request is about to go out: for the second time, where the first
 * connection turned out to be dead. That is right only while nothing of the body has left. */
static int on_prereq(void *handle, char *to, char *from, int to_port, int from_port)
{
	struct transfer *x = owner_of(handle);
	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	if (x->is_dead)
		return CURL_PREREQFUNC_ABORT;
	multi_moved(x->shard->multi);
	x->n_requests++;
	x->was_repeated = x->n_requests > 1;
	if (x->was_repeated && (x->read_bytes > 0 || (x->body.n == 0 && !x->may_repeat)))
		return CURL_PREREQFUNC_ABORT;
	remember_told(x->shard, x);
	stages_enter(&x->stages, x->body.n > 0 ? STAGE_SEND : STAGE_WAIT);
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open_socket(void *handle, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer *x = owner_of(handle);
	const bool is_plain = span_starts(origin_of(x), SPAN("http:"));
	bool is_allowed = false;
	(void)purpose;
	if (x->is_dead)
		return CURL_SOCKET_BAD;
	if (x->n_requests > 0)
		x->was_repeated = true; /* curl is about to, whether or not it gets there */
	if (is_plain)
		is_allowed = address_is_loopback(&a->addr);
	else
		is_allowed = x->target->is_local || address_is_public(&a->addr);
	if (!is_allowed) {
		x->has_refused = true;
		return CURL_SOCKET_BAD;
	}
	x->last_socket = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (x->last_socket < 0)
		x->socket_errno = errno;
	else
		x->socket_cookie = cookie_of(x->last_socket);
	return x->last_socket;
}

static const struct handle_calls handle_calls = {
	.on_header = on_header,
	.on_write = on_write,
	.on_read = on_read,
	.on_prereq = on_prereq,
	.open_socket = on_open_socket,
	.close_socket = multi_close_socket,
};

/* ---- the end, as curl says it ---- */

static bool is_nonsense(const struct transfer *x, CURLcode code)
{
	switch (code) {
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: bytes without a status line */
	case CURLE_BAD_CONTENT_ENCODING:
#if LIBCURL_VERSION_NUM >= 0x080600
	case CURLE_TOO_LARGE: /* too many headers, or too long a one */
#endif
		return true;
	case CURLE_OUT_OF_MEMORY: /* and a header line of more than 100 kB */
		return x->stages.at == STAGE_WAIT;
	default: /* curl's own list, not ours */
		return false;
	}
}

/* By then the socket is closed, and only the code tells. */
static bool is_about_tls(CURLcode code)
{
	switch (code) {
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return true;
	default:
		return false;
	}
}

static void set_end(struct transfer *x, CURLcode code)
{
	const char *said = x->handle->error[0] ? x->handle->error : curl_easy_strerror(code);
	if (x->has_cut)
		return;
	if (code == CURLE_OK && x->head.is_whole) {
		measure(x, end_of(x));
		return;
	}
	if (code == CURLE_SEND_FAIL_REWIND)
		x->was_repeated = true;
	if (x->was_repeated)
		said = "the connection was closed before an answer came";
	if (x->has_refused && x->stages.at == STAGE_CONNECT)
		set_cut(x, CUT_CONNECTION, "address",
			"its address is not on the public internet, where only a provider "
			"marked local may be (local = yes)");
	else if (x->socket_errno && x->stages.at == STAGE_CONNECT)
		set_cut(x, CUT_CONNECTION, "descriptors", "the kernel gives no socket: %s",
			strerror(x->socket_errno));
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		set_cut(x, CUT_CONNECTION, "certificate",
			"%s: its certificate is not trusted (a CA of your own goes in ca_file)",
			said);
	else if (is_nonsense(x, code))
		set_cut(x, CUT_REPLY, "", "the reply is no HTTP that can be read: %s", said);
	else
		set_cut(x, CUT_CONNECTION, is_about_tls(code) ? "tls" : "", "%s", said);
}

static void on_done(void *context, CURL *easy, CURLcode code)
{
	struct handle *handle = NULL;
	(void)context;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&handle);
	struct transfer *x = handle->owner;
	if (!x->is_dead)
		set_end(x, code);
	/* a handle whose request failed is not used again: newer libcurl would have it rewind first */
	finish(x, code != CURLE_OK);
}

/* The request is out, and its reply may be long in coming. */
static void on_listening(void *context, CURL *easy)
{
	struct handle *handle = NULL;
	(void)context;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&handle);
	const struct transfer *x = handle ? handle->owner : NULL;
	if (x && x->body.n > 0 && uploaded(x) >= x->body.n)
		handle_has_sent(handle);
}

static void on_broken(void *context, const char *reason)
{
	struct shard *s = context;
	struct transport *t = s->transport;
	struct transfer *x = t->transfers;
	log_error("transport.rebuilt", "transfers=%zu reason=\"%s\"", s->active, reason);
	s->is_retired = true;
	while (x) {
		if (x->shard != s) {
			x = x->next;
			continue;
		}
		multi_remove(s->multi, x->handle->curl);
		if (!x->is_dead && !x->has_cut)
			set_cut(x, CUT_CONNECTION, "", "the connections had to be given up: %s",
				reason);
		finish(x, true);
		x = t->transfers; /* its owner may have ended others */
	}
	loop_later(t->loop, &t->work);
}

static void on_late(struct stages *stages, const char *limit)
{
	struct transfer *x = container_of(stages, struct transfer, stages);
	const char *stage = stage_word(x);
	const int64_t ms = (loop_now_us(x->transport->loop) - x->stages.began_us) / 1000;
	/* late with TCP or with TLS; with the answer, or still with a body that curl has read but
	 * the connection has not taken */
	if (x->stages.at <= STAGE_TLS && strcmp(limit, "connect") == 0)
		limit = stage;
	else if (x->stages.at == STAGE_WAIT && !transfer_has_sent_body(x))
		limit = stage = "send";
	set_cut(x, CUT_LATE, limit, "not done in time (%s, after %" PRId64 " ms)", stage, ms);
	if (x->at == AT_CURL)
		multi_remove(x->shard->multi, x->handle->curl);
	finish(x, false);
}

/* ---- shards ---- */

static void told_free(struct shard *s)
{
	struct told *d, *after;
	LIST_EACH_SAFE(s->told, d, after)
		free(d);
}

static void shard_free(struct shard *s)
{
	LIST_REMOVE(s->transport->shards, s);
	multi_free(s->multi);
	told_free(s);
	free(s);
}

static struct shard *shard_with_room(struct transport *t)
{
	struct shard *s;
	LIST_EACH(t->shards, s) {
		if (!s->is_retired && !multi_is_broken(s->multi) && s->active < SHARD_TRANSFERS)
			return s;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	const struct multi_events events = {on_done, on_listening, on_broken, s};
	s->transport = t;
	s->multi = multi_new(t->loop, SHARD_CONNECTIONS, &events, NULL);
	if (!s->multi) {
		free(s);
		return NULL;
	}
	LIST_PUSH(t->shards, s);
	sweep_later(t);
	return s;
}

static struct told *find_told(const struct shard *s, const char *host_port)
{
	struct told *d;
	LIST_EACH(s->told, d) {
		if (strcmp(d->host_port, host_port) == 0)
			return d;
	}
	return NULL;
}

/* "host:port" of "https://host:port" */
static const char *host_port_of(const struct transfer *x)
{
	return strstr(x->origin.p, "://") + 3;
}

/* The multi has taken the addresses in: the next transfer needs not bring them. */
static void remember_told(struct shard *s, struct transfer *x)
{
	const char *host_port = host_port_of(x);
	if (!x->resolve.data)
		return;
	struct told *d = find_told(s, host_port);
	if (!d) {
		d = calloc(1, sizeof *d + strlen(host_port) + 1);
		if (!d)
			return; /* then it brings them again */
		memcpy(d->host_port, host_port, strlen(host_port) + 1);
		LIST_PUSH(s->told, d);
	}
	d->serial = x->serial;
}

/* ---- starting ---- */

static void fail_to_start(struct transfer *x, const char *code, const char *reason)
{
	set_cut(x, CUT_CONNECTION, code, "%s", reason);
	finish(x, false);
}

/* Gives it to curl, which begins at once: it may be over, and gone, behind this. False: it cannot be done. */
static bool enter_curl(struct transfer *x)
{
	struct shard *s = shard_with_room(x->transport);
	if (!s)
		return false;
	if (x->resolve.data) {
		const struct told *d = find_told(s, host_port_of(x));
		if (d && d->serial == x->serial)
			x->resolve.data = NULL;
	}
	struct curl_slist *resolve = x->resolve.data ? &x->resolve : NULL;
	if (handle_place(x->handle, s->multi, resolve, x->is_dual ? HEAD_START_MS : NO_OTHER_MS))
		return false;
	s->active++;
	x->shard = s;
	x->at = AT_CURL;
	if (multi_add(s->multi, x->handle->curl))
		return true;
	x->at = AT_READY;
	leave_shard(x);
	return false;
}

static void name_missing(struct transfer *x, const char *reason)
{
	char text[300];
	(void)snprintf(text, sizeof text,
		"the host's name cannot be found (%s): check the provider's address, and this "
		"host's name service",
		reason);
	fail_to_start(x, "name", text);
}

/* Has the connection read from again. */
static void go_on(struct transfer *x)
{
	if (!x->is_stopped || x->is_paused)
		return;
	x->is_stopped = false;
	const CURLcode failed = multi_unpause(x->shard->multi, x->handle->curl);
	if (!failed || x->is_dead)
		return; /* the dead are buried by a task of their own */
	multi_remove(x->shard->multi, x->handle->curl);
	set_end(x, failed);
	finish(x, false);
}

static void on_todo(struct loop_task *task)
{
	struct transfer *x = container_of(task, struct transfer, todo);
	if (x->is_dead) {
		if (x->at == AT_CURL)
			multi_remove(x->shard->multi, x->handle->curl);
		transfer_free(x);
		return;
	}
	switch (x->at) {
	case AT_NAME:
		break;
	case AT_READY:
		if (x->missing.n > 0)
			name_missing(x, x->missing.p);
		else if (!enter_curl(x))
			fail_to_start(x, "", "no memory for a connection");
		break;
	case AT_CURL:
		go_on(x);
		break;
	case AT_HELD:
		flush_and_end(x);
		break;
	}
}

static void do_later(struct transfer *x)
{
	loop_later(x->transport->loop, &x->todo);
}

/* Those of the one family are in brackets. */
static bool are_of_both(struct span addresses)
{
	size_t n = 0, n_in_brackets = 0;
	while (addresses.n > 0) {
		n++;
		n_in_brackets += span_starts(span_cut(&addresses, ','), SPAN("["));
	}
	return n_in_brackets > 0 && n_in_brackets < n;
}

/* Notes the addresses for curl: "+host:port:address,address". False: out of memory. */
static bool set_addresses(struct transfer *x, const struct addresses *found)
{
	buf_byte(&x->resolve_text, '+');
	buf_text(&x->resolve_text, host_port_of(x));
	buf_byte(&x->resolve_text, ':');
	buf_put(&x->resolve_text, found->text, strlen(found->text) + 1);
	if (buf_error(&x->resolve_text))
		return false;
	x->resolve.data = x->resolve_text.p;
	x->serial = found->serial;
	x->is_dual = are_of_both(span_str(found->text));
	return true;
}

static void on_found(struct lookup *lookup, const struct addresses *found)
{
	struct transfer *x = container_of(lookup, struct transfer, lookup);
	if (!found->text[0]) {
		name_missing(x, found->reason);
		return;
	}
	if (!set_addresses(x, found)) {
		fail_to_start(x, "", "no memory for its addresses");
		return;
	}
	x->at = AT_READY;
	do_later(x);
}

/* The host of the origin, an address without its brackets. */
static struct span host_of(const struct transfer *x)
{
	struct span host = span_str(host_port_of(x));
	while (host.p[host.n - 1] != ':')
		host.n--;
	host.n--;
	return host;
}

static enum err find_addresses(struct transfer *x, struct fault *why)
{
	const struct addresses *found;
	const struct span host = host_of(x);
	x->at = AT_READY;
	if (resolver_is_literal(host)) {
		do_later(x);
		return OK;
	}
	x->lookup.on_found = on_found;
	const enum err err = resolver_ask(x->transport->resolver, host, &x->lookup, &found, why);
	if (err == ERR_MORE) {
		x->at = AT_NAME;
		return OK;
	}
	if (err)
		return err;
	if (!found->text[0])
		buf_put(&x->missing, found->reason, strlen(found->reason) + 1);
	else if (!set_addresses(x, found))
		return fault_set(why, ERR_NO_MEMORY, "no memory for a request to a provider");
	do_later(x);
	return OK;
}

/* Headers that curl or sign.c writes, and those that change what a connection is. */
static bool is_ours(struct span name, const struct transfer *x)
{
	static const char *const names[] = {"host", "content-length", "transfer-encoding", "te",
		"connection", "keep-alive", "upgrade", "trailer", "expect", "accept-encoding",
		"proxy-authorization", "proxy-connection"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is_nocase(name, names[i]))
			return true;
	}
	return x->signature && signature_writes(x->signature, name);
}

/* The header lines as curl's list, in memory of ours: it copies none of it. */
static enum err set_lines(struct transfer *x, const struct http_request *r, struct fault *why)
{
	size_t at[COUNT_OF(r->headers) + 2], n = 0;
	bool has_type = false;
	for (size_t i = 0; i < r->n_headers; i++) {
		const struct http_header *h = &r->headers[i];
		if (!http_header_is_sound(h->name, h->value) || is_ours(h->name, x))
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"the header \"%.*s\" cannot be sent",
				SPAN_ARG(span_first(h->name, 64)));
		has_type = has_type || span_is_nocase(h->name, "content-type");
		at[n++] = x->lines_text.n;
		buf_span(&x->lines_text, h->name);
		/* in curl's own language, "name:" would take a header away */
		buf_text(&x->lines_text, h->value.n > 0 ? ": " : ";");
		buf_span(&x->lines_text, h->value);
		buf_byte(&x->lines_text, '\0');
	}
	/* and these are taken away: no waiting for 100, no guess at what a body is */
	at[n++] = x->lines_text.n;
	buf_put(&x->lines_text, "Expect:", sizeof "Expect:");
	if (!has_type) {
		at[n++] = x->lines_text.n;
		buf_put(&x->lines_text, "Content-Type:", sizeof "Content-Type:");
	}
	if (buf_error(&x->lines_text))
		return fault_set(
			why, buf_error(&x->lines_text), "the request's headers are too long");
	for (size_t i = 0; i < n; i++)
		x->lines[i] = (struct curl_slist){x->lines_text.p + at[i], &x->lines[i + 1]};
	char *line;
	for (size_t i = 0; x->signature && (line = signature_line(x->signature, i)) != NULL;
		i++, n++)
		x->lines[n] = (struct curl_slist){line, &x->lines[n + 1]};
	x->lines[n - 1].next = NULL;
	return OK;
}

static enum err check_url(struct span url, struct fault *why)
{
	for (size_t i = 0; i < url.n; i++) {
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"the address of a request holds a space or a control character");
	}
	return OK;
}

/* All that can be wrong with a request is found here, before anything is done. */
static enum err prepare(struct transfer *x, const struct http_request *request,
	struct secret *secret, struct fault *why)
{
	struct transport *t = x->transport;
	enum err err = check_url(request->url, why);
	if (!err)
		err = http_origin(request->url, &x->origin, why);
	if (err)
		return err;
	buf_byte(&x->origin, '\0');
	if (buf_error(&x->origin))
		return fault_set(why, buf_error(&x->origin), "the address is too long");
	buf_cut(&x->origin, x->origin.n - 1); /* a C string, and a span without its end */
	const struct signing what = {
		origin_of(x), request, x->target, loop_wall_us(t->loop) / 1000000};
	err = sign(t->signer, &what, secret, &x->signature, why);
	if (!err)
		err = set_lines(x, request, why);
	if (!err)
		err = handle_get(t->handles, origin_of(x), x->target, &x->handle, why);
	if (err)
		return err;
	const struct handle_aim aim = {
		request->url, request->method, request->body.n, request->is_stream, x->lines, x};
	err = handle_aim(x->handle, &aim, why);
	return err ? err : find_addresses(x, why);
}

enum err transport_start(struct transport *t, const struct http_request *request,
	const struct target *target, struct secret *secret, const struct transfer_limits *limits,
	const struct transfer_events *events, struct transfer **out, struct fault *why)
{
	struct transfer *x = calloc(1, sizeof *x);
	*out = NULL;
	if (!x)
		return fault_set(why, ERR_NO_MEMORY, "no memory for a request to a provider");
	x->transport = t;
	x->target = target;
	x->events = *events;
	x->body = request->body.n > 0 ? request->body : SPAN("");
	x->last_socket = CURL_SOCKET_BAD;
	x->may_repeat = span_is(request->method, "GET");
	LOOP_CALLS(&x->todo, on_run, on_todo);
	x->stages.on_late = on_late;
	buf_init(&x->origin, 4 * KIB);
	buf_init(&x->lines_text, LIMIT_HEADERS_BYTES);
	buf_init(&x->resolve_text, 4 * KIB);
	buf_init(&x->missing, 4 * KIB);
	head_init(&x->head);
	LIST_PUSH(t->transfers, x);
	t->n_active++;
	if (!span_starts(request->url, SPAN("http:")))
		x->stages.is_past_tcp = stages_past_tcp;
	stages_start(&x->stages, t->loop, limits);
	const enum err err = prepare(x, request, secret, why);
	if (err) {
		transfer_free(x);
		return err;
	}
	*out = x;
	return OK;
}

/* ---- what its owner asks for ---- */

void transfer_until(struct transfer *x, int64_t due_us)
{
	stages_until(&x->stages, due_us);
}

void transfer_pause(struct transfer *x)
{
	/* curl is told when it next has something */
	x->is_paused = true;
	stages_pause(&x->stages, true);
}

void transfer_resume(struct transfer *x)
{
	if (!x->is_paused)
		return;
	x->is_paused = false;
	stages_pause(&x->stages, false);
	if (x->is_stopped || x->at == AT_HELD)
		do_later(x);
}

bool transfer_has_sent_body(const struct transfer *x)
{
	struct transfer_end end;
	end.has_sent_body = x->end && x->end->has_sent_body;
	measure(x, &end);
	return end.has_sent_body;
}

void transfer_cancel(struct transfer *x, struct transfer_end *end)
{
	if (end) {
		*end = *end_of(x);
		measure(x, end);
		end->err = ERR_CANCELLED;
		fault_set(&end->why, ERR_CANCELLED, "the request was cancelled");
	}
	x->is_dead = true;
	x->transport->n_active--;
	stages_stop(&x->stages);
	lookup_stop(&x->lookup);
	if (x->is_calling)
		return; /* who called its owner buries it */
	if (x->at == AT_CURL && multi_is_inside(x->shard->multi)) {
		do_later(x);
		return;
	}
	if (x->at == AT_CURL)
		multi_remove(x->shard->multi, x->handle->curl);
	transfer_free(x);
}

/* ---- the whole ---- */

static void on_work(struct loop_task *task)
{
	struct transport *t = container_of(task, struct transport, work);
	struct shard *s, *after;
	LIST_EACH_SAFE(t->shards, s, after) {
		if (s->is_retired && s->active == 0)
			shard_free(s);
	}
}

/* Connections that nobody has used for a while are closed with their shard, so that an idle broker
 * holds none, and none lingers half closed. */
static void on_sweep(struct loop_timer *timer)
{
	struct transport *t = container_of(timer, struct transport, sweep);
	const int64_t now_us = loop_now_us(t->loop);
	struct shard *s, *after;
	LIST_EACH_SAFE(t->shards, s, after) {
		if (s->active == 0 && now_us - s->idle_since_us >= IDLE_US)
			shard_free(s);
	}
	if (t->shards)
		sweep_later(t);
	else
		handles_trim(t->handles);
}

static void sweep_later(struct transport *t)
{
	if (!t->sweep.loop)
		loop_timer_set(t->loop, &t->sweep, SWEEP_US);
}

void transport_forget_connections(struct transport *t)
{
	struct shard *s;
	LIST_EACH(t->shards, s)
		s->is_retired = true;
	handles_trim(t->handles);
	resolver_doubt(t->resolver);
	loop_later(t->loop, &t->work);
}

size_t transport_active(const struct transport *t)
{
	return t->n_active;
}

struct transport *transport_new(struct loop *l, struct workers *w, struct fault *why)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		fault_set(why, ERR_IO, "libcurl cannot be set up");
		return NULL;
	}
	struct transport *t = calloc(1, sizeof *t);
	if (!t) {
		curl_global_cleanup();
		fault_set(why, ERR_NO_MEMORY, "no memory for connections to providers");
		return NULL;
	}
	t->loop = l;
	LOOP_CALLS(&t->work, on_run, on_work);
	LOOP_CALLS(&t->sweep, on_fire, on_sweep);
	buf_init(&t->scrub_room, SCRUB_BYTES);
	buf_init(&t->escaped_room, SCRUB_BYTES);
	t->resolver = resolver_new(l, w, resolver_look_up, why);
	t->signer = t->resolver ? signer_new(why) : NULL;
	t->handles = t->signer ? handles_new(&handle_calls, why) : NULL;
	if (!t->handles) {
		transport_free(t);
		return NULL;
	}
	return t;
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	while (t->transfers) {
		struct transfer *x = t->transfers;
		if (!x->is_dead) {
			transfer_cancel(x, NULL);
			continue;
		}
		/* cancelled inside curl, and its task has not come */
		multi_remove(x->shard->multi, x->handle->curl);
		transfer_free(x);
	}
	while (t->shards)
		shard_free(t->shards);
	loop_task_stop(&t->work);
	loop_timer_stop(&t->sweep);
	handles_free(t->handles);
	signer_free(t->signer);
	resolver_free(t->resolver);
	buf_done(&t->scrub_room);
	buf_done(&t->escaped_room);
	free(t);
	curl_global_cleanup();
}
