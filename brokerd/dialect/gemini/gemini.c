/* gemini.c - generateContent, as AI Studio and Vertex AI speak it. */
#include "brokerd/dialect/gemini/gemini.h"

#include "brokerd/dialect/models.h"
#include "brokerd/dialect/registry.h"

/* Ids without their folder. */
static enum err decode_models(
	struct span body, struct arena *a, struct span **ids, size_t *n, struct fault *why)
{
	const enum err err = models_decode(body, a, ids, n, why);
	for (size_t i = 0; !err && i < *n; i++) {
		if (span_starts((*ids)[i], SPAN("models/")))
			(*ids)[i] = span_skip((*ids)[i], strlen("models/"));
	}
	return err;
}

static const struct dialect_op chat = {
	.encode_request = gemini_encode_request,
	.decoder_new = gemini_decoder_new,
	.decode = gemini_decode,
	.decode_end = gemini_decode_end,
	.decoder_done = gemini_decoder_done,
	.decode_request = gemini_decode_request,
};

const struct dialect dialect_gemini = {
	.family = GEMINI_FAMILY,
	.path = "/v1beta/models/{model}:{method}",
	.ops = {[LLM_OP_CHAT] = &chat},
	.explain = gemini_explain,
	.models_path = "/v1beta/models?pageSize=1000",
	.decode_models = decode_models,
};
