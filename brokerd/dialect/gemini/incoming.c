/* incoming.c - what does a request of this family ask, in our terms?
 * The model and whether its answer is streamed are in the path. */
#include "brokerd/dialect/gemini/incoming.h"

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/gemini/gemini.h"

#define CONFIG "generationConfig."

const struct at incoming_body = {.up = NULL};

/* The parts of a body that are read one after the other; absent where there is none. */
struct body {
	struct json contents, system, tools, tool_config, config, labels;
	struct span tier;
};

static const struct intake_row body_rows[] = {
	{"model",       intake_ignore,        0        }, /* some say it here, too: it is the path's */
	{ "contents", intake_value, offsetof(struct body, contents)},
	BOTH("systemInstruction", "system_instruction", intake_value,
		offsetof(struct body, system)),
	{ "tools", intake_value, offsetof(struct body,    tools)},
	BOTH("toolConfig", "tool_config", intake_value, offsetof(struct body, tool_config)),
	BOTH("generationConfig", "generation_config", intake_value, offsetof(struct body, config)),
	{ "labels", intake_value, offsetof(struct body,   labels)},
	BOTH("serviceTier", "service_tier", intake_text, offsetof(struct body, tier)),
};

/* ---- lists ---- */

enum err incoming_each(
	struct intake *in, const struct at *at, struct json v, struct incoming_list *out)
{
	*out = (struct incoming_list){.only = JSON_NONE};
	if (json_is_nil(v))
		return OK;
	if (json_kind(v) == JSON_OBJECT) {
		out->only = v;
		return OK;
	}
	out->walk = json_each(v);
	return json_kind(v) == JSON_ARRAY ? OK : intake_wrong(in, at, v, "an array");
}

bool incoming_next(struct incoming_list *list, struct json *out)
{
	list->index += list->is_begun;
	if (span_is_set(list->only.text)) {
		*out = list->only;
		const bool is_first = !list->is_begun;
		list->is_begun = true;
		return is_first;
	}
	list->is_begun = true;
	if (!list->walk.at || !json_next(&list->walk))
		return false;
	*out = list->walk.value;
	return true;
}

/* ---- generationConfig ---- */

struct config {
	struct opt_f64 temperature, top_p, presence_penalty, frequency_penalty;
	struct opt_i64 top_k, max_tokens, n, seed, top_logprobs;
	struct opt_bool logprobs;
	struct span mime, schema, json_schema, stop, modalities, thinking, speech;
};

static const struct intake_row config_rows[] = {
	{"temperature",         intake_f64,         offsetof(struct config, temperature) },
	BOTH("topP", "top_p", intake_f64, offsetof(struct config, top_p)),
	BOTH("topK", "top_k", intake_i64, offsetof(struct config, top_k)),
	BOTH("maxOutputTokens", "max_output_tokens", intake_i64,
		offsetof(struct config, max_tokens)),
	BOTH("stopSequences", "stop_sequences", intake_json, offsetof(struct config, stop)),
	BOTH("candidateCount", "candidate_count", intake_i64, offsetof(struct config, n)),
	{"seed",                intake_i64,         offsetof(struct config, seed)        },
	BOTH("presencePenalty", "presence_penalty", intake_f64,
		offsetof(struct config, presence_penalty)),
	BOTH("frequencyPenalty", "frequency_penalty", intake_f64,
		offsetof(struct config, frequency_penalty)),
	BOTH("responseMimeType", "response_mime_type", intake_text, offsetof(struct config, mime)),
	BOTH("responseSchema", "response_schema", intake_object_json,
		offsetof(struct config, schema)),
	BOTH("responseJsonSchema", "response_json_schema", intake_object_json,
		offsetof(struct config, json_schema)),
	{"_responseJsonSchema", intake_object_json, offsetof(struct config, json_schema) },
	BOTH("responseLogprobs", "response_logprobs", intake_bool,
		offsetof(struct config, logprobs)),
	{"logprobs",            intake_i64,         offsetof(struct config, top_logprobs)},
	BOTH("responseModalities", "response_modalities", intake_json,
		offsetof(struct config, modalities)),
	BOTH("thinkingConfig", "thinking_config", intake_object_json,
		offsetof(struct config, thinking)),
	BOTH("speechConfig", "speech_config", intake_object_json, offsetof(struct config, speech)),
};

