/* cmd_token.c - which app tokens are there, by which a program says which application it is? */
#include <inttypes.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/peer.h"

struct token {
	struct common common;
	struct text_list models;
	int64_t expires_ms;
};

/* Nothing where it is not said. */
static void put_moment(struct buf *out, int64_t at_s)
{
	if (at_s > 0)
		put_time(out, at_s);
}

/* ---- new ---- */

/* The token alone, so that a script can take it; what there is to know of it beside. */
static void say_new(const struct answer *answer, bool is_quiet)
{
	OWNED(buf_wipe) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	OWNED(buf_done) struct buf until = BUF_INIT(SAY_BYTES_MAX);
	arena_init(&arena, SAY_BYTES_MAX);
	(void)buf_reserve(&out, 256);
	buf_print(&out, "%.*s\n", SPAN_ARG(text_of(answer->json, "token", &arena)));
	say_out(&out);
	if (is_quiet)
		return;
	put_moment(&until, number_of(answer->json, "until_s"));
	say_err("%.*s is told this once: put it where the program has its API key; "
		"`llmb token revoke %.*s` takes it back%s%.*s",
		SPAN_ARG(text_of(answer->json, "who", &arena)),
		SPAN_ARG(text_of(answer->json, "id", &arena)),
		until.n > 0 ? ", and it expires at " : "", SPAN_ARG(buf_view(&until)));
}

static int run_new(const struct command *self, int argc, char **argv)
{
	struct token o = {.expires_ms = -1};
	struct question q;
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	json_pair_str(&q.out, "app", span_str(words[0]));
	if (o.expires_ms >= 0)
		json_pair_i64(&q.out, "expires_s", (o.expires_ms + 999) / 1000);
	question_texts(&q, "models", &o.models);
	if (!broker_ask(&o.common, "token.new", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_new(&answer, o.common.is_quiet);
	answer_done(&answer);
	return EXIT_GOOD;
}

/* ---- list ---- */

static void table_token(struct table *t, struct json token, struct arena *a)
{
	OWNED(buf_done)
	struct buf made = BUF_INIT(SAY_BYTES_MAX), until = BUF_INIT(SAY_BYTES_MAX),
		   used = BUF_INIT(SAY_BYTES_MAX);
	const bool is_session = json_is_true(json_member(token, "session"));
	const bool is_expired = json_is_true(json_member(token, "expired"));
	table_cell(t, text_of(token, "id", a));
	table_cell(t, text_of(token, "app", a));
	table_i64(t, number_of(token, "uid"));
	table_cell(t, text_of(token, "models", a));
	put_moment(&made, number_of(token, "at_s"));
	table_cell(t, buf_view(&made));
	put_moment(&until, number_of(token, "until_s"));
	table_cell(t, is_expired   ? SPAN("expired")
		      : is_session ? SPAN("its command ends")
				   : buf_view(&until));
	put_moment(&used, number_of(token, "used_s"));
	table_cell(t, buf_view(&used));
}

static void say_list(const struct answer *answer)
{
	static const char *const heads[] = {"ID", "APP", "UID", "MODELS", "MADE", "UNTIL", "USED"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	table_heads(&t, heads, COUNT_OF(heads), 1u << 2);
	const struct json tokens = json_member(answer->json, "tokens");
	for (struct json_walk w = json_each(tokens); json_next(&w);)
		table_token(&t, w.value, &arena);
	table_end(&t, &out);
	say_out(&out);
	const struct span warning = text_of(answer->json, "warning", &arena);
	if (warning.n > 0)
		say_err("llmb: %.*s", SPAN_ARG(warning));
}

static int run_list(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "token.list", say_list);
}

/* ---- revoke ---- */

static int run_revoke(const struct command *self, int argc, char **argv)
{
	struct token o = {.expires_ms = -1};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	json_pair_str(&q.out, "id", span_str(words[0]));
	return broker_change(&o.common, "token.revoke", &q,
		&(struct change_words){"revoked: its next call is denied", "there is no token",
			words[0], ": `llmb token list` shows them by their ids"});
}

#define TOKEN(field) offsetof(struct token, field)
static const struct option_row new_rows[] = {
	{'m',  "models",  "PATTERN", "only these models, as openai/*; may repeat",           OPTION_LIST,
         TOKEN(models)												     },
	{'\0', "expires", "TIME",    "for so long, as 30d; without it, until it is revoked",
         OPTION_DURATION,										 TOKEN(expires_ms)},
};

static const struct command token_new = {
	.name = "token new",
	.args = "APP",
	.summary = "make a token by which a program says that it is APP",
	.examples = "  export OPENAI_API_KEY=$(llmb token new notes)\n"
		    "  llmb token new notes --expires 30d -m 'openai/*'\n",
	.notes = "By default it may do what programs in the open may, and administers nothing; "
		 "[policy] with\nkind = token and name = APP says otherwise.\n",
	.rows = new_rows,
	.n_rows = COUNT_OF(new_rows),
	.run = run_new,
};

static const struct command token_list = {
	.name = "token list",
	.args = "",
	.summary = "which tokens there are; the texts themselves nobody has kept",
	.run = run_list,
};

static const struct command token_revoke = {
	.name = "token revoke",
	.args = "ID",
	.summary = "take one back, at once",
	.run = run_revoke,
};

static const struct command *const subcommands[] = {&token_new, &token_list, &token_revoke};

const struct command command_token = {
	.name = "token",
	.args = "new|list|revoke",
	.summary = "tokens by which programs say which application they are",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
