/* verdicts.c - one result an input, its categories carried as they are. */
#include "brokerd/dialect/verdicts.h"

#include "brokerd/dialect/whole.h"

static bool any_true(struct json categories)
{
	for (struct json_walk w = json_each(categories); json_next(&w);) {
		if (json_is_true(w.value))
			return true;
	}
	return false;
}

/* An object that may be carried as it is: a reply is read more leniently than what a caller gets. */
static struct span object_in(struct whole *w, struct json entry, const char *name)
{
	const struct json v = json_member(entry, name);
	struct json strict;
	if (json_kind(v) != JSON_OBJECT)
		return SPAN_NONE;
	if (json_scan(v.text, JSON_STRICT, &strict, NULL) == OK)
		return strict.text;
	w->repaired = "categories that are no valid JSON were left out";
	return SPAN_NONE;
}

static enum err read_verdicts(struct whole *w, struct json body, struct fault *why)
{
	const struct json list = json_member(body, "results");
	const size_t asked = w->notes->n_inputs;
	const size_t n = whole_length(list);
	if (json_kind(list) != JSON_ARRAY || n == 0 || (asked > 0 && n != asked))
		return whole_refuse(why, "%zu verdicts on %zu inputs", n, asked);
	if (!whole_room(w, n))
		return ERR_NO_MEMORY;
	for (struct json_walk each = json_each(list); json_next(&each); w->n++) {
		struct llm_event *e = &w->results[w->n];
		const struct json flagged = json_member(each.value, "flagged");
		e->type = EV_MODERATION;
		e->moderation.index = (uint32_t)w->n;
		e->moderation.categories = object_in(w, each.value, "categories");
		e->moderation.scores = object_in(w, each.value, "category_scores");
		e->moderation.is_flagged = json_is_nil(flagged)
						   ? any_true(json_member(each.value, "categories"))
						   : json_is_true(flagged);
	}
	whole_usage(w, body);
	return OK;
}

struct decoder *verdicts_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	(void)head;
	return whole_new(a, notes, env, read_verdicts);
}
