/* reasoning.c - how a host of this family is asked to reason: by a word, a switch, a budget. */
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"

/* Is it asked for in another form than a word of `efforts`? */
static bool is_switched(enum reasoning_by by)
{
	switch (by) {
	case REASONING_BY_SWITCH:
	case REASONING_BY_FLAG:
	case REASONING_BY_OBJECT:
	case REASONING_BY_TEMPLATE:
	case REASONING_BY_DISABLE:
		return true;
	case REASONING_BY_NOTHING:
	case REASONING_BY_EFFORT:
	case REASONING_BY_BUDGET:
	case REASONING_BY_ADAPTIVE:
	case REASONING_BY_LEVEL:
	case REASONING_BY_THINK:
	case REASONING_BY_MODE:
	case REASONING_BY_CONFIG:
		return false;
	}
	return false;
}

static bool is_own_word(struct span name)
{
	static const char *const words[] = {"reasoning", "thinking", "enable_thinking",
		"thinking_budget", "chat_template_kwargs", "reasoning_format", "disable_reasoning"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_is_nocase(name, words[i]))
			return true;
	}
	return false;
}

bool openai_chat_has_own_reasoning(const struct llm_request *r, struct span family)
{
	for (size_t i = 0; span_eq(r->extra.family, family) && i < r->extra.n; i++) {
		if (is_own_word(r->extra.members[i].name))
			return true;
	}
	return false;
}

bool openai_chat_is_own_reasoning(struct span name)
{
	return is_own_word(name) || span_is(name, "reasoning_effort");
}

enum err openai_chat_plan_reasoning(struct scribe *s, struct reason *out)
{
	const struct quirks *q = &s->target->quirks;
	const struct reasoning *r = &s->r->reasoning;
	if (openai_chat_has_own_reasoning(s->r, s->target->family)) {
		*out = (struct reason){.effort = SPAN_NONE};
		out->is_on = q->reasons != REASONS_UNKNOWN && span_is_set(r->effort) &&
			     !span_is(r->effort, "none");
		return OK;
	}
	if (!is_switched(q->reasoning_by))
		return reason_plan(s, out);
	const bool is_none = span_is(r->effort, "none");
	const bool is_asked = !is_none && (span_is_set(r->effort) || r->budget_tokens.is_set);
	*out = (struct reason){.effort = r->effort, .is_on = q->reasons >= REASONS_UNLESS_NONE};
	if (is_none && q->reasons == REASONS_ALWAYS)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	if (is_asked && q->reasons == REASONS_NEVER) {
		out->effort = SPAN_NONE;
		return reason_lack(s, "does not reason");
	}
	if (is_none || is_asked)
		out->is_on = is_asked;
	return OK;
}

/* The effort that stands for what was asked, of those that the model takes. Absent: it takes none. */
static enum err fit_effort(struct scribe *s, struct span *out)
{
	const struct reasoning *r = &s->r->reasoning;
	const struct quirks *q = &s->target->quirks;
	const struct span wanted =
		span_is_set(r->effort) ? r->effort : effort_of_budget(r->budget_tokens.v);
	*out = span_is_set(q->efforts) ? effort_nearest(q->efforts, wanted) : SPAN_NONE;
	if (span_eq(*out, r->effort))
		return OK;
	if (span_is_set(*out))
		return scribe_change(s, span_is_set(r->effort) ? "clamped_parameter" : "emulated",
			span_is_set(r->effort) ? "reasoning.effort" : "reasoning.budget_tokens",
			"the effort went out as \"%.*s\", the nearest that %.*s takes",
			SPAN_ARG(*out), SPAN_ARG(s->target->model));
	return scribe_change(s, "emulated", "reasoning",
		"%.*s reasons or does not: how much is left to it", SPAN_ARG(s->target->model));
}

/* Has the conversation reasoning that goes back? */
static bool has_history(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			if (r->messages[i].parts[k].type == PART_REASONING)
				return true;
		}
	}
	return false;
}

/* thinking: {"type": ...}, and beside it an effort where the model takes some. */
static enum err put_switch(struct scribe *s, const struct reason *p, bool is_asked)
{
	const struct quirks *q = &s->target->quirks;
	struct json_out *o = &s->o;
	const bool keeps = q->has_clear_thinking && p->is_on &&
			   q->reasoning_history == REASONING_HISTORY_FIELD && has_history(s->r);
	struct span effort = SPAN_NONE;
	enum err err = OK;
	if (is_asked && p->is_on)
		err = fit_effort(s, &effort);
	if ((is_asked && q->reasons != REASONS_NEVER) || keeps) {
		json_key(o, "thinking");
		json_open(o, '{');
		json_pair_str(o, "type", p->is_on ? SPAN("enabled") : SPAN("disabled"));
		if (keeps)
			json_pair_bool(o, "clear_thinking", false);
		json_close(o, '}');
	}
	json_pair_str(o, "reasoning_effort", effort);
	return err;
}

