/* test_bridge_place.c - what is asked for by which request line? */
#include <stdio.h>
#include <stdlib.h>

#include "libllmclient/bridge/place.h"
#include "tests/lib/tap.h"

#define CHAT     "openai.chat"
#define MESSAGES "anthropic.messages"
#define GEMINI   "gemini.generate"

/* clang-format off */
static const struct {
	const char *target, *surface, *path, *query; /* the path as the broker is told it */
} surfaces[] = {
	{"/v1/chat/completions",             CHAT, "/v1/chat/completions", ""},
	{"/chat/completions",                CHAT, "/v1/chat/completions", ""},
	{"/v1/v1/chat/completions",          CHAT, "/v1/chat/completions", ""},
	{"/openai/v1/chat/completions",      CHAT, "/v1/chat/completions", ""},
	{"/api/v1/chat/completions",         CHAT, "/v1/chat/completions", ""},
	{"/v1/openai/chat/completions",      CHAT, "/v1/chat/completions", ""},
	{"/v1/chat/completions/",            CHAT, "/v1/chat/completions", ""},
	{"/v1/chat/completions///",          CHAT, "/v1/chat/completions", ""},
	{"//v1/chat/completions",            CHAT, "/v1/chat/completions", ""},
	{"/v1//chat/completions",            CHAT, "/v1/chat/completions", ""},
	{"/v1///v1//chat/completions",       CHAT, "/v1/chat/completions", ""},
	{"/v1/chat/completions?a=b&c=%2F",   CHAT, "/v1/chat/completions", "a=b&c=%2F"},
	{"/v1/chat/completions?",            CHAT, "/v1/chat/completions", ""},
	{"/v1/chat/completions/?a=/b/",      CHAT, "/v1/chat/completions", "a=/b/"},
	{"/v1/chat/completions?a=b?c=d",     CHAT, "/v1/chat/completions", "a=b?c=d"},
	{"http://127.0.0.1:8411/v1/chat/completions", CHAT, "/v1/chat/completions", ""},
	{"http://localhost/chat/completions?x=http://y/z", CHAT, "/v1/chat/completions", "x=http://y/z"},
	{"HTTP://[::1]:8411/v1/chat/completions", CHAT, "/v1/chat/completions", ""},
	{"/v1/completions",                  "openai.completions", "/v1/completions", ""},
	{"/completions",                     "openai.completions", "/v1/completions", ""},
	{"/v1/responses",                    "openai.responses", "/v1/responses", ""},
	{"/v1/responses/input_tokens",       "openai.responses", "/v1/responses/input_tokens", ""},
	{"/v1/responses/resp_1/input_items", "openai.responses", "/v1/responses/resp_1/input_items", ""},
	{"/v1/messages",                     MESSAGES, "/v1/messages", ""},
	{"/messages",                        MESSAGES, "/v1/messages", ""},
	{"/anthropic/v1/messages",           MESSAGES, "/v1/messages", ""},
	{"/v1/v1/messages?beta=true",        MESSAGES, "/v1/messages", "beta=true"},
	{"/v1/messages/count_tokens",        MESSAGES, "/v1/messages/count_tokens", ""},
	{"/messages/count_tokens?beta=true", MESSAGES, "/v1/messages/count_tokens", "beta=true"},
	{"/v1/embeddings",                   "openai.embeddings", "/v1/embeddings", ""},
	{"/embeddings",                      "openai.embeddings", "/v1/embeddings", ""},
	{"/v1/moderations",                  "openai.moderations", "/v1/moderations", ""},
	{"/v1/rerank",                       "rerank", "/v1/rerank", ""},
	{"/rerank",                          "rerank", "/v1/rerank", ""},
	{"/v1/models",                       "models", "/v1/models", ""},
	{"/models",                          "models", "/v1/models", ""},
	{"/v1/models/",                      "models", "/v1/models", ""},
	{"/v1/models/all/m",                 "models", "/v1/models/all/m", ""},
	{"/v1/models/all%2Fm?x",             "models", "/v1/models/all%2Fm", "x"},
	{"/v1/models/ollama/llama3.2:1b",    "models", "/v1/models/ollama/llama3.2:1b", ""},
	{"/v1/models/ollama/qwen:latest",    "models", "/v1/models/ollama/qwen:latest", ""},
	{"/models/ft:gpt-4o:org::id",        "models", "/v1/models/ft:gpt-4o:org::id", ""},
	{"/v1/models/ft:gpt-4o:org::id",     "models", "/v1/models/ft:gpt-4o:org::id", ""},
	{"/v1beta/models",                   GEMINI, "/v1beta/models", ""},
	{"/v1beta/models?pageSize=5",        GEMINI, "/v1beta/models", "pageSize=5"},
	{"/v1beta/models/m",                 GEMINI, "/v1beta/models/m", ""},
	{"/v1beta/models/ollama/qwen:7b",    GEMINI, "/v1beta/models/ollama/qwen:7b", ""},
	{"/v1beta/models/m:generateContent", GEMINI, "/v1beta/models/m:generateContent", ""},
	{"/v1beta/models/all/m:generateContent", GEMINI, "/v1beta/models/all/m:generateContent", ""},
	{"/v1beta/models/o/q:7b:generateContent", GEMINI, "/v1beta/models/o/q:7b:generateContent", ""},
	{"/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI,
		"/v1beta/models/m:streamGenerateContent", "alt=sse"},
	{"/v1beta/models/m:countTokens",     GEMINI, "/v1beta/models/m:countTokens", ""},
	{"/v1alpha/models/m:generateContent", GEMINI, "/v1alpha/models/m:generateContent", ""},
	{"/v1/models/m:generateContent",     GEMINI, "/v1/models/m:generateContent", ""},
	{"/v1/v1beta/models/m:generateContent", GEMINI, "/v1beta/models/m:generateContent", ""},
	{"/models/m:generateContent",        GEMINI, "/v1beta/models/m:generateContent", ""},
	{"/v1//models/all/m:countTokens",    GEMINI, "/v1beta/models/all/m:countTokens", ""},
	{"/gemini/v1beta/models/m:countTokens", GEMINI, "/v1beta/models/m:countTokens", ""},
	{"/v1beta/all/m:generateContent",    GEMINI, "/v1beta/models/all/m:generateContent", ""},
	{"/v1beta/chat/m:generateContent",   GEMINI, "/v1beta/models/chat/m:generateContent", ""},
	{"/v1beta/chat/completions/m:embedContent", GEMINI, "/v1beta/models/chat/completions/m:embedContent", ""},
	{"/v1/v1beta/files/m:countTokens?x", GEMINI, "/v1beta/models/files/m:countTokens", "x"},
};

