/* items.c - a table in the order of coming, and a file of sealed records:
 *
 *     u32 length | 24 nonce | ciphertext and 16 tag, `length` bytes
 *     sealed: i64 seconds since 1970 | 16 key | the value
 *
 * Little endian. A file that has grown to the bound becomes PATH.old, in place of the one before it.
 * A record that does not open, for another vault's key sealed it, is passed over. One that breaks off
 * is the torn end of a crash, and is cut off before more is written: what came behind it would be
 * taken for the rest of it. A later record of a key takes the place of an earlier one; without a
 * value it takes it away. */
#include "brokerd/store/items.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/base/buf.h"
#include "protocol/base/list.h"
#include "protocol/base/table.h"
#include "protocol/limits.h"

#define ID_BYTES    16
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_BYTES  (8 + ID_BYTES) /* of what is sealed, before the value */
#define STORE_LANE  5              /* of the workers: one read or write after the other */

struct item {
	TABLE_LINK;
	struct item *prev, *next; /* oldest first */
	unsigned char id[ID_BYTES];
	int64_t at_s;
	size_t n;
	bool is_fresh; /* came while the files were being read */
	char value[];
};

/* What a worker is at: reading both files, or appending to one. It owns all of this. */
struct work {
	struct job job;
	struct items *store;
	char path[4096], old[4096];
	unsigned char key[ITEMS_KEY_BYTES];
	struct buf
		bytes; /* to append; or the records as read, opened: each u32 length, head, value */
	size_t file_max;
	int cause; /* errno of what failed; 0: nothing did */
};

struct items {
	struct workers *workers;
	struct items_limits limits;
	char path[4096];
	struct item *table, *list;
	size_t bytes, n;
	unsigned char key[ITEMS_KEY_BYTES];
	bool has_key, is_read, is_busy;
	int64_t now_s;      /* as last told */
	struct buf pending; /* records for the file */
};

/* What may wait to be written; and so the most that a file comes to hold, which is written on while it
 * is within the bound. */
#define PENDING_BYTES(bound) (2 * (bound) + MIB)
#define FILE_BYTES(bound)    ((bound) + PENDING_BYTES(bound))

/* ---- records ---- */

static void put_u32(unsigned char *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_u32(const char *from)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++)
		v |= (uint32_t)(unsigned char)from[i] << (8 * i);
	return v;
}

static void put_i64(unsigned char *to, int64_t v)
{
	for (int i = 0; i < 8; i++)
		to[i] = (unsigned char)((uint64_t)v >> (8 * i));
}

static int64_t get_i64(const char *from)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v |= (uint64_t)(unsigned char)from[i] << (8 * i);
	return (int64_t)v;
}

/* Appends the record of an item, sealed. */
static void seal(const unsigned char key[ITEMS_KEY_BYTES], const struct item *item, struct buf *out)
{
	OWNED(buf_done) struct buf plain = BUF_INIT(HEAD_BYTES + item->n);
	unsigned char head[HEAD_BYTES], length[4], nonce[NONCE_BYTES];
	const size_t sealed = HEAD_BYTES + item->n + TAG_BYTES;
	put_i64(head, item->at_s);
	memcpy(head + 8, item->id, ID_BYTES);
	buf_put(&plain, head, sizeof head);
	buf_put(&plain, item->value, item->n);
	randombytes_buf(nonce, sizeof nonce);
	put_u32(length, (uint32_t)sealed);
	buf_put(out, length, sizeof length);
	buf_put(out, nonce, sizeof nonce);
	char *room = buf_reserve(out, sealed);
	if (!room || buf_error(&plain))
		return; /* it stays in memory alone */
	crypto_aead_xchacha20poly1305_ietf_encrypt((unsigned char *)room, NULL,
		(const unsigned char *)buf_view(&plain).p, plain.n, length, sizeof length, NULL,
		nonce, key);
	buf_commit(out, sealed);
}

