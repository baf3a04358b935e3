/* gemini.c - generateContent, as AI Studio and Vertex AI speak it. */
#include "brokerd/dialect/gemini/gemini.h"

#include "brokerd/dialect/registry.h"

static const struct dialect_op chat = {
	.decoder_new = gemini_decoder_new,
	.decode = gemini_decode,
	.decode_end = gemini_decode_end,
	.decoder_done = gemini_decoder_done,
};

const struct dialect dialect_gemini = {
	.family = GEMINI_FAMILY,
	.path = "/v1beta/models/{model}:{method}",
	.ops = {[LLM_OP_CHAT] = &chat},
	.explain = gemini_explain,
};
