/* cmd_doctor.c - what is wrong, and what to do about it? Safe to paste: it shows no key and no text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/tool_env.h"

#define BUILT_AFTER INT64_C(1767225600) /* 2026-01-01: a clock before it is wrong */

struct doctor {
	struct common common;
	bool is_live;
};

enum finding {
	FINE,
	UNSEEN, /* it is not for this program to see: nothing is wrong with that */
	WARNING,
	FAILURE,
};

struct report {
	const struct doctor *options;
	llm_client *client;
	struct arena arena;
	struct buf text;
	struct json_out out;
	size_t n[FAILURE + 1];
};

static const char *const finding_words[] = {
	[FINE] = "ok",
	[UNSEEN] = "skip",
	[WARNING] = "warn",
	[FAILURE] = "fail",
};

/* One line: what was looked at, what was found, and what to do where it is not fine (NULL: nothing). */
static void note(struct report *r, enum finding f, const char *what, const char *fix,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
static void note(struct report *r, enum finding f, const char *what, const char *fix,
	const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	r->n[f]++;
	if (r->options->common.is_json) {
		json_open(&r->out, '{');
		json_pair_str(&r->out, "name", span_str(what));
		json_pair_str(&r->out, "status", span_str(finding_words[f]));
		json_pair_str(&r->out, "message", span_str(text));
		json_pair_str(&r->out, "fix", f == FINE ? SPAN_NONE : span_str(fix));
		json_close(&r->out, '}');
		return;
	}
	buf_print(&r->text, "%-4s  %-10s %s\n", finding_words[f], what, text);
	if (f != FINE && fix)
		buf_print(&r->text, "      %-10s -> %s\n", "", fix);
}

/* What the broker said no to: by a rule it is no failure. */
static void note_refused(struct report *r, const char *what, const char *fix)
{
	const llm_error *e = llm_last_error(r->client);
	const int code = llm_error_code(e);
	if (code == LLM_E_DENIED || code == LLM_E_CONSENT)
		note(r, UNSEEN, what, NULL, "this program is not allowed to see it: %s",
			llm_error_message(e));
	else
		note(r, FAILURE, what, fix, "%s", llm_error_message(e));
}

static bool ask(struct report *r, const char *op, struct json *answer)
{
	struct fault why;
	char *text = llm_admin_call(r->client, op, NULL);
	if (!text)
		return false;
	const char *kept = arena_str(&r->arena, span_str(text));
	llm_free(text);
	return kept && json_scan(span_str(kept), JSON_STRICT, answer, &why) == OK;
}

/* ---- this side ---- */

/* What `llmb env` and `llmb run` put there: no provider's key. */
static bool is_ours(const char *value)
{
	return strcmp(value, KEY_PLACEHOLDER) == 0 || span_starts(span_str(value), SPAN("llmb_"));
}

static void check_environment(struct report *r)
{
	static const char *const keys[] = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY",
		"GOOGLE_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY", "OPENROUTER_API_KEY",
		"DEEPSEEK_API_KEY", "XAI_API_KEY"};
	const char *socket = getenv("LLM_BROKER_SOCKET"), *fd = getenv("LLM_BROKER_FD");
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const char *value = getenv(keys[i]);
		if (!value || value[0] == '\0' || is_ours(value))
			continue;
		n++;
		note(r, WARNING, "keys",
			"give it to the broker with `llmb key add PROVIDER`, and unset the "
			"variable",
			"%s is in the environment, where every program you start can read it",
			keys[i]);
	}
	if (n == 0)
		note(r, FINE, "keys", NULL, "no provider key is in the environment");
	if (fd && fd[0])
		note(r, FINE, "socket", NULL, "LLM_BROKER_FD names an inherited connection");
	else if (socket && socket[0])
		note(r, FINE, "socket", NULL, "LLM_BROKER_SOCKET is %s", socket);
	else if (!getenv("XDG_RUNTIME_DIR"))
		note(r, geteuid() == 0 ? FINE : WARNING, "socket",
			"log in by a session that sets it, or set LLM_BROKER_SOCKET",
			"XDG_RUNTIME_DIR is not set: only the system's broker can be found");
}

static void check_clock(struct report *r)
{
	if ((int64_t)time(NULL) < BUILT_AFTER)
		note(r, FAILURE, "clock", "set the clock: TLS refuses every certificate else",
			"it is before 2026");
}

static void check_own_version(struct report *r)
{
	const bool is_same = span_is(span_str(llm_version()), LLM_BROKER_VERSION);
	note(r, is_same ? FINE : WARNING, "llmb", "install llmb and libllmclient of one version",
		"%s with libllmclient %s", LLM_BROKER_VERSION, llm_version());
}

