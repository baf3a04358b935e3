/* forward.c - which members of a caller's request to the Responses API are the broker's? */
#include "brokerd/dialect/forward.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"

/* Does it ask for what only an answer that the provider keeps can have? */
static bool needs_keeping(struct json body)
{
	return json_is_true(json_member(body, "background")) ||
	       !json_is_nil(json_member(body, "conversation")) ||
	       !json_is_nil(json_member(body, "previous_response_id"));
}

enum err responses_forward(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	static const char *const bounds[] = {"max_output_tokens", NULL};
	const struct place place = {.path = "/responses"};
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	enum err err = forward_model(&f);
	if (!err)
		err = forward_max_tokens(&f, bounds);
	/* the provider is to keep nothing, unless the caller says so and nobody else does it */
	if (what->is_kept ||
		(json_is_nil(json_member(what->body, "store")) && !needs_keeping(what->body)))
		forward_edit(&f, "store", SPAN("false"));
	if (err == ERR_NO_MEMORY)
		return fault_set(why, err, "no memory for the provider's request");
	return err ? err : forward_finish(&f, &place, out);
}
