/* cmd_embed.c - texts to vectors. */
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/outcome.h"

struct embed {
	struct common common;
	const char *model, *type;
	int64_t dimensions; /* 0: not said */
	struct cache_wishes cache;
};

#define EMBED(field) offsetof(struct embed, field)
static const struct option_row rows[] = {
	{'m',  "model",      "MODEL",
         "which model: provider/model, a name or an alias (default: the host's)",		 OPTION_TEXT, EMBED(model)     },
	{'\0', "dimensions", "N",     "how long each vector is, where the model lets one choose",
         OPTION_COUNT,											 EMBED(dimensions)},
	{'\0', "type",       "WORD",
         "what for: query, document, classification, clustering, similarity, code_query",         OPTION_TEXT, EMBED(type)      },
	CACHE_WISHES_ROWS(embed, cache),
};

/* A line a text: its numbers with a blank between them. */
static void print(const llm_result *a, struct buf *out, const void *context)
{
	(void)context;
	for (size_t i = 0; i < llm_result_embeddings(a); i++) {
		size_t n;
		const float *v = llm_result_embedding(a, i, &n);
		for (size_t k = 0; k < n; k++) {
			buf_text(out, k > 0 ? " " : "");
			outcome_put_float(out, v[k]);
		}
		buf_byte(out, '\n');
	}
}

static void put(const llm_result *a, struct json_out *out, const void *context)
{
	(void)context;
	json_key(out, "embeddings");
	json_open(out, '[');
	for (size_t i = 0; i < llm_result_embeddings(a); i++) {
		size_t n;
		const float *v = llm_result_embedding(a, i, &n);
		json_open(out, '[');
		for (size_t k = 0; k < n; k++) {
			OWNED(buf_done) struct buf number = BUF_INIT(64);
			outcome_put_float(&number, v[k]);
			json_put_raw(out, buf_view(&number));
		}
		json_close(out, ']');
	}
	json_close(out, ']');
}

static int embed(const struct embed *o, const struct inputs *in)
{
	const struct outcome_view view = {"embed", "embeddings", print, put, NULL};
	llm_request *r = llm_request_new(o->model);
	for (size_t i = 0; i < in->n; i++)
		(void)llm_request_input(
			r, in->items[i]); /* failures stick, and are told when asked */
	if (o->dimensions > 0)
		(void)llm_request_dimensions(r, (int)o->dimensions);
	if (o->type)
		(void)llm_request_input_type(r, o->type);
	cache_wishes_put(&o->cache, r);
	const int code = outcome_ask(&o->common, r, &view);
	llm_request_free(r);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct embed o = {.model = NULL};
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
	if (!code)
		code = embed(&o, &in);
	inputs_done(&in);
	return code;
}

const struct command command_embed = {
	.name = "embed",
	.args = "[TEXT...|-]",
	.summary = "the vectors of texts, one line each",
	.examples = "  llmb embed \"a cat\" \"a dog\"\n"
		    "  llmb embed -m openai/text-embedding-3-small --dimensions 256 < lines.txt\n"
		    "  llmb embed --json \"a cat\"\n",
	.notes = "Without TEXT each line of stdin that is not empty is one.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
