/* builtin.c - providers whose address and habits are public. Prices and models change monthly and are
 * not here; a default model is, where the provider keeps a name for it. */
#include "brokerd/config/builtin.h"

#include "protocol/base/owned.h"

/* clang-format off */

/* What several say; BOUNDS those who speak OpenAI's wires, engines on the own machine have none of them. */
#define BOUNDS     " temperature_max_milli=2000 top_p_max_milli=1000 penalty_max_milli=2000 top_logprobs_max=20"
#define UNBOUNDED  "temperature_max_milli=0 penalty_max_milli=0 top_logprobs_max=0 "
#define OPENAI_LIKE \
	"openai_rules max_tokens_field=max_completion_tokens system_role=developer " \
	"user_field=safety_identifier user metadata service_tier verbosity cache_key stream_options " \
	"json_schema strict_tools parallel_tool_calls seed penalties logit_bias logprobs n audio_parts modalities " \
	"stops_max=4 tools_max=128 image_types=image/png,image/jpeg,image/gif,image/webp " \
	"empty_content=null rules=openai extras=any "
#define PLAIN      "stream_options json_schema seed penalties "
#define OPEN_HOST  PLAIN "logit_bias logprobs n top_k "
#define DEEPSEEK   "stream_options penalties logprobs stops_max=16 tools_max=128 prefill=prefix prefill_path=//beta/chat/completions " \
	"rules=deepseek json_schema=no n=no"
#define MOONSHOT   "stream_options penalties n seed=no user cache_key temperature_max_milli=1000 tools_max=128 prefill=partial " \
	"video_parts reasoning_history=field rules=moonshot errors=moonshot limits=moonshot schemas=mfjs"
#define DASHSCOPE  "stream_options json_schema parallel_tool_calls seed seed_max=2147483647 penalties top_k n=no " \
	"drops=frequency_penalty,min_p audio_parts audio_form=uri video_parts cache_marks prefill=partial " \
	"rules=dashscope errors=dashscope"
#define ZAI        "stream_options stops_max=1 tool_stream do_sample user tool_choice=no video_parts " \
	"reasoning=switch reasoning_history=field clear_thinking rules=zai errors=zai"
#define ZAI_EXTRAS "extras=do_sample,request_id,sensitive_word_check,user_id,watermark_enabled"
#define DASHSCOPE_EXTRAS \
	"extras=asr_options,enable_code_interpreter,enable_search,incremental_output,preserve_thinking," \
	"result_format,search_options,translation_options,vl_high_resolution_images"
#define ZAI_OPS    "ops=chat,embed,models,images,transcribe"
#define GEMINI_OPS "ops=chat,embed,count,models,images,transcribe,speech,files,batches"
#define ALL_LOCAL  UNBOUNDED "seed penalties logit_bias logprobs n top_k "

