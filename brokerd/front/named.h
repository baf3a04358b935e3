/* named.h - among whose calls does one count, beside those of who has the connection, and have they room for it?
 * Each who is named (behalf.h), once: by naming others nobody has more than is his, and whoever is named by several has no
 * more than by one. */
#ifndef BROKERD_FRONT_NAMED_H
#define BROKERD_FRONT_NAMED_H
#include "brokerd/front/behalf.h"
#include "brokerd/front/identity.h"

struct named {
	struct identity *of[BEHALF_PARTIES]; /* of the parties, in their order */
	bool is_first[BEHALF_PARTIES];       /* neither who has the connection nor one before it */
	size_t n;
	bool is_counted;
};

/* Those of a call; `n` holds nobody before. `own`: of who has the connection. False: out of memory, and nobody is held. */
bool named_join(struct named *n, struct identities *t, const struct identity *own,
	const struct behalf *b, int64_t now_s) MUST_USE;

/* Has each of them room for one more by its own rule, and who has the connection too? Of the last quarter of what that one
 * may have nothing is for whoever has half of the whole already: those that a program asks for cannot be kept out by one
 * of them. ERR_OVERLOADED. */
enum err named_check(const struct named *n, const struct config *c, const struct identity *own,
	const struct behalf *b, struct fault *why) MUST_USE;

/* The call has begun: it is one of theirs. */
void named_count(struct named *n);
/* It is over, whether it was counted or not. Harmless a second time. */
void named_leave(struct named *n, struct identities *t, int64_t now_s);

#endif
