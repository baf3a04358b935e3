/* openai_forward.c - one list of edits for all. */
#include "brokerd/dialect/openai_forward.h"

/* The counts are wanted here, whether the caller wants them or not: who did not gets them not. */
static void ask_for_usage(struct forward *f)
{
	if (f->s.r->is_stream && f->s.target->quirks.has_stream_options)
		forward_edit(f, "stream_options.include_usage", SPAN("true"));
}

static enum err forward(struct forward *f, const char *const *bounds, const struct place *place,
	struct http_request *out)
{
	enum err err = forward_model(f);
	if (!err)
		err = forward_max_tokens(f, bounds);
	ask_for_usage(f);
	if (err == ERR_NO_MEMORY)
		return fault_set(f->s.why, err, "no memory for the provider's request");
	return err ? err : forward_finish(f, place, out);
}

enum err openai_forward_chat(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	const struct place place = {.path = "/chat/completions"};
	static const char *const newer[] = {"max_completion_tokens", "max_tokens", NULL};
	static const char *const older[] = {"max_tokens", "max_completion_tokens", NULL};
	const bool is_older = span_is(target->quirks.max_tokens_field, "max_tokens");
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	return forward(&f, is_older ? older : newer, &place, out);
}

enum err openai_forward_completion(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	static const char *const bounds[] = {"max_tokens", NULL};
	const struct place place = {.path = "/completions"};
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	return forward(&f, bounds, &place, out);
}

enum err openai_forward_embed(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	const struct place place = {.path = "/embeddings", .op = "embed"};
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	notes->is_reply_streamed = false;
	notes->n_inputs = what->request->n_inputs;
	const enum err err = forward_model(&f);
	return err ? err : forward_finish(&f, &place, out);
}
