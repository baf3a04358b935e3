/* traits.c - the table, a reader for each kind, and the laying of one over another. */
#include "brokerd/config/traits.h"

#include <assert.h>

#include "brokerd/config/builtin.h"
#include "brokerd/config/rules.h"
#include "protocol/base/num.h"
#include "protocol/base/owned.h"

#define AT(m) offsetof(struct quirks, m)

#define FAMILIES                                                                                   \
	"openai-chat|openai-responses|openai-completions|anthropic|gemini|bedrock|mistral|cohere|" \
	"ollama"
#define SAMPLING "temperature|top_p|presence_penalty|frequency_penalty|logit_bias|logprobs"

/* clang-format off */
static const struct trait traits[] = {
	{"rules", TRAIT_SCOPE, AT(rules), NULL,
		"Whose names of models are known there, beside the family's: *openai* for a host of OpenAI's models."},
	{"errors", TRAIT_HOST, AT(errors), NULL,
		"The provider whose errors it uses, where they are not its own: *openai*, *groq*, ..."},
	{"limits", TRAIT_HOST, AT(limits), NULL,
		"The provider whose headers about rate limits it sends, where they are not its own."},
	{"dialect", TRAIT_WORD, AT(dialect), FAMILIES,
		"In a [model] section: which of its provider's dialects the model is spoken to in."},
	{"ops", TRAIT_OPS, AT(ops), "chat|complete|embed|rerank|count|models|moderate|images|transcribe|speech|files|batches",
		"What is served there, with commas between: *chat*, *embed*, *rerank*, *count*, *models*, *moderate*, *images*, *transcribe*, *speech*, *files*, *batches*; each with a path behind a colon where that is not the usual one. Without it, everything."},
	{"drops", TRAIT_LIST, AT(drops), SAMPLING "|top_k|min_p|repetition_penalty|seed|top_logprobs|user|service_tier|verbosity|metadata",
		"The parameters that it refuses, with commas between them."},
	{"extras", TRAIT_TEXT, AT(extras), NULL,
		"The members of a chat request that it takes and that the broker only passes on, with commas between them; *any*: all."},
	{"reports", TRAIT_WORD, AT(reports), "openai|anthropic",
		"Whose reports of costs and usage it has, which `llmb reconcile` asks for with an admin key: *openai* or *anthropic*."},
	{"openai_rules", TRAIT_BOOL, AT(is_openai), NULL,
		"OpenAI's own members are known there: custom tools, *safety_identifier* and the like."},
	{"anthropic_version", TRAIT_TEXT, AT(api_version), NULL,
		"The *anthropic-version* header."},
	{"version_in_body", TRAIT_BOOL, AT(is_version_in_body), NULL,
		"Its *anthropic_version* stands in the body, and the model in the address alone, as on Vertex AI."},
	{"max_tokens_field", TRAIT_WORD, AT(max_tokens_field), "max_tokens|max_completion_tokens",
		"What the bound on the answer is called."},
	{"system_role", TRAIT_WORD, AT(system_role), "system|developer|user",
		"The role that a developer's text is sent with."},
	{"stream_options", TRAIT_BOOL, AT(has_stream_options), NULL,
		"It takes *stream_options*, and so tells the usage of a stream."},
	{"json_object", TRAIT_BOOL, AT(has_json_object), NULL,
		"It takes a *response_format* of *json_object*."},
	{"json_schema", TRAIT_BOOL, AT(has_json_schema), NULL,
		"It takes a *response_format* of *json_schema*."},
	{"strict_tools", TRAIT_BOOL, AT(has_strict_tools), NULL,
		"It takes *strict* with a tool."},
	{"schemas", TRAIT_CHOICE, AT(schemas), "full|mfjs|closed",
		"Which JSON Schema it takes: *mfjs* is Moonshot's, *closed* has no *additionalProperties* but false."},
	{"parallel_tool_calls", TRAIT_BOOL, AT(has_parallel_flag), NULL,
		"It takes *parallel_tool_calls*."},
	{"seed", TRAIT_BOOL, AT(has_seed), NULL,
		"It takes *seed*."},
	{"penalties", TRAIT_BOOL, AT(has_penalties), NULL,
		"It takes *presence_penalty* and *frequency_penalty*."},
	{"logit_bias", TRAIT_BOOL, AT(has_logit_bias), NULL,
		"It takes *logit_bias*."},
	{"logprobs", TRAIT_BOOL, AT(has_logprobs), NULL,
		"It takes *logprobs*."},
	{"n", TRAIT_BOOL, AT(has_n), NULL,
		"It takes *n*, for several answers to one question."},
	{"top_k", TRAIT_BOOL, AT(has_top_k), NULL,
		"It takes *top_k*, *min_p* and *repetition_penalty*."},
	{"top_k_field", TRAIT_WORD, AT(top_k_field), "top_k|inferenceConfig.topK",
		"On Bedrock, where the model has *top_k*."},
	{"stop", TRAIT_BOOL, AT(has_stop), NULL,
		"It takes *stop*."},
	{"user", TRAIT_BOOL, AT(has_user), NULL,
		"It takes *user*."},
	{"metadata", TRAIT_BOOL, AT(has_metadata), NULL,
		"It takes *metadata*."},
	{"service_tier", TRAIT_BOOL, AT(has_service_tier), NULL,
		"It takes *service_tier*."},
	{"verbosity", TRAIT_BOOL, AT(has_verbosity), NULL,
		"It takes *verbosity*."},
	{"cache_key", TRAIT_BOOL, AT(has_cache_key), NULL,
		"It takes *prompt_cache_key*."},
	{"cache_marks", TRAIT_BOOL, AT(has_cache_marks), NULL,
		"It takes marks for its cache on parts of a message."},
	{"bytes_max", TRAIT_COUNT, AT(bytes_max), NULL,
		"The most bytes of a request that it takes; 0: as many as the broker does."},
	{"tokens_max", TRAIT_COUNT, AT(tokens_max), NULL,
		"The most tokens that it writes, where the model's own section has no *max_output*; 0: not known."},
	{"stops_max", TRAIT_COUNT, AT(stops_max), NULL,
		"How many stop sequences it takes; 0: as many as one likes."},
	{"tools_max", TRAIT_COUNT, AT(tools_max), NULL,
		"How many tools it takes; 0: as many as one likes."},
	{"temperature_max_milli", TRAIT_COUNT, AT(temperature_max_milli), NULL,
		"The highest temperature in thousandths; 0: any."},
	{"temperature_min_milli", TRAIT_COUNT, AT(temperature_min_milli), NULL,
		"The lowest temperature in thousandths."},
	{"top_p_min_milli", TRAIT_COUNT, AT(top_p_min_milli), NULL,
		"The lowest *top_p* in thousandths."},
	{"top_p_max_milli", TRAIT_COUNT, AT(top_p_max_milli), NULL,
		"The highest *top_p* in thousandths; 0: any."},
	{"penalty_max_milli", TRAIT_COUNT, AT(penalty_max_milli), NULL,
		"The highest *presence_penalty* and *frequency_penalty* in thousandths, which go down as far below zero; 0: any."},
	{"top_logprobs_max", TRAIT_COUNT, AT(top_logprobs_max), NULL,
		"The highest *top_logprobs*; 0: any."},
	{"seed_max", TRAIT_COUNT, AT(seed_max), NULL,
		"Seeds are 0 to this; 0: any."},
	{"do_sample", TRAIT_BOOL, AT(has_do_sample), NULL,
		"It takes *do_sample* where others take a temperature of 0."},
	{"user_field", TRAIT_WORD, AT(user_field), "user|safety_identifier",
		"What the name of an end user is called."},
	{"repetition_field", TRAIT_WORD, AT(repetition_field), "repetition_penalty|repeat_penalty",
		"What the penalty for repetitions is called."},
	{"modalities", TRAIT_BOOL, AT(has_modalities), NULL,
		"It takes *modalities*, and so answers with images or audio."},
	{"sampling", TRAIT_CHOICE, AT(sampling), "all|one|none",
		"Whether it takes *temperature* and *top_p*: both, one of them, or neither."},
	{"system", TRAIT_BOOL, AT(has_system), NULL,
		"It takes system text; else that goes before the first words of the user."},
	{"single_system", TRAIT_BOOL, AT(is_system_single), NULL,
		"It takes one system message, at the beginning."},
	{"later_system", TRAIT_BOOL, AT(has_later_system), NULL,
		"It takes system messages among the others, in a family that has them apart."},
	{"strict_order", TRAIT_BOOL, AT(is_order_strict), NULL,
		"It wants user and assistant in turn, the user first."},
	{"names", TRAIT_BOOL, AT(has_names), NULL,
		"It takes a *name* on messages."},
	{"prefill", TRAIT_CHOICE, AT(prefill), "no|plain|prefix|partial|continue",
		"Whether it goes on with what the assistant began, and which word that needs."},
	{"prefill_path", TRAIT_TEXT, AT(prefill_path), NULL,
		"The path of a chat in which it goes on so, where that is another."},
	{"empty_content", TRAIT_CHOICE, AT(empty_content), "null|text|omit",
		"What stands for the text of an assistant that only called tools."},
	{"images", TRAIT_BOOL, AT(has_images), NULL,
		"It takes images."},
	{"urls", TRAIT_LIST, AT(urls), "https|http|s3|gs|file|none",
		"The addresses of images and files that it follows, by their schemes with commas between: *https,http*; *none*: it needs the bytes."},
	{"image_types", TRAIT_TEXT, AT(image_types), NULL,
		"The types of images that it takes, with commas between: *image/png,image/jpeg*."},
	{"file_parts", TRAIT_BOOL, AT(has_file_parts), NULL,
		"It takes files in a message."},
	{"audio_parts", TRAIT_BOOL, AT(has_audio_parts), NULL,
		"It takes audio in a message."},
	{"audio_form", TRAIT_WORD, AT(audio_form), "base64|uri",
		"How audio's bytes are written."},
	{"video_parts", TRAIT_BOOL, AT(has_video_parts), NULL,
		"It takes video in a message."},
	{"result_media", TRAIT_BOOL, AT(has_result_media), NULL,
		"It takes images and files in the result of a tool."},
	{"tools", TRAIT_BOOL, AT(has_tools), NULL,
		"It takes tools."},
	{"tool_choice", TRAIT_BOOL, AT(has_tool_choice), NULL,
		"It takes a *tool_choice*."},
	{"tool_stream", TRAIT_BOOL, AT(has_tool_stream), NULL,
		"It gives arguments of tools piece by piece where *tool_stream* asks for it."},
	{"json_arguments", TRAIT_BOOL, AT(needs_json_args), NULL,
		"Arguments of earlier calls must be JSON objects."},
	{"calls_last", TRAIT_BOOL, AT(is_calls_last), NULL,
		"It wants the calls of a turn side by side, behind all else of the turn."},
	{"forced_tools", TRAIT_CHOICE, AT(forcing), "yes|unless_reasoning|no|named",
		"Whether it takes a *tool_choice* that forces a call."},
	{"short_ids", TRAIT_BOOL, AT(has_short_ids), NULL,
		"The ids of its tool calls have nine letters and digits."},
	{"dotted_ids", TRAIT_BOOL, AT(has_dotted_ids), NULL,
		"The ids of its tool calls may have dots and colons in them."},
	{"result_status", TRAIT_BOOL, AT(has_result_status), NULL,
		"It takes a word on a tool's result that says whether the call failed."},
	{"result_json", TRAIT_BOOL, AT(is_result_json), NULL,
		"It takes a tool's result as a JSON object only."},
	{"result_alone", TRAIT_BOOL, AT(is_result_alone), NULL,
		"It takes no text beside the results of tools."},
	{"call_ids", TRAIT_BOOL, AT(has_call_ids), NULL,
		"It takes ids of tool calls, where the family can do without."},
	{"sealed_calls", TRAIT_BOOL, AT(has_sealed_calls), NULL,
		"It wants a *thoughtSignature* on earlier tool calls."},
	{"json_with_tools", TRAIT_BOOL, AT(has_json_with_tools), NULL,
		"It takes tools and a response format in one request."},
	{"openapi_schemas", TRAIT_BOOL, AT(has_openapi_schemas), NULL,
		"It takes schemas in the form of OpenAPI alone, not as JSON Schema."},
	{"reasons", TRAIT_CHOICE, AT(reasons), "unknown|never|asked|default|always",
		"Whether it reasons: *asked* only when asked to, *default* unless told not to."},
	{"reasoning", TRAIT_CHOICE, AT(reasoning_by), "nothing|effort|budget|adaptive|level|switch|flag|object|think|template|mode|disable|config",
		"How reasoning is asked for."},
	{"efforts", TRAIT_LIST, AT(efforts), "none|minimal|low|medium|high|xhigh|max|default",
		"The efforts that it takes, lowest first, with commas between them."},
	{"budgets", TRAIT_BOOL, AT(has_budgets), NULL,
		"It takes a budget of tokens to reason with, however else reasoning is asked for."},
	{"budget_min", TRAIT_COUNT, AT(budget_min), NULL,
		"The least tokens to reason with, if at all; 0: no bound known."},
	{"budget_max", TRAIT_COUNT, AT(budget_max), NULL,
		"The most tokens to reason with; 0: no bound known."},
	{"drops_when_reasoning", TRAIT_LIST, AT(drops_when_reasoning), SAMPLING "|stop",
		"The parameters that it refuses while it reasons, with commas between them."},
	{"reasoning_history", TRAIT_CHOICE, AT(reasoning_history), "none|field|always|tags|details|chunks",
		"How earlier reasoning goes back to it."},
	{"reasoning_field", TRAIT_WORD, AT(reasoning_field), "reasoning_content|reasoning",
		"The member that reasoning goes back in."},
	{"reasoning_format", TRAIT_BOOL, AT(has_reasoning_format), NULL,
		"It takes *reasoning_format*."},
	{"clear_thinking", TRAIT_BOOL, AT(has_clear_thinking), NULL,
		"It keeps earlier reasoning where *clear_thinking* is false."},
	{"thinking_display", TRAIT_BOOL, AT(has_thinking_display), NULL,
		"It shows its thinking only when asked to."},
	{"think_tags", TRAIT_BOOL, AT(has_think_tags), NULL,
		"Its reasoning comes inside the text, in think tags."},
	{"think_open", TRAIT_BOOL, AT(is_think_open), NULL,
		"And without the opening tag."},
	{"embed_model", TRAIT_TEXT, AT(embed_model), NULL,
		"The model that makes embeddings where none is named."},
	{"rerank_model", TRAIT_TEXT, AT(rerank_model), NULL,
		"The model that ranks documents where none is named."},
	{"moderate_model", TRAIT_TEXT, AT(moderate_model), NULL,
		"The model that moderates where none is named."},
	{"embedding_format", TRAIT_WORD, AT(embedding_format), "float|base64|base64_int8",
		"How it is asked to write vectors, where it can be."},
	{"dimensions_field", TRAIT_WORD, AT(dimensions_field), "dimensions|output_dimension|none",
		"What the number of dimensions is called, or that it cannot be chosen."},
	{"top_field", TRAIT_WORD, AT(top_field), "top_n|top_k|topN|none",
		"What the number of documents that a ranking keeps is called; *none*: the broker cuts it."},
	{"rerank_body", TRAIT_CHOICE, AT(rerank_body), "documents|passages|texts|records",
		"How documents to be ranked are written: as most do, as NVIDIA, as Text Embeddings Inference, or as Google does."},
	{"input_types", TRAIT_CHOICE, AT(input_types), "none|plain|passage|cohere|jina|gemini",
		"In whose words it is told what embeddings are for."},
	{"truncation", TRAIT_CHOICE, AT(truncation), "none|word|switch|flag",
		"How it is told to cut inputs that are too long."},
	{"image_inputs", TRAIT_BOOL, AT(has_image_inputs), NULL,
		"It makes embeddings of images."},
	{"embed_body", TRAIT_CHOICE, AT(embed_body), "unknown|titan|cohere|nova",
		"At Bedrock: whose body a model's embeddings take."},
	{"predict", TRAIT_BOOL, AT(has_predict), NULL,
		"It is Vertex AI, where embeddings are predictions."},
	{"inputs_max", TRAIT_COUNT, AT(inputs_max), NULL,
		"How many inputs one request for embeddings takes, more are several requests; 0: 128."},
	{"inputs_tokens_max", TRAIT_COUNT, AT(inputs_tokens_max), NULL,
		"How many tokens these may be together, by an estimate; 0: any."},
	{"blank_start", TRAIT_BOOL, AT(has_blank_start), NULL,
		"Between its reasoning and its answer comes white space that means nothing, and is left out."},
	{"stream_forced", TRAIT_BOOL, AT(is_stream_forced), NULL,
		"It is always asked for a stream, for it refuses or fails otherwise."},
};
/* clang-format on */

