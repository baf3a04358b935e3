/* drops.c - a row a parameter that can be left out. */
#include "brokerd/dialect/drops.h"

#include "brokerd/dialect/scribe.h"
#include "brokerd/value/words.h"

#define AT(m) offsetof(struct llm_request, m)

enum kind {
	OPTION, /* begins with is_set */
	TEXT,
	LIST, /* its count */
};

static const struct {
	const char *name;
	enum kind kind;
	size_t at;
} rows[] = {
	{"temperature",        OPTION, AT(temperature)       },
	{"top_p",              OPTION, AT(top_p)             },
	{"top_k",              OPTION, AT(top_k)             },
	{"min_p",              OPTION, AT(min_p)             },
	{"presence_penalty",   OPTION, AT(presence_penalty)  },
	{"frequency_penalty",  OPTION, AT(frequency_penalty) },
	{"repetition_penalty", OPTION, AT(repetition_penalty)},
	{"seed",               OPTION, AT(seed)              },
	{"logprobs",           OPTION, AT(logprobs)          },
	{"top_logprobs",       OPTION, AT(top_logprobs)      },
	{"logit_bias",         TEXT,   AT(logit_bias)        },
	{"user",               TEXT,   AT(user)              },
	{"service_tier",       TEXT,   AT(service_tier)      },
	{"verbosity",          TEXT,   AT(verbosity)         },
	{"metadata",           LIST,   AT(n_metadata)        },
};

static void *member_of(struct llm_request *r, size_t i)
{
	return (char *)r + rows[i].at;
}

/* Takes it out; false: it was not there. */
static bool clear(struct llm_request *r, size_t i)
{
	bool *option = member_of(r, i);
	struct span *text = member_of(r, i);
	size_t *count = member_of(r, i);
	bool was_there = false;
	switch (rows[i].kind) {
	case OPTION:
		was_there = *option;
		*option = false;
		break;
	case TEXT:
		was_there = span_is_set(*text);
		*text = SPAN_NONE;
		break;
	case LIST:
		was_there = *count > 0;
		*count = 0;
		break;
	}
	return was_there;
}

enum err drops_apply(
	struct llm_request *r, const struct target *target, struct notes *notes, struct fault *why)
{
	struct scribe s = {.r = r, .target = target, .notes = notes, .why = why};
	enum err err = OK;
	for (size_t i = 0; !err && i < COUNT_OF(rows); i++) {
		if (words_have(target->quirks.drops, span_str(rows[i].name)) && clear(r, i))
			err = scribe_drop(&s, rows[i].name, "%.*s at %.*s takes no %s",
				SPAN_ARG(target->model), SPAN_ARG(target->provider), rows[i].name);
	}
	return err;
}

bool drops_may(struct span param)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].kind == OPTION && span_is(param, rows[i].name))
			return true;
	}
	return span_is(param, "logit_bias");
}
