/* openai_chat.c - Chat Completions, as OpenAI and most other hosts speak it. */
#include "brokerd/dialect/openai_chat/openai_chat.h"

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/openai_forward.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/verdicts.h"
#include "brokerd/dialect/whole.h"
#include "brokerd/dialect/whole_write.h"

static const struct dialect_op chat = {
	.encode_request = openai_chat_encode_request,
	.decoder_new = openai_chat_decoder_new,
	.decode = openai_chat_decode,
	.decode_end = openai_chat_decode_end,
	.decoder_done = openai_chat_decoder_done,
	.forward = openai_forward_chat,
	.decode_request = openai_chat_decode_request,
	.encoder_new = openai_chat_encoder_new,
	.encode = openai_chat_encode,
	.encoder_done = openai_chat_encoder_done,
};

static const struct dialect_op embed = {
	.encode_request = openai_chat_encode_embed,
	.forward = openai_forward_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
	.decode_request = openai_chat_decode_embed,
	.encoder_new = openai_chat_embed_encoder_new,
	WHOLE_ANSWER,
};

static const struct dialect_op rerank = {
	.encode_request = openai_chat_encode_rerank,
	.decoder_new = ranking_decoder_new,
	WHOLE_REPLY,
	.decode_request = openai_chat_decode_rerank,
	.encoder_new = openai_chat_rerank_encoder_new,
	WHOLE_ANSWER,
};

static const struct dialect_op moderate = {
	.encode_request = openai_chat_encode_moderate,
	.decoder_new = verdicts_decoder_new,
	WHOLE_REPLY,
	.decode_request = openai_chat_decode_moderate,
	.encoder_new = openai_chat_moderate_encoder_new,
	WHOLE_ANSWER,
};

const struct dialect dialect_openai_chat = {
	.family = OPENAI_CHAT_FAMILY,
	.path = "/chat/completions",
	.ops = {[LLM_OP_CHAT] = &chat,
		[LLM_OP_EMBED] = &embed,
		[LLM_OP_RERANK] = &rerank,
		[LLM_OP_MODERATE] = &moderate},
	.explain = openai_explain,
	.phrase = envelope_openai,
	.phrase_event = envelope_openai_event,
	.models_path = "/models",
};
