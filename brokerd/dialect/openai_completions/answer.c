/* answer.c - what is a caller of this family told of an answer? Its text. Calls, reasoning, images have no
 * place in it; a refusal is said as text. */
#include "brokerd/dialect/openai_answer.h"
#include "brokerd/dialect/openai_completions/openai_completions.h"
#include "brokerd/dialect/openai_completions/token_lists.h"
#include "protocol/limits.h"

struct choice {
	struct openai_choice base;
	struct buf text;             /* whole */
	struct token_lists logprobs; /* whole: all of them; stream: those of one event */
};

struct encoder {
	struct openai_answer answer;
};

static void say(struct openai_answer *a, struct choice *c, struct span text)
{
	struct json_out o = json_to(a->out);
	if (text.n == 0)
		return;
	if (!a->is_stream) {
		buf_span(&c->text, text);
		openai_answer_fail(a, buf_error(&c->text));
		return;
	}
	openai_chunk_begin(a, &c->base);
	json_put_str(&o, text);
	openai_chunk_end(a, a->out->n);
}

static void take_logprobs(struct openai_answer *a, struct choice *c, struct span json)
{
	struct json_out o = json_to(a->out);
	struct json v;
	if (json_scan(json, JSON_STRICT, &v, NULL))
		return;
	openai_answer_fail(a, token_lists_add(&c->logprobs, v));
	if (a->err || !a->is_stream || !token_lists_has_any(&c->logprobs))
		return;
	const size_t mark = openai_chunk_begin(a, &c->base);
	buf_text(a->out, "\"\",\"logprobs\":");
	token_lists_put(&c->logprobs, &o);
	buf_text(a->out, ",\"finish_reason\":null}]");
	openai_chunk_close(a, mark);
	token_lists_clear(&c->logprobs);
}

static void on_event(
	struct openai_answer *a, struct openai_choice *choice, const struct llm_event *ev)
{
	struct choice *c = container_of(choice, struct choice, base);
	if (ev->type == EV_TEXT || ev->type == EV_REFUSAL)
		say(a, c, ev->text);
	else if (ev->type == EV_PART &&
		 (ev->part.type == PART_TEXT || ev->part.type == PART_REFUSAL))
		say(a, c, ev->part.text);
	else if (ev->type == EV_LOGPROBS)
		take_logprobs(a, c, ev->text);
}

static void put_choice(struct openai_answer *a, struct openai_choice *choice, struct json_out *o)
{
	const struct choice *c = container_of(choice, struct choice, base);
	(void)a;
	json_pair_str(o, "text", buf_view(&c->text));
	json_key(o, "logprobs");
	if (token_lists_has_any(&c->logprobs))
		token_lists_put(&c->logprobs, o);
	else
		json_put_null(o);
}

static struct openai_choice *choice_new(struct openai_answer *a)
{
	struct choice *c = arena_alloc(a->arena, sizeof *c);
	if (!c)
		return NULL;
	buf_init(&c->text, LIMIT_BODY_BYTES);
	token_lists_init(&c->logprobs);
	return &c->base;
}

static const struct openai_language language = {
	.id_prefix = "cmpl-",
	.object = "text_completion",
	.chunk = "text_completion",
	.delta = ",\"text\":",
	.end = "",
	.nothing = "\"\"",
	.called = "stop", /* a call has no place here: the text just stops */
	.choice_new = choice_new,
	.on_event = on_event,
	.put_choice = put_choice,
};

struct encoder *completions_encoder_new(struct arena *arena, const struct answer_plan *plan)
{
	struct encoder *e = arena_alloc(arena, sizeof *e);
	if (e)
		openai_answer_init(&e->answer, &language, arena, plan);
	return e;
}

enum err completions_encode(struct encoder *e, const struct llm_event *ev, struct buf *out)
{
	return openai_answer_take(&e->answer, ev, out);
}

void completions_encoder_done(struct encoder *e)
{
	for (struct openai_choice *each = e->answer.choices; each; each = each->next) {
		struct choice *c = container_of(each, struct choice, base);
		buf_done(&c->text);
		token_lists_done(&c->logprobs);
	}
	openai_answer_done(&e->answer);
}
