/* seats.h - how many connections has each user, and how many may he?
 * Of all his programs together, for each of these has a bound of its own (max_connections), and whoever starts enough of them
 * has as many bounds: a descriptor that one user holds is one that others lack. */
#ifndef BROKERD_FRONT_SEATS_H
#define BROKERD_FRONT_SEATS_H
#include <sys/types.h>

#include "protocol/base/err.h"

struct seat;
struct seats {
	struct seat *users; /* a table */
	size_t most;        /* of one user: half of the descriptors that the broker may have */
	uid_t own_uid;      /* whose all of them may be */
};

void seats_init(struct seats *s, uid_t own_uid);
void seats_done(struct seats *s);

/* A connection of that user has come. NULL: out of memory. */
struct seat *seats_take(struct seats *s, uid_t uid);
/* It has gone. */
void seats_give(struct seats *s, struct seat *seat);
/* May he have those that he has? ERR_OVERLOADED, with what to do. */
enum err seats_check(const struct seats *s, const struct seat *seat, struct fault *why) MUST_USE;

#endif
