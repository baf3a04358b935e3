/* limits_file.h - where are the limits that are set by hand, and how are they told from those of the configuration?
 * A text of [limit] sections in the state folder, beside which the configuration is read. Its reader blocks for as
 * long as the disk does. */
#ifndef BROKERD_CONFIG_LIMITS_FILE_H
#define BROKERD_CONFIG_LIMITS_FILE_H
#include "brokerd/config/config.h"

#define LIMITS_FILE    "limits" /* of the state folder */
#define LIMITS_SAID_AT "llmb budget set"
#define LIMITS_BYTES   ((size_t)1024 * 1024)

/* All of it, into a buf of LIMITS_BYTES; nothing where there is none. ERR_MISCONFIGURED: it cannot be read. */
enum err limits_file_read(const char *state_dir, struct buf *text, struct fault *why) MUST_USE;

/* Adds what it says to `c` (config_add_limits). */
enum err limits_file_add(struct config *c, const char *state_dir, struct fault *why) MUST_USE;

/* Appends to `others` all of its sections but that of the limit `name`, and to `keys` that one's lines without its
 * head. *is_found: there is one. ERR_MISCONFIGURED: it is no such text. */
enum err limits_file_split(const char *state_dir, struct span text, struct span name,
	struct buf *others, struct buf *keys, bool *is_found, struct fault *why) MUST_USE;

#endif