static_assert(COUNT_OF(traits) <= TRAITS_MAX, "a bit each");
static_assert(sizeof(enum reasons) == sizeof(int), "a choice is written as an int");

const struct trait *traits_table(size_t *n)
{
	*n = COUNT_OF(traits);
	return traits;
}

const struct trait *trait_find(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(traits); i++) {
		if (span_is(name, traits[i].name))
			return &traits[i];
	}
	return NULL;
}

static size_t size_of(enum trait_kind kind)
{
	switch (kind) {
	case TRAIT_BOOL:
		return sizeof(bool);
	case TRAIT_COUNT:
		return sizeof(int64_t);
	case TRAIT_CHOICE:
		return sizeof(int);
	case TRAIT_TEXT:
	case TRAIT_WORD:
	case TRAIT_LIST:
	case TRAIT_OPS:
	case TRAIT_SCOPE:
	case TRAIT_HOST:
		return sizeof(struct span);
	}
	return 0;
}

static void *field_of(struct quirks *q, const struct trait *t)
{
	return (char *)q + t->at;
}

/* The place of a word in "a|b|c", or -1. */
static int place_of(const char *words, struct span word)
{
	struct span rest = span_str(words);
	for (int i = 0; span_is_set(rest); i++) {
		if (span_eq(span_cut(&rest, '|'), word))
			return i;
	}
	return -1;
}

