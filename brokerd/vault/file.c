/* file.c - O_NOFOLLOW on every name, and no file written in place. */
#include "brokerd/vault/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "brokerd/vault/format.h"
#include "protocol/limits.h"

#define MAIN        "vault"
#define BACKUP      "vault.bak"
#define FRESH       "vault.new"  /* what is being written */
#define SPARE       "vault.bak~" /* what is to become the backup */
#define LOCK        "vault.lock"
#define FRESH_KEY   "vault.key.new"
#define LOCK_TRIES  50
#define LOCK_PAUSE  100000000 /* nanoseconds */
#define OTHERS_BITS (S_IWGRP | S_IWOTH)

/* ---- small parts ---- */

static char *joined(const char *dir, const char *name)
{
	char *path;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

void vault_files_init(
	struct vault_files *f, const char *dir, const char *key_path, const char *credentials)
{
	*f = (struct vault_files){
		.dir = strdup(dir),
		.key_path = key_path ? strdup(key_path) : joined(dir, "vault.key"),
		.is_own_key = !key_path,
		.credential_path = credentials ? joined(credentials, VAULT_CREDENTIAL) : NULL,
	};
	if (!f->dir || !f->key_path)
		abort();
}

void vault_files_done(struct vault_files *f)
{
	free(f->dir);
	free(f->key_path);
	free(f->credential_path);
	*f = (struct vault_files){.dir = NULL};
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Before a step: false where a test wants it to fail, with errno set. */
static bool may_step(const struct vault_files *f, const char *step)
{
	const int wanted = f->on_step ? f->on_step(step) : 0;
	if (wanted)
		errno = wanted;
	return wanted == 0;
}

/* "cannot VERB DIR/NAME: REASON. TAIL", of the class that errno means. */
static enum err failed(const struct vault_files *f, const char *verb, const char *name,
	const char *tail, struct fault *why)
{
	const int cause = errno;
	const bool is_full = cause == ENOSPC || cause == EDQUOT;
	return fault_set(why, is_full ? ERR_STORAGE_FULL : ERR_IO, "cannot %s %s/%s: %s. %s%s",
		verb, f->dir, name, strerror(cause), is_full ? "Free some space there. " : "",
		tail);
}

static const char unchanged[] = "The vault is as it was";

/* A folder that others can write is one in which they can put a vault of theirs. */
static enum err check_dir(const char *dir, int fd, struct fault *why)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fault_set(why, ERR_IO, "cannot look at the state folder %s: %s", dir,
			strerror(errno));
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"the state folder %s belongs to user %u, not to the broker's user %u: give "
			"it "
			"to the broker (chown) or choose another one (--state-dir)",
			dir, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & OTHERS_BITS)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"others may write in the state folder %s: run `chmod go-w %s`", dir, dir);
	return OK;
}

/* *fd is -1, with OK, where there is no such folder. */
static enum err open_dir(const char *dir, int *fd, struct fault *why)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT)
		return OK;
	if (*fd < 0)
		return fault_set(
			why, ERR_IO, "cannot open the state folder %s: %s", dir, strerror(errno));
	const enum err err = check_dir(dir, *fd, why);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

/* ---- reading ---- */

/* Is the file at `fd` one of ours? `forbidden`: mode bits that it may not have. */
static enum err check_file(const char *path, int fd, mode_t forbidden, struct fault *why)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fault_set(why, ERR_IO, "cannot look at %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_VAULT_DAMAGED, "%s is not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"%s belongs to user %u, not to the broker's user %u: give it to the broker "
			"(chown) if it is the broker's",
			path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & forbidden)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"others have access to %s: run `chmod 600 %s`", path, path);
	return OK;
}

/* *fd is -1, with OK, where there is no such file. `at` may be AT_FDCWD. */
static enum err open_file(
	int at, const char *name, const char *path, mode_t forbidden, int *fd, struct fault *why)
{
	/* O_NONBLOCK: a FIFO there must not hold us up */
	*fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT)
		return OK;
	if (*fd < 0 && errno == ELOOP)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"%s is a symbolic link, which is not followed: put the file itself there",
			path);
	if (*fd < 0)
		return fault_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	const enum err err = check_file(path, *fd, forbidden, why);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

/* Appends all of `fd`. False: errno says why; EFBIG is a file over the buf's ceiling. */
static bool read_all(int fd, struct buf *out)
{
	for (;;) {
		char piece[8192];
		const ssize_t n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_put(out, piece, (size_t)n);
		if (buf_error(out)) {
			errno = buf_error(out) == ERR_TOO_BIG ? EFBIG : ENOMEM;
			return false;
		}
	}
}

