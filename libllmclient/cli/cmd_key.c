/* cmd_key.c - giving the broker a key, and taking it away again. Nothing gives one back. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/secret.h"

#define OVERLAP_MAX_MS INT64_C(2592000000) /* the broker's own bound */

struct key {
	struct common common;
	struct secret_source from;
	bool is_sure;
	int64_t overlap_ms; /* 0: not said */
};

/* "openai" or "openai/work" */
static void put_which(struct question *q, const char *word)
{
	struct span label = span_str(word);
	const struct span provider = span_cut(&label, '/');
	json_pair_str(&q->out, "provider", provider);
	json_pair_str(&q->out, "label", span_is_set(label) ? label : SPAN(""));
}

/* The same, but that no label means whichever key calls would use. */
static void put_if_named(struct question *q, const char *word)
{
	struct span label = span_str(word);
	const struct span provider = span_cut(&label, '/');
	json_pair_str(&q->out, "provider", provider);
	if (span_is_set(label))
		json_pair_str(&q->out, "label", label);
}

static void put_name(struct buf *out, struct json key, struct arena *a)
{
	const struct span label = text_of(key, "label", a);
	buf_span(out, text_of(key, "provider", a));
	if (label.n > 0)
		buf_print(out, "/%.*s", SPAN_ARG(label));
}

/* "2026-11-29 15:33", or "-" where there is no time. */
static const char *day_of(int64_t at_s, char *text, size_t size)
{
	struct tm when;
	const time_t at = (time_t)at_s;
	if (at_s <= 0 || !localtime_r(&at, &when) ||
		strftime(text, size, "%Y-%m-%d %H:%M", &when) == 0)
		return "-";
	return text;
}

/* ---- add ---- */

static void say_added(const struct answer *answer, const char *which, const char *what)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	char day[32];
	arena_init(&arena, SAY_BYTES_MAX);
	const struct span message = text_of(answer->json, "message", &arena);
	const struct json replaced = json_member(answer->json, "replaced");
	buf_print(&out, "%s ", what);
	put_name(&out, answer->json, &arena);
	buf_print(&out, " for %.*s (fingerprint %.*s)\n",
		SPAN_ARG(text_of(answer->json, "origin", &arena)),
		SPAN_ARG(text_of(answer->json, "fingerprint", &arena)));
	say_out(&out);
	if (json_kind(replaced) == JSON_OBJECT)
		say_err("the former one (fingerprint %.*s) is tried where it is refused, until %s",
			SPAN_ARG(text_of(replaced, "fingerprint", &arena)),
			day_of(number_of(replaced, "not_after_s"), day, sizeof day));
	if (message.n > 0)
		say_err("note: %.*s", SPAN_ARG(message));
	const struct span name = span_str(which);
	if (span_ends(name,
		    SPAN("/admin"))) /* it makes no calls, and is no good for a test of them */
		say_err("next: llmb reconcile %.*s",
			SPAN_ARG(span_first(name, span_index(name, '/'))));
	else
		say_err("next: llmb key test %s", which);
}

/* The first key on a terminal makes a vault: what is to open it? Empty: a key file. */
static int ask_first(const struct key *o, struct buf *passphrase)
{
	const struct secret_source blind = {.fd = -1, .may_be_empty = true};
	struct answer answer;
	if (o->from.is_stdin || o->from.fd >= 0 || !may_ask(&o->common))
		return EXIT_GOOD;
	if (!broker_ask(&o->common, "vault.status", NULL, &answer))
		return answer.exit_code;
	const bool is_first = json_is(json_member(answer.json, "state"), "absent");
	answer_done(&answer);
	if (!is_first)
		return EXIT_GOOD;
	say_err("this key is the first: a vault is made for it. A passphrase keeps it from whoever "
		"has the disk, and is asked for after each start; without one a file beside it, or "
		"the service manager's credential, opens it unattended.");
	return secret_read_new(
		&o->common, &blind, "Passphrase (not shown; empty for none): ", passphrase);
}

