/* admin_prompt.c - what was a provider asked, word for word? */
#include "brokerd/front/admin_call.h"

#include "protocol/base/utf8.h"

bool admin_is_request_id(struct span id)
{
	if (id.n >= REQUEST_ID_BYTES || !span_starts(id, SPAN("req_")))
		return false;
	for (size_t i = 4; i < id.n; i++) {
		const char c = id.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
			return false;
	}
	return true;
}

static void prompt_came(struct prompts_wait *w, const struct prompt *found, const struct fault *why)
{
	struct admin_call *a = container_of(w, struct admin_call, prompt);
	if (why->err == ERR_NOT_FOUND) { /* that class is a model's */
		fault_param(&a->why, ERR_INVALID_ARGUMENT, "id", "%s", why->message);
		admin_done(a);
		return;
	}
	if (why->err) {
		admin_fail(a, why->err, why);
		return;
	}
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_str(&o, "id", a->about);
	json_pair_i64(&o, "sent_s", found->at_s);
	json_pair_i64(&o, "bytes", found->bytes);
	json_pair_bool(&o, "is_cut", found->bytes > (int64_t)found->text.n);
	if (utf8_is_valid(found->text)) {
		json_pair_str(&o, "text", found->text);
	} else {
		json_key(&o, "base64");
		json_put_base64(&o, SPAN(""), found->text);
	}
	json_close(&o, '}');
	admin_done(a);
}

enum err admin_prompt_read(struct admin_call *a, struct json body, struct fault *why)
{
	const struct span id = admin_text(a, body, "id");
	if (!admin_is_request_id(id))
		return fault_param(why, ERR_INVALID_ARGUMENT, "id",
			"this wants the id of a request, as the ledger and the log have it: "
			"req_...");
	a->about = id;
	a->prompt.on_done = prompt_came;
	return prompts_find(a->organs->prompts, id, &a->prompt, why);
}
