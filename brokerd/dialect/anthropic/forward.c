/* forward.c - which members of a caller's messages request are the broker's, and what of its head goes on? */
#include "brokerd/dialect/forward.h"

#include "brokerd/dialect/anthropic/anthropic.h"
#include "protocol/limits.h"

static struct span header_of(const struct forwarded *what, const char *name)
{
	for (size_t i = 0; i < what->call->n_headers; i++) {
		if (span_is(what->call->headers[i].key, name))
			return what->call->headers[i].value;
	}
	return SPAN_NONE;
}

/* The version is that of the body, so the caller's goes first; so do the features that it asks for. */
static enum err put_headers(
	struct forward *f, const struct forwarded *what, struct http_request *out)
{
	const struct span asked = header_of(what, "anthropic-version");
	const struct span beta = header_of(what, "anthropic-beta");
	const struct span version = asked.n > 0 ? asked : anthropic_version(f->s.target);
	const bool is_in_body = f->s.target->quirks.is_version_in_body;
	if ((is_in_body || http_request_header(out, SPAN("anthropic-version"), version)) &&
		(beta.n == 0 || http_request_header(out, SPAN("anthropic-beta"), beta)))
		return OK;
	return fault_param(f->s.why, ERR_INVALID_REQUEST, "headers",
		"anthropic-version or anthropic-beta is no header that can be sent");
}

/* Some hosts have the model in the address and the version in the body. */
static enum err put_place(struct forward *f)
{
	OWNED(buf_done) struct buf text = BUF_INIT(KIB);
	struct json_out o = json_to(&text);
	struct span json;
	if (!f->s.target->quirks.is_version_in_body)
		return forward_model(f);
	json_put_str(&o, anthropic_version(f->s.target));
	enum err err = buf_error(&text);
	if (!err)
		err = arena_dup(f->s.notes->arena, buf_view(&text), &json);
	forward_edit(f, "model", SPAN_NONE);
	if (!err)
		forward_edit(f, "anthropic_version", json);
	return err;
}

enum err anthropic_forward(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	static const char *const bounds[] = {"max_tokens", NULL};
	const struct place place = {
		.path = "/v1/messages",
		.method = what->request->is_stream ? "streamRawPredict" : "rawPredict",
	};
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	enum err err = put_place(&f);
	if (!err)
		err = forward_max_tokens(&f, bounds);
	if (err)
		return fault_set(why, err, "no memory for the provider's request");
	err = forward_finish(&f, &place, out);
	return err ? err : put_headers(&f, what, out);
}

enum err anthropic_forward_count(const struct forwarded *what, const struct target *target,
	struct notes *notes, struct http_request *out, struct fault *why)
{
	/* where the version is in the body, counting stands where a model would, and the model in the body */
	const bool is_elsewhere = target->quirks.is_version_in_body;
	const struct place usual = {.path = "/v1/messages/count_tokens", .op = "count"};
	const struct place elsewhere = {.path = "/v1/messages", .method = "rawPredict"};
	struct target counter = *target;
	struct forward f;
	forward_begin(&f, what, target, notes, why);
	notes->is_reply_streamed = false;
	enum err err = forward_model(&f);
	if (err)
		return fault_set(why, err, "no memory for the provider's request");
	counter.model = SPAN("count-tokens");
	if (is_elsewhere)
		f.s.target = &counter;
	err = forward_finish(&f, is_elsewhere ? &elsewhere : &usual, out);
	return err ? err : put_headers(&f, what, out);
}