/* Asks for the key, and has it put in. */
static int put_in(const struct key *o, const char *which, const char *op)
{
	char prompt[160];
	struct question q;
	struct answer answer;
	OWNED(buf_wipe) struct buf secret;
	OWNED(buf_wipe) struct buf passphrase = BUF_INIT(0);
	(void)snprintf(prompt, sizeof prompt, "Key for %.100s (not shown): ", which);
	int code = secret_read(&o->common, &o->from, prompt, &secret);
	const bool is_new = strcmp(op, "key.add") == 0;
	if (!code && is_new)
		code = ask_first(o, &passphrase);
	if (code)
		return code;
	question_begin(&q);
	put_which(&q, which);
	json_pair_str(&q.out, "secret", buf_view(&secret));
	if (o->overlap_ms > 0)
		json_pair_i64(&q.out, "overlap_s", (o->overlap_ms + 999) / 1000);
	if (passphrase.n > 0)
		json_pair_str(&q.out, "vault_passphrase", buf_view(&passphrase));
	buf_wipe(&secret);
	buf_wipe(&passphrase);
	if (!broker_ask(&o->common, op, &q, &answer))
		return answer.exit_code;
	if (o->common.is_json)
		say_answer(&answer);
	else
		say_added(&answer, which, is_new ? "added" : "rotated");
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_op(const struct command *self, int argc, char **argv, const char *op)
{
	struct key o = {
		.from = {.fd = -1, .may_be_a_file = true}
        };
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 2, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.overlap_ms > OVERLAP_MAX_MS)
		return options_refuse(self, "--overlap: at most 30d is wanted");
	if (n == 2) /* most likely the key itself: it is not said again */
		return options_refuse(self, "a key is no argument, where others can see it: leave "
					    "it out and it is asked for, or use --from-stdin");
	return put_in(&o, words[0], op);
}

static int run_add(const struct command *self, int argc, char **argv)
{
	return run_op(self, argc, argv, "key.add");
}

static int run_rotate(const struct command *self, int argc, char **argv)
{
	return run_op(self, argc, argv, "key.rotate");
}

/* ---- list ---- */

static void table_day(struct table *t, int64_t at_s)
{
	char text[32];
	table_text(t, day_of(at_s, text, sizeof text));
}

/* A row for one that was replaced and is still good. */
static void put_replaced(struct table *t, struct json key, struct arena *a)
{
	const struct json replaced = json_member(key, "replaced");
	const struct span label = text_of(key, "label", a);
	if (json_kind(replaced) != JSON_OBJECT)
		return;
	table_cell(t, text_of(key, "provider", a));
	table_cell(t, label.n > 0 ? label : SPAN("-"));
	table_cell(t, text_of(key, "origin", a));
	table_cell(t, text_of(replaced, "fingerprint", a));
	table_text(t, "-");
	table_text(t, "-");
	table_day(t, number_of(replaced, "not_after_s"));
	table_text(t, "vault");
}

static void say_list(const struct answer *answer)
{
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct json keys = json_member(answer->json, "keys");
	table_begin(&t, 8, 0);
	for (struct json_walk w = json_each(keys); json_next(&w);) {
		if (t.n == 0) {
			static const char *const head[] = {"PROVIDER", "LABEL", "ORIGIN",
				"FINGERPRINT", "ADDED", "LAST USED", "GOOD UNTIL", "KEPT IN"};
			for (size_t i = 0; i < COUNT_OF(head); i++)
				table_text(&t, head[i]);
		}
		const struct span label = text_of(w.value, "label", &arena);
		const struct span source = text_of(w.value, "source", &arena);
		const struct span fingerprint = text_of(w.value, "fingerprint", &arena);
		table_cell(&t, text_of(w.value, "provider", &arena));
		table_cell(&t, label.n > 0 ? label : SPAN("-"));
		table_cell(&t, text_of(w.value, "origin", &arena));
		table_cell(&t, fingerprint.n > 0 ? fingerprint : SPAN("-"));
		table_day(&t, number_of(w.value, "created_s"));
		table_day(&t, number_of(w.value, "last_used_s"));
		table_day(&t, number_of(w.value, "not_after_s"));
		table_cell(&t, source.n > 0 ? source : SPAN("vault"));
		put_replaced(&t, w.value, &arena);
	}
	const bool is_empty = t.n == 0;
	table_end(&t, &out);
	say_out(&out);
	if (!is_empty)
		return;
	if (json_is(json_member(answer->json, "state"), "locked"))
		say_err("the vault is locked: llmb vault unlock");
	else
		say_err("no keys yet: llmb key add openai");
}

static int run_list(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "key.list", say_list);
}

/* ---- rm ---- */

