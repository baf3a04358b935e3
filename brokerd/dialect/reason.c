/* reason.c - from a budget to a word, and from a word to one that is taken. */
#include "brokerd/dialect/reason.h"

#include "brokerd/dialect/effort.h"

enum err reason_lack(struct scribe *s, const char *what)
{
	static const char param[] = "reasoning.effort";
	const struct span model = s->target->model;
	return s->r->reasoning.is_wish ? scribe_drop(s, param, "%.*s %s", SPAN_ARG(model), what)
				       : scribe_refuse(s, param, "%.*s %s", SPAN_ARG(model), what);
}

/* The same where an effort is chosen already. */
static enum err unsend(struct scribe *s, struct span *effort, const char *what)
{
	*effort = SPAN_NONE;
	return reason_lack(s, what);
}

/* What the model makes of an effort: the effort to send, or absent to send none. */
static enum err fit(struct scribe *s, struct span *effort)
{
	const struct quirks *q = &s->target->quirks;
	const struct span wanted = *effort;
	if (words_have(q->efforts, wanted) ||
		(q->reasons == REASONS_UNKNOWN && !span_is_set(q->efforts)))
		return OK;
	if (span_is(wanted, "none")) {
		*effort = SPAN_NONE;
		if (q->reasons == REASONS_NEVER)
			return OK; /* as it is */
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	}
	*effort = effort_nearest(q->efforts, wanted);
	if (!span_is_set(*effort) && words_have(q->efforts, SPAN("default")))
		*effort = SPAN("default"); /* some know no more than that and "none" */
	if (q->reasons == REASONS_NEVER)
		return unsend(s, effort, "does not reason");
	if (!span_is_set(*effort) || q->reasoning_by == REASONING_BY_NOTHING)
		return unsend(s, effort, "takes no effort");
	if (span_eq(*effort, wanted))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"the effort went out as \"%.*s\", the nearest that %.*s takes", SPAN_ARG(*effort),
		SPAN_ARG(s->target->model));
}

enum err reason_plan(struct scribe *s, struct reason *out)
{
	const struct reasoning *r = &s->r->reasoning;
	const enum reasons reasons = s->target->quirks.reasons;
	enum err err = OK;
	*out = (struct reason){.effort = r->effort};
	if (r->budget_tokens.is_set && !span_is_set(r->effort)) {
		out->effort = effort_of_budget(r->budget_tokens.v);
		err = scribe_change(s, "emulated", "reasoning.budget_tokens",
			"the provider takes no budget of tokens: the effort \"%.*s\" stands for it",
			SPAN_ARG(out->effort));
	} else if (r->budget_tokens.is_set) {
		err = scribe_drop(s, "reasoning.budget_tokens",
			"the provider takes no budget of tokens; the effort decides");
	}
	if (!err && span_is_set(out->effort))
		err = fit(s, &out->effort);
	if (reasons != REASONS_UNKNOWN)
		out->is_on = span_is_set(out->effort) ? !span_is(out->effort, "none")
						      : reasons >= REASONS_UNLESS_NONE;
	return err;
}

bool reason_shuts_out(const struct scribe *s, const struct reason *r, const char *name)
{
	return r->is_on && words_have(s->target->quirks.drops_when_reasoning, span_str(name));
}

enum err reason_put_sampled(struct scribe *s, const struct reason *r, const struct sampled *x)
{
	if (!x->v.is_set)
		return OK;
	if (!x->is_known)
		return scribe_drop(s, x->name, "%.*s does not know %s",
			SPAN_ARG(s->target->provider), x->name);
	if (reason_shuts_out(s, r, x->name) && !x->is_plain)
		return scribe_drop(s, x->name, "%.*s takes no %s while it reasons",
			SPAN_ARG(s->target->model), x->name);
	json_key(&s->o, x->name);
	json_put_f64(&s->o, x->v.v);
	return OK;
}
