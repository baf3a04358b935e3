/* tokens.c - a row for each key and purpose, with its token, its fetch and those who wait for it. */
#include "brokerd/exchange/tokens.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "brokerd/auth/redact.h"
#include "brokerd/auth/token.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

#define SECOND   INT64_C(1000000)
#define FETCH_US (20 * SECOND)
#define AGAIN_US (30 * SECOND) /* after a renewal that failed, while the old token serves */

struct row {
	struct row *prev, *next;
	struct tokens *tokens;
	struct config *config;
	struct target target; /* its spans are the configuration's */
	struct secret *key;
	struct secret *token;     /* NULL: none */
	int64_t renew_us, end_us; /* on the wall's clock, which runs on while the host sleeps */
	bool is_forgotten;        /* nobody finds it; it goes when its fetch is over */
	struct token_wait *waits;
	/* the fetch */
	struct transfer *transfer; /* NULL: there is none */
	struct token_request request;
	int64_t begun_us;
	int status;
	struct buf reply;
};

struct tokens {
	struct organs *organs;
	struct sources *sources;
	struct row *rows;
	struct token_wait *told; /* those of a fetch that is over, one after the other */
};

struct tokens *tokens_new(struct organs *o, const char *credentials)
{
	struct tokens *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->organs = o;
	t->sources = sources_new(o->loop, o->workers, credentials);
	if (t->sources)
		return t;
	free(t);
	return NULL;
}

void tokens_prepare(struct tokens *t, const struct config *c)
{
	struct fault why = FAULT_NONE;
	char said[sizeof why.message * 2];
	if (sources_prepare(t->sources, c, &why) != OK)
		log_error("helper.unstarted", "why=%s",
			log_quote(said, sizeof said, span_str(why.message)));
}

static void fetch_done(struct row *r)
{
	r->transfer = NULL;
	token_request_done(&r->request);
	buf_wipe(&r->reply);
}

static void row_free(struct row *r)
{
	assert(!r->waits);
	if (r->transfer) {
		transfer_cancel(r->transfer, NULL);
		fetch_done(r);
	}
	LIST_REMOVE(r->tokens->rows, r);
	secret_unref(r->token);
	secret_unref(r->key);
	config_unref(r->config);
	free(r);
}

void tokens_free(struct tokens *t)
{
	if (!t)
		return;
	while (t->rows)
		row_free(t->rows);
	sources_free(t->sources);
	free(t);
}

static struct row *row_get(
	struct tokens *t, struct config *c, const struct target *target, struct secret *key)
{
	const struct token_source *s = &target->token;
	struct row *r;
	LIST_EACH(t->rows, r) {
		if (!r->is_forgotten && r->key == key && r->target.auth == target->auth &&
			span_eq(r->target.provider, target->provider) &&
			span_eq(r->target.token.url, s->url) &&
			span_eq(r->target.token.scope, s->scope) &&
			span_eq(r->target.token.tenant, s->tenant))
			return r;
	}
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	*r = (struct row){
		.tokens = t,
		.config = config_ref(c),
		.target = {.provider = target->provider, .auth = target->auth, .token = *s},
		.key = secret_ref(key)
        };
	LIST_PUSH(t->rows, r);
	return r;
}

/* ---- the fetch ---- */

static void on_head(void *context, const struct http_head *head)
{
	((struct row *)context)->status = head->status;
}

static void on_body(void *context, struct span bytes)
{
	struct row *r = context;
	buf_span(&r->reply, bytes); /* too much is found at the end */
}

/* Takes a good token over: it is given out until shortly before its end, and renewed before that. */
static void keep(struct row *r, struct secret *token, int64_t life_s)
{
	const int64_t life_us = life_s * SECOND;
	const int64_t early_us = life_us / 5 < 300 * SECOND ? life_us / 5 : 300 * SECOND;
	const int64_t late_us = life_us / 10 < 10 * SECOND ? life_us / 10 : 10 * SECOND;
	secret_unref(r->token);
	r->token = secret_ref(token);
	r->renew_us = r->begun_us + life_us - early_us;
	r->end_us = r->begun_us + life_us - late_us;
}

/* The request proves who asks and buys nothing, so that it never matters whether it was served. */
static enum err unreached(const struct row *r, const struct transfer_end *end, struct fault *why)
{
	enum err err = end->err;
	struct fault said = end->why;
	redact_fault(r->key, &said);
	if (err == ERR_OUTCOME_UNKNOWN)
		err = end->total_us < FETCH_US ? ERR_CONNECTION : ERR_TIMEOUT;
	fault_set(why, err, "no token for %.*s: %s", SPAN_ARG(r->target.provider),
		end->err == ERR_OUTCOME_UNKNOWN ? "the token endpoint does not answer"
						: said.message);
	memcpy(why->code, said.code, sizeof why->code);
	return err;
}

