/* ops.h - does a provider serve this, and where?
 * The trait `ops` is a list with commas: "chat,embed,models://v1/models". Pure. */
#ifndef BROKERD_VALUE_OPS_H
#define BROKERD_VALUE_OPS_H
#include "protocol/base/span.h"

/* Is `op` in the list? An absent list has everything. *path (may be NULL) is what stands behind the
 * word's colon, as http_join_url takes it; absent: the family's usual path. */
static inline bool ops_serve(struct span ops, struct span op, struct span *path)
{
	const bool is_open = !span_is_set(ops);
	if (path)
		*path = SPAN_NONE;
	while (span_is_set(ops)) {
		struct span where = span_cut(&ops, ',');
		if (!span_eq(span_trim(span_cut(&where, ':')), op))
			continue;
		if (path)
			*path = where;
		return true;
	}
	return is_open;
}

/* What stands before the `usual` path of an operation at a host whose path of a chat is its own: where that begins with a
 * version, so does the other. */
static inline const char *ops_version(struct span chat, struct span usual)
{
	return span_starts(chat, SPAN("/v1/")) && span_starts(usual, SPAN("/")) &&
			       !span_starts(usual, SPAN("/v1"))
		       ? "/v1"
		       : "";
}

#endif
