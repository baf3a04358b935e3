/* builtin.c - the rows are written in the words of the configuration file and read like it. */
#include "brokerd/config/builtin.h"

#define LOCAL "local = yes\nallow_plain_loopback = yes\n"

static const struct builtin rows[] = {
	{"openai",      "openai-chat", "https://api.openai.com/v1",                               "bearer",           "gpt-4o-mini",
         "max_tokens_field = max_completion_tokens\nsystem_role = developer\n"
		"strict_tools = yes\nlogit_bias = yes\nn = yes\n"																	 },
	{"anthropic",   "anthropic",   "https://api.anthropic.com",                               "header:x-api-key",
         "claude-sonnet-4-5",														 "top_k = yes\nseed = no\npenalties = no\n"                  },
	{"openrouter",  "openai-chat", "https://openrouter.ai/api/v1",                            "bearer",           "openrouter/auto",
         "top_k = yes\n"																						  },
	{"groq",        "openai-chat", "https://api.groq.com/openai/v1",                          "bearer",
         "llama-3.3-70b-versatile",													   "max_tokens_field = max_completion_tokens\npenalties = no\n"},
	{"mistral",     "openai-chat", "https://api.mistral.ai/v1",                               "bearer",           "mistral-small-latest",
         "stream_options = no\n"																					  },
	{"deepseek",    "openai-chat", "https://api.deepseek.com",                                "bearer",           "deepseek-chat",
         "json_schema = no\nseed = no\nparallel_tool_calls = no\n"																	},
	{"xai",         "openai-chat", "https://api.x.ai/v1",                                     "bearer",           NULL,                   ""                                                          },
	{"together",    "openai-chat", "https://api.together.xyz/v1",                             "bearer",           NULL,                   "top_k = yes\n"                                             },
	{"fireworks",   "openai-chat", "https://api.fireworks.ai/inference/v1",                   "bearer",           NULL,
         "top_k = yes\n"																						  },
	{"cerebras",    "openai-chat", "https://api.cerebras.ai/v1",                              "bearer",           NULL,
         "max_tokens_field = max_completion_tokens\npenalties = no\n"																     },
	{"perplexity",  "openai-chat", "https://api.perplexity.ai",                               "bearer",           "sonar",
         "stream_options = no\nseed = no\n"																			       },
	{"moonshot",    "openai-chat", "https://api.moonshot.ai/v1",                              "bearer",           NULL,                   ""                                                          },
	{"dashscope",   "openai-chat", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
         "bearer",												    NULL,                   "top_k = yes\n"                                             },
	{"zai",         "openai-chat", "https://api.z.ai/api/paas/v4",                            "bearer",           NULL,
         "json_schema = no\nseed = no\n"																				  },
	{"nvidia",      "openai-chat", "https://integrate.api.nvidia.com/v1",                     "bearer",           NULL,
         "parallel_tool_calls = no\n"																				     },
	{"huggingface", "openai-chat", "https://router.huggingface.co/v1",                        "bearer",           NULL,                   ""                                                          },
	{"github",      "openai-chat", "https://models.github.ai/inference",                      "bearer",
         "openai/gpt-4o-mini",														""							  },
	{"gemini",      "openai-chat", "https://generativelanguage.googleapis.com/v1beta/openai",
         "bearer",												    "gemini-2.5-flash",     "seed = no\npenalties = no\n"                               },
	{"deepinfra",   "openai-chat", "https://api.deepinfra.com/v1/openai",                     "bearer",           NULL,
         "top_k = yes\n"																						  },
	{"sambanova",   "openai-chat", "https://api.sambanova.ai/v1",                             "bearer",           NULL,                   ""                                                          },
	{"ollama",      "openai-chat", "http://127.0.0.1:11434/v1",                               "none",             NULL,
         LOCAL "parallel_tool_calls = no\n"																			       },
	{"llamacpp",    "openai-chat", "http://127.0.0.1:8080/v1",                                "none",             NULL,
         LOCAL "top_k = yes\nlogit_bias = yes\n"																			  },
	{"vllm",        "openai-chat", "http://127.0.0.1:8000/v1",                                "none",             NULL,
         LOCAL "top_k = yes\nlogit_bias = yes\nn = yes\n"																		 },
	{"lmstudio",    "openai-chat", "http://127.0.0.1:1234/v1",                                "none",             NULL,                   LOCAL                                                       },
	{"offline",     "offline",     "",							"none",             "echo",                 ""							  },
};

const struct builtin *builtin_providers(size_t *n)
{
	*n = sizeof rows / sizeof *rows;
	return rows;
}