static enum err read_end(
	struct row *r, const struct transfer_end *end, struct secret **token, struct fault *why)
{
	int64_t life_s;
	if (end->err)
		return unreached(r, end, why);
	const enum err err = token_reply(&r->target, r->key, &r->request, r->status,
		buf_view(&r->reply), token, &life_s, why);
	if (err)
		return err;
	char provider[160];
	keep(r, *token, life_s);
	log_info("token.fetched", "provider=%s life_s=%" PRId64 " took_us=%" PRId64,
		log_quote(provider, sizeof provider, r->target.provider), life_s, end->total_us);
	return OK;
}

static void note_failure(struct row *r, enum err err, struct fault *why)
{
	char provider[160], said[sizeof why->message * 2];
	if (!why->err)
		fault_set(why, err, "%s", err_info(err)->sentence);
	fault_text(why->provider, sizeof why->provider, r->target.provider);
	r->renew_us = loop_wall_us(r->tokens->organs->loop) + AGAIN_US;
	log_warn("token.failed", "provider=%s class=%s why=%s",
		log_quote(provider, sizeof provider, r->target.provider), err_info(err)->word,
		log_quote(said, sizeof said, span_str(why->message)));
}

static void on_end(void *context, const struct transfer_end *end)
{
	struct row *r = context;
	struct tokens *t = r->tokens;
	struct secret *token = NULL;
	struct fault why = FAULT_NONE;
	struct token_wait *w;
	const enum err err = read_end(r, end, &token, &why);
	if (err)
		note_failure(r, err, &why);
	fetch_done(r);
	assert(!t->told);
	t->told = r->waits;
	r->waits = NULL;
	LIST_EACH(t->told, w)
		w->home = &t->told;
	if (r->is_forgotten)
		row_free(r);
	while (t->told) {
		w = t->told;
		tokens_leave(w);
		w->on_token(w, token, &why);
	}
	secret_unref(token);
}

static enum err fetch(struct row *r, struct fault *why)
{
	struct organs *o = r->tokens->organs;
	const struct transfer_limits limits = {.connect_us = r->config->connect_us,
		.first_byte_us = FETCH_US,
		.idle_us = FETCH_US,
		.total_us = FETCH_US};
	const struct transfer_events events = {on_head, on_body, on_end, r};
	r->begun_us = loop_wall_us(o->loop);
	r->status = 0;
	buf_init(&r->reply, LIMIT_ERROR_REPLY_BYTES);
	enum err err = token_request(&r->target, r->key, r->begun_us / SECOND, &r->request, why);
	if (!err &&
		!buf_reserve(&r->reply, LIMIT_ERROR_REPLY_BYTES)) /* growing would leave copies */
		err = ERR_NO_MEMORY;
	if (!err)
		err = transport_start(o->transport, &r->request.http, &r->request.target, NULL,
			&limits, &events, &r->transfer, why);
	if (err) {
		fetch_done(r);
		note_failure(r, err, why);
	}
	return err;
}

/* ---- who asks ---- */

static enum err token_get(struct tokens *t, struct config *c, const struct target *target,
	struct secret *key, struct token_wait *w, struct secret **out, struct fault *why)
{
	const int64_t now_us = loop_wall_us(t->organs->loop);
	struct fault own = FAULT_NONE;
	struct row *r = row_get(t, c, target, key);
	if (!r)
		return ERR_NO_MEMORY;
	const bool is_good = r->token && now_us < r->end_us;
	enum err err = OK;
	if (!r->transfer && !(is_good && now_us < r->renew_us))
		err = fetch(r, &own);
	if (is_good) {
		*out = secret_ref(r->token);
		return OK;
	}
	if (err) {
		if (why)
			*why = own;
		return err;
	}
	w->home = &r->waits;
	LIST_PUSH(r->waits, w);
	return ERR_MORE;
}

/* The key's label, where one is named. */
static struct span label_of(const struct config *c, const struct target *target, struct span label)
{
	const struct provider *p = config_provider(c, target->provider);
	return span_is_set(label) || !p || p->n_keys == 0 ? label : p->keys[0].label;
}

const struct key_source *tokens_source(const struct provider *p)
{
	return p->key_source.kind == KEY_SOURCE_VAULT ? NULL : &p->key_source;
}

int64_t tokens_source_read_s(const struct tokens *t, const struct provider *p)
{
	return source_read_s(t->sources, p->name);
}

/* The provider whose key is elsewhere; NULL: it is the vault's, as is one that is named. */
static const struct provider *source_of(
	const struct config *c, const struct target *target, struct span label)
{
	const struct provider *p = config_provider(c, target->provider);
	return p && tokens_source(p) && label.n == 0 ? p : NULL;
}

