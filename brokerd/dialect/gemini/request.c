/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/schema.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

#define PATH           "/v1beta/models/{model}:{method}"
#define BUDGET_MOST    INT64_C(24576) /* of the most models, where a model's own is not known */
#define BUDGET_MINIMAL INT64_C(512)
#define ANSWERS_MOST   8
#define LOGPROBS_MOST  INT64_C(20)
#define SEED_SPAN      (INT64_C(1) << 31)

#define JSON_WORDS "Respond with one JSON value and nothing else."
#define SCHEMA_WORDS \
	"Respond with one JSON value that fits this JSON Schema, and with nothing else:\n"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_REQUEST                                                                     \
	" model contents systemInstruction systemInstruction. tools toolConfig toolConfig. " \
	"generationConfig generationConfig. labels serviceTier "
#define KNOWN_IN_CONFIG                                                                   \
	" temperature topP topK maxOutputTokens stopSequences candidateCount seed "       \
	"presencePenalty frequencyPenalty responseMimeType responseSchema "               \
	"responseJsonSchema responseLogprobs logprobs responseModalities thinkingConfig " \
	"thinkingConfig. "
#define KNOWN_WITH_VOICE KNOWN_IN_CONFIG "speechConfig "

/* What the request comes to, found out before anything is written. */
struct asked {
	struct span level; /* thinkingLevel; absent: none */
	bool has_budget;
	int64_t budget;    /* thinkingBudget */
	bool has_thoughts; /* includeThoughts */
	bool is_json_bare; /* a response format goes out beside other things */
	struct span words; /* or in a system text; absent: none */
};

/* ---- shared ---- */

enum err gemini_put_filled(struct scribe *s, const char *name, enum err (*put)(struct scribe *))
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct json_out outer = s->o;
	s->o = json_to(&text);
	json_open(&s->o, '{');
	enum err err = put(s);
	json_close(&s->o, '}');
	s->o = outer;
	if (!err)
		err = buf_error(&text);
	if (!err && text.n > 2)
		json_pair_raw(&s->o, name, buf_view(&text));
	return err;
}

enum err gemini_tell_losses(struct scribe *s, const struct schema_losses *l, const char *path)
{
	enum err err = OK;
	if (l->has_cut)
		err = scribe_change(s, "schema_rewritten", path,
			"the schema refers to itself, or to nothing: any object stands there");
	if (!err && l->has_dropped)
		err = scribe_change(s, "schema_rewritten", path,
			"the schema has conditions that the provider does not know: they were "
			"left out");
	return err;
}

/* ---- reasoning ---- */

static enum err tell_clamped(struct scribe *s, const char *param, const char *sent, int64_t n)
{
	if (sent)
		return scribe_change(s, "clamped_parameter", param,
			"the reasoning went out with the level \"%s\", the nearest that %.*s takes",
			sent, SPAN_ARG(s->target->model));
	return scribe_change(s, "clamped_parameter", param,
		"the reasoning went out with a budget of %lld tokens, the nearest that %.*s takes",
		(long long)n, SPAN_ARG(s->target->model));
}

static const struct {
	const char *effort, *level;
} levels[] = {
	{"minimal", "MINIMAL"},
	{"low",     "LOW"    },
	{"medium",  "MEDIUM" },
	{"high",    "HIGH"   },
};

/* A level, in the words that the model takes; there is none for no reasoning at all. */
static enum err fit_level(struct scribe *s, struct asked *a)
{
	const struct reasoning *r = &s->r->reasoning;
	struct span asked = r->effort;
	enum err err = OK;
	if (r->budget_tokens.is_set && span_is_set(asked)) {
		err = scribe_drop(s, "reasoning.budget_tokens",
			"%.*s takes no budget of tokens; the effort decides",
			SPAN_ARG(s->target->model));
	} else if (r->budget_tokens.is_set) {
		asked = r->budget_tokens.v == 0 ? SPAN("none")
						: effort_of_budget(r->budget_tokens.v);
		err = scribe_change(s, "emulated", "reasoning.budget_tokens",
			"%.*s takes no budget of tokens: the effort \"%.*s\" stands for it",
			SPAN_ARG(s->target->model), SPAN_ARG(asked));
	}
	const bool is_none = span_is(asked, "none");
	const struct span fit =
		effort_nearest(s->target->quirks.efforts, is_none ? SPAN("minimal") : asked);
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (span_is(fit, levels[i].effort))
			a->level = span_str(levels[i].level);
	}
	if (!span_is_set(a->level))
		a->level = SPAN("HIGH");
	if (err || span_is_nocase(asked, a->level.p))
		return err;
	return tell_clamped(s, "reasoning.effort", a->level.p, 0);
}

