/* config.c - built-in rows first, then each file laid over what came before, then one check of the
 * whole. */
#include "brokerd/config/config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/config/builtin.h"
#include "brokerd/config/ini.h"
#include "brokerd/config/keys.h"
#include "protocol/limits.h"

#define ARENA_BYTES (16 * MIB)
#define KEYS_MAX    64
#define SECTIONS    ((size_t)10000)

/* Where a section was last touched: what is wrong with the whole is said there. */
struct origin {
	char file[128];
	unsigned line;
};

struct builder {
	struct config *config;
	const char *file;
	bool is_builtin;
	size_t cap_providers, cap_models;
	struct origin *provider_origins, *model_origins;
	/* of the section that is being read */
	struct span kind;
	void *object;
	uint64_t seen; /* a bit for each key's row */
};

/* ---- sections ---- */

static const struct quirks quirks_preset = {
	.max_tokens_field = {"max_tokens", 10},
	.system_role = {"system",     6 },
	.api_version = {"2023-06-01", 10},
	.has_stream_options = true,
	.has_json_schema = true,
	.has_parallel_flag = true,
	.has_seed = true,
	.has_penalties = true,
};

static void note_origin(struct builder *b, struct origin *o, unsigned line)
{
	snprintf(o->file, sizeof o->file, "%s", b->file);
	o->line = line;
}

/* One more element of an array in the arena, whose origins grow with it. NULL: out of memory. */
static void *grow(struct builder *b, void *first, size_t *n, size_t *cap, size_t size,
	struct origin **origins)
{
	if (*n == *cap) {
		const size_t wider = *cap ? *cap * 2 : 32;
		char *grown = arena_array(&b->config->arena, wider, size);
		struct origin *places = arena_array(&b->config->arena, wider, sizeof *places);
		if (!grown || !places)
			return NULL;
		if (*n > 0) {
			memcpy(grown, *(void **)first, *n * size);
			memcpy(places, *origins, *n * sizeof *places);
		}
		*(void **)first = grown;
		*origins = places;
		*cap = wider;
	}
	return (char *)*(void **)first + size * (*n)++;
}

static void *open_provider(struct builder *b, const struct ini_entry *e)
{
	struct config *c = b->config;
	struct provider *p = NULL;
	for (size_t i = 0; i < c->n_providers && !p; i++) {
		if (span_eq(c->providers[i].name, e->name))
			p = &c->providers[i];
	}
	if (!p) {
		p = grow(b, &c->providers, &c->n_providers, &b->cap_providers, sizeof *p,
			&b->provider_origins);
		if (!p)
			return NULL;
		*p = (struct provider){.auth = AUTH_BEARER, .quirks = quirks_preset};
		if (arena_dup(&c->arena, e->name, &p->name) != OK)
			return NULL;
	}
	p->is_builtin = b->is_builtin;
	note_origin(b, &b->provider_origins[p - c->providers], e->line);
	return p;
}

static void *open_model(struct builder *b, const struct ini_entry *e)
{
	struct config *c = b->config;
	struct model *m = NULL;
	for (size_t i = 0; i < c->n_models && !m; i++) {
		if (span_eq(c->models[i].name, e->name))
			m = &c->models[i];
	}
	if (!m) {
		m = grow(b, &c->models, &c->n_models, &b->cap_models, sizeof *m, &b->model_origins);
		if (!m)
			return NULL;
		*m = (struct model){
			.price = PRICE_UNKNOWN, .context_tokens = -1, .max_output_tokens = -1};
		if (arena_dup(&c->arena, e->name, &m->name) != OK)
			return NULL;
	}
	note_origin(b, &b->model_origins[m - c->models], e->line);
	return m;
}

static enum err refuse(const struct builder *b, const struct ini_entry *e, struct fault *why,
	const char *what, struct span word, const char *more)
{
	return fault_set(why, ERR_INVALID_ARGUMENT, "%s:%u:%u: %s \"%.*s\"%s", b->file, e->line,
		e->column, what, SPAN_ARG(span_first(word, 64)), more);
}

