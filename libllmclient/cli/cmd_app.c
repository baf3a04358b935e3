/* cmd_app.c - which programs use the broker, and which of them may? */
#include <inttypes.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/peer.h"

struct app {
	struct common common;
	struct text_list models;
	int64_t for_ms, uid;
	bool is_session, is_forever;
	const char *profile;
};

/* ---- who has been here ---- */

static void table_seen(struct table *t, struct json seen, struct arena *a)
{
	const struct json peer = json_member(seen, "peer");
	OWNED(buf_done) struct buf last = BUF_INIT(SAY_BYTES_MAX);
	table_cell(t, text_of(seen, "who", a));
	table_i64(t, number_of(peer, "uid"));
	table_cell(t, text_of(peer, "confidence", a));
	table_cell(t, text_of(peer, "socket", a));
	table_cell(t, text_of(seen, "answer", a));
	table_cell(t, text_of(seen, "rule", a));
	table_i64(t, number_of(seen, "connections"));
	table_i64(t, number_of(seen, "served"));
	put_time(&last, number_of(seen, "last_s"));
	table_cell(t, buf_view(&last));
}

static void say_list(const struct answer *answer)
{
	static const char *const heads[] = {
		"WHO", "UID", "KNOWN BY", "SOCKET", "MAY", "RULE", "OPEN", "CALLS", "LAST"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	table_heads(&t, heads, COUNT_OF(heads), 1u << 1 | 1u << 6 | 1u << 7);
	const struct json seen = json_member(answer->json, "seen");
	for (struct json_walk w = json_each(seen); json_next(&w);)
		table_seen(&t, w.value, &arena);
	table_end(&t, &out);
	const struct json grants = json_member(answer->json, "grants");
	for (struct json_walk w = json_each(grants); json_next(&w);) {
		buf_print(&out, "\n%.*s, uid %" PRId64 "\n",
			SPAN_ARG(text_of(w.value, "who", &arena)), number_of(w.value, "uid"));
		put_grant(&out, w.value, &arena);
	}
	say_out(&out);
}

static int run_list(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "app.list", say_list);
}

/* ---- what is said of them ---- */

static int change(
	const struct app *o, const char *op, struct question *q, const struct change_words *words)
{
	if (o->uid >= 0)
		json_pair_i64(&q->out, "uid", o->uid);
	return broker_change(&o->common, op, q, words);
}

static int run_allow(const struct command *self, int argc, char **argv)
{
	struct app o = {.for_ms = -1, .uid = -1};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.is_session + o.is_forever + (o.for_ms >= 0) > 1)
		return options_refuse(self, "--for, --forever and --session go one at a time");
	question_begin(&q);
	json_pair_str(&q.out, "who", span_str(words[0]));
	json_pair_bool(&q.out, "session", o.is_session);
	if (o.for_ms >= 0)
		json_pair_i64(&q.out, "for_s", (o.for_ms + 999) / 1000);
	else if (o.is_forever || o.is_session)
		json_pair_i64(&q.out, "for_s", 0);
	question_texts(&q, "models", &o.models);
	return change(&o, "app.allow", &q,
		&(struct change_words){.done = "allowed; `llmb app revoke` cuts it off"});
}

/* A line of one word, which is that member of the question. */
static int read_one(const struct command *self, int argc, char **argv, struct app *o,
	const char *member, struct question *q, const char **word)
{
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	*word = words[0];
	question_begin(q);
	json_pair_str(&q->out, member, span_str(words[0]));
	return OPTIONS_GO_ON;
}

static int run_revoke(const struct command *self, int argc, char **argv)
{
	struct app o = {.uid = -1};
	struct question q;
	const char *who;
	const int code = read_one(self, argc, argv, &o, "who", &q, &who);
	if (code != OPTIONS_GO_ON)
		return code;
	return change(&o, "app.revoke", &q,
		&(struct change_words){.done = "cut off: its next call is denied"});
}

static int run_forget(const struct command *self, int argc, char **argv)
{
	struct app o = {.uid = -1};
	struct question q;
	const char *who;
	const int code = read_one(self, argc, argv, &o, "who", &q, &who);
	if (code != OPTIONS_GO_ON)
		return code;
	return change(&o, "app.forget", &q,
		&(struct change_words){"forgotten: the rules alone hold for it",
			"nothing was said of", who, NULL});
}