static enum err fit_budget(struct scribe *s, struct asked *a)
{
	const struct quirks *q = &s->target->quirks;
	const struct reasoning *r = &s->r->reasoning;
	const int64_t most = q->budget_max > 0 ? q->budget_max : BUDGET_MOST;
	const bool is_none =
		r->budget_tokens.is_set ? r->budget_tokens.v == 0 : span_is(r->effort, "none");
	a->has_budget = true;
	if (is_none) {
		a->budget = q->reasons == REASONS_ALWAYS ? q->budget_min : 0;
		return a->budget == 0 ? OK : tell_clamped(s, "reasoning.effort", NULL, a->budget);
	}
	if (!r->budget_tokens.is_set) {
		const int64_t least = q->budget_min > 0 ? q->budget_min : BUDGET_MINIMAL;
		a->budget = span_is(r->effort, "minimal") ? least : effort_budget(r->effort, most);
		return OK;
	}
	a->budget = r->budget_tokens.v;
	if (q->budget_max > 0 && a->budget > q->budget_max)
		a->budget = q->budget_max;
	if (a->budget < q->budget_min)
		a->budget = q->budget_min;
	return a->budget == r->budget_tokens.v
		       ? OK
		       : tell_clamped(s, "reasoning.budget_tokens", NULL, a->budget);
}

static enum err choose_thinking(struct scribe *s, struct asked *a)
{
	const struct quirks *q = &s->target->quirks;
	const struct reasoning *r = &s->r->reasoning;
	const bool is_asked = span_is_set(r->effort) || r->budget_tokens.is_set;
	const bool is_off = span_is(r->effort, "none") && !r->budget_tokens.is_set;
	enum err err = OK;
	if (q->reasons == REASONS_NEVER) /* any word of it is refused there */
		return is_asked && !is_off ? reason_lack(s, "does not reason") : OK;
	if (is_asked)
		err = q->reasoning_by == REASONING_BY_LEVEL ? fit_level(s, a) : fit_budget(s, a);
	/* unasked, its thoughts are its own */
	a->has_thoughts = is_asked ? !span_is(r->expose, "none") && !(a->has_budget && !a->budget)
				   : span_is(r->expose, "text");
	return err;
}

/* ---- structured output ---- */

static enum err choose_format(struct scribe *s, struct asked *a)
{
	const struct response_format *f = &s->r->response_format;
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT)
		return OK;
	a->is_json_bare = s->r->n_tools == 0 || s->target->quirks.has_json_with_tools;
	if (a->is_json_bare)
		return OK;
	s->notes->has_json_words = true;
	buf_text(&text, f->type == FORMAT_JSON ? JSON_WORDS : SCHEMA_WORDS);
	if (f->type == FORMAT_SCHEMA)
		buf_span(&text, f->schema);
	enum err err = buf_error(&text);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(&text), &a->words);
	return err ? err
		   : scribe_change(s, "emulated", "response_format",
			     "%.*s takes no response format beside tools: it is asked for JSON in "
			     "a system text",
			     SPAN_ARG(s->target->model));
}

static enum err put_format(struct scribe *s, const struct asked *a)
{
	const struct response_format *f = &s->r->response_format;
	struct schema_losses losses;
	struct json schema;
	if (!a->is_json_bare)
		return OK;
	json_pair_str(&s->o, "responseMimeType", SPAN("application/json"));
	if (f->type != FORMAT_SCHEMA)
		return OK;
	const enum err err = json_scan(f->schema, JSON_STRICT, &schema, s->why);
	if (err)
		return err;
	if (s->target->quirks.has_openapi_schemas) {
		json_key(&s->o, "responseSchema");
		schema_put_openapi(schema, &s->o, &losses);
	} else {
		json_key(&s->o, "responseJsonSchema");
		schema_put_json(schema, &s->o, &losses);
	}
	return gemini_tell_losses(s, &losses, "response_format.schema");
}