static bool is_name(struct span name)
{
	return name.n > 0 && name.n <= LIMIT_LABEL_BYTES;
}

static enum err open_section(struct builder *b, const struct ini_entry *e, struct fault *why)
{
	bool takes_name;
	if (!section_is_known(e->kind, &takes_name))
		return refuse(b, e, why, "no section is called", e->kind,
			": broker, vault, provider \"NAME\" and model \"NAME\" are known");
	if (takes_name && !is_name(e->name))
		return refuse(b, e, why, "a name is wanted, of 128 bytes at the most: [provider",
			SPAN("NAME"), "]");
	if (!takes_name && span_is_set(e->name))
		return refuse(b, e, why, "this section takes no name", e->name, "");
	if (span_is(e->kind, "provider") && span_index(e->name, '/') < e->name.n)
		return refuse(b, e, why, "a provider's name has no slash", e->name, "");
	if (b->config->n_providers + b->config->n_models >= SECTIONS)
		return refuse(b, e, why, "too many sections at", e->name, "");
	b->kind = e->kind;
	b->seen = 0;
	b->object = b->config;
	if (span_is(e->kind, "provider"))
		b->object = open_provider(b, e);
	else if (span_is(e->kind, "model"))
		b->object = open_model(b, e);
	return b->object ? OK : fault_set(why, ERR_TOO_BIG, "%s is too large", b->file);
}

static enum err read_key(struct builder *b, const struct ini_entry *e, struct fault *why)
{
	size_t n;
	const struct key *table = key_table(&n);
	const struct key *key = key_find(e->kind, e->key);
	if (!key) {
		const char *near = key_nearest(e->kind, e->key);
		char more[128];
		snprintf(more, sizeof more, near ? ": did you mean \"%s\"?" : "%s",
			near ? near : "");
		return refuse(b, e, why, "no key is called", e->key, more);
	}
	assert(n <= KEYS_MAX);
	const uint64_t bit = UINT64_C(1) << (key - table);
	const bool is_first = !(b->seen & bit);
	b->seen |= bit;
	if (!is_first && !key->is_list)
		return refuse(b, e, why, "twice in one section:", e->key, "");
	struct key_context context = {&b->config->arena, is_first};
	struct fault own = FAULT_NONE;
	if (key->read(&context, e->value, (char *)b->object + key->offset, &own))
		return OK;
	if (own.err)
		return fault_set(why, own.err, "%s:%u:%u: %s: %s", b->file, e->line, e->column,
			key->name, own.message);
	return fault_set(why, ERR_INVALID_ARGUMENT, "%s:%u:%u: %s takes %s, not \"%.*s\"", b->file,
		e->line, e->column, key->name, key->type, SPAN_ARG(span_first(e->value, 64)));
}

static enum err on_entry(void *context, const struct ini_entry *e, struct fault *why)
{
	struct builder *b = context;
	return span_is_set(e->key) ? read_key(b, e, why) : open_section(b, e, why);
}

/* ---- the whole ---- */

static enum err check_provider(const struct builder *b, struct provider *p, struct fault *why)
{
	struct config *c = b->config;
	const struct origin *at = &b->provider_origins[p - c->providers];
	struct fault own = FAULT_NONE;
	if (p->n_dialects == 0)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s:%u:1: provider \"%.*s\" has no dialect: `dialect = openai-chat`, or "
			"anthropic",
			at->file, at->line, SPAN_ARG(p->name));
	p->is_offline = span_is(p->dialects[0].family, "offline");
	if (p->is_offline)
		return OK;
	if (p->base_url.n == 0)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s:%u:1: provider \"%.*s\" has no base_url", at->file, at->line,
			SPAN_ARG(p->name));
	OWNED(buf_done) struct buf origin = BUF_INIT(LIMIT_LABEL_BYTES * 4);
	if (http_origin(p->base_url, &origin, &own) != OK)
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s:%u:1: base_url of \"%.*s\": %s",
			at->file, at->line, SPAN_ARG(p->name), own.message);
	if (arena_dup(&c->arena, buf_view(&origin), &p->origin) != OK)
		return ERR_NO_MEMORY;
	const bool is_plain = span_starts(p->origin, SPAN("http://"));
	const bool is_loopback = span_starts(p->origin, SPAN("http://127.")) ||
				 span_starts(p->origin, SPAN("http://localhost:")) ||
				 span_starts(p->origin, SPAN("http://[::1]:"));
	if (is_plain && !(is_loopback && p->is_plain_loopback_allowed))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s:%u:1: base_url of \"%.*s\" is not https: a key would travel in the "
			"clear "
			"(http is for this machine alone, with `allow_plain_loopback = yes`)",
			at->file, at->line, SPAN_ARG(p->name));
	if (is_plain)
		p->is_local = true;
	return OK;
}

