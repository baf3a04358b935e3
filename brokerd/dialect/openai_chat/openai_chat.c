/* openai_chat.c - Chat Completions, as OpenAI and most other hosts speak it. */
#include "brokerd/dialect/openai_chat/openai_chat.h"

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/models.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/verdicts.h"
#include "brokerd/dialect/whole.h"

const struct error_rule openai_chat_errors[] = {
	{400,			       "context_length_exceeded", NULL, NULL, ERR_CONTEXT_LENGTH, NULL},
	{400,			     "content_filter", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400,	       "content_policy_violation", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400,				 "image_content_policy_violation", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400,"invalid_prompt", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{400,			     "ResponsibleAIPolicyViolation", NULL, NULL, ERR_CONTENT_FILTERED, "content_filter"},
	{400,			     "model_not_found", NULL, NULL, ERR_NOT_FOUND, NULL},
	{400,			       "DeploymentNotFound", NULL, NULL, ERR_NOT_FOUND, NULL},
	{400,			     "billing_hard_limit_reached", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{400,             "unsupported_parameter", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400,				 "unsupported_value", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{400,"unknown_parameter", NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{401,			     NULL, NULL, NULL, ERR_AUTH, NULL},
	{403,			     "unsupported_country_region_territory", NULL, NULL, ERR_PERMISSION, NULL},
	{403,			       "AuthenticationTypeDisabled", NULL, NULL, ERR_PERMISSION, NULL},
	{403,			     "PublicNetworkAccessDisabled", NULL, NULL, ERR_PERMISSION, NULL},
	{404,             "model_not_found", NULL, NULL, ERR_NOT_FOUND, NULL},
	{404,				 "DeploymentNotFound", NULL, NULL, ERR_NOT_FOUND, NULL},
	{404,"404", NULL, "resource not found", ERR_NOT_FOUND, "endpoint"},
	{429,			     "insufficient_quota", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,		 "credit_balance_exhausted", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,			       "organization_spend_limit_exceeded", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,			     "project_spend_limit_exceeded", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,		    "organization_usage_limit_exceeded", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,				 "billing_hard_limit_reached", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,NULL, "insufficient_quota", NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429,			     NULL, NULL, "request too large", ERR_INVALID_REQUEST, "request_exceeds_rate_limit"},
	{429,			     "slow_down", NULL, NULL, ERR_OVERLOADED, NULL},
	{429,			       NULL, NULL, "experiencing high demand", ERR_OVERLOADED, NULL},
	{429,			     "rate_limit_exceeded", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{429,	      "RateLimitReached", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{503,				 NULL, NULL, NULL, ERR_OVERLOADED, NULL},
 /* inside a stream, where the status is only what the code stands for */
	{0,"context_length_exceeded", NULL, NULL, ERR_CONTEXT_LENGTH, NULL},
	{0,			     "insufficient_quota", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{0,			     "rate_limit_exceeded", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{0,			       "server_is_overloaded", NULL, NULL, ERR_OVERLOADED, NULL},
	{0,			     "content_filter", NULL, NULL, ERR_CONTENT_FILTERED, NULL},
	{.class = OK             },
};

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	error_explain(reply, target, openai_chat_errors, out);
}

static const struct dialect_op chat = {
	.encode_request = openai_chat_encode_request,
	.decoder_new = openai_chat_decoder_new,
	.decode = openai_chat_decode,
	.decode_end = openai_chat_decode_end,
	.decoder_done = openai_chat_decoder_done,
	.decode_request = openai_chat_decode_request,
};

static const struct dialect_op embed = {
	.encode_request = openai_chat_encode_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
};

static const struct dialect_op rerank = {
	.encode_request = openai_chat_encode_rerank,
	.decoder_new = ranking_decoder_new,
	WHOLE_REPLY,
};

static const struct dialect_op moderate = {
	.encode_request = openai_chat_encode_moderate,
	.decoder_new = verdicts_decoder_new,
	WHOLE_REPLY,
};

const struct dialect dialect_openai_chat = {
	.family = OPENAI_CHAT_FAMILY,
	.path = "/chat/completions",
	.ops = {[LLM_OP_CHAT] = &chat,
		[LLM_OP_EMBED] = &embed,
		[LLM_OP_RERANK] = &rerank,
		[LLM_OP_MODERATE] = &moderate},
	.explain = explain,
	.models_path = "/models",
	.decode_models = models_decode,
};
