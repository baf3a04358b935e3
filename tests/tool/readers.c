/* readers.c - what does a name on the command line stand for? */
#include "tests/tool/tool.h"

/* Beside the families themselves. */
static const struct reader readers[] = {
	{"anthropic-messages",      "anthropic",   LLM_OP_CHAT    },
	{"groq",		    "openai-chat", LLM_OP_CHAT    },
	{"openai-compatible",       "openai-chat", LLM_OP_CHAT    },
	{"vertex",                  "gemini",      LLM_OP_CHAT    },
	{"bedrock-converse",        "bedrock",     LLM_OP_CHAT    },
	{"bedrock-converse-stream", "bedrock",     LLM_OP_CHAT    },
 /* beside chat the shape decides, whosever reply it is */
	{"embeddings",              "openai-chat", LLM_OP_EMBED   },
	{"rerank",                  "openai-chat", LLM_OP_RERANK  },
	{"moderations",             "openai-chat", LLM_OP_MODERATE},
	{"models",                  "openai-chat", LLM_OP_MODELS  },
	{"count-tokens",            "anthropic",   LLM_OP_COUNT   },
};

struct reader tool_reader(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(readers); i++) {
		if (strcmp(readers[i].name, name) == 0)
			return readers[i];
	}
	return (struct reader){name, name, LLM_OP_CHAT};
}

const struct dialect *tool_family(const char *name)
{
	const struct dialect *d = dialect_find(span_str(tool_reader(name).family));
	if (!d || !d->ops[LLM_OP_CHAT])
		tool_die(2, "there is no family \"%s\"", name);
	return d;
}
