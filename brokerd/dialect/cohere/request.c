/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/cohere/cohere.h"
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/tools.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define NAME_BYTES ((size_t)64)

/* The names that are written here, for scribe_extra; the second where documents are. */
#define KNOWN_IN_REQUEST                                                                      \
	" model messages tools tool_choice strict_tools response_format max_tokens thinking " \
	"temperature p k seed stop_sequences frequency_penalty presence_penalty logprobs stream "
#define KNOWN_WITH_DOCUMENTS KNOWN_IN_REQUEST "documents "

/* ---- documents ---- */

/* Text files of the user's; *n: how many there are. */
static enum err put_documents(struct scribe *s, size_t *n)
{
	struct json_out *o = &s->o;
	enum err err = OK;
	*n = 0;
	for (size_t i = 0; i < s->r->n_messages; i++) {
		const struct message *m = &s->r->messages[i];
		for (size_t k = 0; k < m->n_parts; k++) {
			char path[64], id[32];
			struct media media;
			if (!cohere_is_document(m, &m->parts[k]))
				continue;
			(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", i, k);
			err = said_resolve(s, &m->parts[k], path, &media);
			if (err)
				return err;
			if (!utf8_is_valid(media.data))
				return scribe_refuse(
					s, path, "a text file that is no UTF-8 cannot be sent");
			if (*n == 0) {
				json_key(o, "documents");
				json_open(o, '[');
			}
			(void)snprintf(id, sizeof id, "doc:%zu", (*n)++);
			json_open(o, '{');
			json_pair_str(o, "id", span_str(id));
			json_key(o, "data");
			json_open(o, '{');
			json_pair_str(o, "title", media.filename);
			json_pair_str(o, "text", media.data);
			json_close(o, '}');
			json_close(o, '}');
			err = scribe_change(s, "emulated", path,
				"the text file went out as a document, which the answer may cite");
			if (err)
				return err;
		}
	}
	if (*n > 0)
		json_close(o, ']');
	return OK;
}

/* ---- reasoning ---- */

static enum err put_thinking(struct scribe *s)
{
	const struct reasoning *r = &s->r->reasoning;
	const enum reasons reasons = s->target->quirks.reasons;
	const int64_t most = s->target->quirks.budget_max;
	const bool is_off = span_is(r->effort, "none");
	int64_t budget =
		r->budget_tokens.is_set ? r->budget_tokens.v : effort_budget(r->effort, most);
	enum err err = OK;
	if (!span_is_set(r->effort) && !r->budget_tokens.is_set)
		return OK;
	if (is_off && reasons == REASONS_NEVER)
		return OK;
	if (!is_off && reasons == REASONS_NEVER)
		return reason_lack(s, "does not reason");
	if (is_off && reasons == REASONS_ALWAYS)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	if (!r->budget_tokens.is_set && !span_is(r->effort, "max")) /* which has no bound */
		budget = effort_budget(r->effort, most > 0 ? most : INT64_MAX);
	if (most > 0 && budget > most) {
		budget = most;
		err = scribe_change(s, "clamped_parameter", "reasoning.budget_tokens",
			"%.*s reasons with at most %lld tokens", SPAN_ARG(s->target->model),
			(long long)most);
	}
	json_key(&s->o, "thinking");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", is_off ? SPAN("disabled") : SPAN("enabled"));
	if (!is_off && budget > 0)
		json_pair_i64(&s->o, "token_budget", budget);
	json_close(&s->o, '}');
	return err;
}

/* ---- limits and sampling ---- */

static enum err put_max_tokens(struct scribe *s)
{
	int64_t n;
	const enum err err = bounds_max_tokens(s, &n);
	if (n > 0)
		json_pair_i64(&s->o, "max_tokens", n);
	return err;
}

/* A number that is held within what the provider takes. */
struct bounded {
	const char *name, *theirs;
	struct opt_f64 v;
	double least, most;
};

static enum err put_bounded(struct scribe *s, const struct bounded *b)
{
	const double v = b->v.v < b->least ? b->least : b->v.v > b->most ? b->most : b->v.v;
	if (!b->v.is_set)
		return OK;
	json_key(&s->o, b->theirs);
	json_put_f64(&s->o, v);
	if (v >= b->v.v && v <= b->v.v)
		return OK;
	return scribe_change(s, "clamped_parameter", b->name,
		"%s went out as %g: %.*s takes %g to %g", b->name, v, SPAN_ARG(s->target->provider),
		b->least, b->most);
}

static enum err put_logprobs(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if ((r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set)
		json_pair_bool(&s->o, "logprobs", true);
	if (!r->top_logprobs.is_set || r->top_logprobs.v == 0)
		return OK;
	return scribe_drop(s, "top_logprobs", "%.*s gives the logprobs of its own tokens only",
		SPAN_ARG(s->target->provider));
}

static enum err put_sampling(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct opt_f64 k = {r->top_k.is_set, (double)r->top_k.v};
	const struct bounded numbers[] = {
		{"temperature",       "temperature",       r->temperature,       0,    1e9 },
		{"top_p",             "p",                 r->top_p,             0.01, 0.99},
		{"top_k",             "k",                 k,                    0,    500 },
		{"frequency_penalty", "frequency_penalty", r->frequency_penalty, 0,    1   },
		{"presence_penalty",  "presence_penalty",  r->presence_penalty,  0,    1   },
	};
	enum err err = OK;
	for (size_t i = 0; !err && i < COUNT_OF(numbers); i++)
		err = put_bounded(s, &numbers[i]);
	if (r->seed.is_set)
		json_pair_i64(&s->o, "seed", r->seed.v);
	if (!err)
		err = bounds_put_stops(s, "stop_sequences", (size_t)s->target->quirks.stops_max);
	return err ? err : put_logprobs(s);
}

/* ---- tools ---- */

/* Tools are held to their schemas all or none. */
static void put_strict(struct scribe *s)
{
	bool is_strict = false;
	for (size_t i = 0; i < s->r->n_tools; i++) {
		const struct tool *tool = &s->r->tools[i];
		is_strict = is_strict ||
			    (tool->strict.is_set && tool->strict.v && tools_is_allowed(s->r, tool));
	}
	if (is_strict)
		json_pair_bool(&s->o, "strict_tools", true);
}

static enum err put_tools(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	enum err err = OK;
	if (s->r->n_tools == 0)
		return OK;
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		struct tool tool = s->r->tools[i];
		tool.strict.is_set = false;
		if (tools_is_allowed(s->r, &tool))
			err = functions_put_tool(s, &tool, i);
	}
	json_close(&s->o, ']');
	put_strict(s);
	if (c->mode == CHOICE_NONE)
		json_pair_str(&s->o, "tool_choice", SPAN("NONE"));
	else if (c->mode == CHOICE_REQUIRED || c->mode == CHOICE_NAMED)
		json_pair_str(&s->o, "tool_choice", SPAN("REQUIRED"));
	if (!err && s->r->parallel_tool_calls.is_set && !s->r->parallel_tool_calls.v)
		err = scribe_drop(s, "parallel_tool_calls",
			"%.*s cannot be kept from calling several tools at once",
			SPAN_ARG(s->target->provider));
	return err;
}

static void put_format(struct scribe *s)
{
	const struct response_format *f = &s->r->response_format;
	if (f->type != FORMAT_JSON && f->type != FORMAT_SCHEMA)
		return;
	json_key(&s->o, "response_format");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("json_object"));
	if (f->type == FORMAT_SCHEMA)
		json_pair_raw(&s->o, "json_schema", f->schema);
	json_close(&s->o, '}');
}

