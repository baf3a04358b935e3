/* mistral.c - Mistral's chat, as its own host and those of its models speak it. */
#include "brokerd/dialect/mistral/mistral.h"

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/verdicts.h"
#include "brokerd/dialect/whole.h"

/* clang-format off */
const struct error_rule mistral_errors[] = {
	{0, "3505", NULL, NULL, ERR_OVERLOADED, NULL},
	{0, NULL, "service_tier_capacity_exceeded", NULL, ERR_OVERLOADED, NULL},
	{0, NULL, NULL, "service tier capacity exceeded", ERR_OVERLOADED, NULL},
	{0, "3051", NULL, NULL, ERR_CONTEXT_LENGTH, NULL},
	{0, NULL, NULL, "too large for model with", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL, "prompt contains", ERR_CONTEXT_LENGTH, NULL},
	{0, "1500", NULL, NULL, ERR_NOT_FOUND, NULL},
	{400, NULL, NULL, "invalid model", ERR_NOT_FOUND, NULL},
	{401, NULL, NULL, NULL, ERR_AUTH, NULL},
	{402, NULL, NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, "monthly", ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, "usage limit", ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, NULL, ERR_RATE_LIMITED, NULL},
	{0, "1300", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{0, NULL, "rate_limited", NULL, ERR_RATE_LIMITED, NULL},
	{422, NULL, NULL, NULL, ERR_INVALID_REQUEST, NULL},
	{.class = OK},
};
/* clang-format on */

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	error_explain(reply, target, mistral_errors, out);
}

static struct decoder *decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	static const struct openai_chat_kin kin = {MISTRAL_FAMILY, mistral_errors, true};
	return openai_chat_decoder_new_for(&kin, a, notes, env, head);
}

static const struct dialect_op chat = {
	.encode_request = mistral_encode_request,
	.decoder_new = decoder_new,
	.decode = openai_chat_decode,
	.decode_end = openai_chat_decode_end,
	.decoder_done = openai_chat_decoder_done,
	.decode_request = mistral_decode_request,
};

static const struct dialect_op embed = {
	.encode_request = openai_chat_encode_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
};

static const struct dialect_op moderate = {
	.encode_request = openai_chat_encode_moderate,
	.decoder_new = verdicts_decoder_new,
	WHOLE_REPLY,
};

const struct dialect dialect_mistral = {
	.family = MISTRAL_FAMILY,
	.path = "/chat/completions",
	.ops = {[LLM_OP_CHAT] = &chat, [LLM_OP_EMBED] = &embed, [LLM_OP_MODERATE] = &moderate},
	.explain = explain,
	.models_path = "/models",
};
