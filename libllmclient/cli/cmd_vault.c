/* cmd_vault.c - locked or open, and what opens it. */
#include <inttypes.h>
#include <stdio.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/secret.h"

struct vault {
	struct common common;
	struct secret_source from;
	bool is_removal, is_key_file_dropped, is_sure, is_recovery;
};

static void say_vault(const struct common *o, const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	if (o->is_json) {
		say_answer(answer);
		return;
	}
	const struct span state = text_of(answer->json, "state", &arena);
	const int64_t keys = number_of(answer->json, "keys");
	buf_print(&out, "vault is %.*s", SPAN_ARG(state));
	if (keys >= 0 && span_is(state, "open"))
		buf_print(&out, ", %" PRId64 " keys", keys);
	if (json_is_true(json_member(answer->json, "passphrase")))
		buf_text(&out, "; opened by a passphrase");
	if (json_is_true(json_member(answer->json, "unattended")))
		buf_text(&out, "; opens unattended");
	buf_byte(&out, '\n');
	say_out(&out);
	if (span_is(state, "locked"))
		say_err("next: llmb vault unlock");
	else if (span_is(state, "absent"))
		say_err("next: llmb key add openai");
}

/* Asks an operation that answers with the vault's state. */
static int ask_vault(const struct common *o, const char *op, struct question *q)
{
	struct answer answer;
	if (!broker_ask(o, op, q, &answer))
		return answer.exit_code;
	say_vault(o, &answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_plain(const struct command *self, int argc, char **argv, const char *op)
{
	struct vault o = {.from.fd = -1};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	return code == OPTIONS_GO_ON ? ask_vault(&o.common, op, NULL) : code;
}

static int run_status(const struct command *self, int argc, char **argv)
{
	return run_plain(self, argc, argv, "vault.status");
}

static int run_lock(const struct command *self, int argc, char **argv)
{
	return run_plain(self, argc, argv, "vault.lock");
}

/* Would a passphrase open it? If not, *code is what to exit with. */
static bool needs_passphrase(const struct common *o, int *code)
{
	struct answer answer;
	if (!broker_ask(o, "vault.status", NULL, &answer)) {
		*code = answer.exit_code;
		return false;
	}
	const bool is_locked = json_is(json_member(answer.json, "state"), "locked");
	const bool has_passphrase = json_is_true(json_member(answer.json, "passphrase"));
	if (!is_locked) {
		say_vault(o, &answer);
		*code = EXIT_GOOD;
	} else if (!has_passphrase) {
		*code = ask_vault(o, "vault.unlock", NULL); /* its key file opens it */
	}
	answer_done(&answer);
	return is_locked && has_passphrase;
}

/* By the code on paper, whatever else would open it. */
static int unlock_by_recovery(const struct vault *o)
{
	struct question q;
	OWNED(buf_wipe) struct buf code = BUF_INIT(0);
	const int failed = secret_read(&o->common, &o->from, "Recovery code (not shown): ", &code);
	if (failed)
		return failed;
	question_begin(&q);
	json_pair_str(&q.out, "recovery", buf_view(&code));
	buf_wipe(&code);
	return ask_vault(&o->common, "vault.unlock", &q);
}

static int run_unlock(const struct command *self, int argc, char **argv)
{
	struct vault o = {.from.fd = -1};
	struct question q;
	char **words;
	int n;
	OWNED(buf_wipe) struct buf secret = BUF_INIT(0);
	int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.is_recovery)
		return unlock_by_recovery(&o);
	if (!needs_passphrase(&o.common, &code))
		return code;
	code = secret_read(&o.common, &o.from, "Passphrase of the vault (not shown): ", &secret);
	if (code)
		return code;
	question_begin(&q);
	json_pair_str(&q.out, "passphrase", buf_view(&secret));
	buf_wipe(&secret);
	return ask_vault(&o.common, "vault.unlock", &q);
}

static int set_passphrase(const struct vault *o)
{
	struct question q;
	OWNED(buf_wipe) struct buf secret = BUF_INIT(0);
	if (!o->is_removal) {
		const int code = secret_read_new(
			&o->common, &o->from, "New passphrase (not shown): ", &secret);
		if (code)
			return code;
	} else if (!o->is_sure && may_ask(&o->common) &&
		   !secret_confirm(
			   "Remove the passphrase? A key file alone opens the vault then.")) {
		return say_failure(&o->common, EXIT_BAD, "nothing was changed");
	}
	question_begin(&q);
	json_key(&q.out, "new");
	if (o->is_removal)
		json_put_null(&q.out);
	else
		json_put_str(&q.out, buf_view(&secret));
	json_pair_bool(&q.out, "keep_key_file", !o->is_key_file_dropped);
	buf_wipe(&secret);
	return ask_vault(&o->common, "vault.passphrase", &q);
}

static int run_passphrase(const struct command *self, int argc, char **argv)
{
	struct vault o = {.from.fd = -1};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.is_removal && (o.is_key_file_dropped || o.from.is_stdin || o.from.fd >= 0))
		return options_refuse(
			self, "--remove goes with neither --drop-key-file nor a new passphrase");
	return set_passphrase(&o);
}

