/* results.c - what is a caller of this family answered beside a chat: counts, vectors, lists of models? */
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/models.h"
#include "brokerd/dialect/whole_write.h"
#include "protocol/limits.h"

static void put_count(struct whole_answer *w, const struct llm_event *e)
{
	json_pair_i64(&w->o, "totalTokens", e->count.input_tokens);
}

struct encoder *gemini_count_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {.result = EV_COUNT, .put = put_count};
	return whole_writer_new(a, plan, &language);
}

/* ---- embeddings ---- */

static void begin_embeddings(struct whole_answer *w)
{
	if (w->plan->notes->wants_one)
		return;
	json_key(&w->o, "embeddings");
	json_open(&w->o, '[');
}

static void put_embedding(struct whole_answer *w, const struct llm_event *e)
{
	const struct vector *v = &e->embedding.vector;
	if (w->plan->notes->wants_one)
		json_key(&w->o, "embedding");
	json_open(&w->o, '{');
	json_key(&w->o, "values");
	json_open(&w->o, '[');
	for (size_t i = 0; i < v->n; i++)
		json_put_f64(&w->o, v->values[i]);
	json_close(&w->o, ']');
	json_close(&w->o, '}');
}

static enum err end_embeddings(struct whole_answer *w)
{
	if (!w->plan->notes->wants_one)
		json_close(&w->o, ']');
	return OK;
}

struct encoder *gemini_embed_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {
		EV_EMBEDDING, begin_embeddings, NULL, put_embedding, end_embeddings};
	return whole_writer_new(a, plan, &language);
}

/* ---- models ---- */

static bool is_list(const struct whole_answer *w)
{
	return !span_is_set(w->plan->notes->one_model);
}

static void begin_models(struct whole_answer *w)
{
	if (!is_list(w))
		return;
	json_key(&w->o, "models");
	json_open(&w->o, '[');
}

/* What a model is for no list tells: callers pass over one that does not say that it can chat. */
static void put_methods(struct json_out *o)
{
	json_key(o, "supportedGenerationMethods");
	json_open(o, '[');
	json_put_str(o, SPAN("generateContent"));
	json_put_str(o, SPAN("countTokens"));
	json_close(o, ']');
}

static void put_model(struct whole_answer *w, const struct llm_event *e)
{
	const struct listed_model *m = &e->model;
	OWNED(buf_done) struct buf name = BUF_INIT(LIMIT_DATA_BYTES);
	buf_text(&name, "models/");
	buf_span(&name, m->id);
	if (buf_error(&name)) {
		w->o.to->err = buf_error(&name);
		return;
	}
	if (is_list(w))
		json_open(&w->o, '{');
	json_pair_str(&w->o, "name", buf_view(&name));
	json_pair_str(&w->o, "displayName", m->id);
	if (m->context_tokens >= 0)
		json_pair_i64(&w->o, "inputTokenLimit", m->context_tokens);
	if (m->max_output_tokens >= 0)
		json_pair_i64(&w->o, "outputTokenLimit", m->max_output_tokens);
	put_methods(&w->o);
	if (is_list(w))
		json_close(&w->o, '}');
}

static enum err end_models(struct whole_answer *w)
{
	if (is_list(w))
		json_close(&w->o, ']');
	return models_check(w);
}

struct encoder *gemini_models_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {
		EV_MODEL, begin_models, models_wants, put_model, end_models};
	return whole_writer_new(a, plan, &language);
}
