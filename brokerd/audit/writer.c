/* writer.c - a group is made whole in memory, goes out in one write, and only then moves the chain on. */
#include "brokerd/audit/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/audit/check.h"
#include "brokerd/audit/line.h"
#include "brokerd/value/mounted.h"
#include "protocol/base/json.h"
#include "protocol/limits.h"

#define LOCK_NAME   "audit.lock"
#define GROUP_BYTES (16 * MIB) /* more than the queue comes to, sealed */
#define NOTE_BYTES  128
#define STACK_BYTES 8192 /* what the hashes leave of keys there */

struct writer {
	char state_dir[4096];
	struct audit_limits limits;
	int folder, lock;     /* -1: not there yet, or let go */
	struct mounted where; /* the disk of the folder */
	bool is_ready;        /* the files were read */
	bool has_epoch;       /* of this process */
	bool is_torn;         /* a write broke off, and could not be taken back yet */
	bool lacks_end;       /* another program left half a line */
	size_t bytes;         /* of audit.log, as far as it is ours */
	uint64_t rotated;     /* the highest number */
	size_t torn_bytes;    /* of a former broker's last write */
	char damage[NOTE_BYTES], change[NOTE_BYTES]; /* what is still to be recorded; "" nothing */
	struct guarded *chain;
};

static enum err fail(const struct writer *w, const char *doing, int os, struct fault *why)
{
	if (os == ENOSPC || os == EDQUOT || os == EFBIG)
		return fault_set(why, ERR_STORAGE_FULL, "%s %s/" FILES_CURRENT " failed: %s", doing,
			w->state_dir, strerror(os));
	return fault_set(why, ERR_IO, "%s %s/" FILES_CURRENT " failed: %s", doing, w->state_dir,
		os == ELOOP ? "it is a symbolic link" : strerror(os));
}

static void load_chain(const struct writer *w, struct chain *to)
{
	memcpy(to, guarded_read(w->chain).p, sizeof *to);
	guarded_close(w->chain);
}

static void store_chain(const struct writer *w, const struct chain *from)
{
	memcpy(guarded_write(w->chain), from, sizeof *from);
	guarded_close(w->chain);
}

/* ---- after a former broker ---- */

static enum err take_lock(struct writer *w, struct fault *why)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	w->folder = files_folder(w->state_dir);
	if (w->folder < 0)
		return fail(w, "opening", errno, why);
	w->lock = openat(w->folder, LOCK_NAME, flags, 0600);
	if (w->lock < 0)
		return fail(w, "locking", errno, why);
	if (flock(w->lock, LOCK_EX | LOCK_NB) == 0)
		return OK;
	return errno == EWOULDBLOCK
		       ? fault_set(why, ERR_IO, "another llm-brokerd writes the audit log in %s",
				 w->state_dir)
		       : fail(w, "locking", errno, why);
}

void writer_let_go(struct writer *w)
{
	if (w->lock >= 0)
		close(w->lock);
	if (w->folder >= 0)
		close(w->folder);
	w->lock = w->folder = -1;
}

/* What was changed stays as it is, for whoever looks into it; the log goes on in a new file. */
static enum err set_aside(struct writer *w, size_t line, struct fault *why)
{
	char name[FILES_NAME_BYTES];
	const int failed = files_rotate(w->folder, w->rotated + 1, &w->limits);
	if (failed)
		return fail(w, "setting aside", failed, why);
	w->rotated++;
	w->bytes = 0;
	(void)snprintf(w->damage, sizeof w->damage, "%s:%zu is not what was written",
		files_name(name, w->rotated), line);
	return OK;
}