struct thinking {
	struct opt_bool includes_thoughts;
	struct opt_i64 budget;
	struct span level;
};

static const struct intake_row thinking_rows[] = {
	BOTH("includeThoughts", "include_thoughts", intake_bool,
		offsetof(struct thinking, includes_thoughts)),
	BOTH("thinkingBudget", "thinking_budget", intake_i64, offsetof(struct thinking, budget)),
	BOTH("thinkingLevel", "thinking_level", intake_text, offsetof(struct thinking, level)),
};

/* In lower case, in the arena. */
static enum err lower(struct intake *in, struct span text, struct span *out)
{
	char *made = arena_str(in->arena, text);
	if (!made)
		return intake_no_memory(in);
	for (size_t i = 0; i < text.n; i++)
		made[i] = span_lower(made[i]);
	*out = span_of(made, text.n);
	return OK;
}

/* A budget of 0 is no reasoning; one of -1, as much as the model likes, has no word among ours. */
static enum err read_thinking(
	struct intake *in, const struct at *at, struct span json, struct llm_request *out)
{
	struct thinking t = {.level = SPAN_NONE};
	enum err err = OK;
	if (span_is_set(json))
		err = intake_object(in, at, json_of(json), thinking_rows, COUNT_OF(thinking_rows),
			&t, &out->extra, CONFIG "thinkingConfig.");
	out->reasoning.expose = t.includes_thoughts.v ? SPAN("text") : SPAN("none");
	if (!err && span_is_set(t.level) && !span_is_nocase(t.level, "THINKING_LEVEL_UNSPECIFIED"))
		err = lower(in, t.level, &out->reasoning.effort);
	if (err || !t.budget.is_set)
		return err;
	if (t.budget.v < 0)
		return intake_keep(in, &out->extra, CONFIG "thinkingConfig.",
			SPAN("thinkingBudget"), SPAN("-1"));
	if (t.budget.v == 0)
		out->reasoning.effort = SPAN("none");
	else
		out->reasoning.budget_tokens = t.budget;
	return OK;
}

static enum err read_format(
	struct intake *in, const struct at *at, const struct config *c, struct llm_request *out)
{
	struct response_format *f = &out->response_format;
	const struct at mime = at_member(at, SPAN("responseMimeType"));
	const bool has_schema = span_is_set(c->schema) || span_is_set(c->json_schema);
	if (span_is_set(c->mime) && !span_is(c->mime, "application/json") &&
		!span_is(c->mime, "text/plain"))
		return intake_refuse(in, &mime,
			"\"%.*s\" cannot be asked of another provider: ask for application/json",
			SPAN_ARG(span_first(c->mime, 64)));
	if (span_is(c->mime, "text/plain")) {
		f->type = FORMAT_TEXT;
		return OK;
	}
	if (!has_schema) {
		f->type = span_is_set(c->mime) ? FORMAT_JSON : FORMAT_UNSET;
		return OK;
	}
	f->type = FORMAT_SCHEMA;
	f->name = SPAN("response");
	f->schema = c->json_schema;
	return span_is_set(c->json_schema) ? OK
					   : incoming_schema(in, json_of(c->schema), &f->schema);
}

/* The one member of an object that has no other, or an absent value. */
static struct json only(struct json v, const char *name)
{
	struct json_walk w = json_each(v);
	if (json_kind(v) != JSON_OBJECT || !json_next(&w) || !json_name_is(w.name, name))
		return JSON_NONE;
	const struct json found = w.value;
	return json_next(&w) ? JSON_NONE : found;
}

/* A voice by its name is ours too; anything finer is carried. */
static enum err read_speech(struct intake *in, struct span json, struct llm_request *out)
{
	if (!span_is_set(json))
		return OK;
	const struct json name =
		only(only(only(json_of(json), "voiceConfig"), "prebuiltVoiceConfig"), "voiceName");
	if (json_kind(name) != JSON_STRING)
		return intake_keep(in, &out->extra, CONFIG, SPAN("speechConfig"), json);
	return json_utf8(name, in->arena, &out->audio_voice) ? intake_no_memory(in) : OK;
}

