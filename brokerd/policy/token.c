/* token.c - a list in memory, and a file that is written anew after each change. */
#include "brokerd/policy/token.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/config/state_file.h"
#include "brokerd/config/trusted.h"
#include "protocol/base/arena.h"
#include "protocol/limits.h"

#define NAME       "tokens"
#define LANE       7
#define FILE_BYTES ((size_t)4 * 1024 * 1024)
#define ID_PREFIX  "tok_"
#define ID_DIGITS  (APP_TOKEN_ID_BYTES - sizeof ID_PREFIX)
#define SUM_BYTES  8

struct app_tokens {
	struct workers *workers;
	char *dir;
	struct app_token *list;
	size_t n, n_of_connections;
	struct fault unusable; /* the file, which is left alone then */
	app_tokens_gone *on_gone;
	void *context;
};

/* One writing of the file, or none. */
struct work {
	struct job job;
	struct app_tokens *all;
	const char *dir;             /* its own */
	char id[APP_TOKEN_ID_BYTES]; /* that goes again where it fails; "" none */
	struct buf text;
	bool is_written;
	struct grants_reply reply;
	enum err err;
	struct fault why;
};

/* ---- one token ---- */

static void hash_of(struct span text, unsigned char to[APP_TOKEN_HASH_BYTES])
{
	crypto_generichash(
		to, APP_TOKEN_HASH_BYTES, (const unsigned char *)text.p, text.n, NULL, 0);
}

static void id_of(const unsigned char hash[APP_TOKEN_HASH_BYTES], char to[APP_TOKEN_ID_BYTES])
{
	char digits[2 * APP_TOKEN_HASH_BYTES + 1];
	sodium_bin2hex(digits, sizeof digits, hash, APP_TOKEN_HASH_BYTES);
	(void)snprintf(to, APP_TOKEN_ID_BYTES, ID_PREFIX "%.*s", (int)ID_DIGITS, digits);
}

static bool is_over(const struct app_token *t, int64_t now_s)
{
	return t->until_s > 0 && t->until_s <= now_s;
}

/* ---- the file ---- */

static void sum_of(struct span text, char to[2 * SUM_BYTES + 1])
{
	unsigned char sum[16];
	crypto_generichash(sum, sizeof sum, (const unsigned char *)text.p, text.n, NULL, 0);
	sodium_bin2hex(to, 2 * SUM_BYTES + 1, sum, SUM_BYTES);
}

/* A line is "SUM {...}": what is in the braces cannot change without the sum. */
static void put_line(const struct app_token *t, struct buf *to)
{
	OWNED(buf_done) struct buf line = BUF_INIT(16 * KIB);
	char hash[2 * APP_TOKEN_HASH_BYTES + 1], sum[2 * SUM_BYTES + 1];
	struct json_out o = json_to(&line);
	sodium_bin2hex(hash, sizeof hash, t->hash, sizeof t->hash);
	json_open(&o, '{');
	json_pair_str(&o, "hash", span_str(hash));
	json_pair_i64(&o, "uid", (int64_t)t->uid);
	json_pair_str(&o, "app", span_str(t->app));
	if (t->models[0])
		json_pair_str(&o, "models", span_str(t->models));
	json_pair_i64(&o, "at_s", t->at_s);
	json_pair_i64(&o, "until_s", t->until_s);
	json_close(&o, '}');
	sum_of(buf_view(&line), sum);
	buf_print(to, "%s %.*s\n", sum, SPAN_ARG(buf_view(&line)));
	if (buf_error(&line))
		to->err = buf_error(&line);
}

static bool read_member(struct json v, const char *name, struct arena *a, char *to, size_t size)
{
	struct span text;
	const struct json member = json_member(v, name);
	if (json_kind(member) == JSON_ABSENT)
		return true;
	if (json_utf8(member, a, &text) != OK || text.n >= size)
		return false;
	fault_text(to, size, text);
	return true;
}

