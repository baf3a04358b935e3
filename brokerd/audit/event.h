/* event.h - what is worth a record?
 * Who was allowed, denied or failed to do what, as plain values. Never a prompt, a secret or a key. */
#ifndef BROKERD_AUDIT_EVENT_H
#define BROKERD_AUDIT_EVENT_H
#include "brokerd/value/peer_id.h"
#include "protocol/base/err.h"

enum audit_verdict {
	AUDIT_ALLOWED,
	AUDIT_DENIED, /* by policy, or by the user */
	AUDIT_FAILED, /* allowed, and came to nothing */
};

struct audit_event {
	const char *
		what; /* a dotted word, "key.add"; a literal: it is kept. "audit." is the log's own */
	const struct peer_id *who; /* NULL: the broker itself */
	enum audit_verdict verdict;
	enum err err;        /* of what is not allowed */
	struct span subject; /* of what: "openai/work", a rule, a model; may be absent */
	struct span detail;  /* a few words for people; may be absent */
};

const char *audit_verdict_name(enum audit_verdict v);

#endif
