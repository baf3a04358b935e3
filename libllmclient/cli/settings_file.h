/* settings_file.h - how is a file of somebody else's settings read and replaced?
 * As a whole, where a link leads (see way.h), with its mode, its owner and what stands beside its bytes; what was there is
 * there until all of the new is on the disk. */
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
	nlink_t n_names;
	struct buf text;     /* "" where it is not there */
	char made[PATH_MAX]; /* the first folder that was made for it; "" none */
};

/* OK also where there is none: then it is made with mode 0600. ERR_IO, ERR_TOO_BIG, ERR_DENIED,
 * ERR_INVALID_ARGUMENT (no file). */
enum err settings_read(struct settings_file *f, const char *path, struct fault *why) MUST_USE;

/* Is it still what was read, and open to whom it was? ERR_IO: somebody has written meanwhile, and shall not lose it, or has
 * closed it to others. */
enum err settings_check(const struct settings_file *f, struct fault *why) MUST_USE;

/* Replaces it, unless it is no longer what was read. Makes the folders that are missing. ERR_DENIED: it is read-only, or
 * has two names. */
enum err settings_write(struct settings_file *f, struct span text, struct fault *why) MUST_USE;

/* Takes it away, unless it is no longer what was read, and the empty folders from its own up to `made` ("": none). */
enum err settings_remove(struct settings_file *f, const char *made, struct fault *why) MUST_USE;

/* Waits until no other llmb writes in its folder, which is made where it is missing; until *lock is closed none will. */
enum err settings_lock(struct settings_file *f, int *lock, struct fault *why) MUST_USE;

void settings_done(struct settings_file *f);

#endif
