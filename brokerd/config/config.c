/* config.c - drafts of sections are filled file by file, then proved as a whole. */
#include "brokerd/config/config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/config/builtin.h"
#include "brokerd/config/ini.h"
#include "brokerd/config/keys.h"
#include "brokerd/config/known.h"
#include "brokerd/config/limit_check.h"
#include "brokerd/config/limits_file.h"
#include "brokerd/config/proof.h"
#include "brokerd/config/rules.h"
#include "brokerd/config/template.h"
#include "brokerd/config/trusted.h"
#include "protocol/limits.h"

#define ARENA_BYTES    (64 * MIB)
#define KEYS_MAX       192 /* in the table */
#define SECTIONS_MAX   4096
#define FILES_MAX      1000
#define ORIGIN_BYTES   ((size_t)255) /* what a vault's key can be bound to */
#define PROVIDER_BYTES 63

/* Where something stands. */
struct place {
	const char *file; /* NULL: nowhere, it is built in */
	unsigned line, column;
};

/* Which keys were given: in one section, or to one provider in all. */
struct given {
	unsigned lines[KEYS_MAX]; /* 0: not */
	unsigned traits[TRAITS_MAX];
};

struct provider_draft {
	struct provider p;
	struct place section, url, token_url;
	unsigned file;             /* the number of the one that touched it last */
	const struct builtin *row; /* NULL: it has none */
};

/* The lists of an alias, as they are drafted. */
enum line_list {
	LINES_TARGET,
	LINES_CONTEXT,
	LINES_REFUSAL,
	LINES_COUNT,
};

struct model_draft {
	struct model m;
	struct place section;
	struct place *lines[LINES_COUNT]; /* where each one of a list stands */
	const struct key *routed;         /* a key that is for targets; NULL: none was given */
	struct place routed_at;
	unsigned file;
};

struct policy_draft {
	struct policy_rule r;
	struct place section;
	unsigned file;
};

struct limit_draft {
	struct limit_rule r;
	struct place section;
	unsigned file;
};

#define PLAIN 4 /* sections that come first in the table */
struct loader {
	struct config *c;
	struct fault *why;
	struct provider_draft *providers;
	size_t n_providers;
	struct model_draft *models;
	size_t n_models;
	struct policy_draft *policy;
	size_t n_policy;
	size_t n_builtin_policy; /* of them, at the front */
	struct limit_draft *limits;
	size_t n_limits;
	bool is_by_hand;           /* there may be limits alone */
	struct place plain[PLAIN]; /* the sections without a name, as last seen */
	struct place embed_model;
	unsigned plain_file[PLAIN];
	const char *file; /* the one being read */
	bool is_builtin;  /* it is no file */
	unsigned file_number;
	/* the section being read */
	const struct section *section;
	struct provider_draft *provider; /* or NULL */
	struct model_draft *model;       /* or NULL */
	struct policy_draft *rule;       /* or NULL */
	struct limit_draft *limit;       /* or NULL */
	struct given given;
};

static enum err no_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "no memory for the configuration");
}

/* Puts FILE:LINE:COLUMN before a sentence. */
static enum err at_place(struct loader *l, struct place at, enum err err)
{
	char said[sizeof l->why->message];
	if (l->is_by_hand && !at.file)
		return err; /* it was never in a file */
	memcpy(said, l->why->message, sizeof said);
	return fault_set(l->why, err, "%s:%u:%u: %s", at.file ? at.file : "built-in", at.line,
		at.column, said);
}

/* Puts "KEY = VALUE" before the sentence, where there is no line that anybody has seen. */
static enum err at_key(struct loader *l, const struct ini_item *item, enum err err)
{
	char said[sizeof l->why->message];
	memcpy(said, l->why->message, sizeof said);
	return fault_set(l->why, err, "%.*s = %.*s: %s", SPAN_ARG(item->word),
		SPAN_ARG(span_first(item->value, 64)), said);
}

/* ---- built-in rows ---- */

static size_t index_of(const struct key *k)
{
	size_t n;
	const struct key *table = keys_table(&n);
	assert(n <= KEYS_MAX);
	return (size_t)(k - table);
}

static enum err apply(
	struct loader *l, struct provider_draft *d, const char *key, const char *value)
{
	const struct key *k = keys_find("provider", span_str(key));
	if (*value == '\0')
		return OK;
	return keys_read(k, span_str(value), &d->p, &l->c->arena, l->why);
}

/* Room for one more element of `size` bytes. Aborts when memory is out. */
static void *grown(void *list, size_t n, size_t size)
{
	/* powers of two, so that it is seldom */
	if (n > 0 && (n & (n - 1)) != 0)
		return list;
	list = reallocarray(list, n > 0 ? n * 2 : 1, size);
	if (!list)
		abort();
	return list;
}

static enum err new_provider(struct loader *l, struct span name, struct provider_draft **out)
{
	l->providers = grown(l->providers, l->n_providers, sizeof *l->providers);
	struct provider_draft *d = &l->providers[l->n_providers++];
	*d = (struct provider_draft){.p = {.is_builtin = false}};
	*out = d;
	if (arena_dup(&l->c->arena, name, &d->p.name))
		return no_memory(l->why);
	return keys_preset("provider", &d->p, &l->c->arena, l->why);
}