static enum err read_lists(
	struct intake *in, const struct at *at, const struct config *c, struct llm_request *out)
{
	const struct at stop = at_member(at, SPAN("stopSequences"));
	const struct at modalities = at_member(at, SPAN("responseModalities"));
	enum err err = OK;
	if (span_is_set(c->stop))
		err = intake_texts(in, &stop, json_of(c->stop), &out->stop, &out->n_stop);
	if (!err && span_is_set(c->modalities))
		err = intake_texts(in, &modalities, json_of(c->modalities), &out->modalities,
			&out->n_modalities);
	for (size_t i = 0; !err && i < out->n_modalities; i++)
		err = lower(in, out->modalities[i], &out->modalities[i]);
	return err;
}

static enum err read_config(struct intake *in, struct json v, struct llm_request *out)
{
	const struct at at = at_member(&incoming_body, SPAN("generationConfig"));
	const struct at thinking = at_member(&at, SPAN("thinkingConfig"));
	struct config c = {.mime = SPAN_NONE};
	enum err err = OK;
	if (span_is_set(v.text))
		err = intake_object(
			in, &at, v, config_rows, COUNT_OF(config_rows), &c, &out->extra, CONFIG);
	if (err)
		return err;
	out->temperature = c.temperature;
	out->top_p = c.top_p;
	out->top_k = c.top_k;
	out->max_tokens = c.max_tokens;
	out->n = c.n;
	out->seed = c.seed;
	out->presence_penalty = c.presence_penalty;
	out->frequency_penalty = c.frequency_penalty;
	out->logprobs = c.logprobs;
	out->top_logprobs = c.top_logprobs;
	err = read_lists(in, &at, &c, out);
	if (!err)
		err = read_format(in, &at, &c, out);
	if (!err)
		err = read_thinking(in, &thinking, c.thinking, out);
	return err ? err : read_speech(in, c.speech, out);
}

/* ---- the path ---- */

/* What stands behind the version of the API; absent: there is none. */
static struct span behind_version(struct span path)
{
	const struct span versions[] = {
		SPAN("/v1beta/"), SPAN("/v1/"), SPAN("/v1beta1/"), SPAN("/v1alpha/")};
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		const size_t at = span_find(path, versions[i]);
		if (at < path.n)
			return span_skip(path, at + versions[i].n);
	}
	return SPAN_NONE;
}

/* Is it a model's name as it is, one with a slash in it, and maybe one of the folders? */
static bool is_bare(struct span name)
{
	static const char *const folders[] = {
		"models", "tunedModels", "endpoints", "projects", "publishers"};
	const struct span first = span_first(name, span_index(name, '/'));
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		if (span_is(first, folders[i]))
			return false;
	}
	return first.n < name.n;
}

/* A model in a folder, also below a project and a publisher; some clients write one whose name has a
 * slash without the folder. */
static struct span model_in(struct span path)
{
	static const struct {
		struct span folder;
		bool is_kept;
	} folders[] = {
		{{"/models/", 8},       false},
		{{"/tunedModels/", 13}, true },
		{{"/endpoints/", 11},   true },
	};
	const struct span rest = behind_version(path);
	if (is_bare(rest))
		return rest;
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		const size_t at = span_find(path, folders[i].folder);
		if (at < path.n)
			return span_skip(path, at + (folders[i].is_kept ? 1 : folders[i].folder.n));
	}
	return span_is_set(rest) ? rest : span_skip(path, 1);
}

/* "/v1beta/models/M:METHOD". Without a path both stay as they are, for who asks knows them some other
 * way. */
static enum err read_path(
	struct intake *in, struct span path, struct span *model, struct span *method)
{
	if (path.n == 0)
		return OK;
	const struct span rest = model_in(path);
	size_t colon = rest.n;
	while (colon > 0 && rest.p[colon - 1] != ':')
		colon--;
	*method = colon < 2 ? SPAN("") : span_skip(rest, colon);
	return colon < 2 ? OK : intake_unescape(in, span_first(rest, colon - 1), model);
}