static const struct builtin rows[] = {
	{"openai", "https://api.openai.com/v1", "bearer", "gpt-4o-mini",
		{{"openai-chat", NULL}, {"openai-responses", NULL}},
		OPENAI_LIKE "file_parts reports=openai "
		"ops=chat,complete,embed,count,models,moderate,images,transcribe,speech,files,batches", NULL},
	{"anthropic", "https://api.anthropic.com", "header:x-api-key", "claude-sonnet-4-6",
		{{"anthropic", NULL}},
		"json_schema strict_tools parallel_tool_calls top_k file_parts reports=anthropic "
		"ops=chat,count,models,files,batches", NULL},
	{"gemini", "https://generativelanguage.googleapis.com", "header:x-goog-api-key", "gemini-flash-latest",
		{{"gemini", NULL}},
		"call_ids service_tier " GEMINI_OPS, NULL},
	{"gemini-openai", "https://generativelanguage.googleapis.com/v1beta/openai", "bearer", "gemini-flash-latest",
		{{"openai-chat", NULL}},
		"stream_options json_schema n seed_max=2147483647 audio_parts errors=gemini rules=gemini-openai "
		"ops=chat,embed,models", NULL},
	{"mistral", "https://api.mistral.ai/v1", "bearer", "mistral-small-latest",
		{{"mistral", NULL}},
		"json_schema parallel_tool_calls seed penalties n ops=chat,embed,models,moderate,transcribe,speech,files", NULL},
	{"cohere", "https://api.cohere.com/v2", "bearer", "",
		{{"cohere", NULL}, {"openai-chat //compatibility/v1/chat/completions", "json_schema seed penalties"}},
		"ops=chat,embed,rerank,models,transcribe", NULL},
	{"deepseek", "https://api.deepseek.com", "bearer", "deepseek-chat",
		{{"openai-chat", DEEPSEEK}, {"anthropic /anthropic/v1/messages", NULL},
			{"openai-responses", "calls_last"}},
		"ops=chat,models", NULL},
	{"groq", "https://api.groq.com/openai/v1", "bearer", "llama-3.3-70b-versatile",
		{{"openai-chat", "names=no rules=groq tools_max=128"}, {"openai-responses", NULL}},
		"max_tokens_field=max_completion_tokens stream_options json_schema parallel_tool_calls seed user "
		"service_tier stops_max=4 ops=chat,models,transcribe,speech,files,batches", NULL},
	{"xai", "https://api.x.ai/v1", "bearer", "",
		{{"openai-chat", "rules=xai"}, {"openai-responses", NULL}},
		"max_tokens_field=max_completion_tokens stream_options json_schema strict_tools parallel_tool_calls seed "
		"penalties logprobs n user stops_max=4 tools_max=128 image_types=image/png,image/jpeg "
		"prefill=plain schemas=closed ops=chat,embed,models,images,speech", NULL},
	{"openrouter", "https://openrouter.ai/api/v1", "bearer", "openrouter/auto",
		{{"openai-chat", "reasoning=object reasoning_history=details"}, {"openai-responses", NULL},
			{"anthropic /messages", NULL}},
		OPEN_HOST "n=no strict_tools parallel_tool_calls user verbosity cache_key cache_marks modalities "
		"file_parts audio_parts video_parts rules=openrouter ops=chat,complete,embed,rerank,models", NULL},
	{"together", "https://api.together.xyz/v1", "bearer", "",
		{{"openai-chat", "rules=open"}},
		OPEN_HOST "ops=chat,complete,embed,rerank,models,images,transcribe,speech", NULL},
	{"fireworks", "https://api.fireworks.ai/inference/v1", "bearer", "",
		{{"openai-chat", "rules=open"}, {"openai-responses", NULL}, {"anthropic /messages", NULL}},
		OPEN_HOST "user ops=chat,complete,embed,rerank,models", NULL},
	{"cerebras", "https://api.cerebras.ai/v1", "bearer", "",
		{{"openai-chat", "rules=cerebras"}},
		"max_tokens_field=max_completion_tokens stream_options json_schema strict_tools seed user cache_key "
		"ops=chat,complete,models", NULL},
	{"perplexity", "https://api.perplexity.ai", "bearer", "sonar",
		{{"openai-chat", "rules=perplexity"}},
		"json_schema penalties top_k drops=min_p,repetition_penalty stop=no tools=no strict_order single_system "
		"file_parts ops=chat,embed", NULL},
	{"nvidia", "https://integrate.api.nvidia.com/v1", "bearer", "",
		{{"openai-chat", "rules=open"}},
		PLAIN "ops=chat,complete,embed,models", NULL},
	{"nvidia-rerank", "https://ai.api.nvidia.com/v1", "bearer", "",
		{{"openai-chat", NULL}},
		"errors=nvidia rerank_body=passages top_field=none ops=rerank:/retrieval/{model_path}/reranking", NULL},
	{"moonshot", "https://api.moonshot.ai/v1", "bearer", "",
		{{"openai-chat", MOONSHOT}, {"anthropic //anthropic/v1/messages", NULL}},
		"ops=chat,models", NULL},
	{"moonshot-cn", "https://api.moonshot.cn/v1", "bearer", "",
		{{"openai-chat", MOONSHOT}, {"anthropic //anthropic/v1/messages", NULL}},
		"ops=chat,models", NULL},
	{"dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "bearer", "",
		{{"openai-chat", NULL}},
		DASHSCOPE " ops=chat,embed,rerank://compatible-api/v1/reranks,models", NULL},
	{"dashscope-cn", "https://dashscope.aliyuncs.com/compatible-mode/v1", "bearer", "",
		{{"openai-chat", NULL}},
		DASHSCOPE " ops=chat,embed,rerank://compatible-api/v1/reranks,models", NULL},
	{"dashscope-us", "https://dashscope-us.aliyuncs.com/compatible-mode/v1", "bearer", "",
		{{"openai-chat", NULL}},
		DASHSCOPE " ops=chat,embed,rerank://compatible-api/v1/reranks,models", NULL},
	{"zai", "https://api.z.ai/api/paas/v4", "bearer", "",
		{{"openai-chat", ZAI}, {"anthropic //api/anthropic/v1/messages", NULL}},
		ZAI_OPS, NULL},
	{"zai-coding", "https://api.z.ai/api/coding/paas/v4", "bearer", "",
		{{"openai-chat", ZAI}, {"anthropic //api/anthropic/v1/messages", NULL}},
		ZAI_OPS, NULL},
	{"zai-cn", "https://open.bigmodel.cn/api/paas/v4", "bearer", "",
		{{"openai-chat", ZAI}, {"anthropic //api/anthropic/v1/messages", NULL}},
		ZAI_OPS, NULL},
	{"zai-coding-cn", "https://open.bigmodel.cn/api/coding/paas/v4", "bearer", "",
		{{"openai-chat", ZAI}, {"anthropic //api/anthropic/v1/messages", NULL}},
		ZAI_OPS, NULL},
	{"huggingface", "https://router.huggingface.co/v1", "bearer", "",
		{{"openai-chat", "rules=open"}, {"openai-responses", NULL}},
		PLAIN "ops=chat,models", NULL},
	{"github", "https://models.github.ai/inference", "bearer", "openai/gpt-4o-mini",
		{{"openai-chat", "rules=github"}},
		PLAIN "parallel_tool_calls user errors=github limits=github ops=chat,embed,models://catalog/models",
		"X-GitHub-Api-Version: 2022-11-28"},
	{"github-org", "https://models.github.ai/orgs/{account}/inference", "bearer", "openai/gpt-4o-mini",
		{{"openai-chat", "rules=github"}},
		PLAIN "parallel_tool_calls user errors=github limits=github ops=chat,embed,models://catalog/models",
		"X-GitHub-Api-Version: 2022-11-28"},

	/* in somebody's own corner of a cloud, which a key of the section names */
	{"azure", "https://{resource}.openai.azure.com/openai/v1", "header:api-key", "",
		{{"openai-chat", NULL}, {"openai-responses", NULL}},
		OPENAI_LIKE "errors=openai limits=azure ops=chat,embed,models,images,transcribe,speech,files,batches", NULL},
	{"azure-dated", "https://{resource}.openai.azure.com/openai?api-version=2024-10-21", "header:api-key", "",
		{{"openai-chat /deployments/{model}/chat/completions", NULL}},
		OPENAI_LIKE "errors=openai limits=azure ops=chat,embed:/deployments/{model}/embeddings", NULL},
	{"azure-anthropic", "https://{resource}.services.ai.azure.com", "header:x-api-key", "",
		{{"anthropic /anthropic/v1/messages", NULL}},
		"json_schema strict_tools parallel_tool_calls top_k file_parts errors=anthropic limits=anthropic ops=chat", NULL},
	{"vertex", "https://{vertex_host}/v1", "google", "",
		{{"gemini /projects/{project}/locations/{location}/publishers/google/models/{model}:{method}", "urls=https,gs metadata"},
			{"anthropic /projects/{project}/locations/{location}/publishers/anthropic/models/{model}:{method}",
				"anthropic_version=vertex-2023-10-16 version_in_body parallel_tool_calls top_k file_parts"},
			{"openai-chat /projects/{project}/locations/{location}/endpoints/openapi/chat/completions",
				"stream_options json_schema seed penalties extras=extra_body"},
			{"mistral /projects/{project}/locations/{location}/publishers/mistralai/models/{model}:{method}",
				"json_schema parallel_tool_calls seed penalties n"}},
		"rules=vertex errors=gemini limits=gemini ops=chat,embed,count", NULL},
	{"bedrock", "https://bedrock-runtime.{region}.amazonaws.com", "sigv4", "",
		{{"bedrock", NULL}},
		"ops=chat,embed,count,images", NULL},
	{"bedrock-rerank", "https://bedrock-agent-runtime.{region}.amazonaws.com", "sigv4", "",
		{{"bedrock", NULL}},
		"ops=rerank", NULL},
	{"vertex-rerank", "https://discoveryengine.googleapis.com/v1/projects/{project}", "google", "",
		{{"openai-chat", NULL}},
		"errors=gemini limits=gemini rerank_body=records top_field=topN "
		"ops=rerank:/locations/global/rankingConfigs/default_ranking_config:rank", NULL},
	{"bedrock-mantle", "https://bedrock-mantle.{region}.api.aws/v1", "bearer", "",
		{{"openai-chat", NULL}, {"openai-responses //openai/v1/responses", NULL}},
		PLAIN "errors=openai rules=open ops=chat,models", NULL},
	{"cloudflare", "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1", "bearer", "",
		{{"openai-chat", "rules=open"}},
		PLAIN "ops=chat,embed", NULL},
	{"databricks", "https://{workspace}/serving-endpoints", "bearer", "",
		{{"openai-chat", "rules=open"}},
		"json_schema n ops=chat,embed", NULL},

	/* on the plain wire */
	{"deepinfra", "https://api.deepinfra.com/v1/openai", "bearer", "",
		{{"openai-chat", "rules=open"}}, PLAIN "top_k ops=chat,embed,models", NULL},
	{"sambanova", "https://api.sambanova.ai/v1", "bearer", "",
		{{"openai-chat", "rules=open"}}, PLAIN "ops=chat,embed,models", NULL},
	{"novita", "https://api.novita.ai/v3/openai", "bearer", "",
		{{"openai-chat", "rules=open"}}, OPEN_HOST "ops=chat,models", NULL},
	{"nebius", "https://api.studio.nebius.ai/v1", "bearer", "",
		{{"openai-chat", "rules=open"}}, OPEN_HOST "ops=chat,embed,models", NULL},
	{"hyperbolic", "https://api.hyperbolic.xyz/v1", "bearer", "",
		{{"openai-chat", "rules=open"}}, OPEN_HOST "ops=chat,models", NULL},
	{"siliconflow", "https://api.siliconflow.cn/v1", "bearer", "",
		{{"openai-chat", "reasoning=flag rules=open"}}, PLAIN "top_k ops=chat,embed,rerank,models", NULL},
	{"lambda", "https://api.lambda.ai/v1", "bearer", "",
		{{"openai-chat", "rules=open"}}, PLAIN "ops=chat,models", NULL},
	{"baseten", "https://inference.baseten.co/v1", "bearer", "",
		{{"openai-chat", "rules=open"}}, OPEN_HOST "ops=chat,models", NULL},
	{"minimax", "https://api.minimax.io/v1", "bearer", "",
		{{"openai-chat", NULL}}, "stream_options ops=chat,models", NULL},
	{"qianfan", "https://qianfan.baidubce.com/v2", "bearer", "",
		{{"openai-chat", NULL}}, "stream_options penalties ops=chat,embed,models", NULL},

	/* no chat there */
	{"voyage", "https://api.voyageai.com/v1", "bearer", "",
		{{"openai-chat", NULL}}, "ops=embed,rerank", NULL},
	{"jina", "https://api.jina.ai/v1", "bearer", "",
		{{"openai-chat", NULL}}, "ops=embed,rerank", NULL},

	/* on this host, by their usual ports */
	{"ollama", "http://127.0.0.1:11434", "none", "",
		{{"ollama", NULL}, {"openai-chat /v1/chat/completions",
				"stream_options json_schema seed penalties urls=none tool_choice=no "
				"image_types=image/png,image/jpeg,image/webp efforts=none,low,medium,high,max"},
			{"anthropic /v1/messages", NULL}, {"openai-responses /v1/responses", NULL}},
		"prefill=plain ops=chat,embed,models", NULL},
	{"llamacpp", "http://127.0.0.1:8080/v1", "none", "",
		{{"openai-chat", NULL}, {"openai-responses", NULL}, {"anthropic /messages", NULL}},
		"stream_options json_schema parallel_tool_calls " ALL_LOCAL "repetition_field=repeat_penalty "
		"json_arguments reasoning_history=field audio_parts prefill=plain ops=chat,complete,embed,rerank,models", NULL},
	{"vllm", "http://127.0.0.1:8000/v1", "none", "",
		{{"openai-chat", "reasoning=template reasoning_history=field"}, {"openai-responses", NULL},
			{"anthropic /messages", NULL}},
		"stream_options json_schema parallel_tool_calls " ALL_LOCAL
		"json_arguments single_system audio_parts video_parts prefill=continue "
		"ops=chat,complete,embed,rerank,models,transcribe", NULL},
	{"lmstudio", "http://127.0.0.1:1234/v1", "none", "",
		{{"openai-chat", NULL}, {"openai-responses", NULL}, {"anthropic /messages", NULL}},
		PLAIN UNBOUNDED "logit_bias logprobs top_k repetition_field=repeat_penalty json_object=no ops=chat,complete,embed,models", NULL},

	/* answers by itself, without a network, a key or a price */
	{"offline", "", "none", "echo", {{"offline", NULL}}, "", NULL},
};

