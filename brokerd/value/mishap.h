/* mishap.h - what went wrong, in a thing that mostly goes well?
 * A fault is as large as its texts may be; who has many things in flight keeps room for it only once there is one. Embed it
 * zeroed. No I/O. */
#ifndef BROKERD_VALUE_MISHAP_H
#define BROKERD_VALUE_MISHAP_H
#include "protocol/base/err.h"

struct mishap {
	struct fault *fault; /* NULL: nothing went wrong */
};

/* Keeps a copy in the place of what was kept before; one whose class is OK is nothing. `why` may be what is kept. */
void mishap_keep(struct mishap *m, const struct fault *why);

/* The same of a class and a sentence, and returns the class. */
enum err mishap_set(struct mishap *m, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);

/* Nothing went wrong: its texts are overwritten. Harmless where that is so. */
void mishap_drop(struct mishap *m);

/* What is kept, until the next call of any of the others; FAULT_NONE where nothing is. Never NULL. */
const struct fault *mishap_fault(const struct mishap *m);

static inline enum err mishap_err(const struct mishap *m)
{
	return m->fault ? m->fault->err : OK;
}

#endif
