/* catalogue.h - how does a public list of models become lines of the broker's catalogue?
 * Reads LiteLLM's table of prices (one object a model, "litellm_provider") and models.dev's api.json
 * (one object a provider, "models"). Prices stay exact: they are moved by their decimal point, never
 * through a double. What a list does not say is left out. */
#ifndef LIBLLMCLIENT_CLI_CATALOGUE_H
#define LIBLLMCLIENT_CLI_CATALOGUE_H
#include "protocol/base/json.h"

struct catalogue_tally {
	const char *format;     /* "LiteLLM", "models.dev" */
	size_t models, skipped; /* of other kinds, or with names that no line can have */
	size_t unread; /* prices of other units than tokens, on conditions that no line has, or that are none */
};

/* Appends a line a model. False: it is neither. Failures stick to the buf. */
bool catalogue_convert(struct json list, struct buf *out, struct catalogue_tally *tally);

#endif
