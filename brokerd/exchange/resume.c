/* resume.c - the text that was shown is kept as it goes by, once; what a target is given of it is made when it is wanted. */
#include "brokerd/exchange/resume.h"

#include <stdio.h>

#include "brokerd/dialect/estimate.h"
#include "brokerd/exchange/steps.h"
#include "brokerd/log/log.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

/* With fewer tokens nothing is finished; see bounds.c. */
#define OUTPUT_LEAST INT64_C(16)

void resume_init(struct resume *r)
{
	*r = (struct resume){.is_on = false};
	buf_init(&r->shown, LIMIT_BODY_BYTES);
	buf_init(&r->prefill, LIMIT_BODY_BYTES);
}

void resume_done(struct resume *r)
{
	buf_done(&r->shown);
	buf_done(&r->prefill);
}

void resume_begin(struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct model *alias = f->route.alias;
	x->resume.is_on = alias && alias->route.is_resumed && f->op == LLM_OP_CHAT &&
			  (!f->request.n.is_set || f->request.n.v == 1) && !exchange_sends_once(x);
}

/* ---- what was shown ---- */

/* What is left of a piece of the text when what came again of the white space that was not given is taken away. */
static struct span join(struct resume *r, struct span text)
{
	while (r->joined < r->whole && text.n > 0 && text.p[0] == r->shown.p[r->joined]) {
		text = span_skip(text, 1);
		r->joined++;
	}
	if (text.n > 0)
		r->joined = r->whole; /* something else has come: what is behind that stays */
	return text;
}

static void forget(struct resume *r)
{
	buf_done(&r->shown);
	r->counted = r->given = r->joined = r->whole = 0;
}

static void note(struct resume *r, const struct llm_event *e)
{
	const bool is_thought = e->type == EV_REASONING || e->type == EV_OPAQUE;
	if (!event_is_content(e->type) && e->type != EV_FINISH)
		return;
	if (e->choice == 0 && e->type == EV_TEXT && !r->is_over)
		buf_span(&r->shown, e->text);
	else if (e->choice != 0 || !is_thought)
		r->is_over = true;
	if (buf_error(&r->shown))
		r->is_over = true;
	if (r->is_over)
		forget(r);
}

/* Who goes on, from where the other one broke off. */
static enum err tell_seam(struct exchange *x)
{
	struct resume *r = &x->resume;
	const struct target *t = exchange_target(x);
	char said[700], why[240];
	struct llm_event e = {.type = EV_WARNING};
	r->is_due = false;
	fault_text(why, sizeof why, span_str(r->broke->message)); /* no character is cut */
	(void)snprintf(said, sizeof said, "%.*s/%.*s broke off (%s: %s): %.*s/%.*s goes on",
		SPAN_ARG(span_first(r->provider, 64)), SPAN_ARG(span_first(r->model, 128)),
		err_info(r->broke->err)->word, why, SPAN_ARG(span_first(t->provider, 64)),
		SPAN_ARG(span_first(t->model, 128)));
	e.warning.code = SPAN("resumed");
	e.warning.message = span_str(said);
	return flight_put(x->flight, &e);
}

enum err resume_put(struct exchange *x, const struct llm_event *e)
{
	struct resume *r = &x->resume;
	struct llm_event joined;
	enum err err = OK;
	if (!r->is_on)
		return flight_put(x->flight, e);
	if (e->type == EV_TEXT && e->choice == 0 && r->joined < r->whole) {
		joined = *e;
		joined.text = join(r, e->text);
		if (joined.text.n == 0)
			return OK;
		e = &joined;
	}
	if (r->is_due && (event_is_content(e->type) || e->type == EV_FINISH))
		err = tell_seam(x);
	if (!err)
		err = flight_put(x->flight, e);
	if (!err)
		note(r, e);
	return err;
}

/* ---- who can go on ---- */

/* Without the white space at its end: some providers refuse a beginning that ends so, and others go on worse. */
static size_t without_blanks(struct span text)
{
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	return text.n;
}

static bool has_words(const struct resume *r)
{
	return without_blanks(buf_view(&r->shown)) > 0;
}

/* What the caller himself began for the assistant; NULL: nothing. */
static const struct message *begun(const struct llm_request *r)
{
	const struct message *last = r->n_messages > 0 ? &r->messages[r->n_messages - 1] : NULL;
	return last && last->role == ROLE_ASSISTANT ? last : NULL;
}

/* Words can be put behind words alone. */
static bool takes_words(const struct llm_request *r)
{
	const struct message *m = begun(r);
	const enum format_type format = r->response_format.type;
	if (format == FORMAT_JSON || format == FORMAT_SCHEMA)
		return false;
	for (size_t i = 0; m && i < m->n_parts; i++) {
		if (m->parts[i].type != PART_TEXT)
			return false;
	}
	return true;
}

/* A Claude that thinks begins by that, and refuses words that it is to begin with. */
static bool thinks_first(const struct llm_request *r, const struct quirks *q)
{
	const struct span effort = r->reasoning.effort;
	const bool is_asked = r->reasoning.budget_tokens.is_set ||
			      (span_is_set(effort) && !span_is(effort, "none"));
	if (q->reasoning_by != REASONING_BY_BUDGET && q->reasoning_by != REASONING_BY_ADAPTIVE)
		return false;
	return q->reasons == REASONS_ALWAYS || (is_asked && q->reasons != REASONS_NEVER);
}

bool resume_can(const struct exchange *x, const struct target *t)
{
	const struct flight *f = x->flight;
	if (attempt_is_local(t, f->op))
		return false;
	if (!has_words(&x->resume))
		return true;
	/* in which an assistant's message is always one that is finished */
	if (span_is(t->family, "openai-responses"))
		return false;
	return t->quirks.prefill != PREFILL_NO && !thinks_first(&f->request, &t->quirks);
}