/* How they serve what is beside chat. */
static const struct {
	const char *name, *traits;
} services[] = {
	{"openai", "embed_model=text-embedding-3-small "
		"moderate_model=omni-moderation-latest embedding_format=base64 inputs_tokens_max=250000"},
	{"gemini", "embed_model=gemini-embedding-001 input_types=gemini inputs_max=100"},
	{"vertex", "embed_model=gemini-embedding-001 input_types=gemini predict inputs_max=1"},
	{"bedrock", "embed_model=amazon.titan-embed-text-v2:0"},
	{"mistral", "embed_model=mistral-embed "
		"moderate_model=mistral-moderation-latest dimensions_field=output_dimension inputs_tokens_max=12000"},
	{"cohere", "embed_model=embed-v4.0 rerank_model=rerank-v3.5 input_types=cohere "
		"truncation=word dimensions_field=output_dimension image_inputs inputs_max=96"},
	{"perplexity", "ops=chat,embed:/v1/embeddings embedding_format=base64_int8"},
	{"dashscope", "inputs_max=10"},
	{"dashscope-cn", "inputs_max=10"},
	{"dashscope-us", "inputs_max=10"},
	{"zai", "inputs_max=64"},
	{"zai-coding", "inputs_max=64"},
	{"zai-cn", "inputs_max=64"},
	{"zai-coding-cn", "inputs_max=64"},
	{"azure", "embedding_format=base64 inputs_tokens_max=250000"},
	{"azure-dated", "embedding_format=base64 inputs_tokens_max=250000"},
	{"nvidia", "input_types=passage truncation=word"},
	{"voyage", "embed_model=voyage-3.5 rerank_model=rerank-2.5 embedding_format=base64 "
		"input_types=plain truncation=switch dimensions_field=output_dimension top_field=top_k"},
	{"jina", "embed_model=jina-embeddings-v3 rerank_model=jina-reranker-v2-base-multilingual "
		"input_types=jina truncation=flag image_inputs"},
	{"ollama", "truncation=flag"},
};

