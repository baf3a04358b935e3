/* forward.h - how does a caller's own request go on to a provider who speaks the same language?
 * The body byte for byte, but for the members that are the broker's; the address and the headers are the
 * family's own, as for a request that was encoded. What the families share of it. */
#ifndef BROKERD_DIALECT_FORWARD_H
#define BROKERD_DIALECT_FORWARD_H
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/splice.h"

#define FORWARD_EDITS 16

struct forward {
	struct scribe s;
	struct json body;
	struct splice edits[FORWARD_EDITS];
	size_t n;
};

/* With the edits of `what` (dialect.h), and the notes as the family's decoder wants them. */
void forward_begin(struct forward *f, const struct forwarded *what, const struct target *target,
	struct notes *notes, struct fault *why);

/* Another edit; a name that has one keeps the first. */
void forward_edit(struct forward *f, const char *name, struct span json);

/* Edits that most families need: `model` is the target's; the bound on output, under those of its names
 * (ended by NULL) which the body has, or else the first, is the broker's where that is lower.
 * ERR_NO_MEMORY. */
enum err forward_model(struct forward *f) MUST_USE;
enum err forward_max_tokens(struct forward *f, const char *const *names) MUST_USE;

/* The body is known. Where nothing changes it is the caller's span itself, else a copy in the arena. A body
 * longer than the target takes is refused as "request_too_large". */
enum err forward_finish(
	struct forward *f, const struct place *place, struct http_request *out) MUST_USE;
/* The same without the address. */
enum err forward_body(struct forward *f, struct span *out) MUST_USE;

#endif
