/* source.c - a row for each provider, with its key, its reading and those who wait for it. */
#include "brokerd/vault/source.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "brokerd/auth/credential.h"
#include "brokerd/auth/token.h"
#include "brokerd/log/log.h"
#include "brokerd/value/guarded.h"
#include "brokerd/value/secret_open.h"
#include "brokerd/vault/command.h"
#include "brokerd/vault/key_text.h"
#include "brokerd/vault/source_file.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

#define SECOND   INT64_C(1000000)
#define AGAIN_US (30 * SECOND) /* after a reading that failed or gave the same */

/* A file that a worker reads: it outlives the row. */
struct reading {
	struct job job;
	struct row *row; /* NULL: nobody wants it any more */
	mode_t forbidden;
	struct guarded *bytes;
	enum err err;
	struct fault why;
	char path[4096];
};

struct row {
	struct row *prev, *next;
	struct sources *sources;
	struct config *config;
	const struct provider *provider;
	struct secret *key;       /* NULL: none */
	struct secret *former;    /* the one before it, which calls may have yet */
	int64_t read_us, next_us; /* on the wall's clock, which runs on while the host sleeps */
	int64_t renew_us;         /* before that a refusal is no reason to read it anew */
	bool is_forgotten;        /* nobody finds it; it goes when its reading is over */
	struct source_wait *waits;
	struct reading *reading; /* one of these is under way, or neither */
	struct command_run run;
};

struct sources {
	struct loop *loop;
	struct workers *workers;
	const char *credentials;
	struct commands *commands;
	struct row *rows;
	struct source_wait *told; /* those of a reading that is over, one after the other */
};

struct sources *sources_new(struct loop *l, struct workers *w, const char *credentials)
{
	struct sources *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	*s = (struct sources){.loop = l, .workers = w, .credentials = credentials};
	s->commands = commands_new(l, COMMAND_MS);
	if (s->commands)
		return s;
	free(s);
	return NULL;
}

static bool is_reading(const struct row *r)
{
	return r->reading || r->run.commands;
}

static void row_free(struct row *r)
{
	assert(!r->waits);
	if (r->reading)
		r->reading->row = NULL;
	command_leave(&r->run);
	LIST_REMOVE(r->sources->rows, r);
	secret_unref(r->key);
	secret_unref(r->former);
	config_unref(r->config);
	free(r);
}

void sources_free(struct sources *s)
{
	if (!s)
		return;
	while (s->rows) {
		while (s->rows->waits)
			source_leave(s->rows->waits);
		row_free(s->rows);
	}
	commands_free(s->commands);
	free(s);
}

enum err sources_prepare(struct sources *s, const struct config *c, struct fault *why)
{
	for (size_t i = 0; i < c->n_providers; i++) {
		if (c->providers[i].key_source.kind == KEY_SOURCE_COMMAND)
			return commands_prepare(s->commands, why);
	}
	return OK;
}

static struct row *row_find(const struct sources *s, struct span provider)
{
	struct row *r;
	LIST_EACH(s->rows, r) {
		if (!r->is_forgotten && span_eq(r->provider->name, provider))
			return r;
	}
	return NULL;
}

static bool is_as_said(const struct row *r, const struct provider *p)
{
	const struct provider *q = r->provider;
	return span_eq(q->key_source.text, p->key_source.text) && q->auth == p->auth &&
	       span_eq(q->origin, p->origin) && span_eq(q->token.origin, p->token.origin);
}

static void row_forget(struct row *r)
{
	secret_unref(r->key);
	secret_unref(r->former);
	r->key = r->former = NULL;
	if (r->waits)
		r->is_forgotten = true;
	else
		row_free(r);
}

static struct row *row_get(struct sources *s, struct config *c, const struct provider *p)
{
	struct row *r = row_find(s, p->name);
	if (r && is_as_said(r, p))
		return r;
	if (r)
		row_forget(r); /* the configuration says otherwise now */
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	*r = (struct row){.sources = s, .config = config_ref(c), .provider = p};
	LIST_PUSH(s->rows, r);
	return r;
}

/* ---- what was read ---- */