enum err vault_files_read(
	const struct vault_files *f, struct buf *out, bool *is_absent, struct fault *why)
{
	OWNED(close_fd) int dir = -1;
	OWNED(close_fd) int fd = -1;
	char path[512];
	struct stat st;

	*is_absent = false;
	enum err err = open_dir(f->dir, &dir, why);
	if (err)
		return err;
	if (dir < 0) {
		*is_absent = true;
		return OK;
	}
	snprintf(path, sizeof path, "%s/" MAIN, f->dir);
	err = open_file(dir, MAIN, path, OTHERS_BITS, &fd, why);
	if (err)
		return err;
	if (fd < 0 && (fstatat(dir, BACKUP, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT))
		return fault_set(why, ERR_VAULT_DAMAGED,
			"%s is missing, and beside it is its backup: run `cp -p %s.bak %s` to go "
			"on with "
			"that, or remove it to begin with an empty vault",
			path, path, path);
	if (fd < 0) {
		*is_absent = true;
		return OK;
	}
	if (!may_step(f, "read " MAIN) || !read_all(fd, out)) {
		if (errno == EFBIG)
			return fault_set(
				why, ERR_VAULT_DAMAGED, "%s is larger than any vault", path);
		return failed(f, "read", MAIN, "", why);
	}
	return OK;
}

void vault_files_advise(const struct vault_files *f, struct fault *why)
{
	OWNED(close_fd) int dir = -1;
	OWNED(close_fd) int fd = -1;
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_VAULT_BYTES);
	char path[512], said[sizeof why->message];
	struct sealed parsed;
	struct fault ignored;

	memcpy(said, why->message, sizeof said);
	snprintf(path, sizeof path, "%s/" MAIN, f->dir);
	const bool is_readable = open_dir(f->dir, &dir, &ignored) == OK && dir >= 0 &&
				 open_file(dir, BACKUP, BACKUP, OTHERS_BITS, &fd, &ignored) == OK &&
				 fd >= 0 && read_all(fd, &bytes);
	if (is_readable && format_parse(buf_view(&bytes), &parsed, &ignored) == OK)
		fault_set(why, why->err,
			"%s. It is left as it is. Its backup looks whole: run `cp -p %s.bak %s`, "
			"then "
			"`llmb vault unlock`",
			said, path, path);
	else
		fault_set(why, why->err,
			"%s. It is left as it is, and there is no backup that looks whole: put a "
			"copy of "
			"your own there, or move it away to begin with an empty vault",
			said);
}

/* ---- writing ---- */

static bool write_all(int fd, struct span bytes)
{
	while (bytes.n > 0) {
		const ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return false;
		}
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

/* Makes `name` anew with these bytes, on the disk when it returns. False: errno, and no such file. */
static bool write_file(const struct vault_files *f, int dir, const char *name, struct span bytes)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char step[64];

	/* what a broker that died left behind; the lock says that nobody is at it */
	unlinkat(dir, name, 0);
	snprintf(step, sizeof step, "create %s", name);
	const int fd = may_step(f, step) ? openat(dir, name, flags, 0600) : -1;
	if (fd < 0)
		return false;
	snprintf(step, sizeof step, "write %s", name);
	bool is_done = may_step(f, step) && write_all(fd, bytes);
	snprintf(step, sizeof step, "fsync %s", name);
	/* once: after a failure the kernel forgets that the pages were never written */
	is_done = is_done && may_step(f, step) && fsync(fd) == 0;
	int cause = errno;
	if (close(fd) != 0 && is_done) {
		cause = errno;
		is_done = false;
	}
	if (!is_done)
		unlinkat(dir, name, 0);
	errno = cause;
	return is_done;
}

static bool rename_file(const struct vault_files *f, int dir, const char *from, const char *to)
{
	char step[64];
	snprintf(step, sizeof step, "rename %s", to);
	return may_step(f, step) && renameat(dir, from, dir, to) == 0;
}

static bool sync_dir(const struct vault_files *f, int dir)
{
	return may_step(f, "fsync folder") && fsync(dir) == 0;
}

/* Reads `FRESH` back through a descriptor of its own and has it proved. */
static enum err prove(const struct vault_files *f, int dir, struct span sealed,
	bool (*is_good)(void *context, struct span bytes), void *context, struct fault *why)
{
	OWNED(close_fd) int fd = -1;
	OWNED(buf_done) struct buf again = BUF_INIT(LIMIT_VAULT_BYTES);

	fd = openat(dir, FRESH, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !may_step(f, "read " FRESH) || !read_all(fd, &again))
		return failed(f, "read back", FRESH, unchanged, why);
	if (!span_eq(buf_view(&again), sealed) || !may_step(f, "prove " FRESH) ||
		!is_good(context, buf_view(&again)))
		return fault_set(why, ERR_IO,
			"%s/" FRESH
			" does not read back as it was written: the disk or the memory is at "
			"fault. %s",
			f->dir, unchanged);
	return OK;
}

