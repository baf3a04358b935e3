/* prompts.c - files of records, "prompts-NUMBER-SECOND" by when it was begun:
 *
 *     u32 length of the rest | u8 length, id | 24 nonce | ciphertext and 16 tag
 *     sealed, with the id as what is bound to it: u8 version | i64 seconds since 1970 | i64 bytes | the text
 *
 * Little endian. They are written at the end of the newest file alone. A record that breaks off is the torn end of a
 * crash: it is cut off before more is written. One that does not open, for another vault's key sealed it, is passed
 * over. */
#include "brokerd/store/prompts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "protocol/base/buf.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"

#define PROMPTS_LANE  7 /* of the workers: what was kept is found by who asks after it */
#define NONCE_BYTES   crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES     crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_BYTES    17 /* of what is sealed, before the text */
#define VERSION       1
#define FRAME_BYTES   (4 + 1 + PROMPT_ID_BYTES + NONCE_BYTES + HEAD_BYTES + PROMPT_BYTES + TAG_BYTES)
#define PARTS         16 /* a file is as much of all, in bytes and in time: so coarsely the oldest go */
#define WAITING_BYTES (16 * MIB) /* that wait for the worker */
#define TIDY_US       INT64_C(3600000000)
#define NAME_FORMAT   "prompts-%" PRIu64 "-%" PRId64

/* ---- the files: on the lane alone ---- */

struct part {
	uint64_t number;
	int64_t begun_s, bytes;
	int64_t touched_s; /* when it was written, as its folder has it */
};

struct shelf {
	char dir[4000];
	bool is_listed;
	struct buf list; /* of struct part, the oldest first */
	int fd;          /* of the newest, while it is written; -1 */
	/* of the last tidying */
	int stuck;      /* errno of what could not be removed; 0: all could */
	bool is_tidier; /* something was */
};

static size_t count_of(const struct shelf *s)
{
	return s->list.n / sizeof(struct part);
}

static struct part *part_at(const struct shelf *s, size_t i)
{
	return (struct part *)(void *)s->list.p + i;
}

static int64_t bytes_of(const struct shelf *s)
{
	int64_t sum = 0;
	for (size_t i = 0; i < count_of(s); i++)
		sum += part_at(s, i)->bytes;
	return sum;
}

static void path_of(const struct shelf *s, const struct part *part, char to[4096])
{
	(void)snprintf(to, 4096, "%s/" NAME_FORMAT, s->dir, part->number, part->begun_s);
}

static int by_number(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* What the folder has; where there is none yet, nothing. */
static void shelf_list(struct shelf *s)
{
	struct dirent *e;
	if (s->is_listed)
		return;
	s->is_listed = true;
	DIR *d = opendir(s->dir);
	while (d && (e = readdir(d))) {
		struct part part;
		struct stat st;
		char name[64];
		if (sscanf(e->d_name, NAME_FORMAT, &part.number, &part.begun_s) != 2)
			continue;
		(void)snprintf(name, sizeof name, NAME_FORMAT, part.number, part.begun_s);
		if (strcmp(name, e->d_name) != 0 ||
			fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode))
			continue;
		part.bytes = st.st_size;
		part.touched_s = st.st_mtim.tv_sec;
		buf_put(&s->list, &part, sizeof part);
	}
	if (d)
		(void)closedir(d);
	if (count_of(s) > 0)
		qsort(s->list.p, count_of(s), sizeof(struct part), by_number);
}

