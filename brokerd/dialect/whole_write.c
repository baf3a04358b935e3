/* whole_write.c - an object that is opened at once and given out when it is closed. */
#include "brokerd/dialect/whole_write.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/limits.h"

struct encoder {
	struct whole_answer answer;
	const struct whole_language *language;
	struct buf body;
};

struct encoder *whole_writer_new(
	struct arena *a, const struct answer_plan *plan, const struct whole_language *language)
{
	struct encoder *e = arena_alloc(a, sizeof *e);
	if (!e)
		return NULL;
	*e = (struct encoder){.language = language, .body = BUF_INIT(LIMIT_BODY_BYTES)};
	e->answer = (struct whole_answer){
		.arena = a, .plan = plan, .o = json_to(&e->body), .usage = USAGE_UNKNOWN};
	json_open(&e->answer.o, '{');
	if (language->begin)
		language->begin(&e->answer);
	return e;
}

/* Who answers is told once; of an answer in several parts, by the first of them. */
static enum err take_start(struct whole_answer *w, const struct llm_event *e)
{
	enum err err = OK;
	if (!span_is_set(w->id))
		err = arena_dup(w->arena, e->start.id, &w->id);
	if (!err && !span_is_set(w->model))
		err = arena_dup(w->arena, e->start.model, &w->model);
	return err;
}

static enum err end(struct encoder *e, const struct llm_event *last, struct buf *out)
{
	struct whole_answer *w = &e->answer;
	enum err err = buf_error(&e->body);
	w->usage = last->end.usage;
	if (!err && e->language->end)
		err = e->language->end(w);
	if (err)
		return err;
	json_close(&w->o, '}');
	buf_move(out, &e->body);
	return buf_error(out);
}

enum err whole_encode(struct encoder *e, const struct llm_event *event, struct buf *out)
{
	const struct whole_language *l = e->language;
	struct whole_answer *w = &e->answer;
	if (event->type == EV_START)
		return take_start(w, event);
	if (event->type == EV_END)
		return end(e, event, out);
	if (event->type == l->result && !buf_error(&e->body) && (!l->wants || l->wants(w, event))) {
		l->put(w, event);
		w->n++;
	}
	return buf_error(&e->body);
}

void whole_encoder_done(struct encoder *e)
{
	buf_done(&e->body);
}

void whole_put_id(struct whole_answer *w, const char *prefix)
{
	char made[64];
	(void)snprintf(made, sizeof made, "%s%016" PRIx64, prefix, w->plan->env->seed);
	json_pair_str(&w->o, "id", w->id.n > 0 ? w->id : span_str(made));
}

void whole_put_model(struct whole_answer *w)
{
	json_pair_str(&w->o, "model", w->model.n > 0 ? w->model : w->plan->request->model);
}

void whole_put_usage(struct whole_answer *w, int64_t tokens)
{
	json_key(&w->o, "usage");
	json_open(&w->o, '{');
	json_pair_i64(&w->o, "prompt_tokens", tokens);
	json_pair_i64(&w->o, "total_tokens", tokens);
	json_close(&w->o, '}');
}
