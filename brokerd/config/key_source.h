/* key_source.h - where does a key live that is not the vault's, and what are the words to get it?
 *
 *     command: /usr/bin/pass show openai   the first line that it prints; no shell sees it
 *     file: /path                          what is in it
 *     credential: NAME                     what the service manager handed over by that name
 *
 * Words of a command are divided by spaces; '...' and "..." keep them, and a backslash takes the next
 * character as it is, though not inside '...'. Pure functions of text. */
#ifndef BROKERD_CONFIG_KEY_SOURCE_H
#define BROKERD_CONFIG_KEY_SOURCE_H
#include "protocol/base/arena.h"
#include "protocol/base/err.h"

#define KEY_SOURCE_WORDS_MAX 64
#define KEY_SOURCE_BYTES_MAX 4096 /* of all words, with a NUL behind each */

enum key_source_kind {
	KEY_SOURCE_VAULT, /* none is named: the vault has the key */
	KEY_SOURCE_COMMAND,
	KEY_SOURCE_FILE,
	KEY_SOURCE_CREDENTIAL,
};

struct key_source {
	enum key_source_kind kind;
	struct span text; /* as it was written, to be shown */
	/* a command's words, each with a NUL behind it; else the path or the name, with a NUL behind it
	 * that is not counted */
	struct span what;
};

/* ERR_MISCONFIGURED: *why is a sentence. Copies into `a`. */
enum err key_source_read(
	struct span value, struct key_source *out, struct arena *a, struct fault *why) MUST_USE;

#endif