static void close_newest(struct shelf *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

/* False: it is there still, and is tried again with the next tidying. */
static bool drop(struct shelf *s, size_t i)
{
	char path[4096];
	struct part *part = part_at(s, i);
	const size_t behind = count_of(s) - i - 1;
	path_of(s, part, path);
	if (unlink(path) != 0 && errno != ENOENT) {
		s->stuck = errno;
		return false;
	}
	s->is_tidier = true;
	if (behind == 0)
		close_newest(s);
	memmove(part, part + 1, behind * sizeof *part);
	buf_cut(&s->list, s->list.n - sizeof *part);
	return true;
}

/* What seems to be begun later than now was begun by a clock that was ahead, or this one is behind and will be put right:
 * so its name stays. Meanwhile it is as old as it was last written or, where that is later too, since it was met. */
static bool is_too_old(const struct shelf *s, struct part *part, int64_t now_s, int64_t age_s)
{
	char path[4096];
	if (age_s == 0)
		return true;
	if (part->begun_s <= now_s)
		return part->begun_s <= now_s - age_s;
	if (part->touched_s > now_s) {
		const struct timespec now = {now_s, 0};
		const struct timespec both[] = {now, now};
		path_of(s, part, path);
		(void)utimensat(AT_FDCWD, path, both, AT_SYMLINK_NOFOLLOW);
		part->touched_s = now_s;
	}
	return part->touched_s <= now_s - age_s;
}

/* Room for `bytes` more. */
static void shelf_tidy(
	struct shelf *s, const struct prompts_limits *limits, int64_t now_s, int64_t bytes)
{
	shelf_list(s);
	s->stuck = 0;
	s->is_tidier = false;
	for (size_t i = 0; i < count_of(s);) {
		if (!is_too_old(s, part_at(s, i), now_s, limits->age_s) || !drop(s, i))
			i++;
	}
	for (size_t i = 0; i < count_of(s) && bytes_of(s) + bytes > limits->bytes;) {
		if (!drop(s, i))
			i++;
	}
	if (limits->age_s == 0)
		(void)rmdir(s->dir);
}

/* ---- records ---- */

/* A record's beginning. */
struct head {
	uint32_t rest; /* bytes behind the length */
	size_t id_bytes;
	char id[PROMPT_ID_BYTES];
};

/* False: none begins there, or it breaks off. */
static bool read_head(int fd, int64_t at, int64_t end, struct head *h)
{
	unsigned char bytes[5 + PROMPT_ID_BYTES];
	const ssize_t n = pread(fd, bytes, sizeof bytes, at);
	if (n < 5)
		return false;
	h->rest = (uint32_t)num_get_le(bytes, 4);
	h->id_bytes = bytes[4];
	if (h->id_bytes >= PROMPT_ID_BYTES || (size_t)n < 5 + h->id_bytes ||
		h->rest < 1 + h->id_bytes + NONCE_BYTES + HEAD_BYTES + TAG_BYTES ||
		h->rest > FRAME_BYTES || at + 4 + h->rest > end)
		return false;
	memcpy(h->id, bytes + 5, h->id_bytes);
	return true;
}

static bool write_all(int fd, struct span bytes)
{
	while (bytes.n > 0) {
		const ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno != EINTR)
			return false;
		bytes = span_skip(bytes, n > 0 ? (size_t)n : 0);
	}
	return true;
}

/* ---- jobs ---- */

enum act {
	ACT_KEEP,
	ACT_FIND,
	ACT_TIDY,
	ACT_LET_GO,
};

/* What a worker is at. It owns all of this but the shelf. */
struct prompts_work {
	struct job job;
	enum act act;
	struct prompts *store;
	struct shelf *shelf;
	unsigned char key[PROMPTS_KEY_BYTES];
	struct prompts_limits limits;
	int64_t now_s, bytes;
	char id[PROMPT_ID_BYTES];
	size_t id_bytes;
	struct buf text;
	struct prompts_wait *wait; /* of ACT_FIND */
	struct prompt found;
	int cause; /* errno of what failed; 0: nothing did */
	int stuck; /* as of the shelf, and */
	bool is_tidier;
	struct fault why;
};

struct prompts {
	struct loop *loop;
	struct workers *workers;
	struct loop_timer tidy;
	struct shelf shelf;
	struct prompts_limits limits;
	unsigned char key[PROMPTS_KEY_BYTES];
	bool has_key;
	size_t waiting_bytes;
	/* said once, until it is over */
	bool has_said_locked, has_said_failed, has_said_stuck;
	uint64_t dropped;
};

/* The newest file, to be written on, its torn end cut off. */
static bool open_newest(struct shelf *s)
{
	struct part *part = part_at(s, count_of(s) - 1);
	struct head h;
	char path[4096];
	int64_t end = 0;
	path_of(s, part, path);
	s->fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return false;
	while (read_head(s->fd, end, part->bytes, &h))
		end += 4 + (int64_t)h.rest;
	if (end < part->bytes && ftruncate(s->fd, end) != 0)
		return false;
	part->bytes = end;
	return lseek(s->fd, end, SEEK_SET) == end;
}