static enum err add_builtins(struct loader *l)
{
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	for (size_t i = 0; i < n; i++) {
		struct provider_draft *d;
		enum err err = new_provider(l, span_str(rows[i].name), &d);
		for (size_t k = 0; !err && k < BUILTIN_DIALECTS && rows[i].dialects[k].dialect; k++)
			err = apply(l, d, "dialect", rows[i].dialects[k].dialect);
		if (!err)
			err = apply(l, d, "base_url", rows[i].base_url);
		if (!err)
			err = apply(l, d, "auth", rows[i].auth);
		if (!err)
			err = apply(l, d, "model", rows[i].model);
		if (!err && rows[i].header)
			err = apply(l, d, "header", rows[i].header);
		if (err)
			return err;
		/* a row of ours that says http means a server on this host */
		d->p.is_plain_loopback_allowed =
			span_starts(span_str(rows[i].base_url), SPAN("http:"));
		d->p.is_builtin = true;
		d->row = &rows[i];
	}
	return OK;
}

/* ---- one text ---- */

static struct provider_draft *find_provider(struct loader *l, struct span name)
{
	for (size_t i = 0; i < l->n_providers; i++) {
		if (span_eq(l->providers[i].p.name, name))
			return &l->providers[i];
	}
	return NULL;
}

static struct model_draft *find_model(struct loader *l, struct span name)
{
	for (size_t i = 0; i < l->n_models; i++) {
		if (span_eq(l->models[i].m.name, name))
			return &l->models[i];
	}
	return NULL;
}

/* Notes that a section begins; twice in one file is a slip. */
static enum err begin(struct loader *l, unsigned *file, struct place *section, struct place at)
{
	if (*file == l->file_number)
		return fault_set(l->why, ERR_MISCONFIGURED,
			"this section was there before, on line %u: put its keys together",
			section->line);
	*file = l->file_number;
	*section = at;
	return OK;
}

static enum err begin_provider(struct loader *l, struct span name, struct place at)
{
	for (size_t i = 0; i < name.n; i++) {
		const char c = name.p[i];
		const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				      (c >= '0' && c <= '9') || strchr("._-", c);
		if (!is_plain)
			return fault_set(l->why, ERR_MISCONFIGURED,
				"a provider's name is made of letters, digits, dots, hyphens and "
				"underscores");
	}
	if (name.n > PROVIDER_BYTES)
		return fault_set(l->why, ERR_MISCONFIGURED,
			"a provider's name is at most %d bytes long", PROVIDER_BYTES);
	struct provider_draft *d = find_provider(l, name);
	if (!d && l->n_providers == SECTIONS_MAX)
		return fault_set(l->why, ERR_MISCONFIGURED, "these are too many providers");
	const enum err err = d ? OK : new_provider(l, name, &d);
	if (err)
		return err;
	d->p.is_builtin = false;
	l->provider = d;
	return begin(l, &d->file, &d->section, at);
}

static enum err begin_model(struct loader *l, struct span name, struct place at)
{
	struct model_draft *d = find_model(l, name);
	if (!d && l->n_models == SECTIONS_MAX)
		return fault_set(l->why, ERR_MISCONFIGURED, "these are too many models");
	if (!d) {
		l->models = grown(l->models, l->n_models, sizeof *l->models);
		d = &l->models[l->n_models++];
		*d = (struct model_draft){
			.m = {.price = PRICE_UNKNOWN,
                              .context_tokens = -1,
                              .max_output_tokens = -1,
                              .route = {.max_price_input = -1, .max_price_output = -1}},
		};
		if (arena_dup(&l->c->arena, name, &d->m.name))
			return no_memory(l->why);
		const enum err err = keys_preset("model", &d->m, &l->c->arena, l->why);
		if (err)
			return err;
	}
	l->model = d;
	return begin(l, &d->file, &d->section, at);
}

static struct policy_draft *find_rule(struct loader *l, struct span name)
{
	for (size_t i = 0; i < l->n_policy; i++) {
		if (span_eq(l->policy[i].r.name, name))
			return &l->policy[i];
	}
	return NULL;
}

static enum err new_rule(struct loader *l, struct span name, struct policy_draft **out)
{
	if (l->n_policy == SECTIONS_MAX)
		return fault_set(l->why, ERR_MISCONFIGURED, "these are too many rules");
	l->policy = grown(l->policy, l->n_policy, sizeof *l->policy);
	struct policy_draft *d = &l->policy[l->n_policy++];
	*d = (struct policy_draft){
		.r = {.max_input = -1,
                      .max_output = -1,
                      .max_cost_nusd = -1,
                      .max_calls = -1,
                      .max_connections = -1},
	};
	*out = d;
	if (arena_dup(&l->c->arena, name, &d->r.name))
		return no_memory(l->why);
	return keys_preset("policy", &d->r, &l->c->arena, l->why);
}

/* The name of one that is built in: that rule, with what is said here, where it stands. */
static enum err begin_rule(struct loader *l, struct span name, struct place at)
{
	struct policy_draft *d = find_rule(l, name);
	const enum err err = d ? OK : new_rule(l, name, &d);
	if (err)
		return err;
	d->r.is_builtin = l->is_builtin;
	l->rule = d;
	return begin(l, &d->file, &d->section, at);
}