/* `wanted` is the method that would do. */
static enum err refuse_path(struct intake *in, struct span method, const char *wanted)
{
	if (method.n > 0)
		return fault_param(in->why, ERR_UNSUPPORTED, "surface.path",
			"the method %.*s is not translated", SPAN_ARG(span_first(method, 64)));
	return intake_refuse(in, &incoming_body,
		"the path is to name a model and a method, as in /v1beta/models/MODEL:%s", wanted);
}

/* A stream is a JSON array unless its query has alt=sse. */
static bool asks_for_sse(struct span query)
{
	while (query.n > 0) {
		if (span_is(span_cut(&query, '&'), "alt=sse"))
			return true;
	}
	return false;
}

/* ---- all ---- */

static enum err read_body(struct intake *in, struct json v, struct llm_request *out)
{
	struct body b = {.tier = SPAN_NONE};
	const struct at labels = at_member(&incoming_body, SPAN("labels"));
	const struct at contents = at_member(&incoming_body, SPAN("contents"));
	enum err err = intake_object(
		in, &incoming_body, v, body_rows, COUNT_OF(body_rows), &b, &out->extra, "");
	if (!err)
		err = incoming_messages(in, b.system, b.contents, out);
	if (!err && intake_count(b.contents) == 0) /* of an array or an object */
		err = intake_refuse(in, &contents, "at least one is wanted");
	if (!err)
		err = incoming_tools(in, b.tools, b.tool_config, out);
	if (!err)
		err = read_config(in, b.config, out);
	if (!err && span_is_set(b.labels.text))
		err = intake_pairs(in, &labels, b.labels, &out->metadata, &out->n_metadata);
	out->service_tier = b.tier;
	return err;
}

enum err gemini_decode_request(const struct surface_call *call, struct span body, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(GEMINI_FAMILY)};
	struct span method = SPAN("generateContent");
	struct json v;
	*out = (struct llm_request){.model = SPAN_NONE};
	enum err err = read_path(&in, call->path, &out->model, &method);
	out->is_stream = span_is(method, "streamGenerateContent");
	if (!err && !out->is_stream && !span_is(method, "generateContent"))
		err = refuse_path(&in, method, "generateContent");
	if (!err)
		err = intake_body(&in, body, &v);
	if (!err)
		err = read_body(&in, v, out);
	notes->form = !out->is_stream             ? ANSWER_WHOLE
		      : asks_for_sse(call->query) ? ANSWER_SSE
						  : ANSWER_LIST;
	return err;
}

/* The body is a request of its own, or has one as its only member. */
static enum err read_counted(struct intake *in, struct json v, struct llm_request *out)
{
	static const char *const names[] = {"generateContentRequest", "generate_content_request"};
	for (struct json_walk w = json_each(v); json_next(&w);) {
		const struct at here = at_member(&incoming_body, w.name);
		if (!json_name_is(w.name, names[0]) && !json_name_is(w.name, names[1]))
			continue;
		if (intake_count(v) > 1)
			return intake_refuse(in, &here, "nothing may stand beside this member");
		return read_body(in, w.value, out);
	}
	return read_body(in, v, out);
}

enum err gemini_decode_count(const struct surface_call *call, struct span body, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(GEMINI_FAMILY)};
	struct span method = SPAN("countTokens");
	struct json v;
	*out = (struct llm_request){.model = SPAN_NONE};
	notes->form = ANSWER_WHOLE;
	enum err err = read_path(&in, call->path, &out->model, &method);
	if (!err && !span_is(method, "countTokens"))
		err = refuse_path(&in, method, "countTokens");
	if (!err)
		err = intake_body(&in, body, &v);
	return err ? err : read_counted(&in, v, out);
}

/* ---- embeddings ---- */

struct embedded {
	struct json content;
	struct span task;
	struct opt_i64 dimensions;
};

/* One content, which is one text or one picture. */
static enum err read_content(
	struct intake *in, const struct at *at, struct json content, struct part *out)
{
	struct llm_request of = {.model = SPAN_NONE};
	const struct at here = at_member(at, SPAN("content"));
	if (json_kind(content) != JSON_OBJECT)
		return intake_wrong(in, &here, content, "an object");
	const enum err err = incoming_messages(in, JSON_NONE, content, &of);
	if (err)
		return err;
	if (of.n_messages != 1 || of.messages[0].n_parts != 1)
		return intake_refuse(in, &here, "one part is wanted");
	*out = of.messages[0].parts[0];
	return out->type == PART_TEXT || out->type == PART_IMAGE
		       ? OK
		       : intake_refuse(in, &here, "a text or an image is wanted");
}

