/* answer_whole.c - an answer as one object: what comes is kept until it is written. */
#include "brokerd/dialect/openai_chat/answer.h"

static void text(
	struct encoder *e, struct answer_choice *c, enum answer_text which, struct span text)
{
	buf_span(&c->texts[which], text);
	openai_answer_fail(&e->answer, buf_error(&c->texts[which]));
}

static void list(
	struct encoder *e, struct answer_choice *c, enum answer_list which, struct span elements)
{
	struct buf *to = &c->lists[which];
	if (to->n > 0)
		buf_byte(to, ',');
	buf_span(to, elements);
	openai_answer_fail(&e->answer, buf_error(to));
}

/* There is a place for one. */
static void audio(struct encoder *e, struct answer_choice *c, struct span json)
{
	buf_clear(&c->audio);
	buf_span(&c->audio, json);
	openai_answer_fail(&e->answer, buf_error(&c->audio));
}

static void call(struct encoder *e, struct answer_choice *c, struct answer_call *call)
{
	(void)e;
	(void)c;
	(void)call; /* its choice has it */
}

static void args(
	struct encoder *e, struct answer_choice *c, struct answer_call *call, struct span text)
{
	(void)c;
	buf_span(&call->args, text);
	openai_answer_fail(&e->answer, buf_error(&call->args));
}

static void called(struct encoder *e, struct answer_choice *c, struct answer_call *call)
{
	(void)e;
	(void)c;
	(void)call; /* its arguments are whole */
}

const struct answer_voice answer_whole = {text, list, audio, call, args, called};

/* ---- what is written ---- */

static void put_text_or_null(struct json_out *o, enum answer_text which, const struct buf *text)
{
	json_key(o, answer_text_names[which]);
	if (text->n > 0)
		json_put_str(o, buf_view(text));
	else
		json_put_null(o);
}

static void put_calls(const struct encoder *e, const struct answer_choice *c, struct json_out *o)
{
	if (!c->calls)
		return;
	json_key(o, e->is_older ? "function_call" : "tool_calls");
	if (!e->is_older)
		json_open(o, '[');
	for (const struct answer_call *call = c->calls; call; call = call->next) {
		json_open(o, '{');
		answer_put_call(e, call, buf_view(&call->args), o);
		json_close(o, '}');
	}
	if (!e->is_older)
		json_close(o, ']');
}

static void put_message(const struct encoder *e, const struct answer_choice *c, struct json_out *o)
{
	const struct buf *texts = c->texts;
	const bool says_otherwise = c->calls || texts[ANSWER_REFUSAL].n > 0 || c->audio.n > 0;
	json_open(o, '{');
	json_pair_str(o, "role", SPAN("assistant"));
	if (says_otherwise)
		put_text_or_null(o, ANSWER_CONTENT, &texts[ANSWER_CONTENT]);
	else
		json_pair_str(o, "content", buf_view(&texts[ANSWER_CONTENT]));
	put_text_or_null(o, ANSWER_REFUSAL, &texts[ANSWER_REFUSAL]);
	if (texts[ANSWER_REASONING].n > 0)
		put_text_or_null(o, ANSWER_REASONING, &texts[ANSWER_REASONING]);
	for (size_t i = 0; i < ANSWER_LOGPROBS; i++) {
		if (c->lists[i].n == 0)
			continue;
		json_key(o, answer_list_names[i]);
		json_open(o, '[');
		json_put_raw(o, buf_view(&c->lists[i]));
		json_close(o, ']');
	}
	if (c->audio.n > 0)
		json_pair_raw(o, "audio", buf_view(&c->audio));
	put_calls(e, c, o);
	json_close(o, '}');
}

void answer_put_choice(struct openai_answer *a, struct openai_choice *choice, struct json_out *o)
{
	const struct encoder *e = container_of(a, struct encoder, answer);
	const struct answer_choice *c = container_of(choice, struct answer_choice, base);
	const struct buf *content = &c->lists[ANSWER_LOGPROBS];
	const struct buf *refusal = &c->lists[ANSWER_REFUSAL_LOGPROBS];
	json_key(o, "message");
	put_message(e, c, o);
	json_key(o, "logprobs");
	if (content->n > 0 || refusal->n > 0)
		answer_put_logprobs(buf_view(content), buf_view(refusal), o);
	else
		json_put_null(o);
}
