/* kept_show.h - what is a caller told who asks for an answer by its id?
 * The Responses API: what is kept can be read, listed and removed. Pure functions of a call and JSON. */
#ifndef BROKERD_EXCHANGE_KEPT_SHOW_H
#define BROKERD_EXCHANGE_KEPT_SHOW_H
#include "brokerd/store/responses.h"
#include "protocol/surface.h"

/* What a caller wants of answers that are kept. */
enum kept_wish {
	KEPT_NOTHING, /* it is a request like any other */
	KEPT_READ,    /* GET /responses/ID */
	KEPT_REMOVE,  /* DELETE /responses/ID */
	KEPT_INPUT,   /* GET /responses/ID/input_items */
};
/* And of which; *id is the path's. ERR_UNSUPPORTED: one that none of the broker's kind can be. */
enum err kept_wish(const struct surface_call *call, enum kept_wish *out, struct span *id,
	struct fault *why) MUST_USE;

/* Appends the reply to such a wish. ERR_INVALID_REQUEST: the query asks for what there is not. ERR_NO_MEMORY, ERR_INTERNAL: what is kept is damaged. */
enum err kept_show(enum kept_wish wish, const struct surface_call *call, const struct response *r,
	struct arena *a, struct buf *out, struct fault *why) MUST_USE;

#endif