/* The same in another of its languages, where that can. False: it cannot in any. */
static bool find_words(struct exchange *x, struct target *t)
{
	struct flight *f = x->flight;
	struct target other;
	if (resume_can(x, t))
		return true;
	if (span_is_set(t->quirks.dialect)) /* the model is to be had in that one alone */
		return false;
	for (size_t d = 0; route_in_dialect(f->config, d, t, &other); d++) {
		const struct dialect *spoken = dialect_find(other.family);
		if (!spoken || !spoken->ops[f->op] || !resume_can(x, &other))
			continue;
		*t = other;
		return repair_apply(&x->organs->repairs, t, &f->arena) == OK;
	}
	return false;
}

/* Whatever is asked from now on of those behind the target in hand: each can go on. */
static void narrow(struct exchange *x)
{
	struct flight *f = x->flight;
	struct target *all = f->route.targets;
	size_t n = f->leg->target + 1;
	for (size_t i = n; i < f->route.n; i++) {
		if (find_words(x, &all[i]))
			all[n++] = all[i];
	}
	f->route.n = n;
	x->n_put_off = 0;
	if (x->n_warned > f->leg->target + 1)
		x->n_warned = f->leg->target + 1;
}

bool resume_may(struct exchange *x)
{
	struct resume *r = &x->resume;
	const struct flight *f = x->flight;
	if (r->is_on && !f->has_content) { /* what was held back never came */
		forget(r);
		r->is_over = false;
	}
	if (!r->is_on || r->is_over || !f->has_batch_content)
		return false;
	if (has_words(r) && !takes_words(&f->request))
		return false;
	narrow(x);
	return true;
}

/* ---- with what ---- */

/* The text behind what the caller began, as the end of the last message. */
static enum err make_message(struct exchange *x)
{
	struct resume *r = &x->resume;
	struct flight *f = x->flight;
	const struct message *before = begun(&f->request);
	const size_t n_parts = before && before->n_parts > 0 ? before->n_parts : 1;
	const size_t n = f->request.n_messages - (before != NULL);
	buf_clear(&r->prefill);
	if (before && before->n_parts > 0)
		buf_span(&r->prefill, before->parts[n_parts - 1].text);
	buf_span(&r->prefill, span_first(buf_view(&r->shown), r->given));
	if (buf_error(&r->prefill))
		return buf_error(&r->prefill);
	if (!r->messages) {
		struct message *all = arena_array(&f->arena, n + 1, sizeof *all);
		struct part *parts = arena_array(&f->arena, n_parts, sizeof *parts);
		if (!all || !parts)
			return ERR_NO_MEMORY;
		if (n > 0)
			memcpy(all, f->request.messages, n * sizeof *all);
		all[n] = before ? *before : (struct message){.role = ROLE_ASSISTANT};
		parts[0] = (struct part){.type = PART_TEXT};
		if (before && before->n_parts > 0)
			memcpy(parts, before->parts, n_parts * sizeof *parts);
		all[n].parts = parts;
		all[n].n_parts = n_parts;
		r->messages = all;
		r->n_messages = n + 1;
	}
	r->messages[n].parts[n_parts - 1].text = buf_view(&r->prefill);
	return OK;
}

/* What is written already is no longer to be written, and is read. How much that is its provider has mostly not told when it
 * breaks off: then it is estimated, for an answer that is a little short of its bound is better than one far over it. */
static void count(struct exchange *x)
{
	struct resume *r = &x->resume;
	const struct flight *f = x->flight;
	struct opt_i64 *most = &x->asked_max_tokens;
	const int64_t least = most->v < OUTPUT_LEAST ? most->v : OUTPUT_LEAST;
	const struct span text = span_skip(buf_view(&r->shown), r->counted);
	const int64_t before = f->settled.output > 0 ? f->settled.output : 0;
	int64_t written = estimate_text(text);
	x->estimate_tokens = num_add_sat(x->estimate_tokens, written);
	if (text.n > 0 && f->leg->has_usage && f->leg->usage.output - before > written)
		written = f->leg->usage.output - before;
	if (most->is_set)
		most->v = most->v - written > least ? most->v - written : least;
	r->counted = r->shown.n;
}

enum err resume_take(struct exchange *x, const struct fault *why)
{
	struct resume *r = &x->resume;
	const struct target *t = exchange_target(x);
	count(x);
	r->whole = r->shown.n;
	r->given = without_blanks(buf_view(&r->shown));
	if (!r->broke)
		r->broke = arena_array(&x->flight->arena, 1, sizeof *r->broke);
	if (!r->broke)
		return ERR_NO_MEMORY;
	const enum err err = r->given > 0 ? make_message(x) : OK;
	if (err)
		return err;
	flight_settle(x->flight);
	*r->broke = *why;
	r->provider = t->provider;
	r->model = t->model;
	r->is_due = true;
	log_info("exchange.broke_off", "id=%s shown_bytes=%zu class=%s", x->id, r->shown.n,
		err_info(why->err)->word);
	return OK;
}

void resume_apply(struct exchange *x)
{
	struct resume *r = &x->resume;
	struct flight *f = x->flight;
	r->joined = r->given;
	if (!r->messages)
		return;
	f->leg->asked.messages = r->messages;
	f->leg->asked.n_messages = r->n_messages;
}

/* ---- what is told ---- */

const struct fault *resume_tells(const struct exchange *x, const struct fault *why)
{
	const bool is_callers = why->err == ERR_CANCELLED || why->err == ERR_SLOW_CONSUMER;
	return x->resume.is_due && !x->flight->leg->attempt && !is_callers ? x->resume.broke : why;
}
