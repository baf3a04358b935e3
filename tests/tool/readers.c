/* readers.c - what does a name on the command line stand for? */
#include "tests/tool/tool.h"

/* Beside the families themselves. */
static const struct reader readers[] = {
	{"anthropic-messages",      "anthropic",   tool_read_chat  },
	{"groq",		    "openai-chat", tool_read_chat  },
	{"openai-compatible",       "openai-chat", tool_read_chat  },
	{"vertex",                  "gemini",      tool_read_chat  },
	{"bedrock-converse",        "bedrock",     tool_read_chat  },
	{"bedrock-converse-stream", "bedrock",     tool_read_chat  },
 /* beside chat the shape decides, whosever reply it is */
	{"embeddings",              "openai-chat", tool_read_result},
	{"rerank",                  "openai-chat", tool_read_result},
	{"moderations",             "openai-chat", tool_read_result},
	{"models",                  "openai-chat", tool_read_result},
	{"count-tokens",            "anthropic",   tool_read_result},
};

enum llm_op tool_operation(const struct reader *reader)
{
	static const struct {
		const char *name;
		enum llm_op op;
	} rows[] = {
		{"embeddings",   LLM_OP_EMBED   },
		{"rerank",       LLM_OP_RERANK  },
		{"moderations",  LLM_OP_MODERATE},
		{"models",       LLM_OP_MODELS  },
		{"count-tokens", LLM_OP_COUNT   },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (strcmp(reader->name, rows[i].name) == 0)
			return rows[i].op;
	}
	return LLM_OP_CHAT;
}

const struct reader *tool_reader(const char *name)
{
	static struct reader family = {.read = tool_read_chat};
	for (size_t i = 0; i < COUNT_OF(readers); i++) {
		if (strcmp(readers[i].name, name) == 0)
			return &readers[i];
	}
	family.name = family.family = name;
	return &family;
}

const struct dialect *tool_family(const char *name)
{
	const struct dialect *d = dialect_find(span_str(tool_reader(name)->family));
	if (!d || !d->ops[LLM_OP_CHAT])
		tool_die(2, "there is no family \"%s\"", name);
	return d;
}
