/* ini.h - which keys and values does this text hold, and where?
 * A strict reader: `[kind]` or `[kind "NAME"]`, `key = value`, comments on lines of their own. What is
 * none of these is an error with its line and column. Pure: no I/O. */
#ifndef BROKERD_CONFIG_INI_H
#define BROKERD_CONFIG_INI_H
#include "protocol/base/err.h"

struct ini_entry {
	struct span kind;      /* of the section */
	struct span name;      /* of the section; absent where it has none */
	struct span key;       /* absent: the section begins here */
	struct span value;     /* without white space around it; may be empty */
	unsigned line, column; /* of the key, from 1 */
};

/* Calls `on_entry` for each section and key in order, until it returns other than OK. `file` is for
 * the sentences: "FILE:LINE:COLUMN: what is wrong". ERR_INVALID_ARGUMENT. */
enum err ini_read(struct span text, const char *file,
	enum err (*on_entry)(void *context, const struct ini_entry *e, struct fault *why),
	void *context, struct fault *why) MUST_USE;

#endif
