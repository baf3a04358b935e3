/* settings_file.c - a new file beside the old one, which takes its name. */
#include "libllmclient/cli/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)16 * 1024)

static enum err fail(struct fault *why, const char *path)
{
	return fault_set(why, ERR_IO, "%s: %s", path, strerror(errno));
}

static enum err read_all(int fd, struct buf *to)
{
	for (;;) {
		char *room = buf_reserve(to, BLOCK_BYTES);
		const ssize_t n = room ? read(fd, room, BLOCK_BYTES) : -1;
		if (!room)
			return buf_error(to);
		if (n > 0)
			buf_commit(to, (size_t)n);
		else if (n == 0)
			return OK;
		else if (errno != EINTR)
			return ERR_IO;
	}
}

static enum err read_file(struct settings_file *f, struct fault *why)
{
	struct stat st;
	const int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(why, f->path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s is no file", f->path);
	}
	f->mode = st.st_mode & 07777;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	const enum err err = read_all(fd, &f->text);
	const int failed = errno;
	close(fd);
	errno = failed;
	if (err == ERR_TOO_BIG)
		return fault_set(
			why, err, "%s is longer than %zu bytes", f->path, SETTINGS_BYTES_MAX);
	return err ? fail(why, f->path) : OK;
}

enum err settings_read(struct settings_file *f, const char *path, struct fault *why)
{
	struct stat st;
	*f = (struct settings_file){.mode = 0600, .uid = geteuid(), .gid = getegid()};
	buf_init(&f->text, SETTINGS_BYTES_MAX);
	if (strlen(path) >= sizeof f->path)
		return fault_set(why, ERR_INVALID_ARGUMENT, "%.200s...: this is too long", path);
	f->is_there = realpath(path, f->path) != NULL;
	if (f->is_there)
		return read_file(f, why);
	const int failed = errno;
	(void)snprintf(f->path, sizeof f->path, "%s", path);
	errno = failed;
	if (errno != ENOENT)
		return fail(why, path);
	if (lstat(path, &st) == 0)
		return fault_set(why, ERR_IO, "%s is a link that leads nowhere", path);
	return OK;
}

void settings_done(struct settings_file *f)
{
	buf_done(&f->text);
}

/* Somebody who has written meanwhile shall not lose it. */
static enum err check_unchanged(const struct settings_file *f, struct fault *why)
{
	struct settings_file now;
	enum err err = settings_read(&now, f->path, why);
	if (!err &&
		(now.is_there != f->is_there || !span_eq(buf_view(&now.text), buf_view(&f->text))))
		err = fault_set(why, ERR_IO,
			"%s has been changed meanwhile: nothing was written, try again", f->path);
	settings_done(&now);
	return err;
}

/* All folders that lead to it. */
static bool make_folders(struct settings_file *f)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof path, "%s", f->path);
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0700) == 0) {
			if (!f->made[0])
				(void)snprintf(f->made, sizeof f->made, "%s", path);
		} else if (errno != EEXIST) {
			return false;
		}
		*at = '/';
	}
	return true;
}

/* Up to `made`, as far as they are empty. */
static void remove_folders(const char *of, const char *made)
{
	char path[PATH_MAX];
	const size_t n = strlen(made);
	(void)snprintf(path, sizeof path, "%s", of);
	for (char *slash; n > 0 && (slash = strrchr(path, '/'));) {
		*slash = '\0';
		if (strncmp(path, made, n) != 0 || (path[n] != '\0' && path[n] != '/') ||
			rmdir(path) != 0)
			return;
	}
}

static bool write_all(int fd, struct span text)
{
	while (text.n > 0) {
		const ssize_t n = write(fd, text.p, text.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text = span_skip(text, (size_t)n);
	}
	return true;
}

/* Its mode is set last: a change of owner takes bits of it away. */
static bool dress(const struct settings_file *f, int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return false;
	if ((st.st_uid != f->uid || st.st_gid != f->gid) && fchown(fd, f->uid, f->gid) != 0)
		return false;
	return fchmod(fd, f->mode) == 0 && fsync(fd) == 0;
}

static enum err replace(struct settings_file *f, struct span text, struct fault *why)
{
	char beside[PATH_MAX + 16];
	(void)snprintf(beside, sizeof beside, "%s.llmb-XXXXXX", f->path);
	const int fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return fail(why, f->path);
	bool is_good = write_all(fd, text) && dress(f, fd);
	int failed = errno;
	close(fd);
	if (is_good) {
		is_good = rename(beside, f->path) == 0;
		failed = errno;
	}
	if (is_good)
		return OK;
	(void)unlink(beside);
	errno = failed;
	return fail(why, f->path);
}

enum err settings_write(struct settings_file *f, struct span text, struct fault *why)
{
	enum err err = check_unchanged(f, why);
	if (err)
		return err;
	if (!f->is_there && !make_folders(f))
		err = fail(why, f->path);
	if (!err)
		err = replace(f, text, why);
	if (err && f->made[0])
		remove_folders(f->path, f->made);
	return err;
}

enum err settings_remove(struct settings_file *f, const char *made, struct fault *why)
{
	const enum err err = check_unchanged(f, why);
	if (err || !f->is_there)
		return err;
	if (unlink(f->path) != 0)
		return fail(why, f->path);
	remove_folders(f->path, made);
	return OK;
}
