/* named_models.h - which models does a body name beside the one that it asks for?
 * Some hosts take others in members that we do not know, to fall back on or for a tool: who may use only some
 * models must not reach the rest by them. Pure. */
#ifndef BROKERD_EXCHANGE_NAMED_MODELS_H
#define BROKERD_EXCHANGE_NAMED_MODELS_H
#include "protocol/base/json.h"

/* Tells each until it is answered with an error, which is returned. What is said in the conversation, in schemas
 * and in labels is not looked at. `body` is scanned. */
enum err named_models(struct json body, enum err (*tell)(void *context, struct span name),
	void *context) MUST_USE;
/* The same of one member of a body. */
enum err named_models_in(struct span member, struct json value,
	enum err (*tell)(void *context, struct span name), void *context) MUST_USE;

#endif
