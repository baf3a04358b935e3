/* test_host_errors.c - what each provider's errors mean: every row that is known of it. */
#include <stdio.h>

#include "brokerd/config/config.h"
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define CODE(c)      "{\"error\":{\"message\":\"m\",\"code\":\"" c "\"}}"
#define TYPE(t)      "{\"error\":{\"message\":\"m\",\"type\":\"" t "\"}}"
#define SAYS(m)      "{\"error\":{\"message\":\"" m "\"}}"
#define BOTH(c, m)   "{\"error\":{\"message\":\"" m "\",\"code\":\"" c "\"}}"
#define XAI(c, m)    "{\"code\":\"" c "\",\"error\":\"" m "\"}"
#define ROUTER(n, t) "{\"error\":{\"code\":" n ",\"message\":\"m\",\"metadata\":{" t "}}}"
#define KIND(t)      ROUTER("400", "\"error_type\":\"" t "\"")
#define DATE         "date: Wed, 25 Nov 2026 10:00:00 GMT\n"

/* clang-format off */
static const struct {
	const char *provider;
	int status;
	const char *headers, *body;
	enum err class;
	const char *code; /* NULL: any */
	int64_t retry_after_ms;
} cases[] = {
	/* OpenAI and Azure */
	{"openai", 400, "", CODE("context_length_exceeded"), ERR_CONTEXT_LENGTH, "context_length_exceeded", -1},
	{"openai", 400, "", CODE("content_filter"), ERR_CONTENT_FILTERED, "content_filter", -1},
	{"openai", 400, "", CODE("content_policy_violation"), ERR_CONTENT_FILTERED, NULL, -1},
	{"openai", 400, "", CODE("image_content_policy_violation"), ERR_CONTENT_FILTERED, NULL, -1},
	{"openai", 400, "", CODE("invalid_prompt"), ERR_CONTENT_FILTERED, NULL, -1},
	{"azure", 400, "", "{\"error\":{\"message\":\"m\",\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}}}", ERR_CONTENT_FILTERED, "content_filter", -1},
	{"openai", 400, "", CODE("model_not_found"), ERR_NOT_FOUND, NULL, -1},
	{"azure", 400, "", CODE("DeploymentNotFound"), ERR_NOT_FOUND, NULL, -1},
	{"openai", 400, "", CODE("billing_hard_limit_reached"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 400, "", "{\"error\":{\"message\":\"m\",\"code\":\"unsupported_parameter\",\"param\":\"top_p\"}}", ERR_INVALID_REQUEST, "unsupported_parameter", -1},
	{"openai", 400, "", CODE("unsupported_value"), ERR_INVALID_REQUEST, "unsupported_value", -1},
	{"openai", 400, "", CODE("unknown_parameter"), ERR_INVALID_REQUEST, "unknown_parameter", -1},
	{"openai", 401, "", CODE("invalid_api_key"), ERR_AUTH, NULL, -1},
	{"azure", 401, "", BOTH("401", "Access denied due to invalid subscription key"), ERR_AUTH, NULL, -1},
	{"openai", 403, "", CODE("unsupported_country_region_territory"), ERR_PERMISSION, NULL, -1},
	{"azure", 403, "", CODE("AuthenticationTypeDisabled"), ERR_PERMISSION, NULL, -1},
	{"azure", 403, "", SAYS("Access denied due to Virtual Network/Firewall rules."), ERR_PERMISSION, NULL, -1},
	{"openai", 404, "", CODE("model_not_found"), ERR_NOT_FOUND, "model_not_found", -1},
	{"azure", 404, "", CODE("DeploymentNotFound"), ERR_NOT_FOUND, "DeploymentNotFound", -1},
	{"azure", 404, "", BOTH("404", "Resource not found"), ERR_NOT_FOUND, "endpoint", -1},
	{"openai", 429, "", CODE("insufficient_quota"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 429, "", CODE("credit_balance_exhausted"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 429, "", CODE("organization_spend_limit_exceeded"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 429, "", CODE("project_spend_limit_exceeded"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 429, "", CODE("organization_usage_limit_exceeded"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 429, "", TYPE("insufficient_quota"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openai", 429, "", BOTH("rate_limit_exceeded", "Request too large for gpt-4o: Limit 30000, Requested 228450"), ERR_INVALID_REQUEST, "request_exceeds_rate_limit", -1},
	{"openai", 429, "", CODE("slow_down"), ERR_OVERLOADED, NULL, -1},
	{"azure", 429, "", SAYS("The system is currently experiencing high demand"), ERR_OVERLOADED, NULL, -1},
	{"azure", 429, "", BOTH("429", "Requests have exceeded the rate limit. Please retry after 26 seconds."), ERR_RATE_LIMITED, NULL, 26000},
	{"openai", 429, "", BOTH("rate_limit_exceeded", "Rate limit reached. Please try again in 1.2s."), ERR_RATE_LIMITED, NULL, 1200},
	{"openai", 429, "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 6m0s\n", CODE("rate_limit_exceeded"), ERR_RATE_LIMITED, NULL, 360000},
	{"openai", 429, "retry-after: 3\nretry-after-ms: 2500\n", CODE("rate_limit_exceeded"), ERR_RATE_LIMITED, NULL, 2500},
	{"openai", 500, "", "{}", ERR_SERVER_ERROR, NULL, -1},
	{"openai", 502, "", "{}", ERR_SERVER_ERROR, NULL, -1},
	{"openai", 504, "", "{}", ERR_TIMEOUT, NULL, -1},
	{"openai", 503, "", CODE("server_is_overloaded"), ERR_OVERLOADED, NULL, -1},

	{"groq", 400, "", "{\"error\":{\"message\":\"m\",\"code\":\"tool_use_failed\",\"failed_generation\":\"x\"}}", ERR_SERVER_ERROR, "invalid_tool_call", -1},
	{"groq", 400, "", CODE("json_validate_failed"), ERR_SERVER_ERROR, "json_validate_failed", -1},
	{"groq", 400, "", CODE("model_decommissioned"), ERR_NOT_FOUND, NULL, -1},
	{"groq", 400, "", CODE("organization_restricted"), ERR_PERMISSION, NULL, -1},
	{"groq", 400, "", CODE("context_length_exceeded"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"groq", 400, "", SAYS("Please reduce the length of the messages or completion."), ERR_CONTEXT_LENGTH, NULL, -1},
	{"groq", 413, "", BOTH("rate_limit_exceeded", "Request too large for model on tokens per minute (TPM)"), ERR_INVALID_REQUEST, "request_exceeds_rate_limit", -1},
	{"groq", 429, "retry-after: 7200\n", BOTH("rate_limit_exceeded", "Rate limit reached on tokens per day (TPD)"), ERR_QUOTA_EXHAUSTED, NULL, 7200000},
	{"groq", 429, "", BOTH("rate_limit_exceeded", "Rate limit reached on tokens per minute (TPM): Please try again in 7.66s."), ERR_RATE_LIMITED, NULL, 7660},
	{"groq", 498, "", CODE("capacity_exceeded"), ERR_OVERLOADED, NULL, -1},
	{"groq", 503, "", CODE("over_capacity"), ERR_OVERLOADED, NULL, -1},

	{"deepseek", 400, "", SAYS("This model's maximum context length is 65536 tokens."), ERR_CONTEXT_LENGTH, NULL, -1},
	{"deepseek", 422, "", SAYS("Invalid parameter"), ERR_INVALID_REQUEST, NULL, -1},
	{"deepseek", 401, "", SAYS("Authentication Fails"), ERR_AUTH, NULL, -1},
	{"deepseek", 402, "", SAYS("Insufficient Balance"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"deepseek", 429, "", SAYS("Rate limit reached"), ERR_RATE_LIMITED, NULL, 5000},
	{"deepseek", 500, "", "{}", ERR_SERVER_ERROR, NULL, -1},
	{"deepseek", 503, "", "{}", ERR_OVERLOADED, NULL, -1},

	{"xai", 400, "", XAI("Client specified an invalid argument", "Incorrect API key provided: xa***56."), ERR_AUTH, NULL, -1},
	{"xai", 400, "", XAI("Client specified an invalid argument", "Argument not supported: stop"), ERR_INVALID_REQUEST, NULL, -1},
	{"xai", 400, "", XAI("Client specified an invalid argument", "This model's maximum prompt length is 131072"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"xai", 403, "", XAI("permission-denied", "Your team used all available credits or reached its monthly spending limit."), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"xai", 429, "", XAI("Some resource has been exhausted", "Your team has either used all available credits or reached its monthly spending limit"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"xai", 403, "", XAI("permission-denied", "The caller does not have permission"), ERR_PERMISSION, NULL, -1},
	{"xai", 403, "", XAI("permission-denied", "Content violates usage guidelines."), ERR_CONTENT_FILTERED, NULL, -1},
	{"xai", 404, "", XAI("not-found", "The model x does not exist or your team does not have access to it."), ERR_NOT_FOUND, NULL, -1},
	{"xai", 429, "", XAI("Some resource has been exhausted", "Too many requests"), ERR_RATE_LIMITED, NULL, -1},
	{"xai", 422, "", "Failed to deserialize the JSON body into the target type", ERR_INVALID_REQUEST, NULL, -1},

	{"openrouter", 400, "", KIND("context_length_exceeded"), ERR_CONTEXT_LENGTH, "context_length_exceeded", -1},
	{"openrouter", 400, "", KIND("max_tokens_exceeded"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"openrouter", 400, "", KIND("token_limit_exceeded"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"openrouter", 400, "", KIND("string_too_long"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 401, "", KIND("authentication"), ERR_AUTH, NULL, -1},
	{"openrouter", 403, "", KIND("permission_denied"), ERR_PERMISSION, NULL, -1},
	{"openrouter", 402, "", KIND("payment_required"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openrouter", 429, "", KIND("rate_limit_exceeded"), ERR_RATE_LIMITED, NULL, -1},
	{"openrouter", 503, "", KIND("provider_overloaded"), ERR_OVERLOADED, NULL, -1},
	{"openrouter", 502, "", KIND("provider_unavailable"), ERR_OVERLOADED, NULL, -1},
	{"openrouter", 400, "", KIND("invalid_request"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 400, "", KIND("invalid_prompt"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 412, "", KIND("precondition_failed"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 413, "", KIND("payload_too_large"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 422, "", KIND("unprocessable"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 400, "", KIND("invalid_image"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 400, "", KIND("image_too_large"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 400, "", KIND("unsupported_image_format"), ERR_INVALID_REQUEST, NULL, -1},
	{"openrouter", 404, "", KIND("not_found"), ERR_NOT_FOUND, NULL, -1},
	{"openrouter", 403, "", KIND("content_policy_violation"), ERR_CONTENT_FILTERED, NULL, -1},
	{"openrouter", 400, "", KIND("refusal"), ERR_CONTENT_FILTERED, NULL, -1},
	{"openrouter", 500, "", KIND("server"), ERR_SERVER_ERROR, NULL, -1},
	{"openrouter", 500, "", KIND("unmapped"), ERR_SERVER_ERROR, NULL, -1},
	{"openrouter", 408, "", KIND("timeout"), ERR_TIMEOUT, NULL, -1},
	{"openrouter", 402, "retry-after: 2\n", ROUTER("402", "\"limit_source\":\"openrouter_in_flight_budget\""), ERR_RATE_LIMITED, NULL, 2000},
	{"openrouter", 402, "", ROUTER("402", "\"limit_source\":\"openrouter_in_flight_budget\""), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openrouter", 402, "", ROUTER("402", ""), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openrouter", 403, "", ROUTER("403", "\"reasons\":[\"violence\"],\"flagged_input\":\"x\""), ERR_CONTENT_FILTERED, NULL, -1},
	{"openrouter", 403, "", ROUTER("403", "\"reasons\":[\"violence\"]"), ERR_CONTENT_FILTERED, NULL, -1},
	{"openrouter", 403, "", ROUTER("403", ""), ERR_PERMISSION, NULL, -1},
	{"openrouter", 404, "", SAYS("No endpoints found matching your data policy"), ERR_NOT_FOUND, NULL, -1},
	{"openrouter", 408, "", ROUTER("408", ""), ERR_TIMEOUT, NULL, -1},
	{"openrouter", 502, "", ROUTER("502", ""), ERR_SERVER_ERROR, NULL, -1},
	{"openrouter", 503, "", ROUTER("503", ""), ERR_OVERLOADED, NULL, -1},
	{"openrouter", 429, "", SAYS("Rate limit exceeded: free-models-per-day"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"openrouter", 429, DATE, ROUTER("429", "\"headers\":{\"X-RateLimit-Limit\":\"50\",\"X-RateLimit-Remaining\":\"0\",\"X-RateLimit-Reset\":\"1795600807500\"}"), ERR_RATE_LIMITED, NULL, 7500},
	{"openrouter", 429, "", ROUTER("429", "\"headers\":{\"X-RateLimit-Remaining\":\"0\",\"X-RateLimit-Reset\":\"1795600807500\"}"), ERR_RATE_LIMITED, NULL, -1},
	{"openrouter", 429, DATE, ROUTER("429", "\"headers\":{\"X-RateLimit-Remaining\":\"7\",\"X-RateLimit-Reset\":\"1795600807500\"}"), ERR_RATE_LIMITED, NULL, -1},
	{"openrouter", 429, DATE "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795600807500\n", ROUTER("429", "\"raw\":\"upstream is busy\""), ERR_RATE_LIMITED, NULL, 7500},

	{"together", 400, "", SAYS("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097"), ERR_INVALID_REQUEST, NULL, -1},
	{"together", 400, "", SAYS("Input validation error: inputs tokens + max_new_tokens must be <= 4097"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"together", 401, "", "{}", ERR_AUTH, NULL, -1},
	{"together", 402, "", "{}", ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"together", 403, "", SAYS("token limit + max_tokens exceeds context"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"together", 403, "", "{}", ERR_PERMISSION, NULL, -1},
	{"together", 404, "", SAYS("Unable to access model x"), ERR_NOT_FOUND, NULL, -1},
	{"together", 429, "", TYPE("rate_limit"), ERR_RATE_LIMITED, NULL, -1},
	{"together", 429, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 12\n", SAYS("Dynamic rate limit"), ERR_RATE_LIMITED, NULL, 12000},
	{"together", 503, "", CODE("engine_overloaded"), ERR_OVERLOADED, NULL, -1},
	{"together", 500, "", "{}", ERR_SERVER_ERROR, NULL, -1},
	{"together", 502, "", "{}", ERR_SERVER_ERROR, NULL, -1},
	{"together", 504, "", "{}", ERR_TIMEOUT, NULL, -1},
	{"together", 524, "", "{}", ERR_TIMEOUT, NULL, -1},
	{"together", 529, "", "{}", ERR_OVERLOADED, NULL, -1},

	{"fireworks", 400, "", SAYS("The prompt is too long: 40000, model maximum context length: 32768"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"fireworks", 401, "", SAYS("unauthorized"), ERR_AUTH, NULL, -1},
	{"fireworks", 403, "", "{}", ERR_PERMISSION, NULL, -1},
	{"fireworks", 402, "", "{}", ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"fireworks", 404, "", SAYS("Model not found, inaccessible, and/or not deployed"), ERR_NOT_FOUND, NULL, -1},
	{"fireworks", 408, "", "{}", ERR_TIMEOUT, NULL, -1},
	{"fireworks", 504, "", "{}", ERR_TIMEOUT, NULL, -1},
	{"fireworks", 412, "", SAYS("account suspended: spending limit"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"fireworks", 429, "", "{\"fault\":{\"faultstring\":\"Rate limit quota violation\"}}", ERR_RATE_LIMITED, NULL, -1},
	{"fireworks", 425, "", SAYS("deployment scaling up"), ERR_OVERLOADED, NULL, 30000},
	{"fireworks", 503, "", CODE("DEPLOYMENT_SCALING_UP"), ERR_OVERLOADED, NULL, 30000},

	{"moonshot", 400, "", TYPE("content_filter"), ERR_CONTENT_FILTERED, NULL, -1},
	{"moonshot-cn", 400, "", SAYS("Invalid request: Your request exceeded model token limit: 8192"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"moonshot", 400, "", SAYS("Input token length too long"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"moonshot", 401, "", TYPE("invalid_authentication_error"), ERR_AUTH, NULL, -1},
	{"moonshot", 401, "", TYPE("incorrect_api_key_error"), ERR_AUTH, NULL, -1},
	{"moonshot", 403, "", TYPE("permission_denied_error"), ERR_PERMISSION, NULL, -1},
	{"moonshot", 403, "", SAYS("Your account has an insufficient balance"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"moonshot", 404, "", TYPE("resource_not_found_error"), ERR_NOT_FOUND, NULL, -1},
	{"moonshot", 429, "", TYPE("engine_overloaded_error"), ERR_OVERLOADED, NULL, -1},
	{"moonshot", 429, "", TYPE("exceeded_current_quota_error"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"moonshot", 429, "", "{\"error\":{\"type\":\"rate_limit_reached_error\",\"message\":\"max RPM: 3, please try again after 1 seconds\"}}", ERR_RATE_LIMITED, NULL, 1000},
	{"moonshot", 429, "", "{\"error\":{\"type\":\"rate_limit_reached_error\",\"message\":\"reached organization TPD\"}}", ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"moonshot", 500, "", TYPE("server_error"), ERR_SERVER_ERROR, NULL, -1},
	{"moonshot", 500, "", TYPE("unexpected_output"), ERR_SERVER_ERROR, NULL, -1},

	{"dashscope", 400, "", CODE("data_inspection_failed"), ERR_CONTENT_FILTERED, NULL, -1},
	{"dashscope-cn", 400, "", "{\"code\":\"DataInspectionFailed\",\"message\":\"m\",\"request_id\":\"r\"}", ERR_CONTENT_FILTERED, NULL, -1},
	{"dashscope", 400, "", BOTH("InvalidParameter", "Range of input length should be [1, 30720]"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"dashscope", 400, "", BOTH("invalid_parameter_error", "Range of input length should be [1, 30720]"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"dashscope", 400, "", CODE("Arrearage"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"dashscope", 400, "", BOTH("invalid_parameter_error", "parameter.enable_thinking only support stream call"), ERR_INVALID_REQUEST, "stream_required", -1},
	{"dashscope", 400, "", CODE("InvalidParameter"), ERR_INVALID_REQUEST, "InvalidParameter", -1},
	{"dashscope", 401, "", CODE("InvalidApiKey"), ERR_AUTH, NULL, -1},
	{"dashscope", 401, "", CODE("invalid_api_key"), ERR_AUTH, NULL, -1},
	{"dashscope", 403, "", CODE("AccessDenied"), ERR_PERMISSION, NULL, -1},
	{"dashscope", 403, "", CODE("access_denied"), ERR_PERMISSION, NULL, -1},
	{"dashscope", 403, "", CODE("Model.AccessDenied"), ERR_PERMISSION, NULL, -1},
	{"dashscope", 403, "", CODE("AccessDenied.Unpurchased"), ERR_PERMISSION, NULL, -1},
	{"dashscope", 403, "", CODE("AllocationQuota.FreeTierOnly"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"dashscope", 404, "", CODE("ModelNotFound"), ERR_NOT_FOUND, NULL, -1},
	{"dashscope", 404, "", CODE("model_not_found"), ERR_NOT_FOUND, NULL, -1},
	{"dashscope", 404, "", CODE("NotFound"), ERR_NOT_FOUND, NULL, -1},
	{"dashscope", 429, "", CODE("Throttling"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", CODE("Throttling.RateQuota"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", CODE("limit_requests"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", CODE("limit_burst_rate"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", CODE("LimitRequests"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", CODE("Throttling.AllocationQuota"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", CODE("insufficient_quota"), ERR_RATE_LIMITED, NULL, -1},
	{"dashscope", 429, "", BOTH("Throttling.AllocationQuota", "Free allocated quota exceeded."), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"dashscope", 500, "", CODE("InternalError.Algo"), ERR_SERVER_ERROR, NULL, -1},
	{"dashscope", 500, "", CODE("RequestTimeOut"), ERR_TIMEOUT, NULL, -1},
	{"dashscope", 503, "", CODE("ModelUnavailable"), ERR_OVERLOADED, NULL, -1},
	{"dashscope", 503, "", CODE("ModelServingError"), ERR_OVERLOADED, NULL, -1},

	{"zai", 401, "", CODE("1000"), ERR_AUTH, "1000", -1},
	{"zai", 401, "", CODE("1001"), ERR_AUTH, NULL, -1},
	{"zai", 401, "", CODE("1002"), ERR_AUTH, NULL, -1},
	{"zai", 401, "", CODE("1003"), ERR_AUTH, NULL, -1},
	{"zai-coding", 401, "", CODE("1004"), ERR_AUTH, NULL, -1},
	{"zai", 401, "", CODE("1110"), ERR_PERMISSION, NULL, -1},
	{"zai", 401, "", CODE("1111"), ERR_PERMISSION, NULL, -1},
	{"zai", 401, "", CODE("1112"), ERR_PERMISSION, NULL, -1},
	{"zai-cn", 429, "", CODE("1113"), ERR_QUOTA_EXHAUSTED, "1113", -1},
	{"zai", 400, "", CODE("1210"), ERR_INVALID_REQUEST, NULL, -1},
	{"zai", 400, "", CODE("1211"), ERR_NOT_FOUND, NULL, -1},
	{"zai", 400, "", CODE("1212"), ERR_INVALID_REQUEST, NULL, -1},
	{"zai", 400, "", CODE("1213"), ERR_INVALID_REQUEST, NULL, -1},
	{"zai", 400, "", CODE("1214"), ERR_INVALID_REQUEST, NULL, -1},
	{"zai", 400, "", CODE("1215"), ERR_INVALID_REQUEST, NULL, -1},
	{"zai", 400, "", CODE("1220"), ERR_PERMISSION, NULL, -1},
	{"zai", 400, "", CODE("1221"), ERR_NOT_FOUND, NULL, -1},
	{"zai", 400, "", CODE("1222"), ERR_NOT_FOUND, NULL, -1},
	{"zai", 500, "", CODE("1230"), ERR_SERVER_ERROR, NULL, -1},
	{"zai", 400, "", CODE("1231"), ERR_SERVER_ERROR, NULL, -1},
	{"zai", 400, "", CODE("1234"), ERR_SERVER_ERROR, NULL, -1},
	{"zai", 400, "", CODE("1261"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"zai", 400, "", CODE("1300"), ERR_CONTENT_FILTERED, NULL, -1},
	{"zai", 400, "", CODE("1301"), ERR_CONTENT_FILTERED, NULL, -1},
	{"zai", 429, "", CODE("1302"), ERR_RATE_LIMITED, NULL, -1},
	{"zai", 429, "", CODE("1303"), ERR_RATE_LIMITED, NULL, -1},
	{"zai", 429, "", CODE("1305"), ERR_OVERLOADED, NULL, -1},
	{"zai", 429, "", CODE("1304"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"zai", 429, "", CODE("1308"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"zai", 429, "", CODE("1309"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"zai", 429, "", CODE("1310"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"zai", 429, "", CODE("1311"), ERR_PERMISSION, NULL, -1},
	{"zai", 429, "", CODE("1313"), ERR_RATE_LIMITED, NULL, -1},
	{"zai", 434, "", "{}", ERR_PERMISSION, NULL, -1},
	{"zai", 435, "", "{}", ERR_INVALID_REQUEST, NULL, -1},

	{"perplexity", 400, "", SAYS("After the system message, user and assistant roles should be alternating"), ERR_INVALID_REQUEST, NULL, -1},
	{"perplexity", 401, "", "<html><head><title>401 Authorization Required</title></head></html>", ERR_AUTH, NULL, -1},
	{"perplexity", 401, "", TYPE("insufficient_quota"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"perplexity", 401, "", SAYS("You exceeded your current quota"), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"perplexity", 429, "", "{}", ERR_RATE_LIMITED, NULL, -1},
	{"perplexity", 524, "", "", ERR_TIMEOUT, NULL, -1},

	{"cerebras", 401, "", "{\"message\":\"Wrong API Key\",\"type\":\"invalid_request_error\",\"param\":\"api_key\",\"code\":\"wrong_api_key\"}", ERR_AUTH, "wrong_api_key", -1},
	{"cerebras", 404, "", CODE("model_not_found"), ERR_NOT_FOUND, NULL, -1},
	{"cerebras", 400, "", CODE("context_length_exceeded"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"cerebras", 402, "", "{}", ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"cerebras", 429, "", CODE("queue_exceeded"), ERR_OVERLOADED, NULL, -1},
	{"cerebras", 429, "", TYPE("too_many_requests_error"), ERR_RATE_LIMITED, NULL, -1},
	{"cerebras", 429, "x-ratelimit-remaining-tokens-minute: 0\nx-ratelimit-reset-tokens-minute: 41.5\n", CODE("token_quota_exceeded"), ERR_RATE_LIMITED, NULL, 41500},
	{"cerebras", 429, "x-ratelimit-remaining-requests-day: 0\nx-ratelimit-reset-requests-day: 3600\n", CODE("request_quota_exceeded"), ERR_QUOTA_EXHAUSTED, NULL, 3600000},
	{"cerebras", 408, "", "{}", ERR_TIMEOUT, NULL, -1},
	{"cerebras", 503, "", "{}", ERR_OVERLOADED, NULL, -1},

	{"nvidia", 401, "", "{\"status\":401,\"title\":\"Unauthorized\",\"detail\":\"Authorization failed\"}", ERR_AUTH, NULL, -1},
	{"nvidia", 403, "", "{\"status\":403,\"title\":\"Forbidden\",\"detail\":\"Authorization failed\"}", ERR_AUTH, NULL, -1},
	{"nvidia", 402, "", "{\"detail\":\"Cloud credits expired\"}", ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"nvidia", 404, "", "{\"detail\":\"Function 'x': Not found for account 'y'\"}", ERR_NOT_FOUND, NULL, -1},
	{"nvidia", 422, "", "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"extra fields not permitted\",\"type\":\"value_error\"}]}", ERR_INVALID_REQUEST, NULL, -1},
	{"nvidia", 429, "", "{}", ERR_RATE_LIMITED, NULL, -1},
	{"nvidia", 500, "", "{\"detail\":\"ResourceExhausted: Worker local total request limit reached\"}", ERR_OVERLOADED, NULL, -1},

	{"huggingface", 401, "", "{\"error\":\"Invalid username or password.\"}", ERR_AUTH, NULL, -1},
	{"huggingface", 402, "", "{\"error\":\"You have exceeded your monthly included credits\"}", ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"huggingface", 403, "", "{}", ERR_PERMISSION, NULL, -1},
	{"huggingface", 400, "", SAYS("The requested model 'x' is not supported by any provider you have enabled"), ERR_NOT_FOUND, NULL, -1},
	{"huggingface", 404, "", SAYS("The requested model 'x' is not supported by any provider you have enabled"), ERR_NOT_FOUND, NULL, -1},
	{"huggingface", 429, "", "{}", ERR_RATE_LIMITED, NULL, -1},
	{"huggingface", 503, "", "{\"error\":\"Model x is currently loading\",\"estimated_time\":20.5}", ERR_OVERLOADED, NULL, 20500},

	{"github", 401, "", "{}", ERR_AUTH, NULL, -1},
	{"github", 403, "", CODE("no_access"), ERR_PERMISSION, NULL, -1},
	{"github", 404, "", CODE("unknown_model"), ERR_NOT_FOUND, "unknown_model", -1},
	{"github", 413, "", CODE("tokens_limit_reached"), ERR_CONTEXT_LENGTH, NULL, -1},
	{"github", 429, "", BOTH("RateLimitReached", "Rate limit of 50 per 86400s exceeded for UserByModelByDay."), ERR_QUOTA_EXHAUSTED, NULL, -1},
	{"github-org", 429, "", BOTH("RateLimitReached", "Rate limit of 10 per 60s exceeded for UserByModelByMinute. Please wait 31 seconds before retrying."), ERR_RATE_LIMITED, NULL, 31000},
	{"github", 400, "", CODE("content_filter"), ERR_CONTENT_FILTERED, NULL, -1},

	{"llamacpp", 400, "", "{\"error\":{\"code\":400,\"message\":\"m\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":9,\"n_ctx\":8}}", ERR_CONTEXT_LENGTH, "exceed_context_size_error", -1},
	{"llamacpp", 400, "", TYPE("invalid_request_error"), ERR_INVALID_REQUEST, NULL, -1},
	{"llamacpp", 401, "", TYPE("authentication_error"), ERR_AUTH, NULL, -1},
	{"llamacpp", 404, "", TYPE("not_found_error"), ERR_NOT_FOUND, NULL, -1},
	{"llamacpp", 403, "", TYPE("permission_error"), ERR_PERMISSION, NULL, -1},
	{"llamacpp", 503, "", "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}", ERR_OVERLOADED, NULL, 2000},
	{"llamacpp", 501, "", TYPE("not_supported_error"), ERR_INVALID_REQUEST, NULL, -1},
	{"llamacpp", 500, "", TYPE("server_error"), ERR_SERVER_ERROR, NULL, -1},
	{"llamacpp", 500, "", "{\"error\":{\"code\":500,\"message\":\"Failed to parse input at pos 1\",\"type\":\"server_error\"}}", ERR_INVALID_REQUEST, NULL, -1},
	{"llamacpp", 500, "", "{\"error\":{\"code\":500,\"message\":\"Jinja Exception\",\"type\":\"server_error\"}}", ERR_INVALID_REQUEST, NULL, -1},

	{"vllm", 400, "", "{\"object\":\"error\",\"message\":\"This model's maximum context length is 8 tokens\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}", ERR_CONTEXT_LENGTH, NULL, -1},
	{"vllm", 400, "", "{\"error\":{\"message\":\"m\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}}", ERR_INVALID_REQUEST, NULL, -1},
	{"vllm", 401, "", "{\"error\":\"Unauthorized\"}", ERR_AUTH, NULL, -1},
	{"vllm", 404, "", TYPE("NotFoundError"), ERR_NOT_FOUND, NULL, -1},
	{"vllm", 429, "", "{}", ERR_OVERLOADED, NULL, -1},
	{"vllm", 503, "", "{}", ERR_OVERLOADED, NULL, -1},
	{"vllm", 500, "", TYPE("EngineDeadError"), ERR_SERVER_ERROR, NULL, 30000},
	{"vllm", 500, "", TYPE("InternalServerError"), ERR_SERVER_ERROR, NULL, -1},
	{"vllm", 501, "", "{}", ERR_INVALID_REQUEST, NULL, -1},

	{"lmstudio", 400, "", "{\"error\":\"The number of tokens to keep from the initial prompt is greater than the context length\"}", ERR_CONTEXT_LENGTH, NULL, -1},
	{"lmstudio", 404, "", "{\"error\":\"model not found\"}", ERR_NOT_FOUND, NULL, -1},
	{"lmstudio", 400, "", "{\"error\":\"Failed to load model x\"}", ERR_SERVER_ERROR, NULL, -1},
	{"lmstudio", 400, "", "{\"error\":\"Model unloaded.\"}", ERR_CONNECTION, NULL, -1},
	{"lmstudio", 500, "", "{\"error\":\"Client disconnected\"}", ERR_CONNECTION, NULL, -1},

	{"tgi", 422, "", "{\"error\":\"Input validation error: `inputs` must have less than 1024 tokens. Given: 1100\",\"error_type\":\"validation\"}", ERR_CONTEXT_LENGTH, NULL, -1},
	{"tgi", 429, "", "{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}", ERR_OVERLOADED, "overloaded", -1},
	{"tgi", 424, "", "{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}", ERR_SERVER_ERROR, NULL, -1},
	{"tgi", 500, "", "{\"error\":\"Incomplete generation\",\"error_type\":\"incomplete_generation\"}", ERR_SERVER_ERROR, NULL, -1},

	/* nobody in particular */
	{"stranger", 429, "retry-after: 5\n", "", ERR_RATE_LIMITED, NULL, 5000},
	{"stranger", 429, "", "{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"x\"},{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34.4s\"}]}}", ERR_RATE_LIMITED, NULL, 34400},
	{"stranger", 400, "", CODE("1113"), ERR_INVALID_REQUEST, "1113", -1},
};
/* clang-format on */

static void read_headers(const char *text, struct http_header *headers, struct http_head *head)
{
	struct span rest = span_str(text);
	head->headers = headers;
	head->n_headers = 0;
	while (rest.n > 0) {
		struct span value = span_cut(&rest, '\n');
		const struct span name = span_cut(&value, ':');
		headers[head->n_headers++] = (struct http_header){name, span_trim(value)};
	}
}

/* As a request to that provider would have it; some are no built-in ones. */
static void target_of(const struct config *c, const char *provider, struct target *out)
{
	struct fault why = FAULT_NONE;
	if (route_target(c, span_str(provider), SPAN("some"), out, &why) != OK)
		*out = (struct target){.provider = span_str(provider)};
}

static void test_cases(const struct config *c)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_header headers[8];
		struct http_reply reply = {.head = {.status = cases[i].status}};
		struct target target;
		struct fault f;
		read_headers(cases[i].headers, headers, &reply.head);
		reply.body = span_str(cases[i].body);
		target_of(c, cases[i].provider, &target);
		dialect_find(SPAN("openai-chat"))->explain(&reply, &target, &f);
		is_str(err_info(f.err)->word, err_info(cases[i].class)->word, "%s %d %s",
			cases[i].provider, cases[i].status, cases[i].body);
		is_int(f.retry_after_ms, cases[i].retry_after_ms, "its wait");
		if (cases[i].code)
			is_str(f.code, cases[i].code, "its code");
	}
}

/* Inside a reply of status 200 or a stream. */
static const struct {
	const char *host, *body;
	enum err class;
	int http_status;
} insides[] = {
	{"openrouter", "{\"error\":{\"code\":402,\"message\":\"Insufficient credits\"}}",
         ERR_QUOTA_EXHAUSTED,											    402},
	{"openrouter",
         "{\"error\":{\"code\":502,\"message\":\"m\",\"metadata\":{\"error_type\":"
		"\"provider_overloaded\"}}}",						       ERR_OVERLOADED,      502},
	{"zai",        "{\"error\":{\"code\":\"1302\",\"message\":\"m\"}}",                         ERR_RATE_LIMITED,    500},
	{"minimax",
         "{\"base_resp\":{\"status_code\":1008,\"status_msg\":\"insufficient balance\"}}",          ERR_QUOTA_EXHAUSTED, 500},
	{"groq",
         "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"code\":\"tool_"
		"use_failed\"}}",								   ERR_SERVER_ERROR,    400},
	{"",           "{\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\"}}",
         ERR_OVERLOADED,												 529},
	{"vllm",       "{\"error\":{\"message\":\"m\",\"type\":\"BadRequestError\",\"code\":400}}",
         ERR_INVALID_REQUEST,											    400},
};

static void test_insides(void)
{
	static const struct error_rule none[] = {{.class = OK}};
	for (size_t i = 0; i < COUNT_OF(insides); i++) {
		struct error_body body;
		struct fault f;
		error_read(span_str(insides[i].body), &body);
		is_err(error_inside_of(span_str(insides[i].host), &body, none, &f),
			insides[i].class, "inside: %s %s", insides[i].host, insides[i].body);
		is_int(f.http_status, insides[i].http_status, "as if of status");
	}
}

static void test_advice(const struct config *c)
{
	static const struct {
		const char *provider, *headers, *body;
		enum retry_advice want;
	} advices[] = {
		{"openai",   "x-should-retry: true\n",  "{}",                                   RETRY_ADVISED  },
		{"openai",   "x-should-retry: false\n", "{}",                                   RETRY_FORBIDDEN},
		{"openai",   "",                        "{}",                                   RETRY_UNSAID   },
		{"lmstudio", "",                        "{\"error\":\"Failed to load model\"}", RETRY_FORBIDDEN},
	};
	for (size_t i = 0; i < COUNT_OF(advices); i++) {
		struct http_header headers[8];
		struct http_reply reply = {.head = {.status = 400}};
		struct target target;
		struct fault f;
		read_headers(advices[i].headers, headers, &reply.head);
		reply.body = span_str(advices[i].body);
		target_of(c, advices[i].provider, &target);
		dialect_find(SPAN("openai-chat"))->explain(&reply, &target, &f);
		is_int(f.advice, advices[i].want, "%s %s", advices[i].provider, advices[i].headers);
	}
}

int main(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(SPAN("[provider \"azure\"]\nresource = x\n"
					     "[provider \"github-org\"]\naccount = x\n"),
		"f", &why);
	if (!c)
		bail("%s", why.message);
	test_cases(c);
	test_insides();
	test_advice(c);
	config_unref(c);
	return tap_done();
}