/* Puts `bytes` in the backup's place: the very file where that can be linked, else a copy. */
static enum err keep_backup(const struct vault_files *f, int dir, struct span bytes,
	enum vault_backup backup, struct fault *why)
{
	bool is_there = false;
	if (backup == BACKUP_OLD) {
		unlinkat(dir, SPARE, 0);
		is_there = may_step(f, "link " SPARE) && linkat(dir, MAIN, dir, SPARE, 0) == 0;
	}
	if (!is_there)
		is_there = write_file(f, dir, SPARE, bytes);
	if (!is_there)
		return failed(f, "write", SPARE, unchanged, why);
	if (!rename_file(f, dir, SPARE, BACKUP)) {
		const int cause = errno;
		unlinkat(dir, SPARE, 0);
		errno = cause;
		return failed(f, "replace", BACKUP, unchanged, why);
	}
	/* where the backup was that very file already, a rename does nothing and both names stay */
	unlinkat(dir, SPARE, 0);
	return OK;
}

/* After a rename that the disk would not confirm. */
static bool put_back(const struct vault_files *f, int dir, struct span old)
{
	if (!span_is_set(old))
		return unlinkat(dir, MAIN, 0) == 0;
	if (!write_file(f, dir, FRESH, old))
		return false;
	return rename_file(f, dir, FRESH, MAIN);
}

enum err vault_files_replace(const struct vault_files *f, struct span sealed, struct span old,
	enum vault_backup backup, bool (*is_good)(void *context, struct span bytes), void *context,
	struct fault *why)
{
	OWNED(close_fd) int dir = -1;

	enum err err = open_dir(f->dir, &dir, why);
	if (err)
		return err;
	if (dir < 0) {
		errno = ENOENT;
		return failed(f, "write", FRESH, unchanged, why);
	}
	if (!write_file(f, dir, FRESH, sealed))
		return failed(f, "write", FRESH, unchanged, why);
	err = prove(f, dir, sealed, is_good, context, why);
	if (!err && span_is_set(old))
		err = keep_backup(f, dir, backup == BACKUP_OLD ? old : sealed, backup, why);
	if (!err && !rename_file(f, dir, FRESH, MAIN))
		err = failed(f, "replace", MAIN, unchanged, why);
	if (err) {
		unlinkat(dir, FRESH, 0);
		return err;
	}
	if (sync_dir(f, dir))
		return OK;
	const int cause = errno;
	const bool is_back = put_back(f, dir, old);
	errno = cause;
	return failed(f, "make sure of", MAIN,
		is_back ? unchanged : "It could not be put back either: look at it before going on",
		why);
}

/* ---- the lock ---- */

enum err vault_files_lock(const struct vault_files *f, int *lock, struct fault *why)
{
	OWNED(close_fd) int dir = -1;

	*lock = -1;
	if (mkdir(f->dir, 0700) != 0 && errno != EEXIST)
		return fault_set(why, errno == ENOSPC ? ERR_STORAGE_FULL : ERR_IO,
			"cannot make the state folder %s: %s", f->dir, strerror(errno));
	enum err err = open_dir(f->dir, &dir, why);
	if (err)
		return err;
	if (dir < 0)
		return fault_set(why, ERR_IO, "the state folder %s was removed", f->dir);
	const int fd = may_step(f, "open " LOCK)
			       ? openat(dir, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)
			       : -1;
	if (fd < 0)
		return failed(f, "open", LOCK, unchanged, why);
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		const bool is_taken = errno == EWOULDBLOCK || errno == EINTR;
		if (!is_taken || tries == LOCK_TRIES) {
			const int cause = errno;
			close(fd);
			errno = cause;
			if (!is_taken)
				return failed(f, "lock", LOCK, unchanged, why);
			return fault_set(why, ERR_IO,
				"another program holds %s/" LOCK
				": is a second broker writing this vault? %s",
				f->dir, unchanged);
		}
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE}, NULL);
	}
	*lock = fd;
	return OK;
}

void vault_files_unlock(int lock)
{
	close(lock);
}

/* ---- the key file ---- */

