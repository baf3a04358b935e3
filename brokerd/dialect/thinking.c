/* thinking.c - a budget must leave room for the answer; an effort must be one that the model knows. */
#include "brokerd/dialect/thinking.h"

#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/history.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/value/words.h"

#define BUDGET_LEAST INT64_C(1024)

enum err thinking_fit_max_tokens(struct scribe *s, struct thinking *t)
{
	const int64_t known = s->target->max_output_tokens;
	const int64_t most = known > 0 ? known : s->target->quirks.tokens_max;
	t->max_tokens = s->r->max_tokens.is_set ? s->r->max_tokens.v : most;
	if (known <= 0 || t->max_tokens <= known)
		return OK;
	t->max_tokens = known;
	return scribe_change(s, "clamped_parameter", "max_tokens",
		"%.*s writes at most %lld tokens", SPAN_ARG(s->target->model), (long long)known);
}

static int64_t most_tokens(const struct target *t)
{
	return t->max_output_tokens > 0 ? t->max_output_tokens : t->quirks.tokens_max;
}

/* How many tokens it is to think. */
static int64_t choose_budget(const struct llm_request *r, const struct target *t)
{
	const struct opt_i64 asked = r->reasoning.budget_tokens;
	const int64_t most = most_tokens(t) - 1;
	const int64_t budget =
		asked.is_set ? asked.v
			     : effort_budget(r->reasoning.effort, most < 63999 ? most : 63999);
	return budget > BUDGET_LEAST ? budget : BUDGET_LEAST;
}

/* max_tokens with room for as much, no more than the model writes. */
static int64_t with_room(int64_t max_tokens, int64_t budget, int64_t most)
{
	if (max_tokens > budget)
		return max_tokens;
	return budget < most - max_tokens ? max_tokens + budget : most;
}

/* Thinking by so many tokens: they must leave room in max_tokens. */
static enum err fit_budget(struct scribe *s, struct thinking *t)
{
	const int64_t most = most_tokens(s->target);
	const int64_t asked = t->max_tokens;
	t->kind = THINKING_ENABLED;
	t->budget = choose_budget(s->r, s->target);
	if (t->max_tokens > t->budget)
		return OK;
	t->max_tokens = with_room(asked, t->budget, most);
	if (t->max_tokens - asked <
		t->budget) /* the answer has what it asked for, if there is room */
		t->budget = t->max_tokens - asked >= BUDGET_LEAST ? t->max_tokens - asked
								  : t->max_tokens - 1;
	if (t->budget < BUDGET_LEAST)
		return scribe_refuse(s, "max_tokens",
			"max_tokens leaves no room for reasoning: it must be more than %lld",
			(long long)BUDGET_LEAST);
	return scribe_change(s, "clamped_parameter", "max_tokens",
		"max_tokens went out as %lld, with %lld of them for reasoning",
		(long long)t->max_tokens, (long long)t->budget);
}

/* Thinking by effort, in the words that the model takes. */
static enum err fit_effort(struct scribe *s, struct thinking *t)
{
	const struct span asked = s->r->reasoning.effort;
	t->kind = THINKING_ADAPTIVE;
	if (s->r->reasoning.budget_tokens.is_set) {
		const enum err err = scribe_drop(s, "reasoning.budget_tokens",
			"%.*s takes no budget of tokens: it decides by itself",
			SPAN_ARG(s->target->model));
		if (err || !span_is_set(asked))
			return err;
	}
	const struct span taken = s->target->quirks.efforts;
	/* what is above high was asked for, so above high it stays */
	const bool is_raised = span_is(asked, "xhigh") && !words_have(taken, asked) &&
			       words_have(taken, SPAN("max"));
	t->effort = is_raised ? SPAN("max") : effort_nearest(taken, asked);
	if (span_eq(t->effort, asked))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"%.*s does not know the effort \"%.*s\": \"%.*s\" was asked for",
		SPAN_ARG(s->target->model), SPAN_ARG(asked), SPAN_ARG(t->effort));
}

/* ---- tool loops ---- */

/* Is it thinking that the provider itself signed or sealed? */
static bool is_signed(const struct part *p, struct span family)
{
	struct json v;
	if (!span_eq(p->opaque.family, family) ||
		json_scan(p->opaque.data, JSON_STRICT, &v, NULL) != OK)
		return false;
	const struct json type = json_member(v, "type");
	return json_is(type, "thinking") || json_is(type, "redacted_thinking") ||
	       !json_is_nil(json_member(v, "reasoningContent"));
}

/* Does a part of the assistant's go out? Blank texts, media and what others signed do not. */
static bool is_written(const struct part *p, struct span family)
{
	switch (p->type) {
	case PART_TEXT:
	case PART_REFUSAL:
		return span_trim(p->text).n > 0;
	case PART_TOOL_CALL:
		return true;
	case PART_REASONING:
	case PART_OPAQUE:
		return span_eq(p->opaque.family, family);
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		break;
	}
	return false;
}

/* Has a message of the user's or the system's anything in it? */
static bool has_content(const struct message *m)
{
	for (size_t k = 0; k < m->n_parts; k++) {
		if ((m->parts[k].type != PART_TEXT && m->parts[k].type != PART_REFUSAL) ||
			span_trim(m->parts[k].text).n > 0)
			return true;
	}
	return false;
}

