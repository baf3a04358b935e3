/* shown.h - which app token does a request show, in which of the places where programs put their API key?
 * Whatever else is there is passed over: programs want some text there, and it is no key of ours. Pure. */
#ifndef LIBLLMCLIENT_BRIDGE_SHOWN_H
#define LIBLLMCLIENT_BRIDGE_SHOWN_H
#include "protocol/base/buf.h"

/* Header values, absent where there is none, and what is behind the question mark. */
struct shown {
	struct span authorization, x_api_key, x_goog_api_key, query;
};

enum shown_kind {
	SHOWN_NOTHING,
	SHOWN_TOKEN,
	SHOWN_UNSOUND, /* it begins as ours do, and is none as they are made: no broker knows it */
};
#define SHOWN_BYTES 70 /* of one as they are made, with the NUL */
/* The first, in whichever spelling the query has it; SHOWN_TOKEN: it is in `to`, which is the caller's to wipe. */
enum shown_kind shown_token(const struct shown *s, char to[SHOWN_BYTES]);

/* Appends the query without a key of any kind, in whichever spelling: that is nobody's but ours. */
void shown_leave_out(struct span query, struct buf *to);

#endif
