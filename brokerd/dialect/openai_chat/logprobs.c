/* logprobs.c - lists in step, zipped. */
#include "brokerd/dialect/openai_chat/logprobs.h"

#include "protocol/limits.h"

static bool has_list(struct json v, const char *name)
{
	return json_kind(json_member(v, name)) == JSON_ARRAY;
}

void logprobs_put_parallel(struct json_out *o, struct json v)
{
	struct json_walk tokens = json_each(json_member(v, "tokens"));
	struct json_walk values = json_each(json_member(v, "token_logprobs"));
	while (json_next(&tokens) && json_next(&values)) {
		if (json_kind(tokens.value) != JSON_STRING ||
			json_kind(values.value) != JSON_NUMBER)
			continue; /* the first token of a prompt has none */
		json_open(o, '{');
		json_pair_raw(o, "token", tokens.value.text);
		json_pair_raw(o, "logprob", values.value.text);
		json_pair_raw(o, "bytes", SPAN("null"));
		json_pair_raw(o, "top_logprobs", SPAN("[]"));
		json_close(o, '}');
	}
}

static enum err give_parallel(struct outlet *o, uint32_t choice, struct json v)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json_out out = json_to(&json);
	json_open(&out, '{');
	json_key(&out, "content");
	json_open(&out, '[');
	logprobs_put_parallel(&out, v);
	json_close(&out, ']');
	json_close(&out, '}');
	const enum err err = outlet_check(&json);
	return err ? err : outlet_logprobs(o, choice, buf_view(&json));
}

enum err logprobs_give(struct outlet *o, uint32_t choice, struct json logprobs)
{
	if (has_list(logprobs, "content") || has_list(logprobs, "refusal"))
		return outlet_logprobs(o, choice, logprobs.text);
	return has_list(logprobs, "tokens") && has_list(logprobs, "token_logprobs")
		       ? give_parallel(o, choice, logprobs)
		       : OK;
}