static bool is_assistant(const struct turn *t)
{
	return t->m && t->m->role == ROLE_ASSISTANT;
}

/* Nothing of it goes out, so that what is before it and behind it become one turn. */
static bool is_silent(const struct turn *t)
{
	return t->m && t->m->role != ROLE_TOOL && t->m->role != ROLE_ASSISTANT &&
	       !has_content(t->m);
}

/* Does the last turn of the assistant's, as it is written, call tools without beginning with signed
 * thinking? A model with a budget then refuses to think. */
static bool lacks_thinking(const struct history *h, struct span family)
{
	const struct part *first = NULL;
	bool has_call = false;
	size_t end = h->n, begin;
	while (end > 0 && !is_assistant(&h->turns[end - 1]))
		end--;
	for (begin = end; begin > 0; begin--) {
		if (!is_assistant(&h->turns[begin - 1]) && !is_silent(&h->turns[begin - 1]))
			break;
	}
	for (; begin < end; begin++) {
		const struct message *m = h->turns[begin].m;
		for (size_t k = 0; m->role == ROLE_ASSISTANT && k < m->n_parts; k++) {
			has_call = has_call || m->parts[k].type == PART_TOOL_CALL;
			if (!first && is_written(&m->parts[k], family))
				first = &m->parts[k];
		}
	}
	return has_call && !is_signed(first, family);
}

/* The plan is made for its own sake here: what there is to say of it, its writer says. */
static enum err find_missing(struct scribe *s, bool *is_missing)
{
	struct notes quiet;
	struct history h;
	notes_init(&quiet, s->notes->arena);
	const enum err err =
		history_plan(s->r, (struct history_rules){.is_strict = true}, &quiet, &h, s->why);
	*is_missing = !err && lacks_thinking(&h, s->target->family);
	return err;
}

/* ---- all ---- */

static bool is_by_budget(const struct reasoning *r, const struct target *t)
{
	return t->quirks.reasoning_by != REASONING_BY_ADAPTIVE ||
	       (t->quirks.has_budgets && r->budget_tokens.is_set && !span_is_set(r->effort));
}

void thinking_bound_output(
	const struct llm_request *r, const struct target *t, struct output_bound *out)
{
	const bool is_asked = span_is_set(r->reasoning.effort) || r->reasoning.budget_tokens.is_set;
	if (out->asked < 0)
		out->asked = most_tokens(t);
	if (!is_asked || span_is(r->reasoning.effort, "none") ||
		t->quirks.reasons == REASONS_NEVER || !is_by_budget(&r->reasoning, t))
		return;
	out->reasoning = choose_budget(r, t);
	out->asked = with_room(out->asked, out->reasoning, most_tokens(t));
	out->least = BUDGET_LEAST + 1;
}

static enum err choose_kind(struct scribe *s, struct thinking *t)
{
	const struct reasoning *r = &s->r->reasoning;
	const bool is_off = span_is(r->effort, "none");
	t->kind = THINKING_SILENT;
	if (!span_is_set(r->effort) && !r->budget_tokens.is_set)
		return OK;
	if (is_off && s->target->quirks.reasons == REASONS_ALWAYS)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	if (is_off) {
		t->kind = s->target->quirks.reasoning_by == REASONING_BY_ADAPTIVE
				  ? THINKING_DISABLED
				  : THINKING_SILENT;
		return OK;
	}
	if (s->target->quirks.reasons == REASONS_NEVER)
		return reason_lack(s, "does not reason");
	if (!is_by_budget(r, s->target))
		return fit_effort(s, t);
	bool is_missing;
	const enum err err = find_missing(s, &is_missing);
	if (err)
		return err;
	if (is_missing)
		return scribe_change(s, "reasoning_dropped", "reasoning",
			"the tool loop began without reasoning, and the provider does not let it "
			"begin in the midst: this turn goes without");
	return fit_budget(s, t);
}

enum err thinking_put(struct scribe *s, const struct thinking *t, const char *below)
{
	struct json_out *o = &s->o;
	const bool is_hidden = span_is(s->r->reasoning.expose, "none");
	if (t->kind == THINKING_SILENT)
		return scribe_drop_below(s, &s->r->extra, "", below);
	json_key(o, "thinking");
	json_open(o, '{');
	if (t->kind == THINKING_DISABLED) {
		json_pair_str(o, "type", SPAN("disabled"));
	} else {
		json_pair_str(o, "type",
			t->kind == THINKING_ENABLED ? SPAN("enabled") : SPAN("adaptive"));
		if (t->kind == THINKING_ENABLED)
			json_pair_i64(o, "budget_tokens", t->budget);
		if (is_hidden)
			json_pair_str(o, "display", SPAN("omitted"));
		else if (s->target->quirks.has_thinking_display)
			json_pair_str(o, "display", SPAN("summarized"));
	}
	const enum err err =
		scribe_extra_below(s, &s->r->extra, "", below, " type budget_tokens display ");
	json_close(o, '}');
	return err;
}

enum err thinking_choose(struct scribe *s, struct thinking *t)
{
	const enum err err = thinking_fit_max_tokens(s, t);
	return err ? err : choose_kind(s, t);
}

bool thinking_is_on(const struct thinking *t)
{
	return t->kind == THINKING_ENABLED || t->kind == THINKING_ADAPTIVE;
}
