/* cohere.c - Cohere's API, version 2. */
#include "brokerd/dialect/cohere/cohere.h"

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/whole.h"

/* clang-format off */
const struct error_rule cohere_errors[] = {
	{0, NULL, "TOO_MANY_TOKENS", NULL, ERR_CONTEXT_LENGTH, NULL},
	{0, NULL, NULL, "too many tokens", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL, "exceeds the maximum", ERR_CONTEXT_LENGTH, NULL},
	{401, NULL, NULL, NULL, ERR_AUTH, NULL},
	{402, NULL, NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{403, NULL, NULL, NULL, ERR_PERMISSION, NULL},
	{404, NULL, NULL, NULL, ERR_NOT_FOUND, NULL},
	{422, NULL, NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{429, NULL, NULL, "monthly", ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, "1000 api calls", ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, NULL, ERR_RATE_LIMITED, NULL},
	{498, NULL, NULL, "blocked", ERR_CONTENT_FILTERED, NULL},
	{498, NULL, NULL, "policy", ERR_CONTENT_FILTERED, NULL},
	{498, NULL, NULL, NULL, ERR_AUTH, NULL},
	{499, NULL, NULL, NULL, ERR_CONNECTION, NULL},
	{503, NULL, NULL, NULL, ERR_OVERLOADED, NULL},
	{.class = OK},
};
/* clang-format on */

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	error_explain(reply, target, cohere_errors, out);
}

static const struct dialect_op chat = {
	.encode_request = cohere_encode_request,
	.decoder_new = cohere_decoder_new,
	.decode = cohere_decode,
	.decode_end = cohere_decode_end,
	.decoder_done = cohere_decoder_done,
	.decode_request = cohere_decode_request,
};

static const struct dialect_op embed = {
	.encode_request = cohere_encode_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
};

static const struct dialect_op rerank = {
	.encode_request = openai_chat_encode_rerank,
	.decoder_new = ranking_decoder_new,
	WHOLE_REPLY,
};

const struct dialect dialect_cohere = {
	.family = COHERE_FAMILY,
	.path = "/chat",
	.ops = {[LLM_OP_CHAT] = &chat, [LLM_OP_EMBED] = &embed, [LLM_OP_RERANK] = &rerank},
	.explain = explain,
	.models_path = "../v1/models?page_size=1000", /* of the version before */
	.models_page = "page_token",
};