static enum err cut_tail(struct writer *w, size_t good, size_t all, struct fault *why)
{
	const int fd = openat(w->folder, FILES_CURRENT, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	const int failed = fd < 0 || ftruncate(fd, (off_t)good) != 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (failed)
		return fail(w, "mending", failed, why);
	w->torn_bytes = all - good;
	w->bytes = good;
	return OK;
}

/* Reads the file that is written to. */
static enum err recover_current(struct writer *w, struct check *c, struct fault *why)
{
	OWNED(buf_done) struct buf file = BUF_INIT(FILES_READ_BYTES);
	size_t line, good = 0;
	const int failed = files_read(w->folder, FILES_CURRENT, &file);
	if (failed == ENOENT)
		return OK;
	if (failed)
		return fail(w, "reading", failed, why);
	check_file(c);
	const enum check_flaw flaw = check_bytes(c, buf_view(&file), &line, &good);
	w->bytes = file.n;
	if (flaw == CHECK_TORN)
		return cut_tail(w, good, file.n, why);
	if (!flaw)
		return OK;
	/* no number is given twice */
	c->chain.seq = check_highest_seq(span_skip(buf_view(&file), good), c->chain.seq);
	return set_aside(w, line, why);
}

/* There is nothing in it: the log goes on from the one before. */
static enum err recover_former(struct writer *w, struct check *c, struct fault *why)
{
	OWNED(buf_done) struct buf file = BUF_INIT(FILES_READ_BYTES);
	char name[FILES_NAME_BYTES];
	size_t line, good;
	const int failed = files_read(w->folder, files_name(name, w->rotated), &file);
	if (failed)
		return fail(w, "reading what was before", failed, why);
	check_file(c);
	if (check_bytes(c, buf_view(&file), &line, &good) == CHECK_WHOLE)
		return OK;
	c->chain.seq = check_highest_seq(span_skip(buf_view(&file), good), c->chain.seq);
	if (w->damage[0] == '\0')
		(void)snprintf(
			w->damage, sizeof w->damage, "%s:%zu is not what was written", name, line);
	return OK;
}

static enum err recover(struct writer *w, struct fault *why)
{
	struct check c = {.is_begun = false};
	struct files all;
	if (!files_list(w->folder, &all))
		return fail(w, "looking for", errno, why);
	w->rotated = all.n > 0 ? all.numbers[all.n - 1] : 0;
	enum err err = recover_current(w, &c, why);
	if (!err && !c.is_begun && w->rotated > 0)
		err = recover_former(w, &c, why);
	if (err)
		return err;
	store_chain(w, &c.chain);
	return OK;
}

/* ---- after it was let go ---- */

/* Does the file begin with all that was written to it? */
static bool is_own(const struct writer *w, struct span file)
{
	struct check c = {.is_begun = false};
	struct chain own;
	size_t line, good;
	if (w->bytes == 0 || file.n < w->bytes)
		return file.n == 0;
	load_chain(w, &own);
	check_file(&c);
	const bool is_same =
		check_bytes(&c, span_first(file, w->bytes), &line, &good) == CHECK_WHOLE &&
		c.chain.seq == own.seq && memcmp(c.chain.head, own.head, sizeof own.head) == 0;
	sodium_memzero(&own, sizeof own);
	return is_same;
}

/* What another disk has there is kept; the log goes on in a new file. */
static enum err keep_other(struct writer *w, struct fault *why)
{
	char name[FILES_NAME_BYTES];
	const int failed = files_rotate(w->folder, w->rotated + 1, &w->limits);
	if (failed)
		return fail(w, "setting aside", failed, why);
	w->rotated++;
	w->bytes = 0;
	w->is_torn = false;
	(void)snprintf(w->change, sizeof w->change, "another log was there, and is %s",
		files_name(name, w->rotated));
	return OK;
}

/* As it was left, or another one: a backup's, or a new disk's, which has none. */
static enum err find_again(struct writer *w, struct fault *why)
{
	OWNED(buf_done) struct buf file = BUF_INIT(FILES_READ_BYTES);
	struct files all;
	if (!files_list(w->folder, &all))
		return fail(w, "looking for", errno, why);
	w->rotated = all.n > 0 ? all.numbers[all.n - 1] : 0;
	const int failed = files_read(w->folder, FILES_CURRENT, &file);
	if (failed && failed != ENOENT)
		return fail(w, "reading", failed, why);
	if (!is_own(w, buf_view(&file)))
		return keep_other(w, why);
	w->is_torn = w->is_torn && file.n > w->bytes;
	return OK;
}

static enum err make_ready(struct writer *w, struct fault *why)
{
	if (w->is_ready && w->folder >= 0)
		return OK;
	enum err err = mounted_check(&w->where, why);
	if (!err)
		err = take_lock(w, why);
	if (!err)
		err = w->is_ready ? find_again(w, why) : recover(w, why);
	if (err) {
		writer_let_go(w);
		return err;
	}
	if (!w->is_ready)
		mounted_note(&w->where, w->state_dir);
	w->is_ready = true;
	return OK;
}

/* ---- the file ---- */

/* Whoever else wrote to it or cut it is noted, and the chain tells where. */
static void compare(struct writer *w, int fd, size_t found)
{
	char last = '\n';
	if (found == w->bytes)
		return;
	(void)snprintf(w->change, sizeof w->change,
		"another program changed the file: it had %zu bytes, and has %zu", w->bytes, found);
	w->lacks_end = found > 0 && pread(fd, &last, 1, (off_t)found - 1) == 1 && last != '\n';
	w->bytes = found;
}

static enum err look_at(struct writer *w, int fd, struct fault *why)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fail(w, "opening", errno, why);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return fail(w, "opening", EPERM, why);
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) != 0)
		return fail(w, "closing to others", errno, why);
	if (w->is_torn) {
		if (ftruncate(fd, (off_t)w->bytes) != 0)
			return fail(w, "mending", errno, why);
		w->is_torn = false;
		return OK;
	}
	compare(w, fd, (size_t)st.st_size);
	return OK;
}

