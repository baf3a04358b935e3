/* lessons.h - what was estimated of prompts before this process, and what was reported?
 * For corrections of estimates, which go on where the last process was killed. */
#ifndef BROKERD_LEDGER_LESSONS_H
#define BROKERD_LEDGER_LESSONS_H
#include "brokerd/ledger/ledger.h"

/* One attempt. Texts live as long as the call. */
struct lesson {
	const char *provider, *model; /* as the provider calls it */
	int64_t raw,
		reported; /* tokens of input, 1 or more: estimated and not corrected, and of all classes */
};

/* Tells of the last attempts from then on that went well and of which both are known, the oldest first; of at most
 * `most` rows. Blocks; on the thread that may touch the ledger. ERR_IO: what was told is not all. */
enum err ledger_lessons(struct ledger *g, int64_t since_us, int64_t most,
	void (*on_lesson)(void *context, const struct lesson *l), void *context,
	struct fault *why) MUST_USE;

#endif
