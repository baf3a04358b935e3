/* target.h - where may a request go, and what is peculiar there?
 * Plain values made by route from the configuration and handed to dialect and transport. Spans are
 * borrowed from the configuration that made the target, which the exchange keeps alive. */
#ifndef BROKERD_VALUE_TARGET_H
#define BROKERD_VALUE_TARGET_H
#include "brokerd/value/http.h"
#include "brokerd/value/words.h"

/* Does a model reason? */
enum reasons {
	REASONS_UNKNOWN,
	REASONS_NEVER,
	REASONS_IF_ASKED,
	REASONS_UNLESS_NONE, /* by default, and can be switched off */
	REASONS_ALWAYS,
};

/* How is reasoning asked for? Names are those of the wire, where it has one. */
enum reasoning_by {
	REASONING_BY_NOTHING,  /* the wire has no word for it */
	REASONING_BY_EFFORT,   /* reasoning_effort, reasoning.effort: a word of `efforts` */
	REASONING_BY_BUDGET,   /* so many tokens */
	REASONING_BY_ADAPTIVE, /* anthropic: thinking adaptive, with an effort beside it */
	REASONING_BY_LEVEL,  /* gemini: thinkingLevel, bedrock: reasoningConfig.maxReasoningEffort;
	                          a word of `efforts` */
	REASONING_BY_SWITCH, /* thinking: {"type": "enabled" | "disabled"} */
	REASONING_BY_FLAG,   /* enable_thinking, thinking_budget */
	REASONING_BY_OBJECT, /* reasoning: {effort | max_tokens, exclude} */
	REASONING_BY_THINK,  /* think: true, false or a word of `efforts` */
	REASONING_BY_TEMPLATE, /* chat_template_kwargs: {"enable_thinking": bool} */
	REASONING_BY_MODE,     /* prompt_mode: "reasoning" */
	REASONING_BY_DISABLE,  /* disable_reasoning: bool */
	REASONING_BY_CONFIG,   /* bedrock: reasoning_config: a word of `efforts` */
};

/* In which form does earlier reasoning go back? */
enum reasoning_history {
	REASONING_HISTORY_NONE,
	REASONING_HISTORY_FIELD,   /* in the member `reasoning_field`, where there was any */
	REASONING_HISTORY_ALWAYS,  /* the same, "" where there was none */
	REASONING_HISTORY_TAGS,    /* inside the text, as <think>...</think> */
	REASONING_HISTORY_DETAILS, /* reasoning_details, as they came */
	REASONING_HISTORY_CHUNKS,  /* as parts of the content */
};

/* Which of temperature, top_p and top_k does a model take? */
enum sampling {
	SAMPLING_ALL,
	SAMPLING_ONE_OF, /* temperature or top_p, not both */
	SAMPLING_NONE,
};

/* Does it take a tool choice that forces a call? */
enum forcing {
	FORCING_ALWAYS,
	FORCING_UNLESS_REASONING,
	FORCING_NEVER,
	FORCING_NAMED, /* a call of one tool by its name, not of any */
};

/* Does it go on with what the assistant began? */
enum prefill {
	PREFILL_NO,
	PREFILL_PLAIN,    /* a last message of the assistant's is enough */
	PREFILL_PREFIX,   /* it wants "prefix": true on it */
	PREFILL_PARTIAL,  /* it wants "partial": true on it */
	PREFILL_CONTINUE, /* it wants "continue_final_message": true beside the messages */
};

/* What stands for the text of an assistant's message that has calls and no text? */
enum empty_content {
	EMPTY_CONTENT_NULL,
	EMPTY_CONTENT_TEXT, /* "" */
	EMPTY_CONTENT_LEFT_OUT,
};

/* Which JSON Schema does it take? */
enum schemas {
	SCHEMAS_FULL,
	SCHEMAS_MFJS, /* Moonshot's: an object at the root, no type beside anyOf, tuples as prefixItems */
	SCHEMAS_CLOSED, /* no additionalProperties but false */
};

/* In which words is it told what an embedding is for? An index. */
enum input_types {
	INPUT_TYPES_NONE,    /* in none */
	INPUT_TYPES_PLAIN,   /* input_type: "query" "document" */
	INPUT_TYPES_PASSAGE, /* input_type: "query" "passage" */
	INPUT_TYPES_COHERE,  /* input_type: "search_query" "search_document" ... */
	INPUT_TYPES_JINA,    /* task: "retrieval.query" "retrieval.passage" ... */
	INPUT_TYPES_GEMINI,  /* taskType: "RETRIEVAL_QUERY" "RETRIEVAL_DOCUMENT" ... */
	INPUT_TYPES_COUNT,
};

/* Whose body do a model's embeddings take, where hosts pass it on as it is? */
enum embed_body {
	EMBED_BODY_UNKNOWN,
	EMBED_BODY_TITAN,
	EMBED_BODY_COHERE,
	EMBED_BODY_NOVA,
};

