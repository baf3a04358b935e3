/* cmd_count.c - how many tokens would this be? */
#include <inttypes.h>

#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/outcome.h"

struct count {
	struct common common;
	const char *model, *system;
};

#define COUNT_AT(field) offsetof(struct count, field)
static const struct option_row rows[] = {
	{'m', "model",  "MODEL",
         "whose tokens: provider/model, a name or an alias (default: the host's)", OPTION_TEXT, COUNT_AT(model)},
	{'s', "system", "TEXT",  "instructions that come before the question",     OPTION_TEXT,
         COUNT_AT(system)										      },
};

static void print(const llm_result *a, struct buf *out, const void *context)
{
	(void)context;
	buf_print(out, "%" PRId64 "\n", llm_result_tokens(a));
}

static void put(const llm_result *a, struct json_out *out, const void *context)
{
	(void)context;
	json_pair_i64(out, "input_tokens", llm_result_tokens(a));
	json_pair_bool(out, "estimate", llm_result_tokens_estimated(a) != 0);
}

/* Of what `llmb ask` would send: the words as one text, or all of stdin. */
static int count(const struct command *self, const struct count *o, int n, char **words)
{
	const struct outcome_view view = {"count", "count", print, put, NULL};
	OWNED(buf_done) struct buf text;
	int code = text_read(self, &o->common, n, words, &text);
	if (code)
		return code;
	llm_request *r = llm_request_new(o->model);
	if (o->system)
		(void)llm_request_system(
			r, o->system); /* failures stick, and are told when asked */
	(void)llm_request_user(r, text.p);
	code = outcome_ask(&o->common, r, &view);
	llm_request_free(r);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct count o = {.model = NULL};
	char **words;
	int n;
	const int code = options_read(self, argc, argv, &o, &n, &words);
	return code == OPTIONS_GO_ON ? count(self, &o, n, words) : code;
}

const struct command command_count = {
	.name = "count",
	.args = "[TEXT|-]",
	.summary = "how many tokens a question is",
	.examples = "  llmb count \"why is the sky blue?\"\n"
		    "  llmb count -m anthropic/claude-haiku-4-5 < report.txt\n",
	.notes = "Without TEXT the question is all of stdin. A provider that counts is asked, "
		 "which costs "
		 "nothing;\nfor others the number is an estimate, and a warning says so.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