/* ---- the broker ---- */

static bool check_connection(struct report *r)
{
	struct fault why;
	struct json info;
	const char *text = llm_client_info(r->client);
	if (!text) {
		note(r, FAILURE, "broker",
			"start one with `llmb daemon`, or enable llm-broker.socket", "%s",
			llm_error_message(llm_last_error(r->client)));
		return false;
	}
	if (json_scan(span_str(text), JSON_STRICT, &info, &why)) {
		note(r, FAILURE, "broker", "install the versions that belong together",
			"its welcome makes no sense: %s", why.message);
		return false;
	}
	const struct span broker = text_of(info, "broker", &r->arena);
	const bool is_same = span_is(broker, "llm-brokerd " LLM_BROKER_VERSION);
	note(r, is_same ? FINE : WARNING, "broker",
		"restart the broker, so that it is the version that is installed", "%.*s answers%s",
		SPAN_ARG(broker), is_same ? "" : ", llmb is " LLM_BROKER_VERSION);
	return true;
}

static void check_socket_file(struct report *r, struct span path)
{
	struct stat st;
	const char *name = arena_str(&r->arena, path);
	if (!name || name[0] != '/' || stat(name, &st) != 0)
		return; /* handed over by a service manager, or in another namespace */
	const bool is_private = (st.st_mode & 077) == 0 || st.st_uid == 0;
	note(r, is_private ? FINE : WARNING, "socket",
		"chmod 600 it: what it is for is policy's to say", "%s, mode %03o, of uid %lu",
		name, (unsigned)(st.st_mode & 0777), (unsigned long)st.st_uid);
}

static void check_confined(struct report *r, struct json confined)
{
	if (json_is_nil(confined))
		return; /* a broker of before */
	if (json_is_true(confined))
		note(r, FINE, "process", NULL,
			"the broker can neither start a program nor look into one");
	else
		note(r, WARNING, "process",
			"use a kernel with CONFIG_SECCOMP_FILTER, and no build for a sanitizer",
			"the kernel would let a broker that is taken over start programs");
}

static void check_vault(struct report *r, struct json vault)
{
	const struct span state = text_of(vault, "state", &r->arena);
	const int64_t keys = number_of(vault, "keys");
	if (span_is(state, "open"))
		note(r, FINE, "vault", NULL, "open, %" PRId64 " keys%s", keys,
			json_is_true(json_member(vault, "unattended")) ? ", opens unattended" : "");
	else if (span_is(state, "locked"))
		note(r, WARNING, "vault", "llmb vault unlock", "locked");
	else if (span_is(state, "absent"))
		note(r, WARNING, "vault", "llmb key add openai",
			"there is none yet, so only offline/echo answers");
	else
		note(r, FAILURE, "vault",
			"cp -p vault.bak vault in the folder of its state, then llmb vault unlock",
			"%.*s", SPAN_ARG(state));
}

static void check_providers(struct report *r, struct json providers)
{
	size_t n = 0, keyed = 0;
	for (struct json_walk w = json_each(providers); json_next(&w); n++)
		keyed += json_is_true(json_member(w.value, "has_key")) &&
			 !json_is(json_member(w.value, "name"), "offline");
	note(r, keyed > 0 ? FINE : WARNING, "providers", "llmb key add PROVIDER",
		"%zu known, %zu can be asked", n, keyed);
}

static void check_catalogue(struct report *r, struct json catalogue)
{
	const struct span damage = text_of(catalogue, "damage", &r->arena);
	const struct span snapshot = text_of(catalogue, "snapshot", &r->arena);
	const int64_t models = number_of(catalogue, "models");
	const int64_t imported = number_of(catalogue, "imported");
	const int64_t days =
		((int64_t)time(NULL) - number_of(catalogue, "imported_at")) / (24 * 60 * 60);
	if (json_is_nil(catalogue))
		return; /* a broker of before */
	if (imported > 0)
		note(r, FINE, "catalogue", NULL,
			"%" PRId64 " models are known: %" PRId64 " imported %" PRId64
			" days ago, the others bundled on %.*s",
			models, imported, days > 0 ? days : 0, SPAN_ARG(snapshot));
	else
		note(r, FINE, "catalogue", NULL, "%" PRId64 " models are known, bundled on %.*s",
			models, SPAN_ARG(snapshot));
	if (damage.n > 0)
		note(r, WARNING, "catalogue",
			"import the list again with `llmb catalogue import FILE`, or forget it "
			"with "
			"`llmb catalogue clear`",
			"%s: %.*s",
			imported > 0 ? "the file is damaged, and its copy holds"
				     : "the file is damaged, and nothing of it holds",
			SPAN_ARG(damage));
}

