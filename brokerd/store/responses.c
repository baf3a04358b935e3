/* responses.c - a file each:
 *
 *     24 nonce | ciphertext and 16 tag
 *     sealed: u8 version | i64 seconds since 1970 | u16 length, id | u16 length, previous id | the rest
 *
 * Little endian. The file's name is a keyed hash of the user, by which shares are reckoned, and one of user
 * and id, which is bound to the content, so that no file can stand in another's place. Written beside and
 * renamed: there is a whole one, or none. */
#include "brokerd/store/responses.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/base/buf.h"

#define USER_BYTES   4
#define NAME_BYTES   16
#define HEX_CHARS    (2 * (USER_BYTES + NAME_BYTES)) /* of a file's name */
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FILE_BYTES   (LIMIT_BODY_BYTES + 64 * KIB)
#define ID_BYTES_MAX ((size_t)1024)
#define VERSION      1
/* Of the workers: a writer waits for no reader, and what was put is told before it is asked for. */
#define PUT_LANE    6
#define GET_LANE    3
#define PUTS_A_TIDY 64   /* files are counted again after so many new ones */
#define WRITING_S   3600 /* what a writer has not finished by then it never will */

enum act {
	ACT_PUT,
	ACT_GET,
	ACT_REMOVE,
	ACT_TIDY,
};

/* What a worker is at. It owns all of this. */
struct responses_work {
	struct job job;
	enum act act;
	struct responses_wait *wait; /* NULL: it left, or nobody waits */
	char dir[4000];
	unsigned char key[RESPONSES_KEY_BYTES];
	struct responses_limits limits;
	uint64_t owner;
	int64_t now_s;
	bool with_chain;
	struct buf id, previous, json; /* put; the id of all */
	struct buf found;              /* get: records as they were sealed, one behind the other */
	struct response *list;         /* the same, n of them; room for `most` */
	size_t *at;                    /* where each begins in `found`, and the last ends */
	size_t n, most;
	struct fault why;
};

struct responses {
	struct workers *workers;
	char dir[4000];
	unsigned char key[RESPONSES_KEY_BYTES];
	struct responses_limits limits;
	bool has_key;
	unsigned puts; /* since the files were counted last, and how much they were */
	int64_t put_bytes;
};

/* ---- names and bytes ---- */

struct place {
	unsigned char name[NAME_BYTES];
	char path[4096];
};

static void keyed_hash(const struct responses_work *w, struct span id, unsigned char *out, size_t n)
{
	crypto_generichash_state hash;
	unsigned char user[8];
	for (size_t i = 0; i < sizeof user; i++)
		user[i] = (unsigned char)(w->owner >> (8 * i));
	/* plain users were all there were once */
	const size_t user_bytes = w->owner <= UINT32_MAX ? 4 : sizeof user;
	crypto_generichash_init(&hash, w->key, sizeof w->key, NAME_BYTES);
	crypto_generichash_update(&hash, user, user_bytes);
	crypto_generichash_update(&hash, (const unsigned char *)id.p, id.n);
	unsigned char whole[NAME_BYTES];
	crypto_generichash_final(&hash, whole, sizeof whole);
	memcpy(out, whole, n);
}

static void find_place(const struct responses_work *w, struct span id, struct place *out)
{
	unsigned char both[USER_BYTES + NAME_BYTES];
	char hex[HEX_CHARS + 1];
	keyed_hash(w, SPAN(""), both, USER_BYTES); /* no id is empty */
	keyed_hash(w, id, out->name, NAME_BYTES);
	memcpy(both + USER_BYTES, out->name, NAME_BYTES);
	sodium_bin2hex(hex, sizeof hex, both, sizeof both);
	(void)snprintf(out->path, sizeof out->path, "%s/%s", w->dir, hex);
}

static void put_int(struct buf *out, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_byte(out, (char)(unsigned char)(v >> (8 * i)));
}