bool tokens_have(const struct tokens *t, const struct config *c, struct span provider)
{
	const struct provider *p = config_provider(c, provider);
	return (p && tokens_source(p)) || vault_has(t->organs->vault, provider);
}

bool tokens_key_of(const struct tokens *t, const struct provider *p, size_t i, struct span *label)
{
	*label = SPAN("");
	return tokens_source(p) ? i == 0 : vault_label_at(t->organs->vault, p->name, i, label);
}

bool tokens_key_at(const struct tokens *t, const struct config *c, struct span provider, size_t i,
	struct span *label)
{
	const struct provider *p = config_provider(c, provider);
	if (p)
		return tokens_key_of(t, p, i, label);
	*label = SPAN("");
	return vault_label_at(t->organs->vault, provider, i, label);
}

/* The vault's key: where it was refused, the one that it replaced. */
static enum err key_get(struct tokens *t, const struct target *target, struct span label,
	bool is_again, struct secret **out, struct fault *why)
{
	*out = is_again ? vault_get_old(t->organs->vault, target->provider, label) : NULL;
	return *out ? OK : vault_get(t->organs->vault, target->provider, label, out, why);
}

/* What was waited for is here, or is not to be had. */
static void tell(struct token_wait *w, struct secret *token, const struct fault *why)
{
	tokens_leave(w);
	w->on_token(w, token, why);
}

/* A key of elsewhere has come: perhaps it has a token to get. */
static void on_source_key(struct source_wait *s, struct secret *key, const struct fault *why)
{
	struct token_wait *w = container_of(s, struct token_wait, source);
	const struct target *target = w->target;
	struct secret *token = NULL;
	struct fault own = *why;
	if (!key || !token_is_needed(target->auth)) {
		tell(w, key, why);
		return;
	}
	const enum err err = token_get(w->tokens, w->config, target, key, w, &token, &own);
	if (err == ERR_MORE)
		return;
	if (err && !own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	tell(w, token, &own);
	secret_unref(token);
}

static enum err source_ask(struct tokens *t, struct config *c, const struct target *target,
	const struct provider *p, struct token_wait *w, struct secret **out, struct fault *why)
{
	w->source.on_key = on_source_key;
	w->tokens = t;
	w->config = c;
	w->target = target;
	return source_get(t->sources, c, p, &w->source, out, why);
}

enum err tokens_prove(struct tokens *t, struct config *c, const struct target *target,
	struct span label, struct token_wait *w, struct secret **out, struct fault *why)
{
	assert(!token_is_awaited(w));
	const struct provider *p = source_of(c, target, label);
	enum err err = p ? source_ask(t, c, target, p, w, out, why)
			 : key_get(t, target, label_of(c, target, label), w->is_again, out, why);
	if (err || !token_is_needed(target->auth))
		return err;
	struct secret *key = *out;
	*out = NULL;
	err = token_get(t, c, target, key, w, out, why);
	secret_unref(key);
	return err;
}

bool token_is_awaited(const struct token_wait *w)
{
	return w->home || w->source.home;
}

void tokens_leave(struct token_wait *w)
{
	source_leave(&w->source);
	if (!w->home)
		return;
	LIST_REMOVE(*w->home, w);
	w->home = NULL;
}

const char *tokens_renewal(const struct tokens *t, const struct config *c,
	const struct target *target, struct span label, const struct secret *refused,
	const struct fault *why)
{
	const bool is_elsewhere = source_of(c, target, label) != NULL;
	if (why->err != ERR_AUTH)
		return NULL;
	if (is_elsewhere && source_may_renew(t->sources, refused))
		return "the key is refused and read anew";
	if (!is_elsewhere &&
		vault_has_old(t->organs->vault, target->provider, label_of(c, target, label)))
		return "the new key is refused, and the one before it serves";
	if (refused && why->http_status == 401 && token_is_needed(target->auth))
		return "the token is refused and fetched anew";
	return NULL;
}

void tokens_refused(struct tokens *t, const struct secret *token)
{
	struct row *r;
	source_refused(t->sources, token);
	LIST_EACH(t->rows, r) {
		if (token && r->token == token) {
			secret_unref(r->token);
			r->token = NULL;
		}
	}
}

void tokens_forget(struct tokens *t)
{
	struct row *r, *after;
	if (!t)
		return;
	sources_forget(t->sources);
	LIST_EACH_SAFE(t->rows, r, after) {
		if (!r->waits) {
			row_free(r);
			continue;
		}
		r->is_forgotten = true;
		secret_unref(r->token);
		r->token = NULL;
	}
}
