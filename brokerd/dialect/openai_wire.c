/* openai_wire.c - three tables, as observed in mid 2026. */
#include "brokerd/dialect/openai_wire.h"

#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/usage.h"
#include "protocol/base/num.h"

/* clang-format off */
const struct error_rule openai_errors[] = {
	{400, "context_length_exceeded", NULL, NULL, ERR_CONTEXT_LENGTH, NULL},
	{400, "content_filter", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400, "content_policy_violation", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400, "image_content_policy_violation", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400, "invalid_prompt", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400, "ResponsibleAIPolicyViolation", NULL, NULL, ERR_CONTENT_FILTERED, "content_filter"},
	{400, "model_not_found", NULL, NULL, ERR_NOT_FOUND, NULL},
	{400, "DeploymentNotFound", NULL, NULL, ERR_NOT_FOUND, NULL},
	{400, "billing_hard_limit_reached", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{400, "unsupported_parameter", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "unsupported_value", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "unknown_parameter", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	/* what the caller wrote may be in the sentence: no words of it decide */
	{400, "cyber_policy_violation", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{0, "invalid_api_key", NULL, NULL, ERR_AUTH, NULL},
	{400, "invalid_value", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "invalid_type", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "missing_required_parameter", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "invalid_json_schema", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "invalid_function_parameters", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "invalid_base64", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "string_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "array_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "object_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "integer_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400, "decimal_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{401, NULL, NULL, NULL, ERR_AUTH, NULL},
	{403, "unsupported_country_region_territory", NULL, NULL, ERR_PERMISSION, NULL},
	{403, "AuthenticationTypeDisabled", NULL, NULL, ERR_PERMISSION, NULL},
	{403, "PublicNetworkAccessDisabled", NULL, NULL, ERR_PERMISSION, NULL},
	{404, "model_not_found", NULL, NULL, ERR_NOT_FOUND, NULL},
	{404, "DeploymentNotFound", NULL, NULL, ERR_NOT_FOUND, NULL},
	{404, "404", NULL, "resource not found", ERR_NOT_FOUND, "endpoint"},
	{413, NULL, NULL, NULL, ERR_INVALID_REQUEST, "request_too_large"},
	{429, "insufficient_quota", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, "credit_balance_exhausted", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, "organization_spend_limit_exceeded", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, "project_spend_limit_exceeded", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, "organization_usage_limit_exceeded", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, "billing_hard_limit_reached", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, "insufficient_quota", NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, "request too large", ERR_INVALID_REQUEST, "request_exceeds_rate_limit"},
	{429, "slow_down", NULL, NULL, ERR_OVERLOADED, NULL},
	{429, NULL, NULL, "experiencing high demand", ERR_OVERLOADED, NULL},
	{429, "rate_limit_exceeded", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{429, "RateLimitReached", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{503, NULL, NULL, NULL, ERR_OVERLOADED, NULL},
	/* inside a stream, where the status is only what the code stands for */
	{0, "context_length_exceeded", NULL, NULL, ERR_CONTEXT_LENGTH, NULL},
	{0, "insufficient_quota", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{0, NULL, NULL, "request too large", ERR_INVALID_REQUEST, "request_exceeds_rate_limit"},
	{0, "rate_limit_exceeded", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{0, "server_is_overloaded", NULL, NULL, ERR_OVERLOADED, NULL},
	{0, "content_filter", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{0, "server_error", NULL, NULL, ERR_SERVER_ERROR, NULL},
	{0, "vector_store_timeout", NULL, NULL, ERR_SERVER_ERROR, NULL},
	{0, "invalid_prompt", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{0, "bio_policy", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{0, "image_content_policy_violation", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{0, "data_residency_mismatch", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "invalid_image", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "invalid_image_format", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "invalid_base64_image", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "invalid_image_url", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "invalid_image_mode", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "image_too_large", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "image_too_small", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "image_parse_error", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "image_file_too_large", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "unsupported_image_media_type", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "empty_image_file", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "failed_to_download_image", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{0, "image_file_not_found", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{500, "invalid_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{500, "image_*", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{.class = OK},
};
/* clang-format on */

void openai_explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	error_explain(reply, target, openai_errors, out);
}

/* Mistral counts audio beside the prompt, and Google's host reasoning beside the completion without a
 * figure of its own: what the two leave out of the total is charged for like the rest. */
static void take_rest(struct llm_usage *u, struct llm_usage *billed, int64_t audio, int64_t rest)
{
	if (audio > 0 && audio == rest) {
		u->input = num_add_sat(u->input, u->audio_input);
		u->audio_input = -1;
		billed->input = u->input;
		billed->audio_input = audio;
	} else if (billed->reasoning < 0) {
		billed->reasoning = rest;
	}
}

/* The first of two that is an object. */
static struct json object_of(struct json first, struct json second)
{
	return json_kind(first) == JSON_OBJECT ? first : second;
}

/* The first of two that is a count. */
static bool count_of(struct json first, struct json second, int64_t *out)
{
	return usage_count(first, out) || usage_count(second, out);
}

/* Of the prompt. */
static struct json input_details(struct json in, struct llm_usage *out)
{
	enum { CACHED, WRITTEN, AUDIO, IMAGE };
	static const char *const names[] = {
		"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"};
	struct json m[COUNT_OF(names)];
	PICK(in, names, m);
	usage_count(m[WRITTEN], &out->cache_write);
	usage_count(m[AUDIO], &out->audio_input);
	usage_count(m[IMAGE], &out->image_input);
	return m[CACHED];
}

/* Of the completion. */
static struct json output_details(struct json of, struct llm_usage *out)
{
	enum { REASONING, AUDIO, IMAGE };
	static const char *const names[] = {"reasoning_tokens", "audio_tokens", "image_tokens"};
	struct json m[COUNT_OF(names)];
	PICK(of, names, m);
	usage_count(m[AUDIO], &out->audio_output);
	usage_count(m[IMAGE], &out->image_output);
	return m[REASONING];
}

/* Hosts differ in where they put the cached tokens; what the prompt and the completion include is
 * told by their total. */
const char *openai_usage(
	struct json u, int64_t cached, struct llm_usage *out, struct llm_usage *billed)
{
	enum {
		PROMPT,
		INPUT,
		COMPLETION,
		OUTPUT,
		TOTAL,
		IN,
		IN_OTHER,
		IN_THIRD,
		OF,
		OF_OTHER,
		HIT,
		CACHED,
		CACHED_OTHER,
		REASONING
	};
	static const char *const names[] = {"prompt_tokens", "input_tokens", "completion_tokens",
		"output_tokens", "total_tokens", "prompt_tokens_details", "input_tokens_details",
		"prompt_token_details", "completion_tokens_details", "output_tokens_details",
		"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens",
		"reasoning_tokens"};
	struct json m[COUNT_OF(names)];
	int64_t input = -1, output = -1, total = -1;
	*out = USAGE_UNKNOWN;
	PICK(u, names, m);
	count_of(m[PROMPT], m[INPUT], &input);
	count_of(m[COMPLETION], m[OUTPUT], &output);
	usage_count(m[TOTAL], &total);
	const struct json in = object_of(object_of(m[IN], m[IN_OTHER]), m[IN_THIRD]);
	const struct json of = object_of(m[OF], m[OF_OTHER]);
	const struct json read = input_details(in, out);
	if (!count_of(read, m[HIT], &out->cache_read) &&
		!count_of(m[CACHED], m[CACHED_OTHER], &out->cache_read))
		out->cache_read = cached;
	count_of(output_details(of, out), m[REASONING], &out->reasoning);
	if (out->reasoning > 0 && output >= 0 && input >= 0 &&
		total == input + output + out->reasoning)
		output += out->reasoning; /* xAI counts it beside the completion */
	out->provider_cost_nusd = usage_cost(u, num_add_sat(input, output));
	const int64_t audio = out->audio_input;
	const bool fits = usage_split(out, input, output);
	*billed = *out;
	if (input >= 0 && output >= 0 && total > num_add_sat(input, output))
		take_rest(out, billed, audio, total - input - output);
	/* audio that is counted beside the prompt is no part of it */
	if (!fits && (audio <= 0 || billed->audio_input != audio))
		return USAGE_UNFIT;
	if (usage_has_negative(u) || usage_has_negative(in) || usage_has_negative(of))
		return USAGE_NEGATIVE;
	return NULL;
}

static const struct {
	const char *word; /* without case */
	enum finish finish;
	enum err err; /* an ending that is none */
} finishes[] = {
	{"stop",			  FINISH_STOP,           OK              },
	{"length",			FINISH_LENGTH,         OK              },
	{"tool_calls",                    FINISH_TOOL_CALLS,     OK              },
	{"content_filter",                FINISH_CONTENT_FILTER, OK              },
	{"function_call",                 FINISH_TOOL_CALLS,     OK              },
	{"tool_use",		      FINISH_TOOL_CALLS,     OK              },
	{"eos",			   FINISH_STOP,           OK              },
	{"eos_token",                     FINISH_STOP,           OK              },
	{"end_turn",		      FINISH_STOP,           OK              },
	{"stop_sequence",                 FINISH_STOP,           OK              },
	{"complete",		      FINISH_STOP,           OK              },
	{"completed",                     FINISH_STOP,           OK              },
	{"max_tokens",                    FINISH_LENGTH,         OK              },
	{"model_length",                  FINISH_LENGTH,         OK              },
	{"max_output_tokens",             FINISH_LENGTH,         OK              },
	{"model_context_window_exceeded", FINISH_LENGTH,         OK              },
	{"content_filtered",              FINISH_CONTENT_FILTER, OK              },
	{"sensitive",                     FINISH_CONTENT_FILTER, OK              },
	{"safety",			FINISH_CONTENT_FILTER, OK              },
	{"recitation",                    FINISH_CONTENT_FILTER, OK              },
	{"blocked",		       FINISH_CONTENT_FILTER, OK              },
	{"refusal",		       FINISH_CONTENT_FILTER, OK              },
	{"error",			 FINISH_OTHER,          ERR_SERVER_ERROR},
	{"network_error",                 FINISH_OTHER,          ERR_SERVER_ERROR},
	{"abort",			 FINISH_OTHER,          ERR_SERVER_ERROR},
	{"insufficient_system_resource",  FINISH_OTHER,          ERR_OVERLOADED  },
	{"timeout",		       FINISH_OTHER,          ERR_TIMEOUT     },
};

enum err openai_finish(struct span word, enum finish *out, struct fault *why)
{
	*out = FINISH_OTHER;
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (!span_is_nocase(word, finishes[i].word))
			continue;
		*out = finishes[i].finish;
		if (!finishes[i].err)
			return OK;
		(void)fault_set(why, finishes[i].err, "the provider ended its answer with \"%s\"",
			finishes[i].word);
		fault_text(why->code, sizeof why->code, word);
		return finishes[i].err;
	}
	return OK;
}