static enum err rotate(struct writer *w, struct fault *why)
{
	struct files all;
	if (files_list(w->folder, &all) && all.n > 0 && all.numbers[all.n - 1] > w->rotated)
		w->rotated = all.numbers[all.n - 1]; /* another program's */
	const int failed = files_rotate(w->folder, w->rotated + 1, &w->limits);
	if (failed && failed != ENOENT)
		return fail(w, "rotating", failed, why);
	w->rotated += !failed;
	w->bytes = 0;
	return OK;
}

static enum err open_file(struct writer *w, int *fd, struct fault *why)
{
	const int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const enum err err = w->bytes >= w->limits.file_bytes ? rotate(w, why) : OK;
	if (err)
		return err;
	*fd = openat(w->folder, FILES_CURRENT, flags, 0600);
	return *fd < 0 ? fail(w, "opening", errno, why) : look_at(w, *fd, why);
}

static bool write_all(int fd, struct span left)
{
	while (left.n > 0) {
		const ssize_t n = write(fd, left.p, left.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			return false;
		}
		left = span_skip(left, (size_t)n);
	}
	return true;
}

static enum err append(struct writer *w, int fd, const struct buf *out, struct fault *why)
{
	const bool is_new = w->bytes == 0;
	if (!write_all(fd, buf_view(out)) || fdatasync(fd) != 0 ||
		(is_new && fsync(w->folder) != 0)) {
		const enum err err = fail(w, "writing", errno, why);
		w->is_torn = ftruncate(fd, (off_t)w->bytes) != 0;
		return err;
	}
	w->bytes += out->n;
	return OK;
}

/* ---- a group ---- */

struct group {
	struct writer *writer;
	struct chain chain; /* as it will be */
	int64_t at_us;
	struct buf *out;
	bool is_at_top; /* of a file */
};

/* Begins a record of the log's own; what is put to *o goes on with it. */
static void own_begin(const struct group *g, const char *what, struct buf *text, struct json_out *o)
{
	buf_init(text, LINE_BYTES);
	*o = json_to(text);
	json_pair_i64(o, "at_us", g->at_us);
	json_pair_str(o, "what", span_str(what));
}

static void own_end(struct group *g, struct buf *text)
{
	line_seal(&g->chain, buf_view(text), g->out);
	buf_done(text);
}

static void put_hex(struct json_out *o, const char *name, const unsigned char *bytes, size_t n)
{
	json_key(o, name);
	buf_byte(o->to, '"');
	line_put_hex(o->to, bytes, n);
	buf_byte(o->to, '"');
	o->has_value = true;
}

/* A record that tells in which epoch it is, and which at the top of a file goes on from what. */
static void put_place(struct group *g, const char *what)
{
	const struct epoch *e = &g->chain.epoch;
	struct buf text;
	struct json_out o;
	own_begin(g, what, &text, &o);
	if (g->is_at_top)
		put_hex(&o, "prev", g->chain.head, sizeof g->chain.head);
	g->is_at_top = false;
	put_hex(&o, "epoch", e->id, sizeof e->id);
	json_pair_i64(&o, "step", (int64_t)e->step);
	if (e->is_keyed)
		put_hex(&o, "vault", e->mark, sizeof e->mark);
	own_end(g, &text);
}

