/* tool_env.c - one row a variable; what is neither here nor in `gone` is the program's own affair. */
#include "libllmclient/cli/tool_env.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/base/buf.h"

#define VALUE_BYTES ((size_t)64 * 1024)

enum value {
	BASE,    /* the bridge's address */
	BASE_V1, /* with /v1 */
	KEY,
	SOCKET,     /* where it listens at one */
	MODEL,      /* where one was chosen */
	SOME_MODEL, /* that or the broker's default, for who does not start without one */
	TEXT,
};

struct row {
	const char *name;
	enum value value;
	const char *text; /* of TEXT */
	const char *only; /* for the program of that name, and for none else; NULL: for all */
};

/* clang-format off */
static const struct row rows[] = {
	{"OPENAI_BASE_URL",                          BASE_V1,    NULL,     NULL},
	{"OPENAI_API_BASE",                          BASE_V1,    NULL,     NULL}, /* aider, LangChain, aichat */
	{"OPENAI_API_BASE_URL",                      BASE_V1,    NULL,     NULL}, /* Open WebUI */
	{"OPENAI_API_BASE_URLS",                     BASE_V1,    NULL,     NULL},
	{"OPENAI_API_KEYS",                          KEY,        NULL,     NULL},
	{"OPENAI_API_KEY",                           KEY,        NULL,     NULL},
	{"ANTHROPIC_BASE_URL",                       BASE,       NULL,     NULL}, /* who uses it adds /v1 */
	{"ANTHROPIC_AUTH_TOKEN",                     KEY,        NULL,     NULL},
	{"ANTHROPIC_UNIX_SOCKET",                    SOCKET,     NULL,     NULL},
	{"ANTHROPIC_MODEL",                          MODEL,      NULL,     NULL},
	{"ANTHROPIC_DEFAULT_HAIKU_MODEL",            MODEL,      NULL,     "claude"}, /* its small tasks */
	{"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", TEXT,       "1",      NULL},
	{"GOOGLE_GEMINI_BASE_URL",                   BASE,       NULL,     NULL},
	{"GEMINI_API_KEY",                           KEY,        NULL,     NULL},
	{"GEMINI_MODEL",                             MODEL,      NULL,     NULL},
	{"GEMINI_CLI_TRUST_WORKSPACE",               TEXT,       "true",   "gemini"},
	{"COPILOT_OFFLINE",                          TEXT,       "true",   NULL},
	{"COPILOT_PROVIDER_TYPE",                    TEXT,       "openai", NULL},
	{"COPILOT_PROVIDER_BASE_URL",                BASE_V1,    NULL,     NULL},
	{"COPILOT_PROVIDER_API_KEY",                 KEY,        NULL,     NULL},
	{"COPILOT_MODEL",                            SOME_MODEL, NULL,     NULL},
	{"LLM_BROKER_API_KEY",                       KEY,        NULL,     NULL}, /* what `llmb wire` has tools read */
};
/* clang-format on */

/* Keys of providers, and what leads past the bridge. */
static const char *const gone[] = {"ANTHROPIC_API_BASE", "ANTHROPIC_CUSTOM_HEADERS",
	"ANTHROPIC_BEDROCK_BASE_URL", "ANTHROPIC_VERTEX_BASE_URL", "ANTHROPIC_VERTEX_PROJECT_ID",
	"ANTHROPIC_FOUNDRY_API_KEY", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_FOUNDRY_RESOURCE",
	"AWS_BEARER_TOKEN_BEDROCK", "AZURE_API_BASE", "AZURE_API_KEY", "AZURE_OPENAI_API_KEY",
	"AZURE_OPENAI_ENDPOINT", "CEREBRAS_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN",
	"CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_FOUNDRY", "CLAUDE_CODE_USE_VERTEX",
	"AI21_API_KEY", "CODEX_API_KEY", "COHERE_API_KEY", "COPILOT_PROVIDER_BEARER_TOKEN",
	"CO_API_KEY", "DASHSCOPE_API_KEY", "DEEPSEEK_API_KEY", "FIREWORKS_API_KEY",
	"GOOGLE_API_KEY", "GOOGLE_GENAI_USE_GCA", "GOOGLE_GENAI_USE_VERTEXAI",
	"GOOGLE_GENERATIVE_AI_API_KEY", "GOOGLE_VERTEX_BASE_URL", "GROQ_API_KEY",
	"HUGGINGFACE_API_KEY", "JINA_API_KEY", "MISTRAL_API_KEY", "MOONSHOT_API_KEY",
	"NVIDIA_API_KEY", "OPENAI_API_TYPE", "OPENAI_API_VERSION", "OPENAI_ORGANIZATION",
	"OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL",
	"PERPLEXITY_API_KEY", "REPLICATE_API_TOKEN", "SAMBANOVA_API_KEY", "TOGETHER_API_KEY",
	"VOYAGE_API_KEY", "XAI_API_KEY", "ZAI_API_KEY"};