/* ---- sockets of their own ---- */

static int run_add(const struct command *self, int argc, char **argv)
{
	struct app o = {.uid = -1};
	struct question q;
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	json_pair_str(&q.out, "name", span_str(words[0]));
	if (o.profile)
		json_pair_str(&q.out, "profile", span_str(o.profile));
	if (!broker_ask(&o.common, "app.add", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json) {
		say_answer(&answer);
	} else {
		OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
		OWNED(arena_done) struct arena arena;
		arena_init(&arena, SAY_BYTES_MAX);
		buf_print(&out, "LLM_BROKER_SOCKET=%.*s\n",
			SPAN_ARG(text_of(answer.json, "socket", &arena)));
		say_out(&out);
		broker_warn(&answer);
	}
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_remove(const struct command *self, int argc, char **argv)
{
	struct app o = {.uid = -1};
	struct question q;
	const char *name;
	const int code = read_one(self, argc, argv, &o, "name", &q, &name);
	if (code != OPTIONS_GO_ON)
		return code;
	return change(&o, "app.remove", &q,
		&(struct change_words){
			"its socket is gone", "there is no application", name, NULL});
}

#define APP(field) offsetof(struct app, field)
static const struct option_row allow_rows[] = {
	{'m',  "model",   "PATTERN", "only these models, as openai/*; may repeat",   OPTION_LIST,
         APP(models)												 },
	{'\0', "for",     "TIME",    "for so long, as 7d; without it, 30 days",      OPTION_DURATION,
         APP(for_ms)												 },
	{'\0', "forever", NULL,      "until it is revoked",                          OPTION_FLAG,     APP(is_forever)},
	{'\0', "session", NULL,      "until the broker ends or the vault is locked", OPTION_FLAG,
         APP(is_session)											     },
	{'\0', "uid",     "N",       "of another user",                              OPTION_COUNT,    APP(uid)       },
};
static const struct option_row who_rows[] = {
	{'\0', "uid", "N", "of another user", OPTION_COUNT, APP(uid)},
};

static const struct command app_list = {
	.name = "app list",
	.args = "",
	.summary = "who uses the broker, how that is known, and what was said of whom",
	.run = run_list,
};

static const struct command app_allow = {
	.name = "app allow",
	.args = "WHO",
	.summary = "let one use the broker that its rule asks about",
	.examples = "  llmb app allow flatpak:org.gnome.Builder\n"
		    "  llmb app allow sandbox --session -m 'openai/*'\n",
	.rows = allow_rows,
	.n_rows = COUNT_OF(allow_rows),
	.run = run_allow,
};

static const struct command app_revoke = {
	.name = "app revoke",
	.args = "WHO",
	.summary = "cut one off, whatever the rules say",
	.rows = who_rows,
	.n_rows = COUNT_OF(who_rows),
	.run = run_revoke,
};

static const struct command app_forget = {
	.name = "app forget",
	.args = "WHO",
	.summary = "take back what was said of one",
	.rows = who_rows,
	.n_rows = COUNT_OF(who_rows),
	.run = run_forget,
};

static const struct option_row add_rows[] = {
	{'\0', "profile", "NAME", "the [policy] with that profile says what it may do", OPTION_TEXT,
         APP(profile)},
};

static const struct command app_add = {
	.name = "app add",
	.args = "NAME",
	.summary = "give an application a socket of its own, by which it is known",
	.examples = "  llmb app add notes\n"
		    "  llmb app add notes --profile small\n",
	.notes = "Whoever can open the socket is that application: bind its folder into the "
		 "sandbox, and "
		 "no other.\n",
	.rows = add_rows,
	.n_rows = COUNT_OF(add_rows),
	.run = run_add,
};

static const struct command app_remove = {
	.name = "app remove",
	.args = "NAME",
	.summary = "take an application's socket away",
	.run = run_remove,
};

static const struct command *const subcommands[] = {
	&app_add, &app_remove, &app_list, &app_allow, &app_revoke, &app_forget};

const struct command command_app = {
	.name = "app",
	.args = "add|remove|list|allow|revoke|forget",
	.summary = "which programs use the broker, and which may",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
