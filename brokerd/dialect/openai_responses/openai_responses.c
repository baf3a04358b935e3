/* openai_responses.c - the Responses API, as OpenAI and the hosts that follow it speak it. */
#include "brokerd/dialect/openai_responses/openai_responses.h"

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/whole.h"

static const struct dialect_op chat = {
	.encode_request = responses_encode_request,
	.decoder_new = responses_decoder_new,
	.decode = responses_decode,
	.has_enough = responses_has_enough,
	.decode_end = responses_decode_end,
	.decoder_done = responses_decoder_done,
	.decode_request = responses_decode_request,
};

/* Less what does not count. */
static enum err encode_count(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	static const char *const keep[] = {"model", "input", "instructions", "tools", "tool_choice",
		"parallel_tool_calls", "text", "reasoning", "truncation", NULL};
	const struct place place = {.path = "/responses/input_tokens", .op = "count"};
	struct scribe s = {.r = r, .target = target, .notes = notes, .why = why};
	struct http_request chat_request = {.n_headers = 0};
	const enum err err = responses_encode_request(r, target, env, notes, &chat_request, why);
	return err ? err : counts_request(&s, &chat_request, keep, &place, out);
}

static const struct dialect_op count = {
	.encode_request = encode_count,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
};

const struct dialect dialect_openai_responses = {
	.family = OPENAI_RESPONSES_FAMILY,
	.path = "/responses",
	.ops = {[LLM_OP_CHAT] = &chat, [LLM_OP_COUNT] = &count},
	.explain = openai_explain,
	.phrase = envelope_openai,
	.models_path = "/models",
};
