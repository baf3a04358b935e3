/* place.c - the ends of paths, the longest first. */
#include "libllmclient/bridge/place.h"

#include <string.h>

struct row {
	const char *end;     /* of the path; "*" at its end: more of it follows */
	const char *surface; /* NULL: the provider's own */
	const char *methods;
	enum envelope envelope;
};

/* clang-format off */
static const struct row rows[] = {
	{"/chat/completions",         "openai.chat",        "POST",       ENVELOPE_OPENAI},
	{"/completions",              "openai.completions", "POST",       ENVELOPE_OPENAI},
	{"/responses",                "openai.responses",   "POST",       ENVELOPE_OPENAI},
	{"/responses/*",              "openai.responses",   "GET,POST,DELETE", ENVELOPE_OPENAI},
	{"/messages/count_tokens",    "anthropic.messages", "POST",       ENVELOPE_ANTHROPIC},
	{"/messages/batches*",        NULL,                 "",           ENVELOPE_ANTHROPIC},
	{"/messages",                 "anthropic.messages", "POST",       ENVELOPE_ANTHROPIC},
	{"/embeddings",               "openai.embeddings",  "POST",       ENVELOPE_OPENAI},
	{"/moderations",              "openai.moderations", "POST",       ENVELOPE_OPENAI},
	{"/rerank",                   "rerank",             "POST",       ENVELOPE_OPENAI},
	{"/images/*",                 NULL,                 "",           ENVELOPE_OPENAI},
	{"/audio/*",                  NULL,                 "",           ENVELOPE_OPENAI},
	{"/files*",                   NULL,                 "",           ENVELOPE_OPENAI},
	{"/batches*",                 NULL,                 "",           ENVELOPE_OPENAI},
	{"/uploads*",                 NULL,                 "",           ENVELOPE_OPENAI},
	{"/models*",                  "models",             "GET",        ENVELOPE_OPENAI},
};
/* clang-format on */

#define NATIVE "/native/"
#define MODELS "/models/"
#define UPLOAD "/upload"
#define ANYONE SPAN("*") /* the broker finds out who has it */

/* Does `path` go on by the row's end at its beginning? */
static bool fits(struct span path, const char *end)
{
	struct span want = span_str(end);
	const bool is_open = want.n > 0 && want.p[want.n - 1] == '*';
	if (is_open)
		want.n--;
	if (!span_starts(path, want))
		return false;
	const struct span rest = span_skip(path, want.n);
	/* "/files*" is /files and all below it, and not /filesystem; of a row that ends in a slash too, something follows */
	if (!is_open)
		return rest.n == 0;
	return want.p[want.n - 1] == '/' ? rest.n > 0 : rest.n == 0 || rest.p[0] == '/';
}

/* Without one of what callers put before it; as it is where there is none. */
static struct span skip_prefix(struct span path)
{
	static const char *const prefixes[] = {"/v1", "/openai", "/anthropic", "/api"};
	if (span_starts(path, SPAN("//"))) /* of a base URL that ends in a slash */
		return span_skip(path, 1);
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		const struct span prefix = span_str(prefixes[i]);
		const struct span rest =
			span_starts(path, prefix) ? span_skip(path, prefix.n) : SPAN("");
		if (rest.n > 0 && rest.p[0] == '/')
			return rest;
	}
	return path;
}

/* What a caller put before it: versions, some twice, and what its API calls itself. */
static struct span skip_prefixes(struct span path)
{
	for (;;) {
		const struct span rest = skip_prefix(path);
		if (rest.n == path.n)
			return path;
		path = rest;
	}
}

static void find_native(struct span path, struct place *out)
{
	const struct span rest = span_skip(path, sizeof NATIVE - 1);
	const size_t n = span_index(rest, '/');
	if (n == 0)
		return;
	out->kind = PLACE_NATIVE;
	out->methods = "";
	out->provider = span_first(rest, n);
	out->path = n < rest.n ? span_skip(rest, n) : SPAN("/");
	if (span_is(out->provider, "anthropic"))
		out->envelope = ENVELOPE_ANTHROPIC;
	else if (span_is(out->provider, "gemini") || span_is(out->provider, "vertex"))
		out->envelope = ENVELOPE_GEMINI;
}

