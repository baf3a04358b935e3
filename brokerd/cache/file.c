/* file.c - pread and pwrite at blocks. */
#include "brokerd/cache/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME       "answers"
#define NOTES      "cleared"
#define NOTES_MOST ((size_t)8)
/* of a file that is looked through: */
#define PIECE_LEAST ((size_t)2 * KIB)
#define PIECE_MOST  MIB
#define GAP_BYTES   ((int64_t)(32 * KIB)) /* a shorter one is read over */

static void path_in(const char *dir, const char *name, char to[4096])
{
	(void)snprintf(to, 4096, "%.4000s/%s", dir, name);
}

static void path_of(const char *dir, char to[4096])
{
	path_in(dir, NAME, to);
}

static off_t offset_of(uint32_t block)
{
	return (off_t)block * (off_t)CACHE_BLOCK_BYTES;
}

void cache_file_init(
	struct cache_file *f, const char *dir, const unsigned char key[CACHE_SEAL_BYTES])
{
	*f = (struct cache_file){.fd = -1};
	(void)snprintf(f->dir, sizeof f->dir, "%s", dir);
	cache_seal_init(&f->seal, key);
}

static void close_it(struct cache_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}

void cache_file_done(struct cache_file *f)
{
	close_it(f);
	cache_seal_wipe(&f->seal);
}

/* So that what went from it is not back after a power cut. */
static void sync_folder(const char *dir)
{
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
}

bool cache_file_remove(const char *dir)
{
	char path[4096];
	path_of(dir, path);
	if (unlink(path) == 0)
		sync_folder(dir);
	else if (errno != ENOENT && errno != ENOTDIR)
		return false;
	cache_file_unnote(dir);
	(void)rmdir(dir);
	return true;
}

/* Returns how many there were, or could be read. */
static size_t read_some(int fd, off_t at, char *to, size_t n)
{
	size_t done = 0;
	while (done < n) {
		const ssize_t got = pread(fd, to + done, n - done, at + (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

static bool read_at(int fd, off_t at, char *to, size_t n)
{
	return read_some(fd, at, to, n) == n;
}

static bool write_at(int fd, off_t at, const unsigned char *from, size_t n)
{
	for (size_t done = 0; done < n;) {
		const ssize_t put = pwrite(fd, from + done, n - done, at + (off_t)done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		done += (size_t)put;
	}
	return true;
}

/* ---- the file ---- */

/* Is it a file of ours alone, and one that this key made? */
static bool is_ours(struct cache_file *f)
{
	char header[CACHE_HEADER_BYTES];
	struct stat st;
	if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		st.st_nlink != 1)
		return false;
	if ((st.st_mode & 077) && fchmod(f->fd, 0600) != 0)
		return false;
	return read_at(f->fd, 0, header, sizeof header) &&
	       cache_header_read(&f->seal, span_of(header, sizeof header), f->id);
}

enum file_found cache_file_open(struct cache_file *f)
{
	char path[4096];
	path_of(f->dir, path);
	f->fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f->fd >= 0 && is_ours(f)) {
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_RANDOM);
		return FILE_FOUND;
	}
	/* a link, a pipe, another's: it is in our place, whatever it is */
	const bool is_strange = f->fd >= 0 || errno == ELOOP || errno == EACCES || errno == ENXIO;
	close_it(f);
	if (!is_strange)
		return errno == ENOENT || errno == ENOTDIR ? FILE_NONE : FILE_FAILED;
	return cache_file_remove(f->dir) ? FILE_STRANGE : FILE_FAILED;
}

/* A file without records, which begins as it must. */
static bool begin(struct cache_file *f)
{
	unsigned char header[CACHE_HEADER_BYTES];
	cache_header_make(&f->seal, f->id, header);
	return ftruncate(f->fd, 0) == 0 && write_at(f->fd, 0, header, sizeof header);
}

/* The folder and the one above it. What goes wrong is told by who makes a file there. */
static void make_folders(const char *dir)
{
	char above[4096];
	(void)snprintf(above, sizeof above, "%s", dir);
	(void)mkdir(dirname(above), 0700);
	(void)mkdir(dir, 0700);
}

static bool make(struct cache_file *f)
{
	char path[4096];
	path_of(f->dir, path);
	make_folders(f->dir);
	f->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd >= 0 && begin(f)) {
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_RANDOM);
		return true;
	}
	const int cause = errno;
	if (f->fd >= 0)
		(void)unlink(path);
	close_it(f);
	errno = cause;
	return false;
}