static const struct {
	const char *target, *provider, *path, *query;
	enum envelope envelope;
} natives[] = {
	{"/native/openai/v1/files",          "openai", "/v1/files", "", ENVELOPE_OPENAI},
	{"/native/openai/v1/files/a%2Fb?x=1", "openai", "/v1/files/a%2Fb", "x=1", ENVELOPE_OPENAI},
	{"/native/openai/v1/../x",           "openai", "/v1/../x", "", ENVELOPE_OPENAI},
	{"/native/openai//v1/x",             "openai", "//v1/x", "", ENVELOPE_OPENAI},
	{"/native/openai",                   "openai", "/", "", ENVELOPE_OPENAI},
	{"/native/anthropic/v1/skills",      "anthropic", "/v1/skills", "", ENVELOPE_ANTHROPIC},
	{"/native/gemini/v1beta/files",      "gemini", "/v1beta/files", "", ENVELOPE_GEMINI},
	{"/native/vertex/v1/x",              "vertex", "/v1/x", "", ENVELOPE_GEMINI},
	{"/native/my%2Fown/v1/x",            "my%2Fown", "/v1/x", "", ENVELOPE_OPENAI},
	{"/v1/images/generations",           "*", "/v1/images/generations", "", ENVELOPE_OPENAI},
	{"/v1/audio/speech",                 "*", "/v1/audio/speech", "", ENVELOPE_OPENAI},
	{"/audio/transcriptions",            "*", "/v1/audio/transcriptions", "", ENVELOPE_OPENAI},
	{"/v1/files",                        "*", "/v1/files", "", ENVELOPE_OPENAI},
	{"/v1/files?purpose=x",              "*", "/v1/files", "purpose=x", ENVELOPE_OPENAI},
	{"/v1/files/file-1/content",         "*", "/v1/files/file-1/content", "", ENVELOPE_OPENAI},
	{"/v1/batches/b_1/cancel",           "*", "/v1/batches/b_1/cancel", "", ENVELOPE_OPENAI},
	{"/v1/uploads/u/parts",              "*", "/v1/uploads/u/parts", "", ENVELOPE_OPENAI},
	{"/v1/messages/batches",             "*", "/v1/messages/batches", "", ENVELOPE_ANTHROPIC},
	{"/v1/messages/batches/b/results",   "*", "/v1/messages/batches/b/results", "", ENVELOPE_ANTHROPIC},
	{"/v1beta/files",                    "*", "/v1beta/files", "", ENVELOPE_GEMINI},
	{"/v1beta/files/f",                  "*", "/v1beta/files/f", "", ENVELOPE_GEMINI},
	{"/upload/v1beta/files?x=1",         "*", "/upload/v1beta/files", "x=1", ENVELOPE_GEMINI},
	{"/v1beta/chat/m:predict",           "*", "/v1beta/chat/m:predict", "", ENVELOPE_GEMINI},
	{"/v1beta/cachedContents/c",         "*", "/v1beta/cachedContents/c", "", ENVELOPE_GEMINI},
	{"/v1beta/models/m:predict",         "*", "/v1beta/models/m:predict", "", ENVELOPE_GEMINI},
	{"/v1beta/tunedModels/t:generateContent", "*", "/v1beta/tunedModels/t:generateContent", "", ENVELOPE_GEMINI},
};

