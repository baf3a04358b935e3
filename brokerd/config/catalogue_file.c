/* catalogue_file.c - read at a start; written beside the old one and put in its place. */
#include "brokerd/config/catalogue_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "protocol/base/buf.h"

#define NAME  "catalogue"
#define FRESH "catalogue.new"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static enum err failed(struct fault *why, const char *what)
{
	return fault_set(why, errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
		"the catalogue of models cannot be %s: %s", what, strerror(errno));
}

static enum err read_all(int fd, struct buf *out, struct fault *why)
{
	for (;;) {
		char *room = buf_reserve(out, 65536);
		const ssize_t n = room ? read(fd, room, 65536) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(why, "read");
		if (n == 0)
			break;
		buf_commit(out, (size_t)n);
	}
	return buf_error(out) ? fault_set(why, ERR_INVALID_ARGUMENT,
					"the catalogue of models is larger than %zu bytes",
					CATALOGUE_BYTES)
			      : OK;
}

enum err catalogue_load(const char *state_dir, struct catalogue **out, struct fault *why)
{
	OWNED(close_fd) int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWNED(close_fd)
	int fd = dir < 0 ? -1 : openat(dir, NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	OWNED(buf_done) struct buf text = BUF_INIT(CATALOGUE_BYTES + 65536);
	enum err err = OK;
	if (fd >= 0)
		err = read_all(fd, &text, why);
	else if (errno != ENOENT)
		err = failed(why, "read");
	if (!err)
		err = catalogue_new(buf_view(&text), out, why);
	if (err && err != ERR_NO_MEMORY && catalogue_new(SPAN(""), out, NULL))
		err = ERR_NO_MEMORY;
	return err;
}

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

enum err catalogue_keep(const char *state_dir, struct span text, struct fault *why)
{
	OWNED(close_fd) int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return failed(why, "kept");
	if (text.n == 0)
		return unlinkat(dir, NAME, 0) == 0 || errno == ENOENT ? OK : failed(why, "removed");
	unlinkat(dir, FRESH, 0); /* what a broker that died left behind */
	OWNED(close_fd)
	int fd = openat(dir, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(why, "kept");
	if (!write_all(fd, text) || fsync(fd) != 0 || renameat(dir, FRESH, dir, NAME) != 0) {
		const enum err err = failed(why, "kept");
		unlinkat(dir, FRESH, 0);
		return err;
	}
	return fsync(dir) == 0 ? OK : failed(why, "kept");
}