bool cache_file_clear(struct cache_file *f)
{
	return f->fd < 0 ? cache_file_remove(f->dir) : begin(f);
}

bool cache_file_sync(const struct cache_file *f)
{
	return f->fd < 0 || fdatasync(f->fd) == 0;
}

bool cache_file_cut(struct cache_file *f, int64_t bytes)
{
	struct stat st;
	if (bytes < (int64_t)CACHE_BLOCK_BYTES)
		bytes = (int64_t)CACHE_BLOCK_BYTES;
	return f->fd < 0 || (fstat(f->fd, &st) == 0 && st.st_size <= bytes) ||
	       ftruncate(f->fd, bytes) == 0;
}

/* ---- whose records are to go ---- */

bool cache_file_noted(const char *dir, struct buf *scopes)
{
	char path[4096], bytes[NOTES_MOST * sizeof(uint64_t) + 1];
	path_in(dir, NOTES, path);
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR;
	const ssize_t n = pread(fd, bytes, sizeof bytes, 0);
	(void)close(fd);
	if (n < 0 || (size_t)n == sizeof bytes)
		return false;
	/* what a kill has left of the last one was not told as done */
	buf_put(scopes, bytes, (size_t)n / sizeof(uint64_t) * sizeof(uint64_t));
	return buf_error(scopes) == OK;
}

void cache_file_unnote(const char *dir)
{
	char path[4096];
	path_in(dir, NOTES, path);
	(void)unlink(path);
}

/* All of them, in the place of those that were noted. */
static bool write_notes(const char *dir, struct span scopes)
{
	char path[4096], beside[4096];
	path_in(dir, NOTES, path);
	path_in(dir, NOTES ".new", beside);
	const int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	const bool is_written =
		write_at(fd, 0, (const unsigned char *)scopes.p, scopes.n) && fsync(fd) == 0;
	const bool is_there = close(fd) == 0 && is_written && rename(beside, path) == 0;
	if (is_there)
		sync_folder(dir);
	return is_there;
}

static bool has_scope(const struct buf *scopes, const char *scope)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= scopes->n; at += sizeof(uint64_t)) {
		if (memcmp(scopes->p + at, scope, sizeof(uint64_t)) == 0)
			return true;
	}
	return false;
}

bool cache_file_note(const char *dir, struct span scopes)
{
	char path[4096];
	OWNED(buf_done) struct buf all = BUF_INIT(NOTES_MOST * sizeof(uint64_t));
	path_of(dir, path);
	if (access(path, F_OK) != 0)
		return errno == ENOENT || errno == ENOTDIR; /* there are none */
	bool fits = cache_file_noted(dir, &all);
	for (size_t at = 0; fits && at + sizeof(uint64_t) <= scopes.n; at += sizeof(uint64_t)) {
		if (!has_scope(&all, scopes.p + at))
			buf_put(&all, scopes.p + at, sizeof(uint64_t));
		fits = buf_error(&all) == OK;
	}
	return fits ? write_notes(dir, buf_view(&all)) : cache_file_remove(dir);
}

/* ---- records ---- */

