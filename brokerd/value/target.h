/* target.h - where may a request go, and what is peculiar there?
 * Plain values made by route from the configuration and handed to dialect and transport. Spans are
 * borrowed from the configuration that made the target, which the exchange keeps alive. */
#ifndef BROKERD_VALUE_TARGET_H
#define BROKERD_VALUE_TARGET_H
#include "brokerd/value/http.h"

/* What a provider does otherwise than its family; set by name in its row or in the configuration. */
struct quirks {
	struct span max_tokens_field; /* "max_tokens" or "max_completion_tokens" */
	struct span system_role;      /* openai-chat: "system" or "developer" for developer text */
	bool has_stream_options;      /* takes stream_options.include_usage */
	bool is_reasoning_field_sent; /* history keeps reasoning_content */
	bool has_json_schema;         /* takes response_format json_schema */
	bool has_strict_tools;
	bool has_parallel_flag;
	bool has_seed, has_penalties, has_n;
	bool has_logit_bias; /* and logprobs */
	bool has_top_k;      /* and min_p, repetition_penalty */
	bool is_openai; /* openai-chat: OpenAI's own rules and members: reasoning models, custom
	                        and allowed tools, safety_identifier, prompt_cache_key, ... */
	bool has_file_parts;     /* openai-chat: takes `file` parts */
	struct span api_version; /* anthropic-version */
};

/* Prices in nano-dollars per million tokens; -1: not known. */
struct price {
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h, reasoning;
	int64_t audio_input, audio_output, image_input, image_output;
};
#define PRICE_UNKNOWN ((struct price){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1})

struct target {
	struct span provider; /* its name in the configuration */
	struct span model;    /* as the provider calls it */
	struct span family;   /* of the dialect: "openai-chat" */
	struct span base_url, path;
	struct span origin; /* "https://host:port" */
	enum auth_scheme auth;
	struct span auth_header; /* AUTH_HEADER: its name */
	struct span ca_file;     /* absent: the system's */
	bool is_local;           /* private and loopback addresses are meant */
	bool is_offline;         /* answered in the process, costs nothing, needs no key */
	struct quirks quirks;
	struct price price;
	int64_t context_tokens, max_output_tokens; /* -1: not known */
};

#endif
