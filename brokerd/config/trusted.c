/* trusted.c - owner and mode, of the file that was opened and of the link that led there. */
#include "brokerd/config/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "protocol/limits.h"

#define OTHERS_BITS (S_IWGRP | S_IWOTH)

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static bool is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

enum err trusted_owner(const char *path, const struct stat *st, struct fault *why)
{
	if (!is_trusted(st->st_uid))
		return fault_set(why, ERR_MISCONFIGURED,
			"%s belongs to user %u, who is neither root nor the broker's user: it is "
			"not "
			"read",
			path, (unsigned)st->st_uid);
	if (!S_ISLNK(st->st_mode) && (st->st_mode & OTHERS_BITS))
		return fault_set(why, ERR_MISCONFIGURED,
			"others may write %s, so it is not read: run `chmod go-w %s`", path, path);
	return OK;
}

enum err trusted_read(const char *path, struct buf *out, bool *is_absent, struct fault *why)
{
	OWNED(close_fd) int fd = -1;
	struct stat st;

	*is_absent = false;
	if (lstat(path, &st) != 0) {
		*is_absent = errno == ENOENT;
		return *is_absent ? OK
				  : fault_set(why, ERR_MISCONFIGURED, "cannot read %s: %s", path,
					    strerror(errno));
	}
	/* a link of somebody else's leads where they please */
	if (S_ISLNK(st.st_mode)) {
		const enum err err = trusted_owner(path, &st, why);
		if (err)
			return err;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return fault_set(
			why, ERR_MISCONFIGURED, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_MISCONFIGURED, "%s is not a regular file", path);
	const enum err err = trusted_owner(path, &st, why);
	if (err)
		return err;
	for (;;) {
		char piece[8192];
		const ssize_t n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(why, ERR_MISCONFIGURED, "cannot read %s: %s", path,
				strerror(errno));
		if (n == 0)
			return OK;
		buf_put(out, piece, (size_t)n);
		if (buf_error(out))
			return fault_set(why, ERR_MISCONFIGURED, "%s is larger than %zu KiB", path,
				LIMIT_CONFIG_BYTES / KIB);
	}
}
