/* source_file.c - open once, and ask the descriptor. */
#include "brokerd/vault/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/limits.h"

static enum err check(const char *path, int fd, mode_t forbidden, size_t *size, struct fault *why)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fault_set(why, ERR_IO, "cannot look at %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_IO, "%s is not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return fault_set(why, ERR_IO,
			"%s belongs to user %u, not to the broker's user %u or root", path,
			(unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & forbidden)
		return fault_set(
			why, ERR_IO, "others have access to %s: run `chmod 600 %s`", path, path);
	if (st.st_size < 1 || st.st_size > (off_t)LIMIT_SECRET_BYTES)
		return fault_set(why, ERR_IO, "%s is %s", path,
			st.st_size < 1 ? "empty" : "longer than any key");
	*size = (size_t)st.st_size;
	return OK;
}

static enum err read_into(
	const char *path, int fd, size_t size, struct guarded *to, struct fault *why)
{
	unsigned char *at = guarded_write(to);
	size_t n = 0;
	while (n < size) {
		const ssize_t got = read(fd, at + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	guarded_close(to);
	if (n < size)
		return fault_set(why, ERR_IO, "cannot read %s: %s", path,
			errno ? strerror(errno) : "it became shorter");
	return OK;
}

enum err source_file_read(
	const char *path, mode_t forbidden, struct guarded **out, struct fault *why)
{
	size_t size = 0;
	*out = NULL;
	/* O_NONBLOCK: a FIFO there must not hold us up */
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fault_set(why, ERR_IO, "cannot open %s: %s", path,
			errno == ELOOP ? "it is a symbolic link, which is not followed"
				       : strerror(errno));
	enum err err = check(path, fd, forbidden, &size, why);
	if (!err && guarded_new(size, out) != OK)
		err = fault_set(why, ERR_NO_MEMORY, "no locked memory left");
	errno = 0;
	if (!err)
		err = read_into(path, fd, size, *out, why);
	close(fd);
	if (err)
		guarded_drop(out);
	return err;
}