enum err vault_files_read_key(
	const struct vault_files *f, unsigned char *key, bool *is_absent, struct fault *why)
{
	OWNED(close_fd) int fd = -1;
	unsigned char bytes[FORMAT_KEY_BYTES + 1];
	size_t n = 0;

	*is_absent = false;
	const enum err err =
		open_file(AT_FDCWD, f->key_path, f->key_path, S_IRWXG | S_IRWXO, &fd, why);
	if (err)
		return err;
	if (fd < 0) {
		*is_absent = true;
		return OK;
	}
	for (;;) {
		const ssize_t got = read(fd, bytes + n, sizeof bytes - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			sodium_memzero(bytes, sizeof bytes);
			return fault_set(why, ERR_IO, "cannot read the key file %s: %s",
				f->key_path, strerror(errno));
		}
		n += (size_t)got;
		if (got == 0 || n == sizeof bytes)
			break;
	}
	if (n == FORMAT_KEY_BYTES)
		memcpy(key, bytes, n);
	sodium_memzero(bytes, sizeof bytes);
	if (n != FORMAT_KEY_BYTES)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"the key file %s must hold %d bytes, no more and no less", f->key_path,
			FORMAT_KEY_BYTES);
	return OK;
}

/* ---- the credential ---- */

/* The bytes themselves where they are as many as a key's, else a hash of all. False: errno. */
static bool read_as_key(int fd, unsigned char *key, size_t *size)
{
	unsigned char piece[4096], first[FORMAT_KEY_BYTES] = {0};
	crypto_generichash_state state;
	size_t n = 0;
	ssize_t got;

	crypto_generichash_init(&state, NULL, 0, FORMAT_KEY_BYTES);
	while ((got = read(fd, piece, sizeof piece)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		for (size_t i = 0; n + i < sizeof first && i < (size_t)got; i++)
			first[n + i] = piece[i];
		crypto_generichash_update(&state, piece, (unsigned long long)got);
		n += (size_t)got;
	}
	crypto_generichash_final(&state, key, FORMAT_KEY_BYTES);
	if (n == FORMAT_KEY_BYTES)
		memcpy(key, first, sizeof first);
	sodium_memzero(piece, sizeof piece);
	sodium_memzero(first, sizeof first);
	sodium_memzero(&state, sizeof state);
	*size = n;
	return got == 0;
}

enum err vault_files_read_credential(
	const struct vault_files *f, unsigned char *key, bool *is_absent, struct fault *why)
{
	OWNED(close_fd) int fd = -1;
	size_t n = 0;

	*is_absent = !f->credential_path;
	if (*is_absent)
		return OK;
	/* systemd lets its service read it by an access list, which shows as the group's bit */
	const enum err err = open_file(
		AT_FDCWD, f->credential_path, f->credential_path, S_IWGRP | S_IRWXO, &fd, why);
	if (err)
		return err;
	*is_absent = fd < 0;
	if (*is_absent)
		return OK;
	if (!read_as_key(fd, key, &n)) {
		sodium_memzero(key, FORMAT_KEY_BYTES);
		return fault_set(why, ERR_IO, "cannot read the credential %s: %s",
			f->credential_path, strerror(errno));
	}
	if (n > 0)
		return OK;
	sodium_memzero(key, FORMAT_KEY_BYTES);
	return fault_set(why, ERR_VAULT_DAMAGED, "the credential %s is empty", f->credential_path);
}

/* ---- making a key file ---- */

/* The folder of a path; the caller frees. */
static char *folder_of(const char *path)
{
	char *copy = strdup(path);
	char *dir = copy ? strdup(dirname(copy)) : NULL;
	free(copy);
	if (!dir)
		abort();
	return dir;
}

static void free_text(char **text)
{
	free(*text);
}

enum err vault_files_make_key(const struct vault_files *f, unsigned char *key, struct fault *why)
{
	OWNED(free_text) char *folder = folder_of(f->key_path);
	OWNED(close_fd) int dir = -1;

	const enum err err = open_dir(folder, &dir, why);
	if (err)
		return err;
	randombytes_buf(key, FORMAT_KEY_BYTES);
	/* whole or not at all: half a key file would be in the way for ever */
	errno = ENOENT;
	if (dir >= 0 &&
		write_file(f, dir, FRESH_KEY, span_of((const char *)key, FORMAT_KEY_BYTES))) {
		if (may_step(f, "rename vault.key") &&
			renameat(dir, FRESH_KEY, AT_FDCWD, f->key_path) == 0 && sync_dir(f, dir))
			return OK;
		const int cause = errno;
		unlinkat(dir, FRESH_KEY, 0);
		unlink(f->key_path);
		errno = cause;
	}
	sodium_memzero(key, FORMAT_KEY_BYTES);
	return fault_set(why, errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
		"cannot make the key file %s: %s. No vault was made", f->key_path, strerror(errno));
}

void vault_files_remove_key(const struct vault_files *f)
{
	unlink(f->key_path);
}
