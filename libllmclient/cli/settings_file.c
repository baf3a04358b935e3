/* settings_file.c - a new file beside the old one, which takes its name. */
#include "libllmclient/cli/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libllmclient/cli/way.h"

#define BLOCK_BYTES ((size_t)16 * 1024)
#define ACL         "system.posix_acl_access"

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
	const int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return fail(why, f->path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s is no file", f->path);
	}
	f->mode = st.st_mode & 07777;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	f->n_names = st.st_nlink;
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
	*f = (struct settings_file){.mode = 0600, .uid = geteuid(), .gid = getegid()};
	buf_init(&f->text, SETTINGS_BYTES_MAX);
	const enum err err = way_follow(path, f->path, &f->is_there, why);
	return err || !f->is_there ? err : read_file(f, why);
}

void settings_done(struct settings_file *f)
{
	buf_done(&f->text);
}

enum err settings_check(const struct settings_file *f, struct fault *why)
{
	struct settings_file now;
	enum err err = settings_read(&now, f->path, why);
	const bool is_closer = now.is_there && (f->mode & ~now.mode & 0777) != 0;
	if (!err && (now.is_there != f->is_there || is_closer ||
			    !span_eq(buf_view(&now.text), buf_view(&f->text))))
		err = fault_set(why, ERR_IO,
			"%s has been changed meanwhile: nothing was written, try again", f->path);
	settings_done(&now);
	return err;
}

/* What its user has closed, or has under two names, is not ours to open or to part. */
static enum err check_writable(const struct settings_file *f, struct fault *why)
{
	if (f->is_there && (f->mode & 0222) == 0)
		return fault_set(why, ERR_DENIED, "%s is read-only: nothing was written", f->path);
	if (f->is_there && f->n_names > 1)
		return fault_set(why, ERR_DENIED,
			"%s has another name (a hard link), under which it would stay as it is: "
			"nothing was written",
			f->path);
	return OK;
}

/* All folders that lead to it. */
static bool make_folders(struct settings_file *f)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof path, "%s", f->path);
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0700) == 0) {
			(void)chmod(path, 0700); /* whatever the umask is */
			if (!f->made[0])
				(void)snprintf(f->made, sizeof f->made, "%s", path);
		} else if (errno != EEXIST) {
			return false;
		}
		*at = '/';
	}
	return true;
}

/* Up to `made`, as far as they are there, and empty. */
static void remove_folders(const char *of, const char *made)
{
	char path[PATH_MAX];
	const size_t n = strlen(made);
	(void)snprintf(path, sizeof path, "%s", of);
	for (char *slash; n > 0 && (slash = strrchr(path, '/'));) {
		*slash = '\0';
		if (strncmp(path, made, n) != 0 || (path[n] != '\0' && path[n] != '/') ||
			(rmdir(path) != 0 && errno != ENOENT))
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

/* All that stands beside its bytes. Who may read it must be there; where it has no list of that, its folder's is not for it. */
static bool copy_attributes(int from, int to)
{
	char names[4096], value[16384];
	const ssize_t n = flistxattr(from, names, sizeof names);
	(void)fremovexattr(to, ACL);
	if (n < 0)
		return errno == ENOTSUP;
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		const ssize_t size = fgetxattr(from, name, value, sizeof value);
		if ((size < 0 || fsetxattr(to, name, value, (size_t)size, 0) != 0) &&
			strcmp(name, ACL) == 0)
			return false;
	}
	return true;
}

static bool copy_attributes_of(const struct settings_file *f, int to)
{
	const int from = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	const bool is_good = from >= 0 && copy_attributes(from, to);
	const int failed = errno;
	if (from >= 0)
		close(from);
	errno = failed;
	return is_good;
}

/* Its mode is set last: a change of owner takes bits of it away. */
static bool dress(const struct settings_file *f, int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return false;
	if ((st.st_uid != f->uid || st.st_gid != f->gid) && fchown(fd, f->uid, f->gid) != 0)
		return false;
	if (f->is_there && !copy_attributes_of(f, fd))
		return false;
	return fchmod(fd, f->mode) == 0 && fsync(fd) == 0;
}

/* Where none was, one that came meanwhile stays. */
static bool put_in_place(const struct settings_file *f, const char *beside)
{
	if (!f->is_there && renameat2(AT_FDCWD, beside, AT_FDCWD, f->path, RENAME_NOREPLACE) == 0)
		return true;
	if (!f->is_there && errno != EINVAL && errno != ENOSYS)
		return false;
	return rename(beside, f->path) == 0;
}

static int open_folder(const char *of)
{
	char folder[PATH_MAX];
	(void)snprintf(folder, sizeof folder, "%s", of);
	*strrchr(folder, '/') = '\0';
	return open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A name is on the disk once its folder is; where a folder cannot be asked for that it is as it is. */
static void sync_folder(const char *of)
{
	const int fd = open_folder(of);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static enum err replace(struct settings_file *f, struct span text, struct fault *why)
{
	char beside[PATH_MAX + 16];
	(void)snprintf(beside, sizeof beside, "%s.llmb-XXXXXX", f->path);
	const int fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return fail(why, f->path);
	enum err err = write_all(fd, text) && dress(f, fd) ? OK : fail(why, f->path);
	if (close(fd) != 0 && !err)
		err = fail(why, f->path);
	if (!err)
		err = settings_check(f, why);
	if (!err && !put_in_place(f, beside))
		err = fail(why, f->path);
	if (err)
		(void)unlink(beside);
	else
		sync_folder(f->path);
	return err;
}

enum err settings_write(struct settings_file *f, struct span text, struct fault *why)
{
	enum err err = check_writable(f, why);
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
	enum err err = settings_check(f, why);
	if (!err)
		err = check_writable(f, why);
	if (err || !f->is_there)
		return err;
	if (unlink(f->path) != 0)
		return fail(why, f->path);
	sync_folder(f->path);
	remove_folders(f->path, made);
	return OK;
}

enum err settings_lock(struct settings_file *f, int *lock, struct fault *why)
{
	*lock = -1;
	if (!f->is_there && !make_folders(f))
		return fail(why, f->path);
	*lock = open_folder(f->path);
	if (*lock < 0)
		return fail(why, f->path);
	while (flock(*lock, LOCK_EX) != 0 && errno == EINTR)
		continue; /* where a file system has no locks, what was read is looked at again all the same */
	return OK;
}