static bool read_line(struct span line, struct app_token *t)
{
	OWNED(arena_done) struct arena a;
	char sum[2 * SUM_BYTES + 1], hash[2 * APP_TOKEN_HASH_BYTES + 1] = "";
	struct json v;
	size_t n = 0;
	int64_t uid = -1;
	const struct json_rules rules = {.max_depth = 2, .has_unique_names = true};
	const struct span said = span_cut(&line, ' ');
	arena_init(&a, 64 * KIB);
	*t = (struct app_token){.connection = 0};
	if (!span_is_set(line))
		return false;
	sum_of(line, sum);
	if (!span_is(said, sum) || json_scan(line, rules, &v, NULL) ||
		!json_i64(json_member(v, "uid"), &uid) || uid < 0 || uid >= UINT32_MAX ||
		!json_i64(json_member(v, "at_s"), &t->at_s) ||
		!json_i64(json_member(v, "until_s"), &t->until_s) ||
		!read_member(v, "hash", &a, hash, sizeof hash) ||
		!read_member(v, "app", &a, t->app, sizeof t->app) ||
		!read_member(v, "models", &a, t->models, sizeof t->models))
		return false;
	t->uid = (uid_t)uid;
	if (sodium_hex2bin(t->hash, sizeof t->hash, hash, strlen(hash), NULL, &n, NULL) != 0 ||
		n != sizeof t->hash || t->app[0] == '\0' || !peer_is_plain(span_str(t->app)))
		return false;
	id_of(t->hash, t->id);
	return true;
}

static void work_run(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	if (!w->is_written)
		return;
	const int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->err = buf_error(&w->text);
	if (!w->err)
		w->err = dir < 0 ? ERR_IO : state_file_put(dir, NAME, buf_view(&w->text));
	if (w->err)
		fault_set(&w->why, w->err,
			"%s/" NAME " cannot be written: %s; what is revoked is so until the broker "
			"ends, and no token is made",
			w->dir, strerror(errno));
	if (dir >= 0)
		close(dir);
}

static void drop(struct app_tokens *t, size_t i)
{
	t->n_of_connections -= t->list[i].connection != 0;
	memmove(t->list + i, t->list + i + 1, (t->n - i - 1) * sizeof *t->list);
	t->n--;
}

static size_t find(const struct app_tokens *t, struct span id)
{
	size_t i = 0;
	while (i < t->n && !span_is(id, t->list[i].id))
		i++;
	return i;
}

static void work_done(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	const size_t i = w->err && w->id[0] ? find(w->all, span_str(w->id)) : w->all->n;
	if (i < w->all->n)
		drop(w->all, i);
	if (w->reply.on_done)
		w->reply.on_done(w->reply.context, w->err, &w->why);
	buf_done(&w->text);
	free(w);
}

/* Aborts when memory is out, as the tables do: half of a change would be worse. */
static void submit(struct app_tokens *t, const char *id, bool is_written, struct grants_reply reply)
{
	struct work *w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->job = (struct job){.run = work_run, .on_done = work_done};
	w->all = t;
	w->dir = t->dir;
	w->reply = reply;
	w->why = FAULT_NONE;
	w->is_written = is_written;
	memcpy(w->id, id, strlen(id) + 1);
	buf_init(&w->text, FILE_BYTES);
	for (size_t i = 0; is_written && i < t->n; i++) {
		if (t->list[i].connection == 0)
			put_line(&t->list[i], &w->text);
	}
	workers_submit(t->workers, &w->job, LANE);
}

static void add(struct app_tokens *t, const struct app_token *one)
{
	struct app_token *list = reallocarray(t->list, t->n + 1, sizeof *list);
	if (!list)
		abort();
	t->list = list;
	t->list[t->n++] = *one;
	t->n_of_connections += one->connection != 0;
}

static void read_lines(struct app_tokens *t, struct span text, const char *path)
{
	unsigned line = 0;
	while (text.n > 0) {
		struct app_token one;
		line++;
		if (t->n == APP_TOKENS_MAX || !read_line(span_cut(&text, '\n'), &one)) {
			t->n = 0;
			(void)fault_set(&t->unusable, ERR_MISCONFIGURED,
				"%s:%u is no app token as it was written, so none is known: remove "
				"the file, restart the broker, and make new ones by `llmb token "
				"new APP`",
				path, line);
			return;
		}
		add(t, &one);
	}
}

struct app_tokens *app_tokens_new(struct workers *w, const char *state_dir, struct fault *why)
{
	struct app_tokens *t = calloc(1, sizeof *t);
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	char path[4096];
	bool is_absent;
	if (!t || !(t->dir = strdup(state_dir))) {
		free(t);
		return NULL;
	}
	t->workers = w;
	t->unusable = FAULT_NONE;
	(void)snprintf(path, sizeof path, "%.4000s/" NAME, state_dir);
	if (!trusted_read(path, &text, &is_absent, &t->unusable))
		read_lines(t, buf_view(&text), path);
	*why = t->unusable;
	return t;
}

void app_tokens_free(struct app_tokens *t)
{
	if (!t)
		return;
	free(t->list);
	free(t->dir);
	free(t);
}