static enum err check_list(const struct trait *t, struct span list, struct fault *why)
{
	while (span_is_set(list)) {
		struct span path = span_trim(span_cut(&list, ','));
		const struct span whole = path;
		const struct span word = t->kind == TRAIT_OPS ? span_cut(&path, ':') : whole;
		if (place_of(t->words, word) < 0)
			return fault_set(why, ERR_MISCONFIGURED,
				"\"%.*s\" is none of %s's words, which are %s",
				SPAN_ARG(span_first(word, 64)), t->name, t->words);
		if (word.n < whole.n && !span_starts(path, SPAN("/")))
			return fault_set(why, ERR_MISCONFIGURED,
				"the path of %.*s begins with a /, as in %.*s:/v1/%.*s",
				SPAN_ARG(word), SPAN_ARG(word), SPAN_ARG(word));
	}
	return OK;
}

static enum err check_scope(const struct trait *t, struct span name, struct fault *why)
{
	size_t n;
	const struct rule *rows = rules_rows(&n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, rows[i].scope))
			return OK;
	}
	return fault_set(why, ERR_MISCONFIGURED,
		"%s names whose rules hold, as openai, anthropic or open: there are none of "
		"\"%.*s\"",
		t->name, SPAN_ARG(span_first(name, 64)));
}