/* enable_thinking, thinking_budget */
static enum err put_flag(struct scribe *s, const struct reason *p)
{
	const struct reasoning *r = &s->r->reasoning;
	struct json_out *o = &s->o;
	if (s->target->quirks.reasons != REASONS_NEVER)
		json_pair_bool(o, "enable_thinking", p->is_on);
	if (!p->is_on)
		return OK;
	if (r->budget_tokens.is_set) {
		json_pair_i64(o, "thinking_budget", r->budget_tokens.v);
		return OK;
	}
	const int64_t budget = effort_budget(r->effort, INT64_MAX);
	if (budget < INT64_MAX)
		json_pair_i64(o, "thinking_budget", budget);
	return scribe_change(s, "emulated", "reasoning.effort",
		"%.*s takes a budget of tokens, which stands for the effort",
		SPAN_ARG(s->target->provider));
}

/* reasoning: {"effort" | "max_tokens", "exclude"} */
static enum err put_object(struct scribe *s, const struct reason *p)
{
	const struct reasoning *r = &s->r->reasoning;
	const bool is_hidden = span_is(r->expose, "none");
	struct json_out *o = &s->o;
	struct span effort = p->effort;
	enum err err = OK;
	if (!span_is_set(effort) && !r->budget_tokens.is_set && !is_hidden)
		return OK;
	if (span_is(effort, "max")) {
		effort = SPAN("xhigh");
		err = scribe_change(s, "clamped_parameter", "reasoning.effort",
			"the effort went out as \"xhigh\", the highest that %.*s takes",
			SPAN_ARG(s->target->provider));
	}
	if (!err && r->budget_tokens.is_set && span_is_set(effort))
		err = scribe_drop(s, "reasoning.budget_tokens",
			"%.*s takes an effort or a budget of tokens: the effort decides",
			SPAN_ARG(s->target->provider));
	json_key(o, "reasoning");
	json_open(o, '{');
	json_pair_str(o, "effort", effort);
	if (!span_is_set(effort) && r->budget_tokens.is_set)
		json_pair_i64(o, "max_tokens", r->budget_tokens.v);
	if (is_hidden)
		json_pair_bool(o, "exclude", true);
	json_close(o, '}');
	return err;
}

/* A flag of the model's template, or one that stops it. */
static enum err put_plain(struct scribe *s, const struct reason *p)
{
	const struct reasoning *r = &s->r->reasoning;
	struct json_out *o = &s->o;
	if (s->target->quirks.reasoning_by == REASONING_BY_DISABLE) {
		json_pair_bool(o, "disable_reasoning", !p->is_on);
	} else {
		json_key(o, "chat_template_kwargs");
		json_open(o, '{');
		json_pair_bool(o, "enable_thinking", p->is_on);
		json_close(o, '}');
	}
	return p->is_on && (r->budget_tokens.is_set || span_is_set(r->effort))
		       ? scribe_change(s, "emulated", "reasoning",
				 "%.*s reasons or does not: how much is left to it",
				 SPAN_ARG(s->target->model))
		       : OK;
}

enum err openai_chat_put_reasoning(struct scribe *s, const struct reason *p)
{
	const struct quirks *q = &s->target->quirks;
	const struct reasoning *r = &s->r->reasoning;
	const bool is_asked = span_is_set(r->effort) || r->budget_tokens.is_set;
	enum err err = OK;
	if (openai_chat_has_own_reasoning(s->r, s->target->family))
		return OK;
	switch (q->reasoning_by) {
	case REASONING_BY_SWITCH:
		err = put_switch(s, p, is_asked);
		break;
	case REASONING_BY_FLAG:
		err = is_asked ? put_flag(s, p) : OK;
		break;
	case REASONING_BY_OBJECT:
		err = put_object(s, p);
		break;
	case REASONING_BY_TEMPLATE:
	case REASONING_BY_DISABLE:
		err = is_asked && q->reasons != REASONS_NEVER ? put_plain(s, p) : OK;
		break;
	case REASONING_BY_NOTHING:
	case REASONING_BY_EFFORT:
	case REASONING_BY_BUDGET:
	case REASONING_BY_ADAPTIVE:
	case REASONING_BY_LEVEL:
	case REASONING_BY_THINK:
	case REASONING_BY_MODE:
	case REASONING_BY_CONFIG:
		json_pair_str(&s->o, "reasoning_effort", p->effort);
		break;
	}
	if (q->has_reasoning_format && p->is_on)
		json_pair_str(&s->o, "reasoning_format",
			span_is(r->expose, "none") ? SPAN("hidden") : SPAN("parsed"));
	return err;
}
