/* forward.c - which members of a caller's request to the Responses API are the broker's? */
#include "brokerd/dialect/forward.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "protocol/limits.h"

/* Does it ask for what only an answer that the provider keeps can have? */
static bool needs_keeping(struct json body)
{
	return json_is_true(json_member(body, "background")) ||
	       !json_is_nil(json_member(body, "conversation")) ||
	       !json_is_nil(json_member(body, "previous_response_id"));
}

/* Will the model think, for all that is known? */
static bool will_reason(const struct quirks *q, struct json body)
{
	const struct json effort = json_member(json_member(body, "reasoning"), "effort");
	const bool is_off = json_is(effort, "none");
	switch (q->reasons) {
	case REASONS_ALWAYS:
		return true;
	case REASONS_UNLESS_NONE:
		return !is_off;
	case REASONS_IF_ASKED:
		return json_kind(effort) == JSON_STRING && !is_off;
	case REASONS_NEVER:
	case REASONS_UNKNOWN:
		break;
	}
	return false;
}

/* A provider who keeps nothing forgets what the model thought, unless it is sealed and comes back. */
static enum err ask_for_seals(struct forward *f)
{
	static const char word[] = "reasoning.encrypted_content";
	OWNED(buf_done) struct buf text = BUF_INIT(64 * KIB);
	const struct json include = json_member(f->body, "include");
	struct json_out o = json_to(&text);
	struct span json;
	if (!will_reason(&f->s.target->quirks, f->body))
		return OK;
	json_open(&o, '[');
	for (struct json_walk w = json_each(include); json_next(&w);) {
		if (json_is(w.value, word))
			return OK;
		json_put_raw(&o, w.value.text);
	}
	json_put_str(&o, span_str(word));
	json_close(&o, ']');
	enum err err = buf_error(&text);
	if (!err)
		err = arena_dup(f->s.notes->arena, buf_view(&text), &json);
	if (!err)
		forward_edit(f, "include", json);
	return err;
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
	if (!err && what->is_kept)
		err = ask_for_seals(&f);
	if (err == ERR_NO_MEMORY)
		return fault_set(why, err, "no memory for the provider's request");
	return err ? err : forward_finish(&f, &place, out);
}