static uint64_t take_int(struct span *in, int bytes)
{
	uint64_t v = 0;
	for (int i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
	*in = span_skip(*in, (size_t)bytes);
	return v;
}

static void put_text(struct buf *out, struct span text)
{
	put_int(out, text.n, 2);
	buf_span(out, text);
}

static bool take_text(struct span *in, struct span *out)
{
	if (in->n < 2)
		return false;
	const size_t n = (size_t)take_int(in, 2);
	if (n > in->n)
		return false;
	*out = n > 0 ? span_first(*in, n) : SPAN_NONE;
	*in = span_skip(*in, n);
	return true;
}

/* False: it is none that this version knows. */
static bool take_record(struct span in, struct response *out)
{
	if (in.n < 9 || in.p[0] != VERSION)
		return false;
	in = span_skip(in, 1);
	out->at_s = (int64_t)take_int(&in, 8);
	if (!take_text(&in, &out->id) || !take_text(&in, &out->previous))
		return false;
	out->json = in;
	return true;
}

/* ---- on a worker ---- */

static void fail(struct responses_work *w, enum err err, const char *what)
{
	char room[128];
	(void)fault_set(&w->why, err, "%s: %s", what, strerror_r(errno, room, sizeof room));
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

/* Beside its place, and then there. */
static bool write_file(const char *path, struct span bytes)
{
	char beside[4104];
	(void)snprintf(beside, sizeof beside, "%s.new", path);
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	const int fd = open(beside, flags, 0600);
	if (fd < 0)
		return false;
	const bool is_written = write_all(fd, bytes);
	const int cause = errno;
	if (close(fd) == 0 && is_written && rename(beside, path) == 0)
		return true;
	if (!is_written)
		errno = cause;
	(void)unlink(beside);
	return false;
}

/* It and the one above it. What goes wrong is told by who opens a file there. */
static void make_folders(const char *dir)
{
	char above[4096];
	(void)snprintf(above, sizeof above, "%s", dir);
	(void)mkdir(dirname(above), 0700);
	(void)mkdir(dir, 0700);
}

static void put_run(struct responses_work *w)
{
	OWNED(buf_done) struct buf plain = BUF_INIT(FILE_BYTES), file = BUF_INIT(FILE_BYTES);
	struct place place;
	find_place(w, buf_view(&w->id), &place);
	put_int(&plain, VERSION, 1);
	put_int(&plain, (uint64_t)w->now_s, 8);
	put_text(&plain, buf_view(&w->id));
	put_text(&plain, buf_view(&w->previous));
	buf_span(&plain, buf_view(&w->json));
	char *room = buf_reserve(&file, NONCE_BYTES + plain.n + TAG_BYTES);
	if (buf_error(&plain) || !room) {
		fault_set(&w->why, ERR_TOO_BIG, "the answer is too long to be kept");
		return;
	}
	randombytes_buf(room, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt((unsigned char *)room + NONCE_BYTES, NULL,
		(const unsigned char *)plain.p, plain.n, place.name, NAME_BYTES, NULL,
		(const unsigned char *)room, w->key);
	buf_commit(&file, NONCE_BYTES + plain.n + TAG_BYTES);
	make_folders(w->dir);
	if (!write_file(place.path, buf_view(&file)))
		fail(w, errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
			"the answer cannot be kept");
}

static bool read_file(const char *path, struct buf *out)
{
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	bool is_read = fd >= 0 && fstat(fd, &st) == 0 && st.st_size <= (off_t)FILE_BYTES;
	while (is_read) {
		char *room = buf_reserve(out, 64 * KIB);
		const ssize_t n = room ? read(fd, room, 64 * KIB) : -1;
		if (n < 0 && room && errno == EINTR)
			continue;
		is_read = n >= 0;
		if (n <= 0)
			break;
		buf_commit(out, (size_t)n);
	}
	if (fd >= 0)
		(void)close(fd);
	return is_read;
}

/* Opens the file of an id behind what was found so far. False: there is none, or it is no good. */
static bool read_one(struct responses_work *w, struct span id)
{
	OWNED(buf_done) struct buf file = BUF_INIT(FILE_BYTES);
	struct place place;
	struct response r;
	find_place(w, id, &place);
	if (!read_file(place.path, &file) || file.n < NONCE_BYTES + TAG_BYTES)
		return false;
	const size_t n = file.n - NONCE_BYTES - TAG_BYTES;
	char *room = buf_reserve(&w->found, n);
	if (!room) {
		fault_set(&w->why, ERR_TOO_BIG, "the conversation so far is longer than %zu bytes",
			LIMIT_BODY_BYTES);
		return false;
	}
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)room, NULL, NULL,
		    (const unsigned char *)file.p + NONCE_BYTES, file.n - NONCE_BYTES, place.name,
		    NAME_BYTES, (const unsigned char *)file.p, w->key) != 0 ||
		!take_record(span_of(room, n), &r) || w->now_s - r.at_s > w->limits.age_s)
		return false;
	w->at[w->n++] = w->found.n;
	buf_commit(&w->found, n);
	w->at[w->n] = w->found.n;
	return true;
}

