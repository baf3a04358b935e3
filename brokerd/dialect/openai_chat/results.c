/* results.c - what is a caller of this family answered beside a chat: vectors, ranks, verdicts? */
#include <float.h>

#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/whole_write.h"
#include "protocol/limits.h"

/* ---- embeddings ---- */

static void begin_embeddings(struct whole_answer *w)
{
	json_pair_str(&w->o, "object", SPAN("list"));
	json_key(&w->o, "data");
	json_open(&w->o, '[');
}

/* What is beyond all floats is the last of them: a vector has finite numbers only. */
static float as_float(double v)
{
	return v > (double)FLT_MAX ? FLT_MAX : v < (double)-FLT_MAX ? -FLT_MAX : (float)v;
}

/* Floats of 32 bits, the lowest byte first. */
static void put_base64(struct whole_answer *w, const struct vector *v)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	for (size_t i = 0; i < v->n; i++) {
		const float f = as_float(v->values[i]);
		uint32_t bits;
		memcpy(&bits, &f, sizeof bits);
		for (size_t k = 0; k < sizeof bits; k++)
			buf_byte(&bytes, (char)(bits >> 8 * k & 0xff));
	}
	if (buf_error(&bytes))
		w->o.to->err = buf_error(&bytes);
	else
		json_put_base64(&w->o, SPAN_NONE, buf_view(&bytes));
}

static void put_numbers(struct whole_answer *w, const struct vector *v)
{
	json_open(&w->o, '[');
	for (size_t i = 0; i < v->n; i++)
		json_put_f64(&w->o, v->values[i]);
	json_close(&w->o, ']');
}

static void put_embedding(struct whole_answer *w, const struct llm_event *e)
{
	json_open(&w->o, '{');
	json_pair_str(&w->o, "object", SPAN("embedding"));
	json_pair_i64(&w->o, "index", e->embedding.index);
	json_key(&w->o, "embedding");
	if (w->plan->notes->wants_base64)
		put_base64(w, &e->embedding.vector);
	else
		put_numbers(w, &e->embedding.vector);
	json_close(&w->o, '}');
}

/* Some readers cannot do without the count: where no provider has told it, it is our estimate. */
static enum err end_embeddings(struct whole_answer *w)
{
	int64_t tokens = usage_input_total(&w->usage);
	if (tokens < 0)
		tokens = w->plan->input_estimate > 0 ? w->plan->input_estimate : 0;
	json_close(&w->o, ']');
	whole_put_model(w);
	whole_put_usage(w, tokens);
	return OK;
}

struct encoder *openai_chat_embed_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {
		EV_EMBEDDING, begin_embeddings, NULL, put_embedding, end_embeddings};
	return whole_writer_new(a, plan, &language);
}

/* ---- ranks ---- */

static void begin_results(struct whole_answer *w)
{
	json_key(&w->o, "results");
	json_open(&w->o, '[');
}

static void put_rank(struct whole_answer *w, const struct llm_event *e)
{
	const struct llm_request *r = w->plan->request;
	json_open(&w->o, '{');
	json_pair_i64(&w->o, "index", e->rank.index);
	json_key(&w->o, "relevance_score");
	json_put_f64(&w->o, e->rank.score);
	if (w->plan->notes->wants_documents && e->rank.index < r->n_inputs) {
		json_key(&w->o, "document");
		json_open(&w->o, '{');
		json_pair_str(&w->o, "text", r->inputs[e->rank.index].text);
		json_close(&w->o, '}');
	}
	json_close(&w->o, '}');
}

/* What it cost stands where callers of Jina's and of Cohere's look for it. */
static enum err end_ranks(struct whole_answer *w)
{
	const int64_t tokens = usage_input_total(&w->usage);
	json_close(&w->o, ']');
	whole_put_id(w, "rerank-");
	whole_put_model(w);
	if (tokens < 0)
		return OK;
	whole_put_usage(w, tokens);
	json_key(&w->o, "meta");
	json_open(&w->o, '{');
	json_key(&w->o, "tokens");
	json_open(&w->o, '{');
	json_pair_i64(&w->o, "input_tokens", tokens);
	json_close(&w->o, '}');
	json_close(&w->o, '}');
	return OK;
}

struct encoder *openai_chat_rerank_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {
		EV_RANK, begin_results, NULL, put_rank, end_ranks};
	return whole_writer_new(a, plan, &language);
}

/* ---- verdicts ---- */

static void put_object(struct whole_answer *w, const char *name, struct span json)
{
	json_pair_raw(&w->o, name, span_is_set(json) ? json : SPAN("{}"));
}

static void put_verdict(struct whole_answer *w, const struct llm_event *e)
{
	json_open(&w->o, '{');
	json_pair_bool(&w->o, "flagged", e->moderation.is_flagged);
	put_object(w, "categories", e->moderation.categories);
	put_object(w, "category_scores", e->moderation.scores);
	json_close(&w->o, '}');
}

static enum err end_verdicts(struct whole_answer *w)
{
	json_close(&w->o, ']');
	whole_put_id(w, "modr-");
	whole_put_model(w);
	return OK;
}

struct encoder *openai_chat_moderate_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {
		EV_MODERATION, begin_results, NULL, put_verdict, end_verdicts};
	return whole_writer_new(a, plan, &language);
}