static void check_audit(struct report *r, struct json audit)
{
	const struct span message = text_of(audit, "message", &r->arena);
	const int64_t lost = number_of(audit, "lost");
	if (json_is_nil(audit))
		return; /* a broker of before */
	if (message.n > 0)
		note(r, WARNING, "audit", "make room or mend it; what is recorded waits till then",
			"%.*s", SPAN_ARG(message));
	else if (lost > 0)
		note(r, WARNING, "audit", NULL, "%" PRId64 " records were lost", lost);
	else if (json_is_true(json_member(audit, "ok")))
		note(r, FINE, "audit", NULL, "written; `llmb audit verify` checks it");
}

/* Whatever the disk does, answers are kept in memory: where there is no key to seal them with that is the vault's to say. */
static void check_cache(struct report *r, struct json disk)
{
	const struct span state = text_of(disk, "state", &r->arena);
	if (span_is(state, "failing"))
		note(r, WARNING, "cache",
			"make room or mend it; answers are kept in memory till then",
			"the disk takes no more: %.*s", SPAN_ARG(text_of(disk, "why", &r->arena)));
	else if (span_is(state, "away"))
		note(r, WARNING, "cache", "see the broker's log",
			"the disk with kept answers is gone");
	else if (span_is(state, "open") || span_is(state, "reading"))
		note(r, FINE, "cache", NULL, "answers are kept on disk as well as in memory");
}

/* What rests may be well again soon, but a key that is refused is not by itself. */
static void check_targets(struct report *r, struct json targets)
{
	size_t n = 0;
	for (struct json_walk w = json_each(targets); json_next(&w);)
		n += number_of(w.value, "until_ms") >= 0;
	if (json_is_nil(targets))
		return; /* a broker of before */
	if (n == 0)
		note(r, FINE, "targets", NULL, "none rests");
	else
		note(r, WARNING, "targets",
			"llmb status says which, and why; llmb explain -m MODEL, what is asked "
			"instead",
			"%zu rest%s after failures", n, n == 1 ? "s" : "");
}

/* Of whom nothing else is shown to: everybody may know that. */
static void check_whoami(struct report *r)
{
	struct json s;
	if (!ask(r, "whoami", &s))
		return;
	const struct json you = json_member(s, "peer");
	const struct span name = text_of(you, "name", &r->arena);
	note(r, FINE, "you", NULL, "uid %" PRId64 ", %.*s%s%.*s (%.*s)", number_of(you, "uid"),
		SPAN_ARG(text_of(you, "kind", &r->arena)), name.n > 0 ? ":" : "", SPAN_ARG(name),
		SPAN_ARG(text_of(you, "confidence", &r->arena)));
}

static void check_status(struct report *r)
{
	struct json s;
	if (!ask(r, "status", &s)) {
		note_refused(r, "status", "see the broker's log");
		check_whoami(r);
		return;
	}
	const struct json config = json_member(s, "config"), you = json_member(s, "you");
	check_socket_file(r, text_of(s, "socket", &r->arena));
	note(r, FINE, "you", NULL, "uid %" PRId64 ", %.*s (%.*s)", number_of(you, "uid"),
		SPAN_ARG(text_of(you, "program", &r->arena)),
		SPAN_ARG(text_of(you, "confidence", &r->arena)));
	if (json_is_true(json_member(config, "ok")))
		note(r, FINE, "config", NULL, "%.*s", SPAN_ARG(text_of(config, "path", &r->arena)));
	else
		note(r, FAILURE, "config", "mend it, and check with `llmb config check`", "%.*s",
			SPAN_ARG(text_of(config, "message", &r->arena)));
	if (json_is_nil(json_member(s, "degraded")))
		note(r, FINE, "state", NULL, "kept in %.*s",
			SPAN_ARG(text_of(s, "state_dir", &r->arena)));
	else
		note(r, FAILURE, "state",
			"do what it says, and restart the broker if it does not come to it by "
			"itself",
			"%.*s", SPAN_ARG(text_of(s, "degraded", &r->arena)));
	if (json_is_true(json_member(s, "memory_locked")))
		note(r, FINE, "memory", NULL, "keys are never swapped to disk");
	else
		note(r, WARNING, "memory", "raise LimitMEMLOCK, or encrypt the swap",
			"keys can be swapped to disk");
	check_confined(r, json_member(s, "confined"));
	check_vault(r, json_member(s, "vault"));
	check_catalogue(r, json_member(s, "catalogue"));
	check_audit(r, json_member(s, "audit"));
	check_cache(r, json_member(json_member(s, "cache"), "disk"));
	check_providers(r, json_member(s, "providers"));
	check_targets(r, json_member(s, "targets"));
}