static struct response record_at(const struct responses_work *w, size_t i)
{
	struct response r = {.id = SPAN_NONE};
	(void)take_record(span_of(w->found.p + w->at[i], w->at[i + 1] - w->at[i]), &r);
	return r; /* it was read before */
}

static void get_run(struct responses_work *w)
{
	OWNED(buf_done) struct buf next = BUF_INIT(64 * KIB); /* what was found may move */
	struct span id = buf_view(&w->id);
	while (id.n > 0 && read_one(w, id)) {
		buf_clear(&next);
		if (w->with_chain)
			buf_span(&next, record_at(w, w->n - 1).previous);
		id = buf_view(&next);
		if (id.n > 0 && w->n == w->most) {
			fault_set(&w->why, ERR_TOO_BIG,
				"more than %d answers go on from one another", RESPONSES_CHAIN_MAX);
			w->n = 0;
			return;
		}
	}
	if (id.n > 0 && !w->why.err) {
		fault_set(&w->why, ERR_NOT_FOUND, "no answer is kept under \"%.*s\"",
			SPAN_ARG(span_first(id, 100)));
		if (w->with_chain)
			fault_text(w->why.param, sizeof w->why.param, id);
	}
	for (size_t i = 0; i < w->n; i++)
		w->list[i] = record_at(w, i);
}

static void remove_run(struct responses_work *w)
{
	struct place place;
	if (!read_one(w, buf_view(&w->id))) {
		fault_set(&w->why, ERR_NOT_FOUND, "no answer is kept under \"%.*s\"",
			SPAN_ARG(span_first(buf_view(&w->id), 100)));
		return;
	}
	w->list[0] = record_at(w, 0);
	find_place(w, buf_view(&w->id), &place);
	if (unlink(place.path) != 0 && errno != ENOENT)
		fail(w, ERR_IO, "the answer cannot be removed");
}

/* ---- the old ones ---- */

struct old {
	char name[HEX_CHARS + 1];
	int64_t at_s, bytes;
};

/* A user's files stand together, the oldest first. */
static int by_user_and_age(const void *a, const void *b)
{
	const struct old *x = a, *y = b;
	const int user = memcmp(x->name, y->name, 2 * USER_BYTES);
	return user ? user : x->at_s < y->at_s ? -1 : x->at_s > y->at_s;
}

/* The files there are. What is no file of ours is left out, and removed where its writer was killed. */
static size_t list_files(int dir, int64_t now_s, struct buf *out)
{
	DIR *d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 0));
	struct dirent *e;
	size_t n = 0;
	while (d && (e = readdir(d))) {
		struct stat st;
		struct old one = {.bytes = 0};
		const size_t length = strlen(e->d_name);
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
			continue;
		if (length > 4 && strcmp(e->d_name + length - 4, ".new") == 0 &&
			now_s - st.st_mtime > WRITING_S)
			(void)unlinkat(dir, e->d_name, 0);
		if (length != HEX_CHARS)
			continue;
		memcpy(one.name, e->d_name, sizeof one.name);
		one.at_s = st.st_mtime;
		one.bytes = st.st_size;
		buf_put(out, &one, sizeof one);
		n++;
	}
	if (d)
		(void)closedir(d);
	return buf_error(out) ? 0 : n;
}

