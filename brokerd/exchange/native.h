/* native.h - how is a provider's own endpoint reached that nobody translates?
 * Method, path, query and body are the caller's; host, credential and limits are not. The reply comes back
 * as it is, whatever its status. Where it is an endpoint that a family here reads, that listens in for the
 * counts. */
#ifndef BROKERD_EXCHANGE_NATIVE_H
#define BROKERD_EXCHANGE_NATIVE_H
#include "brokerd/dialect/dialect.h"

/* `forward` and a decoder, for LLM_OP_NATIVE; the counts are the only events that come of it. */
extern const struct dialect_op native_op;

/* The model that the body names, for the ledger and the price; absent: none, or it is not read here. */
struct span native_model(const struct surface_call *call, struct span body, struct arena *a);

/* Tells each model that a call names, in its path and in its body. ERR_DENIED: it cannot be read which, for its
 * body is no JSON that names one. Without a body only the path counts. */
enum err native_models(struct span path, struct span body,
	enum err (*tell)(void *context, struct span name), void *context) MUST_USE;

/* What a caller sees of the reply's head beside its type. */
bool native_shows_header(struct span name);

#endif
