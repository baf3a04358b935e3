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

	/* without a chat */
	{"voyage", "openai-chat", "https://api.voyageai.com/v1", "bearer", "", ""},
	{"jina", "openai-chat", "https://api.jina.ai/v1", "bearer", "", ""},

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

/* How they serve what is beside chat. */
static const struct {
	const char *name, *traits;
} services[] = {
	{"openai", "embed_model=text-embedding-3-small "
		"moderate_model=omni-moderation-latest embedding_format=base64 inputs_tokens_max=250000"},
	{"gemini", "embed_model=gemini-embedding-001 input_types=gemini inputs_max=100"},
	{"vertex", "embed_model=gemini-embedding-001 input_types=gemini predict inputs_max=1"},
	{"mistral", "embed_model=mistral-embed "
		"moderate_model=mistral-moderation-latest dimensions_field=output_dimension inputs_tokens_max=12000"},
	{"cohere", "embed_model=embed-v4.0 rerank_model=rerank-v3.5 input_types=cohere "
		"truncation=word dimensions_field=output_dimension image_inputs inputs_max=96"},
	{"perplexity", "ops=chat,embed:/v1/embeddings embedding_format=base64_int8"},
	{"dashscope", "inputs_max=10"},
	{"zai", "inputs_max=64"},
	{"nvidia", "input_types=passage truncation=word"},
	{"voyage", "embed_model=voyage-3.5 rerank_model=rerank-2.5 embedding_format=base64 "
		"input_types=plain truncation=switch dimensions_field=output_dimension top_field=top_k"},
	{"jina", "embed_model=jina-embeddings-v3 rerank_model=jina-reranker-v2-base-multilingual "
		"input_types=jina truncation=flag image_inputs"},
	{"ollama", "truncation=flag"},
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

const char *builtin_services(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(services); i++) {
		if (span_is(name, services[i].name))
			return services[i].traits;
	}
	return "";
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