static bool begin_file(struct shelf *s, int64_t now_s)
{
	const size_t n = count_of(s);
	const struct part part = {
		n > 0 ? part_at(s, n - 1)->number + 1 : 1, now_s, 0, .touched_s = now_s};
	char path[4096];
	close_newest(s);
	if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
		return false;
	path_of(s, &part, path);
	s->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return false;
	buf_put(&s->list, &part, sizeof part);
	return !buf_error(&s->list);
}

/* A file to write so much on. */
static bool shelf_ready(struct prompts_work *w, size_t n)
{
	struct shelf *s = w->shelf;
	shelf_tidy(s, &w->limits, w->now_s, (int64_t)n);
	if (count_of(s) > 0) {
		const struct part *newest = part_at(s, count_of(s) - 1);
		const int64_t age_s = w->now_s - newest->begun_s;
		const bool is_full =
			newest->bytes > 0 && newest->bytes + (int64_t)n > w->limits.bytes / PARTS;
		if (age_s >= 0 && age_s <= w->limits.age_s / PARTS && !is_full &&
			(s->fd >= 0 || open_newest(s)))
			return true;
	}
	return begin_file(s, w->now_s);
}

static void keep_run(struct prompts_work *w)
{
	OWNED(buf_done) struct buf plain = BUF_INIT(HEAD_BYTES + PROMPT_BYTES);
	OWNED(buf_done) struct buf frame = BUF_INIT(FRAME_BYTES);
	const size_t n = HEAD_BYTES + w->text.n;
	const size_t rest = 1 + w->id_bytes + NONCE_BYTES + n + TAG_BYTES;
	unsigned char *clear = (unsigned char *)buf_reserve(&plain, n);
	unsigned char *to = (unsigned char *)buf_reserve(&frame, 4 + rest);
	if (!clear || !to) {
		w->cause = ENOMEM;
		return;
	}
	clear[0] = VERSION;
	num_put_le(clear + 1, (uint64_t)w->now_s, 8);
	num_put_le(clear + 9, (uint64_t)w->bytes, 8);
	memcpy(clear + HEAD_BYTES, w->text.p, w->text.n);
	num_put_le(to, rest, 4);
	to[4] = (unsigned char)w->id_bytes;
	memcpy(to + 5, w->id, w->id_bytes);
	unsigned char *nonce = to + 5 + w->id_bytes;
	randombytes_buf(nonce, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, clear, n,
		(const unsigned char *)w->id, w->id_bytes, NULL, nonce, w->key);
	buf_commit(&frame, 4 + rest);
	errno = 0;
	struct shelf *s = w->shelf;
	if (!shelf_ready(w, frame.n)) {
		w->cause = errno ? errno : EIO;
		return;
	}
	struct part *newest = part_at(s, count_of(s) - 1);
	if (write_all(s->fd, buf_view(&frame))) {
		newest->bytes += (int64_t)frame.n;
		return;
	}
	w->cause = errno;
	if (ftruncate(s->fd, newest->bytes) != 0 || lseek(s->fd, newest->bytes, SEEK_SET) < 0)
		close_newest(s); /* what is there is looked at before more is written */
}

/* Opens a record into w->text. False: another key sealed it, or it is too old. */
static bool open_record(struct prompts_work *w, int fd, int64_t at, const struct head *h)
{
	OWNED(buf_done) struct buf frame = BUF_INIT(FRAME_BYTES);
	const size_t before = 1 + h->id_bytes, n = h->rest - before - NONCE_BYTES - TAG_BYTES;
	char *from = buf_reserve(&frame, h->rest);
	buf_clear(&w->text);
	unsigned char *to = (unsigned char *)buf_reserve(&w->text, n);
	if (!from || !to || pread(fd, from, h->rest, at + 4) != (ssize_t)h->rest)
		return false;
	const unsigned char *nonce = (const unsigned char *)from + before;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, nonce + NONCE_BYTES,
		    h->rest - before - NONCE_BYTES, (const unsigned char *)h->id, h->id_bytes,
		    nonce, w->key) != 0 ||
		to[0] != VERSION)
		return false;
	buf_commit(&w->text, n);
	w->found.at_s = (int64_t)num_get_le(to + 1, 8);
	w->found.bytes = (int64_t)num_get_le(to + 9, 8);
	w->found.text = span_skip(buf_view(&w->text), HEAD_BYTES);
	return w->now_s - w->found.at_s < w->limits.age_s;
}