/* Which members of a chat request they take that the broker only passes on; where no line is, none is
 * known. What engines that serve open models take from those who know them: */
#define SAMPLERS \
	"extras=top_a,typical_p,min_tokens,stop_token_ids,ignore_eos,include_reasoning,guided_json," \
	"guided_regex,guided_choice,guided_grammar,structured_outputs"

static const struct {
	const char *name, *traits;
} extras[] = {
	{"gemini-openai", "extras=extra_body"},
	{"groq", "extras=citation_options,compound_custom,disable_tool_validation,documents,"
		"exclude_domains,include_domains,include_reasoning,search_settings"},
	{"xai", "extras=deferred,search_parameters,web_search_options"},
	{"openrouter", "extras=cache_control,debug,image_config,models,plugins,prediction,preset,"
		"provider,route,session_id,structured_outputs,top_a,trace,transforms,usage,"
		"web_search_options"},
	{"together", SAMPLERS ",compliance,context_length_exceeded_behavior,echo,safety_model"},
	{"fireworks", SAMPLERS ",context_length_exceeded_behavior,echo,echo_last,mirostat_lr,"
		"mirostat_target,perf_metrics_in_response,prediction,prompt_cache_isolation_key,"
		"prompt_cache_max_len,prompt_truncate_len,raw_output,reasoning_history,"
		"return_token_ids,speculation"},
	{"cerebras", "extras=clear_thinking,min_tokens,prediction"},
	{"perplexity", "extras=disable_search,enable_search_classifier,image_domain_filter,"
		"image_format_filter,language_preference,last_updated_after_filter,"
		"last_updated_before_filter,media_response,return_images,return_related_questions,"
		"search_after_date_filter,search_before_date_filter,search_domain_filter,"
		"search_language_filter,search_mode,search_recency_filter,stream_mode,"
		"web_search_options"},
	{"nvidia", SAMPLERS ",nvext"},
	{"dashscope", DASHSCOPE_EXTRAS},
	{"dashscope-cn", DASHSCOPE_EXTRAS},
	{"dashscope-us", DASHSCOPE_EXTRAS},
	{"zai", ZAI_EXTRAS},
	{"zai-coding", ZAI_EXTRAS},
	{"zai-cn", ZAI_EXTRAS},
	{"zai-coding-cn", ZAI_EXTRAS},
	{"deepinfra", SAMPLERS},
	{"sambanova", SAMPLERS},
	{"novita", SAMPLERS},
	{"nebius", SAMPLERS},
	{"hyperbolic", SAMPLERS},
	{"siliconflow", SAMPLERS},
	{"lambda", SAMPLERS},
	{"baseten", SAMPLERS},
	{"minimax", "extras=mask_sensitive_info,reasoning_split"},
	{"qianfan", "extras=web_search"},
	{"ollama", "extras=keep_alive,options,think"},
	{"llamacpp", "extras=any"},
	{"vllm", "extras=any"},
	{"lmstudio", "extras=draft_model,ttl"},
};

