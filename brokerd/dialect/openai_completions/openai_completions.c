/* openai_completions.c - the older text completions: a prompt, and how it goes on. */
#include "brokerd/dialect/openai_completions/openai_completions.h"

#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/openai_forward.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/registry.h"

/* The same for a chat of one message and for a completion. */
static const struct dialect_op complete = {
	.encode_request = completions_encode_request,
	.decoder_new = completions_decoder_new,
	.decode = completions_decode,
	.decode_end = completions_decode_end,
	.decoder_done = completions_decoder_done,
	.forward = openai_forward_completion,
	.decode_request = completions_decode_request,
	.encoder_new = completions_encoder_new,
	.encode = completions_encode,
	.encoder_done = completions_encoder_done,
};

const struct dialect dialect_openai_completions = {
	.family = OPENAI_COMPLETIONS_FAMILY,
	.path = "/completions",
	.ops = {[LLM_OP_CHAT] = &complete, [LLM_OP_COMPLETE] = &complete},
	.explain = openai_explain,
	.phrase = envelope_openai,
	.phrase_event = envelope_openai_event,
	.models_path = "/models",
};
