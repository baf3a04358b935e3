/* rules.c - models by their names, a block a scope. */
#include "brokerd/config/rules.h"

#include "protocol/base/owned.h"

/* clang-format off */

/* What OpenAI's models refuse while they reason: the older ones still take stop sequences. */
#define SHUT_OUT   " drops_when_reasoning=temperature,top_p,presence_penalty,frequency_penalty,logit_bias,logprobs"
#define SHUT_OUT_STOP SHUT_OUT ",stop"

/* Generations of Claude. */
#define FABLE \
	"sampling=none reasons=always reasoning=adaptive efforts=low,medium,high,xhigh,max thinking_display prefill=no json_schema strict_tools forced_tools=no"
#define CLAUDE_5 \
	"sampling=none reasons=asked reasoning=adaptive efforts=low,medium,high,xhigh,max thinking_display prefill=no json_schema strict_tools forced_tools=yes"
#define CLAUDE_4_6 \
	"sampling=one reasons=asked reasoning=adaptive budgets efforts=low,medium,high,max prefill=no json_schema strict_tools forced_tools=yes"
#define CLAUDE_4_5 \
	"sampling=one reasons=asked reasoning=budget prefill=plain json_schema strict_tools forced_tools=unless_reasoning"
#define CLAUDE_4 \
	"sampling=all reasons=asked reasoning=budget prefill=plain json_schema=no strict_tools=no forced_tools=unless_reasoning"
#define CLAUDE_3 \
	"sampling=all reasons=never prefill=plain json_schema=no strict_tools=no forced_tools=yes"
#define FOREIGN \
	"sampling=all reasons=asked reasoning=budget prefill=plain json_schema=no strict_tools=no forced_tools=yes"

/* Generations of Gemini. */
#define GEMINI_3 \
	"reasons=always reasoning=level strict_tools json_with_tools result_media sealed_calls"
#define GEMINI_2_5 "reasoning=budget strict_tools"

