/* tool_args.c - Codex knows its options alone, Gemini CLI its settings, opencode a document of them. */
#include "libllmclient/cli/tool_args.h"

#include <stdlib.h>
#include <string.h>

#include "libllmclient/cli/gemini_home.h"
#include "protocol/base/json.h"

#define TEXT_BYTES ((size_t)64 * 1024)
#define MORE_MAX   6

#define OPENCODE_SETTINGS "OPENCODE_CONFIG_CONTENT"

const char *tool_name(const char *program)
{
	const char *slash = strrchr(program, '/');
	return slash ? slash + 1 : program;
}

static char *text_in(struct arena *a, struct buf *text)
{
	return buf_error(text) ? NULL : arena_str(a, buf_view(text));
}

/* Its values are TOML. Whatever the user says behind them holds. */
static bool add_codex(const struct reach *to, struct arena *a, const char **more, size_t *n)
{
	OWNED(buf_done) struct buf provider = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf model = BUF_INIT(TEXT_BYTES);
	buf_print(&provider,
		"model_providers.llm-broker={name=\"llm-broker\",base_url=\"%s/"
		"v1\",wire_api=\"responses\","
		"env_key=\"LLM_BROKER_API_KEY\"}",
		to->base);
	more[(*n)++] = "-c";
	more[(*n)++] = "model_provider=\"llm-broker\"";
	more[(*n)++] = "-c";
	more[*n] = text_in(a, &provider);
	if (!more[(*n)++])
		return false;
	if (!to->model)
		return true;
	struct json_out o = json_to(&model); /* a basic string of TOML has JSON's escapes */
	buf_text(&model, "model=");
	json_put_str(&o, span_str(to->model));
	more[(*n)++] = "-c";
	more[*n] = text_in(a, &model);
	return more[(*n)++] != NULL;
}

char **tool_args(char **argv, const struct reach *to, struct arena *a)
{
	const char *more[MORE_MAX];
	size_t n = 0, count = 0, head = 1;
	if (strcmp(tool_name(argv[0]), "codex") != 0 || to->base[0] == '\0')
		return argv;
	if (!add_codex(to, a, more, &n))
		return NULL;
	while (argv[count])
		count++;
	if (count > 1 && (strcmp(argv[1], "exec") == 0 || strcmp(argv[1], "e") == 0))
		head = 2;
	char **out = arena_array(a, count + n + 1, sizeof *out);
	if (!out)
		return NULL;
	memcpy(out, argv, head * sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[head + i] = (char *)(uintptr_t)more[i];
	memcpy(out + head + n, argv + head, (count - head + 1) * sizeof *out);
	return out;
}

static enum err set_opencode(
	const struct reach *to, struct arena *a, struct variable *out, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf base = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf chosen = BUF_INIT(TEXT_BYTES);
	const char *model = to->model ? to->model : "default";
	struct json_out o = json_to(&text);
	if (getenv(OPENCODE_SETTINGS))
		return OK; /* somebody has said already how it is to be */
	buf_print(&base, "%s/v1", to->base);
	buf_print(&chosen, "llm-broker/%s", model);
	json_open(&o, '{');
	json_key(&o, "provider");
	json_open(&o, '{');
	json_key(&o, "llm-broker");
	json_open(&o, '{');
	json_pair_str(&o, "npm", SPAN("@ai-sdk/openai-compatible"));
	json_key(&o, "options");
	json_open(&o, '{');
	json_pair_str(&o, "baseURL", buf_view(&base));
	json_pair_str(&o, "apiKey", span_str(to->key));
	json_close(&o, '}');
	json_key(&o, "models");
	json_open(&o, '{');
	json_key_text(&o, span_str(model));
	json_put_raw(&o, SPAN("{}"));
	json_close(&o, '}');
	json_close(&o, '}');
	json_close(&o, '}');
	json_pair_str(&o, "model", buf_view(&chosen));
	json_close(&o, '}');
	*out = (struct variable){OPENCODE_SETTINGS, text_in(a, &text)};
	return out->value ? OK : fault_set(why, ERR_NO_MEMORY, "out of memory");
}

enum err tool_settings(const char *program, const struct reach *to, const char *folder,
	struct arena *a, struct variable *out, struct fault *why)
{
	const char *name = tool_name(program);
	*out = (struct variable){GEMINI_HOME, NULL};
	if (to->base[0] && strcmp(name, "gemini") == 0)
		return gemini_home_make(folder, a, &out->value, why);
	if (to->base[0] && strcmp(name, "opencode") == 0)
		return set_opencode(to, a, out, why);
	return OK;
}