/* ---- limits and sampling ---- */

static enum err put_temperature(struct scribe *s)
{
	struct opt_f64 t = s->r->temperature;
	const enum err err = bounds_temperature(s, &t);
	scribe_put_number(s, "temperature", t);
	return err;
}

static enum err put_max_tokens(struct scribe *s)
{
	int64_t n;
	const enum err err = bounds_max_tokens(s, &n);
	if (n > 0)
		json_pair_i64(&s->o, "maxOutputTokens", n);
	return err;
}

static enum err put_stop(struct scribe *s)
{
	const int64_t most = s->target->quirks.stops_max;
	int64_t n = 0;
	bool has_more = false;
	for (size_t i = 0; i < s->r->n_stop; i++) {
		bool is_new = s->r->stop[i].n > 0;
		for (size_t j = 0; j < i; j++)
			is_new = is_new && !span_eq(s->r->stop[i], s->r->stop[j]);
		has_more = has_more || (is_new && most > 0 && n == most);
		if (!is_new || has_more)
			continue;
		if (n++ == 0) {
			json_key(&s->o, "stopSequences");
			json_open(&s->o, '[');
		}
		json_put_str(&s->o, s->r->stop[i]);
	}
	if (n > 0)
		json_close(&s->o, ']');
	return has_more ? scribe_drop(s, "stop",
				  "the provider takes %lld stop sequences: the first %lld went out",
				  (long long)most, (long long)most)
			: OK;
}

/* Several answers are to be had at once only. */
static enum err put_n(struct scribe *s)
{
	const struct opt_i64 n = s->r->n;
	if (!n.is_set || n.v == 1)
		return OK;
	if (s->notes->is_reply_streamed || !s->target->quirks.has_n)
		return scribe_refuse(s, "n", "%.*s gives one answer to a request%s",
			SPAN_ARG(s->target->provider),
			s->notes->is_reply_streamed ? " that is streamed" : "");
	if (n.v < 1 || n.v > ANSWERS_MOST)
		return fault_param(s->why, ERR_INVALID_REQUEST, "n",
			"%.*s gives 1 to %d answers to a request", SPAN_ARG(s->target->provider),
			ANSWERS_MOST);
	s->notes->n_choices = n.v;
	json_pair_i64(&s->o, "candidateCount", n.v);
	return OK;
}

/* 32 bits of it. */
static enum err put_seed(struct scribe *s)
{
	const struct opt_i64 seed = s->r->seed;
	if (!seed.is_set)
		return OK;
	if (seed.v >= INT32_MIN && seed.v <= INT32_MAX) {
		json_pair_i64(&s->o, "seed", seed.v);
		return OK;
	}
	const int64_t folded = (seed.v % SEED_SPAN + SEED_SPAN) % SEED_SPAN;
	json_pair_i64(&s->o, "seed", folded);
	return scribe_change(s, "clamped_parameter", "seed",
		"the provider takes seeds of 32 bits: it went out as %lld", (long long)folded);
}

static enum err put_logprobs(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct opt_i64 top = r->top_logprobs;
	if (!(r->logprobs.is_set && r->logprobs.v))
		return OK;
	json_pair_bool(&s->o, "responseLogprobs", true);
	if (!top.is_set)
		return OK;
	const bool is_high = top.v > LOGPROBS_MOST;
	json_pair_i64(&s->o, "logprobs", is_high ? LOGPROBS_MOST : top.v < 0 ? 0 : top.v);
	return is_high ? scribe_change(s, "clamped_parameter", "top_logprobs",
				 "the provider tells at most %lld", (long long)LOGPROBS_MOST)
		       : OK;
}

static enum err put_modalities(struct scribe *s)
{
	static const char *const words[][2] = {
		{"text",  "TEXT" },
		{"image", "IMAGE"},
		{"audio", "AUDIO"},
	};
	const struct llm_request *r = s->r;
	if (r->n_modalities == 0)
		return OK;
	json_key(&s->o, "responseModalities");
	json_open(&s->o, '[');
	for (size_t i = 0; i < r->n_modalities; i++) {
		for (size_t k = 0; k < COUNT_OF(words); k++) {
			if (span_is(r->modalities[i], words[k][0]))
				json_put_str(&s->o, span_str(words[k][1]));
		}
	}
	json_close(&s->o, ']');
	return OK;
}