/* How is it told to cut an input that is too long? */
/* How documents to be ranked are written. */
enum rerank_body {
	RERANK_DOCUMENTS, /* "documents": [text] */
	RERANK_PASSAGES,  /* "passages": [{"text"}], and the query alike: NVIDIA */
	RERANK_TEXTS,     /* "texts": [text]: Text Embeddings Inference */
	RERANK_RECORDS,   /* "records": [{"id", "content"}]: Google's ranking API */
};

enum truncation {
	TRUNCATION_NONE,
	TRUNCATION_WORD,   /* truncate: "NONE" "START" "END" */
	TRUNCATION_SWITCH, /* truncation: a bool */
	TRUNCATION_FLAG,   /* truncate: a bool */
};

/* What one provider, or one model there, does otherwise than its family. Each is a trait that a
 * [provider] or [model] section can set by name: config/traits.c. Texts that are lists have commas
 * between their words: words_have. */
struct quirks {
	/* whose rules */
	struct span rules; /* the scope of config/rules.c for names of models; absent: the family */
	struct span errors; /* the provider whose table of errors holds; absent: its own name */
	struct span
		limits; /* the provider whose rate limit headers it sends; absent: its own name */
	struct span dialect; /* the family in which the model is spoken to; absent: the first */
	struct span
		ops; /* a list of what is served, each word with a path behind a colon where that
	                       is not the family's: value/ops.h; absent: everything */
	struct span drops;  /* a list of parameters that are refused there */
	struct span extras; /* a list of the members that it takes and nobody here interprets, or
	                       "any"; absent: those of its family's, and OpenAI's of both */
	struct span
		reports; /* whose reports of costs it has: "openai", "anthropic"; absent: none */
	bool is_openai;  /* openai-chat: OpenAI's own members and rules: custom and allowed
	                       tools, safety_identifier, prompt_cache_key, ... */
	bool is_version_in_body; /* anthropic: with the model in the address alone */
	struct span api_version; /* anthropic-version */

	/* members */
	struct span max_tokens_field; /* "max_tokens" or "max_completion_tokens" */
	struct span system_role;      /* of developer text: "system", "developer" or "user" */
	bool has_stream_options;      /* takes stream_options.include_usage */
	bool has_json_object, has_json_schema; /* takes response_format of that type */
	bool has_strict_tools;
	enum schemas schemas;
	bool has_parallel_flag;
	bool has_seed, has_penalties, has_n;
	bool has_logit_bias, has_logprobs;
	bool has_top_k; /* and min_p, repetition_penalty */
	struct span
		top_k_field; /* bedrock: where the model has it: "top_k", "inferenceConfig.topK" */
	bool has_stop, has_user, has_metadata, has_service_tier, has_verbosity;
	bool has_cache_key;   /* prompt_cache_key */
	bool has_cache_marks; /* cache_control on parts */
	int64_t bytes_max;    /* of a request's body; 0: as many as the broker takes */
	int64_t tokens_max;   /* that it writes, where the model's facts do not say; 0: not known */
	int64_t stops_max, tools_max;                         /* 0: no bound known */
	int64_t temperature_min_milli, temperature_max_milli; /* 0: no bound known; 1000 is 1.0 */
	int64_t top_p_min_milli, top_p_max_milli;             /* the same */
	int64_t penalty_max_milli;    /* presence and frequency, from its negative; the same */
	int64_t top_logprobs_max;     /* 0: no bound known */
	int64_t seed_max;             /* seeds are 0 to this; 0: any */
	bool has_do_sample;           /* do_sample: false stands for a temperature of 0 */
	struct span user_field;       /* "user" or "safety_identifier" */
	struct span repetition_field; /* "repetition_penalty" or "repeat_penalty" */
	bool has_modalities;          /* takes modalities and audio */
	enum sampling sampling;

	/* messages */
	bool has_system;       /* takes system text at all */
	bool is_system_single; /* one system message, the first */
	bool has_later_system; /* anthropic: takes system messages among the others */
	bool is_order_strict;  /* user and assistant in turn, the user first */
	bool has_names;        /* takes `name` on messages */
	enum prefill prefill;
	struct span
		prefill_path; /* of a chat that ends with the assistant's words; absent: as ever */
	enum empty_content empty_content;
	bool has_images;
	struct span image_types; /* a list of the media types that it takes; absent: any */
	struct span urls;        /* a list of the schemes of addresses that it follows */
	bool has_file_parts, has_audio_parts, has_video_parts;
	struct span audio_form; /* of the bytes: "base64" or "uri" */
	bool has_result_media;  /* takes files in a tool's result */

	/* tools */
	bool has_tools;
	bool has_tool_choice; /* takes tool_choice at all */
	bool is_calls_last; /* openai-responses: wants the calls of a turn behind all else of it */
	enum forcing forcing;
	bool has_tool_stream;   /* tool_stream: gives arguments piece by piece */
	bool needs_json_args;   /* arguments that are no JSON object break it */
	bool has_call_ids;      /* gemini: calls and results have ids */
	bool has_sealed_calls;  /* gemini: it refuses a call of its own without a signature */
	bool has_short_ids;     /* ids of calls have nine letters and digits, */
	bool has_dotted_ids;    /* and may have dots and colons */
	bool has_result_status; /* a result says whether its call failed */
	bool is_result_json;    /* a result is a JSON object, not a text */
	bool is_result_alone;   /* no text beside results in a message, nor another one behind it */
	bool has_json_with_tools; /* takes a response format beside tools */
	bool has_openapi_schemas; /* gemini: takes schemas in the form of OpenAPI alone */