static bool find_in(struct prompts_work *w, const struct part *part)
{
	struct head h;
	char path[4096];
	bool is_found = false;
	path_of(w->shelf, part, path);
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	for (int64_t at = 0; fd >= 0 && !is_found && read_head(fd, at, part->bytes, &h);
		at += 4 + (int64_t)h.rest)
		is_found = span_eq(span_of(h.id, h.id_bytes), span_of(w->id, w->id_bytes)) &&
			   open_record(w, fd, at, &h);
	if (fd >= 0)
		(void)close(fd);
	return is_found;
}

static void find_run(struct prompts_work *w)
{
	shelf_tidy(w->shelf, &w->limits, w->now_s, 0);
	for (size_t i = count_of(w->shelf); i > 0; i--) {
		if (find_in(w, part_at(w->shelf, i - 1)))
			return;
	}
	fault_set(&w->why, ERR_NOT_FOUND,
		"no prompt is kept of %.*s: it went to no provider, is too old, or came when none "
		"was kept",
		(int)w->id_bytes, w->id);
}

static void run(struct job *j)
{
	struct prompts_work *w = container_of(j, struct prompts_work, job);
	switch (w->act) {
	case ACT_KEEP:
		keep_run(w);
		break;
	case ACT_FIND:
		find_run(w);
		break;
	case ACT_TIDY:
		shelf_tidy(w->shelf, &w->limits, w->now_s, 0);
		break;
	case ACT_LET_GO:
		close_newest(w->shelf);
		buf_clear(&w->shelf->list);
		w->shelf->is_listed = false;
		break;
	}
	w->stuck = w->shelf->stuck;
	w->is_tidier = w->shelf->is_tidier;
}

/* ---- on the loop ---- */

static void work_free(struct prompts_work *w)
{
	sodium_memzero(w->key, sizeof w->key);
	buf_done(&w->text);
	free(w);
}

static void say_kept(struct prompts *p, int cause)
{
	char text[256];
	if (cause && !p->has_said_failed)
		log_warn("ledger.prompts", "note=\"prompts are not kept\" why=%s",
			log_quote(text, sizeof text, span_str(strerror(cause))));
	else if (!cause && p->has_said_failed)
		log_info("ledger.prompts", "note=\"prompts are kept again\"");
	p->has_said_failed = cause != 0;
	if (p->dropped > 0 && p->waiting_bytes == 0) {
		log_warn("ledger.prompts",
			"note=\"more came than could be written: some are not kept\" "
			"dropped=%" PRIu64,
			p->dropped);
		p->dropped = 0;
	}
}

static void say_stuck(struct prompts *p, const struct prompts_work *w)
{
	char text[256];
	if (w->stuck && !p->has_said_stuck)
		log_warn("ledger.prompts",
			"note=\"prompts that have to go cannot be removed\" why=%s",
			log_quote(text, sizeof text, span_str(strerror(w->stuck))));
	else if (!w->stuck && w->is_tidier && p->has_said_stuck)
		log_info("ledger.prompts", "note=\"prompts are removed again\"");
	p->has_said_stuck = w->stuck || (p->has_said_stuck && !w->is_tidier);
}

static void done(struct job *j)
{
	struct prompts_work *w = container_of(j, struct prompts_work, job);
	say_stuck(w->store, w);
	if (w->stuck && w->store->limits.age_s == 0)
		loop_timer_set(w->store->loop, &w->store->tidy, TIDY_US);
	if (w->act == ACT_KEEP) {
		w->store->waiting_bytes -= sizeof *w + w->text.n;
		say_kept(w->store, w->cause);
	}
	if (w->wait)
		w->wait->on_done(w->wait, &w->found, &w->why);
	work_free(w);
}

static struct prompts_work *work_new(struct prompts *p, enum act act, struct span id)
{
	struct prompts_work *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->job = (struct job){.run = run, .on_done = done};
	w->act = act;
	w->store = p;
	w->shelf = &p->shelf;
	w->limits = p->limits;
	w->now_s = loop_wall_us(p->loop) / 1000000;
	w->why = FAULT_NONE;
	w->id_bytes = id.n;
	memcpy(w->id, id.p, id.n);
	memcpy(w->key, p->key, sizeof w->key);
	buf_init(&w->text, HEAD_BYTES + PROMPT_BYTES);
	return w;
}

