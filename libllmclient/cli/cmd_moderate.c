/* cmd_moderate.c - is there something wrong with these texts? */
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/outcome.h"

struct moderate {
	struct common common;
	const char *model;
	struct cache_wishes cache;
};

static const struct option_row rows[] = {
	{'m', "model", "MODEL",
         "which model: provider/model, a name or an alias (default: the host's)", OPTION_TEXT, offsetof(struct moderate, model)},
	CACHE_WISHES_ROWS(moderate, cache),
};

/* "flagged" or "fine", and which categories are true. */
static void print(const llm_result *a, struct buf *out, const void *context)
{
	(void)context;
	for (size_t i = 0; i < llm_result_verdicts(a); i++) {
		const char *categories = llm_result_categories(a, i);
		struct json v;
		buf_text(out, llm_result_flagged(a, i) ? "flagged" : "fine");
		if (categories && json_scan(span_str(categories), JSON_LENIENT, &v, NULL) == OK) {
			for (struct json_walk w = json_each(v); json_next(&w);) {
				if (json_is_true(w.value))
					buf_print(out, "\t%.*s", SPAN_ARG(w.name));
			}
		}
		buf_byte(out, '\n');
	}
}

static void put(const llm_result *a, struct json_out *out, const void *context)
{
	(void)context;
	json_key(out, "verdicts");
	json_open(out, '[');
	for (size_t i = 0; i < llm_result_verdicts(a); i++) {
		json_open(out, '{');
		json_pair_bool(out, "flagged", llm_result_flagged(a, i) != 0);
		json_pair_raw(out, "categories", span_str(llm_result_categories(a, i)));
		json_pair_raw(out, "scores", span_str(llm_result_category_scores(a, i)));
		json_close(out, '}');
	}
	json_close(out, ']');
}

static int run(const struct command *self, int argc, char **argv)
{
	const struct outcome_view view = {"moderate", "verdicts", print, put, NULL};
	struct moderate o = {.model = NULL};
	struct inputs in;
	char **words;
	int n;
	int code = options_read(self, argc, argv, &o, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	code = cache_wishes_check(self, &o.cache, "--cache-");
	if (code)
		return code;
	code = inputs_read(self, &o.common, n, words, &in);
	if (!code) {
		llm_request *r = llm_request_new(o.model);
		for (size_t i = 0; i < in.n; i++)
			(void)llm_request_input(r, in.items[i]); /* failures stick */
		cache_wishes_put(&o.cache, r);
		code = outcome_ask(&o.common, r, &view);
		llm_request_free(r);
	}
	inputs_done(&in);
	return code;
}

const struct command command_moderate = {
	.name = "moderate",
	.args = "[TEXT...|-]",
	.summary = "what a provider's policy finds wrong with texts",
	.examples = "  llmb moderate \"have a nice day\"\n"
		    "  llmb moderate --json < comments.txt\n",
	.notes =
		"Without TEXT each line of stdin that is not empty is one. A line of the answer is "
		"\"fine\" or\n\"flagged\" and the categories that a text falls into.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