static void put_note(struct group *g, const char *what, const char *detail)
{
	struct buf text;
	struct json_out o;
	own_begin(g, what, &text, &o);
	json_pair_str(&o, "detail", span_str(detail));
	own_end(g, &text);
}

static void put_close(struct group *g)
{
	struct buf text;
	struct json_out o;
	own_begin(g, "audit.close", &text, &o);
	own_end(g, &text);
}

static void put_notes(struct group *g)
{
	char torn[NOTE_BYTES];
	const struct writer *w = g->writer;
	(void)snprintf(torn, sizeof torn,
		"the last write broke off: %zu bytes of no whole record were cut away",
		w->torn_bytes);
	if (w->torn_bytes > 0)
		put_note(g, "audit.torn", torn);
	if (w->damage[0])
		put_note(g, "audit.damaged", w->damage);
	if (w->change[0])
		put_note(g, "audit.changed", w->change);
}

static void enter_epoch(struct group *g, struct guarded *epoch)
{
	const struct span bytes = guarded_read(epoch);
	assert(bytes.n == sizeof g->chain.epoch);
	memcpy(&g->chain.epoch, bytes.p, bytes.n);
	guarded_close(epoch);
	put_place(g, "audit.epoch");
}

static void compose(struct group *g, const struct batch *b)
{
	struct writer *w = g->writer;
	struct span rest = b->records;
	if (w->lacks_end)
		buf_byte(g->out, '\n');
	if (!w->has_epoch)
		enter_epoch(g, b->epoch);
	else if (g->is_at_top)
		put_place(g, "audit.file");
	put_notes(g);
	while (rest.n > 0)
		line_seal(&g->chain, span_cut(&rest, '\n'), g->out);
	if (w->has_epoch && b->epoch) {
		put_close(g);
		enter_epoch(g, b->epoch);
	}
	if (b->is_last)
		put_close(g);
}

static void commit(struct writer *w, const struct chain *next)
{
	store_chain(w, next);
	w->has_epoch = true;
	w->lacks_end = false;
	w->torn_bytes = 0;
	w->damage[0] = w->change[0] = '\0';
}

static enum err write_group(struct writer *w, const struct batch *b, int *fd, struct fault *why)
{
	OWNED(buf_done) struct buf out = BUF_INIT(GROUP_BYTES);
	enum err err = open_file(w, fd, why);
	if (err)
		return err;
	struct group g = {.writer = w, .at_us = b->at_us, .out = &out, .is_at_top = w->bytes == 0};
	load_chain(w, &g.chain);
	compose(&g, b);
	err = buf_error(&out);
	if (!err)
		err = append(w, *fd, &out, why);
	if (!err)
		commit(w, &g.chain);
	sodium_memzero(&g, sizeof g);
	sodium_stackzero(STACK_BYTES);
	return err;
}

enum err writer_write(struct writer *w, const struct batch *b, struct fault *why)
{
	int fd = -1;
	enum err err = make_ready(w, why);
	assert(w->has_epoch || b->epoch);
	if (!err)
		err = write_group(w, b, &fd, why);
	if (fd >= 0)
		close(fd);
	if (err == ERR_IO)
		writer_let_go(w);
	return err;
}

struct written writer_last(struct writer *w)
{
	struct chain chain;
	load_chain(w, &chain);
	struct written last = {.seq = chain.seq};
	memcpy(last.head, chain.head, sizeof last.head);
	sodium_memzero(&chain, sizeof chain);
	return last;
}

/* ---- birth and death ---- */

struct writer *writer_new(const char *state_dir, const struct audit_limits *limits)
{
	struct writer *w = calloc(1, sizeof *w);
	if (!w || guarded_new(sizeof(struct chain), &w->chain) != OK) {
		free(w);
		return NULL;
	}
	(void)snprintf(w->state_dir, sizeof w->state_dir, "%s", state_dir);
	w->limits = *limits;
	w->folder = w->lock = -1;
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	writer_let_go(w);
	guarded_free(w->chain);
	free(w);
}
