/* surfaces.c - the table, and what stands at the end of a path. */
#include "brokerd/dialect/surfaces.h"

#include "brokerd/dialect/registry.h"

/* clang-format off */
static const struct surface rows[] = {
	{.name = "openai.chat", .dialect = &dialect_openai_chat, .op = LLM_OP_CHAT},
	{.name = "openai.completions", .dialect = &dialect_openai_completions, .op = LLM_OP_CHAT},
	{.name = "openai.responses", .dialect = &dialect_openai_responses, .op = LLM_OP_CHAT,
		.count = "/input_tokens", .has_kept_answers = true},
	{.name = "anthropic.messages", .dialect = &dialect_anthropic, .op = LLM_OP_CHAT,
		.count = "/count_tokens", .tells_input_first = true},
	{.name = "gemini.generate", .dialect = &dialect_gemini, .op = LLM_OP_CHAT,
		.count = ":countTokens", .embed = {":embedContent", ":batchEmbedContents"},
		.lists_models = true},
	{.name = "openai.embeddings", .dialect = &dialect_openai_chat, .op = LLM_OP_EMBED},
	{.name = "openai.moderations", .dialect = &dialect_openai_chat, .op = LLM_OP_MODERATE},
	{.name = "rerank", .dialect = &dialect_openai_chat, .op = LLM_OP_RERANK},
	{.name = "models", .dialect = &dialect_openai_chat, .op = LLM_OP_MODELS},
};
/* clang-format on */

const struct surface *surface_find(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_is(name, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

const struct surface *surface_table(size_t *n)
{
	*n = COUNT_OF(rows);
	return rows;
}

static bool ends_with(struct span text, const char *end)
{
	const size_t n = strlen(end);
	return text.n >= n && memcmp(text.p + text.n - n, end, n) == 0;
}

static bool asks_for_vectors(const struct surface *s, const struct surface_call *call)
{
	for (size_t i = 0; i < COUNT_OF(s->embed); i++) {
		if (s->embed[i] && ends_with(call->path, s->embed[i]))
			return true;
	}
	return false;
}

/* Some APIs have their list of models at the same paths, less the method. */
static bool asks_for_models(const struct surface *s, const struct surface_call *call)
{
	return s->lists_models && span_is(call->method, "GET");
}

enum err surface_operation(const struct surface *s, const struct surface_call *call,
	enum llm_op *out, struct fault *why)
{
	*out = s->count && ends_with(call->path, s->count) ? LLM_OP_COUNT
	       : asks_for_vectors(s, call)                 ? LLM_OP_EMBED
	       : asks_for_models(s, call)                  ? LLM_OP_MODELS
							   : s->op;
	const struct dialect_op *op = dialect_operation(s->dialect, *out);
	const bool is_list = *out == LLM_OP_MODELS;
	const bool is_post =
		!span_is_set(call->method) || call->method.n == 0 || span_is(call->method, "POST");
	if (!s->has_kept_answers &&
		(is_list ? !span_is(call->method, "GET") && span_is_set(call->method) : !is_post))
		return fault_param(why, ERR_UNSUPPORTED, "surface.method",
			"nothing of the surface %s is translated that is asked by %.*s", s->name,
			SPAN_ARG(call->method));
	if (op && op->decode_request && op->encoder_new)
		return OK;
	return fault_param(why, ERR_UNSUPPORTED, "surface.path",
		"nothing of the surface %s is translated at %.*s", s->name, SPAN_ARG(call->path));
}