static bool are_same(const struct extra *a, const struct extra *b)
{
	bool is_same = a->n == b->n;
	for (size_t i = 0; is_same && i < a->n; i++)
		is_same = span_eq(a->members[i].name, b->members[i].name) &&
			  span_eq(a->members[i].json, b->members[i].json);
	return is_same;
}

/* What the vectors are for, and how long they are: the same for all of one call. */
static enum err read_embedded(
	struct intake *in, const struct at *at, struct json v, size_t i, struct llm_request *out)
{
	static const struct intake_row rows[] = {
		{"model",       intake_ignore,            0       }, /* the path says it */
		{ "content", intake_value, offsetof(struct embedded, content)},
		BOTH("taskType", "task_type", intake_text, offsetof(struct embedded, task)),
		BOTH("outputDimensionality", "output_dimensionality", intake_i64,
			offsetof(struct embedded, dimensions)),
	};
	const struct at task = at_member(at, SPAN("taskType"));
	struct embedded e = {.task = SPAN_NONE};
	struct extra others = {.n = 0};
	enum err err = intake_object(
		in, at, v, rows, COUNT_OF(rows), &e, i == 0 ? &out->extra : &others, "");
	const struct span type = embeddings_type_ours(e.task);
	if (!err && e.task.n > 0 && !span_is_set(type))
		err = intake_refuse(in, &task, "there is no such task");
	if (!err && e.dimensions.is_set && e.dimensions.v < 1)
		err = intake_refuse(in, at, "vectors have at least 1 dimension");
	if (err)
		return err;
	if (i > 0 && (!are_same(&others, &out->extra) || !span_eq(type, out->input_type) ||
			     e.dimensions.is_set != out->dimensions.is_set ||
			     e.dimensions.v != out->dimensions.v))
		return intake_refuse(in, at, "all of one call must be asked for alike");
	out->input_type = type;
	out->dimensions = e.dimensions;
	return read_content(in, at, e.content, &out->inputs[i]);
}

static enum err read_requests(struct intake *in, struct json v, struct llm_request *out)
{
	const struct at all = at_member(&incoming_body, SPAN("requests"));
	const struct json list = json_member(v, "requests");
	size_t i = 0;
	if (json_kind(list) != JSON_ARRAY || intake_count(v) > 1)
		return intake_refuse(in, &all, "an array is wanted, and nothing beside it");
	out->n_inputs = intake_count(list);
	if (out->n_inputs == 0)
		return intake_refuse(in, &all, "at least one is wanted");
	out->inputs = arena_array(in->arena, out->n_inputs, sizeof *out->inputs);
	if (!out->inputs)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(list); json_next(&w); i++) {
		const struct at here = at_index(&all, i);
		const enum err err = read_embedded(in, &here, w.value, i, out);
		if (err)
			return err;
	}
	return OK;
}

static enum err read_single(struct intake *in, struct json v, struct llm_request *out)
{
	out->inputs = arena_array(in->arena, 1, sizeof *out->inputs);
	if (!out->inputs)
		return intake_no_memory(in);
	out->n_inputs = 1;
	return read_embedded(in, &incoming_body, v, 0, out);
}

enum err gemini_decode_embed(const struct surface_call *call, struct span body, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(GEMINI_FAMILY)};
	struct span method = SPAN("batchEmbedContents");
	struct json v;
	*out = (struct llm_request){.model = SPAN_NONE};
	notes->form = ANSWER_WHOLE;
	enum err err = read_path(&in, call->path, &out->model, &method);
	notes->wants_one = span_is(method, "embedContent");
	if (!err && !notes->wants_one && !span_is(method, "batchEmbedContents"))
		err = refuse_path(&in, method, "batchEmbedContents");
	if (!err)
		err = intake_body(&in, body, &v);
	if (err)
		return err;
	return notes->wants_one ? read_single(&in, v, out) : read_requests(&in, v, out);
}
