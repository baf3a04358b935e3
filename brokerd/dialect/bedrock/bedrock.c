/* bedrock.c - Converse and ConverseStream, one wire for the models of many vendors. */
#include "brokerd/dialect/bedrock/bedrock.h"

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/whole.h"

/* clang-format off */
const struct error_rule bedrock_errors[] = {
	{0,   NULL, "AccessDeniedException",              "api key",                      ERR_AUTH,            NULL},
	{403, NULL, NULL,                                 "bearer token",                 ERR_AUTH,            NULL},
	{403, NULL, NULL,                                 "authentication failed",        ERR_AUTH,            NULL},
	{403, NULL, NULL,                                 "invalid api key",              ERR_AUTH,            NULL},
	{0,   NULL, "AccessDeniedException",              NULL,                           ERR_PERMISSION,      NULL},
	{0,   NULL, "UnrecognizedClientException",        NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "InvalidSignatureException",          NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "ExpiredTokenException",              NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "ExpiredToken",                       NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "MissingAuthenticationTokenException", NULL,                          ERR_AUTH,            NULL},
	{0,   NULL, "IncompleteSignatureException",       NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "InvalidClientTokenId",               NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "SignatureDoesNotMatch",              NULL,                           ERR_AUTH,            NULL},
	{0,   NULL, "ServiceQuotaExceededException",      NULL,                           ERR_QUOTA_EXHAUSTED, NULL},
	{0,   NULL, "ThrottlingException",                "per day",                      ERR_QUOTA_EXHAUSTED, NULL},
	{0,   NULL, "ThrottlingException",                NULL,                           ERR_RATE_LIMITED,    NULL},
	{0,   NULL, "ModelNotReadyException",             NULL,                           ERR_OVERLOADED,      NULL},
	{0,   NULL, "ModelTimeoutException",              NULL,                           ERR_TIMEOUT,         NULL},
	{0,   NULL, "InternalServerException",            NULL,                           ERR_SERVER_ERROR,    NULL},
	{0,   NULL, "ServiceUnavailableException",        NULL,                           ERR_OVERLOADED,      NULL},
	{0,   NULL, "ConflictException",                  NULL,                           ERR_INVALID_REQUEST, NULL},
	{404, NULL, "UnknownOperationException",          NULL,                           ERR_NOT_FOUND,       "endpoint"},
	{0,   NULL, "ResourceNotFoundException",          NULL,                           ERR_NOT_FOUND,       NULL},
	{429, NULL, NULL,                                 "per day",                      ERR_QUOTA_EXHAUSTED, NULL},
	/* a ValidationException is known by its words, and so is one without its name */
	{400, NULL, NULL,                                 "on-demand throughput",         ERR_NOT_FOUND,       NULL},
	{400, NULL, NULL,                                 "model identifier is invalid",  ERR_NOT_FOUND,       NULL},
	{400, NULL, NULL,                                 "too many total text bytes",    ERR_CONTEXT_LENGTH,  NULL},
	{400, NULL, NULL,                                 "input tokens exceed",          ERR_CONTEXT_LENGTH,  NULL},
	{400, NULL, NULL,                                 " tokens exceeds the maximum",  ERR_CONTEXT_LENGTH,  NULL},
	{400, NULL, NULL,                                 "exceeds the maximum number of tokens", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL,                                 "exceeds the maximum number of input tokens", ERR_CONTEXT_LENGTH, NULL},
	/* a name of the caller's may stand in any other sentence: its words decide nothing */
	{0,   NULL, "ValidationException",                NULL,                           ERR_INVALID_REQUEST, NULL},
	{.class = OK},
};
/* clang-format on */

/* What the model behind the service said, where the service passes it on with a status of its own. */
static int original_status(struct span body)
{
	struct json v;
	int64_t status = 0;
	if (json_scan(body, JSON_LENIENT, &v, NULL) != OK ||
		!json_i64(json_member(v, "originalStatusCode"), &status) || status < 400 ||
		status > 599)
		return 0;
	return (int)status;
}

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	struct http_reply told = *reply;
	const int status = reply->head.status == 424 ? original_status(reply->body) : 0;
	if (status)
		told.head.status = status;
	error_explain(&told, target, bedrock_errors, out);
	out->http_status = reply->head.status;
}

static const struct dialect_op chat = {
	.encode_request = bedrock_encode_request,
	.bound_output = bedrock_bound_output,
	.decoder_new = bedrock_decoder_new,
	.decode = bedrock_decode,
	.decode_end = bedrock_decode_end,
	.decoder_done = bedrock_decoder_done,
	.decode_request = bedrock_decode_request,
};

static const struct dialect_op embed = {
	.encode_request = bedrock_encode_embed,
	.decoder_new = embeddings_decoder_new_metered,
	WHOLE_REPLY,
};

static const struct dialect_op count = {
	.encode_request = bedrock_encode_count,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
};

static const struct dialect_op rerank = {
	.encode_request = bedrock_encode_rerank,
	.decoder_new = ranking_decoder_new,
	WHOLE_REPLY,
};

const struct dialect dialect_bedrock = {
	.family = BEDROCK_FAMILY,
	.path = BEDROCK_PATH,
	.ops = {[LLM_OP_CHAT] = &chat,
		[LLM_OP_EMBED] = &embed,
		[LLM_OP_COUNT] = &count,
		[LLM_OP_RERANK] = &rerank},
	.explain = explain,
};