/* What one user has. */
struct share {
	const struct old *next, *end; /* the oldest that is still there */
	int64_t bytes;
};

static void remove_oldest(struct share *s, int dir)
{
	(void)unlinkat(dir, s->next->name, 0);
	s->bytes -= s->next->bytes;
	s->next++;
}

/* The shares of a sorted list; how many. */
static size_t share_out(const struct old *list, size_t n, struct buf *out)
{
	size_t users = 0;
	for (size_t i = 0, end; i < n; i = end) {
		struct share s = {.next = &list[i]};
		for (end = i; end < n && memcmp(list[end].name, list[i].name, 2 * USER_BYTES) == 0;
			end++)
			s.bytes += list[end].bytes;
		s.end = &list[end];
		buf_put(out, &s, sizeof s);
		users++;
	}
	return buf_error(out) ? 0 : users;
}

/* Drops what is too old; then, while there is too much, the oldest of who has most. */
static void trim(struct share *shares, size_t n, const struct responses_limits *limits,
	int64_t now_s, int dir)
{
	int64_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		struct share *s = &shares[i];
		while (s->next < s->end && now_s - s->next->at_s > limits->age_s)
			remove_oldest(s, dir);
		bytes += s->bytes;
	}
	while (bytes > limits->bytes) {
		struct share *most = &shares[0];
		for (size_t i = 1; i < n; i++)
			most = shares[i].bytes > most->bytes ? &shares[i] : most;
		bytes -= most->next->bytes;
		remove_oldest(most, dir);
	}
}

static void tidy_run(struct responses_work *w)
{
	OWNED(buf_done) struct buf files = BUF_INIT(256 * MIB);
	OWNED(buf_done) struct buf users = BUF_INIT(256 * MIB);
	const int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	const int64_t now_s = (int64_t)time(NULL); /* as the files have it */
	const size_t n = list_files(dir, now_s, &files);
	struct old *list = (struct old *)(void *)files.p;
	if (n > 0)
		qsort(list, n, sizeof *list, by_user_and_age);
	const size_t n_users = n > 0 ? share_out(list, n, &users) : 0;
	if (n_users > 0)
		trim((struct share *)(void *)users.p, n_users, &w->limits, now_s, dir);
	(void)close(dir);
}

static void run(struct job *j)
{
	struct responses_work *w = container_of(j, struct responses_work, job);
	switch (w->act) {
	case ACT_PUT:
		put_run(w);
		break;
	case ACT_GET:
		get_run(w);
		break;
	case ACT_REMOVE:
		remove_run(w);
		break;
	case ACT_TIDY:
		tidy_run(w);
		break;
	}
}

/* ---- on the loop ---- */

static void work_free(struct responses_work *w)
{
	sodium_memzero(w->key, sizeof w->key);
	buf_done(&w->id);
	buf_done(&w->previous);
	buf_done(&w->json);
	buf_done(&w->found);
	free(w->list);
	free(w->at);
	free(w);
}

static void done(struct job *j)
{
	struct responses_work *w = container_of(j, struct responses_work, job);
	struct responses_wait *wait = w->wait;
	if (wait) {
		wait->work = NULL;
		wait->on_done(wait, w->list, w->n, &w->why);
	}
	work_free(w);
}

static struct responses_work *work_new(
	struct responses *s, enum act act, uint64_t owner, struct span id)
{
	struct responses_work *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->job = (struct job){.run = run, .on_done = done};
	w->act = act;
	w->owner = owner;
	w->limits = s->limits;
	w->why = FAULT_NONE;
	memcpy(w->dir, s->dir, sizeof w->dir);
	memcpy(w->key, s->key, sizeof w->key);
	buf_init(&w->id, ID_BYTES_MAX);
	buf_init(&w->previous, ID_BYTES_MAX);
	buf_init(&w->json, LIMIT_BODY_BYTES);
	buf_init(&w->found, LIMIT_BODY_BYTES);
	buf_span(&w->id, id);
	return w;
}

