/* rules.c - models by their names, a block a scope. */
#include "brokerd/config/rules.h"

#include "protocol/base/owned.h"

/* clang-format off */

/* What OpenAI's models refuse while they reason: the older ones still take stop sequences. */
#define SHUT_OUT   " drops_when_reasoning=temperature,top_p,presence_penalty,frequency_penalty,logit_bias,logprobs"
#define SHUT_OUT_STOP SHUT_OUT ",stop"
/* The first that reasoned refuse system and developer texts side by side; a system text they take for a
 * developer's. */
#define O_SERIES " system_role=system"
/* Other vendors' models in Azure's Foundry, behind the same wire. */
#define FOUNDRY \
	"openai_rules=no max_tokens_field=max_tokens system_role=system user_field=user empty_content=text " \
	"user=no metadata=no service_tier=no verbosity=no cache_key=no strict_tools=no logit_bias=no logprobs=no n=no " \
	"modalities=no extras=none"

#define GITHUB_OPENAI "max_tokens_field=max_completion_tokens empty_content=null strict_tools "

/* Generations of Claude. */
#define FABLE \
	"sampling=none reasons=always reasoning=adaptive efforts=low,medium,high,xhigh,max thinking_display prefill=no json_schema strict_tools forced_tools=no"
#define CLAUDE_5 \
	"sampling=none reasons=asked reasoning=adaptive efforts=low,medium,high,xhigh,max thinking_display prefill=no json_schema strict_tools forced_tools=yes"
#define CLAUDE_4_6 \
	"sampling=one reasons=asked reasoning=adaptive budgets efforts=low,medium,high,max prefill=no json_schema strict_tools forced_tools=yes"
#define CLAUDE_4_5 \
	"sampling=one reasons=asked reasoning=budget prefill=plain json_schema strict_tools forced_tools=unless_reasoning"
#define CLAUDE_4 \
	"sampling=all reasons=asked reasoning=budget prefill=plain json_schema=no strict_tools=no forced_tools=unless_reasoning"
#define CLAUDE_3 \
	"sampling=all reasons=never prefill=plain json_schema=no strict_tools=no forced_tools=yes"
#define FOREIGN \
	"sampling=all reasons=asked reasoning=budget prefill=plain json_schema=no strict_tools=no forced_tools=yes"

/* What hosts of openai-chat refuse, or take no notice of, while a model reasons; and always. */
#define QUIET   " drops_when_reasoning=temperature,top_p,presence_penalty,frequency_penalty,logprobs"
#define XAI     " drops_when_reasoning=presence_penalty,frequency_penalty,stop"
#define FIXED   " drops=temperature,top_p,presence_penalty,frequency_penalty n=no"
#define NO_SEED " drops=seed,presence_penalty,frequency_penalty"
#define GPT_OSS "reasons=always reasoning=effort efforts=low,medium,high forced_tools=named blank_start"
/* The same, and other vendors', on Bedrock. */
#define BEDROCK_CLAUDE   " top_k temperature_max_milli=1000 cache_marks result_status stops_max=2500"
#define BEDROCK_CLAUDE_3 CLAUDE_3 " top_k temperature_max_milli=1000 result_status stops_max=2500 tokens_max=4096"
#define BEDROCK_CLAUDE_2 BEDROCK_CLAUDE_3 " tools=no images=no"
#define NOVA \
	"reasons=never top_k top_k_field=inferenceConfig.topK temperature_max_milli=1000 stops_max=4 cache_marks result_status video_parts"
#define NOVA_2  NOVA " strict_tools reasons=asked reasoning=level efforts=low,medium,high"
#define LLAMA   "reasons=never forced_tools=no stop=no temperature_max_milli=1000 result_alone"
#define MISTRAL "reasons=never temperature_max_milli=1000 short_ids result_json result_alone"
#define BARE    "reasons=never system=no tools=no images=no temperature_max_milli=1000"
/* Generations of Gemini. */
#define GEMINI_3 \
	"reasons=always reasoning=level strict_tools json_with_tools result_media sealed_calls"
