/* models_answer.c - the caller's side of a list of models: its question, and its answer. */
#include <time.h>

#include "brokerd/dialect/intake.h"
#include "brokerd/dialect/models.h"

/* ---- the request ---- */

/* The value of a query's parameter, as it was sent; absent: it has none. */
static struct span parameter(struct span query, const char *name)
{
	while (query.n > 0) {
		struct span value = span_cut(&query, '&');
		if (span_is(span_cut(&value, '='), name))
			return value;
	}
	return SPAN_NONE;
}

/* What stands behind ".../models/"; empty: nothing. */
static struct span id_in(struct span path)
{
	const struct span folder = SPAN("/models/");
	const size_t at = span_find(path, folder);
	return at < path.n ? span_skip(path, at + folder.n) : SPAN("");
}

enum err models_decode_request(const struct surface_call *call, struct span body, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {.arena = a, .notes = notes, .why = why};
	const struct span id = id_in(call->path), provider = parameter(call->query, "provider");
	(void)body; /* a GET has none */
	*out = (struct llm_request){.model = SPAN_NONE};
	notes->form = ANSWER_WHOLE;
	if (id.n == 0)
		return provider.n > 0 ? intake_unescape(&in, provider, &out->model) : OK;
	const enum err err = intake_unescape(&in, id, &notes->one_model);
	if (!err && span_index(notes->one_model, '/') < notes->one_model.n)
		out->model = notes->one_model;
	return err;
}

/* ---- the answer ---- */

bool models_wants(const struct whole_answer *w, const struct llm_event *e)
{
	const struct span one = w->plan->notes->one_model;
	return !span_is_set(one) || (w->n == 0 && span_eq(e->model.id, one));
}

enum err models_check(const struct whole_answer *w)
{
	return span_is_set(w->plan->notes->one_model) && w->n == 0 ? ERR_NOT_FOUND : OK;
}

struct ends {
	struct span first, last; /* ids; absent: none came yet */
};

static void begin(struct whole_answer *w)
{
	w->own = arena_alloc(w->arena, sizeof(struct ends));
	if (!w->own)
		w->o.to->err = ERR_NO_MEMORY;
	if (span_is_set(w->plan->notes->one_model))
		return;
	json_pair_str(&w->o, "object", SPAN("list"));
	json_key(&w->o, "data");
	json_open(&w->o, '[');
}

/* Who has it: as its provider says, or that provider. */
static struct span owner_of(const struct listed_model *m)
{
	const size_t slash = span_index(m->id, '/');
	if (m->owner.n > 0)
		return m->owner;
	return slash < m->id.n ? span_first(m->id, slash) : SPAN("llm-broker");
}

/* Both wait for a time even where none is known: it is the beginning of time then. */
static void put_times(struct json_out *o, int64_t created_s)
{
	char text[32] = "1970-01-01T00:00:00Z";
	struct tm utc;
	const bool is_known = created_s > 0 && created_s <= INT64_C(253402300799);
	const time_t created = is_known ? (time_t)created_s : 0;
	json_pair_i64(o, "created", (int64_t)created);
	if (gmtime_r(&created, &utc))
		(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_pair_str(o, "created_at", span_str(text));
}

static void put_members(struct json_out *o, const struct listed_model *m)
{
	json_pair_str(o, "id", m->id);
	json_pair_str(o, "object", SPAN("model"));
	json_pair_str(o, "owned_by", owner_of(m));
	json_pair_str(o, "type", SPAN("model"));
	json_pair_str(o, "display_name", m->id);
	put_times(o, m->created_s);
	/* each bound by the name that many have for it, and by Anthropic's */
	if (m->context_tokens >= 0) {
		json_pair_i64(o, "context_length", m->context_tokens);
		json_pair_i64(o, "max_input_tokens", m->context_tokens);
	}
	if (m->max_output_tokens >= 0) {
		json_pair_i64(o, "max_output_tokens", m->max_output_tokens);
		json_pair_i64(o, "max_tokens", m->max_output_tokens);
	}
}

static void put(struct whole_answer *w, const struct llm_event *e)
{
	struct ends *ends = w->own;
	if (span_is_set(w->plan->notes->one_model)) {
		put_members(&w->o, &e->model);
		return;
	}
	if (arena_dup(w->arena, e->model.id, &ends->last))
		w->o.to->err = ERR_NO_MEMORY;
	if (w->n == 0)
		ends->first = ends->last;
	json_open(&w->o, '{');
	put_members(&w->o, &e->model);
	json_close(&w->o, '}');
}

static void put_or_null(struct json_out *o, const char *name, struct span id)
{
	json_key(o, name);
	if (span_is_set(id))
		json_put_str(o, id);
	else
		json_put_null(o);
}

static enum err end(struct whole_answer *w)
{
	const struct ends *ends = w->own;
	if (span_is_set(w->plan->notes->one_model))
		return models_check(w);
	json_close(&w->o, ']');
	json_pair_bool(&w->o, "has_more", false);
	put_or_null(&w->o, "first_id", ends->first);
	put_or_null(&w->o, "last_id", ends->last);
	return OK;
}

struct encoder *models_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {EV_MODEL, begin, models_wants, put, end};
	return whole_writer_new(a, plan, &language);
}