static struct limit_draft *find_limit(struct loader *l, struct span name)
{
	for (size_t i = 0; i < l->n_limits; i++) {
		if (span_eq(l->limits[i].r.name, name))
			return &l->limits[i];
	}
	return NULL;
}

static enum err new_limit(struct loader *l, struct span name, struct limit_draft **out)
{
	if (l->n_limits == SECTIONS_MAX)
		return fault_set(l->why, ERR_MISCONFIGURED, "these are too many limits");
	l->limits = grown(l->limits, l->n_limits, sizeof *l->limits);
	struct limit_draft *d = &l->limits[l->n_limits++];
	*d = (struct limit_draft){.r = {.concurrency = -1}};
	*out = d;
	if (arena_dup(&l->c->arena, name, &d->r.name))
		return no_memory(l->why);
	return keys_preset("limit", &d->r, &l->c->arena, l->why);
}

static enum err begin_limit(struct loader *l, struct span name, struct place at)
{
	struct limit_draft *d = find_limit(l, name);
	const struct limit_rule *old = config_limit(l->c, name);
	if (old && at.file)
		return fault_set(l->why, ERR_MISCONFIGURED,
			"the limit \"%.*s\" is in %.*s too: `llmb budget remove %.*s` takes away "
			"this one, which was set by hand",
			SPAN_ARG(span_first(name, 64)), SPAN_ARG(old->said_at),
			SPAN_ARG(span_first(name, 64)));
	if (old)
		return fault_set(l->why, ERR_MISCONFIGURED,
			"the limit \"%.*s\" is in %.*s: it is changed there",
			SPAN_ARG(span_first(name, 64)), SPAN_ARG(old->said_at));
	const enum err err = d ? OK : new_limit(l, name, &d);
	if (err)
		return err;
	l->limit = d;
	return begin(l, &d->file, &d->section, at);
}

static enum err no_section(struct loader *l, struct span word)
{
	const char *near = keys_nearest(NULL, word);
	return fault_set(l->why, ERR_MISCONFIGURED, "there is no section [%.*s]%s%s%s",
		SPAN_ARG(span_first(word, 64)), near ? ": did you mean [" : "", near ? near : "",
		near ? "]?" : "");
}

static enum err on_section(struct loader *l, const struct ini_item *item, struct place at)
{
	const struct section *s = keys_section(item->word);
	size_t n;

	l->given = (struct given){.lines = {0}};
	l->section = s;
	l->provider = NULL;
	l->model = NULL;
	l->rule = NULL;
	l->limit = NULL;
	if (!s)
		return no_section(l, item->word);
	if (l->is_by_hand && strcmp(s->word, "limit") != 0)
		return fault_set(
			l->why, ERR_MISCONFIGURED, "there are limits here, and nothing else");
	if (s->name && !span_is_set(item->name))
		return fault_set(l->why, ERR_MISCONFIGURED,
			"this section needs a name: [%s \"%s\"]", s->word, s->name);
	if (!s->name && span_is_set(item->name))
		return fault_set(
			l->why, ERR_MISCONFIGURED, "there is one [%s], without a name", s->word);
	if (strcmp(s->word, "provider") == 0)
		return begin_provider(l, item->name, at);
	if (strcmp(s->word, "model") == 0)
		return begin_model(l, item->name, at);
	if (strcmp(s->word, "policy") == 0)
		return begin_rule(l, item->name, at);
	if (strcmp(s->word, "limit") == 0)
		return begin_limit(l, item->name, at);
	const size_t i = (size_t)(s - keys_sections(&n));
	assert(i < COUNT_OF(l->plain));
	return begin(l, &l->plain_file[i], &l->plain[i], at);
}

static enum err no_key(struct loader *l, struct span word)
{
	const char *near = keys_nearest(l->section->word, word);
	return fault_set(l->why, ERR_MISCONFIGURED, "[%s] has no key %.*s%s%s%s", l->section->word,
		SPAN_ARG(span_first(word, 64)), near ? ": did you mean " : "", near ? near : "",
		near ? "?" : "");
}

static const struct target_rule *lines_of(const struct model *m, enum line_list list, size_t *n)
{
	const struct target_rules *rules =
		list == LINES_CONTEXT ? &m->route.context : &m->route.refusal;
	*n = list == LINES_TARGET ? m->n_targets : rules->n;
	return list == LINES_TARGET ? m->targets : rules->list;
}

/* The last line of the list stands at `at`. */
static enum err note_line(struct loader *l, enum line_list list, struct place at)
{
	struct model_draft *d = l->model;
	size_t n;
	lines_of(&d->m, list, &n);
	if (n == 1 || ((n - 1) & (n - 2)) == 0) { /* as the list itself grows */
		struct place *places =
			arena_array(&l->c->arena, n > 1 ? 2 * (n - 1) : 1, sizeof *places);
		if (!places)
			return no_memory(l->why);
		if (n > 1)
			memcpy(places, d->lines[list], (n - 1) * sizeof *places);
		d->lines[list] = places;
	}
	d->lines[list][n - 1] = at;
	return OK;
}