static enum err check_model(const struct builder *b, const struct model *m, struct fault *why)
{
	const struct origin *at = &b->model_origins[m - b->config->models];
	for (size_t i = 0; i < m->n_targets; i++) {
		if (config_provider(b->config, m->targets[i].provider))
			continue;
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s:%u:1: model \"%.*s\": no provider is called \"%.*s\"", at->file,
			at->line, SPAN_ARG(m->name),
			SPAN_ARG(span_first(m->targets[i].provider, 64)));
	}
	return OK;
}

static enum err check_all(struct builder *b, struct fault *why)
{
	struct config *c = b->config;
	for (size_t i = 0; i < c->n_providers; i++) {
		const enum err err = check_provider(b, &c->providers[i], why);
		if (err)
			return err;
	}
	for (size_t i = 0; i < c->n_models; i++) {
		const enum err err = check_model(b, &c->models[i], why);
		if (err)
			return err;
	}
	return OK;
}

/* ---- building ---- */

static enum err read_text_over(
	struct builder *b, struct span text, const char *name, struct fault *why)
{
	b->file = name;
	if (text.n > LIMIT_CONFIG_BYTES)
		return fault_set(
			why, ERR_TOO_BIG, "%s is larger than %zu bytes", name, LIMIT_CONFIG_BYTES);
	return ini_read(text, name, on_entry, b, why);
}

/* The built-in rows, put into the file's own words. */
static enum err read_builtin(struct builder *b, struct fault *why)
{
	size_t n;
	const struct builtin *rows = builtin_providers(&n);
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
	for (size_t i = 0; i < n; i++) {
		buf_print(&text, "[provider \"%s\"]\ndialect = %s\nauth = %s\n", rows[i].name,
			rows[i].dialect, rows[i].auth);
		if (rows[i].base_url[0] != '\0')
			buf_print(&text, "base_url = %s\n", rows[i].base_url);
		if (rows[i].model)
			buf_print(&text, "model = %s\n", rows[i].model);
		buf_text(&text, rows[i].keys);
	}
	const enum err err = buf_error(&text);
	if (err)
		return err;
	b->is_builtin = true;
	const enum err bad = read_text_over(b, buf_view(&text), "built-in", why);
	b->is_builtin = false;
	return bad;
}

static struct config *config_new(struct builder *b, struct fault *why)
{
	struct config *c = calloc(1, sizeof *c);
	if (!c) {
		fault_set(why, ERR_NO_MEMORY, "out of memory for the configuration");
		return NULL;
	}
	arena_init(&c->arena, ARENA_BYTES);
	c->refs = 1;
	c->log_level = SPAN("info");
	*b = (struct builder){.config = c};
	c->idle_exit_us = INT64_C(300000000);
	c->drain_us = INT64_C(30000000);
	c->request_us = INT64_C(3600000000);
	c->connect_us = INT64_C(10000000);
	c->first_byte_us = INT64_C(120000000);
	c->reply_us = INT64_C(600000000);
	c->idle_us = INT64_C(90000000);
	c->max_connections = 12000;
	c->max_calls = 2048;
	if (read_builtin(b, why) == OK)
		return c;
	config_unref(c);
	return NULL;
}

