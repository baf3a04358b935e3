/* source_file.h - may this file be trusted with a key, and what is in it?
 * Blocks: for a worker. */
#ifndef BROKERD_VAULT_SOURCE_FILE_H
#define BROKERD_VAULT_SOURCE_FILE_H
#include <sys/types.h>

#include "brokerd/value/guarded.h"

/* Reads a regular file, no link, of root's or our own user's that has none of the `forbidden` mode bits,
 * of 1..LIMIT_SECRET_BYTES bytes. ERR_IO; ERR_NO_MEMORY. */
enum err source_file_read(
	const char *path, mode_t forbidden, struct guarded **out, struct fault *why) MUST_USE;

#endif