	/* reasoning */
	enum reasons reasons;
	enum reasoning_by reasoning_by;
	struct span efforts;            /* a list, lowest first; absent: any word */
	bool has_budgets;               /* takes a budget of tokens too, however else it is asked */
	int64_t budget_min, budget_max; /* tokens; 0: no bound known */
	struct span drops_when_reasoning; /* a list of parameters that it refuses meanwhile */
	enum reasoning_history reasoning_history;
	struct span reasoning_field; /* "reasoning_content", "reasoning" */
	bool has_reasoning_format;   /* reasoning_format: "parsed" or "hidden" */
	bool has_clear_thinking;     /* thinking.clear_thinking: false keeps earlier reasoning */
	bool has_thinking_display;   /* says nothing of its reasoning unless asked to */
	bool has_think_tags;         /* reasoning comes inside the text, in <think>...</think> */
	bool is_think_open;          /* and without its opening tag */
	bool has_blank_start; /* white space that means nothing comes between reasoning and text */

	/* operations beside chat */
	struct span embed_model, rerank_model, moderate_model; /* where none is named */
	struct span embedding_format; /* "float", "base64", "base64_int8"; absent: not said */
	struct span dimensions_field; /* "dimensions", "output_dimension", or "none" */
	struct span top_field;        /* "top_n", "top_k", "topN" or "none" */
	enum rerank_body rerank_body;
	enum input_types input_types;
	enum truncation truncation;
	enum embed_body embed_body; /* bedrock */
	bool has_image_inputs;      /* to embed */
	bool has_predict;           /* gemini: is Vertex AI, which embeds by :predict */
	int64_t inputs_max;         /* of one request for embeddings; 0: no bound of its own */
	int64_t inputs_tokens_max;  /* the same in tokens */

	/* the reply */
	bool is_stream_forced; /* is always asked for a stream */
};

/* Prices in nano-dollars per million tokens; -1: not known. */
struct price {
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h, reasoning;
	int64_t audio_input, audio_output, image_input, image_output;
};
#define PRICE_UNKNOWN ((struct price){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1})

/* Where short-lived tokens come from, and for what: AUTH_GOOGLE, AUTH_ENTRA. */
struct token_source {
	struct span url;    /* {tenant} in it stands for the tenant */
	struct span origin; /* of the url: a key that gets tokens is bound to it */
	struct span scope;
	struct span tenant;  /* absent: the key has it */
	struct span ca_file; /* as in struct target, for the url */
	bool is_local;
};

/* Which list of its alias a target is of. */
enum target_list {
	TARGETS_USUAL,
	TARGETS_CONTEXT, /* for a prompt that is too long for those before */
	TARGETS_REFUSAL, /* for what they refused to answer */
};

struct key_rule;
struct target_rule;

struct target {
	struct span provider; /* its name in the configuration */
	struct span model;    /* as the provider calls it */
	struct span
		key; /* the label of the key that it is asked with; "": the one that has none, or the only one */
	enum target_list list;
	size_t entry; /* the how manieth line of its route it comes from: one line is as many targets as there are keys */
	size_t asked; /* by which name: 0 the model's, i the i-th fallback's that the request names */
	const struct target_rule
		*rule; /* what its line says, of config/route_rule.h; NULL: nothing */
	const struct key_rule *key_rule; /* and the key's; NULL: nothing */
	unsigned lacks,
		poor; /* bits of enum capability: what it is known not to have; and has by a makeshift, or perhaps not */
	struct span family; /* of the dialect: "openai-chat" */
	struct span base_url, path;
	struct span origin;                /* "https://host:port" */
	const struct http_header *headers; /* that go with every request */
	size_t n_headers;
	enum auth_scheme auth;
	struct span auth_header;     /* AUTH_HEADER: its name */
	struct span region, service; /* AUTH_SIGV4: for whom is signed */
	struct token_source token;
	struct span ca_file; /* absent: the system's */
	bool is_local;       /* private and loopback addresses are meant */
	bool is_offline;     /* answered in the process, costs nothing, needs no key */
	struct quirks quirks;
	struct span alias;       /* the section of the name it was asked by; absent: its own */
	struct price price;      /* of the usual tier and a prompt of any length */
	struct price price_said; /* what of it the configuration says, which holds for all */
	int64_t context_tokens, max_output_tokens; /* -1: not known */
	bool is_count_missing; /* its host was found to have no endpoint that counts tokens */
	bool is_bounded; /* its answers are bounded for somebody's money: no options of a caller's may lift that */
};

#endif
