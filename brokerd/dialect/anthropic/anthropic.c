/* anthropic.c - the Messages API, as Anthropic and the hosts of its models speak it. */
#include "brokerd/dialect/anthropic/anthropic.h"

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/thinking.h"
#include "brokerd/dialect/whole.h"
#include "brokerd/dialect/whole_write.h"

const struct error_rule anthropic_errors[] = {
  /* what is known by a code of its own is not judged by its wording */
	{0,			       "enforced_spend_limit_reached", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{0,			   "contract_spend_limit_reached", NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{0,	    "ramp_limit_exceeded", NULL, NULL, ERR_RATE_LIMITED, NULL},
	{0,			       "organization_on_hold", NULL, NULL, ERR_PERMISSION, NULL},
	{400,NULL, NULL, "prompt is too long", ERR_CONTEXT_LENGTH, NULL},
	{413,			   NULL, NULL, "prompt is too long", ERR_CONTEXT_LENGTH, NULL},
	{400,			   NULL, NULL, "exceed context limit", ERR_CONTEXT_LENGTH, NULL},
	{400,			       NULL, NULL, "credit balance is too low", ERR_QUOTA_EXHAUSTED, NULL},
	{400,			   NULL, NULL, "reached your specified api usage limits", ERR_QUOTA_EXHAUSTED, NULL},
	{400,	       NULL, NULL, "output blocked by content filtering policy", ERR_CONTENT_FILTERED, NULL},
	{403,			       NULL, NULL, "request not allowed", ERR_PERMISSION, NULL},
	{0,NULL, "authentication_error", NULL, ERR_AUTH, NULL},
	{0,			   NULL, "billing_error", NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{0,			   NULL, "permission_error", NULL, ERR_PERMISSION, NULL},
	{0,			     NULL, "not_found_error", NULL, ERR_NOT_FOUND, NULL},
	{0,			   NULL, "conflict_error", NULL, ERR_SERVER_ERROR, NULL},
	{0,	     NULL, "request_too_large", NULL, ERR_INVALID_REQUEST, NULL},
	{413,			       NULL, NULL, NULL, ERR_INVALID_REQUEST, "request_too_large"},
	{0, NULL, "rate_limit_error", NULL, ERR_RATE_LIMITED, NULL},
	{0,           NULL, "timeout_error", NULL, ERR_TIMEOUT, NULL},
	{0,			   NULL, "overloaded_error", NULL, ERR_OVERLOADED, NULL},
	{503,			     NULL, "api_error", NULL, ERR_OVERLOADED, NULL},
	{0,			   NULL, "api_error", NULL, ERR_SERVER_ERROR, NULL},
 /* a name of the caller's may stand in any other sentence: its words decide nothing */
	{400,             NULL, "invalid_request_error", NULL, ERR_INVALID_REQUEST, NULL},
	{.class = OK			      },
};

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	error_explain(reply, target, anthropic_errors, out);
}

static const struct dialect_op chat = {
	.encode_request = anthropic_encode_request,
	.bound_output = thinking_bound_output,
	.decoder_new = anthropic_decoder_new,
	.decode = anthropic_decode,
	.decode_end = anthropic_decode_end,
	.decoder_done = anthropic_decoder_done,
	.forward = anthropic_forward,
	.decode_request = anthropic_decode_request,
	.encoder_new = anthropic_encoder_new,
	.encode = anthropic_encode,
	.encoder_done = anthropic_encoder_done,
};

/* Vertex AI counts at an address where a model's would stand. */
static enum err encode_count_elsewhere(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	const char *const *keep, struct fault *why)
{
	static const struct place place = {.path = "/v1/messages", .method = "rawPredict"};
	struct target plain = *target, counter = *target;
	struct scribe s = {.r = r, .target = &counter, .notes = notes, .why = why};
	struct http_request chat_request = {.n_headers = 0};
	plain.quirks.is_version_in_body = false; /* the body names the model here */
	counter.model = SPAN("count-tokens");
	const enum err err = anthropic_encode_request(r, &plain, env, notes, &chat_request, why);
	return err ? err : counts_request(&s, &chat_request, keep, &place, out);
}

/* Less what does not count, and the bound that only an answer has. */
static enum err encode_count(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	static const char *const keep[] = {"model", "messages", "system", "tools", "tool_choice",
		"thinking", "output_config", NULL};
	const struct place place = {.path = "/v1/messages/count_tokens", .op = "count"};
	struct scribe s = {.r = r, .target = target, .notes = notes, .why = why};
	struct http_request chat_request = {.n_headers = 0};
	if (target->quirks.is_version_in_body)
		return encode_count_elsewhere(r, target, env, notes, out, keep, why);
	const enum err err = anthropic_encode_request(r, target, env, notes, &chat_request, why);
	return err ? err : counts_request(&s, &chat_request, keep, &place, out);
}

/* The same body, but for the bound that it need not have. */
static enum err decode_count(const struct surface_call *call, struct span body, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	const enum err err = anthropic_decode_request(call, body, a, out, notes, why);
	counts_plain(out, notes);
	return err;
}

static void put_count(struct whole_answer *w, const struct llm_event *e)
{
	json_pair_i64(&w->o, "input_tokens", e->count.input_tokens);
}

static struct encoder *count_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {.result = EV_COUNT, .put = put_count};
	return whole_writer_new(a, plan, &language);
}

static const struct dialect_op count = {
	.encode_request = encode_count,
	.forward = anthropic_forward_count,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
	.decode_request = decode_count,
	.encoder_new = count_encoder_new,
	WHOLE_ANSWER,
};

const struct dialect dialect_anthropic = {
	.family = ANTHROPIC_FAMILY,
	.path = "/v1/messages",
	.ops = {[LLM_OP_CHAT] = &chat, [LLM_OP_COUNT] = &count},
	.explain = explain,
	.phrase = envelope_anthropic,
	.phrase_event = envelope_anthropic_event,
	.models_path = "/v1/models?limit=1000",
	.models_page = "after_id",
};
