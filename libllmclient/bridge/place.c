/* place.c - the ends of paths, the longest first. */
#include "libllmclient/bridge/place.h"

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

static bool is_under(struct span path, struct span prefix)
{
	return span_starts(path, prefix) &&
	       (path.n == prefix.n || path.p[prefix.n] == '/' || path.p[prefix.n] == ':');
}

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

/* What a caller put before it: versions, some twice, and what its API calls itself. */
static struct span skip_prefixes(struct span path)
{
	static const char *const prefixes[] = {"/v1", "/openai", "/anthropic", "/api"};
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		const struct span prefix = span_str(prefixes[i]);
		if (is_under(path, prefix) && path.n > prefix.n)
			return skip_prefixes(span_skip(path, prefix.n));
	}
	return path;
}

static void find_native(struct span path, struct place *out)
{
	const struct span rest = span_skip(path, sizeof NATIVE - 1);
	const size_t n = span_index(rest, '/');
	out->kind = PLACE_NATIVE;
	out->methods = "";
	out->provider = span_first(rest, n);
	out->path = n < rest.n ? span_skip(rest, n) : SPAN("/");
	if (out->provider.n == 0)
		out->kind = PLACE_NOWHERE;
	if (span_is(out->provider, "anthropic"))
		out->envelope = ENVELOPE_ANTHROPIC;
	else if (span_is(out->provider, "gemini") || span_is(out->provider, "vertex"))
		out->envelope = ENVELOPE_GEMINI;
}

static const char *const gemini_versions[] = {"/v1beta/", "/v1alpha/"};
static const char *const gemini_methods[] = {
	":generateContent", ":streamGenerateContent", ":countTokens"};

/* Where in `path` Gemini's own begins; path.n: nowhere. */
static size_t gemini_begins(struct span path)
{
	for (size_t i = 0; i < COUNT_OF(gemini_versions); i++) {
		const size_t at = span_find(path, span_str(gemini_versions[i]));
		if (at < path.n)
			return at;
	}
	/* of the stable version, which others have too */
	const size_t models = span_find(path, SPAN("/v1/models/"));
	return span_index(span_skip(path, models), ':') < path.n - models ? models : path.n;
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
	out->provider = SPAN("gemini");
	const struct span rest = span_skip(out->path, 1 + span_index(span_skip(out->path, 1), '/'));
	if (!span_is(rest, "/models") && !span_starts(rest, SPAN("/models/")))
		return true;
	const bool is_list = span_index(rest, ':') == rest.n;
	bool is_known = is_list;
	for (size_t i = 0; i < COUNT_OF(gemini_methods); i++)
		is_known = is_known || span_ends(rest, span_str(gemini_methods[i]));
	if (!is_known)
		return true;
	out->kind = PLACE_SURFACE;
	out->surface = "gemini.generate";
	out->methods = is_list ? "GET" : "POST";
	out->provider = SPAN_NONE;
	return true;
}

void place_find(struct span target, struct place *out)
{
	const size_t mark = span_index(target, '?');
	struct span path = span_first(target, mark);
	*out = (struct place){.kind = PLACE_NOWHERE,
		.methods = "",
		.before = "",
		.query = mark < target.n ? span_skip(target, mark + 1) : SPAN("")};
	while (path.n > 1 && path.p[path.n - 1] == '/') /* a base URL that ends in one */
		path.n--;
	if (path.n > 0 && path.p[0] != '/') { /* absolute form: behind the host */
		path = span_skip(path, span_find(path, SPAN("://")) + 3);
		path = span_skip(path, span_index(path, '/'));
	}
	while (path.n > 1 && path.p[1] == '/')
		path = span_skip(path, 1);
	out->path = path;
	if (path.n <= 1 || span_is(path, "/health") || span_is(path, "/healthz")) {
		out->kind = PLACE_HEALTH;
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
			out->provider = r->envelope == ENVELOPE_ANTHROPIC ? SPAN("anthropic")
									  : SPAN("openai");
		return;
	}
	if (span_starts(path, SPAN("/v1/messages")))
		out->envelope = ENVELOPE_ANTHROPIC;
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
