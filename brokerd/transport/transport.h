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

struct transport *transport_new(struct loop *l, struct workers *w, struct fault *why);
void transport_free(struct transport *t); /* cancels what is left, without callbacks */

/* How long each stage may take, microseconds; 0: no limit of its own. */
struct transfer_limits {
	int64_t connect_us;    /* name, TCP and TLS */
	int64_t first_byte_us; /* from the request's last byte to the reply's first */
	int64_t idle_us;       /* between bytes of a reply; not while paused */
	int64_t total_us;
};

/* What became of a transfer. */
struct transfer_end {
	enum err err;       /* OK: the reply came to its own end; ERR_CONNECTION, ERR_TIMEOUT,
	                 ERR_OUTCOME_UNKNOWN (the body had left and no whole reply came),
	                 ERR_SERVER_ERROR (a reply over limits.h, or no HTTP), ERR_CANCELLED */
	bool has_sent_body; /* its last byte was given to the connection: it may be billed */
	int64_t sent_bytes, received_bytes;
	int64_t connect_us, first_byte_us, total_us; /* -1: did not come to it */
	struct fault why;
};

/* All on the loop's thread, never from inside transport_start. After on_end the transfer is gone. */
struct transfer_events {
	void (*on_head)(
		void *context, const struct http_head *head); /* final status; spans die after */
	void (*on_body)(void *context, struct span bytes); /* decoded of chunks, not of content */
	void (*on_end)(void *context, const struct transfer_end *end);
	void *context;
};

/* Begins. The request, its body and `target`'s spans must live until on_end or transfer_cancel; the
 * secret is referenced. The request's URL must be of the secret's origin: ERR_DENIED otherwise.
 * `secret` may be NULL where the target asks for none. */
enum err transport_start(struct transport *t, const struct http_request *request,
	const struct target *target, struct secret *secret, const struct transfer_limits *limits,
	const struct transfer_events *events, struct transfer **out, struct fault *why) MUST_USE;

/* No on_body until transfer_resume; the provider feels it through TCP. A callback that is running
 * may still be followed by none. */
void transfer_pause(struct transfer *x);
void transfer_resume(struct transfer *x);

/* Drops it and its connection at once; no callback comes after. Fills *end (may be NULL). */
void transfer_cancel(struct transfer *x, struct transfer_end *end);

/* Closes idle connections: after a suspend, after a change of the configuration. */
void transport_forget_connections(struct transport *t);

size_t transport_active(const struct transport *t);

#endif