static const char *const gemini_versions[] = {"/v1beta/", "/v1alpha/"};

/* What may stand behind a model and a colon; a model's name may have one of its own. */
static const struct {
	const char *end;
	bool is_surface;
} gemini_methods[] = {
	{":generateContent",        true },
	{":streamGenerateContent",  true },
	{":countTokens",            true },
	{":embedContent",           true },
	{":batchEmbedContents",     true },
	{":asyncBatchEmbedContent", false},
	{":batchGenerateContent",   false},
	{":generateAnswer",         false},
	{":predict",                false},
	{":predictLongRunning",     false},
};

/* Which of the methods stands at the end of `path`; COUNT_OF(gemini_methods): none. */
static size_t gemini_method(struct span path)
{
	size_t i = 0;
	while (i < COUNT_OF(gemini_methods) && !span_ends(path, span_str(gemini_methods[i].end)))
		i++;
	return i;
}
/* what Google itself has in the place of "models"; whatever else stands there is the model's own name */
static const char *const gemini_kinds[] = {
	"/models/", "/tunedModels/", "/publishers/", "/projects/"};

/* Where in `path` Gemini's own begins; path.n: nowhere. */
static size_t gemini_begins(struct span path)
{
	for (size_t i = 0; i < COUNT_OF(gemini_versions); i++) {
		const size_t at = span_find(path, span_str(gemini_versions[i]));
		if (at < path.n) /* what is to be a file goes to another place */
			return span_ends(span_first(path, at), SPAN(UPLOAD)) ? at - strlen(UPLOAD)
									     : at;
	}
	if (gemini_method(path) == COUNT_OF(gemini_methods))
		return path.n;
	const size_t stable = span_find(path, SPAN("/v1/models/"));
	return stable < path.n ? stable : span_find(path, SPAN(MODELS));
}

/* Without its first member. */
static struct span behind_first(struct span path)
{
	return span_skip(path, 1 + span_index(span_skip(path, 1), '/'));
}

/* "/PROVIDER/MODEL:method": some clients write "models" before a name only where it has no slash of its own. */
static bool is_bare_model(struct span rest)
{
	for (size_t i = 0; i < COUNT_OF(gemini_kinds); i++) {
		if (span_starts(rest, span_str(gemini_kinds[i])))
			return false;
	}
	const size_t method = gemini_method(rest);
	return method < COUNT_OF(gemini_methods) && gemini_methods[method].is_surface;
}

/* Its files, and what else is there, are the provider's own. */
static bool find_gemini(struct span path, struct place *out)
{
	const size_t at = gemini_begins(path);
	if (at == path.n)
		return false;
	out->envelope = ENVELOPE_GEMINI;
	out->path = span_skip(path, at);
	out->kind = PLACE_NATIVE;
	out->provider = ANYONE;
	if (span_starts(out->path, SPAN(UPLOAD)))
		return true;
	if (span_starts(out->path, SPAN(MODELS)))
		out->before = "/v1beta";
	const struct span rest = out->before[0] ? out->path : behind_first(out->path);
	const bool is_bare = is_bare_model(rest);
	if (!is_bare && !span_is(rest, "/models") && !span_starts(rest, SPAN(MODELS)))
		return true;
	const size_t method = gemini_method(rest);
	const bool is_list = method == COUNT_OF(gemini_methods);
	if (!is_list && !gemini_methods[method].is_surface)
		return true;
	if (is_bare) {
		out->before = "/v1beta/models";
		out->path = rest;
	}
	out->kind = PLACE_SURFACE;
	out->surface = "gemini.generate";
	out->methods = is_list ? "GET" : "POST";
	out->provider = SPAN_NONE;
	return true;
}