/* What was read of a [model] section, and where: some of it is judged when all is there. */
static enum err note_of_model(struct loader *l, const struct key *k, struct place at)
{
	if (k->kind == KEY_TARGET)
		return note_line(l, LINES_TARGET, at);
	if (keys_is_of_route(k) && !l->model->routed) {
		l->model->routed = k;
		l->model->routed_at = at;
	}
	if (k->kind != KEY_FALLBACK)
		return OK;
	return note_line(l,
		k->at == offsetof(struct model, route.context) ? LINES_CONTEXT : LINES_REFUSAL, at);
}

/* A trait of the provider or the model whose section this is. */
static enum err on_trait(
	struct loader *l, const struct ini_item *item, const struct trait *t, struct place *at)
{
	size_t n;
	unsigned *line = &l->given.traits[t - traits_table(&n)];
	if (*line)
		return fault_set(l->why, ERR_MISCONFIGURED, "%s was given before, on line %u",
			t->name, *line);
	*line = item->line;
	at->column = item->value_column;
	return overlay_set(l->provider ? &l->provider->p.traits : &l->model->m.traits, t,
		item->value, &l->c->arena, l->why);
}

/* `at` is the key's place, and becomes the value's when that is what is read. */
static enum err on_pair(struct loader *l, const struct ini_item *item, struct place *at)
{
	const struct key *k = keys_find(l->section->word, item->word);
	const struct trait *t = !k && (l->provider || l->model) ? trait_find(item->word) : NULL;
	void *to = l->c;

	if (t)
		return on_trait(l, item, t, at);
	if (!k)
		return no_key(l, item->word);
	const bool is_list = keys_is_list(k);
	unsigned *line = &l->given.lines[index_of(k)];
	if (*line && !is_list)
		return fault_set(l->why, ERR_MISCONFIGURED, "%s was given before, on line %u",
			k->name, *line);
	at->column = item->value_column;
	if (l->provider) {
		to = &l->provider->p;
		if (k->kind == KEY_URL && strcmp(k->name, "token_url") == 0)
			l->provider->token_url = *at;
		else if (k->kind == KEY_URL)
			l->provider->url = *at;
	}
	if (l->model)
		to = &l->model->m;
	if (l->rule)
		to = &l->rule->r;
	if (l->limit)
		to = &l->limit->r;
	/* a later file's list replaces the earlier one's, and a file's that of a built-in row */
	if (!*line)
		keys_empty(k, to);
	*line = item->line;
	if (k->kind == KEY_MODEL)
		l->embed_model = *at;
	const enum err err = keys_read(k, item->value, to, &l->c->arena, l->why);
	return !err && l->model ? note_of_model(l, k, *at) : err;
}

static enum err read_text(struct loader *l, struct span text, const char *name)
{
	struct ini ini;
	struct ini_item item;
	char *file = name ? arena_str(&l->c->arena, span_str(name)) : NULL;

	if (name && !file)
		return no_memory(l->why);
	l->file = file;
	l->file_number++;
	l->section = NULL;
	ini_init(&ini, text);
	for (;;) {
		struct place at = {.file = file};
		enum err err = ini_next(&ini, &item, l->why);
		at.line = item.line;
		at.column = item.column;
		if (err)
			return at_place(l, at, err);
		if (item.kind == INI_END)
			return OK;
		if (item.kind == INI_SECTION)
			err = on_section(l, &item, at);
		else
			err = on_pair(l, &item, &at);
		if (err && !file && item.kind == INI_PAIR)
			return at_key(l, &item, err);
		if (err)
			return at_place(l, at, err);
	}
}

/* ---- the whole ---- */