/* What a client of Google's asks for; `provider` absent: it is a surface. */
static const struct {
	const char *target, *provider, *path;
} googles[] = {
	{"/v1/models",                       NULL,     "/v1beta/models"},
	{"/v1beta/files",                    "*",      "/v1beta/files"},
	{"/v1/files",                        "*",      "/v1beta/files"},
	{"/v1/files/f",                      "*",      "/v1beta/files/f"},
	{"/v1/batches",                      "*",      "/v1beta/batches"},
	{"/v1/cachedContents/c",             "*",      "/v1beta/cachedContents/c"},
	{"/upload/v1beta/files",             "*",      "/upload/v1beta/files"},
	{"/upload/v1/files",                 "*",      "/upload/v1beta/files"},
	{"/v1/models/m:generateContent",     NULL,     "/v1/models/m:generateContent"},
	{"/v1/chat/completions",             NULL,     "/v1/chat/completions"},
	{"/native/openai/v1/files",          "openai", "/v1/files"},
	{"/native/openai/v1/nothing",        "openai", "/v1/nothing"},
};

static const struct {
	const char *target;
	enum place_kind kind;
	enum envelope envelope;
} others[] = {
	{"/",                        PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"//",                       PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"/?x=y",                    PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"/health",                  PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"/health/",                 PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"/healthz?x",               PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"http://127.0.0.1:8411",    PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"http://127.0.0.1:8411/",   PLACE_HEALTH,  ENVELOPE_OPENAI},
	{"",                         PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"?",                        PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"*",                        PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"v1/chat/completions",      PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"127.0.0.1:8411",           PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"://",                      PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"http://",                  PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"http:/v1/messages",        PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1",                      PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/",                     PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v2/chat/completions",     PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1x/chat/completions",    PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/chat/completionsx",    PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/chat/completions/x",   PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/V1/CHAT/COMPLETIONS",     PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/chat%2Fcompletions",   PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/x/../v1/chat/completions", PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/filesystem",           PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/images",               PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/modelsx",              PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/native",                  PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/native/",                 PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/native//v1/x",            PLACE_NOWHERE, ENVELOPE_OPENAI},
	{"/v1/messages/nothing",     PLACE_NOWHERE, ENVELOPE_ANTHROPIC},
	{"/messages/nothing",        PLACE_NOWHERE, ENVELOPE_ANTHROPIC},
};

static const struct {
	const char *target, *takes, *without;
} methods[] = {
	{"/v1/chat/completions",             "POST",                      "GET,HEAD,PUT,DELETE,OPTIONS,post,"},
	{"/v1/models",                       "GET,HEAD",                  "POST,DELETE,PUT"},
	{"/v1/responses",                    "POST",                      "GET,DELETE"},
	{"/v1/responses/resp_1",             "GET,HEAD,DELETE,POST",      "PUT,PATCH"},
	{"/v1beta/models",                   "GET,HEAD",                  "POST"},
	{"/v1beta/models/m:generateContent", "POST",                      "GET,HEAD"},
	{"/native/openai/v1/x",              "GET,POST,PUT,PATCH,DELETE,HEAD", "CONNECT,TRACE"},
	{"/v1/files",                        "GET,POST,DELETE",           "CONNECT,TRACE"},
	{"/",                                "GET,HEAD",                  "POST"},
	{"/nowhere",                         "",                          "GET,POST"},
};
/* clang-format on */

/* Of bytes that end where they end, so that a reader who goes on is seen. */
static struct place find(const char *target, char **copy)
{
	struct place p;
	const size_t n = strlen(target);
	*copy = malloc(n ? n : 1);
	if (!*copy)
		bail("out of memory");
	memcpy(*copy, target, n);
	place_find(span_of(*copy, n), &p);
	return p;
}

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s: %s", name, want);
}

