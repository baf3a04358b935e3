/* cmd_vault.c - locked or open, and what opens it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/secret.h"

struct vault {
	struct common common;
	struct secret_source from;
	bool is_removal, is_key_file_dropped, is_sure, is_recovery;
};

/* ---- what opens it ---- */

/* All kinds of slots, in the order in which they are told. */
static const struct {
	const char *type, *name, *how;
} slot_kinds[] = {
	{"passphrase", "a passphrase",              "somebody types it"                             },
	{"key-file",   "a key file",                "unattended, by a file beside it"               },
	{"recovery",   "a recovery code",           "somebody types the code"                       },
	{"credential", "a credential of systemd's", "unattended, by what systemd hands over"        },
	{"agent",      "a user's agent",            "the agent of a user who is logged in brings it"},
};

/* Its place in slot_kinds; COUNT_OF(slot_kinds): a newer version's. */
static size_t kind_of(struct json slot)
{
	size_t i = 0;
	while (i < COUNT_OF(slot_kinds) && !json_is(json_member(slot, "type"), slot_kinds[i].type))
		i++;
	return i;
}

static bool has_slot(struct json slots, const char *type)
{
	for (struct json_walk w = json_each(slots); json_next(&w);) {
		if (json_is(json_member(w.value, "type"), type))
			return true;
	}
	return false;
}

static void put_slots(struct buf *out, struct json slots)
{
	const char *before = "; opened by ";
	for (struct json_walk w = json_each(slots); json_next(&w); before = ", ") {
		const size_t kind = kind_of(w.value);
		buf_text(out, before);
		buf_text(out, kind < COUNT_OF(slot_kinds) ? slot_kinds[kind].name
							  : "what a newer version knows");
	}
}

/* ---- its state ---- */

/* A vault that cannot be used: where its backup is, if the broker says so. */
static void say_backup(const struct common *o)
{
	struct answer answer;
	OWNED(arena_done) struct arena arena;
	struct span folder = SPAN("");
	arena_init(&arena, SAY_BYTES_MAX);
	const bool is_told = broker_try(o, "status", &answer);
	if (is_told)
		folder = text_of(answer.json, "state_dir", &arena);
	if (folder.n > 0)
		say_err("next: cp -p '%.*s/vault.bak' '%.*s/vault', then llmb vault unlock",
			SPAN_ARG(folder), SPAN_ARG(folder));
	else
		say_err("next: cp -p vault.bak vault in the broker's state folder, then llmb vault "
			"unlock");
	if (is_told)
		answer_done(&answer);
}

static void say_next(const struct common *o, struct json vault, struct json slots)
{
	const struct json state = json_member(vault, "state");
	const bool is_unattended = json_is_true(json_member(vault, "unattended"));
	const bool has_passphrase = json_is_true(json_member(vault, "passphrase"));
	if (json_is(state, "absent"))
		say_err("next: llmb key add openai");
	else if (json_is(state, "damaged"))
		say_backup(o);
	else if (!json_is(state, "locked"))
		return;
	else if (is_unattended || has_passphrase)
		say_err("next: llmb vault unlock");
	else if (has_slot(slots, "recovery"))
		say_err("next: llmb vault unlock --recovery");
	else if (has_slot(slots, "agent"))
		say_err("next: llm-broker-agent, as the user who enrolled it");
	else
		say_err("next: llmb vault unlock");
}

