/* transport_scripted.h - how does a test play the provider?
 * transport_scripted.c stands in for transport.c: a transfer goes nowhere, the test looks at what was
 * sent and says what comes back. Requests are refused as they are for real, limits run on the loop,
 * and what is pushed while a transfer is paused waits for its resume. */
#ifndef TESTS_LIB_TRANSPORT_SCRIPTED_H
#define TESTS_LIB_TRANSPORT_SCRIPTED_H
#include "brokerd/transport/transport.h"

/* A transfer that was started. Stays, for looking at, until transport_free; texts are copies. */
struct scripted {
	size_t number; /* 0 is the first that was started */
	const char *method, *url;
	const char *headers; /* "Name: value\n" for each, without the key's */
	struct span body;
	const char *provider, *model, *key; /* of the target */
	struct transfer_limits limits;
	bool has_secret;
	bool is_paused;
	bool has_sent_body, has_head; /* how far it came */
	bool has_ended; /* its last word was said, though it may not be delivered yet: nothing may be pushed */
	bool is_over; /* on_end was called, or it was cancelled: nothing may be pushed */
	bool is_cancelled;
};

/* How many were started on the transport that was made last, and the i-th of them. Aborts where
 * there is none. */
size_t scripted_count(void);
struct scripted *scripted_at(size_t i);
struct scripted *scripted_last(void);

/* Makes the next transport_start fail so, once. */
void scripted_refuse(enum err err, const char *message);

/* What happens to it, each step implying those before. */
void scripted_connected(struct scripted *s); /* the request is on its way */
void scripted_sent(struct scripted *s);      /* its last byte has left */
/* `headers`: "name: value\n" for each, names in lower case; may be "". */
void scripted_head(struct scripted *s, int status, const char *headers);
void scripted_body(struct scripted *s, struct span bytes);
void scripted_text(struct scripted *s, const char *bytes);
void scripted_end(struct scripted *s); /* the reply is whole: after a head */

/* The connection breaks; or what came is no HTTP. What that means for the caller depends on how far
 * it had come, as for real. */
void scripted_break(struct scripted *s);
void scripted_nonsense(struct scripted *s);

#endif