static void the_surfaces(void)
{
	for (size_t i = 0; i < COUNT_OF(surfaces); i++) {
		char *copy, path[256];
		const char *name = surfaces[i].target;
		const struct place p = find(name, &copy);
		is_int(p.kind, PLACE_SURFACE, "%s is a surface", name);
		is_str(p.surface, surfaces[i].surface, "%s: which", name);
		(void)snprintf(path, sizeof path, "%s%.*s", p.before, SPAN_ARG(p.path));
		is_str(path, surfaces[i].path, "%s: its path", name);
		is_span(p.query, surfaces[i].query, name);
		const int envelope = !p.surface                         ? -1
				     : strcmp(p.surface, MESSAGES) == 0 ? ENVELOPE_ANTHROPIC
				     : strcmp(p.surface, GEMINI) == 0   ? ENVELOPE_GEMINI
									: ENVELOPE_OPENAI;
		is_int(p.envelope, envelope, "%s: its words", name);
		free(copy);
	}
}

static void the_natives(void)
{
	for (size_t i = 0; i < COUNT_OF(natives); i++) {
		char *copy, path[256];
		const char *name = natives[i].target;
		const struct place p = find(name, &copy);
		is_int(p.kind, PLACE_NATIVE, "%s is a provider's own", name);
		is_span(p.provider, natives[i].provider, name);
		(void)snprintf(path, sizeof path, "%s%.*s", p.before, SPAN_ARG(p.path));
		is_str(path, natives[i].path, "%s: its path", name);
		is_span(p.query, natives[i].query, name);
		is_int(p.envelope, natives[i].envelope, "%s: its words", name);
		free(copy);
	}
}

static void the_googles(void)
{
	for (size_t i = 0; i < COUNT_OF(googles); i++) {
		char *copy, path[256];
		const char *name = googles[i].target, *provider = googles[i].provider;
		struct place p = find(name, &copy);
		place_speak_gemini(&p);
		is_int(p.kind, provider ? PLACE_NATIVE : PLACE_SURFACE, "Google's %s", name);
		is_span(p.provider, provider ? provider : "", name);
		(void)snprintf(path, sizeof path, "%s%.*s", p.before, SPAN_ARG(p.path));
		is_str(path, googles[i].path, "Google's %s: its path", name);
		free(copy);
	}
	char *copy;
	struct place p = find("/native//v1/x", &copy);
	place_speak_gemini(&p);
	is_int(p.kind, PLACE_NOWHERE, "a provider without a name is none of Google's");
	free(copy);
}

static void the_others(void)
{
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char *copy;
		const struct place p = find(others[i].target, &copy);
		is_int(p.kind, others[i].kind, "\"%s\"", others[i].target);
		is_int(p.envelope, others[i].envelope, "\"%s\": its words", others[i].target);
		free(copy);
	}
}

static void the_methods(void)
{
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		char *copy;
		const struct place p = find(methods[i].target, &copy);
		struct span takes = span_str(methods[i].takes),
			    without = span_str(methods[i].without);
		while (takes.n > 0) {
			const struct span one = span_cut(&takes, ',');
			ok(place_takes(&p, one), "%s takes %.*s", methods[i].target, SPAN_ARG(one));
		}
		while (span_is_set(without)) {
			const struct span one = span_cut(&without, ',');
			ok(!place_takes(&p, one), "%s takes no \"%.*s\"", methods[i].target,
				SPAN_ARG(one));
		}
		free(copy);
	}
}

/* As long as a head may be, of prefixes alone: no deeper for that. */
static void long_ones(void)
{
	static const char end[] = "/models";
	const size_t times = 200000, n = times * 3 + sizeof end - 1;
	char *target = malloc(n);
	struct place p;
	if (!target)
		bail("out of memory");
	for (size_t i = 0; i < times; i++)
		memcpy(target + 3 * i, "/v1", 3);
	memcpy(target + 3 * times, end, sizeof end - 1);
	place_find(span_of(target, n), &p);
	is_int(p.kind, PLACE_SURFACE, "of very many prefixes");
	is_span(p.path, "/models", "what stands behind them");
	memset(target, '/', n);
	place_find(span_of(target, n), &p);
	is_int(p.kind, PLACE_HEALTH, "of nothing but slashes");
	free(target);
}

int main(void)
{
	the_surfaces();
	the_natives();
	the_googles();
	the_others();
	the_methods();
	long_ones();
	return tap_done();
}
