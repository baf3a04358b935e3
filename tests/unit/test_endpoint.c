/* test_endpoint.c - whose API has a path, and where a provider has it. */
#include "brokerd/route/endpoint.h"

#include <string.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const char text[] =
	"[provider \"plain\"]\ndialect = openai-chat\nbase_url = https://plain.test/api/v1\n"
	"[provider \"deep\"]\ndialect = openai-chat /v1/chat/completions\nbase_url = "
	"https://deep.test/a?x=1\nops = chat,files\n"
	"[provider \"own\"]\ndialect = openai-chat\nbase_url = https://own.test/v1\nops = "
	"images:/v2/pictures,speech://tts\n"
	"[provider \"claude\"]\ndialect = anthropic /anthropic/v1/messages\nbase_url = "
	"https://claude.test\n"
	"[provider \"each\"]\ndialect = openai-chat "
	"/deployments/{model}/chat/completions\nbase_url = "
	"https://each.test\n";

static const struct {
	const char *name, *path, *header, *provider;
	enum endpoint_has has;
	const char *at;
} cases[] = {
  /* clang-format off */
	{"OpenAI's own", "/v1/files", "", "openai", ENDPOINT_THERE, "/v1/files"},
	{"one of its objects", "/v1/files/f%2F1/content", "", "openai", ENDPOINT_THERE, "/v1/files/f%2F1/content"},
	{"a part of a file in parts", "/v1/uploads/u/parts", "", "openai", ENDPOINT_THERE, "/v1/uploads/u/parts"},
	{"no such word", "/v1/filesystem", "", "openai", ENDPOINT_PERHAPS, "/v1/filesystem"},
	{"another base URL", "/v1/files", "", "groq", ENDPOINT_THERE, "/openai/v1/files"},
	{"what it says it lacks", "/v1/images/edits", "", "groq", ENDPOINT_NOT, "/openai/v1/images/edits"},
	{"one that has said nothing", "/v1/images/edits", "", "plain", ENDPOINT_PERHAPS, "/api/v1/images/edits"},
	{"a version in the path of its chat", "/v1/files", "", "deep", ENDPOINT_THERE, "/a/v1/files"},
	{"without a version", "/files", "", "deep", ENDPOINT_THERE, "/a/v1/files"},
	{"a path of its own", "/v1/images/generations", "", "own", ENDPOINT_THERE, "/v1/v2/pictures/generations"},
	{"one below the host", "/v1/audio/speech", "", "own", ENDPOINT_THERE, "/tts"},
	{"another for each model", "/v1/images/generations", "", "each", ENDPOINT_NOT, ""},
	{"a family of the same shape", "/v1/audio/transcriptions", "", "mistral", ENDPOINT_THERE, "/v1/audio/transcriptions"},
	{"a translation", "/v1/audio/translations", "", "openai", ENDPOINT_THERE, "/v1/audio/translations"},
	{"one that no row has", "/v1/fine_tuning/jobs", "", "openai", ENDPOINT_PERHAPS, "/v1/fine_tuning/jobs"},
	{"OpenAI's at Anthropic", "/v1/images/edits", "", "anthropic", ENDPOINT_NOT, ""},
	{"Anthropic's batches", "/v1/messages/batches/b/results", "", "anthropic", ENDPOINT_THERE, "/v1/messages/batches/b/results"},
	{"which OpenAI has not", "/v1/messages/batches", "", "openai", ENDPOINT_NOT, ""},
	{"Anthropic's files, by the header", "/v1/files", "anthropic-version", "anthropic", ENDPOINT_THERE, "/v1/files"},
	{"which are not OpenAI's", "/v1/files", "anthropic-version", "openai", ENDPOINT_NOT, ""},
	{"another's messages", "/v1/messages/batches", "", "claude", ENDPOINT_PERHAPS, "/anthropic/v1/messages/batches"},
	{"Google's files", "/v1beta/files/f", "", "gemini", ENDPOINT_THERE, "/v1beta/files/f"},
	{"and what is to be one", "/upload/v1beta/files", "", "gemini", ENDPOINT_THERE, "/upload/v1beta/files"},
	{"Google's batches", "/v1beta/models/m:batchGenerateContent", "", "gemini", ENDPOINT_THERE, "/v1beta/models/m:batchGenerateContent"},
	{"the prompts that it keeps", "/v1beta/cachedContents", "", "gemini", ENDPOINT_THERE, "/v1beta/cachedContents"},
	{"what no word is for", "/v1beta/corpora", "", "gemini", ENDPOINT_PERHAPS, "/v1beta/corpora"},
	{"Google's of another shape", "/v1beta/files", "", "vertex", ENDPOINT_NOT, ""},
	{"who answers by himself", "/v1/files", "", "offline", ENDPOINT_NOT, ""},
	{"one without an address", "/v1/files", "", "azure", ENDPOINT_NOT, ""},
  /* clang-format on */
};

int main(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "t.conf", &why);
	if (!c)
		bail("%s", why.message);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct string_pair header = {span_str(cases[i].header), SPAN("2023-06-01")};
		const struct surface_call call = {.path = span_str(cases[i].path),
			.headers = &header,
			.n_headers = header.key.n > 0};
		OWNED(buf_done) struct buf at = BUF_INIT(1 * KIB);
		struct endpoint e;
		endpoint_find(&call, &e);
		const struct provider *p = config_provider(c, span_str(cases[i].provider));
		if (!ok(p != NULL, "%s", cases[i].provider))
			continue;
		is_int(endpoint_at(c, p, &e, &at), cases[i].has, "%s: is it there?", cases[i].name);
		is_mem(at.p, at.n, cases[i].at, strlen(cases[i].at), "%s: where", cases[i].name);
	}
	struct endpoint e;
	endpoint_find(&(struct surface_call){.path = SPAN("/v1/files/f")}, &e);
	ok(endpoint_next(&e) && e.api == ENDPOINT_ANTHROPIC, "files are Anthropic's, too");
	ok(!endpoint_next(&e), "and nobody's beside");
	endpoint_find(&(struct surface_call){.path = SPAN("/v1/images/edits")}, &e);
	ok(!endpoint_next(&e), "images are OpenAI's alone");
	config_unref(c);
	return tap_done();
}
