/* retell.h - what does a caller who speaks one family read of another's reply?
 * A decoder of the one and an encoder of the other, back to back, as the broker has them. */
#ifndef TESTS_LIB_RETELL_H
#define TESTS_LIB_RETELL_H
#include "tests/lib/feed.h"

struct retelling {
	const struct dialect *from, *to; /* `to` has an encoder for the operation */
	enum llm_op op;
	enum answer_form form;    /* where there is no body, which says it otherwise */
	struct span body;         /* the caller's request; absent: any, with the usage wanted */
	struct surface_call call; /* how that was sent */
	struct cuts cuts;         /* of the reply */
};

/* Appends what the caller reads. What failed of the reply is in *why, FAULT_NONE otherwise, and was told
 * to the caller, too; *status is the HTTP status. False: the body is no request, and *why says so. */
bool retell(const struct retelling *r, const struct http_reply *reply, struct buf *out, int *status,
	struct fault *why);

#endif
