/* builtin.c - providers whose address and habits are public. Prices and models change monthly and are
 * not here; a default model is, where the provider keeps a name for it. */
#include "brokerd/config/builtin.h"

#include "protocol/base/owned.h"

/* clang-format off */
static const struct builtin rows[] = {
	{"openai", "openai-chat", "https://api.openai.com/v1", "bearer", "gpt-4o-mini",
		"max_tokens_field=max_completion_tokens system_role=developer openai_rules stream_options "
		"json_schema strict_tools parallel_tool_calls seed penalties logit_bias n file_parts rules=openai"},
	{"anthropic", "anthropic", "https://api.anthropic.com", "header:x-api-key", "claude-sonnet-4-5",
		"json_schema strict_tools parallel_tool_calls top_k file_parts"},
	{"gemini", "gemini", "https://generativelanguage.googleapis.com", "header:x-goog-api-key",
		"gemini-2.5-flash",
		"call_ids service_tier"},
	{"gemini-openai", "openai-chat", "https://generativelanguage.googleapis.com/v1beta/openai",
		"bearer", "gemini-2.5-flash",
		"stream_options json_schema"},
	{"mistral", "openai-chat", "https://api.mistral.ai/v1", "bearer", "mistral-small-latest",
		"json_schema parallel_tool_calls penalties n"},
	{"deepseek", "openai-chat", "https://api.deepseek.com", "bearer", "deepseek-chat",
		"stream_options penalties reasoning_history=field"},
	{"groq", "openai-chat", "https://api.groq.com/openai/v1", "bearer", "llama-3.3-70b-versatile",
		"max_tokens_field=max_completion_tokens stream_options json_schema parallel_tool_calls seed"},
	{"xai", "openai-chat", "https://api.x.ai/v1", "bearer", "",
		"max_tokens_field=max_completion_tokens stream_options json_schema parallel_tool_calls seed n"},
	{"openrouter", "openai-chat", "https://openrouter.ai/api/v1", "bearer", "openrouter/auto",
		"stream_options json_schema strict_tools parallel_tool_calls seed penalties logit_bias top_k "
		"file_parts cache_marks"},
	{"together", "openai-chat", "https://api.together.xyz/v1", "bearer", "",
		"stream_options json_schema seed penalties logit_bias n top_k"},
	{"fireworks", "openai-chat", "https://api.fireworks.ai/inference/v1", "bearer", "",
		"stream_options json_schema seed penalties logit_bias n top_k"},
	{"cerebras", "openai-chat", "https://api.cerebras.ai/v1", "bearer", "",
		"max_tokens_field=max_completion_tokens stream_options json_schema seed"},
	{"perplexity", "openai-chat", "https://api.perplexity.ai", "bearer", "sonar",
		"json_schema penalties"},
	{"moonshot", "openai-chat", "https://api.moonshot.ai/v1", "bearer", "",
		"stream_options reasoning_history=field"},
	{"dashscope", "openai-chat", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "bearer", "",
		"stream_options json_schema parallel_tool_calls seed top_k"},
	{"zai", "openai-chat", "https://api.z.ai/api/paas/v4", "bearer", "",
		"stream_options"},
	{"nvidia", "openai-chat", "https://integrate.api.nvidia.com/v1", "bearer", "",
		"stream_options json_schema seed penalties"},
	{"huggingface", "openai-chat", "https://router.huggingface.co/v1", "bearer", "",
		"stream_options json_schema seed penalties"},
	{"github", "openai-chat", "https://models.github.ai/inference", "bearer", "openai/gpt-4o-mini",
		"stream_options json_schema parallel_tool_calls seed penalties"},
	{"deepinfra", "openai-chat", "https://api.deepinfra.com/v1/openai", "bearer", "",
		"stream_options json_schema seed penalties top_k"},
	{"sambanova", "openai-chat", "https://api.sambanova.ai/v1", "bearer", "",
		"stream_options json_schema seed penalties"},

	/* on this host, by their usual ports */
	{"ollama", "openai-chat", "http://127.0.0.1:11434/v1", "none", "",
		"stream_options json_schema seed penalties"},
	{"llamacpp", "openai-chat", "http://127.0.0.1:8080/v1", "none", "",
		"stream_options json_schema parallel_tool_calls seed penalties "
		"logit_bias n top_k"},
	{"vllm", "openai-chat", "http://127.0.0.1:8000/v1", "none", "",
		"stream_options json_schema parallel_tool_calls seed penalties "
		"logit_bias n top_k"},
	{"lmstudio", "openai-chat", "http://127.0.0.1:1234/v1", "none", "",
		"stream_options json_schema seed penalties logit_bias top_k"},

	/* answers by itself, without a network, a key or a price */
	{"offline", "offline", "", "none", "echo", ""},
};

static const struct {
	const char *family, *always, *unlisted;
} families[] = {
	/* the parts of the wire that strangers who speak it can be expected to know; usage is asked for,
	   so that every token is accounted for */
	{"openai-chat", "max_tokens_field=max_tokens system_role=system reasoning=effort",
		"stream_options json_schema parallel_tool_calls seed penalties"},
	{"anthropic", "anthropic_version=2023-06-01",
		"json_schema strict_tools parallel_tool_calls top_k file_parts"},
	{"gemini",
		"system images image_urls file_parts audio_parts video_parts tools json_object json_schema "
		"seed penalties n top_k stop prefill=plain stops_max=5 tools_max=512 temperature_max_milli=2000",
		""},
};
/* clang-format on */

const struct builtin *builtin_rows(size_t *n)
{
	*n = COUNT_OF(rows);
	return rows;
}

const char *builtin_always(struct span family)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (span_is(family, families[i].family))
			return families[i].always;
	}
	return "";
}

const char *builtin_unlisted(struct span family)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (span_is(family, families[i].family))
			return families[i].unlisted;
	}
	return "";
}