static const char *value_of(const struct row *r, const struct reach *to, struct arena *a)
{
	OWNED(buf_done) struct buf with_v1 = BUF_INIT(VALUE_BYTES);
	switch (r->value) {
	case BASE:
		return to->base[0] ? to->base : "http://localhost";
	case BASE_V1:
		buf_print(&with_v1, "%s/v1", to->base);
		return to->base[0] ? arena_str(a, buf_view(&with_v1)) : NULL;
	case KEY:
		return to->key;
	case SOCKET:
		return to->socket[0] ? to->socket : NULL;
	case MODEL:
		return to->model;
	case SOME_MODEL:
		return to->model ? to->model : "default";
	case TEXT:
		return r->text;
	}
	return NULL;
}

static bool is_for(const char *only, const char *program)
{
	return !only || (program && strcmp(program, only) == 0);
}

/* Of Anthropic's two, Claude Code takes the token without asking, and warns where both are set; libraries of others
 * know the key alone. */
static const char *anthropic_key(const struct reach *to, const char *program)
{
	return program && strcmp(program, "claude") != 0 ? to->key : NULL;
}

static bool has_proxy(void)
{
	static const char *const names[] = {
		"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *value = getenv(names[i]);
		if (value && value[0])
			return true;
	}
	return false;
}

/* A proxy knows no loopback of ours. NULL: as it is it is fine. */
static const char *without_proxy(const char *name, struct arena *a)
{
	OWNED(buf_done) struct buf list = BUF_INIT(VALUE_BYTES);
	const char *value = getenv(name);
	if (!has_proxy() || (value && (strstr(value, "127.0.0.1") || strcmp(value, "*") == 0)))
		return NULL;
	buf_print(&list, "%s%s127.0.0.1,localhost,::1", value ? value : "",
		value && value[0] ? "," : "");
	return buf_error(&list) ? NULL : arena_str(a, buf_view(&list));
}

size_t tool_env(const struct reach *to, const char *program, struct arena *a, struct variable *out)
{
	static const char *const exempt[] = {"NO_PROXY", "no_proxy"};
	size_t n = 0;
	_Static_assert(COUNT_OF(rows) + COUNT_OF(gone) + COUNT_OF(exempt) + 1 <= TOOL_VARIABLES_MAX,
		"there is room for all");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *r = &rows[i];
		if (!is_for(r->only, program))
			continue;
		const char *value = value_of(r, to, a);
		if (!value && r->value == MODEL)
			continue; /* one of its own is no way past */
		out[n++] = (struct variable){r->name, value};
	}
	out[n++] = (struct variable){"ANTHROPIC_API_KEY", anthropic_key(to, program)};
	for (size_t i = 0; i < COUNT_OF(exempt); i++) {
		const char *value = without_proxy(exempt[i], a);
		if (value)
			out[n++] = (struct variable){exempt[i], value};
	}
	for (size_t i = 0; i < COUNT_OF(gone); i++)
		out[n++] = (struct variable){gone[i], NULL};
	return n;
}