static void say_vault(const struct common *o, const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	struct answer slots;
	arena_init(&arena, SAY_BYTES_MAX);
	if (o->is_json) {
		say_answer(answer);
		return;
	}
	const struct span state = text_of(answer->json, "state", &arena);
	const int64_t keys = number_of(answer->json, "keys");
	const bool has_slots = broker_try(o, "vault.slots", &slots);
	const struct json list = has_slots ? json_member(slots.json, "slots") : JSON_NONE;
	buf_print(&out, "vault is %.*s", SPAN_ARG(state));
	if (keys >= 0 && span_is(state, "open"))
		buf_print(&out, ", %" PRId64 " keys", keys);
	put_slots(&out, list);
	if (json_is_true(json_member(answer->json, "unattended")))
		buf_text(&out, "; opens unattended");
	buf_byte(&out, '\n');
	say_out(&out);
	say_next(o, answer->json, list);
	if (has_slots)
		answer_done(&slots);
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

/* The same, where it is to be open then. */
static int ask_unlock(const struct common *o, struct question *q)
{
	struct answer answer;
	if (!broker_ask(o, "vault.unlock", q, &answer))
		return answer.exit_code;
	const bool is_open = json_is(json_member(answer.json, "state"), "open");
	say_vault(o, &answer);
	answer_done(&answer);
	return is_open ? EXIT_GOOD : err_info(ERR_LOCKED)->exit_code;
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

/* A damaged file may have been replaced by its backup: the broker looks at it again when it is to open it. */
static bool ask_state(const struct common *o, struct answer *answer)
{
	struct answer again;
	if (!broker_ask(o, "vault.status", NULL, answer))
		return false;
	if (!json_is(json_member(answer->json, "state"), "damaged"))
		return true;
	answer_done(answer);
	if (broker_try(o, "vault.unlock", &again))
		answer_done(&again);
	return broker_ask(o, "vault.status", NULL, answer);
}

/* Would a passphrase open it? If not, *code is what to exit with. */
static bool needs_passphrase(const struct common *o, int *code)
{
	struct answer answer;
	if (!ask_state(o, &answer)) {
		*code = answer.exit_code;
		return false;
	}
	const struct json state = json_member(answer.json, "state");
	const bool is_locked = json_is(state, "locked");
	const bool is_damaged = json_is(state, "damaged");
	const bool has_passphrase = json_is_true(json_member(answer.json, "passphrase"));
	if (is_damaged || (is_locked && !has_passphrase)) {
		*code = ask_unlock(o, NULL); /* what opens it unattended */
	} else if (!is_locked) {
		say_vault(o, &answer);
		*code = json_is(state, "open") ? EXIT_GOOD : err_info(ERR_NO_KEY)->exit_code;
	}
	if (is_damaged && *code && !o->is_json)
		say_backup(o);
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
	return ask_unlock(&o->common, &q);
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
	return ask_unlock(&o.common, &q);
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
	table_begin(&t, 2, 0);
	for (struct json_walk w = json_each(json_member(answer->json, "slots")); json_next(&w);) {
		const size_t kind = kind_of(w.value);
		if (t.n == 0) {
			table_text(&t, "SLOT");
			table_text(&t, "OPENS IT");
		}
		table_cell(&t, text_of(w.value, "type", &arena));
		table_text(&t, kind < COUNT_OF(slot_kinds) ? slot_kinds[kind].how
							   : "a newer version of llm-broker knows");
	}
	const bool is_empty = t.n == 0;
	table_end(&t, &out);
	say_out(&out);
	if (is_empty)
		say_err("there is no vault yet: llmb key add openai");
}

static int run_slots(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "vault.slots", say_slots);
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
	if (strcmp(words[0], "agent") == 0)
		return options_refuse(self, "an agent makes and keeps the code of its own slot: "
					    "llm-broker-agent --enroll");
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
	.args = "recovery|key-file|credential",
	.summary = "one more way to open it; the keys in it stay as they are",
	.notes =
		"recovery     a code for a piece of paper: shown once, and typed in any case\n"
		"key-file     a file beside it ([vault] key_file): opens unattended\n"
		"credential   what systemd hands the broker as llm-broker.vault-key\n"
		"             (LoadCredentialEncrypted=): opens unattended\n"
		"An agent's, whose code lies in a desktop's keyring, is added by `llm-broker-agent "
		"--enroll`.\n"
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