static enum err put_voice(struct scribe *s)
{
	const struct span format = s->r->audio_format;
	if (span_is_set(s->r->audio_voice)) {
		json_key(&s->o, "speechConfig");
		json_open(&s->o, '{');
		json_key(&s->o, "voiceConfig");
		json_open(&s->o, '{');
		json_key(&s->o, "prebuiltVoiceConfig");
		json_open(&s->o, '{');
		json_pair_str(&s->o, "voiceName", s->r->audio_voice);
		json_close(&s->o, '}');
		json_close(&s->o, '}');
		json_close(&s->o, '}');
	}
	return span_is_set(format) && !span_starts(format, SPAN("pcm"))
		       ? scribe_drop(s, "audio.format", "the provider speaks in PCM alone")
		       : OK;
}

/* ---- generationConfig ---- */

static enum err put_sampling(struct scribe *s)
{
	const struct llm_request *r = s->r;
	enum err err = put_temperature(s);
	scribe_put_number(s, "topP", r->top_p);
	if (r->top_k.is_set)
		json_pair_i64(&s->o, "topK", r->top_k.v);
	if (!err)
		err = put_max_tokens(s);
	if (!err)
		err = put_stop(s);
	if (!err)
		err = put_n(s);
	if (!err)
		err = put_seed(s);
	if (s->target->quirks.has_penalties) {
		scribe_put_number(s, "presencePenalty", r->presence_penalty);
		scribe_put_number(s, "frequencyPenalty", r->frequency_penalty);
	}
	return err;
}

static enum err put_thinking(struct scribe *s, const struct asked *a)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct json_out outer = s->o;
	s->o = json_to(&text);
	json_open(&s->o, '{');
	if (a->has_thoughts)
		json_pair_bool(&s->o, "includeThoughts", true);
	json_pair_str(&s->o, "thinkingLevel", a->level);
	if (a->has_budget)
		json_pair_i64(&s->o, "thinkingBudget", a->budget);
	/* a budget of -1, "as it likes", has no other place */
	enum err err = scribe_extra_below(s, &s->r->extra, "", "generationConfig.thinkingConfig.",
		a->has_budget ? " includeThoughts thinkingLevel thinkingBudget "
			      : " includeThoughts thinkingLevel ");
	json_close(&s->o, '}');
	s->o = outer;
	if (!err)
		err = buf_error(&text);
	if (!err && text.n > 2)
		json_pair_raw(&s->o, "thinkingConfig", buf_view(&text));
	return err;
}

static enum err put_config(struct scribe *s, const struct asked *a)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct json_out outer = s->o;
	s->o = json_to(&text);
	json_open(&s->o, '{');
	enum err err = put_sampling(s);
	if (!err)
		err = put_format(s, a);
	if (!err)
		err = put_logprobs(s);
	if (!err)
		err = put_modalities(s);
	if (!err)
		err = put_voice(s);
	if (!err)
		err = put_thinking(s, a);
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", "generationConfig.",
			span_is_set(s->r->audio_voice) ? KNOWN_WITH_VOICE : KNOWN_IN_CONFIG);
	json_close(&s->o, '}');
	s->o = outer;
	if (!err)
		err = buf_error(&text);
	if (!err && text.n > 2)
		json_pair_raw(&s->o, "generationConfig", buf_view(&text));
	return err;
}

/* ---- the rest ---- */

/* What this family has no member for. */
static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const bool has_penalties = s->target->quirks.has_penalties;
	const struct unsaid unknown[] = {
		{"min_p",                       r->min_p.is_set                              },
		{"repetition_penalty",          r->repetition_penalty.is_set                 },
		{"presence_penalty",            r->presence_penalty.is_set && !has_penalties },
		{"frequency_penalty",           r->frequency_penalty.is_set && !has_penalties},
		{"logit_bias",                  span_is_set(r->logit_bias)                   },
		{"verbosity",                   span_is_set(r->verbosity)                    },
		{"user",                        span_is_set(r->user)                         },
		{"response_format.description", span_is_set(r->response_format.description)  },
	};
	const enum err err = scribe_drop_unsaid(s, unknown, COUNT_OF(unknown));
	return err ? err : scribe_drop_marks(s);
}

