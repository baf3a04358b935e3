/* reason.h - how hard is a model to think that is told in a word?
 * What `reasoning` comes to for families that ask for an effort, and which sampling parameters a model
 * refuses meanwhile. */
#ifndef BROKERD_DIALECT_REASON_H
#define BROKERD_DIALECT_REASON_H
#include "brokerd/dialect/scribe.h"

struct reason {
	struct span effort; /* to be sent; absent: none */
	bool is_on;         /* it reasons for this request, as far as is known */
};

/* What the target's quirks make of the request: a budget becomes the effort that stands for it, an
 * effort the nearest that the model takes, each with a warning. Refused where the model reasons and
 * must not, or must and does not. */
enum err reason_plan(struct scribe *s, struct reason *out) MUST_USE;

/* The target cannot reason as asked: `what` says why ("does not reason"). A wish is left out with a
 * warning, so that OK means to send nothing of it; all else is refused. */
enum err reason_lack(struct scribe *s, const char *what) MUST_USE;

/* Is a parameter shut out because the model reasons? */
bool reason_shuts_out(const struct scribe *s, const struct reason *r, const char *name);

/* Writes a sampling number, where the target has it and no reasoning shuts it out. `is_plain`: the
 * value is the default, which nobody refuses. */
struct sampled {
	const char *name;
	struct opt_f64 v;
	bool is_known, is_plain;
};
enum err reason_put_sampled(
	struct scribe *s, const struct reason *r, const struct sampled *x) MUST_USE;

#endif
