/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/json_words.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/openai_members.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/stop_watch.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define NAME_BYTES   ((size_t)64)
#define METADATA_MAX ((size_t)16)

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_FORMAT " type json_schema json_schema. "
#define KNOWN_IN_SCHEMA " name description schema strict "
#define KNOWN_IN_REQUEST                                                                     \
	" model messages tools tool_choice parallel_tool_calls functions function_call "     \
	"response_format response_format. max_tokens max_completion_tokens temperature "     \
	"top_p top_k min_p presence_penalty frequency_penalty repetition_penalty seed stop " \
	"logit_bias logprobs top_logprobs n modalities audio audio. safety_identifier "      \
	"metadata service_tier verbosity prompt_cache_key stream stream_options "            \
	"stream_options. "

/* ---- limits and sampling ---- */

static enum err put_max_tokens(struct scribe *s)
{
	const struct span field = s->target->quirks.max_tokens_field;
	int64_t n;
	const enum err err = bounds_max_tokens(s, &n);
	if (n > 0)
		json_pair_i64(&s->o,
			span_is(field, "max_completion_tokens") ? "max_completion_tokens"
								: "max_tokens",
			n);
	return err;
}

/* How many different ones there are. */
static size_t count_stops(const struct llm_request *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_stop; i++) {
		bool is_new = true;
		for (size_t j = 0; j < i; j++)
			is_new = is_new && !span_eq(r->stop[i], r->stop[j]);
		n += is_new;
	}
	return n;
}

/* What the target does not take is watched for here; but not where OpenAI takes some. */
static enum err put_stop(struct scribe *s, const struct reason *t)
{
	const struct quirks *q = &s->target->quirks;
	const size_t most = q->stops_max > 0 ? (size_t)q->stops_max : SIZE_MAX;
	const bool is_shut_out = reason_shuts_out(s, t, "stop");
	if (s->r->n_stop == 0)
		return OK;
	if (!q->is_openai && (!q->has_stop || is_shut_out || count_stops(s->r) > most))
		return stop_watch_plan(s);
	if (!q->has_stop || is_shut_out)
		return scribe_drop(s, "stop", "%.*s takes no stop sequences while it reasons",
			SPAN_ARG(s->target->model));
	return bounds_put_stops(s, "stop", (size_t)q->stops_max);
}