bool cache_file_write(
	struct cache_file *f, const struct cache_copy *c, uint32_t block, struct buf *room)
{
	/* whole blocks: nothing is left of what lay there */
	const size_t n = cache_record_bytes(c->about_bytes, c->body_bytes);
	const size_t whole = (n + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES * CACHE_BLOCK_BYTES;
	if (f->fd < 0 && !make(f))
		return false;
	buf_clear(room);
	unsigned char *to = (unsigned char *)buf_reserve(room, whole);
	if (!to) {
		errno = ENOMEM;
		return false;
	}
	cache_record_seal(&f->seal, (struct cache_spot){f->id, block}, c, to);
	memset(to + n, 0, whole - n);
	return write_at(f->fd, offset_of(block), to, whole);
}

bool cache_file_erase(struct cache_file *f, uint32_t block, uint32_t blocks)
{
	static const unsigned char nothing[CACHE_HEAD_BYTES];
	struct stat st;
	if (f->fd < 0)
		return true;
	if (fstat(f->fd, &st) != 0)
		return false;
	for (uint32_t i = block; i < block + blocks && offset_of(i) < st.st_size; i++) {
		const off_t left = st.st_size - offset_of(i);
		const size_t n = left < (off_t)sizeof nothing ? (size_t)left : sizeof nothing;
		if (!write_at(f->fd, offset_of(i), nothing, n))
			return false;
	}
	return true;
}

bool cache_file_read(int fd, uint32_t block, size_t n, struct buf *out)
{
	char *to = buf_reserve(out, n);
	if (!to || !read_at(fd, offset_of(block), to, n))
		return false;
	buf_commit(out, n);
	return true;
}

/* ---- all that there is ---- */

/* What was read of the file last. Pieces grow where heads lie close together, and are small where most of them would be bodies. */
struct window {
	int fd;
	int64_t at;
	struct buf bytes;
	size_t piece;
	bool is_end; /* it ends where the file does */
};

static bool read_piece(struct window *w, int64_t at)
{
	const int64_t end = w->at + (int64_t)w->bytes.n;
	const bool is_near = at >= w->at && at - end <= GAP_BYTES;
	w->piece = is_near && w->piece > 0 ? w->piece * 4 : PIECE_LEAST;
	w->piece = w->piece < PIECE_MOST ? w->piece : PIECE_MOST;
	w->at = at;
	buf_clear(&w->bytes);
	char *to = buf_reserve(&w->bytes, w->piece);
	const size_t n = to ? read_some(w->fd, (off_t)at, to, w->piece) : 0;
	buf_commit(&w->bytes, n);
	w->is_end = n < w->piece;
	return to != NULL;
}

/* What lies there, as long as a head may be, or up to the end. */
static struct span see(struct window *w, int64_t at)
{
	const int64_t end = w->at + (int64_t)w->bytes.n;
	const bool is_there =
		at >= w->at && at < end && (w->is_end || end - at >= (int64_t)CACHE_HEAD_MAX);
	if (!is_there && !read_piece(w, at))
		return SPAN_NONE;
	return span_skip(buf_view(&w->bytes), (size_t)(at - w->at));
}

/* The head at a block. Returns how many blocks to go on by, or 0: it is no record. */
static uint32_t look(
	struct cache_file *f, struct window *w, uint32_t block, int64_t size, struct cache_head *h)
{
	char about[CACHE_ABOUT_BYTES];
	const struct span bytes = see(w, offset_of(block));
	if (!cache_record_head(&f->seal, (struct cache_spot){f->id, block}, bytes, h, about))
		return 0;
	const size_t whole = cache_record_bytes(h->about_bytes, h->body_bytes);
	if ((int64_t)whole > size - offset_of(block))
		return 0;
	return (uint32_t)((whole + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES);
}

bool cache_file_scan(
	struct cache_file *f, struct cache_book *b, int64_t now_s, int64_t bytes, uint32_t *block)
{
	struct stat st;
	struct cache_head h;
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		return true;
	if (*block == 0)
		*block = 1;
	struct window w = {.fd = f->fd, .bytes = BUF_INIT(PIECE_MOST)};
	const int64_t until = offset_of(*block) + bytes;
	while (offset_of(*block) < until && offset_of(*block) < st.st_size) {
		const uint32_t blocks = look(f, &w, *block, st.st_size, &h);
		uint32_t loser;
		if (blocks > 0 && h.kept_s > now_s && !cache_book_load(b, &h, *block, &loser))
			(void)cache_file_erase(f, loser, 1);
		*block += blocks > 0 ? blocks : 1;
	}
	buf_done(&w.bytes);
	return offset_of(*block) >= st.st_size;
}
