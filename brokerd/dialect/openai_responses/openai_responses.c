/* openai_responses.c - the Responses API, as OpenAI and the hosts that follow it speak it. */
#include "brokerd/dialect/openai_responses/openai_responses.h"

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/whole.h"
#include "brokerd/dialect/whole_write.h"

static const struct dialect_op chat = {
	.encode_request = responses_encode_request,
	.bound_output = responses_bound_output,
	.decoder_new = responses_decoder_new,
	.decode = responses_decode,
	.has_enough = responses_has_enough,
	.decode_end = responses_decode_end,
	.decoder_done = responses_decoder_done,
	.forward = responses_forward,
	.decode_request = responses_decode_request,
	.encoder_new = responses_encoder_new,
	.encode = responses_encode,
	.encoder_done = responses_encoder_done,
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

static enum err decode_count(const struct surface_call *call, struct span body, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	const enum err err = responses_decode_request(call, body, a, out, notes, why);
	counts_plain(out, notes);
	return err;
}

static void put_count(struct whole_answer *w, const struct llm_event *e)
{
	json_pair_str(&w->o, "object", SPAN("response.input_tokens"));
	json_pair_i64(&w->o, "input_tokens", e->count.input_tokens);
}

static struct encoder *count_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {.result = EV_COUNT, .put = put_count};
	return whole_writer_new(a, plan, &language);
}

static const struct dialect_op count = {
	.encode_request = encode_count,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
	.decode_request = decode_count,
	.encoder_new = count_encoder_new,
	WHOLE_ANSWER,
};

const struct dialect dialect_openai_responses = {
	.family = OPENAI_RESPONSES_FAMILY,
	.path = "/responses",
	.ops = {[LLM_OP_CHAT] = &chat, [LLM_OP_COUNT] = &count},
	.explain = openai_explain,
	.phrase = envelope_openai,
	.phrase_event = envelope_responses_event,
	.models_path = "/models",
};
