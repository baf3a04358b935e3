/* state_file.c - one way to write all of them. */
#include "brokerd/config/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool write_all(int fd, struct span bytes)
{
	while (bytes.n > 0) {
		const ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

static enum err failed(void)
{
	return errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO;
}

enum err state_file_put(int dir, const char *name, struct span text)
{
	char fresh[STATE_FILE_NAME_BYTES + 8];
	(void)snprintf(fresh, sizeof fresh, "%.64s.new", name);
	(void)unlinkat(dir, fresh, 0); /* what a broker that died left behind */
	const int fd =
		openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed();
	const bool is_written = write_all(fd, text) && fsync(fd) == 0;
	int error = errno;
	if (close(fd) == 0 && is_written && renameat(dir, fresh, dir, name) == 0)
		return fsync(dir) == 0 ? OK : failed();
	error = is_written ? errno : error;
	(void)unlinkat(dir, fresh, 0);
	errno = error;
	return failed();
}