static void submit(struct prompts *p, struct prompts_work *w)
{
	workers_submit(p->workers, &w->job, PROMPTS_LANE);
}

static void tidy(struct prompts *p)
{
	struct prompts_work *w = work_new(p, ACT_TIDY, SPAN(""));
	if (w)
		submit(p, w);
	if (p->limits.age_s > 0)
		loop_timer_set(p->loop, &p->tidy, TIDY_US);
	else
		loop_timer_stop(&p->tidy);
}

void prompts_let_go(struct prompts *p)
{
	struct prompts_work *w = p ? work_new(p, ACT_LET_GO, SPAN("")) : NULL;
	if (w)
		submit(p, w);
}

static void on_tidy(struct loop_timer *t)
{
	tidy(container_of(t, struct prompts, tidy));
}

/* As much of it as is kept; a text is cut between two of its letters. */
static struct span cut(const struct prompts *p, struct span text)
{
	const size_t most = p->limits.bytes / 4 < (int64_t)PROMPT_BYTES
				    ? (size_t)(p->limits.bytes / 4)
				    : PROMPT_BYTES;
	if (text.n <= most)
		return text;
	const struct span first = span_first(text, most);
	const size_t valid = utf8_valid_bytes(first);
	return most - valid < 4 ? span_first(text, valid) : first;
}

void prompts_keep(struct prompts *p, struct span id, struct span text)
{
	if (!p || p->limits.age_s == 0 || text.n == 0 || id.n == 0 || id.n >= PROMPT_ID_BYTES)
		return;
	if (!p->has_key) {
		if (!p->has_said_locked)
			log_warn("ledger.prompts", "note=\"prompts are not kept: the vault, which "
						   "has the key for them, "
						   "is locked or does not exist yet\"");
		p->has_said_locked = true;
		return;
	}
	const struct span kept = cut(p, text);
	struct prompts_work *w = p->waiting_bytes + sizeof *w + kept.n <= WAITING_BYTES
					 ? work_new(p, ACT_KEEP, id)
					 : NULL;
	if (w)
		buf_span(&w->text, kept);
	if (!w || buf_error(&w->text)) {
		p->dropped++;
		if (w)
			work_free(w);
		return;
	}
	w->bytes = (int64_t)text.n;
	p->waiting_bytes += sizeof *w + kept.n;
	submit(p, w);
}

enum err prompts_find(
	struct prompts *p, struct span id, struct prompts_wait *wait, struct fault *why)
{
	if (p->limits.age_s == 0)
		return fault_set(why, ERR_UNSUPPORTED,
			"prompts are not kept: keep_prompts of [ledger] says for how long they "
			"are");
	if (!p->has_key)
		return fault_set(why, ERR_LOCKED,
			"prompts are kept under a key of the vault, which is locked or does not "
			"exist yet: run `llmb vault unlock`");
	struct prompts_work *w = id.n < PROMPT_ID_BYTES ? work_new(p, ACT_FIND, id) : NULL;
	if (!w)
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	w->wait = wait;
	submit(p, w);
	return OK;
}

struct prompts *prompts_new(struct loop *l, struct workers *w, const char *dir)
{
	struct prompts *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->loop = l;
	p->workers = w;
	LOOP_CALLS(&p->tidy, on_fire, on_tidy);
	p->shelf.fd = -1;
	buf_init(&p->shelf.list, MIB);
	(void)snprintf(p->shelf.dir, sizeof p->shelf.dir, "%.3900s", dir);
	return p;
}

void prompts_free(struct prompts *p)
{
	if (!p)
		return;
	loop_timer_stop(&p->tidy);
	close_newest(&p->shelf);
	buf_done(&p->shelf.list);
	sodium_memzero(p->key, sizeof p->key);
	free(p);
}

void prompts_limit(struct prompts *p, const struct prompts_limits *limits)
{
	p->limits = *limits;
	p->has_said_locked = false;
	tidy(p);
}

void prompts_open(struct prompts *p, const unsigned char key[PROMPTS_KEY_BYTES])
{
	p->has_key = true;
	p->has_said_locked = false;
	memcpy(p->key, key, sizeof p->key);
}

void prompts_close(struct prompts *p)
{
	p->has_key = false;
	sodium_memzero(p->key, sizeof p->key);
}

bool prompts_is_open(const struct prompts *p)
{
	return p->has_key;
}
