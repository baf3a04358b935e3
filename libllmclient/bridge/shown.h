/* shown.h - which app token does a request show, in which of the places where programs put their API key?
 * Whatever else is there is passed over: programs want some text there, and it is no key of ours. Pure. */
#ifndef LIBLLMCLIENT_BRIDGE_SHOWN_H
#define LIBLLMCLIENT_BRIDGE_SHOWN_H
#include "protocol/base/buf.h"

/* Header values, absent where there is none, and what is behind the question mark. */
struct shown {
	struct span authorization, x_api_key, x_goog_api_key, query;
};

/* It lies in one of them; absent: there is none. */
struct span shown_token(const struct shown *s);
#define SHOWN_BYTES 70 /* of one as they are made, with the NUL */
/* Is it one as they are made? Any other is none that a broker knows. */
bool shown_is_sound(struct span token);

/* Appends the query without a key of any kind, in whichever spelling: that is nobody's but ours. */
void shown_leave_out(struct span query, struct buf *to);

#endif