/* Does an origin name this very host? */
static bool is_loopback(struct span origin)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;
	struct span host = span_skip(origin, span_find(origin, SPAN("://")) + 3);
	while (host.n > 0 && host.p[host.n - 1] != ':')
		host.n--;
	host.n -= host.n > 0;
	if (span_is(host, "localhost") || span_ends(host, SPAN(".localhost")))
		return true;
	if (host.n > 2 && host.p[0] == '[')
		host = span_of(host.p + 1, host.n - 2);
	if (host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* May the provider's key, or what it gets, go to `url`? Finds its origin. */
static enum err check_url(struct loader *l, const struct provider *p, struct span url,
	struct span *to, bool *is_local)
{
	OWNED(buf_done) struct buf origin = BUF_INIT(ORIGIN_BYTES);
	const enum err err = http_origin(url, &origin, l->why);
	if (err == ERR_INVALID_ARGUMENT || err == ERR_TOO_BIG)
		return ERR_MISCONFIGURED;
	if (err || arena_dup(&l->c->arena, buf_view(&origin), to))
		return no_memory(l->why);
	if (span_starts(*to, SPAN("https://")))
		return OK;
	if (!is_loopback(*to))
		return fault_set(l->why, ERR_MISCONFIGURED,
			"http without TLS would show the key to the network: only to this host is "
			"it "
			"possible, else write https");
	if (!p->is_plain_loopback_allowed)
		return fault_set(l->why, ERR_MISCONFIGURED,
			"http without TLS needs a word: add allow_plain_loopback = yes");
	*is_local = true;
	return OK;
}

/* What is usual in a dialect there: the family's habits, and the row's, or those of strangers. */
static void lay_habits(const struct builtin *row, struct config_dialect *d)
{
	struct overlay habits = {.given = {0}};
	const char *own = row ? NULL : builtin_unlisted(d->family);
	overlay_parse(&habits, builtin_always(d->family));
	for (size_t k = 0; row && k < BUILTIN_DIALECTS && row->dialects[k].dialect; k++) {
		struct span said = span_str(row->dialects[k].dialect);
		if (span_eq(span_cut(&said, ' '), d->family))
			own = row->dialects[k].traits;
	}
	if (row) {
		overlay_parse(&habits, row->traits);
		overlay_parse(&habits, builtin_services(span_str(row->name)));
		overlay_parse(&habits, builtin_extras(span_str(row->name)));
	}
	if (own)
		overlay_parse(&habits, own);
	overlay_apply(&habits, &d->quirks);
}

/* Fills in the names in braces. Where one is not set the provider is there, and has no address. */
static enum err fill_addresses(struct loader *l, struct provider *p)
{
	struct arena *a = &l->c->arena;
	struct span base_url;
	enum err err = template_fill(p, p->base_url, a, &base_url, &p->missing);
	for (size_t i = 0; !err && i < p->n_dialects; i++) {
		struct span path;
		err = template_fill(p, p->dialects[i].path, a, &path, &p->missing);
		p->dialects[i].path = path;
	}
	if (!err)
		err = template_fill(p, p->token.url, a, &p->token.url, &p->missing);
	p->base_url = p->missing ? SPAN_NONE : base_url;
	return err ? no_memory(l->why) : OK;
}

static enum err finish_proof(struct loader *l, struct provider_draft *d)
{
	struct provider *p = &d->p;
	struct token_source *token = &p->token;
	enum err err = proof_finish(p, l->why);
	if (err)
		return at_place(l, d->section, err);
	if (!span_is_set(token->url))
		return OK;
	err = check_url(l, p, token->url, &token->origin, &token->is_local);
	return err ? at_place(l, d->token_url, err) : OK;
}

static enum err finish_provider(struct loader *l, struct provider_draft *d)
{
	struct provider *p = &d->p;
	enum err err = OK;

	if (p->n_dialects == 0) {
		fault_set(l->why, ERR_MISCONFIGURED,
			"[provider \"%.*s\"] needs a dialect, as in dialect = openai-chat",
			SPAN_ARG(p->name));
		return at_place(l, d->section, ERR_MISCONFIGURED);
	}
	p->is_offline = span_is(p->dialects[0].family, "offline");
	for (size_t i = 0; i < p->n_dialects; i++)
		lay_habits(d->row, &p->dialects[i]);
	if (p->is_offline) {
		p->auth = AUTH_NONE;
		return OK;
	}
	if (!span_is_set(p->base_url)) {
		fault_set(l->why, ERR_MISCONFIGURED,
			"[provider \"%.*s\"] needs a base_url, as in base_url = "
			"https://api.example.com/v1",
			SPAN_ARG(p->name));
		return at_place(l, d->section, ERR_MISCONFIGURED);
	}
	err = fill_addresses(l, p);
	if (!err && !p->missing)
		err = check_url(l, p, p->base_url, &p->origin, &p->is_local);
	if (err)
		return at_place(l, d->url.file ? d->url : d->section, err);
	return p->missing ? OK : finish_proof(l, d);
}

static const char *nearest_provider(const struct loader *l, struct span name)
{
	const char *best = NULL;
	size_t nearest = 3;
	for (size_t i = 0; i < l->n_providers; i++) {
		const size_t away = keys_distance(l->providers[i].p.name, name, 2);
		if (away < nearest) {
			best = l->providers[i].p.name.p;
			nearest = away;
		}
	}
	return best;
}

static enum err no_provider(struct loader *l, struct span name, struct place at)
{
	const char *near = nearest_provider(l, name);
	fault_set(l->why, ERR_MISCONFIGURED, "no provider is called \"%.*s\"%s%s%s",
		SPAN_ARG(span_first(name, 64)), near ? ": did you mean \"" : "", near ? near : "",
		near ? "\"?" : "");
	return at_place(l, at, ERR_MISCONFIGURED);
}

/* A target that can never be reached is a slip. */
static enum err check_target(struct loader *l, struct span provider, struct place at)
{
	const struct provider_draft *d = find_provider(l, provider);
	if (!d)
		return no_provider(l, provider, at);
	if (!d->p.missing)
		return OK;
	fault_set(l->why, ERR_MISCONFIGURED,
		"%.*s has no address yet: add %s = ... to [provider \"%.*s\"]", SPAN_ARG(d->p.name),
		d->p.missing, SPAN_ARG(d->p.name));
	return at_place(l, at, ERR_MISCONFIGURED);
}

static bool is_pattern(struct span name)
{
	return span_index(name, '*') < name.n;
}

/* Is there a * inside, where it would stand for nothing? */
static bool has_inner_star(struct span pattern)
{
	for (size_t i = 1; i + 1 < pattern.n; i++) {
		if (pattern.p[i] == '*')
			return true;
	}
	return false;
}

/* "FILE:LINE", as answers and listings name it. */
static enum err say_place(struct loader *l, struct place at, struct span *to)
{
	OWNED(buf_done) struct buf text = BUF_INIT(PATH_MAX + 32);
	buf_print(&text, "%s:%u", at.file ? at.file : "built-in", at.line);
	return buf_error(&text) || arena_dup(&l->c->arena, buf_view(&text), to) ? no_memory(l->why)
										: OK;
}

/* Weights that nothing asks for are a slip too. */
static enum err check_weight(
	struct loader *l, const struct model *m, const struct target_rule *t, struct place at)
{
	const enum strategy how = m->route.strategy;
	if (t->weight == 0 || how == STRATEGY_WEIGHTED || how == STRATEGY_STICKY)
		return OK;
	fault_set(l->why, ERR_MISCONFIGURED,
		"weight= counts where strategy is weighted or sticky: add strategy = weighted to "
		"[model \"%.*s\"]",
		SPAN_ARG(span_first(m->name, 64)));
	return at_place(l, at, ERR_MISCONFIGURED);
}

static enum err check_lines(struct loader *l, const struct model_draft *d)
{
	for (unsigned list = 0; list < LINES_COUNT; list++) {
		size_t n;
		const struct target_rule *lines = lines_of(&d->m, (enum line_list)list, &n);
		for (size_t i = 0; i < n; i++) {
			const struct place at = d->lines[list][i];
			enum err err = check_target(l, lines[i].provider, at);
			if (!err)
				err = check_weight(l, &d->m, &lines[i], at);
			if (err)
				return err;
		}
	}
	return OK;
}

/* How to go about targets is said where there are none. */
static enum err no_targets(struct loader *l, const struct model_draft *d)
{
	const struct span name = span_first(d->m.name, 64);
	const bool is_facts = span_index(d->m.name, '/') < d->m.name.n;
	if (is_facts)
		fault_set(l->why, ERR_MISCONFIGURED,
			"%s is for a name with targets, and [model \"%.*s\"] has the facts of one "
			"model: write it into a section of its own, with target = %.*s",
			d->routed->name, SPAN_ARG(name), SPAN_ARG(name));
	else
		fault_set(l->why, ERR_MISCONFIGURED,
			"%s says how targets are asked, and [model \"%.*s\"] has none: "
			"add target = PROVIDER/MODEL",
			d->routed->name, SPAN_ARG(name));
	return at_place(l, d->routed_at, ERR_MISCONFIGURED);
}

static enum err finish_model(struct loader *l, struct model_draft *d)
{
	struct model *m = &d->m;
	const size_t slash = span_index(m->name, '/');

	if (say_place(l, d->section, &m->said_at))
		return ERR_NO_MEMORY;

	if (m->n_targets > 0 && is_pattern(m->name)) {
		fault_set(l->why, ERR_MISCONFIGURED,
			"a name with a * stands for many models and cannot have a target");
		return at_place(l, d->section, ERR_MISCONFIGURED);
	}
	const enum err err = check_lines(l, d);
	if (err || m->n_targets > 0)
		return err;
	if (d->routed)
		return no_targets(l, d);
	if (slash == m->name.n) {
		fault_set(l->why, ERR_MISCONFIGURED,
			"[model \"%.*s\"] needs a target, as in target = openai/gpt-4o-mini",
			SPAN_ARG(m->name));
		return at_place(l, d->section, ERR_MISCONFIGURED);
	}
	if (!find_provider(l, span_first(m->name, slash)))
		return no_provider(l, span_first(m->name, slash), d->section);
	if (has_inner_star(span_skip(m->name, slash + 1))) {
		fault_set(l->why, ERR_MISCONFIGURED,
			"a * stands for any text at the beginning or the end of a model's name: "
			"this one is inside it, and no model would fit");
		return at_place(l, d->section, ERR_MISCONFIGURED);
	}
	return OK;
}

static enum err add_rules(struct config *c)
{
	size_t n;
	const struct rule *rows = rules_rows(&n);
	c->rules = arena_array(&c->arena, n, sizeof *c->rules);
	if (!c->rules)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		struct name_rule *r = &c->rules[c->n_rules++];
		r->scope = span_str(rows[i].scope);
		r->pattern = span_str(rows[i].pattern);
		overlay_parse(&r->traits, rows[i].traits);
	}
	return OK;
}

