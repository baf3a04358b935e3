/* cmd_rerank.c - which of these says most about that? */
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/outcome.h"

struct rerank {
	struct common common;
	const char *model;
	int64_t top_n; /* 0: all */
	struct cache_wishes cache;
};

#define RERANK(field) offsetof(struct rerank, field)
static const struct option_row rows[] = {
	{'m', "model", "MODEL",
         "which model: provider/model, a name or an alias (default: the host's)", OPTION_TEXT,  RERANK(model)},
	{'n', "top",   "N",     "only the best so many",                          OPTION_COUNT, RERANK(top_n)},
	CACHE_WISHES_ROWS(rerank, cache),
};

static const char *document_at(const struct inputs *in, size_t i)
{
	return i < in->n ? in->items[i] : "";
}

/* A line a document, the best first: score, number from 1, text. */
static void print(const llm_result *a, struct buf *out, const void *context)
{
	const struct inputs *in = context;
	for (size_t i = 0; i < llm_result_ranks(a); i++) {
		const size_t index = llm_result_rank_index(a, i);
		buf_print(out, "%.4f\t%zu\t", llm_result_rank_score(a, i), index + 1);
		buf_text(out, document_at(in, index));
		buf_byte(out, '\n');
	}
}

static void put(const llm_result *a, struct json_out *out, const void *context)
{
	const struct inputs *in = context;
	json_key(out, "ranks");
	json_open(out, '[');
	for (size_t i = 0; i < llm_result_ranks(a); i++) {
		const size_t index = llm_result_rank_index(a, i);
		json_open(out, '{');
		json_pair_i64(out, "index", (int64_t)index);
		json_key(out, "score");
		json_put_f64(out, llm_result_rank_score(a, i));
		json_pair_str(out, "text", span_str(document_at(in, index)));
		json_close(out, '}');
	}
	json_close(out, ']');
}

static int rerank(const struct rerank *o, const char *query, const struct inputs *in)
{
	const struct outcome_view view = {"rerank", "ranks", print, put, in};
	llm_request *r = llm_request_new(o->model);
	(void)llm_request_query(r, query); /* failures stick, and are told when asked */
	for (size_t i = 0; i < in->n; i++)
		(void)llm_request_input(r, in->items[i]);
	if (o->top_n > 0)
		(void)llm_request_top_n(r, (int)o->top_n);
	cache_wishes_put(&o->cache, r);
	const int code = outcome_ask(&o->common, r, &view);
	llm_request_free(r);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct rerank o = {.model = NULL};
	struct inputs in;
	char **words;
	int n;
	int code = options_read(self, argc, argv, &o, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (n == 0)
		return options_refuse(self, "there is no query");
	code = cache_wishes_check(self, &o.cache, "--cache-");
	if (code)
		return code;
	code = inputs_read(self, &o.common, n - 1, words + 1, &in);
	if (!code)
		code = rerank(&o, words[0], &in);
	inputs_done(&in);
	return code;
}

const struct command command_rerank = {
	.name = "rerank",
	.args = "QUERY [DOCUMENT...|-]",
	.summary = "documents in order of what they say about a query",
	.examples = "  llmb rerank \"where is Oslo?\" \"a city in Norway\" \"a kind of fish\"\n"
		    "  llmb rerank -n 5 \"out of memory\" < messages.txt\n",
	.notes = "Without DOCUMENT each line of stdin that is not empty is one. A line of the "
		 "answer is "
		 "a\nscore, the document's number and its text; scores of different answers cannot "
		 "be "
		 "compared.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