/* ---- a call ---- */

static void check_offline(struct report *r)
{
	llm_request *q = llm_request_new("offline/echo");
	llm_result *a = NULL;
	if (q && llm_request_user(q, "ping") == LLM_OK && llm_request_timeout_ms(q, 5000) == LLM_OK)
		a = llm_chat(r->client, q);
	if (a)
		note(r, FINE, "offline", NULL, "offline/echo answers in %" PRId64 " ms",
			llm_usage_total_us(llm_result_usage(a)) / 1000);
	else
		note_refused(r, "offline", "see the broker's log");
	llm_result_free(a);
	llm_request_free(q);
}

static void check_key(struct report *r, struct json key)
{
	OWNED(buf_done) struct buf question = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&question);
	struct fault why;
	struct json answer = JSON_NONE;
	const struct span provider = text_of(key, "provider", &r->arena);
	json_open(&out, '{');
	json_pair_str(&out, "provider", provider);
	json_pair_str(&out, "label", text_of(key, "label", &r->arena));
	json_close(&out, '}');
	buf_byte(&question, '\0');
	if (buf_error(&question))
		return;
	char *text = llm_admin_call(r->client, "key.test", question.p);
	if (text && json_scan(span_str(text), JSON_STRICT, &answer, &why) == OK &&
		json_is_true(json_member(answer, "ok")))
		note(r, FINE, "provider", NULL, "%.*s: %" PRId64 " models, %" PRId64 " ms",
			SPAN_ARG(provider), number_of(answer, "models"), number_of(answer, "ms"));
	else if (text)
		note(r, FAILURE, "provider", "the sentence says what; the network, or another key",
			"%.*s: %.*s", SPAN_ARG(provider),
			SPAN_ARG(text_of(answer, "message", &r->arena)));
	else
		note(r, FAILURE, "provider", "see the broker's log", "%.*s: %s", SPAN_ARG(provider),
			llm_error_message(llm_last_error(r->client)));
	llm_free(text);
}

static void check_keys(struct report *r)
{
	struct json list;
	if (!ask(r, "key.list", &list)) {
		note_refused(r, "provider", "llmb vault status");
		return;
	}
	const struct json keys = json_member(list, "keys");
	for (struct json_walk w = json_each(keys); json_next(&w);)
		check_key(r, w.value);
}

static void examine(struct report *r)
{
	check_own_version(r);
	check_clock(r);
	check_environment(r);
	if (!check_connection(r))
		return;
	check_status(r);
	check_offline(r);
	if (r->options->is_live)
		check_keys(r);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct doctor o = {.is_live = false};
	struct report r = {.options = &o};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	arena_init(&r.arena, SAY_BYTES_MAX);
	buf_init(&r.text, SAY_BYTES_MAX);
	r.out = json_to(&r.text);
	r.client = broker_client(&o.common);
	if (o.common.is_json) {
		json_open(&r.out, '{');
		json_key(&r.out, "checks");
		json_open(&r.out, '[');
	}
	examine(&r);
	if (o.common.is_json) {
		json_close(&r.out, ']');
		json_pair_bool(&r.out, "ok", r.n[FAILURE] == 0);
		json_close(&r.out, '}');
		buf_byte(&r.text, '\n');
	}
	say_out(&r.text);
	if (!o.common.is_json && !o.common.is_quiet)
		say_err("%zu ok, %zu warnings, %zu failures, %zu not shown", r.n[FINE],
			r.n[WARNING], r.n[FAILURE], r.n[UNSEEN]);
	llm_client_free(r.client);
	buf_done(&r.text);
	arena_done(&r.arena);
	return r.n[FAILURE] == 0 ? EXIT_GOOD : EXIT_BAD;
}

#define DOCTOR(field) offsetof(struct doctor, field)
static const struct option_row rows[] = {
	{'\0', "live", NULL, "ask each provider that has a key for its models, too", OPTION_FLAG,
         DOCTOR(is_live)},
};

const struct command command_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "what is wrong, and what to do about it; safe to paste",
	.notes = "Exit status 1 where something fails; what a program in a sandbox is not allowed "
		 "to "
		 "see is\n"
		 "no failure. No key and no text of yours is in what it "
		 "prints.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