/* What is built in stands behind all others. */
static enum err finish_policy(struct loader *l)
{
	struct config *c = l->c;
	c->policy = arena_array(&c->arena, l->n_policy, sizeof *c->policy);
	if (!c->policy)
		return no_memory(l->why);
	for (size_t i = 0; i < l->n_policy; i++) {
		struct policy_draft *d = &l->policy[(i + l->n_builtin_policy) % l->n_policy];
		if (say_place(l, d->section, &d->r.said_at))
			return ERR_NO_MEMORY;
		c->policy[c->n_policy++] = d->r;
	}
	return OK;
}

/* Words are compared by a model that there is, where a rule wants them compared. */
static enum err finish_semantic(struct loader *l)
{
	const struct span name = l->c->embed_model;
	const size_t slash = span_index(name, '/');
	const struct model *alias = config_model(l->c, name);
	for (size_t i = 0; i < l->n_policy && !span_is_set(name); i++) {
		if (l->policy[i].r.cache_semantic == 0)
			continue;
		fault_set(l->why, ERR_MISCONFIGURED,
			"[policy \"%.*s\"] has cache_semantic, and nothing says by which model "
			"words are compared: add embed_model = PROVIDER/MODEL to [cache]",
			SPAN_ARG(span_first(l->policy[i].r.name, 64)));
		return at_place(l, l->policy[i].section, ERR_MISCONFIGURED);
	}
	if (!span_is_set(name) || (alias && alias->n_targets > 0))
		return OK;
	if (slash < name.n)
		return check_target(l, span_first(name, slash), l->embed_model);
	fault_set(l->why, ERR_MISCONFIGURED,
		"no model is called \"%.*s\": embed_model is the NAME of a [model] section that "
		"has targets, or PROVIDER/MODEL",
		SPAN_ARG(span_first(name, 64)));
	return at_place(l, l->embed_model, ERR_MISCONFIGURED);
}

