/* ids.h - which nine characters stand for the id of a tool call?
 * This family takes ids of exactly nine letters and digits. One that fits goes out as it is; another
 * becomes the same nine wherever it stands, and no two become one. No I/O. */
#ifndef BROKERD_DIALECT_MISTRAL_IDS_H
#define BROKERD_DIALECT_MISTRAL_IDS_H
#include "brokerd/dialect/history.h"

struct mistral_ids {
	struct rename *rows; /* by `ours`, each once */
	size_t n;
};

/* For all calls and results of a history. Those that change are noted. ERR_NO_MEMORY. */
enum err mistral_ids_plan(
	const struct history *h, struct notes *notes, struct mistral_ids *out) MUST_USE;

/* The id that goes out; absent for one that is not of that history. */
struct span mistral_id(const struct mistral_ids *ids, struct span ours);

#endif
