/* results.c - one list a kind of event, and the accessors. */
#include "libllmclient/src/results.h"

#include "libllmclient/src/grow.h"
#include "libllmclient/src/result.h"

static enum err out_of_turn(
	const struct llm_event *e, uint32_t index, size_t wanted, struct fault *why)
{
	return fault_set(why, ERR_MALFORMED, "the broker sent %s %lu where number %zu was due",
		event_name(e->type), (unsigned long)index, wanted);
}

/* JSON text or a name as a program gets it; NULL where there is none. */
static enum err own_text(struct arena *a, struct span text, const char **out)
{
	*out = NULL;
	if (!span_is_set(text))
		return OK;
	*out = arena_str(a, text);
	return *out ? OK : ERR_NO_MEMORY;
}

static enum err add_vector(
	struct results *r, struct arena *a, const struct llm_event *e, struct fault *why)
{
	const struct vector *v = &e->embedding.vector;
	if (e->embedding.index != r->n_vectors)
		return out_of_turn(e, e->embedding.index, r->n_vectors, why);
	float *values = arena_array(a, v->n, sizeof *values);
	if (!values || !GROW(a, r->vectors, r->n_vectors))
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < v->n; i++)
		values[i] = (float)v->values[i];
	r->vectors[r->n_vectors++] = (struct result_vector){values, v->n};
	return OK;
}

static enum err add_verdict(
	struct results *r, struct arena *a, const struct llm_event *e, struct fault *why)
{
	struct result_verdict v = {.is_flagged = e->moderation.is_flagged};
	if (e->moderation.index != r->n_verdicts)
		return out_of_turn(e, e->moderation.index, r->n_verdicts, why);
	enum err err = own_text(a, e->moderation.categories, &v.categories);
	if (!err)
		err = own_text(a, e->moderation.scores, &v.scores);
	if (err || !GROW(a, r->verdicts, r->n_verdicts))
		return ERR_NO_MEMORY;
	r->verdicts[r->n_verdicts++] = v;
	return OK;
}

static enum err add_model(struct results *r, struct arena *a, const struct llm_event *e)
{
	struct result_model m = {.context_tokens = e->model.context_tokens,
		.max_output_tokens = e->model.max_output_tokens};
	enum err err = own_text(a, e->model.id, &m.id);
	if (!err)
		err = own_text(a, e->model.owner, &m.owner);
	if (err || !GROW(a, r->models, r->n_models))
		return ERR_NO_MEMORY;
	r->models[r->n_models++] = m;
	return OK;
}

enum err results_add(
	struct results *r, struct arena *a, const struct llm_event *e, struct fault *why)
{
	switch (e->type) {
	case EV_EMBEDDING:
		return add_vector(r, a, e, why);
	case EV_RANK:
		if (!GROW(a, r->ranks, r->n_ranks))
			return ERR_NO_MEMORY;
		r->ranks[r->n_ranks++] = e->rank;
		return OK;
	case EV_COUNT:
		r->count = e->count;
		r->has_count = true;
		return OK;
	case EV_MODERATION:
		return add_verdict(r, a, e, why);
	case EV_MODEL:
		return add_model(r, a, e);
	default:
		return OK;
	}
}

size_t results_index(const struct llm_event *e, const struct results *r)
{
	switch (e->type) {
	case EV_EMBEDDING:
		return e->embedding.index;
	case EV_RANK:
		return r->n_ranks - 1;
	case EV_MODERATION:
		return e->moderation.index;
	case EV_MODEL:
		return r->n_models - 1;
	default:
		return 0;
	}
}

/* ---- public ---- */

size_t llm_result_embeddings(const llm_result *a)
{
	return a ? a->results.n_vectors : 0;
}

const float *llm_result_embedding(const llm_result *a, size_t i, size_t *dimensions)
{
	const bool is_there = a && i < a->results.n_vectors;
	if (dimensions)
		*dimensions = is_there ? a->results.vectors[i].n : 0;
	return is_there ? a->results.vectors[i].values : NULL;
}

size_t llm_result_ranks(const llm_result *a)
{
	return a ? a->results.n_ranks : 0;
}

size_t llm_result_rank_index(const llm_result *a, size_t i)
{
	return a && i < a->results.n_ranks ? a->results.ranks[i].index : SIZE_MAX;
}

double llm_result_rank_score(const llm_result *a, size_t i)
{
	return a && i < a->results.n_ranks ? a->results.ranks[i].score : 0;
}

int64_t llm_result_tokens(const llm_result *a)
{
	return a && a->results.has_count ? a->results.count.input_tokens : -1;
}

int llm_result_tokens_estimated(const llm_result *a)
{
	return a && a->results.has_count && a->results.count.is_estimate;
}

static const struct result_verdict *verdict_at(const llm_result *a, size_t i)
{
	return a && i < a->results.n_verdicts ? &a->results.verdicts[i] : NULL;
}

size_t llm_result_verdicts(const llm_result *a)
{
	return a ? a->results.n_verdicts : 0;
}

int llm_result_flagged(const llm_result *a, size_t i)
{
	const struct result_verdict *v = verdict_at(a, i);
	return v && v->is_flagged;
}

const char *llm_result_categories(const llm_result *a, size_t i)
{
	const struct result_verdict *v = verdict_at(a, i);
	return v ? v->categories : NULL;
}

const char *llm_result_category_scores(const llm_result *a, size_t i)
{
	const struct result_verdict *v = verdict_at(a, i);
	return v ? v->scores : NULL;
}

static const struct result_model *model_at(const llm_result *a, size_t i)
{
	return a && i < a->results.n_models ? &a->results.models[i] : NULL;
}

size_t llm_result_models(const llm_result *a)
{
	return a ? a->results.n_models : 0;
}

const char *llm_result_model_id(const llm_result *a, size_t i)
{
	const struct result_model *m = model_at(a, i);
	return m ? m->id : NULL;
}

int64_t llm_result_model_context(const llm_result *a, size_t i)
{
	const struct result_model *m = model_at(a, i);
	return m ? m->context_tokens : -1;
}

int64_t llm_result_model_max_output(const llm_result *a, size_t i)
{
	const struct result_model *m = model_at(a, i);
	return m ? m->max_output_tokens : -1;
}