/* What was set by hand and names what is gone since stays as it is: the configuration is no less good for it. */
static enum err note_unfit(struct loader *l, struct limit_rule *r)
{
	struct fault why = FAULT_NONE;
	if (limit_check_names(l->c, r, &why) == OK)
		return OK;
	return arena_dup(&l->c->arena, span_str(why.message), &r->unfit) ? no_memory(l->why) : OK;
}

static enum err finish_limit(struct loader *l, struct limit_draft *d, const struct zone **local)
{
	struct config *c = l->c;
	d->r.is_by_hand = l->is_by_hand;
	if (l->is_by_hand)
		d->r.said_at = SPAN(LIMITS_SAID_AT);
	else if (say_place(l, d->section, &d->r.said_at))
		return ERR_NO_MEMORY;
	enum err err = limit_check(&d->r, l->why);
	if (!err && l->is_by_hand)
		err = note_unfit(l, &d->r);
	else if (!err)
		err = limit_check_names(c, &d->r, l->why);
	if (!err && !d->r.zone && !*local) {
		*local = zone_load(&c->arena, SPAN("local"), l->why);
		err = *local ? OK : l->why->err;
	}
	if (!d->r.zone)
		d->r.zone = *local;
	return err;
}

/* Behind those that are there. */
static enum err finish_limits(struct loader *l)
{
	struct config *c = l->c;
	const struct zone *local = NULL;
	const size_t n_before = c->n_limits;
	struct limit_rule *list = arena_array(&c->arena, n_before + l->n_limits, sizeof *list);
	if (!list)
		return no_memory(l->why);
	if (n_before > 0)
		memcpy(list, c->limits, n_before * sizeof *list);
	for (size_t i = 0; i < l->n_limits; i++) {
		struct limit_draft *d = &l->limits[i];
		const enum err err = finish_limit(l, d, &local);
		if (err)
			return at_place(l, d->section, err);
		list[n_before + i] = d->r;
	}
	struct limit_rule *const before = c->limits;
	size_t at;
	c->limits = list;
	c->n_limits = n_before + l->n_limits;
	const enum err err = limit_check_all(c, &at, l->why);
	if (!err)
		return OK;
	c->limits = before;
	c->n_limits = n_before;
	return at_place(
		l, at < n_before ? l->limits[0].section : l->limits[at - n_before].section, err);
}

static enum err finish(struct loader *l)
{
	struct config *c = l->c;
	c->providers = arena_array(&c->arena, l->n_providers, sizeof *c->providers);
	c->models = arena_array(&c->arena, l->n_models, sizeof *c->models);
	if (!c->providers || !c->models || add_rules(c))
		return no_memory(l->why);
	for (size_t i = 0; i < l->n_providers; i++) {
		const enum err err = finish_provider(l, &l->providers[i]);
		if (err)
			return err;
		c->providers[c->n_providers++] = l->providers[i].p;
	}
	for (size_t i = 0; i < l->n_models; i++) {
		const enum err err = finish_model(l, &l->models[i]);
		if (err)
			return err;
		c->models[c->n_models++] = l->models[i].m;
	}
	enum err err = finish_policy(l);
	if (!err)
		err = finish_semantic(l);
	return err ? err : finish_limits(l);
}

/* ---- files ---- */

static enum err load_file(struct loader *l, const char *path, bool may_be_absent)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
	bool is_absent;
	const enum err err = trusted_read(path, &text, &is_absent, l->why);
	if (err)
		return err;
	if (is_absent && may_be_absent)
		return OK;
	if (is_absent)
		return fault_set(l->why, ERR_MISCONFIGURED, "there is no file %s", path);
	return read_text(l, buf_view(&text), path);
}

