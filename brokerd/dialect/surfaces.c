/* surfaces.c - the table, and what stands at the end of a path. */
#include "brokerd/dialect/surfaces.h"

#include "brokerd/dialect/registry.h"

static const struct surface rows[] = {
	{"openai.chat",        &dialect_openai_chat,        LLM_OP_CHAT,     NULL,            "/v1/chat/completions", false,
         false														    },
	{"openai.completions", &dialect_openai_completions, LLM_OP_CHAT,     NULL,            "/v1/completions",
         false,													      false},
	{"openai.responses",   &dialect_openai_responses,   LLM_OP_CHAT,     "/input_tokens",
         "/v1/responses",											     false, true },
	{"anthropic.messages", &dialect_anthropic,          LLM_OP_CHAT,     "/count_tokens", "/v1/messages",
         true,													       false},
	{"gemini.generate",    &dialect_gemini,             LLM_OP_CHAT,     ":countTokens",  NULL,                   false, false},
	{"openai.embeddings",  &dialect_openai_chat,        LLM_OP_EMBED,    NULL,            "/v1/embeddings",       false,
         false														    },
	{"openai.moderations", &dialect_openai_chat,        LLM_OP_MODERATE, NULL,            "/v1/moderations",
         false,													      false},
	{"rerank",             &dialect_openai_chat,        LLM_OP_RERANK,   NULL,            "/v1/rerank",           false, false},
	{"models",             &dialect_openai_chat,        LLM_OP_MODELS,   NULL,            "/v1/models",           false, false},
};

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

enum err surface_operation(const struct surface *s, const struct surface_call *call,
	enum llm_op *out, struct fault *why)
{
	*out = s->count && ends_with(call->path, s->count) ? LLM_OP_COUNT : s->op;
	const struct dialect_op *op = dialect_operation(s->dialect, *out);
	if (op && op->decode_request && op->encoder_new)
		return OK;
	return fault_param(why, ERR_UNSUPPORTED, "surface.path",
		"nothing of the surface %s is translated at %.*s", s->name, SPAN_ARG(call->path));
}
