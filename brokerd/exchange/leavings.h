/* leavings.h - how much may go on for callers who are gone?
 * EXCHANGES_LEFT for all together, and of the room for requests' bodies the LEAVINGS_PART; for one caller never more of
 * either than is still free: whoever comes after him has room. Pure. */
#ifndef BROKERD_EXCHANGE_LEAVINGS_H
#define BROKERD_EXCHANGE_LEAVINGS_H
#include <stdbool.h>
#include <stddef.h>

#define EXCHANGES_LEFT ((size_t)1024)
#define LEAVINGS_PART  4 /* a fourth */

/* That go on, of one caller or of all, and how long their bodies are together. */
struct leavings {
	size_t n, bytes;
};

/* One more of his, whose body has so many bytes; `room_bytes` is there for those of all requests. False: it may not, and
 * nothing is counted. */
bool leavings_take(struct leavings *all, struct leavings *his, size_t bytes, size_t room_bytes);
/* It has ended. */
void leavings_give(struct leavings *all, struct leavings *his, size_t bytes);

#endif
