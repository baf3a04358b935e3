/* wire_tool.c - JSON is edited member by member; other formats get marked lines. */
#include "libllmclient/cli/wire_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libllmclient/cli/json_edit.h"
#include "libllmclient/cli/marked.h"
#include "protocol/base/utf8.h"

#define TEXT_BYTES  ((size_t)8 << 20)
#define MEMBERS_MAX 8
#define WINDOW      128000 /* tokens of a model of which Zed wants to know it; the broker knows better */
#define PROVIDER    "llm-broker"

enum under {
	HOME,
	CONFIG, /* $XDG_CONFIG_HOME, or ~/.config */
};

struct member {
	struct json_path path;
	const char *value;   /* JSON; NULL: only what was there is put back */
	bool is_where_it_is; /* not put where nothing is */
};

struct wire_file {
	enum under under;
	const char *path;
	const char *variable,
		*path_there; /* where it is instead, under that variable's folder; NULL: nowhere */
	/* one of the two: of JSON, how many members; else all of it */
	size_t (*members)(const struct wiring *w, struct arena *a, struct member *out);
	enum err (*put)(
		const struct wiring *w, struct span before, struct buf *out, struct fault *why);
};

/* ---- pieces ---- */

static const char *kept(struct arena *a, struct buf *b)
{
	const char *text = buf_error(b) ? NULL : arena_str(a, buf_view(b));
	buf_done(b);
	return text;
}

static const char *quoted(struct arena *a, const char *text, const char *after)
{
	struct buf b = BUF_INIT(TEXT_BYTES), all = BUF_INIT(TEXT_BYTES);
	struct json_out o = json_to(&b);
	buf_print(&all, "%s%s", text, after);
	json_put_str(&o, buf_view(&all));
	buf_done(&all);
	return kept(a, &b);
}

/* A double-quoted string of TOML and of YAML has JSON's escapes. */
static void put_string(struct buf *out, const char *before, const char *text, const char *after)
{
	struct json_out o = json_to(out);
	OWNED(buf_done) struct buf all = BUF_INIT(TEXT_BYTES);
	buf_print(&all, "%s%s", text, after);
	buf_text(out, before);
	json_put_str(&o, buf_view(&all));
	buf_byte(out, '\n');
}

static size_t add(struct member *out, size_t n, struct json_path path, const char *value)
{
	out[n] = (struct member){.path = path, .value = value};
	return n + 1;
}

#define PATH(...) ((struct json_path){{__VA_ARGS__}})

/* ---- JSON ---- */

