/* catalogue_file.c - read at a start; written beside the old one and put in its place. */
#include "brokerd/config/catalogue_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/config/state_file.h"
#include "protocol/base/buf.h"

#define NAME "catalogue"
#define COPY "catalogue.copy" /* the same again, for when the file is damaged */

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

/* A file of the folder, read and checked. ERR_NOT_FOUND: there is none. */
static enum err load(int dir, const char *name, struct catalogue **out, struct fault *why)
{
	OWNED(close_fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	OWNED(buf_done) struct buf text = BUF_INIT(CATALOGUE_BYTES + 65536);
	struct stat st = {.st_mtime = 0};
	*out = NULL;
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : failed(why, "read");
	enum err err = fstat(fd, &st) == 0 ? read_all(fd, &text, why) : failed(why, "read");
	if (!err)
		err = catalogue_new(buf_view(&text), out, why);
	if (!err)
		catalogue_set_age(*out, (int64_t)st.st_mtime);
	return err;
}

enum err catalogue_load(const char *state_dir, struct catalogue **out, struct fault *why)
{
	OWNED(close_fd) int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*out = NULL;
	enum err err = OK;
	if (dir >= 0)
		err = load(dir, NAME, out, why);
	else if (errno != ENOENT)
		err = failed(why, "read");
	if (err == ERR_NOT_FOUND)
		err = OK;
	else if (err && err != ERR_NO_MEMORY && dir >= 0 && load(dir, COPY, out, NULL) != OK)
		*out = NULL;
	if (!*out && err != ERR_NO_MEMORY && catalogue_new(SPAN(""), out, NULL))
		err = ERR_NO_MEMORY;
	return err;
}

static enum err put_file(int dir, const char *name, struct span text, struct fault *why)
{
	return state_file_put(dir, name, text) == OK ? OK : failed(why, "kept");
}

static enum err remove_file(int dir, const char *name, struct fault *why)
{
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? OK : failed(why, "removed");
}

enum err catalogue_keep(const char *state_dir, struct span text, struct fault *why)
{
	OWNED(close_fd) int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return failed(why, "kept");
	if (text.n == 0) {
		const enum err err = remove_file(dir, NAME, why);
		return err ? err : remove_file(dir, COPY, why);
	}
	const enum err err = put_file(dir, NAME, text, why);
	if (!err && put_file(dir, COPY, text, NULL) != OK)
		unlinkat(dir, COPY, 0); /* an older one would come back in its place */
	return err;
}
