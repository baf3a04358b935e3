/* common.c - a row a member. */
#include "brokerd/dialect/common.h"

#include "brokerd/value/words.h"
#include "protocol/base/owned.h"

static const struct {
	const char *name, *families;
} rows[] = {
	{"moderation",             "openai-chat,openai-responses"},
	{"store",		  "openai-chat,openai-responses"},
	{"prompt_cache_retention", "openai-chat,openai-responses"},
	{"prompt_cache_options",   "openai-chat,openai-responses"},
	{"prediction",             "openai-chat,mistral"         },
};

bool common_is_known(struct span name, struct span from, struct span to)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct span families = span_str(rows[i].families);
		if (span_is(name, rows[i].name))
			return words_have(families, from) && words_have(families, to);
	}
	return false;
}