/* Less one line break at the end. */
static struct span without_break(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* The same text becomes the same secret, so that the tokens it got are found again. */
static enum err hold(struct row *r, struct span line, struct secret **out)
{
	const struct provider *p = r->provider;
	struct secret *former = r->key ? r->key : r->former;
	bool is_same = false;
	if (former) {
		const struct span was = secret_open(former);
		is_same = was.n == line.n && sodium_memcmp(was.p, line.p, line.n) == 0;
		secret_close(former);
	}
	if (is_same) {
		r->renew_us = loop_wall_us(r->sources->loop) + AGAIN_US;
		*out = secret_ref(former);
		return OK;
	}
	/* a key that gets tokens goes to their endpoint alone */
	return secret_new(line, token_is_needed(p->auth) ? p->token.origin : p->origin, out);
}

static enum err make_key(struct row *r, struct span text, struct secret **out, struct fault *why)
{
	const struct provider *p = r->provider;
	OWNED(buf_wipe) struct buf line = BUF_INIT(LIMIT_SECRET_BYTES);
	if (!buf_reserve(&line, LIMIT_SECRET_BYTES))
		return fault_set(why, ERR_NO_MEMORY, "no memory left");
	enum err err =
		credential_line(p->auth, without_break(text), &p->token, p->origin, &line, why);
	if (!err)
		err = key_text_check(buf_view(&line), why);
	if (!err && hold(r, buf_view(&line), out) != OK)
		err = fault_set(why, ERR_NO_MEMORY, "no locked memory left");
	return err;
}

static void note_failure(struct row *r, struct fault *why)
{
	const struct provider *p = r->provider;
	char said[sizeof why->message], quoted[2 * sizeof why->message];
	/* a file that is not there costs nobody anything */
	const bool is_costly =
		p->key_source.kind == KEY_SOURCE_COMMAND && why->err != ERR_NO_MEMORY;
	memcpy(said, why->message, sizeof said);
	fault_set(why, ERR_NO_KEY, "no key for %.*s from its key_source (%.*s): %s",
		SPAN_ARG(p->name), SPAN_ARG(span_first(p->key_source.text, 200)), said);
	fault_text(why->provider, sizeof why->provider, p->name);
	fault_text(why->code, sizeof why->code, is_costly ? SPAN("key_source") : SPAN(""));
	r->next_us = loop_wall_us(r->sources->loop) + AGAIN_US;
	log_warn("source.failed", "provider=%.*s why=%s", SPAN_ARG(p->name),
		log_quote(quoted, sizeof quoted, span_str(said)));
}

static void note_success(struct row *r, struct secret *key)
{
	const struct provider *p = r->provider;
	const int64_t now_us = loop_wall_us(r->sources->loop);
	const bool is_new = key != r->key && key != r->former;
	if (is_new && r->key) {
		secret_unref(r->former);
		r->former = TAKE(r->key);
	}
	secret_unref(r->key);
	r->key = r->is_forgotten ? NULL : secret_ref(key);
	r->read_us = now_us;
	r->next_us = p->key_refresh_us > 0 ? now_us + p->key_refresh_us : INT64_MAX;
	log_info(
		"source.read", "provider=%.*s is_new=%s", SPAN_ARG(p->name), is_new ? "yes" : "no");
}

/* A reading is over: `text`, or *why. */
static void row_end(struct row *r, struct span text, const struct fault *said)
{
	struct sources *s = r->sources;
	struct secret *key = NULL;
	struct fault why = *said;
	struct source_wait *w;
	if (why.err || make_key(r, text, &key, &why) != OK)
		note_failure(r, &why);
	else
		note_success(r, key);
	assert(!s->told);
	s->told = r->waits;
	r->waits = NULL;
	LIST_EACH(s->told, w)
		w->home = &s->told;
	if (r->is_forgotten)
		row_free(r);
	while (s->told) {
		w = s->told;
		source_leave(w);
		w->on_key(w, key, &why);
	}
	secret_unref(key);
}

/* ---- reading ---- */

static void on_line(struct command_run *run, struct span line, const struct fault *why)
{
	row_end(container_of(run, struct row, run), line, why);
}

static void file_run(struct job *j)
{
	struct reading *g = container_of(j, struct reading, job);
	g->err = source_file_read(g->path, g->forbidden, &g->bytes, &g->why);
}

static void file_done(struct job *j)
{
	struct reading *g = container_of(j, struct reading, job);
	struct row *r = g->row;
	if (r) {
		r->reading = NULL;
		const struct span text = g->err ? SPAN_NONE : guarded_read(g->bytes);
		row_end(r, text, &g->why);
		if (!g->err)
			guarded_close(g->bytes);
	}
	guarded_free(g->bytes);
	free(g);
}

static enum err read_file(struct row *r, const char *dir, mode_t forbidden, struct fault *why)
{
	struct reading *g = calloc(1, sizeof *g);
	if (!g)
		return fault_set(why, ERR_NO_MEMORY, "no memory left");
	*g = (struct reading){
		.row = r,
		.forbidden = forbidden,
		.why = FAULT_NONE,
		.job = {.run = file_run, .on_done = file_done}
        };
	const int n = snprintf(g->path, sizeof g->path, "%s%s%s", dir, *dir ? "/" : "",
		r->provider->key_source.what.p);
	if (n < 0 || (size_t)n >= sizeof g->path) {
		free(g);
		return fault_set(why, ERR_IO, "the path is too long");
	}
	r->reading = g;
	workers_submit(r->sources->workers, &g->job, 0);
	return OK;
}

static enum err start(struct row *r, struct fault *why)
{
	struct sources *s = r->sources;
	const struct key_source *source = &r->provider->key_source;
	switch (source->kind) {
	case KEY_SOURCE_COMMAND:
		r->run.on_line = on_line;
		return command_start(s->commands, &r->run, source->what, why);
	case KEY_SOURCE_FILE:
		return read_file(r, "", S_IRWXG | S_IRWXO, why);
	case KEY_SOURCE_CREDENTIAL:
		if (!s->credentials)
			return fault_set(why, ERR_IO,
				"the broker was handed no credentials: start it by a unit with "
				"LoadCredential=");
		/* systemd lets its service read it by an access list, which shows as the group's bit */
		return read_file(r, s->credentials, S_IWGRP | S_IRWXO, why);
	case KEY_SOURCE_VAULT:
		break;
	}
	return ERR_INTERNAL;
}

/* ---- who asks ---- */

enum err source_get(struct sources *s, struct config *c, const struct provider *p,
	struct source_wait *w, struct secret **out, struct fault *why)
{
	struct row *r = row_get(s, c, p);
	struct fault own = FAULT_NONE;
	*out = NULL;
	if (!r)
		return ERR_NO_MEMORY;
	if (!is_reading(r) && (!r->key || loop_wall_us(s->loop) >= r->next_us) &&
		start(r, &own) != OK)
		note_failure(r, &own);
	if (r->key) {
		*out = secret_ref(r->key);
		return OK;
	}
	if (!is_reading(r)) {
		if (why)
			*why = own;
		return own.err;
	}
	w->home = &r->waits;
	LIST_PUSH(r->waits, w);
	return ERR_MORE;
}

void source_leave(struct source_wait *w)
{
	if (!w->home)
		return;
	LIST_REMOVE(*w->home, w);
	w->home = NULL;
}

bool source_may_renew(const struct sources *s, const struct secret *key)
{
	struct row *r;
	LIST_EACH(s->rows, r) {
		const bool is_ours = key && (r->key == key || r->former == key);
		if (is_ours && r->key && r->key != key)
			return true; /* there is another already */
		if (is_ours)
			return loop_wall_us(s->loop) >= r->renew_us;
	}
	return false;
}

void source_refused(struct sources *s, const struct secret *key)
{
	struct row *r;
	LIST_EACH(s->rows, r) {
		if (!key || r->key != key)
			continue;
		secret_unref(r->former);
		r->former = TAKE(r->key);
	}
}

int64_t source_read_s(const struct sources *s, struct span provider)
{
	const struct row *r = row_find(s, provider);
	return r && r->key ? r->read_us / SECOND : 0;
}

void sources_forget(struct sources *s)
{
	struct row *r, *after;
	LIST_EACH_SAFE(s->rows, r, after)
		row_forget(r);
}