static enum err check_host(const struct trait *t, struct span name, struct fault *why)
{
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, rows[i].name))
			return OK;
	}
	return fault_set(why, ERR_MISCONFIGURED,
		"%s names a built-in provider, as openai or groq: \"%.*s\" is none", t->name,
		SPAN_ARG(span_first(name, 64)));
}

/* Is a text one that the trait can have? */
static enum err check_text(const struct trait *t, struct span value, struct fault *why)
{
	switch (t->kind) {
	case TRAIT_WORD:
		return place_of(t->words, value) >= 0
			       ? OK
			       : fault_set(why, ERR_MISCONFIGURED, "%s is one of %s", t->name,
					 t->words);
	case TRAIT_LIST:
	case TRAIT_OPS:
		return check_list(t, value, why);
	case TRAIT_SCOPE:
		return check_scope(t, value, why);
	case TRAIT_HOST:
		return check_host(t, value, why);
	default:
		return http_header_is_sound(SPAN("x"), value)
			       ? OK
			       : fault_set(why, ERR_MISCONFIGURED,
					 "this text has a character that no header can carry");
	}
}

static bool is_text(enum trait_kind kind)
{
	return kind != TRAIT_BOOL && kind != TRAIT_COUNT && kind != TRAIT_CHOICE;
}

