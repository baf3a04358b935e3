/* cmd_models.c - what can be asked, and for how much? */
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"

struct models {
	struct common common;
	const char *provider;
	bool is_live, is_known;
};

static void table_price(struct table *t, struct json price)
{
	if (json_is_nil(price))
		table_text(t, "-");
	else
		table_cell(t, price.text);
}

static void table_model(struct table *t, struct json m, struct arena *a)
{
	const struct json targets = json_member(m, "alias_of");
	OWNED(buf_done) struct buf note = BUF_INIT(SAY_BYTES_MAX);
	if (json_kind(targets) == JSON_ARRAY) {
		buf_text(&note, "alias of ");
		for (struct json_walk w = json_each(targets); json_next(&w);) {
			if (note.n > sizeof "alias of " - 1)
				buf_text(&note, ", ");
			(void)json_text_to(w.value, &note);
		}
	} else if (json_kind(json_member(m, "has_key")) == JSON_FALSE) {
		buf_text(&note, "no key yet");
	} else if (json_is_true(json_member(m, "default"))) {
		buf_text(&note, "its provider's default");
	}
	table_cell(t, text_of(m, "id", a));
	table_price(t, json_member(m, "price_input"));
	table_price(t, json_member(m, "price_output"));
	table_cell(t, buf_view(&note));
}

static void say_models(const struct models *o, const struct answer *answer)
{
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	table_begin(&t, 4, 6);
	table_text(&t, "MODEL");
	table_text(&t, "IN $/M");
	table_text(&t, "OUT $/M");
	table_text(&t, "");
	const struct json models = json_member(answer->json, "models");
	for (struct json_walk w = json_each(models); json_next(&w);)
		table_model(&t, w.value, &arena);
	table_end(&t, &out);
	say_out(&out);
	const struct json errors = json_member(answer->json, "errors");
	for (struct json_walk w = json_each(errors); json_next(&w);)
		say_err("%.*s: %.*s", SPAN_ARG(text_of(w.value, "provider", &arena)),
			SPAN_ARG(text_of(w.value, "message", &arena)));
	if (!o->is_live && !o->is_known && !o->provider && !o->common.is_quiet)
		say_err("these are set up here; `llmb models --live` asks the providers for all, "
			"`llmb models --known` lists the catalogue");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct models o = {.provider = NULL};
	struct question q;
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (n == 1)
		o.provider = words[0];
	question_begin(&q);
	json_pair_bool(&q.out, "live", o.is_live);
	json_pair_bool(&q.out, "known", o.is_known);
	json_pair_str(&q.out, "provider", span_str(o.provider));
	if (!broker_ask(&o.common, "models", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_models(&o, &answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

#define MODELS(field) offsetof(struct models, field)
static const struct option_row rows[] = {
	{'\0', "live",  NULL, "ask the providers that have a key for all they have", OPTION_FLAG,
         MODELS(is_live) },
	{'\0', "known", NULL,
         "list the catalogue: all models that are known, with a key or without",     OPTION_FLAG,
         MODELS(is_known)},
};

const struct command command_models = {
	.name = "models",
	.args = "[PROVIDER]",
	.summary = "what can be asked, and for how much",
	.examples = "  llmb models\n"
		    "  llmb models openai\n",
	.notes = "Prices are in USD for a million tokens; - where none is known. With --json also "
		 "sizes,\nabilities, efforts, and prices by class, date, tier and length.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
