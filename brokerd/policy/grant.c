/* grant.c - a list in memory, and a file that is written anew after each change. */
#include "brokerd/policy/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/config/policy_rule.h"
#include "brokerd/config/state_file.h"
#include "brokerd/config/trusted.h"
#include "protocol/base/arena.h"
#include "protocol/limits.h"

#define NAME       "grants"
#define LANE       7
#define FILE_BYTES ((size_t)8 * 1024 * 1024)

struct grants {
	struct workers *workers;
	char *dir;
	struct grant *list;
	size_t n;
	struct fault unusable; /* the file, which is left alone then */
};

/* One writing of the file. */
struct work {
	struct job job;
	char *dir;
	struct buf text;
	struct grants_reply reply;
	enum err err;
	int error;
	struct fault why;
};

/* ---- one grant ---- */

void grant_json(const struct grant *grant, struct json_out *o)
{
	json_open(o, '{');
	json_pair_str(o, "who", span_str(grant->who));
	json_pair_i64(o, "uid", (int64_t)grant->uid);
	json_pair_bool(o, "allow", grant->is_yes);
	if (grant->models[0])
		json_pair_str(o, "models", span_str(grant->models));
	if (grant->has_socket)
		json_pair_bool(o, "socket", true);
	if (grant->profile[0])
		json_pair_str(o, "profile", span_str(grant->profile));
	json_pair_bool(o, "kept", grant->is_kept);
	json_pair_i64(o, "at_s", grant->at_s);
	if (grant->until_s > 0)
		json_pair_i64(o, "until_s", grant->until_s);
	json_close(o, '}');
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

static bool read_grant(struct span line, struct grant *g)
{
	OWNED(arena_done) struct arena a;
	struct json v;
	int64_t uid;
	struct peer_id who;
	const struct json_rules rules = {.max_depth = 2, .has_unique_names = true};
	arena_init(&a, 64 * KIB);
	*g = (struct grant){.is_kept = true};
	if (json_scan(line, rules, &v, NULL) || !json_i64(json_member(v, "uid"), &uid) || uid < 0 ||
		uid >= UINT32_MAX)
		return false;
	g->uid = (uid_t)uid;
	g->is_yes = json_is_true(json_member(v, "allow"));
	g->has_socket = json_is_true(json_member(v, "socket"));
	(void)json_i64(json_member(v, "at_s"), &g->at_s);
	(void)json_i64(json_member(v, "until_s"), &g->until_s);
	return read_member(v, "who", &a, g->who, sizeof g->who) &&
	       read_member(v, "models", &a, g->models, sizeof g->models) &&
	       read_member(v, "profile", &a, g->profile, sizeof g->profile) &&
	       peer_from_text(span_str(g->who), &who);
}

bool grant_covers(
	const struct grant *grant, struct span asked, struct span provider, struct span model)
{
	return grant_fits(span_str(grant->models), asked, provider, model);
}

bool grant_fits(struct span rest, struct span asked, struct span provider, struct span model)
{
	OWNED(buf_done) struct buf whole = BUF_INIT(64 * KIB);
	if (rest.n == 0)
		return true;
	buf_span(&whole, provider);
	buf_byte(&whole, '/');
	buf_span(&whole, model);
	while (span_is_set(rest) && !buf_error(&whole)) {
		const struct span pattern = span_cut(&rest, ' ');
		if (pattern.n > 0 &&
			(pattern_fits(pattern, buf_view(&whole)) || pattern_fits(pattern, asked)))
			return true;
	}
	return false;
}

/* ---- the file ---- */

static void work_run(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	const int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->err = dir < 0 ? ERR_IO : state_file_put(dir, NAME, buf_view(&w->text));
	if (w->err)
		fault_set(&w->why, w->err,
			"this holds until the broker ends, for %s/" NAME " cannot be written: %s",
			w->dir, strerror(errno));
	if (dir >= 0)
		close(dir);
}

static void work_done(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	if (w->reply.on_done)
		w->reply.on_done(w->reply.context, w->err, &w->why);
	buf_done(&w->text);
	free(w->dir);
	free(w);
}

static void put_all(const struct grants *g, struct buf *to)
{
	for (size_t i = 0; i < g->n; i++) {
		struct json_out o = json_to(to);
		if (!g->list[i].is_kept)
			continue;
		grant_json(&g->list[i], &o);
		buf_byte(to, '\n');
	}
}

/* Aborts when memory is out, as the tables do: half of a change would be worse. */
static void write_down(struct grants *g, struct grants_reply reply)
{
	struct work *w = calloc(1, sizeof *w);
	if (!w || !(w->dir = strdup(g->dir)))
		abort();
	w->job = (struct job){.run = work_run, .on_done = work_done};
	w->reply = reply;
	w->why = FAULT_NONE;
	buf_init(&w->text, FILE_BYTES);
	put_all(g, &w->text);
	workers_submit(g->workers, &w->job, LANE);
}

static void add(struct grants *g, const struct grant *one)
{
	struct grant *list = reallocarray(g->list, g->n + 1, sizeof *list);
	if (!list)
		abort();
	g->list = list;
	g->list[g->n++] = *one;
}

static enum err read_lines(struct grants *g, struct span text, const char *path, struct fault *why)
{
	unsigned line = 0;
	while (text.n > 0) {
		struct grant one;
		line++;
		if (g->n == GRANTS_MAX || !read_grant(span_cut(&text, '\n'), &one)) {
			g->n = 0;
			return fault_set(why, ERR_MISCONFIGURED,
				"%s:%u is no grant, so nobody has one: mend the line, or remove "
				"the "
				"file and grant anew",
				path, line);
		}
		add(g, &one);
	}
	return OK;
}

struct grants *grants_new(struct workers *w, const char *state_dir, struct fault *why)
{
	struct grants *g = calloc(1, sizeof *g);
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	char path[4096];
	bool is_absent;
	if (!g || !(g->dir = strdup(state_dir))) {
		free(g);
		return NULL;
	}
	g->workers = w;
	g->unusable = FAULT_NONE;
	(void)snprintf(path, sizeof path, "%.4000s/" NAME, state_dir);
	if (!trusted_read(path, &text, &is_absent, &g->unusable))
		(void)read_lines(g, buf_view(&text), path, &g->unusable);
	*why = g->unusable;
	return g;
}

void grants_free(struct grants *g)
{
	if (!g)
		return;
	free(g->list);
	free(g->dir);
	free(g);
}

/* ---- what was said ---- */

static size_t find(const struct grants *g, uid_t uid, struct span who)
{
	size_t i = 0;
	while (i < g->n && !(g->list[i].uid == uid && span_is(who, g->list[i].who)))
		i++;
	return i;
}

/* What was said under a name, while it holds; NULL: nothing. */
static const struct grant *said_of(
	const struct grants *g, uid_t uid, const char *who, int64_t now_s)
{
	const size_t i = find(g, uid, span_str(who));
	const bool is_over = i < g->n && g->list[i].until_s > 0 && g->list[i].until_s <= now_s;
	return i == g->n || is_over ? NULL : &g->list[i];
}

const struct grant *grants_find(const struct grants *g, const struct peer_id *peer, int64_t now_s)
{
	char who[PEER_TEXT_BYTES];
	if (g->n == 0)
		return NULL;
	peer_text(peer, who);
	const struct grant *named = said_of(g, peer->uid, who, now_s);
	if (!peer->is_claim || (named && !named->is_yes))
		return named;
	peer_grant_text(peer, who); /* a claim is heard where it is cut off, and nowhere else */
	return said_of(g, peer->uid, who, now_s);
}

static void drop(struct grants *g, size_t i)
{
	memmove(g->list + i, g->list + i + 1, (g->n - i - 1) * sizeof *g->list);
	g->n--;
}

/* Those whose day has come make room. */
static void drop_old(struct grants *g, int64_t now_s)
{
	for (size_t i = g->n; i-- > 0;) {
		if (g->list[i].until_s > 0 && g->list[i].until_s <= now_s)
			drop(g, i);
	}
}

/* The answer to what is not written: never from inside, so it takes the way of what is. */
static void refuse(struct grants *g, const struct fault *why, struct grants_reply reply);

void grants_put(struct grants *g, const struct grant *grant, struct grants_reply reply)
{
	struct fault why = g->unusable;
	drop_old(g, grant->at_s);
	const size_t i = find(g, grant->uid, span_str(grant->who));
	if (!why.err && i == g->n && g->n == GRANTS_MAX)
		fault_set(&why, ERR_INVALID_ARGUMENT,
			"there are %d grants, which is the limit: `llmb app list` shows them",
			GRANTS_MAX);
	if (why.err) {
		refuse(g, &why, reply);
		return;
	}
	struct grant one = *grant;
	if (i < g->n && g->list[i].has_socket && !one.has_socket) {
		/* an application's socket stays what it is, whatever is said of it */
		one.has_socket = one.is_kept = true;
		one.until_s = 0;
		memcpy(one.profile, g->list[i].profile, sizeof one.profile);
	}
	if (i < g->n)
		drop(g, i);
	add(g, &one);
	write_down(g, reply);
}

void grants_remove(
	struct grants *g, uid_t uid, struct span who, bool *found, struct grants_reply reply)
{
	const size_t i = find(g, uid, who);
	*found = i < g->n;
	if (g->unusable.err) {
		refuse(g, &g->unusable, reply);
		return;
	}
	if (*found)
		drop(g, i);
	write_down(g, reply);
}

static void refuse_run(struct job *j)
{
	(void)j;
}

static void refuse(struct grants *g, const struct fault *why, struct grants_reply reply)
{
	struct work *w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->job = (struct job){.run = refuse_run, .on_done = work_done};
	w->reply = reply;
	w->err = why->err;
	w->why = *why;
	buf_init(&w->text, FILE_BYTES);
	workers_submit(g->workers, &w->job, LANE);
}

void grants_write(struct grants *g)
{
	if (!g->unusable.err)
		write_down(g, (struct grants_reply){.on_done = NULL});
}

void grants_end_session(struct grants *g)
{
	for (size_t i = g->n; i-- > 0;) {
		if (!g->list[i].is_kept)
			drop(g, i);
	}
}

const struct grant *grants_at(const struct grants *g, size_t i)
{
	return i < g->n ? &g->list[i] : NULL;
}