static struct config *config_finish(struct builder *b, enum err err, struct fault *why)
{
	if (!err)
		err = check_all(b, why);
	if (!err)
		return b->config;
	if (why && !why->err)
		fault_set(why, err, "%s", err_info(err)->sentence);
	config_unref(b->config);
	return NULL;
}

struct config *config_parse(struct span text, const char *name, struct fault *why)
{
	struct builder b;
	if (!config_new(&b, why))
		return NULL;
	return config_finish(&b, read_text_over(&b, text, name, why), why);
}

/* ---- files ---- */

/* Whoever can write the file decides where keys are sent. */
static enum err check_owner(int fd, const char *path, struct fault *why)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s is no regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s belongs to uid %u: it must be yours or root's", path,
			(unsigned)st.st_uid);
	if (st.st_mode & 022)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%s can be written by others: `chmod go-w %s`", path, path);
	return OK;
}

/* ERR_MORE: there is no such file. */
static enum err read_file(const char *path, struct buf *out, struct fault *why)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return ERR_MORE;
	if (fd < 0)
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
	enum err err = check_owner(fd, path, why);
	while (!err) {
		char *to = buf_reserve(out, 16 * KIB);
		if (!to) {
			err = fault_set(why, buf_error(out), "%s is larger than %zu bytes", path,
				LIMIT_CONFIG_BYTES);
			break;
		}
		const ssize_t n = read(fd, to, 16 * KIB);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = fault_set(why, ERR_IO, "%s: %s", path, strerror(errno));
		if (n <= 0)
			break;
		buf_commit(out, (size_t)n);
	}
	close(fd);
	return err;
}

static enum err read_over(
	struct builder *b, const char *path, bool may_be_absent, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES + 16 * KIB);
	const enum err err = read_file(path, &text, why);
	if (err == ERR_MORE)
		return may_be_absent ? OK
				     : fault_set(why, ERR_INVALID_ARGUMENT, "there is no %s", path);
	return err ? err : read_text_over(b, buf_view(&text), path, why);
}

static int is_conf(const struct dirent *d)
{
	const struct span name = span_str(d->d_name);
	return name.p[0] != '.' && span_ends(name, SPAN(".conf"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files of broker.conf.d beside the main one, by name. */
static enum err read_folder(struct builder *b, const char *path, struct fault *why)
{
	char folder[4096], file[4096 + 256];
	struct dirent **entries;
	const char *slash = strrchr(path, '/');
	const int length = slash ? (int)(slash - path) : 1;
	snprintf(folder, sizeof folder, "%.*s/broker.conf.d", length, slash ? path : ".");
	const int n = scandir(folder, &entries, is_conf, by_name);
	enum err err = OK;
	if (n < 0 && errno != ENOENT && errno != ENOTDIR)
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof file, "%s/%s", folder, entries[i]->d_name);
		if (!err)
			err = read_over(b, file, true, why);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return err;
}

struct config *config_load(const char *path, bool may_be_absent, struct fault *why)
{
	struct builder b;
	if (!config_new(&b, why))
		return NULL;
	enum err err = read_over(&b, path, may_be_absent, why);
	if (!err)
		err = read_folder(&b, path, why);
	return config_finish(&b, err, why);
}

/* ---- use ---- */

struct config *config_ref(struct config *c)
{
	c->refs++;
	return c;
}

void config_unref(struct config *c)
{
	if (!c || --c->refs > 0)
		return;
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

void config_manual(struct buf *out)
{
	size_t n;
	const struct key *keys = key_table(&n);
	const char *section = "";
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].section, section) != 0) {
			section = keys[i].section;
			bool takes_name;
			(void)section_is_known(span_str(section), &takes_name);
			buf_print(out, "# [%s%s]\n\n", section, takes_name ? " \"NAME\"" : "");
		}
		buf_print(out, "*%s* = _%s_\n\t%s Default: %s.%s\n\n", keys[i].name, keys[i].type,
			keys[i].help, keys[i].preset,
			keys[i].is_list ? " May be given several times." : "");
	}
}
