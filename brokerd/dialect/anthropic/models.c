/* models.c - Anthropic's models by their names' beginnings; data, for names change by the month. */
#include "brokerd/dialect/anthropic/anthropic.h"

#define LOW_TO_HIGH " low medium high "

/* A generation: sampling, thinking, its efforts, can it be disabled, is it shown only when asked,
 * prefill, output format, forced tool calls. */
#define FABLE                                                                                 \
	SAMPLING_NONE, THINKING_ADAPTIVE, LOW_TO_HIGH "xhigh max ", false, true, false, true, \
		FORCING_NEVER
#define CLAUDE_5                                                                             \
	SAMPLING_NONE, THINKING_ADAPTIVE, LOW_TO_HIGH "xhigh max ", true, true, false, true, \
		FORCING_ALWAYS
#define CLAUDE_4_6                                                                        \
	SAMPLING_ONE_OF, THINKING_ADAPTIVE, LOW_TO_HIGH "max ", true, false, false, true, \
		FORCING_ALWAYS
#define CLAUDE_4_5 \
	SAMPLING_ONE_OF, THINKING_BUDGET, "", true, false, true, true, FORCING_UNLESS_THINKING
#define CLAUDE_4 \
	SAMPLING_ALL, THINKING_BUDGET, "", true, false, true, false, FORCING_UNLESS_THINKING
#define CLAUDE_3 SAMPLING_ALL, THINKING_NONE, "", true, false, true, false, FORCING_ALWAYS
#define FOREIGN  SAMPLING_ALL, THINKING_BUDGET, "", true, false, true, false, FORCING_ALWAYS

/* The first that fits; with the most tokens it writes. */
static const struct anthropic_model models[] = {
	{"claude-fable-5",    FABLE,      128000},
        {"claude-mythos-",    FABLE,      128000},
	{"claude-opus-5",     CLAUDE_5,   128000},
        {"claude-sonnet-5",   CLAUDE_5,   128000},
	{"claude-opus-4-8",   CLAUDE_5,   128000},
        {"claude-opus-4-7",   CLAUDE_5,   128000},
	{"claude-opus-4-6",   CLAUDE_4_6, 128000},
        {"claude-sonnet-4-6", CLAUDE_4_6, 128000},
	{"claude-opus-4-5",   CLAUDE_4_5, 64000 },
        {"claude-sonnet-4-5", CLAUDE_4_5, 64000 },
	{"claude-haiku-4-5",  CLAUDE_4_5, 64000 },
        {"claude-opus-4-1",   CLAUDE_4_5, 32000 },
	{"claude-opus-4-",    CLAUDE_4,   32000 },
        {"claude-sonnet-4-",  CLAUDE_4,   64000 },
	{"claude-3-7-sonnet", CLAUDE_4,   64000 },
        {"claude-3-5-",       CLAUDE_3,   8192  },
	{"claude-3",          CLAUDE_3,   4096  },
        {"claude-2",          CLAUDE_3,   4096  },
	{"claude-",           CLAUDE_5,   32000 }, /* newer than this table */
	{"",		  FOREIGN,    4096  }, /* another host's, behind this wire */
};

const struct anthropic_model *anthropic_model_find(struct span model)
{
	const struct anthropic_model *m = models;
	while (!span_starts(model, span_str(m->prefix)))
		m++;
	return m;
}
