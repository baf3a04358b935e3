/* ollama.c - Ollama's own API: chat as lines of JSON, and its list of models. */
#include "brokerd/dialect/ollama/ollama.h"

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/whole.h"

/* clang-format off */
const struct error_rule ollama_errors[] = {
	{400, NULL, NULL, "input length exceeds", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL, "prompt is too long", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL, "exceeds the available context size", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL, "does not support", ERR_INVALID_REQUEST, "unsupported_parameter"},
	{401, NULL, NULL, NULL, ERR_AUTH, NULL},
	{402, NULL, NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{403, NULL, NULL, NULL, ERR_PERMISSION, NULL},
	{404, NULL, NULL, "not found, try pulling it first", ERR_NOT_FOUND, "unknown_model"},
	{429, NULL, NULL, "weekly usage limit", ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, "hourly usage limit", ERR_QUOTA_EXHAUSTED, NULL},
	{429, NULL, NULL, NULL, ERR_RATE_LIMITED, NULL},
	{0, NULL, NULL, "requires more system memory", ERR_SERVER_ERROR, "out_of_memory"},
	{0, NULL, NULL, "server busy", ERR_OVERLOADED, NULL},
	{503, NULL, NULL, NULL, ERR_OVERLOADED, NULL},
	{.class = OK},
};
/* clang-format on */

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	error_explain(reply, target, ollama_errors, out);
}

static const struct dialect_op chat = {
	.encode_request = ollama_encode_request,
	.decoder_new = ollama_decoder_new,
	.decode = ollama_decode,
	.decode_end = ollama_decode_end,
	.decoder_done = ollama_decoder_done,
	.decode_request = ollama_decode_request,
};

static const struct dialect_op embed = {
	.encode_request = ollama_encode_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
};

const struct dialect dialect_ollama = {
	.family = OLLAMA_FAMILY,
	.path = "/api/chat",
	.ops = {[LLM_OP_CHAT] = &chat, [LLM_OP_EMBED] = &embed},
	.explain = explain,
	.models_path = "/api/tags",
};
