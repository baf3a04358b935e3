/* ranking.c - finds the list, reads its scores, sorts. */
#include "brokerd/dialect/ranking.h"

#include <stdio.h>
#include <stdlib.h>

#include "brokerd/dialect/usage.h"
#include "brokerd/dialect/whole.h"

static bool find_score(struct json entry, double *out)
{
	static const char *const names[] = {"relevance_score", "relevanceScore", "score", "logit"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (json_f64(json_member(entry, names[i]), out))
			return true;
	}
	return false;
}

static struct json list_in(struct json body)
{
	static const char *const names[] = {"results", "data", "rankings", "records"};
	if (json_kind(body) == JSON_ARRAY)
		return body;
	const struct json list = whole_list(body, names, COUNT_OF(names));
	return json_is_nil(list) ? whole_list(json_member(body, "output"), names, COUNT_OF(names))
				 : list;
}

/* The best first; among equals the order of the documents. */
static int by_score(const void *a, const void *b)
{
	const struct rank *x = &((const struct llm_event *)a)->rank;
	const struct rank *y = &((const struct llm_event *)b)->rank;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static enum err read_ranks(struct whole *w, struct json body, struct fault *why)
{
	const struct json list = list_in(body);
	const int64_t documents = w->notes->n_inputs > 0 ? (int64_t)w->notes->n_inputs : UINT32_MAX;
	if (json_is_nil(list))
		return whole_refuse(why, "a ranking without a list");
	if (!whole_room(w, whole_length(list)))
		return ERR_NO_MEMORY;
	for (struct json_walk each = json_each(list); json_next(&each);) {
		struct llm_event *e = &w->results[w->n];
		int64_t index;
		if (!usage_member(each.value, "index", "id", &index) || index >= documents) {
			w->repaired = "ranks of documents that there are not were left out";
			continue;
		}
		if (!find_score(each.value, &e->rank.score))
			return whole_refuse(why, "a rank without its score");
		e->type = EV_RANK;
		e->rank.index = (uint32_t)index;
		w->n++;
	}
	if (w->n == 0)
		return whole_refuse(why, "a ranking of nothing");
	qsort(w->results, w->n, sizeof *w->results, by_score);
	if (w->notes->top_n > 0 && (int64_t)w->n > w->notes->top_n)
		w->n = (size_t)w->notes->top_n;
	whole_usage(w, body);
	return OK;
}

struct decoder *ranking_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	(void)head;
	return whole_new(a, notes, env, read_ranks);
}

enum err ranking_prepare(struct scribe *s)
{
	const struct llm_request *r = s->r;
	s->notes->is_reply_streamed = false;
	s->notes->n_inputs = r->n_inputs;
	s->notes->top_n = r->top_n.is_set ? r->top_n.v : 0;
	for (size_t i = 0; i < r->n_inputs; i++) {
		char path[48];
		(void)snprintf(path, sizeof path, "inputs[%zu]", i);
		if (r->inputs[i].type != PART_TEXT)
			return scribe_refuse(
				s, path, "%.*s ranks texts only", SPAN_ARG(s->target->provider));
	}
	return OK;
}
