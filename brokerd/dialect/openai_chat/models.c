/* models.c - OpenAI's models by their names' beginnings; data, for names change by the month. */
#include "brokerd/dialect/openai_chat/openai_chat.h"

#define LOW_TO_HIGH " low medium high "
#define NEWEST      " none low medium high xhigh max "

/* The first that fits; as observed in mid 2026. */
static const struct openai_model models[] = {
	{"gpt-5.6",       REASONS_UNLESS_NONE, NEWEST,                         false},
	{"gpt-5.5-pro",   REASONS_ALWAYS,      LOW_TO_HIGH "xhigh ",           false},
	{"gpt-5.5",       REASONS_UNLESS_NONE, " none low medium high xhigh ", false},
	{"gpt-5.4-pro",   REASONS_ALWAYS,      LOW_TO_HIGH "xhigh ",           false},
	{"gpt-5.4",       REASONS_IF_ASKED,    " none low medium high xhigh ", false},
	{"gpt-5.3-chat",  REASONS_ALWAYS,      " medium ",                     false},
	{"gpt-5.2-chat",  REASONS_ALWAYS,      " medium ",                     false},
	{"gpt-5.1-chat",  REASONS_ALWAYS,      " medium ",                     false},
	{"gpt-5.2-pro",   REASONS_ALWAYS,      LOW_TO_HIGH "xhigh ",           false},
	{"gpt-5.1-codex", REASONS_ALWAYS,      LOW_TO_HIGH "xhigh ",           false},
	{"gpt-5.3",       REASONS_IF_ASKED,    " none low medium high xhigh ", false},
	{"gpt-5.2",       REASONS_IF_ASKED,    " none low medium high xhigh ", false},
	{"gpt-5.1",       REASONS_IF_ASKED,    " none low medium high ",       false},
	{"gpt-5.",        REASONS_UNLESS_NONE, NEWEST,                         false}, /* newer than this table */
	{"gpt-6",         REASONS_UNLESS_NONE, NEWEST,                         false},
	{"gpt-5-chat",    REASONS_NEVER,       "",                             true },
	{"gpt-5-pro",     REASONS_ALWAYS,      " high ",                       false},
	{"gpt-5-codex",   REASONS_ALWAYS,      LOW_TO_HIGH,                    false},
	{"gpt-5",         REASONS_ALWAYS,      " minimal low medium high ",    false},
	{"o1-mini",       REASONS_ALWAYS,      "",                             true },
	{"o1",            REASONS_ALWAYS,      LOW_TO_HIGH,                    true },
	{"o3",            REASONS_ALWAYS,      LOW_TO_HIGH,                    false},
	{"o4",            REASONS_ALWAYS,      LOW_TO_HIGH,                    false},
	{"",	      REASONS_NEVER,       "",                             true },
};

const struct openai_model *openai_model_find(struct span model)
{
	for (size_t i = 0; i < COUNT_OF(models); i++) {
		if (span_starts(model, span_str(models[i].prefix)))
			return &models[i];
	}
	return NULL;
}