static enum err put_logit_bias(struct scribe *s, const struct reason *t)
{
	if (!span_is_set(s->r->logit_bias))
		return OK;
	if (!s->target->quirks.has_logit_bias || reason_shuts_out(s, t, "logit_bias"))
		return scribe_drop(s, "logit_bias", "%.*s at %.*s takes no logit_bias",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	return openai_put_logit_bias(s);
}

static enum err put_logprobs(struct scribe *s, const struct reason *t)
{
	const bool is_wanted = s->r->logprobs.is_set && s->r->logprobs.v;
	if (!is_wanted && !s->r->top_logprobs.is_set)
		return OK;
	if (!s->target->quirks.has_logprobs || reason_shuts_out(s, t, "logprobs"))
		return scribe_drop(s, "logprobs", "%.*s at %.*s gives no logprobs",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	struct opt_i64 top = s->r->top_logprobs;
	const enum err err = bounds_top_logprobs(s, &top);
	json_pair_bool(&s->o, "logprobs", true);
	if (top.is_set)
		json_pair_i64(&s->o, "top_logprobs", top.v);
	return err;
}

/* An integer that some targets have. */
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

/* Temperature and top_p, within what the target takes. */
static enum err put_heat(struct scribe *s, const struct reason *t)
{
	const struct quirks *q = &s->target->quirks;
	const bool is_known = q->sampling != SAMPLING_NONE;
	struct opt_f64 heat = s->r->temperature, top_p = s->r->top_p;
	enum err err = OK;
	if (q->has_do_sample && heat.is_set && heat.v <= 0) {
		json_pair_bool(&s->o, "do_sample", false);
		heat.is_set = false;
	}
	if (is_known && !reason_shuts_out(s, t, "temperature"))
		err = bounds_temperature(s, &heat);
	if (!err && is_known && !reason_shuts_out(s, t, "top_p"))
		err = bounds_top_p(s, &top_p);
	if (!err && heat.is_set && top_p.is_set && q->sampling == SAMPLING_ONE_OF) {
		top_p.is_set = false;
		err = scribe_drop(s, "top_p", "%.*s takes temperature or top_p, not both",
			SPAN_ARG(s->target->model));
	}
	const struct sampled both[] = {
		{"temperature", heat,  is_known, scribe_is_one(heat.v) },
		{"top_p",       top_p, is_known, scribe_is_one(top_p.v)},
	};
	for (size_t i = 0; !err && i < COUNT_OF(both); i++)
		err = reason_put_sampled(s, t, &both[i]);
	return err;
}

/* A seed that is out of the target's range is folded into it. */
static enum err put_seed(struct scribe *s)
{
	const struct quirks *q = &s->target->quirks;
	struct opt_i64 seed = s->r->seed;
	enum err err = OK;
	if (seed.is_set && q->has_seed && q->seed_max > 0 && (seed.v < 0 || seed.v > q->seed_max)) {
		seed.v = (int64_t)((uint64_t)seed.v % ((uint64_t)q->seed_max + 1));
		err = scribe_change(s, "clamped_parameter", "seed",
			"%.*s takes seeds from 0 to %lld: it went out as %lld",
			SPAN_ARG(s->target->provider), (long long)q->seed_max, (long long)seed.v);
	}
	return err ? err : put_count(s, "seed", seed, q->has_seed);
}

static enum err put_sampling_all(struct scribe *s, const struct reason *t)
{
	const struct llm_request *r = s->r;
	const struct quirks *q = &s->target->quirks;
	const bool has_other_name = span_is(q->repetition_field, "repeat_penalty");
	struct opt_f64 presence = r->presence_penalty, frequency = r->frequency_penalty;
	enum err err = reason_shuts_out(s, t, "presence_penalty")
			       ? OK
			       : openai_hold_penalties(s, &presence, &frequency);
	const struct sampled after[] = {
		{"min_p",						  r->min_p,              q->has_top_k,     false},
		{"presence_penalty",				       presence,              q->has_penalties, false},
		{"frequency_penalty",				      frequency,             q->has_penalties, false},
		{has_other_name ? "repeat_penalty" : "repetition_penalty", r->repetition_penalty,
                 q->has_top_k,										      false},
	};
	if (!err)
		err = put_heat(s, t);
	if (!err)
		err = put_count(s, "top_k", r->top_k, q->has_top_k);
	for (size_t i = 0; !err && i < COUNT_OF(after); i++)
		err = reason_put_sampled(s, t, &after[i]);
	if (!err)
		err = put_seed(s);
	if (!err)
		err = put_stop(s, t);
	if (!err)
		err = put_logit_bias(s, t);
	return err ? err : put_logprobs(s, t);
}

/* ---- structured output ---- */

enum err openai_chat_put_format(struct scribe *s)
{
	const struct response_format *f = &s->r->response_format;
	struct json_out *o = &s->o;
	struct span name;
	const struct quirks *q = &s->target->quirks;
	const bool is_any = f->type == FORMAT_JSON; /* any JSON at all */
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT)
		/* text is what comes unasked, and some hosts refuse the word */
		return scribe_drop_below(s, &s->r->extra, "", "response_format.");
	if (!q->has_json_schema && !q->has_json_object) /* words ask for it alone */
		return scribe_drop_below(s, &s->r->extra, "", "response_format.");
	json_key(o, "response_format");
	json_open(o, '{');
	if (!q->has_json_schema || (is_any && q->has_json_object)) {
		json_pair_str(o, "type", SPAN("json_object"));
		const enum err wrong = scribe_extra_below(
			s, &s->r->extra, "", "response_format.", KNOWN_IN_FORMAT);
		json_close(o, '}');
		return wrong;
	}
	json_pair_str(o, "type", SPAN("json_schema"));
	json_key(o, "json_schema");
	json_open(o, '{');
	enum err err = OK;
	if (f->name.n == 0)
		name = SPAN("response");
	else
		err = name_legal(s->notes->arena, f->name, NAME_BYTES, &name);
	if (!err)
		json_pair_str(o, "name", name);
	json_pair_str(o, "description", f->description);
	json_key(o, "schema");
	if (is_any)
		json_put_raw(o, SPAN("{\"type\":\"object\"}"));
	else if (!err)
		err = tools_put_host_format(s, f->schema);
	if (f->strict.is_set)
		json_pair_bool(o, "strict", f->strict.v);
	if (!err)
		err = tools_check_format(s);
	if (!err)
		err = scribe_extra_below(
			s, &s->r->extra, "", "response_format.json_schema.", KNOWN_IN_SCHEMA);
	json_close(o, '}');
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", "response_format.", KNOWN_IN_FORMAT);
	json_close(o, '}');
	return err;
}

/* ---- the rest ---- */

static enum err put_modalities(struct scribe *s)
{
	const struct llm_request *r = s->r;
	struct json_out *o = &s->o;
	bool is_plain = true;
	for (size_t i = 0; i < r->n_modalities; i++)
		is_plain = is_plain && span_is(r->modalities[i], "text");
	if (!is_plain && !s->target->quirks.has_modalities)
		return scribe_refuse(s, "modalities", "%.*s at %.*s answers with text only",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	if (!is_plain) {
		json_key(o, "modalities");
		json_open(o, '[');
		for (size_t i = 0; i < r->n_modalities; i++)
			json_put_str(o, r->modalities[i]);
		json_close(o, ']');
	}
	if (!span_is_set(r->audio_voice) && !span_is_set(r->audio_format) &&
		!scribe_has_extra_below(s, &r->extra, "audio."))
		return scribe_drop_below(s, &r->extra, "", "audio.");
	json_key(o, "audio");
	json_open(o, '{');
	json_pair_str(o, "voice", r->audio_voice);
	json_pair_str(o, "format", r->audio_format);
	/* a voice may come as an extra member, an object, in the place of ours */
	const enum err err = scribe_extra_below(s, &r->extra, "", "audio.",
		span_is_set(r->audio_voice) ? " voice format " : " format ");
	json_close(o, '}');
	return err;
}

static enum err put_metadata(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if (r->n_metadata == 0)
		return OK;
	if (!s->target->quirks.has_metadata)
		return scribe_drop(
			s, "metadata", "%.*s keeps no metadata", SPAN_ARG(s->target->provider));
	if (r->n_metadata > METADATA_MAX)
		return fault_param(s->why, ERR_INVALID_REQUEST, "metadata",
			"%.*s takes at most %zu pairs of metadata", SPAN_ARG(s->target->provider),
			METADATA_MAX);
	json_key(&s->o, "metadata");
	json_open(&s->o, '{');
	for (size_t i = 0; i < r->n_metadata; i++) {
		scribe_key(s, r->metadata[i].key);
		json_put_str(&s->o, r->metadata[i].value);
	}
	json_close(&s->o, '}');
	return OK;
}

/* A text that some targets have. */
struct hint {
	const char *name, *param;
	struct span v;
	bool is_known;
};

static enum err put_hint(struct scribe *s, const struct hint *h)
{
	if (!span_is_set(h->v))
		return OK;
	if (!h->is_known)
		return scribe_drop(s, h->param, "%.*s does not know %s",
			SPAN_ARG(s->target->provider), h->param);
	json_pair_str(&s->o, h->name, h->v);
	return OK;
}

/* The members that nobody here knows, where the host takes them. What is below another's was told with it,
 * what is ours is refused with the others, and its words for reasoning the caller chose for this host. */
static enum err put_extra(struct scribe *s, const char *known)
{
	const struct extra *e = &s->r->extra;
	struct extra taken = {.family = e->family};
	taken.members = arena_array(s->notes->arena, e->n, sizeof *taken.members);
	if (!taken.members)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < e->n; i++) {
		const struct extra_member *m = &e->members[i];
		const bool is_foreign = !span_eq(e->family, s->target->family);
		if (is_foreign || openai_chat_is_own_reasoning(m->name) ||
			span_index(m->name, '.') < m->name.n || scribe_is_known(known, m->name) ||
			scribe_takes(s, m->name)) {
			taken.members[taken.n++] = *m;
			continue;
		}
		if (span_is(m->json, "null"))
			continue;
		const enum err err = scribe_leave_out(s, m);
		if (err)
			return err;
	}
	return scribe_extra(s, &taken, "", known);
}

static enum err put_rest(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct quirks *q = &s->target->quirks;
	const bool is_safety = span_is(q->user_field, "safety_identifier");
	char known[640];
	const struct hint hints[] = {
		{is_safety ? "safety_identifier" : "user", "user",         r->user,         q->has_user        },
		{"service_tier",                           "service_tier", r->service_tier, q->has_service_tier},
		{"verbosity",			      "verbosity",    r->verbosity,    q->has_verbosity   },
	};
	enum err err = put_modalities(s);
	if (!err)
		err = put_metadata(s);
	for (size_t i = 0; !err && i < COUNT_OF(hints); i++)
		err = put_hint(s, &hints[i]);
	if (!err && q->has_cache_key) /* whoever knows of none has lost nothing of the request */
		json_pair_str(&s->o, "prompt_cache_key", r->cache_key);
	if (err || r->extra.n == 0)
		return err;
	/* which of these are ours to write depends on the host */
	(void)snprintf(known, sizeof known, KNOWN_IN_REQUEST "%s %s %s %s %s %s ",
		is_safety ? "" : "user",
		openai_chat_has_own_reasoning(r, s->target->family) ? "" : "reasoning_effort",
		q->has_do_sample ? "do_sample" : "", q->has_tool_stream ? "tool_stream" : "",
		span_is(q->repetition_field, "repeat_penalty") ? "repeat_penalty" : "",
		q->prefill == PREFILL_CONTINUE ? "add_generation_prompt continue_final_message"
					       : "");
	return put_extra(s, known);
}

/* Does it end with words of the assistant's, which are to be gone on with? */
static const struct message *prefill_of(const struct llm_request *r)
{
	const struct message *last = r->n_messages > 0 ? &r->messages[r->n_messages - 1] : NULL;
	bool has_text = false;
	if (!last || last->role != ROLE_ASSISTANT)
		return NULL;
	for (size_t k = 0; k < last->n_parts; k++) {
		if (last->parts[k].type == PART_TOOL_CALL)
			return NULL;
		has_text =
			has_text || (last->parts[k].type == PART_TEXT && last->parts[k].text.n > 0);
	}
	return has_text ? last : NULL;
}

/* What that needs beside the messages. Some hosts repeat the words, which is then passed over. */
static enum err put_prefill(struct scribe *s, struct target *elsewhere)
{
	const struct quirks *q = &s->target->quirks;
	const struct message *last = prefill_of(s->r);
	if (!last)
		return OK;
	if (last->n_parts == 1)
		s->notes->prefill = last->parts[0].text;
	switch (q->prefill) {
	case PREFILL_NO:
		return scribe_drop(s, "messages",
			"%.*s does not go on with what the assistant began: it takes the last "
			"message for one that is finished",
			SPAN_ARG(s->target->provider));
	case PREFILL_CONTINUE:
		json_pair_bool(&s->o, "add_generation_prompt", false);
		json_pair_bool(&s->o, "continue_final_message", true);
		break;
	case PREFILL_PLAIN:
	case PREFILL_PREFIX: /* on the message itself */
	case PREFILL_PARTIAL:
		break;
	}
	if (span_is_set(q->prefill_path)) {
		*elsewhere = *s->target;
		elsewhere->path = q->prefill_path;
		s->target = elsewhere;
	}
	return OK;
}

/* All members but the first and the last, in their order. */
static enum err put_members(struct scribe *s, struct llm_request *room, struct target *elsewhere)
{
	struct openai_chat_plan plan = {.has_prefill = prefill_of(s->r) != NULL};
	struct json_words words;
	enum err err = openai_chat_plan_reasoning(s, &plan.reason);
	if (!err)
		err = tools_prepare(s, NAME_BYTES); /* before calls that use the names */
	if (!err)
		err = json_words_plan(s, &words);
	if (err)
		return err;
	plan.lead = words.lead;
	plan.tail = words.tail;
	err = openai_chat_order(s, &plan, room);
	if (!err)
		err = openai_chat_put_messages(s, &plan);
	if (!err)
		err = openai_chat_put_tools(s, &plan.reason);
	if (!err)
		err = openai_chat_put_format(s);
	if (!err)
		err = put_max_tokens(s);
	if (!err)
		err = openai_chat_put_reasoning(s, &plan.reason);
	if (!err)
		err = put_sampling_all(s, &plan.reason);
	if (!err)
		err = openai_put_n(s);
	if (!err)
		err = put_rest(s);
	return err ? err : put_prefill(s, elsewhere);
}

enum err openai_chat_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	struct llm_request ordered;
	struct target elsewhere;
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream || target->quirks.is_stream_forced;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	notes->has_think_tags = target->quirks.has_think_tags;
	notes->is_think_open = target->quirks.is_think_open;
	notes->has_blank_start = target->quirks.has_blank_start;
	notes->errors =
		span_is_set(target->quirks.errors) ? target->quirks.errors : target->provider;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = put_members(&s, &ordered, &elsewhere);
	if (!err)
		err = openai_put_stream(&s);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/chat/completions"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
