/* gemini.c - generateContent, as AI Studio and Vertex AI speak it. */
#include "brokerd/dialect/gemini/gemini.h"

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/models.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/whole.h"
#include "brokerd/dialect/whole_write.h"

static const struct dialect_op chat = {
	.encode_request = gemini_encode_request,
	.decoder_new = gemini_decoder_new,
	.decode = gemini_decode,
	.decode_end = gemini_decode_end,
	.decoder_done = gemini_decoder_done,
	.forward = gemini_forward,
	.decode_request = gemini_decode_request,
	.encoder_new = gemini_encoder_new,
	.encode = gemini_encode,
	.encoder_done = gemini_encoder_done,
};

static const struct dialect_op embed = {
	.encode_request = gemini_encode_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
	.decode_request = gemini_decode_embed,
	.encoder_new = gemini_embed_encoder_new,
	WHOLE_ANSWER,
};

static const struct dialect_op count = {
	.encode_request = gemini_encode_count,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
	.decode_request = gemini_decode_count,
	.encoder_new = gemini_count_encoder_new,
	WHOLE_ANSWER,
};

static const struct dialect_op models = {
	.encode_request = models_encode_request,
	.decoder_new = models_decoder_new,
	WHOLE_REPLY,
	.decode_request = models_decode_request,
	.encoder_new = gemini_models_encoder_new,
	WHOLE_ANSWER,
};

const struct dialect dialect_gemini = {
	.family = GEMINI_FAMILY,
	.path = "/v1beta/models/{model}:{method}",
	.ops = {[LLM_OP_CHAT] = &chat,
		[LLM_OP_EMBED] = &embed,
		[LLM_OP_COUNT] = &count,
		[LLM_OP_MODELS] = &models},
	.explain = gemini_explain,
	.phrase = envelope_gemini,
	.phrase_event = envelope_gemini_event,
	.models_path = "/v1beta/models?pageSize=1000",
	.models_page = "pageToken",
};