static enum err put_labels(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if (r->n_metadata == 0)
		return OK;
	if (!s->target->quirks.has_metadata)
		return scribe_drop(
			s, "metadata", "%.*s takes no labels", SPAN_ARG(s->target->provider));
	json_key(&s->o, "labels");
	json_open(&s->o, '{');
	for (size_t i = 0; i < r->n_metadata; i++) {
		scribe_key(s, r->metadata[i].key);
		json_put_str(&s->o, r->metadata[i].value);
	}
	json_close(&s->o, '}');
	return OK;
}

static enum err put_tier(struct scribe *s)
{
	const struct span tier = s->r->service_tier;
	if (!span_is_set(tier) || span_is(tier, "auto"))
		return OK;
	if (s->target->quirks.has_service_tier && span_is(tier, "default")) {
		json_pair_str(&s->o, "serviceTier", SPAN("standard"));
		return OK;
	}
	if (!s->target->quirks.has_service_tier ||
		!words_have(SPAN("flex,standard,priority"), tier))
		return scribe_drop(s, "service_tier", "%.*s does not know this service tier",
			SPAN_ARG(s->target->provider));
	json_pair_str(&s->o, "serviceTier", tier);
	return OK;
}

static enum err put_body(struct scribe *s, const struct asked *a)
{
	json_open(&s->o, '{');
	enum err err = gemini_put_messages(s, a->words);
	if (!err)
		err = gemini_put_tools(s);
	if (!err)
		err = put_config(s, a);
	if (!err)
		err = put_labels(s);
	if (!err)
		err = put_tier(s);
	gemini_put_token(s);
	if (!err)
		err = drop_unknown(s);
	if (!err)
		err = scribe_extra(s, &s->r->extra, "", KNOWN_IN_REQUEST);
	json_close(&s->o, '}');
	return err;
}

/* Tuned models are in a folder of their own beside that of the others. */
static enum err in_folder_of_tuned(struct scribe *s, struct span path, struct span *out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(16 * KIB);
	const struct span plain = SPAN("/models/{model}");
	const size_t at = span_find(path, plain);
	*out = path;
	if (at == path.n)
		return OK;
	buf_span(&text, span_first(path, at));
	buf_text(&text, "/tunedModels/{model}");
	buf_span(&text, span_skip(path, at + plain.n));
	return buf_error(&text) ? ERR_NO_MEMORY : arena_dup(s->notes->arena, buf_view(&text), out);
}

enum err gemini_put_address(
	struct scribe *s, const char *method, const char *query, struct http_request *out)
{
	const struct place place = {
		.path = PATH,
		.method = method,
		.query = query,
	};
	const struct target *whole = s->target;
	struct target named = *whole;
	enum err err = OK;
	if (span_starts(named.model, SPAN("models/"))) {
		named.model = span_skip(named.model, strlen("models/"));
	} else if (span_starts(named.model, SPAN("tunedModels/"))) {
		named.model = span_skip(named.model, strlen("tunedModels/"));
		err = in_folder_of_tuned(
			s, span_is_set(named.path) ? named.path : SPAN(PATH), &named.path);
	}
	s->target = &named;
	if (!err)
		err = scribe_address(s, &place, out);
	s->target = whole;
	return err;
}

enum err gemini_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	struct asked a = {.level = SPAN_NONE};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	enum err err = gemini_prepare_tools(&s);
	if (!err)
		err = choose_thinking(&s, &a);
	if (!err)
		err = choose_format(&s, &a);
	if (!err)
		err = put_body(&s, &a);
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = gemini_put_address(&s,
			notes->is_reply_streamed ? "streamGenerateContent" : "generateContent",
			notes->is_reply_streamed ? "alt=sse" : NULL, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}

void gemini_put_model_name(struct span model, struct buf *out)
{
	if (span_index(model, '/') == model.n)
		buf_text(out, "models/");
	buf_span(out, model);
}
