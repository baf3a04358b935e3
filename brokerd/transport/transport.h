/* transport.h - how do bytes get to a provider and back?
 * One transfer is one HTTP request on curl's multi interface on the loop. Nothing is ever sent twice
 * by itself, no redirect is followed, no proxy or other environment is believed, and the key goes
 * to its own origin alone. Tests replace it by a scripted one. */
#ifndef BROKERD_TRANSPORT_TRANSPORT_H
#define BROKERD_TRANSPORT_TRANSPORT_H
#include "brokerd/loop/worker.h"
#include "brokerd/value/http.h"
#include "brokerd/value/secret.h"
#include "brokerd/value/target.h"

struct transport;
struct transfer;

/* Call after sodium_init and after the environment was cleaned. Up to two of `w`'s threads look up
 * names, for as long as a name server lets them wait. NULL: *why says what is missing. */
struct transport *transport_new(struct loop *l, struct workers *w, struct fault *why);
void transport_free(struct transport *t); /* cancels what is left, without callbacks */

/* How long each stage may take, microseconds; 0: no limit of its own. */
struct transfer_limits {
	int64_t connect_us; /* name, TCP and TLS */
	int64_t tls_us; /* TLS alone, within that; seen late by up to a quarter of it, 10 ms at the
	                          least and a second at the most */
	int64_t first_byte_us; /* from the request's last byte to the end of the reply's head; and
	                          between two steps of a body that is going out */
	int64_t idle_us;       /* between bytes of a reply's body; not while paused */
	int64_t total_us;
};

/* What became of a transfer.
 * err:
 *   OK                  the reply came to its own end: by its length, its last chunk, or, where it
 *                       gave neither, by the connection's close. In the last case only the dialect
 *                       can tell whether it was whole.
 *   ERR_CONNECTION      before a head: nothing that a provider could act on had left, so it may be
 *                       sent again. After a head: the reply broke off; what came stands, and a
 *                       status of 400 or more still says that the request was not served.
 *   ERR_TIMEOUT         the same, by a limit of ours.
 *   ERR_OUTCOME_UNKNOWN the whole request had left, and no head came: closed, reset, or silent
 *                       beyond a limit. It may have been served, and billed.
 *   ERR_SERVER_ERROR    what came is no HTTP, or over limits.h. It was sent, and may be billed.
 *   ERR_CANCELLED       only from transfer_cancel.
 * why.code: "name" (no such host), "address" (not public, and the target is not local), or the stage
 *   where it broke: "connect" "tls" "send" "first_byte" "body"; of a limit also "idle", "total". */
struct transfer_end {
	enum err err;
	bool has_sent_body; /* its last byte was given to the connection: it may be billed */
	int64_t sent_bytes, received_bytes;          /* of the bodies */
	int64_t connect_us, first_byte_us, total_us; /* since the start; -1: did not come to it */
	struct fault why;
};

/* All on the loop's thread, never from inside transport_start. After on_end the transfer is gone.
 * Any of these may cancel or pause any transfer, and start others; none may free the transport. */
struct transfer_events {
	/* The final status; spans die after. Not called twice. */
	void (*on_head)(void *context, const struct http_head *head);
	/* Decoded of chunks, not of a content coding; the key, if it was in it, is asterisks now. */
	void (*on_body)(void *context, struct span bytes);
	void (*on_end)(void *context, const struct transfer_end *end);
	void *context;
};

/* Begins. The request, its body and `target`'s spans must live until on_end or transfer_cancel; the
 * secret is referenced. `secret` may be NULL where the target asks for none. On failure nothing was
 * done and *out is NULL: ERR_DENIED (the URL is not of the secret's origin), ERR_NO_KEY,
 * ERR_INVALID_ARGUMENT (a URL, method or header that is not sent; plain http to anything but a local
 * target on this host), ERR_UNSUPPORTED (a scheme of signing that is not built in), ERR_OVERLOADED
 * (too many host names are being looked up), ERR_MISCONFIGURED, ERR_NO_MEMORY.
 * Methods are GET and DELETE without a body, POST, PUT and PATCH with one. */
enum err transport_start(struct transport *t, const struct http_request *request,
	const struct target *target, struct secret *secret, const struct transfer_limits *limits,
	const struct transfer_events *events, struct transfer **out, struct fault *why) MUST_USE;

/* Its total_us is over then, by the loop's clock, where that is later than before. */
void transfer_until(struct transfer *x, int64_t due_us);

/* No on_body comes after it until transfer_resume; the provider feels it through TCP. Where bytes are
 * left to hand out, on_end waits for them. */
void transfer_pause(struct transfer *x);
void transfer_resume(struct transfer *x);

/* Drops it and its connection at once; no callback comes after. Fills *end (may be NULL). Also from
 * inside its own on_head and on_body. */
void transfer_cancel(struct transfer *x, struct transfer_end *end);

/* Was the last byte of its body given to the connection? Then it may be billed. */
bool transfer_has_sent_body(const struct transfer *x);

/* Closes idle connections: after a suspend, after a change of the configuration. */
void transport_forget_connections(struct transport *t);

size_t transport_active(const struct transport *t);

#endif
