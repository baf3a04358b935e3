/* test_surfaces.c - can each public API be read, answered and refused in? */
#include "brokerd/dialect/surfaces.h"
#include "tests/lib/tap.h"

static const struct {
	const char *surface, *method, *path;
	enum llm_op op;
	enum err err;
} rows[] = {
	{"openai.chat",        "POST", "/v1/chat/completions",                   LLM_OP_CHAT,     OK},
	{"openai.chat",        "",     "",				       LLM_OP_CHAT,     OK},
	{"openai.responses",   "POST", "/v1/responses/input_tokens",             LLM_OP_COUNT,    OK},
	{"openai.responses",   "GET",  "/v1/responses/resp_1",                   LLM_OP_CHAT,     OK},
	{"anthropic.messages", "POST", "/v1/messages",                           LLM_OP_CHAT,     OK},
	{"anthropic.messages", "POST", "/anthropic/v1/messages/count_tokens",    LLM_OP_COUNT,    OK},
	{"gemini.generate",    "POST", "/v1beta/models/m:streamGenerateContent", LLM_OP_CHAT,     OK},
	{"gemini.generate",    "POST", "/v1beta/models/m:countTokens",           LLM_OP_COUNT,    OK},
	{"gemini.generate",    "POST", "/v1beta/models/m:embedContent",          LLM_OP_EMBED,    OK},
	{"gemini.generate",    "POST", "/v1beta/models/m:batchEmbedContents",    LLM_OP_EMBED,    OK},
	{"gemini.generate",    "GET",  "/v1beta/models",                         LLM_OP_MODELS,   OK},
	{"openai.embeddings",  "POST", "/v1/embeddings",                         LLM_OP_EMBED,    OK},
	{"openai.moderations", "POST", "/v1/moderations",                        LLM_OP_MODERATE, OK},
	{"rerank",             "POST", "/v2/rerank",                             LLM_OP_RERANK,   OK},
	{"models",             "GET",  "/v1/models",                             LLM_OP_MODELS,   OK},
};

static void check_row(const struct surface *s)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf said = BUF_INIT(64 * 1024);
	int status = 0;
	const struct dialect_op *op = dialect_operation(s->dialect, s->op);
	ok(op && op->decode_request && op->encoder_new && op->encode && op->encoder_done,
		"%s reads and answers", s->name);
	ok(surface_find(span_str(s->name)) == s, "%s is found by its name", s->name);
	fault_set(&why, ERR_RATE_LIMITED, "later");
	s->dialect->phrase(&why, &said, &status);
	is_int(status, 429, "%s has a fault of its own", s->name);
}

int main(void)
{
	size_t n;
	const struct surface *all = surface_table(&n);
	for (size_t i = 0; i < n; i++)
		check_row(&all[i]);
	ok(!surface_find(SPAN("openai")), "a part of a name is none");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct surface_call call = {
			.method = span_str(rows[i].method), .path = span_str(rows[i].path)};
		enum llm_op op = LLM_OP_COUNT_OF;
		struct fault why = FAULT_NONE;
		const struct surface *s = surface_find(span_str(rows[i].surface));
		if (!ok(s != NULL, "%s", rows[i].surface))
			continue;
		is_err(surface_operation(s, &call, &op, &why), rows[i].err, "%s %s", rows[i].method,
			rows[i].path);
		is_int(op, rows[i].op, "%s %s: which operation", rows[i].surface, rows[i].path);
	}
	return tap_done();
}