/* For so many that are found. NULL: out of memory. */
static struct responses_work *make_room(struct responses_work *w, size_t n)
{
	if (!w)
		return NULL;
	w->most = n;
	w->list = calloc(n, sizeof *w->list);
	w->at = calloc(n + 1, sizeof *w->at);
	if (w->list && w->at)
		return w;
	work_free(w);
	return NULL;
}

static enum err submit(struct responses *s, struct responses_work *w, struct responses_wait *wait,
	struct fault *why)
{
	enum err err = w ? buf_error(&w->id) : ERR_NO_MEMORY;
	if (!err)
		err = buf_error(&w->previous);
	if (!err)
		err = buf_error(&w->json);
	if (err) {
		if (w)
			work_free(w);
		return fault_set(why, err, "the answer's id, or the answer, is too long");
	}
	w->wait = wait;
	if (wait)
		wait->work = w;
	workers_submit(s->workers, &w->job, w->act == ACT_PUT ? PUT_LANE : GET_LANE);
	return OK;
}

static enum err check_key(const struct responses *s, struct fault *why)
{
	return s->has_key ? OK
			  : fault_set(why, ERR_LOCKED,
				    "answers are kept under a key of the vault, which is locked or "
				    "does not exist yet: run `llmb vault unlock`");
}

static void tidy(struct responses *s)
{
	struct fault why;
	s->puts = 0;
	s->put_bytes = 0;
	if (submit(s, work_new(s, ACT_TIDY, 0, SPAN("")), NULL, &why) != OK)
		s->puts = PUTS_A_TIDY; /* at the next */
}

enum err responses_put(struct responses *s, uint64_t owner, const struct response *r,
	struct responses_wait *wait, struct fault *why)
{
	const enum err err = check_key(s, why);
	if (err)
		return err;
	struct responses_work *w = work_new(s, ACT_PUT, owner, r->id);
	if (w) {
		w->now_s = r->at_s;
		buf_span(&w->previous, r->previous);
		buf_span(&w->json, r->json);
	}
	s->put_bytes += (int64_t)r->json.n;
	if (++s->puts >= PUTS_A_TIDY || s->put_bytes > s->limits.bytes / 8)
		tidy(s);
	return submit(s, w, wait, why);
}

enum err responses_get(struct responses *s, uint64_t owner, struct span id, bool with_chain,
	int64_t now_s, struct responses_wait *wait, struct fault *why)
{
	const enum err err = check_key(s, why);
	if (err)
		return err;
	struct responses_work *w = work_new(s, ACT_GET, owner, id);
	if (w) {
		w->now_s = now_s;
		w->with_chain = with_chain;
		w = make_room(w, with_chain ? RESPONSES_CHAIN_MAX : 1);
	}
	return submit(s, w, wait, why);
}

enum err responses_remove(struct responses *s, uint64_t owner, struct span id,
	struct responses_wait *wait, struct fault *why)
{
	const enum err err = check_key(s, why);
	return err ? err : submit(s, make_room(work_new(s, ACT_REMOVE, owner, id), 1), wait, why);
}

void responses_leave(struct responses_wait *w)
{
	if (w->work)
		w->work->wait = NULL;
	w->work = NULL;
}

struct responses *responses_new(struct workers *w, const char *dir)
{
	struct responses *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->workers = w;
	(void)snprintf(s->dir, sizeof s->dir, "%.3900s", dir);
	return s;
}

void responses_free(struct responses *s)
{
	if (!s)
		return;
	sodium_memzero(s->key, sizeof s->key);
	free(s);
}

void responses_open(struct responses *s, const unsigned char key[RESPONSES_KEY_BYTES],
	const struct responses_limits *limits)
{
	s->limits = *limits;
	s->has_key = true;
	memcpy(s->key, key, sizeof s->key);
	tidy(s);
}

void responses_close(struct responses *s)
{
	s->has_key = false;
	sodium_memzero(s->key, sizeof s->key);
}

bool responses_is_open(const struct responses *s)
{
	return s->has_key;
}

bool responses_keeps(const struct responses *s)
{
	return s->has_key && s->limits.age_s > 0;
}
