/* request.c - the unified request as this family writes it: a prompt and what is sampled how. */
#include <stdio.h>

#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/openai_completions/openai_completions.h"
#include "brokerd/dialect/openai_members.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

/* The names that are written here, for scribe_extra. A prompt that is more than one text comes as an
 * extra member. */
#define KNOWN_IN_REQUEST                                                                    \
	" model max_tokens temperature top_p top_k min_p presence_penalty "                 \
	"frequency_penalty repetition_penalty seed stop logit_bias logprobs n user stream " \
	"stream_options stream_options. "

static const struct extra_member *own_member(const struct llm_request *r, const char *name)
{
	for (size_t i = 0; i < r->extra.n; i++) {
		if (span_is(r->extra.family, OPENAI_COMPLETIONS_FAMILY) &&
			span_is_nocase(r->extra.members[i].name, name))
			return &r->extra.members[i];
	}
	return NULL;
}

/* ---- the prompt ---- */

/* Does the prompt come as an extra member, beside a message of no words? */
static bool has_own_prompt(const struct llm_request *r)
{
	return r->n_messages == 1 && r->messages[0].n_parts == 1 &&
	       r->messages[0].parts[0].type == PART_TEXT && r->messages[0].parts[0].text.n == 0 &&
	       own_member(r, "prompt");
}

/* What of the message is no prompt. */
static enum err check_message(struct scribe *s, const struct message *m, size_t at)
{
	char path[64];
	(void)snprintf(path, sizeof path, "messages[%zu].role", at);
	if (m->role != ROLE_USER || s->r->n_messages > 1)
		return scribe_refuse(s, path,
			"%.*s completes one text: only one message, the user's, can be sent",
			SPAN_ARG(s->target->model));
	for (size_t k = 0; k < m->n_parts; k++) {
		enum err err = OK;
		(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", at, k);
		if (m->parts[k].type != PART_TEXT)
			return scribe_refuse(
				s, path, "%.*s completes text only", SPAN_ARG(s->target->model));
		err = scribe_extra(
			s, &m->parts[k].extra, path, KNOWN_IN_REQUEST "prompt type text ");
		if (err)
			return err;
	}
	(void)snprintf(path, sizeof path, "messages[%zu]", at);
	return scribe_extra(s, &m->extra, path, KNOWN_IN_REQUEST "prompt role content ");
}

static enum err put_prompt(struct scribe *s)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	enum err err = OK;
	if (s->r->n_messages == 0)
		return fault_param(s->why, ERR_INVALID_REQUEST, "messages",
			"a message of the user's is wanted: it is the prompt");
	for (size_t i = 0; !err && i < s->r->n_messages; i++)
		err = check_message(s, &s->r->messages[i], i);
	if (err)
		return err;
	const struct message *m = &s->r->messages[0];
	if (has_own_prompt(s->r))
		return OK;
	said_text(m, "\n", &text);
	json_pair_str(&s->o, "prompt", buf_view(&text));
	if (m->name.n > 0)
		err = scribe_drop(s, "messages[0].name", "a prompt has no name");
	return err ? err : buf_error(&text);
}

/* ---- limits and sampling ---- */

/* With its prompt echoed, a model may be asked for no token at all. */
static enum err put_max_tokens(struct scribe *s)
{
	const int64_t n = s->r->max_tokens.v;
	if (!s->r->max_tokens.is_set)
		return OK;
	if (n < 0 || (n == 0 && !own_member(s->r, "echo")))
		return fault_param(
			s->why, ERR_INVALID_REQUEST, "max_tokens", "max_tokens must be 1 or more");
	if (s->target->max_output_tokens <= 0 || n <= s->target->max_output_tokens) {
		json_pair_i64(&s->o, "max_tokens", n);
		return OK;
	}
	json_pair_i64(&s->o, "max_tokens", s->target->max_output_tokens);
	return scribe_change(s, "clamped_parameter", "max_tokens",
		"%.*s writes at most %lld tokens", SPAN_ARG(s->target->model),
		(long long)s->target->max_output_tokens);
}

static enum err put_count(struct scribe *s, const char *name, struct opt_i64 v, bool is_known)
{
	if (!v.is_set)
		return OK;
	if (!is_known)
		return scribe_drop(
			s, name, "%.*s does not know %s", SPAN_ARG(s->target->provider), name);
	json_pair_i64(&s->o, name, v.v);
	return OK;
}