enum err overlay_set(struct overlay *o, const struct trait *t, struct span value, struct arena *a,
	struct fault *why)
{
	void *to = field_of(&o->values, t);
	const size_t i = (size_t)(t - traits);
	int64_t count;
	int place;
	switch (t->kind) {
	case TRAIT_BOOL:
		if (!num_bool(value, to))
			return fault_set(why, ERR_MISCONFIGURED, "this is yes or no");
		break;
	case TRAIT_COUNT:
		if (!num_i64(value, &count) || count < 0 || count > INT32_MAX)
			return fault_set(why, ERR_MISCONFIGURED,
				"%s is a whole number from 0 to %d", t->name, INT32_MAX);
		memcpy(to, &count, sizeof count);
		break;
	case TRAIT_CHOICE:
		place = place_of(t->words, value);
		if (place < 0)
			return fault_set(
				why, ERR_MISCONFIGURED, "%s is one of %s", t->name, t->words);
		memcpy(to, &place, sizeof place);
		break;
	default: {
		const enum err err = check_text(t, value, why);
		if (err)
			return err;
		if (arena_dup(a, value, to))
			return fault_set(why, ERR_NO_MEMORY, "no memory for the configuration");
	}
	}
	o->given[i / 64] |= UINT64_C(1) << (i % 64);
	return OK;
}