static int is_part(const struct dirent *entry)
{
	const struct span name = span_str(entry->d_name);
	return name.n > 5 && name.p[0] != '.' && span_ends(name, SPAN(".conf"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_text(char **text)
{
	free(*text);
}

/* The files of DIR/broker.conf.d, in the order of their names' bytes. */
static enum err load_parts(struct loader *l, const char *main_path)
{
	OWNED(free_text) char *copy = strdup(main_path);
	OWNED(free_text) char *dir = NULL;
	struct dirent **names = NULL;
	struct stat st;
	enum err err = OK;

	if (!copy || asprintf(&dir, "%s/broker.conf.d", dirname(copy)) < 0)
		abort();
	if (stat(dir, &st) != 0 && errno == ENOENT)
		return OK;
	const int n = scandir(dir, &names, is_part, by_name);
	if (n < 0)
		return fault_set(l->why, ERR_MISCONFIGURED, "cannot read the folder %s: %s", dir,
			strerror(errno));
	if (n > 0)
		err = trusted_owner(dir, &st, l->why);
	if (!err && n > FILES_MAX)
		err = fault_set(
			l->why, ERR_MISCONFIGURED, "%s holds more than %d files", dir, FILES_MAX);
	for (int i = 0; i < n; i++) {
		OWNED(free_text) char *path = NULL;
		if (asprintf(&path, "%s/%s", dir, names[i]->d_name) < 0)
			abort();
		if (!err)
			err = load_file(l, path, true);
		free(names[i]);
	}
	free(names);
	return err;
}

/* ---- from outside ---- */

static struct config *start(struct loader *l, struct fault *why)
{
	struct config *c = calloc(1, sizeof *c);
	*l = (struct loader){.c = c, .why = why};
	if (!c) {
		no_memory(why);
		return NULL;
	}
	arena_init(&c->arena, ARENA_BYTES);
	c->refs = 1;
	c->known = known_new();
	if (c->known)
		return c;
	config_unref(c);
	l->c = NULL;
	no_memory(why);
	return NULL;
}

/* Ends a loader; `err` is of all that came before. */
static struct config *end(struct loader *l, enum err err)
{
	if (!err)
		err = finish(l);
	free(l->providers);
	free(l->models);
	free(l->policy);
	free(l->limits);
	if (!err)
		return l->c;
	if (err != ERR_NO_MEMORY)
		l->why->err = ERR_MISCONFIGURED;
	config_unref(l->c);
	return NULL;
}

static enum err add_builtin_rules(struct loader *l)
{
	l->is_builtin = true;
	const enum err err = read_text(l, policy_builtin_rules(), "built-in");
	l->is_builtin = false;
	l->n_builtin_policy = l->n_policy;
	return err;
}

static enum err presets(struct loader *l)
{
	enum err err = keys_preset("broker", l->c, &l->c->arena, l->why);
	if (!err)
		err = keys_preset("vault", l->c, &l->c->arena, l->why);
	if (!err)
		err = keys_preset("ledger", l->c, &l->c->arena, l->why);
	if (!err)
		err = keys_preset("cache", l->c, &l->c->arena, l->why);
	if (!err)
		err = add_builtins(l);
	if (!err)
		err = add_builtin_rules(l);
	return err;
}

struct config *config_load(const char *path, bool may_be_absent, struct fault *why)
{
	struct loader l;
	if (!start(&l, why))
		return NULL;
	enum err err = presets(&l);
	if (!err)
		err = load_file(&l, path, may_be_absent);
	if (!err)
		err = load_parts(&l, path);
	return end(&l, err);
}

struct config *config_parse(struct span text, const char *name, struct fault *why)
{
	struct loader l;
	if (!start(&l, why))
		return NULL;
	enum err err = presets(&l);
	if (!err)
		err = read_text(&l, text, name);
	return end(&l, err);
}

enum err config_add_limits(struct config *c, struct span text, const char *path, struct fault *why)
{
	struct loader l = {.c = c, .why = why, .is_by_hand = true};
	enum err err = read_text(&l, text, path);
	if (!err && l.n_limits > 0)
		err = finish_limits(&l);
	free(l.limits);
	if (err && err != ERR_NO_MEMORY)
		why->err = err = ERR_MISCONFIGURED;
	return err;
}

struct config *config_ref(struct config *c)
{
	c->refs++;
	return c;
}

void config_set_catalogue(struct config *c, struct catalogue *catalogue)
{
	struct catalogue *former = c->catalogue; /* which may be the same */
	c->catalogue = catalogue ? catalogue_ref(catalogue) : NULL;
	catalogue_unref(former);
	known_forget(c->known);
}

void config_unref(struct config *c)
{
	if (!c)
		return;
	assert(c->refs > 0);
	if (--c->refs > 0)
		return;
	catalogue_unref(c->catalogue);
	known_free(c->known);
	arena_done(&c->arena);
	free(c);
}

const struct provider *config_provider(const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->n_providers; i++) {
		if (span_eq(c->providers[i].name, name))
			return &c->providers[i];
	}
	return NULL;
}

const struct model *config_model(const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->n_models; i++) {
		if (span_eq(c->models[i].name, name))
			return &c->models[i];
	}
	return NULL;
}

const struct limit_rule *config_limit(const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->n_limits; i++) {
		if (span_eq(c->limits[i].name, name))
			return &c->limits[i];
	}
	return NULL;
}
