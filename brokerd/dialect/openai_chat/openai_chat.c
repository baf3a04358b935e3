/* openai_chat.c - Chat Completions, as OpenAI and most other hosts speak it. */
#include "brokerd/dialect/openai_chat/openai_chat.h"

#include "brokerd/dialect/models.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/registry.h"

static const struct dialect_op chat = {
	.encode_request = openai_chat_encode_request,
	.decoder_new = openai_chat_decoder_new,
	.decode = openai_chat_decode,
	.decode_end = openai_chat_decode_end,
	.decoder_done = openai_chat_decoder_done,
	.decode_request = openai_chat_decode_request,
};

const struct dialect dialect_openai_chat = {
	.family = OPENAI_CHAT_FAMILY,
	.path = "/chat/completions",
	.ops = {[LLM_OP_CHAT] = &chat},
	.explain = openai_explain,
	.models_path = "/models",
	.decode_models = models_decode,
};