void overlay_parse(struct overlay *o, const char *list)
{
	struct span rest = span_str(list);
	while (span_is_set(rest)) {
		struct span value = span_cut(&rest, ' ');
		if (value.n == 0)
			continue;
		const struct trait *t = trait_find(span_cut(&value, '='));
		assert(t); /* the lists are ours */
		if (!span_is_set(value))
			value = SPAN("yes");
		if (is_text(t->kind)) { /* no copy is needed */
			const size_t i = (size_t)(t - traits);
			assert(!check_text(t, value, NULL));
			memcpy(field_of(&o->values, t), &value, sizeof value);
			o->given[i / 64] |= UINT64_C(1) << (i % 64);
			continue;
		}
		const enum err err = overlay_set(o, t, value, NULL, NULL);
		assert(!err);
	}
}

/* Takes the next one that was set; NULL: no more. There are few of many. */
static const struct trait *next_given(uint64_t given[TRAITS_MAX / 64])
{
	for (size_t i = 0; i < TRAITS_MAX / 64; i++) {
		if (given[i] == 0)
			continue;
		const struct trait *t = &traits[i * 64 + (size_t)__builtin_ctzll(given[i])];
		given[i] &= given[i] - 1;
		return t;
	}
	return NULL;
}

void overlay_apply(const struct overlay *o, struct quirks *q)
{
	uint64_t given[TRAITS_MAX / 64];
	const struct trait *t;
	memcpy(given, o->given, sizeof given);
	while ((t = next_given(given)) != NULL)
		memcpy(field_of(q, t), (const char *)&o->values + t->at, size_of(t->kind));
}

unsigned overlay_given(const struct overlay *o, const size_t *quirks, size_t n)
{
	uint64_t given[TRAITS_MAX / 64];
	const struct trait *t;
	unsigned bits = 0;
	memcpy(given, o->given, sizeof given);
	while ((t = next_given(given)) != NULL) {
		for (size_t i = 0; i < n; i++)
			bits |= t->at == quirks[i] ? 1U << i : 0;
	}
	return bits;
}

void overlay_lay(struct overlay *under, const struct overlay *over)
{
	overlay_apply(over, &under->values);
	for (size_t i = 0; i < COUNT_OF(under->given); i++)
		under->given[i] |= over->given[i];
}