/* The path of a target in absolute form; empty: it is none. */
static struct span behind_host(struct span target)
{
	const size_t at = span_find(target, SPAN("://"));
	if (at == 0 || at == target.n)
		return SPAN("");
	const struct span host = span_skip(target, at + 3);
	const size_t n = span_index(host, '/');
	if (n == 0 || host.n == 0)
		return SPAN("");
	return n < host.n ? span_skip(host, n) : SPAN("/");
}

void place_find(struct span target, struct place *out)
{
	const size_t mark = span_index(target, '?');
	struct span path = span_first(target, mark);
	*out = (struct place){.kind = PLACE_NOWHERE,
		.methods = "",
		.before = "",
		.query = mark < target.n ? span_skip(target, mark + 1) : SPAN("")};
	if (path.n == 0 || path.p[0] != '/')
		path = behind_host(path);
	while (path.n > 1 && path.p[path.n - 1] == '/') /* a base URL that ends in one */
		path.n--;
	while (path.n > 1 && path.p[1] == '/')
		path = span_skip(path, 1);
	out->path = path;
	if (path.n == 0)
		return;
	if (path.n == 1 || span_is(path, "/health") || span_is(path, "/healthz")) {
		out->kind = PLACE_HEALTH;
		out->methods = "GET";
		return;
	}
	if (span_is(path, "/metrics")) {
		out->kind = PLACE_METRICS;
		out->methods = "GET";
		return;
	}
	if (span_starts(path, SPAN(NATIVE))) {
		find_native(path, out);
		return;
	}
	if (find_gemini(path, out))
		return;
	const struct span end = skip_prefixes(path);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *r = &rows[i];
		if (!fits(end, r->end))
			continue;
		out->kind = r->surface ? PLACE_SURFACE : PLACE_NATIVE;
		out->surface = r->surface;
		out->methods = r->methods;
		out->envelope = r->envelope;
		out->before = "/v1";
		out->path = end;
		if (!r->surface)
			out->provider = ANYONE;
		return;
	}
	if (span_starts(end, SPAN("/messages/")))
		out->envelope = ENVELOPE_ANTHROPIC;
}

/* Google's at `before`, where the version that some of its clients write has less. */
static void take_googles(const char *before, struct span path, struct place *p)
{
	p->envelope = ENVELOPE_GEMINI;
	p->kind = PLACE_NATIVE;
	p->methods = "";
	p->before = before;
	p->path = path;
	p->provider = ANYONE;
}

void place_speak_gemini(struct place *p)
{
	const struct span stable = SPAN("/v1/"), upload = SPAN(UPLOAD "/v1/");
	if (p->kind == PLACE_NATIVE && p->envelope == ENVELOPE_OPENAI && p->before[0])
		take_googles("/v1beta", p->path, p); /* it is none that names its provider */
	else if (p->kind == PLACE_NOWHERE && span_starts(p->path, stable))
		take_googles("/v1beta", span_skip(p->path, stable.n - 1), p);
	else if (p->kind == PLACE_NOWHERE && span_starts(p->path, upload))
		take_googles(UPLOAD "/v1beta", span_skip(p->path, upload.n - 1), p);
	if (p->kind != PLACE_SURFACE || strcmp(p->surface, "models") != 0)
		return;
	p->envelope = ENVELOPE_GEMINI;
	p->surface = "gemini.generate";
	p->before = "/v1beta";
}

bool place_takes(const struct place *p, struct span method)
{
	struct span all = span_str(p->methods);
	if (p->kind == PLACE_NATIVE && all.n == 0)
		return !span_is(method, "CONNECT") && !span_is(method, "TRACE");
	if (span_is(method, "HEAD"))
		method = SPAN("GET");
	while (all.n > 0) {
		if (span_eq(span_cut(&all, ','), method))
			return true;
	}
	return false;
}