/* Here it is a number: of how many tokens beside the one that was chosen. */
static enum err put_logprobs(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if (!(r->logprobs.is_set && r->logprobs.v) && !r->top_logprobs.is_set)
		return OK;
	if (!s->target->quirks.has_logprobs)
		return scribe_drop(s, "logprobs", "%.*s at %.*s gives no logprobs",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	struct opt_i64 top = r->top_logprobs;
	const enum err err = bounds_top_logprobs(s, &top);
	json_pair_i64(&s->o, "logprobs", top.is_set ? top.v : 0);
	return err;
}

static enum err put_sampling(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct quirks *q = &s->target->quirks;
	const bool has_sampling = q->sampling != SAMPLING_NONE;
	const struct reason no_reason = {.is_on = false};
	struct opt_f64 heat = r->temperature, top_p = r->top_p;
	struct opt_f64 presence = r->presence_penalty, frequency = r->frequency_penalty;
	enum err err = has_sampling ? bounds_temperature(s, &heat) : OK;
	if (!err && has_sampling)
		err = bounds_top_p(s, &top_p);
	if (!err)
		err = openai_hold_penalties(s, &presence, &frequency);
	const struct sampled rows[] = {
		{"temperature",        heat,                  has_sampling,     false},
		{"top_p",              top_p,                 has_sampling,     false},
		{"min_p",              r->min_p,              q->has_top_k,     false},
		{"presence_penalty",   presence,              q->has_penalties, false},
		{"frequency_penalty",  frequency,             q->has_penalties, false},
		{"repetition_penalty", r->repetition_penalty, q->has_top_k,     false},
	};
	for (size_t i = 0; !err && i < COUNT_OF(rows); i++)
		err = reason_put_sampled(s, &no_reason, &rows[i]);
	if (!err)
		err = put_count(s, "top_k", r->top_k, q->has_top_k);
	if (!err)
		err = put_count(s, "seed", r->seed, q->has_seed);
	if (!err)
		err = openai_put_stops(s);
	if (!err && span_is_set(r->logit_bias))
		err = q->has_logit_bias
			      ? openai_put_logit_bias(s)
			      : scribe_drop(s, "logit_bias", "%.*s at %.*s takes no logit_bias",
					SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	if (!err)
		err = put_logprobs(s);
	return err ? err : openai_put_n(s);
}

/* ---- what a prompt cannot say ---- */

static enum err refuse_rest(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct span effort = r->reasoning.effort;
	bool is_plain = true;
	for (size_t i = 0; i < r->n_modalities; i++)
		is_plain = is_plain && span_is(r->modalities[i], "text");
	const struct {
		const char *param;
		bool is_asked;
	} rows[] = {
		{"tools",            r->n_tools > 0						       },
		{"tool_choice",      r->tool_choice.mode == CHOICE_REQUIRED ||
					r->tool_choice.mode == CHOICE_NAMED},
		{"response_format",  r->response_format.type > FORMAT_TEXT                                },
		{"reasoning.effort", span_is_set(effort) && !span_is(effort,                                "none")},
		{"reasoning.budget_tokens",                  r->reasoning.budget_tokens.is_set                                                              },
		{"modalities",                  !is_plain             },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].is_asked)
			return scribe_refuse(s, rows[i].param,
				"%.*s completes text, and knows no %s", SPAN_ARG(s->target->model),
				rows[i].param);
	}
	return OK;
}

static enum err drop_rest(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct unsaid unknown[] = {
		{"audio",        span_is_set(r->audio_voice) || span_is_set(r->audio_format)},
		{"metadata",     r->n_metadata > 0                                          },
		{"service_tier", span_is_set(r->service_tier)                               },
		{"verbosity",    span_is_set(r->verbosity)                                  },
	};
	enum err err = scribe_drop_unsaid(s, unknown, COUNT_OF(unknown));
	if (!err)
		err = scribe_drop_marks(s);
	return err;
}

enum err completions_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream || target->quirks.is_stream_forced;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = refuse_rest(&s);
	if (!err)
		err = put_prompt(&s);
	if (!err)
		err = put_max_tokens(&s);
	if (!err)
		err = put_sampling(&s);
	json_pair_str(&s.o, "user", r->user);
	if (!err)
		err = drop_rest(&s);
	if (!err)
		err = scribe_extra(&s, &r->extra, "",
			has_own_prompt(r) ? KNOWN_IN_REQUEST : KNOWN_IN_REQUEST "prompt ");
	if (!err)
		err = openai_put_stream(&s);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/completions"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