/* Opens a record into `out`, where this key sealed it. False: out of memory. */
static bool open_one(const unsigned char key[ITEMS_KEY_BYTES], struct span record, struct buf *out)
{
	const unsigned char *at = (const unsigned char *)record.p;
	const size_t sealed = record.n - 4 - NONCE_BYTES, before = out->n;
	unsigned char length[4];
	put_u32(length, (uint32_t)(sealed - TAG_BYTES));
	buf_put(out, length, sizeof length);
	char *room = buf_reserve(out, sealed - TAG_BYTES);
	if (!room)
		return false;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)room, NULL, NULL,
		    at + 4 + NONCE_BYTES, sealed, at, 4, at + 4, key) == 0)
		buf_commit(out, sealed - TAG_BYTES);
	else
		buf_cut(out, before);
	return true;
}

/* Opens the records of a file, one after the other, into `out`. How much of the file is whole. */
static size_t open_all(const unsigned char key[ITEMS_KEY_BYTES], struct span file, struct buf *out)
{
	struct span rest = file;
	while (rest.n >= 4 + NONCE_BYTES + HEAD_BYTES + TAG_BYTES) {
		const size_t sealed = get_u32(rest.p);
		if (sealed < HEAD_BYTES + TAG_BYTES || sealed > rest.n - 4 - NONCE_BYTES)
			break;
		const size_t n = 4 + NONCE_BYTES + sealed;
		if (!open_one(key, span_first(rest, n), out))
			return file.n; /* nothing is known of what follows */
		rest = span_skip(rest, n);
	}
	return file.n - rest.n;
}

/* ---- the table ---- */

static void make_id(unsigned char to[ID_BYTES], uint64_t owner, struct span id)
{
	crypto_generichash_state state;
	const uint64_t number = owner;
	crypto_generichash_init(&state, NULL, 0, ID_BYTES);
	crypto_generichash_update(&state, (const unsigned char *)&number, sizeof number);
	crypto_generichash_update(&state, (const unsigned char *)id.p, id.n);
	crypto_generichash_final(&state, to, ID_BYTES);
}

static void drop(struct items *s, struct item *item)
{
	TABLE_REMOVE(s->table, item);
	LIST_REMOVE(s->list, item);
	s->bytes -= item->n;
	s->n--;
	free(item);
}

/* The oldest go while there is too much, and all that are too old. */
static void trim(struct items *s)
{
	while (s->list &&
		(s->bytes > s->limits.bytes || (s->limits.count > 0 && s->n > s->limits.count) ||
			s->list->at_s < s->now_s - s->limits.age_s))
		drop(s, s->list);
}

/* NULL: out of memory, and nothing is kept. */
static struct item *add(
	struct items *s, const unsigned char id[ID_BYTES], int64_t at_s, struct span value)
{
	struct item *former, *item = malloc(sizeof *item + value.n);
	if (!item)
		return NULL;
	item->at_s = at_s;
	item->n = value.n;
	item->is_fresh = false;
	memcpy(item->id, id, ID_BYTES);
	if (value.n > 0)
		memcpy(item->value, value.p, value.n);
	TABLE_FIND(s->table, former, id, ID_BYTES);
	if (former)
		drop(s, former);
	TABLE_ADD(s->table, item, item->id, ID_BYTES);
	LIST_PUSH(s->list, item);
	s->bytes += item->n;
	s->n++;
	return item;
}

/* What a record of the files says. */
static void learn(
	struct items *s, const unsigned char id[ID_BYTES], int64_t at_s, struct span value)
{
	struct item *item = add(s, id, at_s, value);
	if (item && item->n == 0)
		drop(s, item);
}

/* ---- on a worker ---- */

/* False: it could not be read to its end. */
static bool read_file(const char *path, struct buf *out)
{
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = 1;
	if (fd < 0)
		return false;
	while (n > 0 || (n < 0 && errno == EINTR)) {
		char *room = buf_reserve(out, 65536);
		if (!room)
			break;
		n = read(fd, room, 65536);
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	close(fd);
	return n == 0;
}

/* Keeps the first `n` bytes of the file. */
static void cut_file(const char *path, size_t n)
{
	const int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)n) != 0)
		unlink(path); /* or nothing that is written from now on could be read */
	if (fd >= 0)
		close(fd);
}