static int run_rm(const struct command *self, int argc, char **argv)
{
	struct key o = {.from.fd = -1};
	struct answer answer;
	struct question q;
	char text[200];
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	(void)snprintf(text, sizeof text,
		"Remove the key of %.100s? The broker cannot bring it back.", words[0]);
	if (!o.is_sure && may_ask(&o.common) && !secret_confirm(text))
		return say_failure(&o.common, EXIT_BAD, "nothing was removed");
	question_begin(&q);
	put_which(&q, words[0]);
	if (!broker_ask(&o.common, "key.remove", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else if (!o.common.is_quiet)
		say_err("removed %s", words[0]);
	answer_done(&answer);
	return EXIT_GOOD;
}

/* ---- test ---- */

static int tell_test(const struct key *o, const struct answer *answer)
{
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const bool is_good = json_is_true(json_member(answer->json, "ok"));
	const struct span message = text_of(answer->json, "message", &arena);
	const struct span word = text_of(answer->json, "class", &arena);
	const struct span provider = text_of(answer->json, "provider", &arena);
	if (o->common.is_json)
		say_answer(answer);
	else if (is_good)
		say_err("%.*s: %.*s; %" PRId64 " models, %" PRId64 " ms", SPAN_ARG(provider),
			SPAN_ARG(message), number_of(answer->json, "models"),
			number_of(answer->json, "ms"));
	else
		say_err("llmb: %.*s: %.*s", SPAN_ARG(provider), SPAN_ARG(message));
	if (is_good)
		return EXIT_GOOD;
	return word.n > 0 ? err_info(err_from_word(word))->exit_code : EXIT_BAD;
}

static int run_test(const struct command *self, int argc, char **argv)
{
	struct key o = {.from.fd = -1};
	struct answer answer;
	struct question q;
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	put_if_named(&q, words[0]);
	if (!broker_ask(&o.common, "key.test", &q, &answer))
		return answer.exit_code;
	code = tell_test(&o, &answer);
	answer_done(&answer);
	return code;
}

#define KEY(field) offsetof(struct key, field)
static const struct option_row add_rows[] = {
	{'\0', "from-stdin", NULL, "the key is all of stdin, less one line break", OPTION_FLAG,
         KEY(from.is_stdin)										  },
	{'\0', "from-fd",    "N",  "the key is all of descriptor N",               OPTION_COUNT, KEY(from.fd)},
};
static const struct option_row rotate_rows[] = {
	{'\0', "overlap",    "TIME", "how long the former key is good beside it (1h; at most 30d)",
         OPTION_DURATION,											 KEY(overlap_ms)},
	{'\0', "from-stdin", NULL,   "the key is all of stdin, less one line break",                OPTION_FLAG,
         KEY(from.is_stdin)												      },
	{'\0', "from-fd",    "N",    "the key is all of descriptor N",                              OPTION_COUNT, KEY(from.fd)   },
};
static const struct option_row rm_rows[] = {
	{'y', "yes", NULL, "do not ask whether you are sure", OPTION_FLAG, KEY(is_sure)},
};

static const struct command key_add = {
	.name = "key add",
	.args = "PROVIDER[/LABEL]",
	.summary = "give the broker a key: it asks for it, unseen",
	.examples = "  llmb key add openai\n"
		    "  pass show openai | llmb key add openai/work --from-stdin\n"
		    "  llmb key add openai --from-fd 3 3<keyfile\n"
		    "  llmb key add vertex --from-stdin <service-account.json\n"
		    "  aws configure export-credentials | llmb key add bedrock --from-stdin\n",
	.notes = "A key is never an argument or a variable: others could see it there.\n"
		 "What it looks like depends on the provider's `auth` in broker.conf:\n"
		 "  bearer, header   the API key\n"
		 "  sigv4            ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN], or the JSON "
		 "that\n"
		 "                   aws prints\n"
		 "  google           the JSON of a service account, or of gcloud's "
		 "application-default\n"
		 "                   login\n"
		 "  entra            TENANT:CLIENT_ID:CLIENT_SECRET, or the JSON that az prints\n"
		 "The last two only get tokens, and are shown to the cloud's token endpoint "
		 "alone.\n",
	.rows = add_rows,
	.n_rows = COUNT_OF(add_rows),
	.run = run_add,
};

static const struct command key_rotate = {
	.name = "key rotate",
	.args = "PROVIDER[/LABEL]",
	.summary = "put a new key in the place of one; the former helps out for a while",
	.examples =
		"  llmb key rotate openai\n"
		"  pass show openai-new | llmb key rotate openai/work --from-stdin --overlap 1d\n",
	.notes =
		"The new key is used from now on. Where the provider refuses it, since it does "
		"not\n"
		"know it yet, the former one is tried once for each call, until its time is over.\n"
		"To replace a key at once there is `llmb key add`.\n",
	.rows = rotate_rows,
	.n_rows = COUNT_OF(rotate_rows),
	.run = run_rotate,
};

static const struct command key_list = {
	.name = "key list",
	.args = "",
	.summary = "which keys there are; never the keys themselves",
	.run = run_list,
};

static const struct command key_rm = {
	.name = "key rm",
	.args = "PROVIDER[/LABEL]",
	.summary = "forget a key",
	.rows = rm_rows,
	.n_rows = COUNT_OF(rm_rows),
	.run = run_rm,
};

static const struct command key_test = {
	.name = "key test",
	.args = "PROVIDER[/LABEL]",
	.summary = "ask the provider for its models with it; costs nothing",
	.run = run_test,
};

static const struct command *const subcommands[] = {
	&key_add, &key_list, &key_rotate, &key_rm, &key_test};

const struct command command_key = {
	.name = "key",
	.args = "add|list|rotate|rm|test",
	.summary = "the providers' keys that the broker holds",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
