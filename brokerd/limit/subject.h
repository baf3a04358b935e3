/* subject.h - whose attempt is it, and where does it go?
 * What limits tell calls apart by, and as bytes, under which it is found again. */
#ifndef BROKERD_LIMIT_SUBJECT_H
#define BROKERD_LIMIT_SUBJECT_H
#include "brokerd/config/limit_rule.h"

/* All spans may be absent, which is as if they were empty. */
struct limit_subject {
	struct span app;    /* as the accounts call it: peer_account */
	struct span policy; /* the rule's name */
	struct span provider, key /* its label; "" the one without */,
		model /* as the provider calls it */;
	struct span
		asked; /* the model as the caller calls it: a limit's `model` may mean this too */
	uint32_t uid;
	/* as whom it was asked before, which counts no second time among requests where this one is the same; no part of
	 * its bytes. NULL: it was not */
	const struct limit_subject *before;
};

#define SUBJECT_BYTES ((size_t)512) /* of its bytes, usually */

/* Its bytes: the same for the same alone. */
void subject_pack(const struct limit_subject *s, struct buf *out);
/* Back again; its spans lie in the bytes. */
void subject_unpack(struct span bytes, struct limit_subject *out);

/* Is it one of those that the rule is for? */
bool subject_falls_under(const struct limit_subject *s, const struct limit_rule *r);

/* What tells it apart in one dimension; of a user the number, written into `number`. */
struct span subject_value(const struct limit_subject *s, enum limit_each e, char number[16]);

/* Have both the same values in all dimensions of a mask? */
bool subject_is_alike(const struct limit_subject *a, const struct limit_subject *b, uint32_t each);

/* The subject with what the mask does not tell apart left out. */
struct limit_subject subject_only(const struct limit_subject *s, uint32_t each);

#endif
