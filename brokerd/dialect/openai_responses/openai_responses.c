/* openai_responses.c - the Responses API, as OpenAI and the hosts that follow it speak it. */
#include "brokerd/dialect/openai_responses/openai_responses.h"

#include "brokerd/dialect/models.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/registry.h"

static const struct dialect_op chat = {
	.encode_request = responses_encode_request,
	.decoder_new = responses_decoder_new,
	.decode = responses_decode,
	.has_enough = responses_has_enough,
	.decode_end = responses_decode_end,
	.decoder_done = responses_decoder_done,
	.decode_request = responses_decode_request,
};

const struct dialect dialect_openai_responses = {
	.family = OPENAI_RESPONSES_FAMILY,
	.path = "/responses",
	.ops = {[LLM_OP_CHAT] = &chat},
	.explain = openai_explain,
	.models_path = "/models",
	.decode_models = models_decode,
};