static void read_run(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	const char *const paths[] = {w->old, w->path};
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		OWNED(buf_done) struct buf file = BUF_INIT(FILE_BYTES(w->file_max) + MIB);
		const bool is_all = read_file(paths[i], &file);
		const size_t whole = open_all(w->key, buf_view(&file), &w->bytes);
		if (is_all && whole < file.n)
			cut_file(paths[i], whole);
	}
}

/* Makes the folder that the file is to be in. */
static void make_folder(const char *path)
{
	char folder[4096];
	(void)snprintf(folder, sizeof folder, "%s", path);
	if (mkdir(dirname(folder), 0700) != 0)
		return; /* it is there, or opening the file says what is wrong */
}

static bool append(struct work *w, int fd)
{
	struct span left = buf_view(&w->bytes);
	struct stat st;
	if (fstat(fd, &st) != 0)
		return false;
	while (left.n > 0) {
		const ssize_t n = write(fd, left.p, left.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* what is torn would hide what comes after it */
			const int cause = n < 0 ? errno : EIO;
			if (ftruncate(fd, st.st_size) != 0)
				unlink(w->path);
			errno = cause;
			return false;
		}
		left = span_skip(left, (size_t)n);
	}
	if ((size_t)st.st_size + w->bytes.n > w->file_max)
		return rename(w->path, w->old) == 0;
	return true;
}

static void write_run(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	make_folder(w->path);
	const int fd = open(w->path, flags, 0600);
	w->cause = fd < 0 || !append(w, fd) ? errno : 0;
	if (fd >= 0 && close(fd) != 0 && w->cause == 0)
		w->cause = errno;
}

/* ---- on the loop ---- */

static void work_free(struct work *w)
{
	sodium_memzero(w->key, sizeof w->key);
	buf_done(&w->bytes);
	free(w);
}

static struct work *work_new(
	struct items *s, void (*run)(struct job *), void (*on_done)(struct job *))
{
	struct work *w = calloc(1, sizeof *w);
	if (!w)
		abort(); /* one of a few small ones */
	w->job = (struct job){.run = run, .on_done = on_done};
	w->store = s;
	w->file_max = s->limits.bytes;
	memcpy(w->path, s->path, sizeof w->path);
	(void)snprintf(w->old, sizeof w->old, "%.4000s.old", s->path);
	memcpy(w->key, s->key, sizeof w->key);
	buf_init(&w->bytes, 2 * FILE_BYTES(s->limits.bytes)); /* both files */
	return w;
}

static void work_submit(struct work *w)
{
	w->store->is_busy = true;
	workers_submit(w->store->workers, &w->job, STORE_LANE);
}

static void write_begin(struct items *s);
static void read_begin(struct items *s);

static void write_done(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	struct items *s = w->store;
	s->is_busy = false;
	work_free(w); /* what could not be written stays in memory, and is lost at the next start */
	write_begin(s);
}

static void write_begin(struct items *s)
{
	if (s->is_busy || !s->has_key || s->pending.n == 0)
		return;
	if (!s->is_read) {
		read_begin(s); /* under a new key */
		return;
	}
	struct work *w = work_new(s, write_run, write_done);
	const struct buf empty = w->bytes;
	w->bytes = s->pending;
	s->pending = empty;
	work_submit(w);
}

static void read_done(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	struct items *s = w->store;
	struct span rest = buf_view(&w->bytes);
	/* what came meanwhile is newer, and goes behind what was read */
	struct item *fresh = s->list;
	s->list = NULL;
	while (rest.n >= 4) {
		const size_t n = get_u32(rest.p);
		const unsigned char *id = (const unsigned char *)rest.p + 4 + 8;
		struct item *known;
		TABLE_FIND(s->table, known, id, ID_BYTES);
		if (!known || !known->is_fresh)
			learn(s, id, get_i64(rest.p + 4),
				span_of(rest.p + 4 + HEAD_BYTES, n - HEAD_BYTES));
		rest = span_skip(rest, 4 + n);
	}
	while (fresh) {
		struct item *each = fresh;
		LIST_REMOVE(fresh, each);
		LIST_PUSH(s->list, each);
		each->is_fresh = false;
		if (each->n == 0)
			drop(s, each); /* it has kept what was read from coming back */
	}
	s->is_busy = false;
	/* under another key meanwhile: that one's files are read next */
	s->is_read = sodium_memcmp(w->key, s->key, sizeof w->key) == 0;
	work_free(w);
	trim(s);
	write_begin(s);
}

