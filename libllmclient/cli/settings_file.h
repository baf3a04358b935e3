/* settings_file.h - how is a file of somebody else's settings read and replaced?
 * As a whole, where a link leads, with its mode and its owner; what was there is there until all of the new is. */
#ifndef LIBLLMCLIENT_CLI_SETTINGS_FILE_H
#define LIBLLMCLIENT_CLI_SETTINGS_FILE_H
#include <limits.h>
#include <sys/types.h>

#include "protocol/base/buf.h"

#define SETTINGS_BYTES_MAX ((size_t)4 << 20)

struct settings_file {
	char path[PATH_MAX]; /* behind all links */
	bool is_there;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct buf text;     /* "" where it is not there */
	char made[PATH_MAX]; /* the first folder that was made for it; "" none */
};

/* OK also where there is none: then it is made with mode 0600. ERR_IO, ERR_TOO_BIG, ERR_INVALID_ARGUMENT (no file). */
enum err settings_read(struct settings_file *f, const char *path, struct fault *why) MUST_USE;

/* Replaces it, unless it is no longer what was read. Makes the folders that are missing. */
enum err settings_write(struct settings_file *f, struct span text, struct fault *why) MUST_USE;

/* Takes it away, unless it is no longer what was read, and the empty folders from its own up to `made` ("": none). */
enum err settings_remove(struct settings_file *f, const char *made, struct fault *why) MUST_USE;

void settings_done(struct settings_file *f);

#endif