static const struct {
	const char *family, *always, *unlisted;
} families[] = {
	/* the parts of the wire that strangers who speak it can be expected to know; usage is asked for,
	   so that every token is accounted for */
	{"openai-chat",
		"max_tokens_field=max_tokens system_role=system user_field=user repetition_field=repetition_penalty "
		"audio_form=base64 reasoning=effort reasoning_field=reasoning_content system stop names images "
		"urls=https,http tools tool_choice json_object empty_content=text extras=none" BOUNDS,
		"extras=any stream_options json_schema parallel_tool_calls seed penalties"},
	{"openai-responses", "urls=https,http reasoning=effort images tools json_object" BOUNDS,
		"extras=any json_schema strict_tools parallel_tool_calls"},
	{"openai-completions", "stop" BOUNDS " top_logprobs_max=5", "stream_options seed penalties logit_bias logprobs"},
	{"anthropic", "anthropic_version=2023-06-01 temperature_max_milli=1000 bytes_max=33554432 urls=https,http",
		"json_schema strict_tools parallel_tool_calls top_k file_parts"},
	/* what most models there take; config/rules.c has the others */
	{"bedrock", "system tools images urls=s3 file_parts stop stops_max=4 user metadata service_tier", ""},
	{"gemini",
		"system images urls=https file_parts audio_parts video_parts tools json_object json_schema "
		"seed penalties n top_k stop prefill=plain stops_max=5 tools_max=512 temperature_max_milli=2000",
		""},
	{"mistral",
		"json_object json_schema strict_tools parallel_tool_calls seed penalties n stop metadata "
		"service_tier cache_key temperature_max_milli=1500 prefill=prefix empty_content=text "
		"images urls=https,http file_parts audio_parts tools reasoning=effort "
		"reasoning_history=chunks extras=any", ""},
	{"cohere",
		"json_object json_schema strict_tools seed penalties top_k stop stops_max=5 prefill=no "
		"empty_content=omit images urls=https,http tools reasoning=budget reasoning_history=chunks", ""},
	{"ollama",
		"json_object json_schema seed penalties top_k stop prefill=plain empty_content=text images "
		"tools reasoning=think reasoning_history=field", ""},
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

const char *builtin_extras(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(extras); i++) {
		if (span_is(name, extras[i].name))
			return extras[i].traits;
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