/* ---- the rest ---- */

/* What this family has no member for. */
static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct unsaid unknown[] = {
		{"min_p",                       r->min_p.is_set                            },
		{"repetition_penalty",          r->repetition_penalty.is_set               },
		{"logit_bias",                  span_is_set(r->logit_bias)                 },
		{"user",                        span_is_set(r->user)                       },
		{"metadata",                    r->n_metadata > 0                          },
		{"service_tier",                span_is_set(r->service_tier)               },
		{"verbosity",                   span_is_set(r->verbosity)                  },
		{"response_format.description", span_is_set(r->response_format.description)},
		{"cache.ttl",                   span_is_set(r->cache_ttl)                  },
	};
	if (r->n.is_set && r->n.v != 1)
		return scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	for (size_t i = 0; i < r->n_modalities; i++) {
		if (!span_is(r->modalities[i], "text"))
			return scribe_refuse(s, "modalities", "%.*s answers in text only",
				SPAN_ARG(s->target->provider));
	}
	enum err err = scribe_drop_unsaid(s, unknown, COUNT_OF(unknown));
	if (!err)
		err = scribe_drop_names(s);
	return err ? err : scribe_drop_marks(s);
}

static enum err put_body(struct scribe *s)
{
	size_t documents = 0;
	enum err err = tools_prepare(s, NAME_BYTES); /* before calls that use the names */
	json_open(&s->o, '{');
	json_pair_str(&s->o, "model", s->target->model);
	if (!err)
		err = cohere_put_messages(s);
	if (!err)
		err = put_documents(s, &documents);
	if (!err)
		err = put_tools(s);
	put_format(s);
	if (!err)
		err = put_max_tokens(s);
	if (!err)
		err = put_thinking(s);
	if (!err)
		err = put_sampling(s);
	if (!err)
		err = drop_unknown(s);
	if (!err)
		err = scribe_extra(s, &s->r->extra, "",
			documents > 0 ? KNOWN_WITH_DOCUMENTS : KNOWN_IN_REQUEST);
	json_pair_bool(&s->o, "stream", s->notes->is_reply_streamed);
	json_close(&s->o, '}');
	return err;
}

enum err cohere_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	enum err err = put_body(&s);
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/chat"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
