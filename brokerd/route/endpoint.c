/* endpoint.c - the table of paths, and what comes before them at a provider's. */
#include "brokerd/route/endpoint.h"

#include <string.h>

#include "brokerd/value/ops.h"
#include "protocol/limits.h"

/* clang-format off */
static const struct {
	enum endpoint_api api;
	const char *stem;
	const char *served;
} rows[] = {
	{ENDPOINT_ANTHROPIC, "/messages/batches",     "batches"},
	{ENDPOINT_OPENAI,    "/files",                "files"},
	{ENDPOINT_ANTHROPIC, "/files",                "files"},
	{ENDPOINT_OPENAI,    "/uploads",              "files"},
	{ENDPOINT_OPENAI,    "/batches",              "batches"},
	{ENDPOINT_OPENAI,    "/images",               "images"},
	{ENDPOINT_OPENAI,    "/audio/speech",         "speech"},
	{ENDPOINT_OPENAI,    "/audio/transcriptions", "transcribe"},
	{ENDPOINT_OPENAI,    "/audio/translations",   "transcribe"},
};

/* Of Google's, whose paths have a resource and then what is done to it. */
static const struct {
	const char *part, *served;
} gemini_rows[] = {
	{"/files",                  "files"},
	{"/cachedContents",         "files"}, /* whoever keeps the one keeps the other */
	{":batchGenerateContent",   "batches"},
	{":asyncBatchEmbedContent", "batches"},
	{"/batches",                "batches"},
};

/* Who speaks an API, and which end of a chat's path others of its endpoints have in its place. */
static const struct {
	const char *family;
	enum endpoint_api api;
	const char *end; /* a provider whose own path for chat ends otherwise has another API */
	const char *root; /* what comes before that end where the provider says no path */
} shapes[] = {
	{"openai-chat",        ENDPOINT_OPENAI,    "/chat/completions", ""},
	{"openai-responses",   ENDPOINT_OPENAI,    "/responses",        ""},
	{"openai-completions", ENDPOINT_OPENAI,    "/completions",      ""},
	{"mistral",            ENDPOINT_OPENAI,    "/chat/completions", ""},
	{"cohere",             ENDPOINT_OPENAI,    "/chat",             ""},
	{"anthropic",          ENDPOINT_ANTHROPIC, "/messages",         "/v1"},
	{"gemini",             ENDPOINT_GEMINI,    "/v1beta/models/{model}:{method}", ""},
};
/* clang-format on */

/* ---- which endpoint ---- */

static bool has_header(const struct surface_call *call, const char *name)
{
	for (size_t i = 0; i < call->n_headers; i++) {
		if (span_is(call->headers[i].key, name))
			return true;
	}
	return false;
}

/* Without the version, which the base URLs of this API's hosts have, each its own. */
static struct span behind_version(struct span path)
{
	return span_starts(path, SPAN("/v1/")) ? span_skip(path, strlen("/v1")) : path;
}

/* Whole parts of a path. */
static bool begins(struct span path, const char *stem)
{
	const size_t n = strlen(stem);
	return span_starts(path, span_str(stem)) && (path.n == n || path.p[n] == '/');
}

static bool look_up(struct endpoint *e)
{
	const struct span path = behind_version(e->path);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].api != e->api || !begins(path, rows[i].stem))
			continue;
		e->stem = rows[i].stem;
		e->served = rows[i].served;
		return true;
	}
	return false;
}

static bool is_gemini(struct span path)
{
	return span_starts(path, SPAN("/v1beta/")) || span_starts(path, SPAN("/v1alpha/")) ||
	       span_starts(path, SPAN("/upload/"));
}

void endpoint_find(const struct surface_call *call, struct endpoint *out)
{
	*out = (struct endpoint){.path = call->path, .stem = ""};
	if (is_gemini(call->path)) {
		out->api = ENDPOINT_GEMINI;
		for (size_t i = 0; i < COUNT_OF(gemini_rows) && !out->served; i++) {
			const struct span part = span_str(gemini_rows[i].part);
			if (span_find(call->path, part) < call->path.n)
				out->served = gemini_rows[i].served;
		}
		return;
	}
	const bool is_anthropic = has_header(call, "anthropic-version") ||
				  begins(behind_version(call->path), "/messages");
	out->api = is_anthropic ? ENDPOINT_ANTHROPIC : ENDPOINT_OPENAI;
	(void)look_up(out); /* what is in no row may be there, too */
}

bool endpoint_next(struct endpoint *e)
{
	struct endpoint other = *e;
	other.api = ENDPOINT_ANTHROPIC;
	if (e->api != ENDPOINT_OPENAI || !look_up(&other))
		return false;
	*e = other;
	return true;
}

/* ---- where ---- */

/* What comes before this API's paths, below the base URL. False: the dialect has none of them. */
static bool find_root(const struct config_dialect *d, enum endpoint_api api, struct span *root)
{
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		if (shapes[i].api != api || !span_is(d->family, shapes[i].family))
			continue;
		*root = span_str(shapes[i].root);
		if (!span_is_set(d->path))
			return true;
		if (!span_ends(d->path, span_str(shapes[i].end)))
			return false;
		*root = span_first(d->path, d->path.n - strlen(shapes[i].end));
		return span_index(*root, '{') == root->n; /* it is another for each model */
	}
	return false;
}

/* `own`: what the provider has in the stem's place; absent: the stem. */
static void put_path(const struct provider *p, const struct endpoint *e, struct span root,
	struct span own, struct buf *out)
{
	OWNED(buf_done) struct buf below = BUF_INIT(64 * KIB);
	OWNED(buf_done) struct buf url = BUF_INIT(64 * KIB);
	const struct span path = e->api == ENDPOINT_GEMINI ? e->path : behind_version(e->path);
	if (span_is_set(own)) {
		buf_span(&below, own);
		buf_span(&below, span_skip(path, strlen(e->stem)));
	} else {
		buf_span(&below, root);
		buf_span(&below, path);
	}
	http_join_url(p->base_url, buf_view(&below), &url);
	if (buf_error(&below) || buf_error(&url))
		return; /* so long a path is nowhere */
	const struct span whole = span_first(buf_view(&url), span_index(buf_view(&url), '?'));
	const size_t host = span_find(p->base_url, SPAN("://")) + strlen("://");
	buf_span(out, span_skip(whole, host + span_index(span_skip(whole, host), '/')));
}

enum endpoint_has endpoint_at(const struct config *c, const struct provider *p,
	const struct endpoint *e, struct buf *path)
{
	struct span root, own = SPAN_NONE;
	if (p->is_offline || p->missing)
		return ENDPOINT_NOT;
	for (size_t d = 0; d < p->n_dialects; d++) {
		struct quirks quirks;
		if (!find_root(&p->dialects[d], e->api, &root))
			continue;
		config_quirks(c, p, d, SPAN(""), NULL, &quirks);
		const bool is_served =
			e->served && ops_serve(quirks.ops, span_str(e->served), &own);
		put_path(p, e, root, own, path);
		return !e->served || !span_is_set(quirks.ops) ? ENDPOINT_PERHAPS
		       : is_served                            ? ENDPOINT_THERE
							      : ENDPOINT_NOT;
	}
	return ENDPOINT_NOT;
}