#define GEMINI_2_5 "reasoning=budget strict_tools"

static const struct rule rows[] = {
	/* OpenAI, as observed in mid 2026 */
	{"openai", "gpt-5.6*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh,max" SHUT_OUT_STOP},
	{"openai", "gpt-5.5-pro*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5.5*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.4-pro*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5.4*", "reasons=asked reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.3-chat*", "reasons=always reasoning=effort efforts=medium" SHUT_OUT_STOP},
	{"openai", "gpt-5.2-chat*", "reasons=always reasoning=effort efforts=medium" SHUT_OUT_STOP},
	{"openai", "gpt-5.1-chat*", "reasons=always reasoning=effort efforts=medium" SHUT_OUT_STOP},
	{"openai", "gpt-5.2-pro*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5.1-codex*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5.3*", "reasons=asked reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.2*", "reasons=asked reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.1*", "reasons=asked reasoning=effort efforts=none,low,medium,high" SHUT_OUT_STOP},
	{"openai", "gpt-5.*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh,max" SHUT_OUT_STOP},
	{"openai", "gpt-6*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh,max" SHUT_OUT_STOP},
	{"openai", "gpt-5-chat*", "reasons=never"},
	{"openai", "gpt-5-pro*", "reasons=always reasoning=effort efforts=high dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5-codex*", "reasons=always reasoning=effort efforts=low,medium,high dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5*", "reasons=always reasoning=effort efforts=minimal,low,medium,high" SHUT_OUT_STOP},
	{"openai", "gpt-5.2-codex*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "gpt-5.3-codex*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "codex-*", "reasons=always reasoning=effort efforts=low,medium,high dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "computer-use-preview*", "reasons=never dialect=openai-responses"},
	{"openai", "*-deep-research*", "reasons=always reasoning=effort efforts=low,medium,high dialect=openai-responses" SHUT_OUT_STOP},
	{"openai", "o1-mini*", "reasons=always reasoning=nothing system=no" SHUT_OUT},
	{"openai", "o1-preview*", "reasons=always reasoning=nothing system=no" SHUT_OUT},
	{"openai", "o1-pro*", "reasons=always reasoning=effort efforts=low,medium,high dialect=openai-responses" SHUT_OUT O_SERIES},
	{"openai", "o3-pro*", "reasons=always reasoning=effort efforts=low,medium,high dialect=openai-responses" SHUT_OUT_STOP O_SERIES},
	{"openai", "o1*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT O_SERIES},
	{"openai", "o3*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP O_SERIES},
	{"openai", "o4*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP O_SERIES},
	{"openai", "*", "reasons=never"},
	{"openai", "Mistral*", FOUNDRY},
	{"openai", "mistral*", FOUNDRY},
	{"openai", "Ministral*", FOUNDRY},
	{"openai", "Codestral*", FOUNDRY},
	{"openai", "Llama*", FOUNDRY},
	{"openai", "llama*", FOUNDRY},
	{"openai", "Meta-Llama*", FOUNDRY},
	{"openai", "DeepSeek*", FOUNDRY},
	{"openai", "Phi-*", FOUNDRY},
	{"openai", "Cohere-*", FOUNDRY},
	{"openai", "AI21-*", FOUNDRY},
	{"openai", "grok-*", FOUNDRY},
	{"openai", "text-embedding-ada-002*", "reasons=never dimensions_field=none"},
	{"openai", "*-search-preview", "reasons=never sampling=none"},

	/* hosts on the wire of openai-chat; where nothing is known of a model, nothing is said */
	{"deepseek", "deepseek-v4*", "reasons=default reasoning=switch efforts=high,max forced_tools=unless_reasoning reasoning_history=always" QUIET},
	{"deepseek", "deepseek-chat*", "reasons=asked reasoning=switch efforts=high,max forced_tools=unless_reasoning reasoning_history=always" QUIET},
	{"deepseek", "deepseek-reasoner*", "reasons=always reasoning=effort efforts=low,medium,high,max forced_tools=no reasoning_history=none blank_start" QUIET},
	{"deepseek", "deepseek-r1*", "reasons=always reasoning=nothing forced_tools=no reasoning_history=none blank_start" QUIET},

	{"groq", "openai/gpt-oss*", GPT_OSS " reasoning_history=field reasoning_field=reasoning"},
	{"groq", "qwen/qwen3*", "reasons=default reasoning=effort efforts=none,default reasoning_format blank_start"},
	{"groq", "deepseek-r1*", "reasons=always reasoning=nothing reasoning_format blank_start"},

	{"xai", "grok-3-mini*", "reasons=always reasoning=effort efforts=low,high" XAI},
	{"xai", "grok-4.5*", "reasons=always reasoning=effort efforts=low,medium,high" XAI},
	{"xai", "grok-4.3*", "reasons=default reasoning=effort efforts=none,low,medium,high" XAI},
	{"xai", "grok-4*", "reasons=always reasoning=nothing" XAI},
	{"xai", "grok-code*", "reasons=always reasoning=nothing" XAI},
	{"xai", "*-reasoning*", "reasons=always reasoning=nothing" XAI},
	{"xai", "*-non-reasoning*", "reasons=never"},
	{"xai", "grok-3*", "reasons=never"},
	{"xai", "grok-2*", "reasons=never"},

	{"zai", "glm-5.3*", "reasons=always reasoning=switch efforts=low,high,max"},
	{"zai", "glm-5.2*", "reasons=default reasoning=switch efforts=low,medium,high,max"},
	{"zai", "glm-5*", "reasons=default reasoning=switch"},
	{"zai", "glm-4.5*", "reasons=default reasoning=switch reasoning_history=none"},
	{"zai", "glm-4.6*", "reasons=default reasoning=switch"},
	{"zai", "glm-4.7*", "reasons=default reasoning=switch"},
	{"zai", "glm-4*", "reasons=never reasoning_history=none"},

	{"moonshot", "kimi-k3*", "reasons=default reasoning=switch efforts=minimal,low,medium,high json_schema" FIXED},
	{"moonshot", "kimi-k2.*", "reasons=default reasoning=switch json_schema" FIXED},
	{"moonshot", "kimi-k2-thinking*", "reasons=always reasoning=nothing forced_tools=named"},
	{"moonshot", "kimi-k2*", "reasons=never forced_tools=named"},
	{"moonshot", "moonshot-v1*", "reasons=never forced_tools=named"},

	{"dashscope", "qwen3-coder*", "reasons=never forced_tools=named"},
	{"dashscope", "qwen3-max*", "reasons=asked reasoning=flag forced_tools=named"},
	{"dashscope", "qwen3-omni*", "reasons=asked reasoning=flag stream_forced modalities"},
	{"dashscope", "qwen3*", "reasons=default reasoning=flag forced_tools=named stream_forced blank_start"},
	{"dashscope", "qwen-omni*", "reasons=never stream_forced modalities"},
	{"dashscope", "qwen2.5-omni*", "reasons=never stream_forced modalities"},
	{"dashscope", "qwen-plus*", "reasons=asked reasoning=flag forced_tools=named"},
	{"dashscope", "qwen-flash*", "reasons=asked reasoning=flag forced_tools=named"},
	{"dashscope", "qwen-turbo*", "reasons=asked reasoning=flag forced_tools=named"},
	{"dashscope", "qwen*", "forced_tools=named reasoning=flag"},
	{"dashscope", "qwq*", "reasons=always reasoning=nothing stream_forced"},
	{"dashscope", "qvq*", "reasons=always reasoning=nothing stream_forced"},
	{"dashscope", "*", "reasoning=flag"},

	{"cerebras", "gpt-oss*", GPT_OSS " reasoning_history=field reasoning_field=reasoning"},
	{"cerebras", "zai-glm*", "reasons=default reasoning=disable reasoning_history=tags parallel_tool_calls"},

	{"openrouter", "anthropic/*", "forced_tools=unless_reasoning"},

	{"perplexity", "sonar-deep-research*", "reasons=always reasoning=effort efforts=low,medium,high think_tags blank_start"},
	{"perplexity", "sonar-reasoning*", "reasons=always reasoning=effort efforts=minimal,low,medium,high think_tags blank_start"},
	{"perplexity", "sonar*", "reasons=never"},

	{"gemini-openai", "gemini-2.5-pro*", "reasons=always reasoning=effort efforts=minimal,low,medium,high" NO_SEED},
	{"gemini-openai", "gemini-2.5*", "reasons=default reasoning=effort efforts=none,minimal,low,medium,high" NO_SEED},
	{"gemini-openai", "gemini-3*", "reasons=always reasoning=effort efforts=minimal,low,medium,high" NO_SEED},
	{"gemini-openai", "gemma-*", "reasons=never system=no"},

	{"vertex", "gemini-embedding-2*", "image_inputs"},
	{"vertex", "text-embedding-*", "inputs_max=250"},
	{"vertex", "text-multilingual-embedding-*", "inputs_max=250"},
	{"vertex", "claude-*", "dialect=anthropic"},
	{"vertex", "mistral-*", "dialect=mistral"},
	{"vertex", "codestral-*", "dialect=mistral"},
	{"vertex", "meta/*", "dialect=openai-chat"},
	{"vertex", "google/*", "dialect=openai-chat"},
	{"vertex", "deepseek-ai/*", "dialect=openai-chat"},
	{"vertex", "qwen/*", "dialect=openai-chat"},
	{"vertex", "openai/*", "dialect=openai-chat"},
	{"vertex", "zai-org/*", "dialect=openai-chat"},
	{"vertex", "moonshotai/*", "dialect=openai-chat"},

	{"github", "openai/gpt-5-chat*", GITHUB_OPENAI "reasons=never"},
	{"github", "openai/gpt-5*", GITHUB_OPENAI "reasons=always reasoning=effort efforts=minimal,low,medium,high" SHUT_OUT_STOP},
	{"github", "openai/o1*", GITHUB_OPENAI "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT},
	{"github", "openai/o3*", GITHUB_OPENAI "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP},
	{"github", "openai/o4*", GITHUB_OPENAI "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP},
	{"github", "openai/*", GITHUB_OPENAI "reasons=never n logit_bias logprobs"},

	/* open models, wherever they are served */
	{"open", "*gpt-oss*", GPT_OSS},
	{"open", "*deepseek-r1*", "reasons=always reasoning=nothing think_tags blank_start"},
	{"open", "*DeepSeek-R1*", "reasons=always reasoning=nothing think_tags blank_start"},
	{"open", "*qwq*", "reasons=always reasoning=nothing think_tags blank_start"},
	{"open", "*QwQ*", "reasons=always reasoning=nothing think_tags blank_start"},

	/* Anthropic; "claude-" is newer than this table, the last one another host's behind this wire */
	{"anthropic", "claude-fable-5*", FABLE " later_system tokens_max=128000"},
	{"anthropic", "claude-mythos-*", FABLE " later_system tokens_max=128000"},
	{"anthropic", "claude-opus-5*", CLAUDE_5 " later_system tokens_max=128000"},
	{"anthropic", "claude-sonnet-5*", CLAUDE_5 " later_system tokens_max=128000"},
	{"anthropic", "claude-opus-4-8*", CLAUDE_5 " later_system tokens_max=128000"},
	{"anthropic", "claude-opus-4-7*", CLAUDE_5 " tokens_max=128000"},
	{"anthropic", "claude-opus-4-6*", CLAUDE_4_6 " tokens_max=128000"},
	{"anthropic", "claude-sonnet-4-6*", CLAUDE_4_6 " tokens_max=128000"},
	{"anthropic", "claude-opus-4-5*", CLAUDE_4_5 " tokens_max=64000"},
	{"anthropic", "claude-sonnet-4-5*", CLAUDE_4_5 " tokens_max=64000"},
	{"anthropic", "claude-haiku-4-5*", CLAUDE_4_5 " tokens_max=64000"},
	{"anthropic", "claude-opus-4-1*", CLAUDE_4_5 " tokens_max=32000"},
	{"anthropic", "claude-opus-4-*", CLAUDE_4 " tokens_max=32000"},
	{"anthropic", "claude-sonnet-4-*", CLAUDE_4 " tokens_max=64000"},
	{"anthropic", "claude-3-7-sonnet*", CLAUDE_4 " tokens_max=64000"},
	{"anthropic", "claude-3-5-*", CLAUDE_3 " tokens_max=8192"},
	{"anthropic", "claude-3*", CLAUDE_3 " tokens_max=4096"},
	{"anthropic", "claude-2*", CLAUDE_3 " tokens_max=4096"},
	{"anthropic", "claude-*", CLAUDE_5 " tokens_max=32000"},
	{"anthropic", "*", FOREIGN " tokens_max=4096"},

	/* Bedrock: ids may have a region before them, or be the end of an ARN */
	{"bedrock", "*anthropic.claude-fable-5*", FABLE BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-mythos-*", FABLE BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-opus-5*", CLAUDE_5 BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-sonnet-5*", CLAUDE_5 BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-opus-4-8*", CLAUDE_5 BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-opus-4-7*", CLAUDE_5 BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-opus-4-6*", CLAUDE_4_6 BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-sonnet-4-6*", CLAUDE_4_6 BEDROCK_CLAUDE " tokens_max=128000"},
	{"bedrock", "*anthropic.claude-opus-4-5*", CLAUDE_4_5 BEDROCK_CLAUDE " tokens_max=64000"},
	{"bedrock", "*anthropic.claude-sonnet-4-5*", CLAUDE_4_5 BEDROCK_CLAUDE " tokens_max=64000"},
	{"bedrock", "*anthropic.claude-haiku-4-5*", CLAUDE_4_5 BEDROCK_CLAUDE " tokens_max=64000"},
	{"bedrock", "*anthropic.claude-opus-4-1*", CLAUDE_4_5 BEDROCK_CLAUDE " tokens_max=32000"},
	{"bedrock", "*anthropic.claude-opus-4-*", CLAUDE_4 BEDROCK_CLAUDE " tokens_max=32000"},
	{"bedrock", "*anthropic.claude-sonnet-4-*", CLAUDE_4 BEDROCK_CLAUDE " tokens_max=64000"},
	{"bedrock", "*anthropic.claude-3-7-*", CLAUDE_4 BEDROCK_CLAUDE " tokens_max=64000"},
	{"bedrock", "*anthropic.claude-3-5-*", CLAUDE_3 BEDROCK_CLAUDE " tokens_max=8192"},
	{"bedrock", "*anthropic.claude-3*", BEDROCK_CLAUDE_3},
	{"bedrock", "*anthropic.claude-v2*", BEDROCK_CLAUDE_2},
	{"bedrock", "*anthropic.claude-instant*", BEDROCK_CLAUDE_2},
	{"bedrock", "*anthropic.claude-*", CLAUDE_5 BEDROCK_CLAUDE " tokens_max=32000"},
	{"bedrock", "*amazon.nova-*", NOVA},
	{"bedrock", "*amazon.titan-embed-*", "embed_body=titan inputs_max=1"},
	{"bedrock", "*amazon.titan-embed-text-v1*", "embed_body=titan inputs_max=1 dimensions_field=none"},
	{"bedrock", "*amazon.nova-2-multimodal-embeddings-*", "embed_body=nova inputs_max=1"},
	{"bedrock", "*cohere.embed-*", "embed_body=cohere inputs_max=96 dimensions_field=output_dimension"},
	{"bedrock", "*cohere.embed-english-v3*", "embed_body=cohere inputs_max=96 dimensions_field=none"},
	{"bedrock", "*cohere.embed-multilingual-v3*", "embed_body=cohere inputs_max=96 dimensions_field=none"},
	{"bedrock", "*amazon.nova-micro-*", NOVA " images=no file_parts=no video_parts=no"},
	{"bedrock", "*amazon.nova-2-*", NOVA_2},
	{"bedrock", "*amazon.nova-2-omni*", NOVA_2 " audio_parts"},
	{"bedrock", "*amazon.titan-text-*", BARE},
	{"bedrock", "*meta.llama*", LLAMA " images=no"},
	{"bedrock", "*meta.llama3-8b-*", LLAMA " images=no tools=no"},
	{"bedrock", "*meta.llama3-70b-*", LLAMA " images=no tools=no"},
	{"bedrock", "*meta.llama3-2-11b-*", LLAMA},
	{"bedrock", "*meta.llama3-2-90b-*", LLAMA},
	{"bedrock", "*meta.llama4-*", LLAMA},
	{"bedrock", "*mistral.*", MISTRAL " images=no"},
	{"bedrock", "*mistral.mistral-7b-*", BARE},
	{"bedrock", "*mistral.mixtral-*", BARE},
	{"bedrock", "*mistral.pixtral-*", MISTRAL " result_json=no"},
	{"bedrock", "*mistral.mistral-large-3-*", MISTRAL " json_schema"},
	{"bedrock", "*mistral.ministral-3-*", MISTRAL " json_schema"},
	{"bedrock", "*mistral.magistral-*", MISTRAL " json_schema reasons=always"},
	{"bedrock", "*cohere.command-r*", "reasons=never forced_tools=no images=no temperature_max_milli=1000"},
	{"bedrock", "*cohere.command-*", BARE},
	{"bedrock", "*ai21.*", "reasons=never forced_tools=no images=no"},
	{"bedrock", "*writer.palmyra-*", "reasons=never forced_tools=no images=no result_alone"},
	{"bedrock", "*deepseek.*", "forced_tools=no images=no"},
	{"bedrock", "*deepseek.r1*", "reasons=always tools=no images=no temperature_max_milli=1000"},
	{"bedrock", "*qwen.qwen3-*", "json_schema forced_tools=no images=no reasons=asked reasoning=config efforts=low,medium,high"},
	{"bedrock", "*qwen.qwen3-coder-*", "json_schema forced_tools=no images=no reasons=never"},
	{"bedrock", "*qwen.qwen3-vl-*", "json_schema forced_tools=no reasons=never"},
	{"bedrock", "*openai.gpt-oss-*", "forced_tools=no images=no reasons=always reasoning=effort efforts=low,medium,high"},
	{"bedrock", "*openai.gpt-5*", "json_schema reasons=default reasoning=effort efforts=low,medium,high"},
	{"bedrock", "*.kimi-k2-thinking*", "json_schema dotted_ids images=no reasons=always"},
	{"bedrock", "*.kimi-*", "json_schema dotted_ids"},
	{"bedrock", "*zai.glm-*", "json_schema images=no"},
	{"bedrock", "*minimax.*", "json_schema images=no reasons=always"},
	{"bedrock", "*nvidia.nemotron-*", "json_schema"},
	{"bedrock", "*google.gemma-3-*", "json_schema forced_tools=no"},
	/* Gemini, as observed in mid 2026; "gemini-" is newer than this table. Names may have a folder
	   before them */
	{"gemini", "*gemini-3-pro*", GEMINI_3 " efforts=low,high"},
	{"gemini", "*gemini-3.1-pro*", GEMINI_3 " efforts=low,medium,high"},
	{"gemini", "*gemini-pro-latest*", GEMINI_3 " efforts=low,medium,high"},
	{"gemini", "*gemini-3.7-flash*", GEMINI_3 " efforts=low,medium,high"},
	{"gemini", "*gemini-*", GEMINI_3 " efforts=minimal,low,medium,high"},
	{"gemini", "*gemini-2.5-pro*", GEMINI_2_5 " reasons=always budget_min=128 budget_max=32768"},
	{"gemini", "*gemini-2.5-flash-lite*", GEMINI_2_5 " reasons=asked budget_min=512 budget_max=24576"},
	{"gemini", "*gemini-2.5-*", GEMINI_2_5 " reasons=default budget_max=24576"},
	{"gemini", "*gemini-2.5-flash-image*", "reasons=never"},
	{"gemini", "*gemini-2.5-flash-preview-tts*", "reasons=never"},
	{"gemini", "*gemini-2.5-pro-preview-tts*", "reasons=never"},
	{"gemini", "*gemini-2.0-*", "reasons=never"},
	{"gemini", "*gemini-1.*", "reasons=never openapi_schemas"},
	{"gemini", "*gemma-*", "reasons=unknown reasoning=budget system=no"},
	{"gemini", "*gemini-embedding-*", "reasons=never"},
	{"gemini", "*gemini-embedding-2*", "reasons=never image_inputs"},
	{"gemini", "*text-embedding-*", "reasons=never inputs_max=100"},
	{"gemini", "*", "reasons=unknown reasoning=budget strict_tools json_with_tools"},

	/* Mistral; what is not listed is taken at its word */
	{"mistral", "magistral-*", "reasons=always reasoning=mode"},
	{"mistral", "mistral-small-latest", "reasons=asked efforts=none,high"},
	{"mistral", "mistral-small-4*", "reasons=asked efforts=none,high"},
	{"mistral", "mistral-small-26*", "reasons=asked efforts=none,high"},
	{"mistral", "mistral-medium-latest", "reasons=asked efforts=none,high"},
	{"mistral", "mistral-medium-26*", "reasons=asked efforts=none,high"},
	{"mistral", "mistral-small-2*", "reasons=never"},
	{"mistral", "mistral-medium-2*", "reasons=never"},
	{"mistral", "mistral-large-*", "reasons=never"},
	{"mistral", "mistral-tiny*", "reasons=never"},
	{"mistral", "ministral-*", "reasons=never"},
	{"mistral", "codestral-*", "reasons=never"},
	{"mistral", "devstral-*", "reasons=never"},
	{"mistral", "pixtral-*", "reasons=never"},
	{"mistral", "voxtral-*", "reasons=never"},
	{"mistral", "open-*", "reasons=never"},
	{"mistral", "mistral-embed*", "reasons=never dimensions_field=none"},

	/* Cohere */
	{"cohere", "command-a-reasoning-*", "reasons=default"},
	{"cohere", "command-a-plus-*", "reasons=default"},
	{"cohere", "command-a-*", "reasons=never"},
	{"cohere", "command-r*", "reasons=never"},
	{"cohere", "command-light*", "reasons=never"},
	{"cohere", "command", "reasons=never"},
	{"cohere", "embed-english-*", "dimensions_field=none"},
	{"cohere", "embed-multilingual-*", "dimensions_field=none"},
	{"cohere", "c4ai-*", "reasons=never"},

	/* Ollama; gpt-oss wants a level and cannot be off */
	{"ollama", "gpt-oss*", "reasons=always efforts=low,medium,high"},
};
/* clang-format on */

const struct rule *rules_rows(size_t *n)
{
	*n = COUNT_OF(rows);
	return rows;
}