static void read_begin(struct items *s)
{
	struct item *item;
	LIST_EACH(s->list, item)
		item->is_fresh = true;
	work_submit(work_new(s, read_run, read_done));
}

struct items *items_new(struct workers *w, const char *path, struct items_limits limits)
{
	struct items *s = calloc(1, sizeof *s);
	assert(limits.value_bytes <= limits.bytes && limits.bytes <= 1024 * MIB);
	if (!s)
		return NULL;
	s->workers = w;
	s->limits = limits;
	(void)snprintf(s->path, sizeof s->path, "%.4000s", path);
	buf_init(&s->pending, PENDING_BYTES(s->limits.bytes));
	return s;
}

void items_free(struct items *s)
{
	if (!s)
		return;
	assert(!s->is_busy);
	while (s->list)
		drop(s, s->list);
	buf_done(&s->pending);
	sodium_memzero(s->key, sizeof s->key);
	free(s);
}

void items_begin(struct items *s, const unsigned char key[ITEMS_KEY_BYTES], int64_t now_s)
{
	assert(!s->has_key && !s->list);
	s->now_s = now_s;
	memcpy(s->key, key, ITEMS_KEY_BYTES);
	s->has_key = true;
	struct work *w = work_new(s, read_run, read_done);
	read_run(&w->job);
	read_done(&w->job);
}

void items_open(struct items *s, const unsigned char key[ITEMS_KEY_BYTES], int64_t now_s)
{
	s->now_s = now_s;
	if (s->has_key && sodium_memcmp(s->key, key, ITEMS_KEY_BYTES) == 0)
		return;
	memcpy(s->key, key, ITEMS_KEY_BYTES);
	s->has_key = true;
	s->is_read = false;
	if (!s->is_busy)
		read_begin(s);
}

void items_close(struct items *s)
{
	s->has_key = false;
	sodium_memzero(s->key, sizeof s->key);
}

bool items_is_open(const struct items *s)
{
	return s->has_key;
}

/* The same, and not much older: an answer that is told again brings it again. */
static bool is_as_good(const struct items *s, const struct item *former, struct span value)
{
	return s->now_s - former->at_s <= s->limits.age_s / 8 &&
	       span_eq(span_of(former->value, former->n), value);
}

void items_put(struct items *s, uint64_t owner, struct span id, struct span value, int64_t now_s)
{
	const bool is_reading = s->has_key && !s->is_read;
	unsigned char key[ID_BYTES];
	struct item *former;
	s->now_s = now_s;
	make_id(key, owner, id);
	TABLE_FIND(s->table, former, key, ID_BYTES);
	if (value.n > s->limits.value_bytes)
		value = SPAN(""); /* but the earlier one is no longer the id's */
	if (value.n == 0 && !former && !is_reading)
		return;
	if (!is_reading && former && is_as_good(s, former, value))
		return;
	struct item *item = add(s, key, now_s, value);
	if (!item)
		return;
	item->is_fresh = is_reading;
	if (s->has_key) {
		seal(s->key, item, &s->pending);
		if (buf_error(&s->pending)) { /* the disk is far behind: it stays in memory alone */
			buf_done(&s->pending);
			buf_init(&s->pending, PENDING_BYTES(s->limits.bytes));
		}
	}
	if (item->n == 0 && !is_reading)
		drop(s, item);
	trim(s);
	write_begin(s);
}

struct span items_get(struct items *s, uint64_t owner, struct span id, int64_t now_s)
{
	unsigned char key[ID_BYTES];
	struct item *item;
	s->now_s = now_s;
	trim(s);
	make_id(key, owner, id);
	TABLE_FIND(s->table, item, key, ID_BYTES);
	return item && item->n > 0 ? span_of(item->value, item->n) : SPAN_NONE;
}

size_t items_count(const struct items *s, size_t *bytes)
{
	*bytes = s->bytes;
	return TABLE_COUNT(s->table);
}