/* ---- slots ---- */

static void say_slots(const struct answer *answer)
{
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	static const struct {
		const char *type, *how;
	} known[] = {
		{"passphrase", "somebody types it"                             },
		{"key-file",   "unattended, by a file beside it"               },
		{"recovery",   "somebody types the code"                       },
		{"credential", "unattended, by what systemd hands over"        },
		{"agent",      "the agent of a user who is logged in brings it"},
	};
	table_begin(&t, 2, 0);
	for (struct json_walk w = json_each(json_member(answer->json, "slots")); json_next(&w);) {
		const char *how = "a newer version of llm-broker knows";
		const struct span type = text_of(w.value, "type", &arena);
		for (size_t i = 0; i < COUNT_OF(known); i++) {
			if (span_is(type, known[i].type))
				how = known[i].how;
		}
		if (t.n == 0) {
			table_text(&t, "SLOT");
			table_text(&t, "OPENS IT");
		}
		table_cell(&t, type);
		table_text(&t, how);
	}
	const bool is_empty = t.n == 0;
	table_end(&t, &out);
	say_out(&out);
	if (is_empty)
		say_err("there is no vault yet: llmb key add openai");
}

static int run_slots(const struct command *self, int argc, char **argv)
{
	struct vault o = {.from.fd = -1};
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!broker_ask(&o.common, "vault.slots", NULL, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_slots(&answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

static void put_type(struct question *q, const char *word)
{
	question_begin(q);
	json_pair_str(&q->out, "type", span_str(word));
}

static void say_slot_added(const struct answer *answer, const char *type)
{
	OWNED(buf_wipe) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct span code = text_of(answer->json, "code", &arena);
	if (code.n == 0) {
		say_err("added: %s opens the vault", type);
		return;
	}
	buf_span(&out, code);
	buf_byte(&out, '\n');
	say_out(&out);
	say_err("this is shown once: write it down and keep it away from this machine. It opens "
		"the "
		"vault: llmb vault unlock --recovery");
}

static int run_add(const struct command *self, int argc, char **argv)
{
	struct vault o = {.from.fd = -1};
	struct answer answer;
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	put_type(&q, words[0]);
	if (!broker_ask(&o.common, "vault.slot.add", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_slot_added(&answer, words[0]);
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_remove(const struct command *self, int argc, char **argv)
{
	struct vault o = {.from.fd = -1};
	struct answer answer;
	struct question q;
	char text[160];
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	(void)snprintf(text, sizeof text, "Shall %.64s open the vault no more?", words[0]);
	if (!o.is_sure && may_ask(&o.common) && !secret_confirm(text))
		return say_failure(&o.common, EXIT_BAD, "nothing was changed");
	put_type(&q, words[0]);
	if (!broker_ask(&o.common, "vault.slot.remove", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else if (!o.common.is_quiet)
		say_err("removed: %s opens the vault no more", words[0]);
	answer_done(&answer);
	return EXIT_GOOD;
}

#define VAULT(field) offsetof(struct vault, field)
static const struct option_row remove_rows[] = {
	{'y', "yes", NULL, "do not ask whether you are sure", OPTION_FLAG, VAULT(is_sure)},
};
static const struct option_row unlock_rows[] = {
	{'\0', "recovery",   NULL, "by the recovery code instead",                        OPTION_FLAG,  VAULT(is_recovery)  },
	{'\0', "from-stdin", NULL, "the passphrase is all of stdin, less one line break",
         OPTION_FLAG,										   VAULT(from.is_stdin)},
	{'\0', "from-fd",    "N",  "the passphrase is all of descriptor N",               OPTION_COUNT,
         VAULT(from.fd)												     },
};
static const struct option_row passphrase_rows[] = {
	{'\0', "from-stdin",    NULL, "the passphrase is all of stdin, less one line break",
         OPTION_FLAG,											  VAULT(from.is_stdin)      },
	{'\0', "from-fd",       "N",  "the passphrase is all of descriptor N",                   OPTION_COUNT,
         VAULT(from.fd)														  },
	{'\0', "drop-key-file", NULL, "the key file opens it no more: after a restart you must",
         OPTION_FLAG,											  VAULT(is_key_file_dropped)},
	{'\0', "remove",        NULL, "no passphrase any more, a key file instead",              OPTION_FLAG,
         VAULT(is_removal)													       },
	{'y',  "yes",           NULL, "do not ask whether you are sure",                         OPTION_FLAG,  VAULT(is_sure)            },
};

static const struct command vault_unlock = {
	.name = "vault unlock",
	.args = "",
	.summary = "open it with its passphrase, or a recovery code",
	.rows = unlock_rows,
	.n_rows = COUNT_OF(unlock_rows),
	.run = run_unlock,
};

static const struct command vault_lock = {
	.name = "vault lock",
	.args = "",
	.summary = "forget the keys until it is unlocked",
	.run = run_lock,
};

static const struct command vault_status = {
	.name = "vault status",
	.args = "",
	.summary = "locked or open, and what opens it",
	.run = run_status,
};

static const struct command vault_passphrase = {
	.name = "vault passphrase",
	.args = "",
	.summary = "set, change or remove the passphrase",
	.rows = passphrase_rows,
	.n_rows = COUNT_OF(passphrase_rows),
	.run = run_passphrase,
};

static const struct command vault_slots = {
	.name = "vault slots",
	.args = "",
	.summary = "all that opens it",
	.run = run_slots,
};

static const struct command vault_add = {
	.name = "vault add",
	.args = "recovery|key-file|credential|agent",
	.summary = "one more way to open it; the keys in it stay as they are",
	.notes = "recovery     a code for a piece of paper: shown once, and typed in any case\n"
		 "key-file     a file beside it ([vault] key_file): opens unattended\n"
		 "credential   what systemd hands the broker as llm-broker.vault-key\n"
		 "             (LoadCredentialEncrypted=): opens unattended\n"
		 "agent        a key for a user's agent to keep and bring: shown once\n"
		 "A second one of a kind takes the place of the first. `llmb vault passphrase` "
		 "sets the\n"
		 "passphrase.\n",
	.run = run_add,
};

static const struct command vault_remove = {
	.name = "vault remove",
	.args = "passphrase|recovery|key-file|credential|agent",
	.summary = "one way less; the last one stays",
	.rows = remove_rows,
	.n_rows = COUNT_OF(remove_rows),
	.run = run_remove,
};

static const struct command *const subcommands[] = {&vault_status, &vault_lock, &vault_unlock,
	&vault_passphrase, &vault_slots, &vault_add, &vault_remove};

const struct command command_vault = {
	.name = "vault",
	.args = "status|lock|unlock|passphrase|slots|add|remove",
	.summary = "what the keys are kept in",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
