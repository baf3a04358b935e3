/* answer.c - what does a caller who speaks this family read of an answer? Chunks of one shape, of which
 * the last has the end of all candidates. */
#include "brokerd/dialect/gemini/candidate.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/made_id.h"
#include "protocol/limits.h"

#define CANDIDATES_MAX 128

struct encoder {
	const struct answer_plan *plan;
	struct arena *arena;
	struct chunks chunks;
	struct candidate *candidates;
	size_t n;
	bool is_over;
};

static size_t candidates_of(const struct answer_plan *plan)
{
	const struct opt_i64 asked = plan->request->n;
	int64_t n = asked.is_set ? asked.v : 1;
	if (n < plan->notes->n_choices)
		n = plan->notes->n_choices;
	return n < 1 ? 1 : n > CANDIDATES_MAX ? CANDIDATES_MAX : (size_t)n;
}

struct encoder *gemini_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	struct encoder *g = arena_alloc(a, sizeof *g);
	if (!g)
		return NULL;
	*g = (struct encoder){.plan = plan, .arena = a, .n = candidates_of(plan)};
	g->candidates = arena_array(a, g->n, sizeof *g->candidates);
	if (!g->candidates)
		return NULL;
	chunks_init(&g->chunks, plan->notes->form);
	g->chunks.n = plan->is_begun ? 1 : 0;
	g->chunks.model = plan->request->model;
	for (uint32_t i = 0; i < g->n; i++)
		candidate_init(&g->candidates[i], &g->chunks, i);
	return g;
}

void gemini_encoder_done(struct encoder *g)
{
	for (size_t i = 0; i < g->n; i++)
		candidate_done(&g->candidates[i]);
	chunks_done(&g->chunks);
}

/* ---- events ---- */

static enum err take_start(struct encoder *g, const struct llm_event *e)
{
	enum err err = arena_dup(g->arena, e->start.id, &g->chunks.id);
	if (!err && e->start.model.n > 0)
		err = arena_dup(g->arena, e->start.model, &g->chunks.model);
	return err;
}

/* An answer has an id before its first chunk goes out. */
static enum err name_it(struct encoder *g)
{
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_LABEL_BYTES);
	uint64_t seed = g->plan->env->seed;
	if (g->chunks.id.n > 0)
		return OK;
	made_id(&id, "", &seed);
	const enum err err = buf_error(&id);
	return err ? err : arena_dup(g->arena, buf_view(&id), &g->chunks.id);
}

/* By the token, which is an item of our own, an answer that was cut is gone on with. It is no part. */
static bool is_token(const struct llm_event *e, struct json *token)
{
	struct json v;
	if (e->type != EV_PART || e->part.type != PART_OPAQUE ||
		!span_is(e->part.opaque.family, GEMINI_FAMILY) ||
		json_scan(e->part.opaque.data, JSON_STRICT, &v, NULL) != OK)
		return false;
	*token = json_member(v, GEMINI_TOKEN);
	return span_is_set(token->text);
}

static enum err take_content(struct encoder *g, const struct llm_event *e)
{
	struct json token;
	if (e->choice >= g->n)
		return OK;
	if (is_token(e, &token))
		return arena_dup(g->arena, token.text, &g->chunks.token);
	const enum err err = name_it(g);
	return err ? err : candidate_take(&g->candidates[e->choice], e);
}

static enum err take_finish(struct encoder *g, const struct llm_event *e)
{
	if (e->choice >= g->n)
		return OK;
	struct candidate *c = &g->candidates[e->choice];
	c->is_seen = true;
	c->finish = e->finish.finish;
	return arena_dup(g->arena, e->finish.native, &c->native);
}

static enum err take_end(struct encoder *g, const struct llm_event *e)
{
	enum err err = name_it(g);
	g->is_over = true;
	g->candidates[0].is_seen = true;
	for (size_t i = 0; !err && i < g->n; i++)
		err = candidate_end(&g->candidates[i]);
	chunks_count(&g->chunks, &e->end.usage);
	if (err)
		return err;
	struct json_out o = chunks_open(&g->chunks);
	for (size_t i = 0; !err && i < g->n; i++) {
		if (g->candidates[i].is_seen)
			err = candidate_put_last(&g->candidates[i], &o);
	}
	chunks_close(&g->chunks);
	chunks_end(&g->chunks);
	return err;
}

static enum err take(struct encoder *g, const struct llm_event *e)
{
	switch (e->type) {
	case EV_START:
		return take_start(g, e);
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_OPAQUE:
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
	case EV_PART:
	case EV_LOGPROBS:
		return take_content(g, e);
	case EV_USAGE:
		chunks_count(&g->chunks, &e->usage);
		return OK;
	case EV_FINISH:
		return take_finish(g, e);
	case EV_END:
		return take_end(g, e);
	case EV_FAULT:
		g->is_over = true;
		chunks_fail(&g->chunks, e->fault);
		return OK;
	default: /* what the broker does meanwhile, and what no chat gives */
		return OK;
	}
}

enum err gemini_encode(struct encoder *g, const struct llm_event *e, struct buf *out)
{
	if (g->is_over)
		return OK;
	g->chunks.out = out;
	const enum err err = take(g, e);
	return err ? err : buf_error(out);
}