static size_t claude_members(const struct wiring *w, struct arena *a, struct member *out)
{
	size_t n = 0;
	if (w->model)
		n = add(out, n, PATH("env", "ANTHROPIC_MODEL"), quoted(a, w->model, ""));
	n = add(out, n, PATH("env", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"), "\"1\"");
	n = add(out, n, PATH("env", "ANTHROPIC_AUTH_TOKEN"), quoted(a, w->key, ""));
	n = add(out, n, PATH("env", "ANTHROPIC_BASE_URL"), quoted(a, w->base, ""));
	out[n] = (struct member){.path = PATH("env", "ANTHROPIC_API_KEY"),
		.value = "\"\"", /* a key there would go before the token, with a warning */
		.is_where_it_is = true};
	return n + 1;
}

static size_t gemini_members(const struct wiring *w, struct arena *a, struct member *out)
{
	size_t n = 0;
	if (w->model)
		n = add(out, n, PATH("model", "name"), quoted(a, w->model, ""));
	return add(out, n, PATH("security", "auth", "selectedType"), "\"gemini-api-key\"");
}

static size_t opencode_members(const struct wiring *w, struct arena *a, struct member *out)
{
	struct buf b = BUF_INIT(TEXT_BYTES);
	struct json_out o = json_to(&b);
	size_t n = 0;
	json_open(&o, '{');
	json_pair_str(&o, "npm", SPAN("@ai-sdk/openai-compatible"));
	json_pair_str(&o, "name", SPAN(PROVIDER));
	json_key(&o, "options");
	json_open(&o, '{');
	json_pair_raw(&o, "baseURL", span_str(quoted(a, w->base, "/v1")));
	json_pair_str(&o, "apiKey", span_str(w->key));
	json_close(&o, '}');
	json_key(&o, "models");
	json_open(&o, '{');
	for (size_t i = 0; i < w->models.n; i++) {
		json_key_text(&o, span_str(w->models.items[i]));
		json_put_raw(&o, SPAN("{}"));
	}
	json_close(&o, '}');
	json_close(&o, '}');
	if (w->model) {
		struct buf model = BUF_INIT(TEXT_BYTES);
		buf_print(&model, PROVIDER "/%s", w->model);
		const char *text = kept(a, &model);
		n = add(out, n, PATH("model"), text ? quoted(a, text, "") : NULL);
	}
	return add(out, n, PATH("provider", PROVIDER), kept(a, &b));
}

static size_t pi_members(const struct wiring *w, struct arena *a, struct member *out)
{
	struct buf b = BUF_INIT(TEXT_BYTES);
	struct json_out o = json_to(&b);
	json_open(&o, '{');
	json_pair_raw(&o, "baseUrl", span_str(quoted(a, w->base, "/v1")));
	json_pair_str(&o, "api", SPAN("openai-completions"));
	json_pair_str(&o, "apiKey", span_str(w->key));
	json_key(&o, "models");
	json_open(&o, '[');
	for (size_t i = 0; i < w->models.n; i++) {
		json_open(&o, '{');
		json_pair_str(&o, "id", span_str(w->models.items[i]));
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_close(&o, '}');
	return add(out, 0, PATH("providers", PROVIDER), kept(a, &b));
}

static size_t zed_members(const struct wiring *w, struct arena *a, struct member *out)
{
	struct buf b = BUF_INIT(TEXT_BYTES);
	struct json_out o = json_to(&b);
	json_open(&o, '{');
	json_pair_raw(&o, "api_url", span_str(quoted(a, w->base, "/v1")));
	json_key(&o, "available_models");
	json_open(&o, '[');
	for (size_t i = 0; i < w->models.n; i++) {
		json_open(&o, '{');
		json_pair_str(&o, "name", span_str(w->models.items[i]));
		json_pair_i64(&o, "max_tokens", WINDOW);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_close(&o, '}');
	return add(out, 0, PATH("language_models", "openai_compatible", PROVIDER), kept(a, &b));
}

/* ---- marked lines ---- */

static enum err codex_put(
	const struct wiring *w, struct span before, struct buf *out, struct fault *why)
{
	static const char *const keys[] = {"model_provider", NULL}, *const all_keys[] = {
									    "model_provider",
									    "model", NULL};
	OWNED(buf_done) struct buf top = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf table = BUF_INIT(TEXT_BYTES);
	buf_text(&top, "model_provider = \"" PROVIDER "\"\n");
	if (w->model)
		put_string(&top, "model = ", w->model, "");
	buf_text(&table, "[model_providers." PROVIDER "]\nname = \"" PROVIDER "\"\n");
	put_string(&table, "base_url = ", w->base, "/v1");
	buf_text(&table, "wire_api = \"responses\"\n");
	return marked_put_toml(before, w->model ? all_keys : keys, buf_view(&top),
		"model_providers." PROVIDER, buf_view(&table), out, why);
}

static enum err gemini_put(
	const struct wiring *w, struct span before, struct buf *out, struct fault *why)
{
	static const char *const keys[] = {"GEMINI_API_KEY", "GOOGLE_API_KEY",
		"GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA",
		NULL};
	OWNED(buf_done) struct buf lines = BUF_INIT(TEXT_BYTES);
	(void)why;
	put_string(&lines, "GOOGLE_GEMINI_BASE_URL=", w->base, "");
	put_string(&lines, "GEMINI_API_KEY=", w->key, "");
	marked_put_variables(before, keys, buf_view(&lines), out);
	return buf_error(out);
}

static enum err aider_put(
	const struct wiring *w, struct span before, struct buf *out, struct fault *why)
{
	static const char *const keys[] = {"openai-api-base", "openai-api-key", NULL},
				 *const all_keys[] = {
					 "openai-api-base", "openai-api-key", "model", NULL};
	OWNED(buf_done) struct buf lines = BUF_INIT(TEXT_BYTES);
	put_string(&lines, "openai-api-base: ", w->base, "/v1");
	put_string(&lines, "openai-api-key: ", w->key, "");
	if (w->model) {
		OWNED(buf_done) struct buf model = BUF_INIT(TEXT_BYTES);
		buf_print(&model, "openai/%s", w->model);
		buf_byte(&model, '\0');
		put_string(&lines, "model: ", buf_error(&model) ? "" : model.p, "");
	}
	return marked_put_yaml(before, w->model ? all_keys : keys, buf_view(&lines), out, why);
}

static enum err llm_put(
	const struct wiring *w, struct span before, struct buf *out, struct fault *why)
{
	OWNED(buf_done) struct buf items = BUF_INIT(TEXT_BYTES);
	for (size_t i = 0; i < w->models.n; i++) {
		OWNED(buf_done) struct buf id = BUF_INIT(TEXT_BYTES);
		buf_print(&id, PROVIDER "/%s", w->models.items[i]);
		buf_byte(&id, '\0');
		put_string(&items, "- model_id: ", buf_error(&id) ? "" : id.p, "");
		put_string(&items, "  model_name: ", w->models.items[i], "");
		put_string(&items, "  api_base: ", w->base, "/v1");
	}
	return marked_put_yaml_items(before, NULL, buf_view(&items), SPAN(""), out, why);
}

static enum err continue_put(
	const struct wiring *w, struct span before, struct buf *out, struct fault *why)
{
	OWNED(buf_done) struct buf items = BUF_INIT(TEXT_BYTES);
	for (size_t i = 0; i < w->models.n; i++) {
		put_string(&items, "- name: ", w->models.items[i], " (" PROVIDER ")");
		buf_text(&items, "  provider: openai\n");
		put_string(&items, "  model: ", w->models.items[i], "");
		put_string(&items, "  apiBase: ", w->base, "/v1");
		put_string(&items, "  apiKey: ", w->key, "");
	}
	return marked_put_yaml_items(before, "models", buf_view(&items),
		SPAN("name: llm-broker\nversion: 1.0.0\nschema: v1\n"), out, why);
}

/* ---- the table ---- */

/* clang-format off */
static const struct wire_file
	claude_settings   = {HOME,   ".claude/settings.json",      "CLAUDE_CONFIG_DIR",   "settings.json", claude_members,   NULL},
	codex_config      = {HOME,   ".codex/config.toml",         "CODEX_HOME",          "config.toml",   NULL,             codex_put},
	gemini_settings   = {HOME,   ".gemini/settings.json",      NULL,                  NULL,            gemini_members,   NULL},
	gemini_variables  = {HOME,   ".gemini/.env",               NULL,                  NULL,            NULL,             gemini_put},
	opencode_config   = {CONFIG, "opencode/opencode.json",     NULL,                  NULL,            opencode_members, NULL},
	pi_models         = {HOME,   ".pi/agent/models.json",      "PI_CODING_AGENT_DIR", "models.json",   pi_members,       NULL},
	continue_config   = {HOME,   ".continue/config.yaml",      NULL,                  NULL,            NULL,             continue_put},
	aider_config      = {HOME,   ".aider.conf.yml",            NULL,                  NULL,            NULL,             aider_put},
	llm_models        = {CONFIG, "io.datasette.llm/extra-openai-models.yaml", "LLM_USER_PATH", "extra-openai-models.yaml", NULL, llm_put},
	zed_settings      = {CONFIG, "zed/settings.json",          NULL,                  NULL,            zed_members,      NULL};

static const struct wire_tool tools[] = {
	{"aider",    "aider --model openai/MODEL",                        false, {&aider_config}},
	{"claude",   "claude",                                            false, {&claude_settings}},
	{"codex",    "codex",                                             false, {&codex_config}},
	{"continue", "cn, or the editor: the models are in its list",     true,  {&continue_config}},
	{"gemini",   "gemini",                                            false, {&gemini_settings, &gemini_variables}},
	{"llm",      "llm -m llm-broker/MODEL",                           true,  {&llm_models}},
	{"opencode", "opencode -m llm-broker/MODEL",                      true,  {&opencode_config}},
	{"pi",       "pi --provider llm-broker --model MODEL",            true,  {&pi_models}},
	{"zed",      "start it with LLM_BROKER_API_KEY=llm-broker in its environment (`llmb env`)", true, {&zed_settings}},
};
/* clang-format on */

const struct wire_tool *wire_tools(size_t *n)
{
	*n = COUNT_OF(tools);
	return tools;
}

const struct wire_tool *wire_tool_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(tools); i++) {
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	}
	return NULL;
}

const char *wire_file_path(const struct wire_file *f, struct arena *a)
{
	OWNED(buf_done) struct buf path = BUF_INIT(TEXT_BYTES);
	const char *there = f->variable ? getenv(f->variable) : NULL;
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	if (there && there[0] == '/')
		buf_print(&path, "%s/%s", there, f->path_there);
	else if (f->under == CONFIG && config && config[0] == '/')
		buf_print(&path, "%s/%s", config, f->path);
	else if (home && home[0] == '/')
		buf_print(&path, "%s/%s%s", home, f->under == CONFIG ? ".config/" : "", f->path);
	else
		return NULL;
	return buf_error(&path) ? NULL : arena_str(a, buf_view(&path));
}

/* ---- JSON, member by member ---- */

/* `text` is replaced by what is made of it. */
static enum err put_member(
	struct buf *text, const struct member *m, struct span value, struct fault *why)
{
	struct json_document d;
	struct buf out = BUF_INIT(TEXT_BYTES);
	enum err err = json_document_open(&d, buf_view(text), why);
	const bool is_there = !err && span_is_set(json_document_at(&d, &m->path));
	if (!err && span_is_set(value) && (is_there || !m->is_where_it_is))
		err = json_document_put(&d, &m->path, value, &out, why);
	else if (!err && !span_is_set(value))
		json_document_take(&d, &m->path, &out);
	else if (!err)
		buf_span(&out, d.text);
	if (!err)
		err = buf_error(&out);
	json_document_done(&d);
	if (err) {
		buf_done(&out);
		return err;
	}
	buf_done(text);
	*text = out;
	return OK;
}

/* As it was before, where something is there. */
static enum err put_back(
	struct buf *text, const struct json_path *path, struct span was, struct fault *why)
{
	struct json_document d;
	struct buf out = BUF_INIT(TEXT_BYTES);
	enum err err = json_document_open(&d, buf_view(text), why);
	if (!err)
		err = json_document_splice(&d, path, was, &out);
	json_document_done(&d);
	if (err) {
		buf_done(&out);
		return err;
	}
	buf_done(text);
	*text = out;
	return OK;
}

static enum err put_members(const struct wire_file *f, const struct wiring *w, struct span before,
	struct buf *out, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	OWNED(arena_done) struct arena a;
	struct member members[MEMBERS_MAX];
	enum err err = OK;
	arena_init(&a, TEXT_BYTES);
	buf_span(&text, before);
	const size_t n = f->members(w, &a, members);
	for (size_t i = 0; !err && i < n; i++)
		err = members[i].value
			      ? put_member(&text, &members[i], span_str(members[i].value), why)
			      : fault_set(why, ERR_NO_MEMORY, "out of memory");
	if (!err)
		buf_span(out, buf_view(&text));
	return err ? err : buf_error(out);
}

enum err wire_file_put(const struct wire_file *f, const struct wiring *w, struct span before,
	struct buf *out, struct fault *why)
{
	if (!utf8_is_valid(before) || (before.n > 0 && memchr(before.p, '\0', before.n)))
		return fault_set(why, ERR_MALFORMED, "it is no text in UTF-8");
	return f->members ? put_members(f, w, before, out, why) : f->put(w, before, out, why);
}

/* An object that came with a member goes with it, where nothing else is in it. */
static enum err take_parents(struct buf *text, const struct json_document *before,
	const struct json_path *path, struct fault *why)
{
	struct json_path parent = *path;
	enum err err = OK;
	size_t n = 0;
	while (n < JSON_PATH_MAX && parent.name[n])
		n++;
	while (!err && n > 1) {
		struct json_document now;
		parent.name[--n] = NULL;
		err = json_document_open(&now, buf_view(text), why);
		const bool is_left = !err && !span_is_set(json_document_at(before, &parent)) &&
				     json_is_same_text(json_document_at(&now, &parent), SPAN("{}"));
		json_document_done(&now);
		if (!is_left)
			return err;
		err = put_member(text, &(struct member){.path = parent}, SPAN_NONE, why);
	}
	return err;
}

static enum err take_member(struct buf *text, const struct json_document *before,
	const struct json_document *after, const struct member *m, bool *is_unchanged,
	struct fault *why)
{
	struct json_document now;
	enum err err = json_document_open(&now, buf_view(text), why);
	const struct span was = json_document_at(before, &m->path),
			  ours = json_document_at(after, &m->path),
			  is = err ? SPAN_NONE : json_document_at(&now, &m->path);
	const bool is_ours = span_is_set(ours) && !json_is_same_text(was, ours);
	const bool is_there = span_is_set(is);
	*is_unchanged = *is_unchanged && (!is_ours || !is_there || json_is_same_text(ours, is));
	json_document_done(&now);
	if (err || !is_ours || !is_there)
		return err;
	if (span_is_set(was))
		return put_back(text, &m->path, was, why);
	err = put_member(text, &(struct member){.path = m->path}, SPAN_NONE, why);
	return err ? err : take_parents(text, before, &m->path, why);
}

static enum err take_members(const struct wire_file *f, struct span before, struct span after,
	struct span now, struct buf *out, bool *is_ours_unchanged, struct fault *why)
{
	static const struct wiring any = {.base = "", .key = "", .model = ""};
	struct json_document was, ours;
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	OWNED(arena_done) struct arena a;
	struct member members[MEMBERS_MAX];
	arena_init(&a, TEXT_BYTES);
	buf_span(&text, now);
	enum err err = json_document_open(&was, before, why);
	const enum err second = json_document_open(&ours, after, why);
	const size_t n = f->members(&any, &a, members); /* their places alone */
	err = err ? err : second;
	for (size_t i = 0; !err && i < n; i++)
		err = take_member(&text, &was, &ours, &members[i], is_ours_unchanged, why);
	json_document_done(&was);
	json_document_done(&ours);
	if (!err)
		buf_span(out, buf_view(&text));
	return err ? err : buf_error(out);
}

enum err wire_file_take(const struct wire_file *f, struct span before, struct span after,
	struct span now, struct buf *out, bool *is_ours_unchanged, struct fault *why)
{
	OWNED(buf_done) struct buf then = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf since = BUF_INIT(TEXT_BYTES);
	*is_ours_unchanged = true;
	if (f->members)
		return take_members(f, before, after, now, out, is_ours_unchanged, why);
	marked_ours(after, &then);
	marked_ours(now, &since);
	if (buf_error(&then) || buf_error(&since))
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	*is_ours_unchanged = span_eq(buf_view(&then), buf_view(&since)) ||
			     (since.n == 0 && !marked_has_any(buf_view(&then), now));
	return marked_take(now, out, why);
}