/* ---- what is known ---- */

const struct app_token *app_tokens_find(
	struct app_tokens *t, struct span text, int64_t now_s, struct fault *why)
{
	unsigned char hash[APP_TOKEN_HASH_BYTES];
	char id[APP_TOKEN_ID_BYTES];
	if (t->unusable.err) {
		fault_set(why, ERR_DENIED, "no app token is known: %.300s", t->unusable.message);
		return NULL;
	}
	hash_of(text, hash);
	id_of(hash, id);
	const size_t i = find(t, span_str(id));
	struct app_token *own = i < t->n ? &t->list[i] : NULL;
	if (!own || sodium_memcmp(own->hash, hash, sizeof hash) != 0) {
		fault_set(why, ERR_DENIED,
			"this app token is not known: it was revoked, has expired, or is another "
			"broker's. "
			"`llmb token new APP` makes one");
		return NULL;
	}
	if (is_over(own, now_s)) {
		fault_set(why, ERR_DENIED,
			"the app token %s of %s has expired: `llmb token new %s` makes another",
			own->id, own->app, own->app);
		return NULL;
	}
	own->used_s = now_s;
	return own;
}

const struct app_token *app_tokens_at(const struct app_tokens *t, size_t i)
{
	return i < t->n ? &t->list[i] : NULL;
}

const struct fault *app_tokens_fault(const struct app_tokens *t)
{
	return &t->unusable;
}

/* ---- changes ---- */

/* Those that are over make room, once they are in nobody's way any more. */
static void drop_old(struct app_tokens *t, int64_t now_s)
{
	for (size_t i = t->n; t->n == APP_TOKENS_MAX && i-- > 0;) {
		if (is_over(&t->list[i], now_s))
			drop(t, i);
	}
}

enum err app_tokens_make(struct app_tokens *t, const struct app_token *like,
	char text[APP_TOKEN_TEXT_BYTES], const struct app_token **out, struct grants_reply reply,
	struct fault *why)
{
	unsigned char random[32];
	struct app_token one = *like;
	if (t->unusable.err) {
		*why = t->unusable;
		return why->err;
	}
	drop_old(t, like->at_s);
	if (t->n == APP_TOKENS_MAX)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"there are %d app tokens, which is the limit: `llmb token list` shows "
			"them, `llmb token revoke ID` makes room",
			APP_TOKENS_MAX);
	do { /* no two have one id, which is all that tells them apart for people */
		randombytes_buf(random, sizeof random);
		memcpy(text, APP_TOKEN_PREFIX, sizeof APP_TOKEN_PREFIX);
		sodium_bin2hex(text + sizeof APP_TOKEN_PREFIX - 1, 2 * sizeof random + 1, random,
			sizeof random);
		hash_of(span_str(text), one.hash);
		id_of(one.hash, one.id);
	} while (find(t, span_str(one.id)) < t->n);
	sodium_memzero(random, sizeof random);
	add(t, &one);
	*out = &t->list[t->n - 1];
	submit(t, one.id, one.connection == 0, reply);
	return OK;
}

void app_tokens_on_gone(struct app_tokens *t, app_tokens_gone *on_gone, void *context)
{
	t->on_gone = on_gone;
	t->context = context;
}

static void tell_gone(const struct app_tokens *t, const struct app_token_id *ids, size_t n)
{
	if (t->on_gone && n > 0)
		t->on_gone(t->context, ids, n);
}

static struct app_token_id take_back(struct app_tokens *t, size_t i)
{
	struct app_token_id id;
	memcpy(id.text, t->list[i].id, sizeof id.text);
	drop(t, i);
	return id;
}

bool app_tokens_revoke(struct app_tokens *t, struct span id, struct grants_reply reply)
{
	const size_t i = find(t, id);
	if (i == t->n)
		return false;
	const bool is_kept = t->list[i].connection == 0;
	const struct app_token_id gone = take_back(t, i);
	tell_gone(t, &gone, 1);
	submit(t, "", is_kept, reply);
	return true;
}

void app_tokens_end(struct app_tokens *t, uint64_t connection)
{
	struct app_token_id gone[APP_TOKENS_MAX];
	size_t n = 0;
	for (size_t i = t->n; t->n_of_connections > 0 && i-- > 0;) {
		if (t->list[i].connection == connection)
			gone[n++] = take_back(t, i);
	}
	tell_gone(t, gone, n);
}

void app_tokens_write(struct app_tokens *t)
{
	if (!t->unusable.err)
		submit(t, "", true, (struct grants_reply){.on_done = NULL});
}
