/* model_json.h - what is said of a model where models are listed? */
#ifndef BROKERD_FRONT_MODEL_JSON_H
#define BROKERD_FRONT_MODEL_JSON_H
#include "brokerd/config/config.h"
#include "protocol/base/json.h"

struct model_said {
	struct span provider, model;
	bool is_default; /* of its provider */
	bool has_key;    /* its provider has one, or needs none */
};

/* Appends one object: id, provider, default, has_key; what is known of it (kind, context, max_output,
 * dimensions, input, output, params, efforts, retires, each only where it is); its prices of today in
 * USD per million tokens, price_input and price_output null where they are not known, and under
 * `prices` those of other times, tiers and lengths. A provider that there is not gives nothing. */
void model_json(const struct config *c, const struct model_said *said, struct json_out *o);

#endif
