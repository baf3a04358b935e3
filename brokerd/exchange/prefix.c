/* prefix.c - a prompt is hashed once a request, and of most requests never. */
#include "brokerd/exchange/prefix.h"

#include "brokerd/dialect/marks.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/route/holders.h"

/* Is there something that could be held, and more than one who could? */
static bool is_looked_for(const struct exchange *x)
{
	const struct flight *f = x->flight;
	return f->route.n > 1 && (f->op == LLM_OP_CHAT || f->op == LLM_OP_COMPLETE) &&
	       (f->request.n_messages > 0 || span_is_set(x->session)) &&
	       allowance_prompt_cache(&x->allowance) != POLICY_PROMPTS_OFF;
}

void prefix_look(struct exchange *x, struct choose_view *views)
{
	const struct flight *f = x->flight;
	const struct holders *h = x->organs->holders;
	if (!h || !is_looked_for(x))
		return;
	const struct holders_ask ask = {
		.owner = x->owner,
		.model = f->request.model,
		.word = span_is_set(x->session) ? x->session : f->request.cache_key,
		.request = &f->request,
	};
	x->prompt_key = holders_key(h, &ask);
	x->prompt_holder = holders_find(h, x->prompt_key, loop_now_us(x->organs->loop));
	bool is_found = x->prompt_holder == 0;
	for (size_t i = 0; !is_found && i < f->route.n; i++)
		is_found = views[i].holds_prompt =
			holders_is(h, x->prompt_holder, &f->route.targets[i]);
}

bool prefix_is_held(const struct exchange *x)
{
	return holders_is(x->organs->holders, x->prompt_holder, exchange_target(x));
}

void prefix_tell(struct exchange *x)
{
	if (x->flight->route.n > 1 && prefix_is_held(x))
		trail_next(x, "it holds the beginning of the prompt");
}

void prefix_note(struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct llm_usage *u = &f->leg->usage;
	if (x->prompt_key == 0 || f->attempts == 0 || x->memo.cached.source != CACHE_NOT)
		return;
	const struct target *t = exchange_target(x);
	const bool is_kept = u->cache_read > 0 || u->cache_write > 0 || u->cache_write_5m > 0 ||
			     u->cache_write_1h > 0;
	const bool is_there = marks_are_needless(t) && x->outcome == OUTCOME_OK &&
			      usage_input_total(u) >= MARKS_LEAST_TOKENS;
	if (is_kept || is_there)
		holders_note(x->organs->holders, x->prompt_key, t, u->cache_write_1h > 0,
			loop_now_us(x->organs->loop));
}
