/* forward.c - which members of a caller's generateContent request are the broker's? */
#include "brokerd/dialect/forward.h"

#include "brokerd/dialect/gemini/gemini.h"

enum err gemini_forward(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	/* members have two spellings here, and what is not there goes into the object that is */
	static const char *const usual[] = {
		"generationConfig.max_output_tokens", "generationConfig.maxOutputTokens", NULL};
	static const char *const snake[] = {
		"generation_config.max_output_tokens", "generation_config.maxOutputTokens", NULL};
	const bool is_snake =
		json_kind(json_member(what->body, "generation_config")) != JSON_ABSENT;
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	enum err err = forward_max_tokens(&f, is_snake ? snake : usual);
	forward_edit(&f, "model", SPAN_NONE); /* it is in the address alone */
	if (!err)
		err = forward_body(&f, &out->body);
	/* a stream comes in the form that the caller wants */
	if (!err)
		err = gemini_put_address(&f.s,
			!what->request->is_stream ? "generateContent" : "streamGenerateContent",
			what->form == ANSWER_SSE ? "alt=sse" : NULL, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