static const struct rule rows[] = {
	/* OpenAI, as observed in mid 2026 */
	{"openai", "gpt-5.6*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh,max" SHUT_OUT_STOP},
	{"openai", "gpt-5.5-pro*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.5*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.4-pro*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.4*", "reasons=asked reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.3-chat*", "reasons=always reasoning=effort efforts=medium" SHUT_OUT_STOP},
	{"openai", "gpt-5.2-chat*", "reasons=always reasoning=effort efforts=medium" SHUT_OUT_STOP},
	{"openai", "gpt-5.1-chat*", "reasons=always reasoning=effort efforts=medium" SHUT_OUT_STOP},
	{"openai", "gpt-5.2-pro*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.1-codex*", "reasons=always reasoning=effort efforts=low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.3*", "reasons=asked reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.2*", "reasons=asked reasoning=effort efforts=none,low,medium,high,xhigh" SHUT_OUT_STOP},
	{"openai", "gpt-5.1*", "reasons=asked reasoning=effort efforts=none,low,medium,high" SHUT_OUT_STOP},
	{"openai", "gpt-5.*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh,max" SHUT_OUT_STOP},
	{"openai", "gpt-6*", "reasons=default reasoning=effort efforts=none,low,medium,high,xhigh,max" SHUT_OUT_STOP},
	{"openai", "gpt-5-chat*", "reasons=never"},
	{"openai", "gpt-5-pro*", "reasons=always reasoning=effort efforts=high" SHUT_OUT_STOP},
	{"openai", "gpt-5-codex*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP},
	{"openai", "gpt-5*", "reasons=always reasoning=effort efforts=minimal,low,medium,high" SHUT_OUT_STOP},
	{"openai", "o1-mini*", "reasons=always reasoning=nothing" SHUT_OUT},
	{"openai", "o1*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT},
	{"openai", "o3*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP},
	{"openai", "o4*", "reasons=always reasoning=effort efforts=low,medium,high" SHUT_OUT_STOP},
	{"openai", "*", "reasons=never"},
	{"openai", "*-search-preview", "reasons=never sampling=none"},

	/* Anthropic; "claude-" is newer than this table, the last one another host's behind this wire */
	{"anthropic", "claude-fable-5*", FABLE " later_system tokens_max=128000"},
	{"anthropic", "claude-mythos-*", FABLE " later_system tokens_max=128000"},
	{"anthropic", "claude-opus-5*", CLAUDE_5 " later_system tokens_max=128000"},
	{"anthropic", "claude-sonnet-5*", CLAUDE_5 " later_system tokens_max=128000"},
	{"anthropic", "claude-opus-4-8*", CLAUDE_5 " later_system tokens_max=128000"},
	{"anthropic", "claude-opus-4-7*", CLAUDE_5 " tokens_max=128000"},
	{"anthropic", "claude-opus-4-6*", CLAUDE_4_6 " tokens_max=128000"},
	{"anthropic", "claude-sonnet-4-6*", CLAUDE_4_6 " tokens_max=128000"},
	{"anthropic", "claude-opus-4-5*", CLAUDE_4_5 " tokens_max=64000"},
	{"anthropic", "claude-sonnet-4-5*", CLAUDE_4_5 " tokens_max=64000"},
	{"anthropic", "claude-haiku-4-5*", CLAUDE_4_5 " tokens_max=64000"},
	{"anthropic", "claude-opus-4-1*", CLAUDE_4_5 " tokens_max=32000"},
	{"anthropic", "claude-opus-4-*", CLAUDE_4 " tokens_max=32000"},
	{"anthropic", "claude-sonnet-4-*", CLAUDE_4 " tokens_max=64000"},
	{"anthropic", "claude-3-7-sonnet*", CLAUDE_4 " tokens_max=64000"},
	{"anthropic", "claude-3-5-*", CLAUDE_3 " tokens_max=8192"},
	{"anthropic", "claude-3*", CLAUDE_3 " tokens_max=4096"},
	{"anthropic", "claude-2*", CLAUDE_3 " tokens_max=4096"},
	{"anthropic", "claude-*", CLAUDE_5 " tokens_max=32000"},
	{"anthropic", "*", FOREIGN " tokens_max=4096"},

	/* Gemini, as observed in mid 2026; "gemini-" is newer than this table. Names may have a folder
	   before them */
	{"gemini", "*gemini-3-pro*", GEMINI_3 " efforts=low,high"},
	{"gemini", "*gemini-3.1-pro*", GEMINI_3 " efforts=low,medium,high"},
	{"gemini", "*gemini-pro-latest*", GEMINI_3 " efforts=low,medium,high"},
	{"gemini", "*gemini-3.7-flash*", GEMINI_3 " efforts=low,medium,high"},
	{"gemini", "*gemini-*", GEMINI_3 " efforts=minimal,low,medium,high"},
	{"gemini", "*gemini-2.5-pro*", GEMINI_2_5 " reasons=always budget_min=128 budget_max=32768"},
	{"gemini", "*gemini-2.5-flash-lite*", GEMINI_2_5 " reasons=asked budget_min=512 budget_max=24576"},
	{"gemini", "*gemini-2.5-*", GEMINI_2_5 " reasons=default budget_max=24576"},
	{"gemini", "*gemini-2.5-flash-image*", "reasons=never"},
	{"gemini", "*gemini-2.5-flash-preview-tts*", "reasons=never"},
	{"gemini", "*gemini-2.5-pro-preview-tts*", "reasons=never"},
	{"gemini", "*gemini-2.0-*", "reasons=never"},
	{"gemini", "*gemini-1.*", "reasons=never openapi_schemas"},
	{"gemini", "*gemma-*", "reasons=unknown reasoning=budget system=no"},
	{"gemini", "*", "reasons=unknown reasoning=budget strict_tools json_with_tools"},
};
/* clang-format on */

const struct rule *rules_rows(size_t *n)
{
	*n = COUNT_OF(rows);
	return rows;
}
